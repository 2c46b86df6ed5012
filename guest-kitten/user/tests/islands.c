// SPDX-License-Identifier: GPL-2.0
/*
 * Two tasks that take small pages in many places in turns, so that the tables of
 * one lie between those of the other: `islands & islands`. The kernel can still
 * take them apart when they have ended.
 */
#include <ktap.h>

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE		4096UL
#define PLACE		(2UL << 20)	/* what a table is for */
#define PLACES		240

int main(void)
{
	const char *rank = getenv("KITTEN_RANK");
	unsigned int i, n = 0;
	char *p;

	/* The results of both are one list. */
	ktap_nr = rank ? (unsigned int)atoi(rank) : 0;
	if (!ktap_nr)
		ktap_plan(2);
	ktap_begun = 1;
	p = mmap(NULL, 2 * PLACES * PLACE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	/* On both sides of a border: one island, but a table each. */
	for (i = 0; i < 2 * PLACES - 2; i++) {
		n += !mprotect(p + (i / 2 * 2 + 1) * PLACE - (i % 2 ? 0 : PAGE), PAGE,
			       PROT_READ | PROT_WRITE);
		sched_yield();
	}
	return ktap(n == i, "%u small pages", n) ? 0 : 1;
}
