/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: what kinds of steps there are, for who makes programs and who reads them.
 */
#ifndef FUZZ_MM_TABLE_H
#define FUZZ_MM_TABLE_H

#include <stdbool.h>

#include "program.h"

/* What an argument is. */
enum kind {
	K_END, K_PROC, K_NEW, K_PAGE, K_COUNT, K_FEW, K_PROT, K_FILL, K_MAP_HOW, K_MOVE_HOW,
	K_LOCK_HOW, K_PEEK_HOW, K_ADVICE, K_NEUTRAL, K_DEVICE_OFF, K_DEVICE_ON, K_WINDOW, K_PRIO,
	K_LIMIT, K_MODE, K_AROUND, K_HOOK, K_MS, K_PIPE, K_GROUP, K_GROUP_FILE, K_KIB, K_SWITCH,
	K_THP, K_ORDER, K_MIB, K_PINNED, K_PIPED, K_SIZE, K_ANSWER, K_DOOM, K_US, K_NUMA,
	K_NODE, K_CPU, K_LEVEL, K_TOUCH, K_AHEAD,
};

/* A kind of step. */
enum {
	BG	= 1,	/* changes no content, so it may happen meanwhile */
	MACHINE	= 2,	/* only where the machine is the fuzzer's */
};

struct row {
	const char *name;
	unsigned char weight;	/* how often it is made */
	unsigned char flags;
	unsigned char arg[MAX_ARGS];
};

extern const struct row rows[OP_NR];

/* The words of a kind of argument, NULL after the last; NULL if it is a number. */
const char *const *kind_words(enum kind kind);
/* Is it the number of a device? */
bool kind_device(enum kind kind);

#endif /* FUZZ_MM_TABLE_H */
