/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: programs. A program is a list of steps, and a text file with a line for
 * each:
 *
 *	swapon symswap0 1
 *	map 0 16 32 rw
 *	write 0 16 32 each
 *	advise 0 16 32 pageout &
 *
 * The first argument of what a process does is its number, then come the first page
 * and the number of pages. `&`: another thread does it while the program goes on.
 * What makes no sense when its turn comes, such as a step of a process that is gone,
 * is left out; so any list of steps is a program, and shrinking may take any away.
 */
#ifndef FUZZ_MM_PROGRAM_H
#define FUZZ_MM_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_STEPS	128
#define MAX_ARGS	5

#define NR_PROCS	4
#define ARENA_PAGES	1024	/* of each process: two page tables */
#define MAX_COUNT	512
#define NR_PIPES	3
#define NR_GROUPS	3
#define MAX_DEVICES	6

enum op {
	/* the memory of a process, by itself */
	OP_MAP, OP_UNMAP, OP_WRITE, OP_READ, OP_PROTECT, OP_ADVISE, OP_MOVE, OP_RESIZE,
	OP_LOCK, OP_UNLOCK, OP_CHURN,
	/* processes */
	OP_FORK, OP_VFORK, OP_EXEC, OP_EXIT, OP_KILL, OP_KILL_IN, OP_CORE,
	/* others look at it, or have a reference */
	OP_PEEK, OP_POKE, OP_ADVISE_OTHER, OP_NUMA, OP_SPLICE, OP_DRAIN, OP_TEE, OP_PASS,
	OP_POUR, OP_DIRECT, OP_AIO, OP_PIN, OP_PIN_OUT, OP_PIN_IN, OP_UNPIN, OP_UFFD_MOVE,
	OP_UFFD_WP, OP_UFFD_MISSING, OP_UFFD_WAIT, OP_CLEAN, OP_DIRTY, OP_RSS,
	/* the machine */
	OP_SWAPON, OP_SWAPOFF, OP_LIMIT, OP_MODE, OP_AROUND, OP_STALL, OP_JOIN, OP_GROUP,
	OP_GROUP_SET, OP_GROUP_RECLAIM, OP_GROUP_REMOVE, OP_KSM, OP_THP, OP_MTHP, OP_LRU_GEN,
	OP_DROP_CACHES, OP_COMPACT, OP_HOG, OP_CPU, OP_SUSPEND, OP_HIBERNATE, OP_TOUCH,
	OP_AHEAD,
	OP_NR
};

enum prot { P_NONE, P_R, P_RW, P_NR };
enum fill { FILL_EACH, FILL_SAME, FILL_NR };
enum map_how { MAP_LATER, MAP_NOW, MAP_SHARE, MAP_HOW_NR };
enum move_how { MOVE_ALL, MOVE_KEEP, MOVE_NR };
enum lock_how { LOCK_NOW, LOCK_ON_FAULT, LOCK_PLAIN, LOCK_NR };
enum answer_how { ANSWER_COPY, ANSWER_ZERO, ANSWER_NR };
enum peek_how { PEEK_VM, PEEK_MEM, PEEK_PTRACE, PEEK_NR };
/* In the middle of what a process is killed. */
enum doom {
	DOOM_PAGEOUT, DOOM_WILLNEED, DOOM_COLLAPSE, DOOM_DONTNEED, DOOM_POPULATE, DOOM_READ,
	DOOM_WRITE, DOOM_UNMAP, DOOM_PROTECT, DOOM_LOCK, DOOM_EXEC, DOOM_VFORK, DOOM_UFFD,
	DOOM_NR
};

enum numa_how {
	NUMA_BIND, NUMA_INTERLEAVE, NUMA_PREFERRED, NUMA_LOCAL, NUMA_DEFAULT, NUMA_MOVE,
	NUMA_MIGRATE, NUMA_NR
};

enum touch { TOUCH_OFF, TOUCH_AUTO, TOUCH_ALWAYS, TOUCH_NR };

enum group_file { G_HIGH, G_MAX, G_SWAP_MAX, G_NR };

enum advice {
	ADV_PAGEOUT, ADV_COLD, ADV_WILLNEED, ADV_DONTNEED, ADV_DONTNEED_LOCKED, ADV_FREE,
	ADV_HUGE, ADV_NOHUGE, ADV_COLLAPSE, ADV_MERGEABLE, ADV_UNMERGEABLE,
	ADV_POPULATE_READ, ADV_POPULATE_WRITE, ADV_DONTFORK, ADV_DOFORK, ADV_WIPEONFORK,
	ADV_KEEPONFORK, ADV_RANDOM, ADV_SEQUENTIAL, ADV_NORMAL, ADV_DONTDUMP, ADV_DODUMP,
	ADV_REMOVE, ADV_SOFT_OFFLINE,
	ADV_NR
};

struct step {
	enum op op;
	bool bg;
	int arg[MAX_ARGS];
};

struct program {
	unsigned int nr;
	struct step step[MAX_STEPS];
};

/* What there is on this machine, for the generator and for names. */
struct inventory {
	unsigned int nr_devices;
	const char *device[MAX_DEVICES];	/* their names in programs ... */
	const char *path[MAX_DEVICES];		/* ... and in the machine */
	unsigned int windows;			/* bits of those that are windows */
};

extern struct inventory inventory;

/* Adds one, by its path or NAME=PATH. */
void inventory_add(char *device);

/* What has gone wrong, as text; the last eight of them stay. */
const char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

const char *op_name(enum op op);
/* OP_NR if nothing is called so. */
enum op op_find(const char *name);
/* Its first argument is a process; the second is a page, the third a number of them. */
bool step_of_process(enum op op);
bool step_of_range(enum op op);
/* Is it about the machine, so that the machine must be the fuzzer's? */
bool step_of_machine(enum op op);
/* Where a step has its number of pages, or NULL. */
int *step_count(struct step *s);

void program_generate(struct program *p, uint64_t seed, uint64_t number, bool longer);
void program_print(FILE *f, const struct program *p, const char *before);
void step_print(FILE *f, const struct step *s);
/* False, and a line on stderr, if it is none. */
bool program_read(struct program *p, const char *path);

#endif /* FUZZ_MM_PROGRAM_H */
