// SPDX-License-Identifier: GPL-2.0
/*
 * disk_stream DEVICE OFFSET SIZE: write and read blocks of a part of a disk (in MiB) in an
 * order that is random, past all caches, until SIGTERM. Each block that is read has to be as
 * it was written last; at the end, all of them. It says how many there were, and how long one
 * took at the most.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096
#define WORDS		(BLOCK / sizeof(uint64_t))
#define MOST_MB		64

static volatile sig_atomic_t stop;
/* Of each block: how often it was written. */
static uint32_t written[(MOST_MB << 20) / BLOCK];
static uint64_t longest, first, writes, reads;
static uint64_t *buffer, right[WORDS];
static int fd;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void fill(uint64_t *words, uint64_t block, uint32_t times)
{
	uint64_t x = ((first + block) << 32 | times) * 0x9e3779b97f4a7c15 | 1;
	size_t i;

	words[0] = first + block;
	words[1] = times;
	for (i = 2; i < WORDS; i++)
		words[i] = next(&x);
}

static void transfer(bool out, uint64_t block)
{
	uint64_t begin = now_ms(), took;
	off_t at = (first + block) * BLOCK;
	ssize_t n;

	n = out ? pwrite(fd, buffer, BLOCK, at) : pread(fd, buffer, BLOCK, at);
	if (n != BLOCK) {
		fprintf(stderr, "disk_stream: %s block %llu: %s\n", out ? "writing" : "reading",
			(unsigned long long)(first + block), n < 0 ? strerror(errno) : "cut off");
		exit(1);
	}
	took = now_ms() - begin;
	if (took > longest)
		longest = took;
}

static void put(uint64_t block)
{
	fill(buffer, block, ++written[block]);
	transfer(true, block);
	writes++;
}

static void look(uint64_t block)
{
	transfer(false, block);
	reads++;
	fill(right, block, written[block]);
	if (!memcmp(buffer, right, BLOCK))
		return;
	fprintf(stderr,
		"disk_stream: block %llu is wrong: block %llu, written %llu times, not %u\n",
		(unsigned long long)(first + block), (unsigned long long)buffer[0],
		(unsigned long long)buffer[1], written[block]);
	exit(1);
}

int main(int argc, char **argv)
{
	uint64_t x = 88172645463325252, blocks, i;
	long offset, size;

	offset = argc == 4 ? atol(argv[2]) : -1;
	size = argc == 4 ? atol(argv[3]) : 0;
	if (offset < 0 || size < 1 || size > MOST_MB) {
		fprintf(stderr, "usage: disk_stream DEVICE OFFSET SIZE (MiB)\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	first = ((uint64_t)offset << 20) / BLOCK;
	blocks = ((uint64_t)size << 20) / BLOCK;
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || posix_memalign((void **)&buffer, BLOCK, BLOCK)) {
		perror(argv[1]);
		return 1;
	}
	for (i = 0; i < blocks; i++)
		put(i);
	while (!stop) {
		i = next(&x) % blocks;
		if (next(&x) & 1)
			put(i);
		else
			look(i);
	}
	for (i = 0; i < blocks; i++)
		look(i);
	if (fsync(fd)) {
		perror("fsync");
		return 1;
	}
	printf("written %llu blocks, read %llu, the longest took %llu ms\n",
	       (unsigned long long)writes, (unsigned long long)reads, (unsigned long long)longest);
	return 0;
}
