// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that take long leave other threads of the processor their turn, and end
 * with their task. `turns`, or `turns endless`, which ends at once.
 */
#define _GNU_SOURCE
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1UL << 20)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW		(PROT_READ | PROT_WRITE)
/* Several slices of the scheduler. */
#define LONG		0.06
#define MOST		(48 * MIB)

static char *memory;
static int begun;

/* To standard error, in a form that is no result. */
static void do_write(size_t size)
{
	static char text[MIB];
	size_t n;

	memset(text, '.', sizeof(text));
	text[0] = '#';
	for (; size; size -= n) {
		n = size < sizeof(text) ? size : sizeof(text);
		text[n - 1] = '\n';
		n = write(2, text, n);
	}
}

static void do_mprotect(size_t size)
{
	char *p = mmap(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	mprotect(p, size, RW);
	munmap(p, size);
}

static void do_madvise(size_t size)
{
	madvise(memory, size, MADV_DONTNEED);
}

static void do_mmap(size_t size)
{
	munmap(mmap(NULL, size, RW, ANON, -1, 0), size);
}

static const struct {
	const char *name;
	void (*call)(size_t size);
	size_t size;		/* at first */
} calls[] = {
	{ "write", do_write, 4096 },
	{ "mprotect", do_mprotect, MIB },
	{ "madvise", do_madvise, MIB },
	{ "mmap", do_mmap, MIB },
};

static void *compute(void *arg)
{
	__atomic_store_n(&begun, 1, __ATOMIC_SEQ_CST);
	for (;;)
		asm volatile("");
	return arg;
}

/* How long the call takes, and how long the others compute meanwhile. */
static double take(unsigned int i, size_t size, double *others)
{
	double own = clock_now(CLOCK_THREAD_CPUTIME_ID);
	double all = clock_now(CLOCK_PROCESS_CPUTIME_ID);

	calls[i].call(size);
	own = clock_now(CLOCK_THREAD_CPUTIME_ID) - own;
	*others = clock_now(CLOCK_PROCESS_CPUTIME_ID) - all - own;
	return own;
}

static void test_turns(void)
{
	size_t size[sizeof(calls) / sizeof(calls[0])];
	double took, others;
	unsigned int i;
	pthread_t t;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		size[i] = calls[i].size;
		while (take(i, size[i], &others) < LONG && size[i] <= MOST / 2)
			size[i] *= 2;
	}
	pthread_create(&t, NULL, compute, NULL);
	while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
		sched_yield();
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		took = take(i, size[i], &others);
		printf("# %s of %zu KiB: %.0f ms, others %.0f ms\n", calls[i].name,
		       size[i] >> 10, took * 1e3, others * 1e3);
		if (took < LONG / 2)
			ktap_directive(1, "SKIP too fast here", "%s", calls[i].name);
		else
			ktap(others > took / 3, "%s", calls[i].name);
	}
}

static void *write_for_ever(void *arg)
{
	static char text[MIB];
	static struct iovec iov[1024];
	unsigned int i;

	(void)arg;
	memset(text, '#', sizeof(text));
	for (i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ text, sizeof(text) };
	__atomic_store_n(&begun, 1, __ATOMIC_SEQ_CST);
	writev(2, iov, 1024);
	return NULL;
}

static void test_endless(void)
{
	struct timespec ts = { 0, 20000000 };
	pthread_t t;

	pthread_create(&t, NULL, write_for_ever, NULL);
	while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
		sched_yield();
	nanosleep(&ts, NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	cpu_set_t one;

	if (argc > 1 && !strcmp(argv[1], "endless"))
		test_endless();
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	memory = malloc(MOST + 4096);
	if (!memory)
		return 2;
	memset(memory, 1, MOST + 4096);
	memory = (char *)(((unsigned long)memory + 4095) & ~4095UL);
	test_turns();
	return ktap_end();
}
