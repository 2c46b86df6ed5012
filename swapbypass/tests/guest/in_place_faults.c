// SPDX-License-Identifier: GPL-2.0
/*
 * The first touch of pages, by one user and by several.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_place.h"

static void t_use(void)
{
	long long faults = window("faults");
	char *p = in_place(0x100);

	if (window("faults") == faults)
		violated("no fault was served in place");
	fill(p, 0x100, 2);
	verify("written", p, 0x100, 2);
	must_page_out(p);
	verify("swapped out again, without a copy", p, 0x100, 2);
}

/* The first touch is a write. */
static void t_write_first(void)
{
	char *p = swapped_out(0x200);
	size_t i;

	for (i = 0; i < npages; i++)
		*(volatile uint64_t *)(p + i * PAGE + 8) = 1;
	verify("written first", p, 0x200, 1);
	fill(p, 0x200, 2);
	verify("written", p, 0x200, 2);
}

static void t_fault_around(void)
{
	long long faults = window("faults"), pages = window("mapped_pages");
	char *p = in_place(0x300);

	(void)p;
	faults = window("faults") - faults;
	pages = window("mapped_pages") - pages;
	if (pages < (long long)npages || faults * 4 > pages)
		violated("%lld faults for %lld pages", faults, pages);
}

static void t_read_only_vma(void)
{
	char *p = swapped_out(0x400);

	mprotect(p, len(), PROT_READ);
	verify("read-only", p, 0x400, 1);
	mprotect(p, len(), PROT_READ | PROT_WRITE);
	fill(p, 0x400, 2);
	verify("writable again", p, 0x400, 2);
}

/* Zero pages that were swapped out by mode copy are not in the window. */
static void t_zeromap(void)
{
	char *p;
	size_t i;

	/* What is in the slots does not look like it. */
	munmap(fill_window(), all_pages * PAGE);
	p = swapped_out(0x480);
	set_window("mode", "copy");
	memset(p, 0, len());
	must_page_out(p);
	set_window("mode", "in-place");
	for (i = 0; i < len(); i += PAGE)
		if (!page_zero(p + i))
			violated("page %zu is not zero", i / PAGE);
}

/* What is swapped out later gets other slots: all others there are. */
static void t_hold(void)
{
	char *p = in_place(0x4c0), *q = fill_window();
	size_t i;

	verify("beside others", p, 0x4c0, 1);
	fill(p, 0x4c0, 2);
	for (i = 0; i < all_pages * PAGE; i += PAGE)
		if (page_check(q + i, 0x10000 + i, 1) >= 0)
			violated("page %zu of the others is wrong", i / PAGE);
}

static void t_copy_mode(void)
{
	long long pages = window("mapped_pages");
	char *p = swapped_out(0x500);

	set_window("mode", "copy");
	verify("copied", p, 0x500, 1);
	set_window("mode", "in-place");
	if (window("mapped_pages") != pages)
		violated("pages came in place in mode copy");
}

/* Mode changes under use. */
static void t_mode_change(void)
{
	char *p = in_place(0x580);

	set_window("mode", "copy");
	verify("in place in mode copy", p, 0x580, 1);
	must_page_out(p);
	verify("copied", p, 0x580, 1);
	set_window("mode", "in-place");
	must_page_out(p);
	verify("in place again", p, 0x580, 1);
}

/* ---- Several users ------------------------------------------------------- */

static void t_fork_before(void)
{
	long long shared = window("shared_pages");
	char *p = swapped_out(0x600);
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		verify("child", p, 0x600, 1);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("child, after the parent's write", p, 0x600, 1);
		fill(p, 0x600, 3);
		verify("child's own", p, 0x600, 3);
		_exit(TEST_OK);
	}
	baton_wait(&b, 1);
	verify("parent", p, 0x600, 1);
	fill(p, 0x600, 2);
	baton_pass(&b, 0);
	join_child(pid);
	verify("parent's own", p, 0x600, 2);
	if (window("shared_pages") == shared)
		violated("no page was shared");
}

/* The child never looks, and goes first. */
static void t_fork_exit(void)
{
	char *p = swapped_out(0x680);
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		_exit(TEST_OK);
	}
	verify("shared with a child that sleeps", p, 0x680, 1);
	baton_pass(&b, 0);
	join_child(pid);
	fill(p, 0x680, 2);
	verify("alone again", p, 0x680, 2);
}

static void t_fork_after(void)
{
	char *p = in_place(0x700);
	pid_t pid = must_fork();

	if (!pid) {
		verify("child", p, 0x700, 1);
		fill(p, 0x700, 3);
		verify("child's own", p, 0x700, 3);
		_exit(TEST_OK);
	}
	fill(p, 0x700, 2);
	join_child(pid);
	verify("parent's own", p, 0x700, 2);
}

/* Grandchildren, some looking, some not: counts up to 9. */
static void t_fork_many(void)
{
	char *p = swapped_out(0x780);
	pid_t pid[8];
	int i;

	for (i = 0; i < 8; i++) {
		pid[i] = must_fork();
		if (pid[i])
			continue;
		if (i & 1) {
			verify("child", p, 0x780, 1);
			page_fill(p + i * PAGE, 0x9999, i);
		}
		if (i & 1 && page_check(p + i * PAGE, 0x9999, i) >= 0)
			violated("child %d lost its write", i);
		if (i & 2)
			munmap(p, len() / 2);
		_exit(TEST_OK);
	}
	verify("parent", p, 0x780, 1);
	for (i = 0; i < 8; i++)
		join_child(pid[i]);
	verify("parent, at last alone", p, 0x780, 1);
}

/*
 * The last swap entry of a page goes while somebody has the page locked: other
 * users of it, or whoever looks which pages are cold.
 */
static void t_fork_race(void)
{
	char *p = swapped_out(0x7c0);
	pid_t poker, pid[3];
	unsigned int round;
	size_t i;

	poker = must_fork();
	if (!poker)
		for (;;)
			set_grant(all_pages);
	for (round = 1; round < 60; round++) {
		for (i = 0; i < 3; i++) {
			pid[i] = must_fork();
			if (pid[i])
				continue;
			verify("child", p, 0x7c0, round);
			_exit(TEST_OK);
		}
		madvise(p, len(), MADV_DONTNEED);
		for (i = 0; i < 3; i++)
			join_child(pid[i]);
		fill(p, 0x7c0, round + 1);
		must_page_out(p);
	}
	kill(poker, SIGKILL);
	waitpid(poker, NULL, 0);
}

const struct test_case in_place_faults[] = {
	{ "use", "read, written, swapped out without a copy", t_use },
	{ "write_first", "the first touch is a write", t_write_first },
	{ "fault_around", "one fault maps several pages", t_fault_around },
	{ "read_only", "a VMA that is read-only for a while", t_read_only_vma },
	{ "zeromap", "zero pages swapped out in mode copy", t_zeromap },
	{ "hold", "others are swapped out meanwhile", t_hold },
	{ "copy", "mode copy", t_copy_mode },
	{ "mode_change", "modes change under use", t_mode_change },
	{ "fork_before", "fork before the first touch", t_fork_before },
	{ "fork_exit", "fork, and the child exits", t_fork_exit },
	{ "fork_after", "fork of pages in place", t_fork_after },
	{ "fork_many", "many users of a slot", t_fork_many },
	{ "fork_race", "users that go while others look", t_fork_race },
	{ 0 }
};
