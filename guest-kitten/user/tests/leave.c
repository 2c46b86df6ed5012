// SPDX-License-Identifier: GPL-2.0
/*
 * The task ends at the moment when its threads begin to wait, for ever: on other
 * processors they come into the kernel just behind the call that ends them.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX		16

static int here, word = 1;

/* Back at once until the word is 0. */
static void *wait_for_ever(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&here, 1, __ATOMIC_SEQ_CST);
	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

int main(void)
{
	long i, n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (i = 0; i < n && i < MAX; i++) {
		if (pthread_create(&thread, NULL, wait_for_ever, NULL))
			return 1;
	}
	while (__atomic_load_n(&here, __ATOMIC_SEQ_CST) < i)
		sched_yield();
	__atomic_store_n(&word, 0, __ATOMIC_RELAXED);
	_exit(0);
}
