// SPDX-License-Identifier: GPL-2.0
/*
 * GUPS (giga-updates per second), written from the published rules of the HPC
 * Challenge RandomAccess benchmark: a table of 2^n 64-bit words is updated
 * with exclusive or at places that a linear feedback shift register over
 * x^64 + x^2 + x + 1 chooses. Running the same updates again must restore the
 * table; the rules allow 1% wrong words, this single thread must have none.
 *
 * The rules ask for four updates per word. Under swapping that takes hours, so
 * the number and the time can be limited; what was done is always printed. The
 * passes of one run go on along the same sequence.
 */
#include "bench.h"

#include <stdio.h>

/* x^64 is x^2 + x + 1 here. */
#define POLY		7ULL

/*
 * Positions of the sequence that advance side by side; the rules allow up to
 * 1024 updates in flight.
 */
#define STREAMS		128

static struct {
	uint64_t mib;
	size_t words;
	uint64_t updates;		/* per pass */
	uint64_t rounds;		/* of STREAMS updates */
	uint64_t passes;
} opt = {
	.mib = 64,
	.passes = 1,
};

static uint64_t *table;
static uint64_t ran[STREAMS];
static uint64_t rounds_done;

/* The word is a polynomial over GF(2), bit i stands for x^i. */
static inline uint64_t times_x(uint64_t p)
{
	return (p << 1) ^ ((int64_t)p < 0 ? POLY : 0);
}

static uint64_t multiply(uint64_t p, uint64_t q)
{
	uint64_t product = 0;

	for (; q; q >>= 1) {
		if (q & 1)
			product ^= p;
		p = times_x(p);
	}
	return product;
}

/* Word number @n of the sequence, which starts with 1: x to the power n. */
static uint64_t sequence_at(uint64_t n)
{
	uint64_t result = 1, power = 2;

	for (; n; n >>= 1) {
		if (n & 1)
			result = multiply(result, power);
		power = multiply(power, power);
	}
	return result;
}

static void rewind_streams(void)
{
	uint64_t i, length = opt.rounds * opt.passes;

	for (i = 0; i < STREAMS; i++)
		ran[i] = sequence_at(i * length);
}

static inline void run_round(void)
{
	const uint64_t mask = opt.words - 1;
	unsigned int i;

	for (i = 0; i < STREAMS; i++) {
		ran[i] = times_x(ran[i]);
		table[ran[i] & mask] ^= ran[i];
	}
}

/* Returns 0 if the time ran out. */
static int run_pass(unsigned int pass)
{
	struct bench_pass p;
	double updates;
	uint64_t round;

	bench_pass_start(&p);
	for (round = 0; round < opt.rounds; ) {
		run_round();
		round++;
		if (bench_late(p.start, bench_opt.pass_limit))
			break;
	}
	bench_pass_stop(&p);

	rounds_done += round;
	updates = (double)round * STREAMS;
	bench_pass_print(&p, "update", pass, "updates=%.0f rate_gups=%.9f complete=%d",
			 updates, updates / p.seconds * 1e-9, round == opt.rounds);
	return round == opt.rounds;
}

static int check(void)
{
	double start;
	uint64_t round;
	size_t i, wrong = 0;

	rewind_streams();
	for (round = 0; round < rounds_done; round++)
		run_round();

	start = bench_now();
	for (i = 0; i < opt.words; i++) {
		wrong += table[i] != i;
		if (i % 512 == 511 && bench_late(start, bench_opt.check_limit)) {
			i++;
			break;
		}
	}
	return bench_verdict(i, opt.words, wrong, start);
}

static int body(void)
{
	size_t bytes = opt.words * sizeof(*table), i;
	double start = bench_now();

	table = bench_alloc(bytes);
	for (i = 0; i < opt.words; i++) {
		bench_populate(table, bytes, i * sizeof(*table));
		table[i] = i;
	}
	printf("init seconds=%.6f\n", bench_now() - start);

	bench_begin(table, bytes);
	rewind_streams();
	bench_run_passes(opt.passes, run_pass);

	if (bench_opt.corrupt)
		table[17] ^= 1ULL << 40;
	return check();
}

static const struct bench_option options[] = {
	{ 'm', "MiB", "table, a power of two (64)", &opt.mib, 1UL << 20 },
	{ 'u', "updates", "of a pass (four per word of the table)", &opt.updates, 1ULL << 40 },
	{ 'n', "passes", "(1)", &opt.passes, 1000 },
	{ 0 }
};

int main(int argc, char **argv)
{
	bench_parse(argc, argv, options);
	if (opt.mib & (opt.mib - 1))
		bench_usage();
	opt.words = (opt.mib << 20) / sizeof(*table);
	if (!opt.updates)
		opt.updates = 4 * (uint64_t)opt.words;
	opt.rounds = (opt.updates + STREAMS - 1) / STREAMS;

	printf("gups bytes=%zu words=%zu passes=%llu updates_per_pass=%llu\n",
	       opt.words * sizeof(*table), opt.words, (unsigned long long)opt.passes,
	       (unsigned long long)(opt.rounds * STREAMS));
	return bench_run(body);
}
