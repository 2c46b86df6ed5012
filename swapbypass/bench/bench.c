// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark programs of the swap-pressure experiment share.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct bench_options bench_opt;

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

double bench_seconds(const char *text)
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
		if (bench_opt.run_limit > 0 && bench_now() - start > bench_opt.run_limit)
			break;
		if (!pass(i))
			break;
	}
}

void bench_add_counter(const char *path)
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

void bench_read_counters(struct bench_counters *now)
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

void bench_print_counters(const struct bench_counters *before,
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

int bench_run_and_time_exit(int (*body)(void))
{
	volatile double *left;
	double end;
	pid_t child;
	int status;

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

int bench_take_option(int option, const char *argument)
{
	switch (option) {
	case 'o':
		bench_opt.page_out = 1;
		return 1;
	case 't':
		bench_opt.pass_limit = bench_seconds(argument);
		return 1;
	case 'T':
		bench_opt.run_limit = bench_seconds(argument);
		return 1;
	case 'V':
		bench_opt.check_limit = bench_seconds(argument);
		return 1;
	case 'C':
		bench_add_counter(argument);
		return 1;
	case 'x':
		bench_opt.time_exit = 1;
		return 1;
	case 'X':
		bench_opt.corrupt = 1;
		return 1;
	default:
		return 0;
	}
}
