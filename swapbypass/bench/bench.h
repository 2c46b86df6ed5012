/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmark programs of the swap-pressure experiment share: clocks,
 * time limits, swap counters, and the timing of a process's exit.
 *
 * All results go to stdout, one line each: a word that names the kind of line,
 * then key=value pairs. Swapping makes a program slow, so nothing here touches
 * memory in proportion to the working set.
 */
#ifndef SWAPBYPASS_BENCH_H
#define SWAPBYPASS_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Statuses of the programs; 0 is success. */
#define BENCH_WRONG_DATA	1
#define BENCH_USAGE		2
#define BENCH_SYSTEM		3

#define BENCH_MAX_FILES		8

/**
 * struct bench_counters - the event counts of one moment
 * @pswpin: pages read from swap
 * @pswpout: pages written to swap
 * @pgmajfault: faults that needed a read
 * @file: values of the files that -C named
 */
struct bench_counters {
	uint64_t pswpin;
	uint64_t pswpout;
	uint64_t pgmajfault;
	uint64_t file[BENCH_MAX_FILES];
};

/**
 * struct bench_settings - the options that the benchmarks have in common
 * @page_out: -o, swap the data out before the first pass
 * @corrupt: -X, damage the data before the check
 * @time_exit: -x, time the exit of the process
 * @pass_limit: -t, seconds for one pass; 0 = none, here and below
 * @run_limit: -T, start no pass after this time
 * @check_limit: -V, seconds for the check of the data
 */
struct bench_settings {
	uint64_t page_out;
	uint64_t corrupt;
	uint64_t time_exit;
	double pass_limit;
	double run_limit;
	double check_limit;
};

extern struct bench_settings bench_opt;

/**
 * struct bench_option - one row of a table of options, which an empty row ends
 * @letter: what follows the dash
 * @argument: what it takes, as the usage says it; NULL for a flag
 * @help: what it does
 * @number: gets a number from 1 to @limit, or 1 from a flag
 * @limit: keeps later products inside 64 bits
 * @seconds: or gets a time above 0
 * @take: or this is called with the argument
 */
struct bench_option {
	char letter;
	const char *argument;
	const char *help;
	uint64_t *number;
	uint64_t limit;
	double *seconds;
	void (*take)(char *argument);
};

/* Takes the options of @own and those of all benchmarks; ends a wrong call. */
void bench_parse(int argc, char **argv, const struct bench_option *own);

/* Says how the program is called, and ends it. */
__attribute__((noreturn)) void bench_usage(void);

/* Seconds on a clock that never goes back. */
double bench_now(void);

/* Prints a message with the reason from errno and ends the program. */
void bench_die(const char *what) __attribute__((noreturn));

/* Parses a whole positive number up to @limit or ends the program. */
uint64_t bench_number(const char *text, uint64_t limit);

/* Anonymous memory without huge pages, not touched yet. */
void *bench_alloc(size_t bytes);

/*
 * Fills fresh memory of bench_alloc(@bytes) with pages, BENCH_STEP bytes at a
 * time and just before their contents are written: one call instead of a fault
 * for each page saves most of the time before the first pass, as a fault is an
 * exit or two. To be called before each element is written; @at is its offset.
 * A kernel without the advice faults.
 */
#define BENCH_STEP		(1UL << 20)
static inline void bench_populate(void *array, size_t bytes, size_t at)
{
	if (at % BENCH_STEP == 0)
		madvise((char *)array + at,
			bytes - at < BENCH_STEP ? bytes - at : BENCH_STEP,
			MADV_POPULATE_WRITE);
}

/*
 * Raises the sticky "inexact" flag of the processor. Software emulators (QEMU)
 * use the real processor's arithmetic only when it is set; without this, arrays
 * whose sums are all exact would be measured at a fraction of the speed.
 */
void bench_set_inexact(void);

/* Asks the kernel to swap the range out; returns the pages still resident. */
size_t bench_page_out(void *start, size_t bytes);

/* So with -o, and says how long it took; what was printed so far goes out. */
void bench_begin(void *start, size_t bytes);

/* Up to @passes calls of @pass, until one returns 0 or the time of -T is up. */
void bench_run_passes(unsigned int passes, int (*pass)(unsigned int number));

/**
 * struct bench_pass - the clock and the swap counters of one pass
 * @start: when it started
 * @seconds: how long it took
 * @before: the counters then
 * @after: ... and at its end
 */
struct bench_pass {
	double start;
	double seconds;
	struct bench_counters before;
	struct bench_counters after;
};

void bench_pass_start(struct bench_pass *pass);
void bench_pass_stop(struct bench_pass *pass);

/* Is a limit, if there is one, over? */
static inline int bench_late(double start, double limit)
{
	return limit > 0 && bench_now() - start > limit;
}

/**
 * bench_pass_print() - print a line for what was done
 * @pass: how long it took, and what that changed in the counters
 * @kernel: the name of the work
 * @number: of the pass, from 0
 * @fmt: more about it
 */
void bench_pass_print(const struct bench_pass *pass, const char *kernel,
		      unsigned int number, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The line of the check that began at @start; returns the program's status. */
int bench_verdict(size_t checked, size_t of, uint64_t wrong, double start);

/* One step of splitmix64, to make contents from a position. */
static inline uint64_t bench_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/*
 * Contents for a word of data that compresses as program data does, about 4:1:
 * @block tells blocks of any size apart, and the words of a block repeat after 64.
 */
static inline uint64_t bench_data(uint64_t block, uint64_t word)
{
	return bench_mix(block << 6 | (word & 63));
}

/*
 * Runs @body. With -x in a child, and prints how long the kernel needed from the
 * child's exit call until the parent got its status: with the working set still
 * mapped, that is the cost of tearing it down. Returns the status.
 */
int bench_run(int (*body)(void));

#endif /* SWAPBYPASS_BENCH_H */
