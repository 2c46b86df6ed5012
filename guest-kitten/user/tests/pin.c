// SPDX-License-Identifier: GPL-2.0
/*
 * One thread per processor, each on its own, as OpenMP and MPI do it.
 * `pin [CPU]` has been started on that one.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX		16

static volatile int go;

static void *where(void *arg)
{
	volatile double x = 1;
	int i;

	(void)arg;
	for (i = 0; i < 500000; i++)
		x = x * 1.0000001;
	return (void *)(long)sched_getcpu();
}

/* Busy and asleep, until it is where it shall be. */
static void *follow(void *arg)
{
	long want = (long)arg;
	struct timespec t = { 0, 1000000 };
	int i;

	while (!go)
		sched_yield();
	for (i = 0; i < 2000 && sched_getcpu() != want; i++) {
		if (i % 2)
			nanosleep(&t, NULL);
	}
	return (void *)(long)(sched_getcpu() == want);
}

static void only(cpu_set_t *set, int cpu)
{
	CPU_ZERO(set);
	CPU_SET(cpu, set);
}

static void test_attributes(int n)
{
	int cpu, started = 0, right = 0;
	pthread_attr_t attr;
	pthread_t t[MAX];
	cpu_set_t set;
	void *at;

	for (cpu = 0; cpu < n; cpu++) {
		only(&set, cpu);
		pthread_attr_init(&attr);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
		started += !pthread_create(&t[cpu], &attr, where, NULL);
	}
	ktap(started == n, "threads made for one processor each");
	for (cpu = 0; cpu < started; cpu++) {
		pthread_join(t[cpu], &at);
		right += (long)at == cpu;
	}
	ktap(right == n, "each ran there");
}

static void test_self(int n)
{
	int cpu, right = 0;
	cpu_set_t set, got;

	for (cpu = n - 1; cpu >= 0; cpu--) {
		only(&set, cpu);
		if (sched_setaffinity(0, sizeof(set), &set) ||
		    sched_getaffinity(0, sizeof(got), &got))
			break;
		right += sched_getcpu() == cpu && CPU_EQUAL(&set, &got);
	}
	ktap(right == n, "to each processor, and told so");
}

static void test_others(int n)
{
	int i, right = 0;
	pthread_t t[MAX];
	cpu_set_t set, got;
	void *good;

	for (i = 0; i < n; i++) {
		if (pthread_create(&t[i], NULL, follow, (void *)(long)i))
			return;
	}
	/* Made by one on processor 0: they have its mask, and are all there. */
	for (i = 0; i < n; i++) {
		pthread_getaffinity_np(t[i], sizeof(got), &got);
		right += CPU_COUNT(&got) == 1 && CPU_ISSET(0, &got);
	}
	ktap(right == n, "a mask is inherited");
	for (right = i = 0; i < n; i++) {
		only(&set, i);
		right += !pthread_setaffinity_np(t[i], sizeof(set), &set) &&
			 !pthread_getaffinity_np(t[i], sizeof(got), &got) &&
			 CPU_EQUAL(&set, &got);
	}
	ktap(right == n, "masks of other threads");
	go = 1;
	for (right = i = 0; i < n; i++) {
		pthread_join(t[i], &good);
		right += !!good;
	}
	ktap(right == n, "they go there");
}

static void test_errors(const cpu_set_t *all)
{
	cpu_set_t set;
	int cpu = 0;

	CPU_ZERO(&set);
	ktap(fails(sched_setaffinity(0, sizeof(set), &set), EINVAL),
	     "no processor");
	while (CPU_ISSET(cpu, all))
		cpu++;
	CPU_SET(cpu, &set);
	ktap(fails(sched_setaffinity(0, sizeof(set), &set), EINVAL),
	     "a processor that does not exist");
	CPU_SET(0, &set);
	ktap(!sched_setaffinity(0, sizeof(set), &set) &&
	     !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) == 1,
	     "and one that does");
	ktap(fails(sched_setaffinity(1 << 21, sizeof(set), &set), ESRCH),
	     "a thread that does not exist");
	ktap(fails(sched_setaffinity(1, sizeof(set), &set), EPERM),
	     "a thread of another task");
}

int main(int argc, char **argv)
{
	cpu_set_t all;
	int n;

	ktap(argc < 2 || sched_getcpu() == atoi(argv[1]), "starts where it shall");
	ktap(getpid() == syscall(SYS_gettid), "the first thread has the number of the process");
	ktap(!sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	n = CPU_COUNT(&all);
	ktap(n == sysconf(_SC_NPROCESSORS_ONLN) && n <= MAX, "all processors at first");
	test_attributes(n);
	test_self(n);
	test_others(n);
	test_errors(&all);
	return ktap_end();
}
