/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP, the results of test programs, in any guest and on the build machine:
 *
 *	KTAP version 1
 *	1..3
 *	ok 1 first
 *	# what the second one has found
 *	not ok 2 second
 *	ok 3 third # SKIP why
 */
#ifndef KTAP_H
#define KTAP_H

#include <stdarg.h>
#include <stdio.h>

static unsigned int ktap_nr, ktap_failed, ktap_planned, ktap_begun;

__attribute__((unused))
static void ktap_begin(void)
{
	if (!ktap_begun++)
		printf("KTAP version 1\n");
}

/* How many results there will be, if that is known before the first. */
__attribute__((unused))
static void ktap_plan(unsigned int results)
{
	ktap_begin();
	printf("1..%u\n", results);
	fflush(stdout);
	ktap_planned = results;
}

/* @directive: what follows the name, such as "SKIP why"; or NULL. */
__attribute__((unused))
static void ktap_result(int good, const char *directive, const char *fmt, va_list ap)
{
	ktap_begin();
	printf("%sok %u ", good ? "" : "not ", ++ktap_nr);
	vprintf(fmt, ap);
	printf("%s%s\n", directive ? " # " : "", directive ? directive : "");
	/* Said before the next test can hang. */
	fflush(stdout);
	ktap_failed += !good;
}

__attribute__((unused, format(printf, 2, 3)))
static int ktap(int good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ktap_result(good, NULL, fmt, ap);
	va_end(ap);
	return good;
}

__attribute__((unused, format(printf, 3, 4)))
static void ktap_directive(int good, const char *directive, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ktap_result(good, directive, fmt, ap);
	va_end(ap);
}

/* The plan, if nobody has said it before. Returns the program's status. */
__attribute__((unused))
static int ktap_end(void)
{
	if (!ktap_planned)
		ktap_plan(ktap_nr);
	return ktap_failed || ktap_nr != ktap_planned ? 1 : 0;
}

#endif /* KTAP_H */
