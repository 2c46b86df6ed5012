// SPDX-License-Identifier: GPL-2.0
/*
 * What the cases of bypass_rules share.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bypass_rules.h"

void verify_zero(const char *what, const char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (!page_zero(p + i * PAGE))
			violated("%s: page %zu has old data", what, i);
}

void must_be_bypassed(const char *what, const char *p)
{
	size_t n = pages_swapped(p, len());

	if (expect_bypass && n < npages - npages / 8)
		setup_error("%s: only %zu of %zu pages went through the bypass",
			    what, n, npages);
	if (!expect_bypass && bypass_attached() && n)
		setup_error("%s: %zu pages went through the bypass, none should",
			    what, n);
}

char *bypassed(uint64_t id)
{
	char *p = swapped_out(id);

	verify("swapped out and read", p, id, 1);
	fill(p, id, 2);
	must_be_bypassed("first use", p);
	/*
	 * Reclaim may owe a TLB flush, and would pay it in the next zap, where
	 * it would hide that a mapping was left. Have it paid now.
	 */
	madvise(p - PAGE, PAGE, MADV_DONTNEED);
	return p;
}

static sigjmp_buf segv_jmp;
static __thread volatile bool segv_armed;

static void on_segv(int sig)
{
	(void)sig;
	if (!segv_armed)
		_exit(TEST_SETUP);
	segv_armed = false;
	siglongjmp(segv_jmp, 1);
}

/* Only one thread of a test uses these. */
bool can_write(volatile uint64_t *p, uint64_t val)
{
	signal(SIGSEGV, on_segv);
	if (sigsetjmp(segv_jmp, 1))
		return false;
	segv_armed = true;
	*p = val;
	segv_armed = false;
	return true;
}

static bool can_read(const volatile uint64_t *p)
{
	signal(SIGSEGV, on_segv);
	if (sigsetjmp(segv_jmp, 1))
		return false;
	segv_armed = true;
	(void)*p;
	segv_armed = false;
	return true;
}

void no_write(const char *what, char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (can_write((uint64_t *)(p + i * PAGE + 64), 1))
			violated("%s: page %zu can be written", what, i);
}

void no_read(const char *what, char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (can_read((uint64_t *)(p + i * PAGE + 64)))
			violated("%s: page %zu can be read", what, i);
}

void stall(unsigned int hooks)
{
	if (!test_option("stall_pid", getpid()) ||
	    !test_option("stall_ms", STALL_MS) ||
	    !test_option("stall_hooks", hooks))
		if (expect_bypass)
			setup_error("no test options in this kernel");
}

size_t swap_free_pages(void)
{
	char name[128];
	size_t kib = swap_device_free(name, sizeof(name));

	if (kib < 8192)
		setup_error("too little swap is free");
	kib -= kib / 16;
	return (kib > 131072 ? 131072 : kib) * 1024 / PAGE;
}

void fill_and_page_out(char *p, size_t pages, uint64_t id, uint64_t seq)
{
	size_t i, k;

	for (i = 0; i < pages; i += 256) {
		for (k = i; k < pages && k < i + 256; k++)
			page_fill(p + k * PAGE, id + k, seq);
		if (!page_out(p + i * PAGE, (k - i) * PAGE))
			setup_error("could not page out page %zu of %zu", i, pages);
	}
}
