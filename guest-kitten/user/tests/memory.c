// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is only asked for when it is needed: reservations without rights
 * cost nothing, and rights bring memory. With every C library.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE		4096UL
#define MIB		(1UL << 20)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW		(PROT_READ | PROT_WRITE)
#define THREADS		4

static pthread_barrier_t barrier;

static char *reserve(size_t size)
{
	return mmap(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
}

/* All of it has one value? */
static int is(const char *p, size_t size, char value)
{
	return p[0] == value && !memcmp(p, p + 1, size - 1);
}

static long used_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void test_reserve(void)
{
	long before = used_kib();
	char *p = reserve(4096 * MIB), *q = reserve(PAGE);

	ktap(p != MAP_FAILED && q != MAP_FAILED && used_kib() == before,
	     "4 GiB of addresses cost nothing");
	ktap(!mprotect(p + 8 * MIB, 2 * MIB, RW) && used_kib() == before + 2048,
	     "2 MiB in it cost 2 MiB");
	ktap(is(p + 8 * MIB, 2 * MIB, 0), "and are clear");
	memset(p + 8 * MIB, 1, 2 * MIB);
	ktap(!mprotect(p + 7 * MIB, 4 * MIB, RW) &&
	     is(p + 8 * MIB, 2 * MIB, 1) && is(p + 7 * MIB, MIB, 0) &&
	     is(p + 10 * MIB, MIB, 0), "more on both sides");
	ktap(!mprotect(p + 8 * MIB, MIB, PROT_NONE) &&
	     !mprotect(p + 8 * MIB, MIB, RW) && is(p + 8 * MIB, MIB, 1),
	     "without rights and with them again");
	ktap(!madvise(p, 16 * MIB, MADV_DONTNEED) &&
	     is(p + 7 * MIB, 4 * MIB, 0), "not needed any more");
	memset(p + 7 * MIB, 2, 4 * MIB);
	ktap(mmap(p + 7 * MIB, 2 * MIB, PROT_NONE, ANON | MAP_FIXED, -1, 0) ==
	     p + 7 * MIB && used_kib() == before + 2048,
	     "given back by mmap over it");
	ktap(mmap(p + 7 * MIB, 3 * MIB, RW, ANON | MAP_FIXED, -1, 0) ==
	     p + 7 * MIB && is(p + 7 * MIB, 3 * MIB, 0) &&
	     is(p + 10 * MIB, MIB, 2), "and taken so");
	ktap(!munmap(p + 9 * MIB, 64 * MIB) &&
	     fails(mprotect(p + 9 * MIB, PAGE, RW), ENOMEM) &&
	     is(p + 7 * MIB, 2 * MIB, 0), "half of it is gone");
	ktap(!munmap(p, 4096 * MIB) && used_kib() == before, "all is gone");
	ktap(fails(mprotect(q, PAGE, PROT_READ | PROT_EXEC), EACCES),
	     "no memory to execute");
	munmap(q, PAGE);
	ktap(reserve(1UL << 45) == MAP_FAILED && errno == ENOMEM,
	     "too many addresses");
}

/* In small steps from two sides: what it lends is not in one piece. */
static void test_pieces(void)
{
	long before = used_kib();
	unsigned int i, bad = 0;
	char *p = reserve(64 * MIB), *heap[32];

	for (i = 0; i < 32; i++) {
		heap[i] = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
		bad += mprotect(p + i * MIB, (i % 5 + 1) * PAGE, RW) != 0;
		memset(heap[i], 100 + i, 3 * PAGE);
		memset(p + i * MIB, i, (i % 5 + 1) * PAGE);
	}
	for (i = 0; i < 32; i += 2)
		munmap(heap[i], 3 * PAGE);
	bad += mprotect(p + 40 * MIB, 2 * MIB, RW) != 0;
	memset(p + 40 * MIB, 50, 2 * MIB);
	for (i = 0; i < 32; i++) {
		bad += !is(p + i * MIB, (i % 5 + 1) * PAGE, i);
		bad += i % 2 && !is(heap[i], 3 * PAGE, 100 + i);
	}
	ktap(!bad && is(p + 40 * MIB, 2 * MIB, 50), "pieces do not overlap");
	for (i = 1; i < 32; i += 2)
		munmap(heap[i], 3 * PAGE);
	munmap(p, 64 * MIB);
	ktap(used_kib() == before, "all pieces are back");
}

/* What the heap has lent is no part of it, be it between two that are. */
static void test_lent(void)
{
	const size_t size = 2 * MIB;
	char *hole[64], *p, *q = reserve(PAGE), *r;
	unsigned int i;
	int ok;

	/* So that none is left above, for it comes from there. */
	for (i = 0; i < 64; i++)
		hole[i] = mmap(NULL, PAGE, RW, ANON, -1, 0);
	p = mmap(NULL, size, RW, ANON, -1, 0);
	ok = !mprotect(q, PAGE, RW);
	memset(q, 7, PAGE);
	r = mmap(NULL, size, RW, ANON, -1, 0);
	madvise(r, (size_t)(p + size - r), MADV_DONTNEED);
	ktap(ok && is(q, PAGE, 7), "what is lent stays as it is");
	munmap(p, size);
	munmap(q, PAGE);
	munmap(r, size);
	for (i = 0; i < 64; i++)
		munmap(hole[i], PAGE);
}

static void test_rights(void)
{
	static const char constant[] = "constant";
	char *page = (char *)((uintptr_t)constant & ~(PAGE - 1)), *p;

	ktap(!mprotect(page, PAGE, PROT_READ), "fewer rights");
	ktap(fails(mprotect(page, PAGE, RW), EACCES), "more rights");
	ktap(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0) == MAP_FAILED &&
	     errno == EACCES, "all rights");
	p = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
	memset(p, 1, 3 * PAGE);
	ktap(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE &&
	     is(p, PAGE, 1) && is(p + PAGE, PAGE, 0) && is(p + 2 * PAGE, PAGE, 1),
	     "new memory in place of old");
	ktap(mmap(page, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED &&
	     errno == ENOMEM, "not in place of the program");
	munmap(p, 3 * PAGE);
}

static void *small(void *arg)
{
	char *p = malloc(100);
	long good = !!p;

	(void)arg;
	if (p)
		memset(p, 1, 100);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	free(p);
	return (void *)good;
}

/* Each thread of glibc's has an arena of its own, with 64 MiB of addresses. */
static void test_arenas(size_t size)
{
	pthread_t t[THREADS];
	unsigned int i, good = 0;
	void *result;
	char *p;

	p = malloc(size);
	ktap(!!p, "a large block");
	free(p);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, small, NULL))
			exit(2);
	}
	pthread_barrier_wait(&barrier);
	p = malloc(size);
	ktap(!!p, "the same beside threads that allocate");
	if (p)
		memset(p, 2, size);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &result);
		good += !!result;
	}
	ktap(good == THREADS, "and they had theirs");
	free(p);
}

static void *hammer(void *arg)
{
	char value = (char)(long)arg;
	unsigned int i, bad = 0;

	for (i = 0; i < 50; i++) {
		size_t size = (i % 7 + 1) * 50 * PAGE;
		char *p = reserve(size + MIB);

		if (p == MAP_FAILED || mprotect(p + PAGE, size, RW))
			return (void *)1;
		bad += !is(p + PAGE, size, 0);
		memset(p + PAGE, value, size);
		bad += !is(p + PAGE, size, value);
		munmap(p, size + MIB);
	}
	return (void *)(long)bad;
}

static void test_parallel(void)
{
	pthread_t t[THREADS];
	long i, bad = 0;
	void *result;

	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, hammer, (void *)(i + 1)))
			exit(2);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &result);
		bad += (long)result;
	}
	ktap(!bad, "each thread has memory of its own");
}

int main(int argc, char **argv)
{
	test_reserve();
	test_pieces();
	test_lent();
	test_rights();
	test_arenas((argc > 1 ? strtoul(argv[1], NULL, 0) : 100) * MIB);
	test_parallel();
	return ktap_end();
}
