// SPDX-License-Identifier: GPL-2.0
/* How much of the host's memory the windows may have. */
#include "budget.h"

/* Pages beyond all reason, so that no sum wraps. */
#define BUDGET_SANE	(1ULL << 50)

static uint64_t sane(uint64_t pages)
{
	return pages < BUDGET_SANE ? pages : BUDGET_SANE;
}

static uint64_t within(uint64_t pages, uint64_t min, uint64_t max)
{
	if (pages < min)
		pages = min;
	return pages > max ? max : pages;
}

/* The share of the time since the last sample; the counter may begin anew. */
static unsigned int percent(const struct budget *b, const struct budget_sample *s)
{
	int64_t ms = s->now_ms - b->last_ms;
	uint64_t us;

	if (ms <= 0 || s->stall_us < b->last_stall_us)
		return 0;
	us = s->stall_us - b->last_stall_us;
	/* 1 % of a millisecond is 10 us. */
	us /= 10 * (uint64_t)ms;
	return us > 100 ? 100 : us;
}

uint64_t budget_next(struct budget *b, const struct budget_limits *l,
		     const struct budget_sample *s)
{
	uint64_t max = sane(l->max), min = sane(l->min);
	uint64_t have = sane(s->used) + sane(s->available), reserve = sane(l->reserve);
	uint64_t want = have > reserve ? have - reserve : 0, least;

	if (!b->started) {
		b->started = true;
		b->pages = want > sane(s->granted) ? want : sane(s->granted);
		b->last_ms = s->now_ms;
		b->last_stall_us = s->stall_us;
		b->pages = within(b->pages, min, max);
		return b->pages;
	}

	b->percent = percent(b, s);
	b->last_ms = s->now_ms;
	b->last_stall_us = s->stall_us;
	if (l->pressure && b->percent >= l->pressure) {
		b->waited = true;
		b->waited_ms = s->now_ms;
		if (want > b->pages - b->pages / 8)
			want = b->pages - b->pages / 8;
	} else if (b->waited && s->now_ms - b->waited_ms >= BUDGET_QUIET_MS) {
		b->waited = false;
	}

	least = b->pages - b->pages / 4;
	if (want < least)
		want = least;
	/* Free memory is never the same twice; a 64th is not worth a change of grants. */
	if (want > b->pages) {
		uint64_t more = want - b->pages, found = sane(s->found);

		if (found > more)
			found = more;
		b->pages += found;
		more -= found;
		if (b->waited || more < b->pages / 64)
			more = 0;
		/* The last page has to come, too. */
		b->pages += more / 8 + (more && more < 8);
	} else if (b->pages - want >= b->pages / 64) {
		b->pages = want;
	}
	b->pages = within(b->pages, min, max);
	return b->pages;
}
