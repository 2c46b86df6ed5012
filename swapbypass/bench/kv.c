// SPDX-License-Identifier: GPL-2.0
/*
 * A key-value store's memory accesses: values of one size in a table, a hash
 * for the place of each, reads and writes of whole values at random keys, some
 * of which are asked for far more often. Every read checks what it reads.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_WORDS	32	/* 256 bytes, a common size */
#define BATCH		64	/* operations between two looks at the clock */

static struct {
	size_t values;
	uint64_t ops;		/* per pass */
	unsigned int passes;
	unsigned int writes;	/* percent */
	unsigned int hot;	/* percent of operations on a tenth of the keys */
	int shift;		/* another tenth in each pass */
} opt = {
	.values = (64UL << 20) / (VALUE_WORDS * 8),
	.passes = 2,
	.writes = 10,
	.hot = 50,
};

/* The first word of a value is its version; the others follow from both. */
static uint64_t (*table)[VALUE_WORDS];
static uint32_t *versions;
static uint64_t state;
static uint64_t wrong;

/* Neighbouring keys share a page, as an allocator does it; pages are not in order. */
static inline size_t place(size_t key)
{
	const size_t together = 4096 / sizeof(*table);
	size_t pages = opt.values / together, page = key / together;

	return bench_mix(page) % pages * together + key % together;
}

/* A quarter of the value, four times: it compresses, as most values do. */
static inline uint64_t value_word(size_t at, uint32_t version, unsigned int i)
{
	return (at << 20 ^ version) * 0x9e3779b97f4a7c15ULL ^
	       (i % (VALUE_WORDS / 4) * 0xd1b54a32d192ed03ULL);
}

static void write_value(size_t at, uint32_t version)
{
	unsigned int i;

	table[at][0] = version;
	for (i = 1; i < VALUE_WORDS; i++)
		table[at][i] = value_word(at, version, i);
}

static int check_value(size_t at, uint32_t version)
{
	uint64_t bad = table[at][0] ^ version;
	unsigned int i;

	for (i = 1; i < VALUE_WORDS; i++)
		bad |= table[at][i] ^ value_word(at, version, i);
	return bad != 0;
}

static void operate(unsigned int pass)
{
	uint64_t r = bench_mix(state++);
	size_t tenth = opt.values / 10, key, at;

	if (r % 100 < opt.hot)
		key = (r >> 32) % tenth + (opt.shift ? pass % 10 * tenth : 0);
	else
		key = (r >> 32) % opt.values;
	at = place(key);

	if ((r >> 8) % 100 < opt.writes)
		write_value(at, ++versions[at]);
	else
		wrong += check_value(at, versions[at]);
}

/* Returns 0 if the time ran out. */
static int run_pass(unsigned int pass)
{
	struct bench_counters before, after;
	double start, seconds;
	uint64_t op;
	int i;

	bench_read_counters(&before);
	start = bench_now();
	for (op = 0; op < opt.ops; op += BATCH) {
		for (i = 0; i < BATCH; i++)
			operate(pass);
		if (bench_opt.pass_limit > 0 &&
		    bench_now() - start > bench_opt.pass_limit) {
			op += BATCH;
			break;
		}
	}
	seconds = bench_now() - start;
	bench_read_counters(&after);
	printf("pass kernel=mix pass=%u seconds=%.6f ops=%.0f rate_mops=%.6f complete=%d",
	       pass + 1, seconds, (double)op, (double)op / seconds * 1e-6, op >= opt.ops);
	bench_print_counters(&before, &after);
	printf("\n");
	fflush(stdout);
	return op >= opt.ops;
}

static int body(void)
{
	size_t bytes = opt.values * sizeof(*table), i;
	double start = bench_now();

	table = bench_alloc(bytes);
	versions = bench_alloc(opt.values * sizeof(*versions));
	for (i = 0; i < opt.values; i++) {
		bench_populate(table, bytes, i * sizeof(*table));
		write_value(i, 0);
	}
	printf("init seconds=%.6f\n", bench_now() - start);
	bench_begin(table, bytes);
	bench_run_passes(opt.passes, run_pass);

	if (bench_opt.corrupt)
		table[17][17] ^= 1ULL << 40;
	start = bench_now();
	for (i = 0; i < opt.values; i++) {
		wrong += check_value(i, versions[i]);
		if (i % 16 == 15 && bench_opt.check_limit > 0 &&
		    bench_now() - start > bench_opt.check_limit) {
			i++;
			break;
		}
	}
	printf("verify result=%s checked=%zu of=%zu wrong=%llu seconds=%.6f\n",
	       wrong ? "WRONG" : "ok", i, opt.values, (unsigned long long)wrong,
	       bench_now() - start);
	return wrong ? BENCH_WRONG_DATA : 0;
}

static void usage(void)
{
	fputs("usage: kv [options]\n"
	      "  -m MiB      values (64)\n"
	      "  -u ops      of a pass (one per value)\n"
	      "  -n passes   (2)\n"
	      "  -w percent  of the operations that write, 1 to 100 (10)\n"
	      "  -H percent  of the operations on a tenth of the keys, 1 to 100 (50)\n"
	      "  -S          another tenth in each pass\n"
	      "  -o          swap the values out before the first pass\n"
	      "  -t seconds  limit for a pass; it ends the run\n"
	      "  -T seconds  start no pass after this time\n"
	      "  -V seconds  limit for the check of the data\n"
	      "  -C file     print how this counter changed in each pass\n"
	      "  -x          also time the exit of the process\n"
	      "  -X          damage one value (test of the check)\n",
	      stderr);
	exit(BENCH_USAGE);
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "m:u:n:w:H:S" BENCH_OPTIONS)) != -1) {
		switch (option) {
		case 'm':
			opt.values = (bench_number(optarg, 1UL << 20) << 20) / sizeof(*table);
			break;
		case 'u':
			opt.ops = bench_number(optarg, 1ULL << 40);
			break;
		case 'n':
			opt.passes = (unsigned int)bench_number(optarg, 1000);
			break;
		case 'w':
			opt.writes = (unsigned int)bench_number(optarg, 100);
			break;
		case 'H':
			opt.hot = (unsigned int)bench_number(optarg, 100);
			break;
		case 'S':
			opt.shift = 1;
			break;
		default:
			if (!bench_take_option(option, optarg))
				usage();
		}
	}
	if (optind != argc)
		usage();
	if (!opt.ops)
		opt.ops = opt.values;

	printf("kv bytes=%zu values=%zu passes=%u ops_per_pass=%llu\n",
	       opt.values * sizeof(*table), opt.values, opt.passes,
	       (unsigned long long)opt.ops);
	return bench_opt.time_exit ? bench_run_and_time_exit(body) : body();
}
