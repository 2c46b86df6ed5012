// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeps that are over before they have begun, waits whose limit has passed,
 * and wake-ups that come at that moment: `sleeps [N]`.
 */
#define _GNU_SOURCE
#include <ktap.h>

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS		6
#define SHORT_NS	20000

static int word, stop, woken;
static long rounds;

static long futex(int *uaddr, int op, int value, const struct timespec *limit)
{
	return syscall(SYS_futex, uaddr, op, value, limit, NULL, 0);
}

/* 0 to 20 us, all of them. */
static struct timespec short_time(long i)
{
	struct timespec t = { 0, i * 7 % SHORT_NS };

	return t;
}

static void alone(void)
{
	unsigned int wrong = 0;
	struct timespec t;
	long i;

	for (i = 0; i < rounds; i++) {
		t = short_time(i);
		wrong += nanosleep(&t, NULL) != 0;
	}
	ktap(!wrong, "short sleeps");
	for (i = 0; i < rounds; i++) {
		t = short_time(i);
		wrong += futex(&word, FUTEX_WAIT, 0, &t) != -1 ||
			 errno != ETIMEDOUT;
	}
	ktap(!wrong, "short waits that nobody ends");
	for (i = 0; i < rounds; i++) {
		t = short_time(i);
		wrong += syscall(SYS_poll, NULL, 0, 0) != 0;
	}
	ktap(!wrong, "polls of nothing");
}

static void *nap(void *arg)
{
	long i = (long)arg * 1000, n = 0;

	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		struct timespec t = short_time(i);

		if (i % 3)
			nanosleep(&t, NULL);
		else if (!futex(&word, FUTEX_WAIT, 0, &t))
			n++;
	}
	__atomic_add_fetch(&woken, n, __ATOMIC_RELAXED);
	return NULL;
}

/* Wake-ups meet limits that pass. They may all come late: that is no fault. */
static void together(void)
{
	pthread_t t[THREADS];
	long i, told = 0;
	cpu_set_t set;

	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, nap, (void *)i))
			break;
	}
	ktap(i == THREADS, "create");
	for (i = 0; i < rounds; i++) {
		told += futex(&word, FUTEX_WAKE, 1 + (int)(i % 3), NULL);
		/* And they are sent to and fro. */
		CPU_ZERO(&set);
		CPU_SET(i % sysconf(_SC_NPROCESSORS_ONLN), &set);
		if (!(i % 5))
			pthread_setaffinity_np(t[i % THREADS], sizeof(set),
					       &set);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ktap(told == woken, "who is woken knows it");
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? atol(argv[1]) : 5000;
	alone();
	together();
	return ktap_end();
}
