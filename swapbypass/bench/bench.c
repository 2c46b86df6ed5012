// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark programs of the swap-pressure experiment share.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct bench_settings bench_opt;

static const char *counter_path[BENCH_MAX_FILES];
static unsigned int nr_counters;

double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void bench_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(BENCH_SYSTEM);
}

uint64_t bench_number(const char *text, uint64_t limit)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || !value ||
	    value > limit) {
		fprintf(stderr, "not a number from 1 to %llu: %s\n",
			(unsigned long long)limit, text);
		exit(BENCH_USAGE);
	}
	return value;
}

static double parse_seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0)) {
		fprintf(stderr, "not a time in seconds: %s\n", text);
		exit(BENCH_USAGE);
	}
	return value;
}

void *bench_alloc(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("mmap");
	/*
	 * The modes must be compared over the same page size. A kernel
	 * without huge pages refuses this, and that is fine too.
	 */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	return memory;
}

void bench_set_inexact(void)
{
	volatile double x = 1.0;

	x /= 3.0;
}

size_t bench_page_out(void *start, size_t bytes)
{
	const size_t page = 4096, chunk = 4UL << 20;
	unsigned char resident[1024];
	size_t at, i, left = 0;

	/*
	 * The advice only starts the write-out of a dirty page on an
	 * asynchronous device; a later round drops what has been written.
	 */
	for (i = 0; i < 3; i++) {
		if (madvise(start, bytes, MADV_PAGEOUT))
			bench_die("madvise(MADV_PAGEOUT)");
	}

	for (at = 0; at < bytes; at += chunk) {
		size_t len = bytes - at < chunk ? bytes - at : chunk;

		if (mincore((char *)start + at, len, resident))
			bench_die("mincore");
		for (i = 0; i < (len + page - 1) / page; i++)
			left += resident[i] & 1;
	}
	return left;
}

void bench_begin(void *start, size_t bytes)
{
	double begin = bench_now();
	size_t left;

	if (bench_opt.page_out) {
		left = bench_page_out(start, bytes);
		printf("pageout seconds=%.6f resident_pages=%zu of=%zu\n",
		       bench_now() - begin, left, bytes / 4096);
	}
	fflush(stdout);
}

void bench_run_passes(unsigned int passes, int (*pass)(unsigned int number))
{
	double start = bench_now();
	unsigned int i;

	for (i = 0; i < passes; i++) {
		if (bench_late(start, bench_opt.run_limit) || !pass(i))
			break;
	}
}

static void add_counter(char *path)
{
	if (nr_counters == BENCH_MAX_FILES) {
		fprintf(stderr, "more than %d counter files\n",
			BENCH_MAX_FILES);
		exit(BENCH_USAGE);
	}
	counter_path[nr_counters++] = path;
}

/* No stdio: a buffer that was swapped out would be part of what we measure. */
static size_t read_text(const char *path, char *text, size_t size)
{
	ssize_t got, len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		bench_die(path);
	while ((size_t)len < size - 1) {
		got = read(fd, text + len, size - 1 - (size_t)len);
		if (got < 0)
			bench_die(path);
		if (!got)
			break;
		len += got;
	}
	close(fd);
	text[len] = '\0';
	return (size_t)len;
}

