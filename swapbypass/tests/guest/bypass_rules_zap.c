// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that go: zapped, freed, with their process. And rule 3, pages of zeroes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bypass_rules.h"

static void t_dontneed(void)
{
	char *p = bypassed(0xc00);

	madvise(p, len(), MADV_DONTNEED);
	verify_zero("MADV_DONTNEED", p);
	fill(p, 0xc00, 7);
	verify("in use", p, 0xc00, 7);
}

/* Swapped-out pages are freed at once, and so read as zero. */
static void t_free(void)
{
	char *p = bypassed(0xd00);

	/* Only swapped-out pages are freed at once. */
	if (!expect_bypass)
		must_page_out(p);
	if (madvise(p, len(), MADV_FREE))
		setup_error("MADV_FREE: %s", strerror(errno));
	verify_zero("MADV_FREE", p);
	fill(p, 0xd00, 7);
	verify("in use", p, 0xd00, 7);
}

/*
 * The slots of zapped pages go to other memory. A mapping that is left over
 * would show that memory, and destroy it.
 */
static void t_slot_reuse(void)
{
	char *other, *p;
	size_t many, i;
	long off;

	many = swap_free_pages();
	other = anon_map(many * PAGE);
	p = bypassed(0xe00);
	madvise(p, len(), MADV_DONTNEED);
	/* The second time round, it gets the slots that were used before. */
	fill_and_page_out(other, many, 0xe10000, 0);
	madvise(other, many * PAGE, MADV_DONTNEED);
	fill_and_page_out(other, many, 0xe10000, 1);
	/* Through a mapping that should not be there. */
	fill(p, 0xe00, 99);
	for (i = 0; i < many; i++) {
		off = page_check(other + i * PAGE, 0xe10000 + i, 1);
		if (off >= 0)
			violated("page %zu of other memory is overwritten at byte %ld",
				 i, off);
	}
	verify("in use", p, 0xe00, 99);
}

/* The same after the owner has exited. */
static void t_exit(void)
{
	size_t many = npages * 32, i;
	char *other;
	pid_t pid;
	long off;
	int n;

	for (n = 0; n < 3; n++) {
		pid = must_fork();
		if (!pid) {
			char *p = bypassed(0xf00 + n);

			verify("child", p, 0xf00 + n, 2);
			_exit(TEST_OK);
		}
		join_child(pid);
		other = anon_map(many * PAGE);
		for (i = 0; i < many; i++)
			page_fill(other + i * PAGE, 0xf10000 + i, n);
		if (!page_out(other, many * PAGE))
			setup_error("could not page out");
		for (i = 0; i < many; i++) {
			off = page_check(other + i * PAGE, 0xf10000 + i, n);
			if (off >= 0)
				violated("round %d: page %zu is wrong at byte %ld", n,
					 i, off);
		}
		munmap(other, many * PAGE);
	}
}

/* exec gives up an address space in use, again and again. */
static void t_exec(void)
{
	pid_t pid;
	int n;

	for (n = 0; n < 5; n++) {
		pid = must_fork();
		if (!pid) {
			char pages[24];

			bypassed(0x1000 + n);
			snprintf(pages, sizeof(pages), "%zu", npages);
			execl("/proc/self/exe", "bypass_rules", "-b",
			      expect_bypass ? "1" : "0", "-n", pages, "use", NULL);
			setup_error("exec: %s", strerror(errno));
		}
		join_child(pid);
	}
}

/* ---- Rule 3 ------------------------------------------------------------ */

/* Pages of zeroes are stored in the window like all others. */
static void t_zeroes(void)
{
	char *p = anon_map(len());

	/* A write first: the zero page itself is never swapped out. */
	memset(p, 0, len());
	must_page_out(p);
	verify_zero("swapped out and read", p);
	must_be_bypassed("zeroes", p);
	fill(p, 0x1c00, 1);
	verify("written through the bypass", p, 0x1c00, 1);
	must_be_bypassed("zeroes, written", p);
}

/*
 * Slots with old content whose pages are all zero now, not stored but noted in
 * swap's zero map. A window has such slots if it was attached late.
 */
static void t_zeromap(void)
{
	size_t many = swap_free_pages(), i, n = many / 4;
	char *p = anon_map(many * PAGE);

	if (expect_bypass && !test_option("keep_zeromap", 1))
		setup_error("no test options in this kernel");
	/* Old content everywhere ... */
	fill_and_page_out(p, many, 0x19000, 1);
	madvise(p, many * PAGE, MADV_DONTNEED);
	/* ... a write first: the zero page itself is never swapped out. */
	for (i = 0; i < n; i++)
		memset(p + i * PAGE, 0, PAGE);
	if (!page_out(p, n * PAGE))
		setup_error("could not page out zeroes");
	for (i = 0; i < n; i++)
		if (!page_zero(p + i * PAGE))
			violated("zero page %zu shows the old slot", i);
}

const struct test_case bypass_rules_zap[] = {
	{ "dontneed", "drop before MADV_DONTNEED", t_dontneed },
	{ "free", "drop before MADV_FREE", t_free },
	{ "slot_reuse", "freed slots are nobody's", t_slot_reuse },
	{ "exit", "exit drops everything", t_exit },
	{ "exec", "exec drops everything", t_exec },
	{ "zeroes", "zero pages are in the slot", t_zeroes },
	{ "zeromap", "unless they are in the zero map", t_zeromap },
	{ 0 }
};
