// SPDX-License-Identifier: GPL-2.0
/*
 * Something that a user waits for: wakes up ten times a second, looks at a little memory
 * and writes to it. How late that is at worst is how long the machine has stood still for
 * a program that wants next to nothing. At SIGTERM it says so.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define PAGE_WORDS	512

static struct {
	uint64_t kib;
	uint64_t ms;
} opt = {
	.kib = 1024,
	.ms = 100,
};

static volatile sig_atomic_t over;

static void end(int signal)
{
	(void)signal;
	over = 1;
}

/* Until the time @due, or the end. */
static void sleep_until(double due)
{
	struct timespec ts = { .tv_sec = due };

	ts.tv_nsec = (due - (double)ts.tv_sec) * 1e9;
	while (!over && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Returns how many words are not what the last beat has left. */
static uint64_t beat(uint64_t *memory, size_t words, uint64_t number)
{
	uint64_t wrong = 0;
	size_t i;

	for (i = 0; i < words; i += PAGE_WORDS) {
		wrong += memory[i] != number;
		memory[i] = number + 1;
	}
	return wrong;
}

int main(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ 'm', "KiB", "memory (1024)", &opt.kib, 1UL << 20 },
		{ 'p', "ms", "between beats (100)", &opt.ms, 60000 },
		{ 0 }
	};
	struct sigaction act = { .sa_handler = end };
	uint64_t beats = 0, wrong = 0, *memory;
	double due, late, longest = 0;
	size_t words;

	bench_parse(argc, argv, options);
	if (sigaction(SIGTERM, &act, NULL))
		bench_die("sigaction");
	words = opt.kib * 1024 / sizeof(*memory);
	memory = bench_alloc(words * sizeof(*memory));
	for (due = bench_now(); !over; due += opt.ms / 1000.0) {
		sleep_until(due);
		/* Also where memory has to come back first. */
		wrong += beat(memory, words, beats);
		beats++;
		late = bench_now() - due;
		if (late > longest)
			longest = late;
		/* What it is late for is one stall, and not many. */
		if (late > opt.ms / 1000.0)
			due += late;
	}
	if (bench_opt.corrupt)
		memory[0] ^= 1ULL << 40;
	wrong += beat(memory, words, beats);
	printf("pulse beats=%llu longest_s=%.3f\n", (unsigned long long)beats, longest);
	return bench_verdict(beats, beats, wrong, due);
}