/* A counter that the kernel does not have stays 0. */
static uint64_t find_count(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void read_counters(struct bench_counters *now)
{
	static char text[16384];
	unsigned int i;

	memset(now, 0, sizeof(*now));
	read_text("/proc/vmstat", text, sizeof(text));
	now->pswpin = find_count(text, "\npswpin ");
	now->pswpout = find_count(text, "\npswpout ");
	now->pgmajfault = find_count(text, "\npgmajfault ");
	for (i = 0; i < nr_counters; i++) {
		read_text(counter_path[i], text, sizeof(text));
		now->file[i] = strtoull(text, NULL, 10);
	}
}

static void print_counters(const struct bench_counters *before,
			   const struct bench_counters *after)
{
	unsigned int i;

	printf(" pswpin=%llu pswpout=%llu pgmajfault=%llu",
	       (unsigned long long)(after->pswpin - before->pswpin),
	       (unsigned long long)(after->pswpout - before->pswpout),
	       (unsigned long long)(after->pgmajfault - before->pgmajfault));
	for (i = 0; i < nr_counters; i++) {
		const char *name = strrchr(counter_path[i], '/');

		printf(" %s=%llu", name ? name + 1 : counter_path[i],
		       (unsigned long long)(after->file[i] - before->file[i]));
	}
}

void bench_pass_start(struct bench_pass *pass)
{
	read_counters(&pass->before);
	pass->start = bench_now();
}

void bench_pass_stop(struct bench_pass *pass)
{
	pass->seconds = bench_now() - pass->start;
	read_counters(&pass->after);
}

void bench_pass_print(const struct bench_pass *pass, const char *kernel,
		      unsigned int number, const char *fmt, ...)
{
	va_list ap;

	printf("pass kernel=%s pass=%u seconds=%.6f ", kernel, number + 1, pass->seconds);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	print_counters(&pass->before, &pass->after);
	printf("\n");
	fflush(stdout);
}

int bench_verdict(size_t checked, size_t of, uint64_t wrong, double start)
{
	printf("verify result=%s checked=%zu of=%zu wrong=%llu seconds=%.6f\n",
	       wrong ? "WRONG" : "ok", checked, of, (unsigned long long)wrong,
	       bench_now() - start);
	return wrong ? BENCH_WRONG_DATA : 0;
}

int bench_run(int (*body)(void))
{
	volatile double *left;
	double end;
	pid_t child;
	int status;

	if (!bench_opt.time_exit)
		return body();
	left = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (left == MAP_FAILED)
		bench_die("mmap");

	fflush(stdout);
	child = fork();
	if (child < 0)
		bench_die("fork");
	if (!child) {
		int result = body();

		fflush(stdout);
		*left = bench_now();
		_exit(result);
	}

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			bench_die("waitpid");
	}
	end = bench_now();

	if (!WIFEXITED(status)) {
		fprintf(stderr, "the benchmark died of signal %d\n",
			WTERMSIG(status));
		return BENCH_SYSTEM;
	}
	if (WEXITSTATUS(status) == 0)
		printf("exit seconds=%.6f\n", end - *left);
	return WEXITSTATUS(status);
}

/* ---- options ---- */

static const struct bench_option common[] = {
	{ 'o', NULL, "swap the data out before the first pass", .number = &bench_opt.page_out },
	{ 't', "seconds", "limit for a pass; it ends the run", .seconds = &bench_opt.pass_limit },
	{ 'T', "seconds", "start no pass after this time", .seconds = &bench_opt.run_limit },
	{ 'V', "seconds", "limit for the check of the data", .seconds = &bench_opt.check_limit },
	{ 'C', "file", "print how this counter changed in each pass", .take = add_counter },
	{ 'x', NULL, "also time the exit of the process", .number = &bench_opt.time_exit },
	{ 'X', NULL, "damage one word (test of the check)", .number = &bench_opt.corrupt },
	{ 0 }
};

static const struct bench_option *tables[2] = { NULL, common };
static const char *program;

void bench_usage(void)
{
	const struct bench_option *o;
	unsigned int i;

	fprintf(stderr, "usage: %s [options]\n", program);
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (o = tables[i]; o->letter; o++)
			fprintf(stderr, "  -%c %-8s %s\n", o->letter,
				o->argument ? o->argument : "", o->help);
	exit(BENCH_USAGE);
}

static const struct bench_option *find_option(int letter)
{
	const struct bench_option *o;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (o = tables[i]; o->letter; o++)
			if (o->letter == letter)
				return o;
	bench_usage();
}

void bench_parse(int argc, char **argv, const struct bench_option *own)
{
	const struct bench_option *o;
	char letters[64], *at = letters;
	unsigned int i;
	int letter;

	program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	tables[0] = own;
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (o = tables[i]; o->letter; o++) {
			*at++ = o->letter;
			if (o->argument)
				*at++ = ':';
		}
	}
	*at = '\0';

	while ((letter = getopt(argc, argv, letters)) != -1) {
		o = find_option(letter);
		if (o->take)
			o->take(optarg);
		else if (o->seconds)
			*o->seconds = parse_seconds(optarg);
		else
			*o->number = o->argument ? bench_number(optarg, o->limit) : 1;
	}
	if (optind != argc)
		bench_usage();
}
