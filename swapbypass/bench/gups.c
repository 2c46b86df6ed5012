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
#include <stdlib.h>
#include <unistd.h>

/* x^64 is x^2 + x + 1 here. */
#define POLY		7ULL

/*
 * Positions of the sequence that advance side by side; the rules allow up to
 * 1024 updates in flight.
 */
#define STREAMS		128

static struct {
	size_t words;
	uint64_t rounds;		/* per pass; a round is STREAMS updates */
	unsigned int passes;
} opt = {
	.words = (64UL << 20) / 8,
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
	struct bench_counters before, after;
	double start, seconds, updates;
	uint64_t round;

	bench_read_counters(&before);
	start = bench_now();
	for (round = 0; round < opt.rounds; ) {
		run_round();
		round++;
		if (bench_opt.pass_limit > 0 &&
		    bench_now() - start > bench_opt.pass_limit)
			break;
	}
	seconds = bench_now() - start;
	bench_read_counters(&after);

	rounds_done += round;
	updates = (double)round * STREAMS;
	printf("pass kernel=update pass=%u seconds=%.6f updates=%.0f rate_gups=%.9f complete=%d",
	       pass + 1, seconds, updates, updates / seconds * 1e-9,
	       round == opt.rounds);
	bench_print_counters(&before, &after);
	printf("\n");
	fflush(stdout);
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
		if (i % 512 == 511 && bench_opt.check_limit > 0 &&
		    bench_now() - start > bench_opt.check_limit) {
			i++;
			break;
		}
	}
	printf("verify result=%s checked=%zu of=%zu wrong=%zu seconds=%.6f\n",
	       wrong ? "WRONG" : "ok", i, opt.words, wrong,
	       bench_now() - start);
	return wrong ? BENCH_WRONG_DATA : 0;
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

static void usage(void)
{
	fputs("usage: gups [options]\n"
	      "  -m MiB      table, a power of two (64)\n"
	      "  -u updates  of a pass (four per word of the table)\n"
	      "  -n passes   (1)\n"
	      "  -o          swap the table out before the first pass\n"
	      "  -t seconds  limit for a pass; it ends the run\n"
	      "  -T seconds  start no pass after this time\n"
	      "  -V seconds  limit for the check of the data, after the same\n"
	      "              updates have been run again\n"
	      "  -C file     print how this counter changed in each pass\n"
	      "  -x          also time the exit of the process\n"
	      "  -X          damage one word (test of the check)\n",
	      stderr);
	exit(BENCH_USAGE);
}

int main(int argc, char **argv)
{
	uint64_t updates = 0, mib;
	int option;

	while ((option = getopt(argc, argv, "m:u:n:" BENCH_OPTIONS)) != -1) {
		switch (option) {
		case 'm':
			mib = bench_number(optarg, 1UL << 20);
			if (mib & (mib - 1))
				usage();
			opt.words = (mib << 20) / sizeof(*table);
			break;
		case 'u':
			updates = bench_number(optarg, 1ULL << 40);
			break;
		case 'n':
			opt.passes = (unsigned int)bench_number(optarg, 1000);
			break;
		default:
			if (!bench_take_option(option, optarg))
				usage();
		}
	}
	if (optind != argc)
		usage();
	if (!updates)
		updates = 4 * (uint64_t)opt.words;
	opt.rounds = (updates + STREAMS - 1) / STREAMS;

	printf("gups bytes=%zu words=%zu passes=%u updates_per_pass=%llu\n",
	       opt.words * sizeof(*table), opt.words, opt.passes,
	       (unsigned long long)(opt.rounds * STREAMS));
	return bench_opt.time_exit ? bench_run_and_time_exit(body) : body();
}
