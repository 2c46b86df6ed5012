// SPDX-License-Identifier: GPL-2.0
/*
 * ipis [seconds]: does an interrupt arrive only where it may?
 *
 * One CPU does nothing but system calls, another interrupts it all the time. An
 * interrupt that is taken though interrupts are off finds the first at times on
 * the kernel's entry code, still on the user's stack: a double fault. So the
 * guest lives, or it does not.
 */
#define _GNU_SOURCE
#include <ktap.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int stop;
static unsigned long calls;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(2);
	}
}

/* The kernel interrupts each other CPU that runs this process. */
static void membarrier(int cmd)
{
	if (syscall(SYS_membarrier, cmd, 0, 0)) {
		perror("membarrier");
		exit(2);
	}
}

static void *call(void *arg)
{
	(void)arg;
	pin(1);
	for (; !stop; calls++)
		syscall(SYS_getppid);
	return NULL;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 30);
	unsigned long barriers = 0;
	pthread_t thread;

	pin(0);
	membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	if (pthread_create(&thread, NULL, call, NULL)) {
		fprintf(stderr, "no thread\n");
		return 2;
	}
	for (; time(NULL) < end; barriers++)
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	stop = 1;
	pthread_join(thread, NULL);
	printf("%lu system calls, %lu barriers\n", calls, barriers);
	ktap(calls && barriers, "interrupts arrive where they may");
	return ktap_end();
}
