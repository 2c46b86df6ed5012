// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes, and what C libraries make of them: requeueing, condition variables,
 * robust mutexes. With every C library.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAITERS		6
#define ROUNDS		20
#define PATIENCE_MS	10000

static int from, to, order[WAITERS], asleep, awake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn, waiting, passed;

static long futex(int *uaddr, int op, unsigned int value, long value2,
		  int *uaddr2, unsigned int value3)
{
	return syscall(SYS_futex, uaddr, op | FUTEX_PRIVATE_FLAG, value, value2,
		       uaddr2, value3);
}

static void nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* No test waits without an end. */
static int reaches(int *v, int want)
{
	int ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		if (__atomic_load_n(v, __ATOMIC_SEQ_CST) >= want)
			break;
		nap_ms(1);
	}
	return __atomic_load_n(v, __ATOMIC_SEQ_CST) == want;
}

/* ---- the calls ---- */

static void *sleeper(void *arg)
{
	int nr = (int)(long)arg;

	__atomic_add_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
	if (nr < WAITERS)
		futex(&from, FUTEX_WAIT, 0, 0, NULL, 0);
	else
		futex(&from, FUTEX_WAIT_BITSET, 0, 0, NULL,
		      1U << (nr - WAITERS));
	order[__atomic_fetch_add(&awake, 1, __ATOMIC_SEQ_CST)] = nr;
	return NULL;
}

/* One after the other, so that it is known who has waited longest. */
static int start_sleepers(long first)
{
	pthread_t t;
	long i;

	asleep = 0;
	awake = 0;
	for (i = 0; i < WAITERS; i++) {
		if (pthread_create(&t, NULL, sleeper, (void *)(first + i)))
			return 0;
		pthread_detach(t);
		if (!reaches(&asleep, (int)i + 1))
			return 0;
		nap_ms(20);
	}
	return 1;
}

static void test_requeue(void)
{
	/* The second move finds the fourth first, where the third is no more. */
	static const int want[WAITERS] = { 0, 1, 3, 2, 4, 5 };
	int i, good = 1;

	ktap(start_sleepers(0), "six wait");
	ktap(futex(&from, FUTEX_REQUEUE, 1, 2, &to, 0) == 3 &&
	     reaches(&awake, 1), "requeue: one wakes, two move");
	ktap(futex(&to, FUTEX_WAKE, 1, 0, NULL, 0) == 1 && reaches(&awake, 2),
	     "one who has moved wakes");
	ktap(fails(futex(&from, FUTEX_CMP_REQUEUE, 1, INT_MAX, &to, 1), EAGAIN),
	     "cmp_requeue with another value");
	ktap(futex(&from, FUTEX_CMP_REQUEUE, 1, INT_MAX, &to, 0) == 3 &&
	     reaches(&awake, 3), "cmp_requeue: one wakes, all others move");
	ktap(futex(&from, FUTEX_WAKE, INT_MAX, 0, NULL, 0) == 0,
	     "nobody is left there");
	ktap(futex(&to, FUTEX_REQUEUE, 0, INT_MAX, &to, 0) == 3,
	     "requeue to the same word");
	for (i = 0; i < 3; i++)
		good &= futex(&to, FUTEX_WAKE, 1, 0, NULL, 0) == 1 &&
			reaches(&awake, 4 + i);
	ktap(good, "all are awake");
	for (i = 0; i < WAITERS; i++)
		good &= order[i] == want[i];
	ktap(good, "who waits longest wakes first");
	ktap(fails(futex(&from, FUTEX_REQUEUE, -1, 1, &to, 0), EINVAL) &&
	     fails(futex(&from, FUTEX_REQUEUE, 1, -1, &to, 0), EINVAL),
	     "requeue of fewer than none");
	ktap(fails(futex(&from, FUTEX_REQUEUE, 1, 1, (int *)-4096L, 0), EFAULT) &&
	     fails(futex(&from, FUTEX_REQUEUE, 1, 1, (int *)1, 0), EINVAL),
	     "requeue to nowhere");
}

static void test_bits(void)
{
	int i, good;

	good = start_sleepers(WAITERS);
	ktap(good && futex(&from, FUTEX_WAKE_BITSET, INT_MAX, 0, NULL, 0x14) ==
	     2 && reaches(&awake, 2), "wake by bits");
	for (i = 0; i < 2; i++)
		good &= order[i] == WAITERS + 2 || order[i] == WAITERS + 4;
	ktap(good, "those with a bit");
	ktap(futex(&from, FUTEX_WAKE, INT_MAX, 0, NULL, 0) == 4 &&
	     reaches(&awake, WAITERS), "all bits");
	ktap(fails(futex(&from, FUTEX_WAKE_BITSET, 1, 0, NULL, 0), EINVAL) &&
	     fails(futex(&from, FUTEX_WAIT_BITSET, 0, 0, NULL, 0), EINVAL),
	     "no bits");
}

