// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: makes a program that finds something smaller: fewer steps, then simpler ones.
 *
 * What is tried next depends on nothing but the program and what the attempts so far
 * have come to. So where an attempt takes the machine down, another boot goes on with
 * the letters of those attempts, which have been printed.
 */
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "shrink.h"

/* Where threads race it may take some tries to find it again, of which this is the most. */
#define MOST_TRIES	16
/* A smaller program gets more of them than the whole one has needed. */
#define MORE_TRIES	3

static const char *answers;
static uint64_t end;
static unsigned int tries, needed;
static struct find *found;

static bool over(void)
{
	return found->hopeless || now_ms() >= end;
}

/* Does it still find something? */
static bool still(const struct program *p)
{
	struct find find;
	unsigned int i;

	if (*answers)
		return *answers++ == 'y';
	if (over())
		return false;
	printf("@try\n");
	fflush(stdout);
	for (i = 0; i < tries && (!i || now_ms() < end); i++) {
		if (!run_program(p, &find)) {
			*found = find;
			printf("@y\n");
			needed = i + 1;
			return true;
		}
	}
	printf("@n\n");
	return false;
}

static void without(struct program *to, const struct program *from, unsigned int first,
		    unsigned int nr)
{
	*to = *from;
	memmove(to->step + first, to->step + first + nr,
		(from->nr - first - nr) * sizeof(*to->step));
	to->nr -= nr;
}

static bool fewer_steps(struct program *p)
{
	struct program try;
	unsigned int nr, first;
	bool any = false;

	for (nr = p->nr / 2; nr; nr /= 2) {
		/* From the end: what comes first makes the rest possible. */
		for (first = p->nr; first >= nr && !over(); ) {
			first -= nr;
			if (first + nr > p->nr)
				continue;
			without(&try, p, first, nr);
			if (!still(&try))
				continue;
			*p = try;
			any = true;
		}
	}
	return any;
}

/* One thread, and few pages. */
static void simpler_steps(struct program *p)
{
	static const int counts[] = { 1, 8, 64 };
	struct program try;
	unsigned int i, n;

	for (i = 0; i < p->nr && !over(); i++) {
		if (!p->step[i].bg)
			continue;
		try = *p;
		try.step[i].bg = false;
		if (still(&try))
			*p = try;
	}
	for (n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
		try = *p;
		for (i = 0; i < p->nr; i++)
			if (step_count(&try.step[i]) && *step_count(&try.step[i]) > counts[n])
				*step_count(&try.step[i]) = counts[n];
		if (memcmp(&try, p, sizeof(try)) && still(&try)) {
			*p = try;
			break;
		}
	}
}

void shrink(struct program *p, struct find *find, const char *known, uint64_t end_ms)
{
	struct program try = *p;

	answers = known;
	end = end_ms;
	found = find;
	tries = MOST_TRIES;
	/* It may have taken the machine down, and been known then: nobody has counted. */
	needed = 0;
	if (!still(p))
		return;
	if (needed && MORE_TRIES * needed < MOST_TRIES)
		tries = MORE_TRIES * needed;
	/* What comes after the step that was wrong is not needed, as a rule. */
	if (find->step + 1 < p->nr) {
		try.nr = find->step + 1;
		if (still(&try))
			*p = try;
	}
	while (fewer_steps(p) && !over())
		;
	simpler_steps(p);
	fewer_steps(p);
}
