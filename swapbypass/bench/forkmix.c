// SPDX-License-Identifier: GPL-2.0
/*
 * What a build of a large program asks of memory: a parent with much state, in
 * which little is used at a time, forks; the child looks at some of that state,
 * changes some for itself, and then is another program, which fills memory of
 * its own and ends. A few of them run side by side.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_WORDS	512
#define PAGE_BYTES	(PAGE_WORDS * sizeof(uint64_t))
#define LOOKED_AT	32	/* pages that a child reads before exec */
#define CHANGED		8	/* of these, pages that it writes to */
#define MAX_JOBS	64

static struct {
	uint64_t mib;
	size_t pages;		/* of the parent's state */
	uint64_t units;		/* per pass */
	uint64_t passes;
	uint64_t jobs;
	uint64_t own;		/* MiB of each unit's program */
} opt = {
	.mib = 64,
	.units = 50,
	.passes = 2,
	.jobs = 2,
	.own = 2,
};

static uint64_t (*state)[PAGE_WORDS];
static uint64_t units_started;

/* Word 0 of a page counts the units that have written to it. */
static int page_ok(size_t page, uint64_t count)
{
	size_t i;

	if (state[page][0] != count)
		return 0;
	for (i = 1; i < PAGE_WORDS; i++)
		if (state[page][i] != bench_data(page, i))
			return 0;
	return 1;
}

/* The page that unit @unit uses as its number @i. */
static size_t page_of(uint64_t unit, unsigned int i)
{
	return bench_mix(unit * LOOKED_AT + i) % opt.pages;
}

/* The other program: fills its memory, and looks whether that stays right. */
static int run_own(uint64_t seed, size_t mib)
{
	size_t words = (mib << 20) / 8, i;
	uint64_t *own = bench_alloc(words * 8);

	for (i = 0; i < words; i++)
		own[i] = bench_data(seed, i);
	for (i = 0; i < words; i++)
		if (own[i] != bench_data(seed, i))
			return BENCH_WRONG_DATA;
	return 0;
}

/* A child of the parent: ends as another program. */
static void unit(uint64_t number)
{
	char seed[24], mib[24];
	unsigned int i;
	size_t page;

	for (i = 0; i < LOOKED_AT; i++) {
		page = page_of(number, i);
		if (!page_ok(page, state[page][0]))
			_exit(BENCH_WRONG_DATA);
		if (i < CHANGED)
			state[page][0] = ~number;
	}
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)number);
	snprintf(mib, sizeof(mib), "%llu", (unsigned long long)opt.own);
	execl("/proc/self/exe", "forkmix", "--unit", seed, mib, (char *)NULL);
	_exit(BENCH_SYSTEM);
}

static void start_unit(void)
{
	uint64_t number = units_started++;
	pid_t child = fork();

	if (child < 0)
		bench_die("fork");
	if (!child)
		unit(number);
	/* The parent's state changes too, beside the children. */
	state[page_of(number, 0)][0]++;
}

static void wait_unit(void)
{
	int status;

	while (wait(&status) < 0)
		if (errno != EINTR)
			bench_die("wait");
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "a unit died of signal %d\n", WTERMSIG(status));
		exit(BENCH_SYSTEM);
	}
	if (WEXITSTATUS(status) == BENCH_WRONG_DATA) {
		printf("verify result=WRONG checked=0 of=%zu wrong=1 in=unit\n", opt.pages);
		exit(BENCH_WRONG_DATA);
	}
	if (WEXITSTATUS(status)) {
		fprintf(stderr, "a unit ended with status %d\n", WEXITSTATUS(status));
		exit(BENCH_SYSTEM);
	}
}

/* Returns 0 if the time ran out. */
static int run_pass(unsigned int pass)
{
	uint64_t begun, running = 0;
	struct bench_pass p;

	bench_pass_start(&p);
	for (begun = 0; begun < opt.units; begun++) {
		if (bench_late(p.start, bench_opt.pass_limit))
			break;
		if (running == opt.jobs) {
			wait_unit();
			running--;
		}
		start_unit();
		running++;
	}
	for (; running; running--)
		wait_unit();
	bench_pass_stop(&p);
	bench_pass_print(&p, "unit", pass, "ops=%llu rate_per_s=%.6f complete=%d",
			 (unsigned long long)begun, (double)begun / p.seconds,
			 begun == opt.units);
	return begun == opt.units;
}

static int check(void)
{
	uint64_t *count = calloc(opt.pages, sizeof(*count)), i;
	double start = bench_now();
	size_t page, wrong = 0;

	if (!count)
		bench_die("calloc");
	for (i = 0; i < units_started; i++)
		count[page_of(i, 0)]++;
	for (page = 0; page < opt.pages; page++) {
		wrong += !page_ok(page, count[page]);
		if (bench_late(start, bench_opt.check_limit)) {
			page++;
			break;
		}
	}
	free(count);
	return bench_verdict(page, opt.pages, wrong, start);
}

static int body(void)
{
	size_t bytes = opt.pages * PAGE_BYTES, page, i;
	double start = bench_now();

	state = bench_alloc(bytes);
	for (page = 0; page < opt.pages; page++) {
		bench_populate(state, bytes, page * PAGE_BYTES);
		state[page][0] = 0;
		for (i = 1; i < PAGE_WORDS; i++)
			state[page][i] = bench_data(page, i);
	}
	printf("init seconds=%.6f\n", bench_now() - start);
	bench_begin(state, bytes);
	bench_run_passes(opt.passes, run_pass);
	if (bench_opt.corrupt)
		state[0][17] ^= 1ULL << 40;
	return check();
}

static const struct bench_option options[] = {
	{ 'm', "MiB", "state of the parent (64)", &opt.mib, 1UL << 20 },
	{ 'u', "units", "of a pass (50)", &opt.units, 1ULL << 40 },
	{ 'n', "passes", "(2)", &opt.passes, 1000 },
	{ 'j', "jobs", "units side by side, up to 64 (2)", &opt.jobs, MAX_JOBS },
	{ 'p', "MiB", "memory of each unit's own program (2)", &opt.own, 1UL << 20 },
	{ 0 }
};

int main(int argc, char **argv)
{
	if (argc == 4 && argv[1][0] == '-' && argv[1][1] == '-')
		return run_own(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));

	bench_parse(argc, argv, options);
	opt.pages = (opt.mib << 20) / PAGE_BYTES;

	printf("forkmix bytes=%zu passes=%llu ops_per_pass=%llu\n", opt.pages * PAGE_BYTES,
	       (unsigned long long)opt.passes, (unsigned long long)opt.units);
	/* Children inherit what is in the buffer. */
	fflush(stdout);
	return bench_run(body);
}
