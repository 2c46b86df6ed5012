/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of init_task.
 */
#ifndef INIT_TASK_H
#define INIT_TASK_H

#include <stdbool.h>
#include "liblwk.h"

/* ---- init_task.c ---- */

/* Of the tasks to come. */
extern u64 stack_size;

/* A decimal number and nothing else; false if it is not one. */
bool number(const char *text, u64 *v);

/* ---- init_lib.c ---- */

struct archive_entry {
	const unsigned char *data;
	u64 size;
};

void set_archive(const unsigned char *data, u64 size);
bool find_file(const char *name, struct archive_entry *file);

size_t length(const char *s);
bool same(const char *a, const char *b);

/* Knows %s, %d, %u, %x; %u and %x take 64 bits. */
void print(int fd, const char *fmt, ...);

/* ---- init_builtin.c ---- */

u32 nr_cpus(void);

/* Runs a command that is no program; false if there is none of that name. */
bool builtin(const char *name, const char *strings, u32 argc, int *status);

/* ---- init_test.c ---- */

/* Bad arguments for the kernel's own calls, as KTAP. */
int init_test(void);

#endif /* INIT_TASK_H */
