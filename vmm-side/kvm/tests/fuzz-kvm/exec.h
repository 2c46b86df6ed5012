/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Executing a program of kvm_fuzz, in a process of its own: whatever is found ends it.
 */
#ifndef EXEC_H
#define EXEC_H

#include <linux/types.h>

#include "program.h"

#define EXIT_FOUND	3	/* status of the process: shared->find says what */

/* How a step can end. */
enum ending {
	END_DONE, END_FAULT, END_EXCEPTION, END_MMIO, END_NO_MEMORY, END_SHUTDOWN, END_ERROR,
	END_SKIPPED, END_NR
};

#define COVER_BITS	16
#define BATCH		64	/* programs of a process */

/**
 * struct shared - what the process that executes tells the one that waits for it
 * @now: the program that is being executed
 * @number: its number
 * @batch: all that the process executes
 * @next: that of the first one after those that were to be executed
 * @said: when it was said how far it has come
 * @beat: changes with each step: it does not hang
 * @at: which step
 * @tried: how often the one of an attempt to find something was begun
 * @steps: executed so far; what was skipped was not
 * @programs: executed to their end
 * @kinds: by kind and ending
 * @asked: questions that guests were asked, and answered with yes
 * @news: pairs of steps, with their endings, and places in KVM, seen for the first time by
 *	a program
 * @cover: all that were seen, a bit for each hash
 * @covered: how many
 * @places: where KVM has been, a bit for each hash
 * @nr_places: how many
 * @find: what is wrong
 */
struct shared {
	struct program now;
	struct program batch[BATCH];
	__u64 number, next;
	double said;
	volatile __u64 beat;
	volatile unsigned int at;
	unsigned int tried;
	__u64 steps;
	__u64 programs;
	__u64 kinds[K_NR][END_NR];
	__u64 asked, granted;
	unsigned int news;
	__u8 cover[(1 << COVER_BITS) / 8];
	unsigned int covered;
	__u8 places[(1 << COVER_BITS) / 8];
	unsigned int nr_places;
	char find[1024];
};

/* What is broken on purpose, to see whether that is noticed. */
enum broken {
	BROKEN_NOTHING, BROKEN_LOG, BROKEN_FORK, BROKEN_MEMORY, BROKEN_KERNEL
};

extern struct shared *shared;
extern enum broken broken;
extern int broken_pipe[2];	/* for BROKEN_MEMORY: what is in it, nobody reads */
/* VMs may change their paging mode while they run; they begin with shadow paging. */
extern bool vms_switch;

__attribute__((noreturn, format(printf, 1, 2)))
void found(const char *fmt, ...);

/* How much of what was seen there is. */
void count_cover(void);
void exec_init(void);
void exec_program(const struct program *p);

#endif /* EXEC_H */
