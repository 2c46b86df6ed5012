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
#include <stdlib.h>
#include <unistd.h>

#define MIN_BYTES	(64UL << 10)
#define MAX_STRIDE	512	/* words: a page */

static struct {
	size_t bytes;		/* the largest working set */
	size_t first;		/* the smallest */
	unsigned int factor;	/* between strides */
	unsigned int passes;
} opt = {
	.bytes = 64UL << 20,
	.first = MIN_BYTES,
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
		  double seconds, const struct bench_counters *before)
{
	struct bench_counters after;

	bench_read_counters(&after);
	printf("pass kernel=%s bytes=%zu stride=%zu pass=%u seconds=%.6f rate_mbs=%.3f",
	       kernel, n * sizeof(*words), stride, pass + 1, seconds,
	       (double)(n * sizeof(*words)) / seconds * 1e-6);
	bench_print_counters(before, &after);
	printf("\n");
	fflush(stdout);
}

/*
 * Whether there is time for both kernels at the next stride, which under memory
 * pressure touches as many times more pages as it is wider.
 */
static int time_for(double last)
{
	return bench_opt.run_limit <= 0 ||
	       bench_now() - begin + last * opt.factor <= bench_opt.run_limit;
}

/* All strides of one size. Returns the words that turned out wrong: 0, or 1. */
static int sweep(size_t n)
{
	struct bench_counters before;
	uint64_t want = init_sum(n);
	size_t stride;
	unsigned int pass;
	double start, last = 0;

	if (bench_opt.page_out)
		bench_page_out(words, n * sizeof(*words));
	for (stride = 1; stride <= MAX_STRIDE && time_for(last); stride *= opt.factor) {
		last = bench_now();
		for (pass = 0; pass < opt.passes; pass++) {
			bench_read_counters(&before);
			start = bench_now();
			if (load_sum(n, stride) != want)
				return 1;
			point("load", n, stride, pass, bench_now() - start, &before);

			bench_read_counters(&before);
			start = bench_now();
			update(n, stride);
			want += n;
			point("update", n, stride, pass, bench_now() - start, &before);
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

static void usage(void)
{
	fputs("usage: memperf [options]\n"
	      "  -m MiB      largest working set, a power of two (64)\n"
	      "  -f KiB      smallest, a power of two (64)\n"
	      "  -s factor   from stride to stride, 2 to 512 (8)\n"
	      "  -n passes   for each point (2)\n"
	      "  -o          swap out what fits no cache before each size\n"
	      "  -T seconds  measure no stride that could take longer than to this time\n"
	      "  -C file     print how this counter changed in each pass\n"
	      "  -x          also time the exit of the process\n"
	      "  -X          damage one word (test of the check)\n",
	      stderr);
	exit(BENCH_USAGE);
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "m:f:s:n:" BENCH_OPTIONS)) != -1) {
		switch (option) {
		case 'm':
			opt.bytes = bench_number(optarg, 1UL << 20) << 20;
			break;
		case 'f':
			opt.first = bench_number(optarg, 1UL << 30) << 10;
			break;
		case 's':
			opt.factor = (unsigned int)bench_number(optarg, MAX_STRIDE);
			break;
		case 'n':
			opt.passes = (unsigned int)bench_number(optarg, 1000);
			break;
		default:
			if (!bench_take_option(option, optarg))
				usage();
		}
	}
	if (optind != argc || opt.factor < 2 || opt.first > opt.bytes ||
	    opt.bytes & (opt.bytes - 1) || opt.first & (opt.first - 1))
		usage();

	printf("memperf bytes=%zu first=%zu factor=%u passes=%u\n", opt.bytes,
	       opt.first, opt.factor, opt.passes);
	return bench_opt.time_exit ? bench_run_and_time_exit(body) : body();
}
