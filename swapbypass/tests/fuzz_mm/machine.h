/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: the machine around the processes: swap devices, the window's files, memory
 * cgroups, knobs, the kernel's log, and sums that must be what they were.
 */
#ifndef FUZZ_MM_MACHINE_H
#define FUZZ_MM_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "program.h"

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define KSM		"/sys/kernel/mm/ksm/"
#define LRU_GEN		"/sys/kernel/mm/lru_gen/enabled"

/*
 * What is told of the machine, to test who judges it: one of these is more than it is, or
 * something where nothing is.
 */
enum lie {
	LIE_IN_PLACE, LIE_HELD, LIE_SWAP, LIE_ANON, LIE_CHARGE, LIE_SWAP_CHARGE, LIE_SUMS,
	LIE_LOG, LIE_NR
};

/* By its name; LIE_NR: none is called so. */
enum lie lie_find(const char *name);
extern enum lie machine_lie;
long long machine_told(enum lie lie, long long val);

/* Longest that anything may take. */
extern unsigned int machine_limit_ms;

/* Devices by their paths. @broken: FILE=VALUE, what programs run with. */
void machine_open(char **devices, const char *broken);

/*
 * A step that is about the machine. The steps of several threads do not meet: what two
 * of them do at the same time is decided before, as in machine_on().
 */
long machine_step(const struct step *s, pid_t pid);
/* Is a device swapped on, as far as the steps say? */
bool machine_on(int device);
void machine_set_on(int device, bool on);

/* Before a program: what is broken on purpose gets broken. */
void machine_break(void);
/*
 * After a program, with no process left: all is as at the start. Returns NULL, or what
 * is not, which may also be that something does not end.
 */
const char *machine_restore(void);

/* How often the kernel has killed for memory so far. */
long machine_kills(void);
/* Memory is limited, so that there may be none. */
bool machine_tight(void);

#endif /* FUZZ_MM_MACHINE_H */
