/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for host tests: memory, and a place to count failures.
 */
#ifndef FAKE_H
#define FAKE_H

#include <kitten/boot.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/task.h>

#include <stdio.h>
#include <stdlib.h>

/* Physical memory starts at 2 MiB, so that no address in it is 0. */
#define FAKE_START	SZ_2M
#define FAKE_SIZE	(48ULL << 20)

/* All of it free, no address space. */
void fake_reset(void);

/* A repeatable stream of numbers. */
u64 fake_random(void);

void fake_result(const char *name);
int fake_end(void);
extern unsigned int fake_failures;

#define EXPECT(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			fake_failures++;				\
		}							\
	} while (0)

#define RUN(test)							\
	do {								\
		test();							\
		fake_result(#test);					\
	} while (0)

#endif /* FAKE_H */
