// SPDX-License-Identifier: GPL-2.0
/*
 * hand_over MIB [host]: pages of a program that are in the swap window stay there, with
 * their content, when the VMM changes from shadow to nested paging and back, and none is
 * read for that. The window is in mode auto; what the VMM says is pretended.
 *
 * With "host" the VMM does change, when our word is 1 and 2 (hand_over.sh), while pages are
 * being touched. Then some may be read until the VMM has said so, and after that hardly any.
 */
#include <fcntl.h>
#include <ktap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The grant is followed at once, in any mode. */
static void give_back(void)
{
	char limit[32];

	snprintf(limit, sizeof(limit), "%lld", must_read(WINDOW, "limit"));
	must_write(WINDOW, "limit", "0");
	must_write(WINDOW, "limit", limit);
}

/* ---- The VMM changes ---------------------------------------------------- */

#define SYMBIOTIC	"/sys/kernel/symbiotic/"
/* Each thread that reads when the change comes may read a page, and so may others. */
#define FEW		64
#define WAIT_MS		120000
/* While nothing happens the guest looks ever less often, in the end once a second. */
#define CALM_MS		4000

/* The VMM's own word, which the kernel only shows. */
static bool word_is(const char *mode)
{
	static int fd = -1;
	char buf[16];
	ssize_t len;

	if (fd < 0)
		fd = open(SYMBIOTIC "paging", O_RDONLY | O_CLOEXEC);
	len = pread(fd, buf, sizeof(buf), 0);
	if (len <= 0)
		setup_error("no word of the VMM");
	return !strncmp(buf, mode, strlen(mode));
}

/*
 * Touches page after page, and maybe swaps all out for each pass, until the VMM says that
 * its paging is @mode; then each of them once. Returns the reads since then.
 */
static unsigned long touch_until(const char *mode, bool out)
{
	unsigned long before = reads(), at, after;
	uint64_t end = now_ms() + WAIT_MS;
	size_t i = 0, n, bad = 0;

	for (; !word_is(mode) && now_ms() < end; i = (i + 1) % nr) {
		if (out && !i)
			give_back();
		bad += page_check(area + i * PAGE, i, 1) >= 0;
	}
	at = reads();
	ktap(word_is(mode), "the VMM says %s", mode);
	for (n = 0; n < nr; n++, i = (i + 1) % nr)
		bad += page_check(area + i * PAGE, i, 1) >= 0;
	after = reads();
	ktap(!bad, "%s: all is as it was", mode);
	printf("# %s: %lu pages read until the VMM said so, %lu since\n", mode, at - before,
	       after - at);
	return after - at;
}

static void touch_for(unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end)
		if (wrong(0, 1))
			setup_error("wrong before any change");
}

static bool attached_soon(void)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (!bypass_attached() && now_ms() < end)
		usleep(10000);
	return bypass_attached();
}

static int by_the_host(void)
{
	long long followed = must_read(WINDOW, "followed"), answered;
	unsigned long before = reads();
	size_t swapped;

	touch_for(CALM_MS);
	ktap(reads() == before && pages_swapped(area, nr * PAGE) == nr, "all are bypassed");
	must_write(SYMBIOTIC, "guest_word", "1");
	ktap(touch_until("nested", false) <= FEW, "hardly any is read");
	ktap(!pages_swapped(area, nr * PAGE) && in_place() + (reads() - before) >= nr,
	     "the others are in place");

	must_write(SYMBIOTIC, "guest_word", "2");
	ktap(touch_until("shadow", true) <= FEW, "hardly any is read");
	ktap(attached_soon(), "attached again");
	give_back();
	if (!page_out(area, nr * PAGE))
		setup_error("cannot page out");
	before = reads();
	answered = counter("answered_pages");
	ktap(!wrong(0, 1), "all is as it was");
	swapped = pages_swapped(area, nr * PAGE);
	answered = counter("answered_pages") - answered;
	printf("# %zu of %zu pages are bypassed, %lld answers\n", swapped, nr, answered);
	/* A page that was read may still be in the swap cache; others have been answered for. */
	ktap(swapped + FEW >= nr && answered > 0, "they are bypassed again");
	ktap(reads() == before, "nothing was read");
	ktap(must_read(WINDOW, "followed") >= followed + 2, "followed, both ways");
	return ktap_end();
}

/* ---- It only says so ---------------------------------------------------- */

static int pretended(void)
{
	unsigned long answered = counter("answered_pages"), before = reads();
	size_t i;

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

	/* Also while no more pages come in place. */
	give_back();
	ktap(!in_place() && pages_swapped(area, nr * PAGE) == nr, "given back");
	answered = counter("answered_pages");
	ktap(!wrong(0, 1) && pages_swapped(area, nr * PAGE) == nr, "bypassed: all");
	ktap((size_t)counter("answered_pages") >= answered + nr, "the VMM was answered");
	ktap(reads() == before, "nothing was read");
	return ktap_end();
}

int main(int argc, char **argv)
{
	bool host = argc == 3 && !strcmp(argv[2], "host");
	size_t i;

	nr = argc == 2 || host ? (strtoul(argv[1], NULL, 0) << 20) / PAGE : 0;
	if (!nr)
		setup_error("how many MiB?");
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* What is hot is to stay where it is, although memory is free. */
	must_write(WINDOW, "first_touch", "off");
	if (!host)
		say(SHADOW);
	if (!bypass_attached())
		setup_error("SwapBypass is not attached");
	area = anon_map(nr * PAGE);
	for (i = 0; i < nr; i++)
		page_fill(area + i * PAGE, i, 1);
	if (!page_out(area, nr * PAGE))
		setup_error("cannot page out");
	return host ? by_the_host() : pretended();
}
