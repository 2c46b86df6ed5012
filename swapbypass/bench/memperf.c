// SPDX-License-Identifier: GPL-2.0
/*
 * Memory bandwidth over working-set size and stride, in the manner of ECT
 * memperf (the extended copy transfer characterization): for each size, sums
 * and copies whose inner loop goes through memory in steps of a stride, until
 * every word of the working set was used once. The picture shows caches, TLB
 * reach, and where swapping begins.
 */
#include "bench.h"

#include <stdio.h>

#define MAX_STRIDE	512	/* words: a page */

static struct {
	uint64_t mib;
	uint64_t first_kib;
	size_t bytes;		/* the largest working set */
	size_t first;		/* the smallest */
	uint64_t factor;	/* between strides */
	uint64_t passes;
} opt = {
	.mib = 64,
	.first_kib = 64,
	.factor = 8,
	.passes = 2,
};

static uint64_t *words;
static double begin;

/* The sum of all words, in the order of the stride. */
static uint64_t load_sum(size_t n, size_t stride)
{
	uint64_t sum = 0;
	size_t start, i;

	for (start = 0; start < stride; start++)
		for (i = start; i < n; i += stride)
			sum += words[i];
	return sum;
}

/* Adds one to all words. */
static void update(size_t n, size_t stride)
{
	size_t start, i;

	for (start = 0; start < stride; start++)
		for (i = start; i < n; i += stride)
			words[i]++;
}

static uint64_t init_sum(size_t n)
{
	size_t i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++) {
		bench_populate(words, opt.bytes, i * sizeof(*words));
		words[i] = bench_data(i >> 9, i);
		sum += words[i];
	}
	return sum;
}

static void point(const char *kernel, size_t n, size_t stride, unsigned int pass,
		  struct bench_pass *p)
{
	bench_pass_stop(p);
	bench_pass_print(p, kernel, pass, "bytes=%zu stride=%zu rate_mbs=%.3f",
			 n * sizeof(*words), stride,
			 (double)(n * sizeof(*words)) / p->seconds * 1e-6);
}

/*
 * Whether there is time for both kernels at the next stride, which under memory
 * pressure touches as many times more pages as it is wider.
 */
static int time_for(double last)
{
	return bench_opt.run_limit <= 0 ||
	       bench_now() - begin + last * (double)opt.factor <= bench_opt.run_limit;
}

/* All strides of one size. Returns the words that turned out wrong: 0, or 1. */
static int sweep(size_t n)
{
	struct bench_pass p;
	uint64_t want = init_sum(n);
	size_t stride;
	unsigned int pass;
	double last = 0;

	if (bench_opt.page_out)
		bench_page_out(words, n * sizeof(*words));
	for (stride = 1; stride <= MAX_STRIDE && time_for(last); stride *= opt.factor) {
		last = bench_now();
		for (pass = 0; pass < opt.passes; pass++) {
			bench_pass_start(&p);
			if (load_sum(n, stride) != want)
				return 1;
			point("load", n, stride, pass, &p);

			bench_pass_start(&p);
			update(n, stride);
			want += n;
			point("update", n, stride, pass, &p);
		}
		last = bench_now() - last;
	}
	if (bench_opt.corrupt)
		words[17]++;
	return load_sum(n, 1) != want;
}

static int body(void)
{
	size_t bytes;

	begin = bench_now();
	words = bench_alloc(opt.bytes);
	for (bytes = opt.first; bytes <= opt.bytes && time_for(0); bytes *= 2) {
		if (sweep(bytes / sizeof(*words))) {
			printf("verify result=WRONG checked=1 of=1 wrong=1 bytes=%zu\n", bytes);
			return BENCH_WRONG_DATA;
		}
	}
	printf("verify result=ok checked=1 of=1\n");
	return 0;
}

static const struct bench_option options[] = {
	{ 'm', "MiB", "largest working set, a power of two (64)", &opt.mib, 1UL << 20 },
	{ 'f', "KiB", "smallest, a power of two (64)", &opt.first_kib, 1UL << 30 },
	{ 's', "factor", "from stride to stride, 2 to 512 (8)", &opt.factor, MAX_STRIDE },
	{ 'n', "passes", "for each point (2)", &opt.passes, 1000 },
	{ 0 }
};

int main(int argc, char **argv)
{
	bench_parse(argc, argv, options);
	opt.bytes = opt.mib << 20;
	opt.first = opt.first_kib << 10;
	if (opt.factor < 2 || opt.first > opt.bytes || opt.bytes & (opt.bytes - 1) ||
	    opt.first & (opt.first - 1))
		bench_usage();

	printf("memperf bytes=%zu first=%zu factor=%llu passes=%llu\n", opt.bytes,
	       opt.first, (unsigned long long)opt.factor, (unsigned long long)opt.passes);
	return bench_run(body);
}
