// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of policy.c: what must hold whatever guests claim, by random claims; and
 * honest guests, who use what they need and may, until nothing changes any more.
 */
#include <ktap.h>
#include <string.h>

#include "policy.h"

#define MAX	12

static uint64_t seed = 1;

/* xorshift64*: the same numbers on any machine. */
static uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 2685821657736338717ULL;
}

static uint64_t below(uint64_t n)
{
	return n ? rnd() % n : 0;
}

/* Anything, and often what is at an edge. */
static uint64_t wild(uint64_t budget)
{
	static const uint64_t edges[] = {
		0, 1, UINT64_MAX, UINT64_MAX - 1, 1ULL << 63, 1ULL << 50, (1ULL << 50) + 1,
	};

	switch (below(6)) {
	case 0:
		return edges[below(sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return rnd();
	case 2:
		return budget;
	case 3:
		return budget + below(3) - 1;
	default:
		return below(2 * budget + 1);
	}
}

static uint64_t sane(uint64_t pages)
{
	return pages < POLICY_MAX_PAGES ? pages : POLICY_MAX_PAGES;
}

/* ---- whatever is claimed -------------------------------------------------- */

struct found {
	bool over;		/* the budget, by targets and what the silent have */
	bool early;		/* before all are at their targets, it is over */
	bool below;		/* a floor, though all floors fit */
	bool poor;		/* who needs an equal part at most does not get it */
	bool raised_by_plan;
	bool overdrawn;		/* raised into what others have or may take */
	bool grown;		/* grants became more, and more than the budget */
	bool silent_changed;
	bool beyond_most;
	bool reason;
};

static void check_plan(const struct policy_limits *l, const struct policy_guest *g, size_t nr,
		       struct found *f)
{
	uint64_t budget = sane(l->budget), silent = 0, sum = 0, now = 0, floors = 0, equal, floor;
	uint64_t most = l->most && l->most < budget ? l->most : budget;
	size_t n = 0, i;

	floor = l->floor ? sane(l->floor) : budget / (4 * nr);
	if (floor > most)
		floor = most;
	for (i = 0; i < nr; i++) {
		if (g[i].state == POLICY_ANSWERED) {
			sum += g[i].target;
			now += sane(g[i].next);
			floors += floor;
			n++;
		} else if (g[i].state == POLICY_SILENT) {
			silent += sane(g[i].grant);
		}
	}
	if (sum > (budget > silent ? budget - silent : 0))
		f->over = true;
	if (now > (budget > silent ? budget - silent : 0))
		f->early = true;
	equal = n && budget > silent ? (budget - silent) / n : 0;
	for (i = 0; i < nr; i++) {
		const struct policy_guest *one = &g[i];
		uint64_t used, hot, need;

		if (one->state != POLICY_ANSWERED) {
			f->silent_changed |= one->next != one->grant;
			continue;
		}
		f->below |= floors + silent <= budget && one->target < floor;
		f->beyond_most |= one->target > most;
		f->raised_by_plan |= one->next > one->grant || one->next < one->target ?
				     one->next != one->grant : false;
		f->reason |= (one->reason != POLICY_SAME) != (one->next != one->grant);
		used = one->in_place < most ? one->in_place : most;
		hot = one->hot < used ? one->hot : used;
		need = hot + (one->want < most ? one->want : most);
		if (need > most)
			need = most;
		if (need <= equal && floor <= equal && one->target < need)
			f->poor = true;
	}
}

static void check_raise(const struct policy_limits *l, const struct policy_guest *g, size_t nr,
			uint64_t room, struct found *f)
{
	uint64_t more = 0, before = 0, after = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (g[i].state != POLICY_UNKNOWN) {
			before += sane(g[i].grant);
			after += sane(g[i].next);
		}
		if (g[i].next < g[i].grant || (g[i].next != g[i].grant &&
					       g[i].next > g[i].target))
			f->overdrawn = true;
		if (g[i].state != POLICY_ANSWERED)
			f->silent_changed |= g[i].next != g[i].grant;
		more += g[i].next - g[i].grant;
		f->reason |= (g[i].reason != POLICY_SAME) != (g[i].next != g[i].grant);
	}
	f->overdrawn |= more > room;
	f->grown |= after > before && after > sane(l->budget);
}

static void claims(unsigned int rounds)
{
	struct policy_guest g[MAX];
	struct found f = { };
	struct policy_limits l;
	unsigned int n;

	for (n = 0; n < rounds; n++) {
		size_t nr = 1 + below(MAX), i;

		l.budget = below(8) ? below(100000) : wild(1000);
		l.floor = below(2) ? 0 : wild(l.budget / nr);
		l.most = below(2) ? 0 : wild(l.budget);
		for (i = 0; i < nr; i++)
			g[i] = (struct policy_guest){
				.state = below(4) ? POLICY_ANSWERED :
					 below(2) ? POLICY_SILENT : POLICY_UNKNOWN,
				.grant = wild(l.budget), .in_place = wild(l.budget),
				.hot = wild(l.budget), .want = below(2) ? 0 : wild(l.budget),
				.grows = below(2),
			};
		policy_plan(&l, g, nr);
		check_plan(&l, g, nr, &f);
		/* Some do what they are told, some do not. */
		for (i = 0; i < nr; i++)
			if (g[i].state == POLICY_ANSWERED && below(4))
				g[i].grant = g[i].next;
		policy_raise(&l, g, nr);
		check_raise(&l, g, nr, policy_room(&l, g, nr), &f);
	}
	ktap(!f.over, "targets are within the budget");
	ktap(!f.early, "and so is what is granted on the way there");
	ktap(!f.below, "nobody is below its floor");
	ktap(!f.poor, "who needs no more than an equal part gets it");
	ktap(!f.raised_by_plan, "grants become smaller first, and not below the target");
	ktap(!f.overdrawn, "raised by what nobody has and nobody may take");
	ktap(!f.grown, "never above the budget");
	ktap(!f.silent_changed, "who is silent keeps what it has");
	ktap(!f.beyond_most, "nobody gets more than the most");
	ktap(!f.reason, "each change has a reason");
}

/* ---- honest guests -------------------------------------------------------- */

struct guest {
	uint64_t need;
	uint64_t hot_percent;
	bool stubborn;		/* gives nothing back */
};

static uint64_t low(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A second in the life of all. Returns whether a grant has changed. */
static bool live(const struct policy_limits *l, struct policy_guest *p, const struct guest *g,
		 size_t nr, bool *over)
{
	uint64_t granted = 0;
	bool changed = false;
	size_t i;

	for (i = 0; i < nr; i++) {
		p[i].in_place = g[i].stubborn ? g[i].need : low(g[i].need, p[i].grant);
		p[i].hot = p[i].in_place * g[i].hot_percent / 100;
		p[i].want = g[i].hot_percent ? g[i].need - p[i].in_place : 0;
	}
	policy_plan(l, p, nr);
	for (i = 0; i < nr; i++) {
		changed |= p[i].next != p[i].grant;
		p[i].grant = p[i].next;
	}
	policy_raise(l, p, nr);
	for (i = 0; i < nr; i++) {
		changed |= p[i].next != p[i].grant;
		p[i].grant = p[i].next;
		granted += p[i].grant;
	}
	*over |= granted > l->budget;
	return changed;
}

static void converges(unsigned int rounds)
{
	bool rests = true, over = false, content = true, wasted = false;
	struct policy_limits l = { };
	struct policy_guest p[MAX];
	struct guest g[MAX];
	unsigned int n, second;

	for (n = 0; n < rounds; n++) {
		size_t nr = 1 + below(MAX), i;
		uint64_t needs = 0, granted = 0;
		bool changed = true;

		l.budget = 1000 + below(1000000);
		memset(p, 0, sizeof(p));
		for (i = 0; i < nr; i++) {
			g[i] = (struct guest){ below(l.budget), below(3) * 50 };
			p[i].grant = UINT64_MAX;
			needs += g[i].need;
		}
		for (second = 0; second < 40 && changed; second++)
			changed = live(&l, p, g, nr, &over);
		rests &= !changed;
		for (i = 0; i < nr; i++) {
			granted += p[i].grant;
			/* Others keep a 32nd that is not worth a command, and their floors. */
			if (g[i].hot_percent && needs + needs / 16 + l.budget / 4 < l.budget)
				content &= p[i].grant >= g[i].need;
		}
		wasted |= granted + granted / 16 + nr < l.budget;
	}
	ktap(rests, "comes to rest within 40 rounds");
	ktap(!over, "and is never above the budget on its way");
	ktap(content, "all have what they need, if there is enough");
	ktap(!wasted, "and nothing is left over");
}

/* One round. */
static void decide(const struct policy_limits *l, struct policy_guest *p, size_t nr)
{
	size_t i;

	policy_plan(l, p, nr);
	for (i = 0; i < nr; i++)
		p[i].grant = p[i].next;
	policy_raise(l, p, nr);
	for (i = 0; i < nr; i++)
		p[i].grant = p[i].next;
}

/* Rounds until @who has nearly what it needs, or at most it. */
static unsigned int until(const struct policy_limits *l, struct policy_guest *p,
			  const struct guest *g, size_t nr, size_t who, bool up)
{
	unsigned int n;
	bool over = false;

	for (n = 1; n < 100; n++) {
		live(l, p, g, nr, &over);
		if (up ? p[who].grant >= g[who].need : p[who].grant <= l->budget / 4)
			break;
	}
	return over ? 100 : n;
}

static void speed(void)
{
	struct policy_limits l = { .budget = 1200 };
	struct policy_guest p[2] = { { .grant = 300 }, { .grant = 900 } };
	struct guest g[2] = { { 800, 100 }, { 200, 0 } };
	bool over = false;

	/* What is not used is taken at once, and given at once. */
	ktap(until(&l, p, g, 2, 0, true) == 1, "up: in one round, by what others do not use");

	/* What could not be in place is known only as fast as it is copied. */
	p[0] = (struct policy_guest){ .grant = 100, .in_place = 100, .want = 5 };
	p[1] = (struct policy_guest){ .grant = 1100 };
	decide(&l, p, 2);
	ktap(p[0].grant == 1050 && p[1].grant == 150, "and if few faults say so, but a floor");

	/* What is used goes in halves: 1000, 600, 400, ... */
	p[0] = (struct policy_guest){ .grant = 1100 };
	p[1] = (struct policy_guest){ .grant = 100 };
	g[0] = (struct guest){ 1100, 0 };
	g[1] = (struct guest){ 1100, 100 };
	live(&l, p, g, 2, &over);
	ktap(p[0].grant >= 550 && p[0].grant < 700, "down: by half of what is used, not at once");
	ktap(until(&l, p, g, 2, 0, false) <= 4, "and a busy guest has most in some rounds more");
	ktap(!over, "not above the budget meanwhile");

	/* Less budget: no steps. */
	p[0] = (struct policy_guest){ .grant = 600 };
	p[1] = (struct policy_guest){ .grant = 600 };
	g[0] = (struct guest){ 600, 100 };
	g[1] = (struct guest){ 600, 100 };
	l.budget = 500;
	live(&l, p, g, 2, &over);
	ktap(p[0].grant == 250 && p[1].grant == 250, "a budget that shrinks is kept at once");
}

/* ---- those that grow ------------------------------------------------------ */

static void growth(void)
{
	struct policy_growth g = { };

	ktap(!policy_grows(&g, 9000, 0) && !policy_grows(&g, 0, 0),
	     "one that is found does not grow");
	ktap(policy_grows(&g, 0, 1), "one that wants more does");
	ktap(policy_grows(&g, 0, 0) && policy_grows(&g, 0, 0) && policy_grows(&g, 0, 0) &&
	     !policy_grows(&g, 0, 0), "and for three looks more");
	ktap(!policy_grows(&g, 256, 0) && policy_grows(&g, 64000, 0), "one that takes more does");
	ktap(policy_grows(&g, 65000, 0) && policy_grows(&g, 66000, 0) &&
	     policy_grows(&g, 67000, 0) && !policy_grows(&g, 68000, 0),
	     "a little more is not growth");
	ktap(policy_grows(&g, 90000, 0) && !policy_grows(&g, 70000, 0),
	     "who gives up much is done");
	ktap(policy_grows(&g, UINT64_MAX, UINT64_MAX) && policy_grows(&g, UINT64_MAX, 0) &&
	     g.used == POLICY_MAX_PAGES, "whatever is claimed");
}

/* Two that fill their memory, and find no grant left in turns; nobody needs more than a half. */
static void turns(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[4] = { { .grant = 250 }, { .grant = 250 }, { .grant = 250 },
				     { .grant = 250 } };
	struct policy_growth g[4] = { };
	uint64_t least = 1000;
	unsigned int n, i;

	for (n = 0; n < 20; n++) {
		for (i = 0; i < 2; i++) {
			p[i].in_place = low(p[i].grant, 20 * (n + 1));
			p[i].hot = p[i].in_place;
			p[i].want = n % 2 == i ? 3 : 0;
		}
		for (i = 0; i < 4; i++)
			p[i].grows = policy_grows(&g[i], p[i].in_place, p[i].want);
		decide(&l, p, 4);
		if (n > 0)
			least = low(least, low(p[0].grant, p[1].grant));
	}
	ktap(least >= 400, "two that grow do not take it from each other in turns");
}

/* ---- single decisions ----------------------------------------------------- */

static void nothing_wanted(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = {
		{ .grant = 800, .in_place = 800 }, { .grant = 200, .in_place = 100 },
	};

	policy_plan(&l, p, 2);
	ktap(p[0].next == 800 && p[1].next == 200, "nobody wants more: cold pages stay");
	policy_raise(&l, p, 2);
	ktap(p[0].next == 800 && p[1].next == 200, "and nobody gets more");
}

static void liar(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[3] = {
		{ .grant = 300, .in_place = 300, .hot = 300 },
		{ .grant = 300, .in_place = 300, .hot = 300 },
		{ .grant = 400, .in_place = UINT64_MAX, .hot = UINT64_MAX, .want = UINT64_MAX },
	};
	unsigned int n;

	for (n = 0; n < 20; n++)
		decide(&l, p, 3);
	ktap(p[0].grant == 300 && p[1].grant == 300, "a liar takes nothing that is needed");
	ktap(p[2].grant == 400, "and gets no more than the rest");
}

/* What wraps in sums is as good as what does not. */
static void wraps(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = {
		{ .grant = 500, .in_place = 500, .hot = 500, .want = UINT64_MAX },
		{ .grant = 500, .in_place = 500, .hot = 500, .want = 500 },
	};

	policy_plan(&l, p, 2);
	ktap(p[0].target == 500 && p[1].target == 500, "want that wraps");
}

static void little(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = {
		{ .grant = 500, .in_place = 500, .hot = 490 },
		{ .grant = 500, .in_place = 500, .hot = 500, .want = 500 },
	};

	policy_plan(&l, p, 2);
	ktap(p[0].target == 490 && p[0].next == 500, "a little less is not worth a command");
	p[0].hot = 450;
	policy_plan(&l, p, 2);
	ktap(p[0].target == 450 && p[0].next == 475, "more is");
}

static void rest(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = { };

	policy_plan(&l, p, 2);
	ktap(p[0].target == 500 && p[1].target == 500, "nobody has asked for it: to all");
	p[0].want = 1;
	policy_plan(&l, p, 2);
	ktap(p[0].target == 875 && p[1].target == 125, "but first to who wants something");
}

static void left_out(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p = { .state = POLICY_SILENT, .grant = 100, .target = 500 };

	policy_raise(&l, &p, 1);
	ktap(p.next == 100, "who is silent is not raised to what was planned before");
}

static void stubborn(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = { { .grant = 900 }, { .grant = 100 } };
	struct guest g[2] = { { 700, 0, true }, { 800, 100 } };
	bool over = false;
	int n;

	for (n = 0; n < 20; n++)
		live(&l, p, g, 2, &over);
	ktap(p[1].grant <= 300, "what is not given back is not given away");
	ktap(p[0].grant < 300, "but is not granted any more");
}

static void found(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = {
		{ .grant = 1000, .in_place = 900, .hot = 900 }, { .grant = UINT64_MAX },
	};

	policy_plan(&l, p, 2);
	ktap(p[1].next >= 100 - 1 && p[1].next <= 125, "a new guest has a part, not all");
	ktap(p[0].next >= 1000 - 125 && p[0].next + p[1].next <= 1000, "the others keep the rest");

	/* Of the daemon before: all as it was. */
	p[0] = (struct policy_guest){ .grant = 700, .in_place = 600, .hot = 100 };
	p[1] = (struct policy_guest){ .grant = 300, .in_place = 10 };
	policy_plan(&l, p, 2);
	ktap(p[0].next == 700 && p[1].next == 300, "grants that are found stay as they are");
}

static void unknown(void)
{
	struct policy_limits l = { .budget = 1000 };
	struct policy_guest p[2] = {
		{ .grant = 200, .in_place = 200, .hot = 200, .want = 500 },
		{ .state = POLICY_UNKNOWN, .grant = UINT64_MAX },
	};

	policy_plan(&l, p, 2);
	policy_raise(&l, p, 2);
	ktap(p[0].next == 200, "while one is unknown nobody gets more");
	l.most = 400;
	policy_plan(&l, p, 2);
	policy_raise(&l, p, 2);
	ktap(p[0].next == 400, "unless it is known what it has at the most");
}

int main(void)
{
	struct policy_limits none = { };
	struct policy_guest one = { .want = 1 };

	claims(200000);
	converges(3000);
	speed();
	growth();
	turns();
	nothing_wanted();
	liar();
	wraps();
	little();
	rest();
	left_out();
	stubborn();
	found();
	unknown();
	policy_plan(&none, NULL, 0);
	policy_raise(&none, NULL, 0);
	policy_plan(&none, &one, 1);
	policy_raise(&none, &one, 1);
	ktap(one.next == 0, "no guests, no budget");
	return ktap_end();
}
