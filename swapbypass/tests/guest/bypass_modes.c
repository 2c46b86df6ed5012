// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's part of a test of SwapBypass's modes; the host's is
 * ../host/bypass_modes.sh, which switches them while this runs.
 *
 * The host writes a number into its word of the global SymSpy page; this makes
 * the step of that number and answers with it in the guest's word, or with
 * 0xbad. The exit status is 0 if all steps went as they should.
 */
#include <errno.h>
#include <fcntl.h>
#include <ktap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define WORDS		"/sys/kernel/symbiotic/"
#define FEW		16UL
#define MANY		1024UL
#define DEADLINE_MS	180000
#define STEPS		5

static char *few, *many;
static unsigned int seq;

static void guest_word(const char *val)
{
	int fd = open(WORDS "guest_word", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, val, strlen(val)) < 0)
		setup_error("guest_word: %s", strerror(errno));
	close(fd);
}

static void fail(const char *step, size_t bypassed, size_t of)
{
	ktap(false, "%s: %zu of %zu pages went through the bypass", step, bypassed, of);
	guest_word("0xbad");
	exit(TEST_VIOLATED);
}

static void check(const char *p, size_t n, unsigned int want)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (page_check(p + i * PAGE, i, want) < 0)
			continue;
		ktap(false, "data: page %zu", i);
		guest_word("0xbad");
		exit(TEST_VIOLATED);
	}
}

/*
 * Swap out and use again, with @pause_us between two pages. Returns how many
 * pages are still swapped out for the kernel, so were bypassed.
 */
static size_t use(char *p, size_t n, unsigned int pause_us)
{
	size_t i;

	seq++;
	for (i = 0; i < n; i++)
		page_fill(p + i * PAGE, i, seq);
	if (!page_out(p, n * PAGE))
		setup_error("could not page out");
	for (i = 0; i < n; i++) {
		(void)*(volatile char *)(p + i * PAGE);
		if (pause_us)
			usleep(pause_us);
	}
	return pages_swapped(p, n * PAGE);
}

static size_t slowly(void)
{
	return use(few, FEW, 30000);
}

static size_t fast(void)
{
	return use(many, MANY, 0);
}

int main(void)
{
	unsigned long done = 0, word;
	uint64_t end = now_ms() + DEADLINE_MS;
	unsigned int many_seq = 0;
	char answer[16];
	size_t n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!bypass_attached())
		setup_error("SwapBypass is not attached");
	ktap_plan(STEPS);
	few = anon_map(FEW * PAGE);
	many = anon_map(MANY * PAGE);

	for (;;) {
		word = host_word();
		if (word == done) {
			if (now_ms() > end)
				setup_error("the host does not go on after step %lu", done);
			usleep(100000);
			continue;
		}
		switch (word) {
		case 1:		/* adaptive, off: a few faults are no thrashing */
			n = slowly();
			if (n)
				fail("adaptive, few faults", n, FEW);
			break;
		case 2:		/* switches on in the middle */
			n = fast();
			many_seq = seq;
			if (n < MANY / 2)
				fail("adaptive, many faults", n, MANY);
			break;
		case 3:		/* has switched off; what was mapped stays */
			n = pages_swapped(many, MANY * PAGE);
			if (n < MANY / 2)
				fail("still mapped", n, MANY);
			n = slowly();
			if (n)
				fail("adaptive, quiet again", n, FEW);
			check(many, MANY, many_seq);
			break;
		case 4:		/* off: nothing is left mapped, nothing is new */
			n = fast();
			if (n)
				fail("off", n, MANY);
			check(many, MANY, seq);
			break;
		case 5:		/* always: from the first fault on */
			n = slowly();
			if (n != FEW)
				fail("always", n, FEW);
			check(few, FEW, seq);
			break;
		default:	/* 9: the host has given up, or is done */
			return ktap_end();
		}
		done = word;
		ktap(true, "step %lu: %zu pages", word, n);
		snprintf(answer, sizeof(answer), "0x%lx", word);
		guest_word(answer);
	}
}
