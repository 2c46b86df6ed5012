// SPDX-License-Identifier: GPL-2.0
/*
 * A key-value store's memory accesses: values of one size in a table, a hash
 * for the place of each, reads and writes of whole values at random keys, some
 * of which are asked for far more often. Every read checks what it reads.
 */
#include "bench.h"

#include <stdio.h>

#define VALUE_WORDS	32	/* 256 bytes, a common size */
#define BATCH		64	/* operations between two looks at the clock */

static struct {
	uint64_t mib;
	size_t values;
	uint64_t ops;		/* per pass */
	uint64_t passes;
	uint64_t writes;	/* percent */
	uint64_t hot;		/* percent of operations on a tenth of the keys */
	uint64_t shift;		/* another tenth in each pass */
} opt = {
	.mib = 64,
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
	struct bench_pass p;
	uint64_t op;
	int i;

	bench_pass_start(&p);
	for (op = 0; op < opt.ops; op += BATCH) {
		for (i = 0; i < BATCH; i++)
			operate(pass);
		if (bench_late(p.start, bench_opt.pass_limit)) {
			op += BATCH;
			break;
		}
	}
	bench_pass_stop(&p);
	bench_pass_print(&p, "mix", pass, "ops=%.0f rate_mops=%.6f complete=%d", (double)op,
			 (double)op / p.seconds * 1e-6, op >= opt.ops);
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
		if (i % 16 == 15 && bench_late(start, bench_opt.check_limit)) {
			i++;
			break;
		}
	}
	return bench_verdict(i, opt.values, wrong, start);
}

static const struct bench_option options[] = {
	{ 'm', "MiB", "values (64)", &opt.mib, 1UL << 20 },
	{ 'u', "ops", "of a pass (one per value)", &opt.ops, 1ULL << 40 },
	{ 'n', "passes", "(2)", &opt.passes, 1000 },
	{ 'w', "percent", "of the operations that write, 1 to 100 (10)", &opt.writes, 100 },
	{ 'H', "percent", "of the operations on a tenth of the keys, 1 to 100 (50)",
	  &opt.hot, 100 },
	{ 'S', NULL, "another tenth in each pass", &opt.shift },
	{ 0 }
};

int main(int argc, char **argv)
{
	bench_parse(argc, argv, options);
	opt.values = (opt.mib << 20) / sizeof(*table);
	if (!opt.ops)
		opt.ops = opt.values;

	printf("kv bytes=%zu values=%zu passes=%llu ops_per_pass=%llu\n",
	       opt.values * sizeof(*table), opt.values, (unsigned long long)opt.passes,
	       (unsigned long long)opt.ops);
	return bench_run(body);
}
