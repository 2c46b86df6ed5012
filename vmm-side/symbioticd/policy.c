// SPDX-License-Identifier: GPL-2.0
/*
 * Who gets how much. The budget is poured in layers: what all need comes before what
 * some use and could do without, and that before what they may use and do not. Each
 * layer fills the lowest first, up to a common level, so that nobody gains from claiming
 * more than others could get. Levels are found by halving, without a division.
 */
#include "minmax.h"
#include "policy.h"

/* Pages that can be meant at most, whatever is said. */
static uint64_t most_of(const struct policy_limits *l)
{
	uint64_t budget = min_u64(l->budget, POLICY_MAX_PAGES);

	return l->most ? min_u64(l->most, budget) : budget;
}

/* What a guest has when its layer is filled up to a level: never less than before. */
static uint64_t filled(uint64_t has, uint64_t want, uint64_t level)
{
	return max_u64(has, min_u64(want, level));
}

static uint64_t sum_filled(const uint64_t *has, const uint64_t *want, size_t nr,
			   uint64_t level)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += filled(has[i], want[i], level);
	return sum;
}

/*
 * Fills @has towards @want so that the sum stays within @pages; as it is before. What a
 * common level leaves over, less than a page for each, goes to the first ones.
 */
static void fill(uint64_t *has, const uint64_t *want, size_t nr, uint64_t pages)
{
	uint64_t low = 0, high = POLICY_MAX_PAGES, left;
	size_t i;

	while (low < high) {
		uint64_t level = high - (high - low) / 2;

		if (sum_filled(has, want, nr, level) <= pages)
			low = level;
		else
			high = level - 1;
	}
	left = pages - sum_filled(has, want, nr, low);
	for (i = 0; i < nr; i++) {
		uint64_t more = filled(has[i], want[i], low + 1);

		has[i] = filled(has[i], want[i], low);
		if (more > has[i] && left) {
			has[i]++;
			left--;
		}
	}
}

uint64_t policy_counted(const struct policy_limits *l, const struct policy_guest *g)
{
	uint64_t most = most_of(l);

	switch (g->state) {
	case POLICY_ANSWERED:
	case POLICY_SILENT:
		/* A grant counts as it is: no claim, but what we know. */
		return max_u64(min_u64(g->grant, POLICY_MAX_PAGES), min_u64(g->in_place, most));
	default:
		return most;
	}
}

uint64_t policy_room(const struct policy_limits *l, const struct policy_guest *g, size_t nr)
{
	uint64_t room = min_u64(l->budget, POLICY_MAX_PAGES);
	size_t i;

	for (i = 0; i < nr && room; i++)
		room -= min_u64(room, policy_counted(l, &g[i]));
	return room;
}

/* Looks without a sign of growth before a guest is done with it; a sign is so many pages. */
#define GROWTH_LOOKS	4
#define GROWTH_PAGES	256

bool policy_grows(struct policy_growth *growth, uint64_t in_place, uint64_t want)
{
	uint64_t now = min_u64(in_place, POLICY_MAX_PAGES);
	uint64_t before = growth->known ? growth->used : now;

	growth->known = true;
	growth->used = now;
	if (want || now > before + max_u64(before / 64, GROWTH_PAGES))
		growth->looks = GROWTH_LOOKS;
	else if (now < before - before / 8)
		growth->looks = 0;
	else if (growth->looks)
		growth->looks--;
	return growth->looks;
}

/* Claims within reason, of one that has answered. */
struct claim {
	uint64_t grant, used, hot, want;
	bool grows;
};

static struct claim claim_of(const struct policy_limits *l, const struct policy_guest *g)
{
	uint64_t most = most_of(l);
	struct claim c = {
		.grant = min_u64(g->grant, most),
		.used = min_u64(g->in_place, most),
		.want = min_u64(g->want, most),
		.grows = g->grows || g->want,
	};

	c.hot = min_u64(g->hot, c.used);
	return c;
}

enum layer {
	LAYER_FLOOR,	/* what everybody keeps */
	LAYER_NEED,	/* what is hot, and what there was no grant for */
	LAYER_USED,	/* what is in place and looks cold */
	LAYER_GROWTH,	/* all that nobody uses, if some grow */
	LAYER_GRANT,	/* else: what was granted and is not used */
	LAYER_REST,	/* what nobody has asked for */
	NR_LAYERS,
};