static void test_limits(void)
{
	struct timespec t = { 0, 20000000 };
	double start = now(), after;

	ktap(fails(syscall(SYS_futex, &from, FUTEX_WAIT, 0, &t, NULL, 0),
		   ETIMEDOUT), "a wait with a limit");
	after = now();
	ktap(after - start >= 0.02 && after - start < 2, "of 20 ms");
	clock_gettime(CLOCK_MONOTONIC, &t);
	ktap(fails(syscall(SYS_futex, &from, FUTEX_WAIT_BITSET, 0, &t, NULL,
			   FUTEX_BITSET_MATCH_ANY), ETIMEDOUT),
	     "an absolute one that has passed");
	t.tv_nsec = 1000000000;
	ktap(fails(syscall(SYS_futex, &from, FUTEX_WAIT, 0, &t, NULL, 0),
		   EINVAL), "no time at all");
	ktap(fails(futex(&from, FUTEX_WAIT, 1, 0, NULL, 0), EAGAIN),
	     "another value");
}

/* ---- the C library's ---- */

static void *waiter(void *arg)
{
	int i;

	(void)arg;
	pthread_mutex_lock(&lock);
	for (i = 1; i <= ROUNDS; i++) {
		waiting++;
		while (turn < i)
			pthread_cond_wait(&cond, &lock);
	}
	pthread_mutex_unlock(&lock);
	__atomic_add_fetch(&passed, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *caller(void *arg)
{
	int i;

	(void)arg;
	for (i = 1; i <= ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		while (waiting != i * WAITERS) {
			pthread_mutex_unlock(&lock);
			nap_ms(1);
			pthread_mutex_lock(&lock);
		}
		turn = i;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_broadcast(void)
{
	pthread_t t;
	int i;

	for (i = 0; i < WAITERS + 1; i++) {
		if (pthread_create(&t, NULL, i ? waiter : caller, NULL))
			break;
		pthread_detach(t);
	}
	ktap(i == WAITERS + 1 && reaches(&passed, WAITERS),
	     "broadcast reaches all");
}

static void *holder(void *arg)
{
	pthread_mutex_lock(&robust);
	if (arg)
		nap_ms(200);
	return NULL;
}

/* @late: we wait already when the owner ends. */
static int owner_dies(int late)
{
	struct timespec until;
	pthread_t t;
	int ret;

	if (pthread_create(&t, NULL, holder, late ? &robust : NULL))
		return 0;
	if (late) {
		while (!pthread_mutex_trylock(&robust)) {
			pthread_mutex_unlock(&robust);
			nap_ms(1);
		}
	} else {
		pthread_join(t, NULL);
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	ret = pthread_mutex_timedlock(&robust, &until);
	if (late)
		pthread_join(t, NULL);
	return ret == EOWNERDEAD && !pthread_mutex_consistent(&robust) &&
	       !pthread_mutex_unlock(&robust) && !pthread_mutex_lock(&robust) &&
	       !pthread_mutex_unlock(&robust);
}

static void test_robust(void)
{
	struct robust_list_head head = { { &head.list }, 0, NULL }, *old;
	pthread_mutexattr_t attr;
	size_t size;

	pthread_mutexattr_init(&attr);
	ktap(!pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) &&
	     !pthread_mutex_init(&robust, &attr), "robust mutex");
	ktap(owner_dies(0), "its owner has died");
	ktap(owner_dies(1), "its owner dies while we wait");
	ktap(fails(syscall(SYS_set_robust_list, &head, 1), EINVAL),
	     "a list of another size");
	ktap(!syscall(SYS_get_robust_list, 0, &old, &size) &&
	     size == sizeof(head), "the list is known");
}

/* What is in the list is the program's word: the kernel is only careful. */
static void *bad_list(void *arg)
{
	static struct robust_list circle[2] = { { &circle[1] }, { &circle[0] } };
	static struct robust_list_head bad[2] = {
		{ { circle }, LONG_MIN, (void *)-8L },
		{ { (void *)0x10 }, 3, NULL },
	};

	syscall(SYS_set_robust_list, &bad[(long)arg], sizeof(bad[0]));
	return NULL;
}

static void test_bad_lists(void)
{
	pthread_t t;
	long i, n = 0;

	for (i = 0; i < 2; i++) {
		if (!pthread_create(&t, NULL, bad_list, (void *)i))
			n += !pthread_join(t, NULL);
	}
	ktap(n == 2, "bad lists of robust mutexes");
}

int main(void)
{
	test_requeue();
	test_bits();
	test_limits();
	test_broadcast();
	test_robust();
	test_bad_lists();
	return ktap_end();
}
