/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: files of sysfs and procfs.
 */
#ifndef FUZZ_MM_KNOBS_H
#define FUZZ_MM_KNOBS_H

#include <stdbool.h>
#include <stddef.h>

/* Text, or a number, into a file; false and errno. */
bool put(const char *value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool put_number(long value, const char *path);
/* The word in brackets, or all of a line; nothing if there is no such file. */
void get_word(char *word, size_t size, const char *path);

#endif /* FUZZ_MM_KNOBS_H */
