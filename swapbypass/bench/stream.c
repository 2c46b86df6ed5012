// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM memory bandwidth, written from its published rules: copy, scale, add
 * and triad over three arrays of doubles, each pass timed on its own, and the
 * result checked against the same arithmetic on one element.
 *
 * Beyond the rules, for the swap-pressure experiment:
 * - contents that do not compress, or well (zram stores a constant page for
 *   free, and cannot hold random ones at all);
 * - arrays swapped out before the first timed pass;
 * - a limit on the time, because a pass over a slow swap disk takes minutes.
 *   A pass that was cut short says so and counts the bytes that it did move.
 * - every single element is checked, which is stricter than the average that
 *   the rules ask for.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCALAR		3.0
#define EPSILON		1e-13

/* Elements between two looks at the clock: 32 KiB of each array. */
#define CHUNK		4096

/* 15^n must stay inside a double. */
#define MAX_PASSES	250

/*
 * Bytes between two arrays, as the rules' OFFSET: arrays at a distance of a power
 * of two would compete for the same places in caches and TLBs. An odd number of
 * pages, so that no two of the three do.
 */
#define OFFSET		(17 * 4096)

/* Elements in a row that are equal in compressible arrays. */
#define RUN		16

enum contents { CONSTANT, COMPRESSIBLE, RANDOM, NR_CONTENTS };

static const char * const contents_name[NR_CONTENTS] = {
	"constant", "compressible", "random",
};

enum kernel { COPY, SCALE, ADD, TRIAD, NR_KERNELS };

static const char * const kernel_name[NR_KERNELS] = {
	"copy", "scale", "add", "triad",
};

/* Arrays that one element of the kernel reads and writes. */
static const unsigned int kernel_words[NR_KERNELS] = { 2, 2, 3, 3 };

struct element {
	double a, b, c;
};

static struct {
	uint64_t mib;
	size_t elements;
	uint64_t passes;
	unsigned int kernels;		/* bit per enum kernel */
	enum contents contents;
	uint64_t seed;
} opt = {
	.mib = 64,
	.passes = 10,
	.kernels = (1U << NR_KERNELS) - 1,
	.seed = 1,
};

static double *a, *b, *c;

/*
 * How far the work got: all kernels before (pass, kernel) are complete, and
 * that one has done the first "part" elements (0 unless the time ran out). A
 * kernel that is not part of the run stands for none.
 */
static struct {
	unsigned int pass;
	unsigned int kernel;
	size_t part;
} done;

static struct element start_value(size_t i)
{
	struct element e = { .a = 1.0, .b = 2.0, .c = 0.0 };

	if (opt.contents != CONSTANT) {
		/*
		 * 1 <= value < 2 with 52 random bits: sums and products keep
		 * the random mantissas and no pass overflows earlier than
		 * with the constant arrays.
		 */
		uint64_t r;

		if (opt.contents == COMPRESSIBLE)
			i /= RUN;
		r = bench_mix(opt.seed ^ (i * 3));
		e.a = 1.0 + (double)(r >> 12) * 0x1p-52;
		r = bench_mix(r);
		e.b = 1.0 + (double)(r >> 12) * 0x1p-52;
		r = bench_mix(r);
		e.c = 1.0 + (double)(r >> 12) * 0x1p-52;
	}
	/* The published benchmark also doubles a, while it times its clock. */
	e.a = 2.0 * e.a;
	/* There, copy has written c before scale and triad read it. */
	if (!(opt.kernels & (1U << COPY | 1U << ADD)))
		e.c = e.a;
	return e;
}

static void step(struct element *e, enum kernel kernel)
{
	switch (kernel) {
	case COPY:
		e->c = e->a;
		break;
	case SCALE:
		e->b = SCALAR * e->c;
		break;
	case ADD:
		e->c = e->a + e->b;
		break;
	case TRIAD:
		e->a = e->b + SCALAR * e->c;
		break;
	default:
		break;
	}
}

