/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests inside the kernel. They run in a call of init_task, with the kernel
 * lock, while no other task exists.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <kitten/types.h>

/* Returns NULL, or why it was skipped. */
struct test_case {
	const char *name;
	const char *(*run)(void);
};

struct test_suite {
	const char *name;
	const struct test_case *tests;
	u32 nr;
};

extern const struct test_suite test_mm, test_machine, test_symbiotic, test_dma;
extern const struct test_suite test_task;

void test_fail(const char *file, int line, const char *what);

#define EXPECT(cond)							\
	do {								\
		if (!(cond))						\
			test_fail(__FILE__, __LINE__, #cond);		\
	} while (0)

#define SUITE(list)	.tests = list, .nr = ARRAY_SIZE(list)

#endif /* SELFTEST_H */
