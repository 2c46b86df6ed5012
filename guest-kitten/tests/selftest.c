// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's tests of itself, inside the machine: KTAP on standard output.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/task.h>
#include "selftest.h"

static u32 failures;

static void out(const char *fmt, ...) __printf(1, 2);

static void out(const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	serial_write(SERIAL_OUT, text,
		     vscnprintf(text, sizeof(text), fmt, args));
	va_end(args);
}

void test_fail(const char *file, int line, const char *what)
{
	out("    # %s:%d: %s\n", file, line, what);
	failures++;
}

static u32 run_suite(const struct test_suite *suite, u32 nr)
{
	u32 bad = 0;

	out("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite->name,
	    suite->nr);
	for (u32 i = 0; i < suite->nr; i++) {
		const struct test_case *t = &suite->tests[i];
		const char *skip;

		failures = 0;
		skip = t->run();
		bad += failures;
		out("    %sok %u %s%s%s\n", failures ? "not " : "", i + 1,
		    t->name, skip ? " # SKIP " : "", skip ? skip : "");
	}
	out("%sok %u %s\n", bad ? "not " : "", nr, suite->name);
	return bad;
}

u32 selftest_run(void)
{
	static const struct test_suite * const suites[] = {
		&test_mm, &test_machine, &test_symbiotic, &test_dma,
		&test_task,
	};
	u32 bad = 0;

	out("KTAP version 1\n1..%u\n", (u32)ARRAY_SIZE(suites));
	for (u32 i = 0; i < ARRAY_SIZE(suites); i++)
		bad += run_suite(suites[i], i + 1);
	return bad;
}