static void run_chunk(enum kernel kernel, size_t from, size_t to)
{
	size_t i;

	switch (kernel) {
	case COPY:
		for (i = from; i < to; i++)
			c[i] = a[i];
		break;
	case SCALE:
		for (i = from; i < to; i++)
			b[i] = SCALAR * c[i];
		break;
	case ADD:
		for (i = from; i < to; i++)
			c[i] = a[i] + b[i];
		break;
	case TRIAD:
		for (i = from; i < to; i++)
			a[i] = b[i] + SCALAR * c[i];
		break;
	default:
		break;
	}
}

/* Returns 0 if the time ran out before the end. */
static int run_kernel(enum kernel kernel, unsigned int pass)
{
	struct bench_pass p;
	double bytes;
	size_t at, to;

	bench_pass_start(&p);
	for (at = 0; at < opt.elements; at = to) {
		to = opt.elements - at < CHUNK ? opt.elements : at + CHUNK;
		run_chunk(kernel, at, to);
		if (bench_late(p.start, bench_opt.pass_limit)) {
			at = to;
			break;
		}
	}
	bench_pass_stop(&p);

	bytes = (double)at * kernel_words[kernel] * sizeof(double);
	bench_pass_print(&p, kernel_name[kernel], pass, "bytes=%.0f rate_mbs=%.3f complete=%d",
			 bytes, bytes / p.seconds / 1e6, at == opt.elements);

	if (at < opt.elements) {
		done.pass = pass;
		done.kernel = kernel;
		done.part = at;
		return 0;
	}
	return 1;
}

static void run_passes(void)
{
	double start = bench_now();
	unsigned int pass, kernel;

	for (pass = 0; pass < opt.passes; pass++) {
		done.pass = pass;
		if (bench_late(start, bench_opt.run_limit))
			return;
		for (kernel = 0; kernel < NR_KERNELS; kernel++) {
			if ((opt.kernels & (1U << kernel)) &&
			    !run_kernel(kernel, pass))
				return;
		}
	}
	done.pass = (unsigned int)opt.passes;
}

/*
 * The arithmetic of all passes on one element, as far as the work got. One
 * kernel alone gives the same result again and again, because none of the four
 * reads what it writes: its first pass says it all.
 */
static struct element expected(size_t i)
{
	const int one_kernel = !(opt.kernels & (opt.kernels - 1));
	struct element e = start_value(i);
	unsigned int pass, kernel;

	if (one_kernel && done.pass > 0) {
		step(&e, __builtin_ctz(opt.kernels));
		return e;
	}
	for (pass = 0; pass < opt.passes; pass++) {
		for (kernel = 0; kernel < NR_KERNELS; kernel++) {
			if (pass == done.pass && kernel == done.kernel) {
				if (i < done.part)
					step(&e, kernel);
				return e;
			}
			if (opt.kernels & (1U << kernel))
				step(&e, kernel);
		}
	}
	return e;
}

static int check(void)
{
	double start = bench_now();
	struct element sum_error = { 0 }, sum = { 0 }, e = { 0 };
	size_t i, wrong = 0, first_wrong = 0;
	int average_ok;

	for (i = 0; i < opt.elements; i++) {
		double da, db, dc;

		/* Constant arrays have at most two different histories. */
		if (opt.contents != CONSTANT || i == 0 || i == done.part)
			e = expected(i);
		da = fabs(a[i] - e.a);
		db = fabs(b[i] - e.b);
		dc = fabs(c[i] - e.c);
		/* Written so that a NaN counts as wrong. */
		if (!(da <= EPSILON * fabs(e.a) && db <= EPSILON * fabs(e.b) &&
		      dc <= EPSILON * fabs(e.c))) {
			if (!wrong++)
				first_wrong = i;
		}
		sum_error.a += da;
		sum_error.b += db;
		sum_error.c += dc;
		sum.a += fabs(e.a);
		sum.b += fabs(e.b);
		sum.c += fabs(e.c);

		if (i % CHUNK == CHUNK - 1 && bench_late(start, bench_opt.check_limit)) {
			i++;
			break;
		}
	}

	average_ok = sum_error.a <= EPSILON * sum.a &&
		     sum_error.b <= EPSILON * sum.b &&
		     sum_error.c <= EPSILON * sum.c;
	if (wrong)
		fprintf(stderr, "element %zu: a=%.17g b=%.17g c=%.17g\n",
			first_wrong, a[first_wrong], b[first_wrong],
			c[first_wrong]);
	return bench_verdict(i, opt.elements, wrong ? wrong : !average_ok, start);
}

