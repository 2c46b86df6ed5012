// SPDX-License-Identifier: GPL-2.0
/*
 * memguard: watch over memory that no device may write to.
 *
 *   memguard START SIZE MIB
 *
 * Fills physical memory at START, which the kernel must not use (memmap=), and
 * MIB of its own with a pattern, says "ready", waits for SIGTERM, and tells how
 * many bytes have changed. Status 1 if any has.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct area {
	const char *name;
	uint64_t *mem;
	uint64_t start;		/* of the pattern */
	size_t size;
};

/* Different everywhere, so that a copy from elsewhere shows. */
static uint64_t pattern(uint64_t addr)
{
	return (addr ^ 0x5359) * 0x9e3779b97f4a7c15ULL;
}

static void fill(struct area *a)
{
	size_t i;

	for (i = 0; i < a->size / 8; i++)
		a->mem[i] = pattern(a->start + 8 * i);
}

static uint64_t check(const struct area *a)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < a->size / 8; i++) {
		uint64_t diff = a->mem[i] ^ pattern(a->start + 8 * i);

		if (!diff)
			continue;
		if (!bytes)
			printf("%s: first at %#" PRIx64 "\n", a->name,
			       a->start + 8 * i);
		for (; diff; diff >>= 8)
			bytes += (diff & 0xff) != 0;
	}
	return bytes;
}

static void *map(const char *path, uint64_t start, size_t size)
{
	int fd = path ? open(path, O_RDWR) : -1;
	void *mem;

	if (path && fd < 0) {
		perror(path);
		exit(2);
	}
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, path ? MAP_SHARED :
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, fd, start);
	if (mem == MAP_FAILED) {
		perror("memguard: mmap");
		exit(2);
	}
	return mem;
}

int main(int argc, char **argv)
{
	struct area areas[2] = { { .name = "reserved" }, { .name = "own" } };
	uint64_t bytes = 0;
	sigset_t set;
	int i, sig;

	if (argc != 4) {
		fprintf(stderr, "usage: memguard START SIZE MIB\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);

	areas[0].start = strtoull(argv[1], NULL, 0);
	areas[0].size = strtoull(argv[2], NULL, 0);
	areas[0].mem = map("/dev/mem", areas[0].start, areas[0].size);
	areas[1].start = 1ULL << 60;
	areas[1].size = strtoull(argv[3], NULL, 0) << 20;
	areas[1].mem = map(NULL, 0, areas[1].size);
	for (i = 0; i < 2; i++)
		fill(&areas[i]);
	puts("ready");

	sigwait(&set, &sig);
	for (i = 0; i < 2; i++)
		bytes += check(&areas[i]);
	printf("changed %" PRIu64 " bytes of %zu MiB\n", bytes,
	       (areas[0].size + areas[1].size) >> 20);
	return bytes != 0;
}
