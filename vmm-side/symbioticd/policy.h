/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who gets how much of a budget of window pages: functions of numbers, without side
 * effects, which tests can run anywhere. docs/design.md, "Who gets how much", says why
 * it is as it is.
 *
 * What a guest says (in_place, hot, want) is a claim and may be anything. What holds
 * whatever is claimed:
 *
 *	targets, and what the silent have, are no more than the budget
 *	nobody's target is below its floor, if all floors and what the silent have fit
 *	who needs no more than an equal part gets what it needs
 *	nobody is raised into pages that somebody else has or may still take
 */
#ifndef SYMBIOTICD_POLICY_H
#define SYMBIOTICD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guests at once, and pages beyond all reason; all sums of them fit into 64 bits. */
#define POLICY_MAX_GUESTS	512
#define POLICY_MAX_PAGES	(1ULL << 50)

enum policy_state {
	POLICY_ANSWERED,	/* its claims are of now */
	POLICY_SILENT,		/* what it was granted is known, and no more */
	POLICY_UNKNOWN,		/* nothing is known: it has not answered yet */
};

enum policy_reason {
	POLICY_SAME,		/* nothing to be done */
	POLICY_BUDGET,		/* less: there is not as much as was granted */
	POLICY_OTHERS,		/* less: others want it, and this one can do without */
	POLICY_WANTS,		/* more: it wants more */
	POLICY_SPARE,		/* more: nobody wants it */
};

/**
 * struct policy_limits - what the host gives
 * @budget: pages for all guests together
 * @floor: pages that each guest keeps in any case; 0: a quarter of an equal part
 * @most: pages that no guest gets or is believed to have more than; 0: no such limit
 */
struct policy_limits {
	uint64_t budget;
	uint64_t floor;
	uint64_t most;
};

/**
 * struct policy_growth - is a guest about to need more?
 * @known: there was a last look
 * @used: pages that it used then
 * @looks: for how many more looks it is taken to grow
 */
struct policy_growth {
	bool known;
	uint64_t used;
	unsigned int looks;
};

/**
 * struct policy_guest - a guest, for one decision
 * @state: what is known of it
 * @grant: pages that it may use now, as far as is known; any number
 * @in_place: pages that it says to use
 * @hot: of these, what it says to have used lately
 * @want: faults that it says to have had no grant for since it was asked last
 * @grows: it is taken to need more soon, policy_grows(); who wants more is, too
 * @target: out: what it should have in the end
 * @next: out: what it should be granted now
 * @reason: out: why @next is not @grant
 */
struct policy_guest {
	enum policy_state state;
	uint64_t grant;
	uint64_t in_place;
	uint64_t hot;
	uint64_t want;
	bool grows;

	uint64_t target;
	uint64_t next;
	enum policy_reason reason;
};

/**
 * policy_grows - what a guest has done since the last look
 * @growth: what is known of it; zeroes of a new one
 * @in_place, @want: as in struct policy_guest
 *
 * Returns: true if it has wanted or taken more of late, and has not given up much of it.
 * Two that grow by turns of a round are both growing all the time.
 */
bool policy_grows(struct policy_growth *growth, uint64_t in_place, uint64_t want);

/**
 * policy_plan - divide the budget
 * @l: what there is
 * @g: the guests; @target, @next and @reason of those that have answered are set
 * @nr: how many, at most POLICY_MAX_GUESTS
 *
 * @next is for grants that become smaller; it is @grant for all others. When these
 * grants are in force, policy_raise() says who gets more.
 */
void policy_plan(const struct policy_limits *l, struct policy_guest *g, size_t nr);

/**
 * policy_raise - give what nobody has to those whose target is above their grant
 * @l: what there is
 * @g: the guests after policy_plan(), with @grant as it is now
 * @nr: how many
 */
void policy_raise(const struct policy_limits *l, struct policy_guest *g, size_t nr);

/**
 * policy_counted - pages that a guest has, or may take at any time
 * @l: what there is
 * @g: the guest
 *
 * Returns: the larger of its grant and what it says to use, within reason: no more than
 * @most, or without that, the budget. Of an unknown guest, as much as can be.
 */
uint64_t policy_counted(const struct policy_limits *l, const struct policy_guest *g);

/**
 * policy_room - pages that nobody has and nobody may take
 * @l: what there is
 * @g: the guests
 * @nr: how many
 */
uint64_t policy_room(const struct policy_limits *l, const struct policy_guest *g, size_t nr);

/**
 * policy_reason_text - a reason for people
 * @reason: which
 */
const char *policy_reason_text(enum policy_reason reason);

#endif /* SYMBIOTICD_POLICY_H */