static int body(void)
{
	size_t bytes = opt.elements * sizeof(double), i;
	double start = bench_now();

	bench_set_inexact();
	/* Rounded up so that the advice covers whole pages. */
	bytes = (bytes + 4095) & ~(size_t)4095;
	a = bench_alloc(3 * bytes + 2 * OFFSET);
	b = a + (bytes + OFFSET) / sizeof(double);
	c = b + (bytes + OFFSET) / sizeof(double);

	for (i = 0; i < opt.elements; i++) {
		struct element e = start_value(i);

		bench_populate(a, bytes, i * sizeof(double));
		bench_populate(b, bytes, i * sizeof(double));
		bench_populate(c, bytes, i * sizeof(double));
		a[i] = e.a;
		b[i] = e.b;
		c[i] = e.c;
	}
	printf("init seconds=%.6f\n", bench_now() - start);

	if (bench_opt.page_out) {
		size_t left;

		start = bench_now();
		left = bench_page_out(a, bytes) + bench_page_out(b, bytes) +
		       bench_page_out(c, bytes);
		printf("pageout seconds=%.6f resident_pages=%zu of=%zu\n",
		       bench_now() - start, left, bytes / 4096 * 3);
	}
	fflush(stdout);

	run_passes();

	if (bench_opt.corrupt)
		((unsigned char *)b)[opt.elements / 3 * sizeof(double) + 5] ^= 1;
	return check();
}

static void parse_kernels(char *list)
{
	unsigned int kernel, mask = 0;
	char *word;

	for (word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		for (kernel = 0; kernel < NR_KERNELS; kernel++) {
			if (!strcmp(word, kernel_name[kernel]))
				break;
		}
		if (kernel == NR_KERNELS) {
			fprintf(stderr, "no such kernel: %s\n", word);
			exit(BENCH_USAGE);
		}
		mask |= 1U << kernel;
	}
	opt.kernels = mask;
}

static void parse_contents(char *name)
{
	for (opt.contents = 0; opt.contents < NR_CONTENTS; opt.contents++) {
		if (!strcmp(name, contents_name[opt.contents]))
			return;
	}
	bench_usage();
}

static const struct bench_option options[] = {
	{ 'm', "MiB", "working set: the three arrays together (64)", &opt.mib, 1UL << 20 },
	{ 'n', "passes", "(10)", &opt.passes, MAX_PASSES },
	{ 'k', "list", "kernels of a pass (copy,scale,add,triad)", .take = parse_kernels },
	{ 'c', "contents", "constant, compressible (runs of equal values) or random (constant)",
	  .take = parse_contents },
	{ 's', "seed", "of random contents", &opt.seed, UINT64_MAX },
	{ 0 }
};

int main(int argc, char **argv)
{
	bench_parse(argc, argv, options);
	if (!opt.kernels)
		bench_usage();
	opt.elements = (opt.mib << 20) / sizeof(struct element);

	printf("stream bytes=%zu elements=%zu passes=%llu contents=%s\n",
	       opt.elements * sizeof(struct element), opt.elements,
	       (unsigned long long)opt.passes, contents_name[opt.contents]);
	return bench_run(body);
}
