/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs share, besides the form of their results.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <ktap.h>
#include <time.h>

/* A call that has returned -1, with this error? */
__attribute__((unused))
static int fails(long result, int error)
{
	return result == -1 && errno == error;
}

/* Seconds. */
__attribute__((unused))
static double clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

__attribute__((unused))
static double now(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

#endif /* TEST_H */
