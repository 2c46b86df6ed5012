// SPDX-License-Identifier: GPL-2.0
/*
 * hand_over MIB: pages of a program that are in the swap window stay there, with their
 * content, when the VMM changes from shadow to nested paging and back, and none is read
 * for that. The window is in mode auto; what the VMM says is pretended.
 */
#include <ktap.h>
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

#define WINDOW	"/sys/block/symswap0/symswap/"
#define NESTED	1
#define SHADOW	2

static unsigned char *area;
static size_t nr;

/* As the VMM would. More switches than there were, so that it is a new word. */
static void say(unsigned int mode)
{
	static uint64_t switches = 1000000;
	char word[32];

	snprintf(word, sizeof(word), "%llu",
		 (unsigned long long)(++switches << 32 | 256 | mode));
	must_write("/sys/kernel/debug/symbiotic/", "paging", word);
}

/* Write I/Os, merged or not, do not count. */
static unsigned long reads(void)
{
	FILE *f = fopen("/sys/block/symswap0/stat", "r");
	unsigned long n;

	if (!f || fscanf(f, "%lu", &n) != 1)
		setup_error("no statistics of the window");
	fclose(f);
	return n;
}

/* Touches every step-th page; returns how many are wrong. */
static size_t wrong(size_t first, size_t step)
{
	size_t i, bad = 0;

	for (i = first; i < nr; i += step)
		bad += page_check(area + i * PAGE, i, 1) >= 0;
	return bad;
}

static size_t in_place(void)
{
	return must_read(WINDOW, "in_place");
}

int main(int argc, char **argv)
{
	unsigned long before, answered;
	char limit[32];
	size_t i;

	nr = argc == 2 ? (strtoul(argv[1], NULL, 0) << 20) / PAGE : 0;
	if (!nr)
		setup_error("how many MiB?");
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* What is hot is to stay where it is, although memory is free. */
	must_write(WINDOW, "first_touch", "off");
	say(SHADOW);
	if (!bypass_attached())
		setup_error("SwapBypass is not attached");
	area = anon_map(nr * PAGE);
	for (i = 0; i < nr; i++)
		page_fill(area + i * PAGE, i, 1);
	if (!page_out(area, nr * PAGE))
		setup_error("cannot page out");

	answered = counter("answered_pages");
	before = reads();
	ktap(!wrong(0, 2) && pages_swapped(area, nr * PAGE) == nr, "bypassed: every second page");
	ktap((size_t)counter("answered_pages") >= answered + nr / 2, "the VMM was answered");
	ktap(reads() == before, "nothing was read");

	say(NESTED);
	ktap(!wrong(0, 1), "nested paging: all is as it was");
	ktap(!pages_swapped(area, nr * PAGE) && in_place() >= nr, "in place");
	ktap(reads() == before, "nothing was read");

	/* What is written in place is what the VMM maps later. */
	for (i = 0; i < nr; i += 3)
		page_fill(area + i * PAGE, i, 1);
	say(SHADOW);
	ktap(!wrong(0, 1) && in_place() >= nr, "shadow paging: they stay in place");
	ktap(reads() == before, "nothing was read");

	/* The grant is followed also while no more pages come in place. */
	snprintf(limit, sizeof(limit), "%lld", must_read(WINDOW, "limit"));
	must_write(WINDOW, "limit", "0");
	ktap(!in_place() && pages_swapped(area, nr * PAGE) == nr, "given back");
	must_write(WINDOW, "limit", limit);
	answered = counter("answered_pages");
	ktap(!wrong(0, 1) && pages_swapped(area, nr * PAGE) == nr, "bypassed: all");
	ktap((size_t)counter("answered_pages") >= answered + nr, "the VMM was answered");
	ktap(reads() == before, "nothing was read");
	return ktap_end();
}
