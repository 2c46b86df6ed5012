// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of the C library: mutex, condition, barrier, join, time limits.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS		8
#define ROUNDS		5000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static unsigned long counter;
static int token, seen_cpus;
static __thread unsigned long own = 5;

static void *count(void *arg)
{
	double x = (double)(long)arg;
	int i;

	own += (unsigned long)arg;
	for (i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		x = x * 1.0000001 + 1.0;
	}
	__atomic_fetch_or(&seen_cpus, 1 << sched_getcpu(), __ATOMIC_RELAXED);
	pthread_barrier_wait(&barrier);
	/* Each thread has its own variable and its own registers. */
	return (void *)(long)(own == 5 + (unsigned long)arg && x > ROUNDS);
}

static void *answer(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		pthread_mutex_lock(&lock);
		while (token != 2 * i + 1)
			pthread_cond_wait(&cond, &lock);
		token++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int alone(void)
{
	const char *ranks = getenv("KITTEN_RANKS");

	return !ranks || !strcmp(ranks, "1");
}

static void test_count(void)
{
	pthread_t t[THREADS];
	long i, good = 0, cpus;
	void *result;
	cpu_set_t set;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, count, (void *)i))
			break;
	}
	ktap(i == THREADS, "create");
	while (i--) {
		pthread_join(t[i], &result);
		good += (long)result;
	}
	ktap(good == THREADS, "own variables and registers");
	ktap(counter == (unsigned long)THREADS * ROUNDS, "mutex");

	sched_getaffinity(0, sizeof(set), &set);
	cpus = CPU_COUNT(&set);
	ktap(cpus == sysconf(_SC_NPROCESSORS_ONLN) || cpus >= 1, "affinity");
	/* Beside another task the CPUs with fewer threads get more of ours. */
	if (cpus > THREADS)
		cpus = THREADS;
	ktap(!alone() || __builtin_popcount(seen_cpus) == cpus, "on all CPUs");
}

static void test_condition(void)
{
	pthread_t t;
	int i;

	pthread_create(&t, NULL, answer, NULL);
	for (i = 0; i < 100; i++) {
		pthread_mutex_lock(&lock);
		token++;
		pthread_cond_broadcast(&cond);
		while (token != 2 * i + 2)
			pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	ktap(!pthread_join(t, NULL) && token == 200, "condition");
}

static void test_time(void)
{
	struct timespec ts = { 0, 20000000 };
	double start = now(), after;
	int ret;

	nanosleep(&ts, NULL);
	after = now();
	ktap(after - start >= 0.020 && after - start < 2.0, "sleep");

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	pthread_mutex_lock(&lock);
	start = now();
	ret = pthread_cond_timedwait(&cond, &lock, &ts);
	after = now();
	pthread_mutex_unlock(&lock);
	ktap(ret == ETIMEDOUT && after - start >= 0.015, "time limit");
}

static void *spin(void *arg)
{
	(void)arg;
	for (;;)
		;
	return NULL;
}

int main(void)
{
	pthread_t t;

	test_count();
	test_condition();
	test_time();
	/* The task ends although its threads do not. */
	pthread_create(&t, NULL, spin, NULL);
	pthread_create(&t, NULL, spin, NULL);
	return ktap_end();
}