static uint64_t layer_want(enum layer layer, const struct claim *c, uint64_t floor,
			   uint64_t most)
{
	switch (layer) {
	case LAYER_FLOOR:
		return min_u64(floor, most);
	case LAYER_NEED:
		return min_u64(c->hot + c->want, most);
	case LAYER_USED:
		/* What it uses beyond its grant it has no right to. */
		return min_u64(min_u64(c->used, c->grant) + c->want, most);
	case LAYER_GROWTH:
		return c->grows ? most : 0;
	case LAYER_GRANT:
		return c->grant;
	default:
		return most;
	}
}

/*
 * What a grant above its target becomes now. Down by half of what is used, and by all
 * that is not: processors tell of a use only now and then, so some of what looks cold is
 * not, and shows by being wanted again. A 32nd less is not worth a command.
 */
static uint64_t step_down(const struct policy_limits *l, const struct policy_guest *g)
{
	uint64_t used = min_u64(min_u64(g->in_place, g->grant), most_of(l));
	uint64_t step = used > g->target ? g->target + (used - g->target) / 2 : g->target;

	return g->grant <= most_of(l) && g->grant - g->target < g->grant / 32 ? g->grant : step;
}

void policy_plan(const struct policy_limits *l, struct policy_guest *g, size_t nr)
{
	uint64_t has[POLICY_MAX_GUESTS], want[POLICY_MAX_GUESTS];
	uint64_t budget = min_u64(l->budget, POLICY_MAX_PAGES), left = budget;
	uint64_t most = most_of(l), floor, grants = 0, sum = 0;
	size_t who[POLICY_MAX_GUESTS], n = 0, i;
	bool too_much;
	enum layer layer;

	if (nr > POLICY_MAX_GUESTS)
		nr = POLICY_MAX_GUESTS;
	if (!nr)
		return;
	floor = l->floor ? min_u64(l->floor, POLICY_MAX_PAGES) : budget / (4 * nr);

	for (i = 0; i < nr; i++) {
		g[i].target = g[i].grant;
		g[i].next = g[i].grant;
		g[i].reason = POLICY_SAME;
		if (g[i].state == POLICY_ANSWERED) {
			has[n] = 0;
			who[n++] = i;
		} else if (g[i].state == POLICY_SILENT) {
			left -= min_u64(left, g[i].grant);
		}
	}

	for (layer = 0; layer < NR_LAYERS && n; layer++) {
		for (i = 0; i < n; i++) {
			struct claim c = claim_of(l, &g[who[i]]);

			want[i] = layer_want(layer, &c, floor, most);
		}
		fill(has, want, n, left);
	}

	for (i = 0; i < n; i++) {
		struct policy_guest *one = &g[who[i]];

		one->target = has[i];
		grants += min_u64(one->grant, POLICY_MAX_PAGES);
		sum += one->target < one->grant ? step_down(l, one) : one->grant;
	}
	/* The budget has become less: then there is no time for steps. */
	too_much = sum > left;
	for (i = 0; i < n; i++) {
		struct policy_guest *one = &g[who[i]];

		if (one->target >= one->grant)
			continue;
		one->next = too_much ? one->target : step_down(l, one);
		if (one->next != one->grant)
			one->reason = grants > left ? POLICY_BUDGET : POLICY_OTHERS;
	}
}

void policy_raise(const struct policy_limits *l, struct policy_guest *g, size_t nr)
{
	uint64_t has[POLICY_MAX_GUESTS], want[POLICY_MAX_GUESTS];
	uint64_t sum = 0, room;
	size_t who[POLICY_MAX_GUESTS], n = 0, i;

	if (nr > POLICY_MAX_GUESTS)
		nr = POLICY_MAX_GUESTS;
	room = policy_room(l, g, nr);
	for (i = 0; i < nr; i++) {
		g[i].next = g[i].grant;
		g[i].reason = POLICY_SAME;
		if (g[i].state != POLICY_ANSWERED || g[i].target <= g[i].grant)
			continue;
		has[n] = g[i].grant;
		want[n] = g[i].target;
		sum += has[n];
		who[n++] = i;
	}
	if (!n)
		return;
	fill(has, want, n, sum + room);
	for (i = 0; i < n; i++) {
		struct policy_guest *one = &g[who[i]];

		if (has[i] == one->grant)
			continue;
		one->next = has[i];
		one->reason = one->want ? POLICY_WANTS : POLICY_SPARE;
	}
}

const char *policy_reason_text(enum policy_reason reason)
{
	switch (reason) {
	case POLICY_BUDGET:
		return "there is not as much";
	case POLICY_OTHERS:
		return "others want it";
	case POLICY_WANTS:
		return "wants more";
	case POLICY_SPARE:
		return "nobody else wants it";
	default:
		return "as it was";
	}
}
