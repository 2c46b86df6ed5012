/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: does the steps of a program, and says what is wrong.
 */
#ifndef FUZZ_MM_RUN_H
#define FUZZ_MM_RUN_H

#include <stdbool.h>

#include "program.h"

struct find {
	unsigned int step;	/* where it was seen; the number of steps: at the end */
	bool hopeless;		/* something hangs, so that nothing more can be tried here */
	char text[320];
};

struct count {
	uint64_t programs, steps;
	uint64_t kind[OP_NR];
	uint64_t lacking[OP_NR];	/* left out: see facility.h */
	/* Where the time goes: steps, and the beginning, the last looks and the end of all. */
	uint64_t us[OP_NR], begin_us, check_us, end_us;
};

extern struct count count;

void run_open(const char *disk);
/* False, and @find, if something is wrong. */
bool run_program(const struct program *p, struct find *find);

#endif /* FUZZ_MM_RUN_H */
