// SPDX-License-Identifier: GPL-2.0
/*
 * Stacks: `stack KIB [thread]` uses that much in frames of 16 KiB, or with 0 in
 * one frame of 4 MiB.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FRAME		16384
#define LARGE		(4 << 20)

static long depth;

static __attribute__((noinline)) long down(long kib)
{
	volatile char a[FRAME];
	long sum;

	a[0] = 1;
	a[FRAME - 1] = 2;
	sum = kib > 0 ? down(kib - FRAME / 1024) : 0;
	return sum + a[0] + a[FRAME - 1];
}

static __attribute__((noinline)) long large(void)
{
	volatile char a[LARGE];
	long sum = 0, i;

	for (i = 0; i < LARGE; i += 4096)
		a[i] = i / 4096;
	for (i = 0; i < LARGE; i += 4096)
		sum += a[i] == (char)(i / 4096);
	return sum;
}

static void *run(void *arg)
{
	(void)arg;
	return (void *)(depth ? down(depth) : large());
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	void *result;
	pthread_t t;

	depth = argc > 1 ? atol(argv[1]) : 0;
	getrlimit(RLIMIT_STACK, &limit);
	printf("limit %lu KiB\n", (unsigned long)limit.rlim_cur >> 10);
	fflush(stdout);
	if (argc > 2) {
		if (pthread_create(&t, NULL, run, NULL))
			return 1;
		pthread_join(t, &result);
	} else {
		result = run(NULL);
	}
	printf("used %ld\n", (long)result);
	return 0;
}
