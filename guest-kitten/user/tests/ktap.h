/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP from a test program.
 */
#ifndef KTAP_H
#define KTAP_H

#include <stdio.h>

static unsigned int ktap_nr, ktap_failed;

__attribute__((unused))
static int ktap(int good, const char *name)
{
	printf("%sok %u %s\n", good ? "" : "not ", ++ktap_nr, name);
	/* Said before the next test can hang. */
	fflush(stdout);
	ktap_failed += !good;
	return good;
}

/* The plan may come last. Returns the program's status. */
__attribute__((unused))
static int ktap_end(void)
{
	printf("1..%u\n", ktap_nr);
	return ktap_failed ? 1 : 0;
}

#endif /* KTAP_H */
