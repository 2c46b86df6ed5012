// SPDX-License-Identifier: GPL-2.0
/*
 * ioload: throughput and latency of a block device.
 *
 *   ioload DEVICE SECONDS
 *
 * Direct I/O, one request at a time: sequential in pieces of 128 KiB, random in
 * pieces of 4 KiB, reads and writes. One line each:
 *
 *   NAME requests N ns NS tsc TICKS median NS worst NS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <linux/fs.h>

#define MAX_REQUESTS	200000

static const struct load {
	const char *name;
	size_t size;
	bool random;
	bool write;
} loads[] = {
	{ "seq-read", 131072, false, false },
	{ "seq-write", 131072, false, true },
	{ "rand-read", 4096, true, false },
	{ "rand-write", 4096, true, true },
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t rnd(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int run(int fd, uint64_t blocks, const struct load *l, void *buf,
	       uint64_t limit, uint64_t *took)
{
	uint64_t start, end, ticks, n;

	blocks /= l->size;
	start = now();
	ticks = __rdtsc();
	for (n = 0, end = start; n < MAX_REQUESTS && end - start < limit; n++) {
		off_t at = (l->random ? rnd() : n) % blocks * l->size;
		ssize_t done = l->write ? pwrite(fd, buf, l->size, at) :
					  pread(fd, buf, l->size, at);
		uint64_t t = now();

		if (done != (ssize_t)l->size) {
			fprintf(stderr, "%s: %s\n", l->name, strerror(errno));
			return 1;
		}
		took[n] = t - end;
		end = t;
	}
	ticks = __rdtsc() - ticks;
	qsort(took, n, sizeof(*took), compare);
	printf("%s requests %" PRIu64 " ns %" PRIu64 " tsc %" PRIu64
	       " median %" PRIu64 " worst %" PRIu64 "\n", l->name, n,
	       end - start, ticks, took[n / 2], took[n - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t bytes, limit, *took;
	unsigned int i;
	void *buf;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: ioload DEVICE SECONDS\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes)) {
		perror(argv[1]);
		return 2;
	}
	limit = strtod(argv[2], NULL) * 1e9;
	took = malloc(MAX_REQUESTS * sizeof(*took));
	if (!took || posix_memalign(&buf, 4096, 131072))
		return 2;
	memset(buf, 0x5a, 131072);
	for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		if (run(fd, bytes, &loads[i], buf, limit, took))
			return 1;
	return 0;
}
