// SPDX-License-Identifier: GPL-2.0
/* Rounds: what is asked, decided and told when. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "minmax.h"
#include "text.h"

/* Between the starts of two rounds, whatever happens. */
#define ROUND_MIN_MS	100
/* Who says that it takes no part is asked again, in case that it is another one. */
#define ROUNDS_WITHOUT	10
/*
 * Who uses more than its grant for so long does not keep to the contract, which is a second
 * for each GiB: twice that, and something for a machine that is busy.
 */
#define OVER_MS		5000
#define OVER_GIB_MS	2000
#define GIB_PAGES	(1 << 18)

int64_t daemon_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void daemon_init(struct daemon *d)
{
	d->notify_fd = -1;
	d->step = ROUND_REST;
	d->pages = d->config.budget;
	d->next_round = daemon_now();
	d->next_plan = d->next_round;
	d->round_start = d->next_round - ROUND_MIN_MS;
}

void daemon_exit(struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->nr_guests; i++)
		guest_free(d->guests[i]);
	d->nr_guests = 0;
	if (d->notify_fd >= 0)
		close(d->notify_fd);
	d->notify_fd = -1;
}

struct policy_limits daemon_limits(const struct daemon *d)
{
	return (struct policy_limits){
		.budget = d->pages,
		.floor = d->config.floor,
		.most = d->config.guest_max,
	};
}

size_t daemon_policy(const struct daemon *d, struct policy_guest *p, struct guest **of)
{
	size_t i, n = 0;

	for (i = 0; i < d->nr_guests; i++) {
		if (!guest_for_policy(d->guests[i], &p[n]))
			continue;
		of[n++] = d->guests[i];
	}
	return n;
}

/* ---- what happens to a guest ---------------------------------------------- */

static void gone(struct guest *g)
{
	if (g->present)
		log_line(LOG_INFO, "%s: gone", g->name);
	guest_forget(g);
}

/*
 * Said once, however long it lasts; of those that were never ours not at all where there are
 * more than can take part, as they take turns.
 */
static void fail(const struct daemon *d, const struct guest *g, bool was_silent)
{
	if (was_silent)
		return;
	if (g->ours)
		log_line(LOG_WARNING, "%s: silent, so it keeps what it has: %s", g->name, g->error);
	else if (!d->full_said)
		log_line(LOG_WARNING, "%s: silent, and until it answers nobody gets more: %s",
			 g->name, g->error);
}

static void ask(struct daemon *d, struct guest *g, int64_t now)
{
	bool was_silent = g->silent;

	/* Of the last round, one that is slow: its answer is taken for this round's. */
	if (g->fd >= 0)
		return;
	if (g->skip) {
		g->skip--;
		return;
	}
	switch (guest_open(g, now, d->config.patience)) {
	case GUEST_OPEN:
		g->present = true;
		break;
	case GUEST_GONE:
		gone(g);
		break;
	case GUEST_DEAF:
		g->present = true;
		guest_failed(g, g->error);
		fail(d, g, was_silent);
		break;
	}
}

/* Pages that it uses beyond its grant; but what it cannot give back it says, and need not. */
static uint64_t to_give_back(const struct guest *g)
{
	uint64_t more = g->info.in_place > g->grant ? g->info.in_place - g->grant : 0;

	return more - min_u64(more, g->info.held);
}

/* By the clock, however many rounds that is. */
static void over(const struct daemon *d, struct guest *g, int64_t now)
{
	uint64_t most = d->memory.total ? d->memory.total : POLICY_MAX_PAGES;
	char used[16], grant[16];
	int64_t limit;

	if (!g->ours || !to_give_back(g)) {
		guest_keeps_to_grant(g);
		return;
	}
	if (!g->over_since)
		g->over_since = now;
	/* All of it, and not what is left, if the grant becomes smaller meanwhile. */
	g->over_from = max_u64(g->over_from, min_u64(min_u64(g->info.in_place, g->peak), most));
	limit = OVER_MS;
	if (g->over_from > g->grant)
		limit += (g->over_from - g->grant) * OVER_GIB_MS / GIB_PAGES;
	if (g->stubborn || now - g->over_since < limit)
		return;
	g->stubborn = true;
	log_line(LOG_WARNING, "%s: says to use %s of %s, and does not give back", g->name,
		 text_size(used, sizeof(used), g->info.in_place),
		 text_size(grant, sizeof(grant), g->grant));
}

void daemon_guest_io(struct daemon *d, struct guest *g, int64_t now)
{
	bool was_silent = g->silent, had_none = g->no_grants;
	enum qmp_event event;

	if (g->fd < 0)
		return;
	event = guest_io(g);
	if (event != QMP_NOTHING)
		g->late = now - g->asked >= d->config.interval;
	switch (event) {
	case QMP_INFO:
		if (was_silent)
			log_line(LOG_INFO, "%s: answers", g->name);
		if (g->no_grants) {
			if (!had_none && !d->full_said)
				log_line(LOG_INFO, "%s: has no grants, so it has no part", g->name);
			g->skip = ROUNDS_WITHOUT;
			guest_close(g);
		} else {
			over(d, g, now);
		}
		break;
	case QMP_GRANTED:
	case QMP_PAGED_OUT:
		/* After its round: that was all. */
		if (d->step == ROUND_REST || d->step == ROUND_ASK)
			guest_close(g);
		break;
	case QMP_REFUSED:
		guest_failed(g, g->error);
		fail(d, g, was_silent);
		break;
	case QMP_ERROR:
		fail(d, g, was_silent);
		break;
	default:
		break;
	}
}

/* ---- decisions ------------------------------------------------------------ */

/* One line: who, what it had, what it gets, and why. */
static void tell(const struct guest *g, const struct policy_guest *p)
{
	char old[16], new[16], used[16], hot[16];

	if (p->next == g->grant) {
		log_line(LOG_INFO, "%s: found with %s", g->name,
			 text_size(old, sizeof(old), g->grant));
		return;
	}
	log_line(LOG_INFO, "%s: %s -> %s: %s (uses %s, %s hot, %" PRIu64 " faults without a grant)",
		 g->name, text_size(old, sizeof(old), g->grant),
		 text_size(new, sizeof(new), p->next), policy_reason_text(p->reason),
		 text_size(used, sizeof(used), g->info.in_place),
		 text_size(hot, sizeof(hot), g->info.hot), g->want);
}

static void grant(struct daemon *d, struct guest *g, const struct policy_guest *p, int64_t now)
{
	if (g->fd < 0 || g->task != GUEST_NO_TASK)
		return;
	tell(g, p);
	g->reason = p->reason;
	guest_send_grant(g, p->next, now, d->config.patience);
}

/*
 * What a guest uses of the host's memory: also what it has yet to give back, which is not
 * available before. What it was not granted it may have made up, and so may who never
 * gives back.
 */
static uint64_t used_by(const struct guest *g)
{
	uint64_t used = min_u64(g->info.in_place, g->given);

	return g->stubborn ? min_u64(used, g->grant) : used;
}

/* An automatic budget: by what the host has left. Returns false while there is none. */
static bool follow_host(struct daemon *d, struct guest *const *of, const struct policy_guest *p,
			size_t n, int64_t now)
{
	struct budget_limits l = {
		.min = d->config.budget_min,
		.max = d->config.budget_max ? d->config.budget_max : POLICY_MAX_PAGES,
		.reserve = d->config.reserve,
		.pressure = d->config.pressure,
	};
	struct budget_sample s = { .now_ms = now, .found = d->found };
	char old[16], new[16], left[16];
	uint64_t before = d->pages;
	bool first = !d->budget.started;
	size_t i;

	if (host_read(d->config.proc, &d->memory)) {
		if (!d->memory_failed)
			log_line(LOG_ERR, "cannot read the host's memory; the budget stays");
		d->memory_failed = true;
		return !first;
	}
	d->memory_failed = false;
	d->found = 0;
	/* More than the host has cannot be. */
	if (l.max > d->memory.total)
		l.max = d->memory.total;
	if (!l.reserve)
		l.reserve = d->memory.total / 8;
	d->lacking = l.reserve - min_u64(l.reserve, d->memory.available);
	s.available = d->memory.available;
	s.stall_us = d->memory.stall_us;
	for (i = 0; i < n; i++) {
		uint64_t has = p[i].grant > l.max ? 0 : p[i].grant;

		s.granted += has;
		s.found += of[i]->planned && !of[i]->ours ? has : 0;
		s.used += used_by(of[i]);
	}
	/* What is available nobody uses, whatever is claimed. */
	s.used = min_u64(s.used, d->memory.total - min_u64(d->memory.total, s.available));
	d->pages = budget_next(&d->budget, &l, &s);
	/* Tasks wait for memory, whatever is said to be available. */
	if (l.pressure && d->budget.percent >= l.pressure)
		d->lacking = max_u64(d->lacking, l.reserve / 8);
	if (d->pages != before)
		log_line(LOG_INFO, "budget: %s -> %s: %s available, tasks wait %u %% of the time",
			 first ? "none" : text_size(old, sizeof(old), before),
			 text_size(new, sizeof(new), d->pages),
			 text_size(left, sizeof(left), s.available), d->budget.percent);
	return true;
}

/* Who has answered takes part. */
static void take_part(struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->nr_guests; i++) {
		struct guest *g = d->guests[i];

		g->planned = g->answered && g->task == GUEST_NO_TASK;
		if (!g->planned || d->brief)
			continue;
		g->want_used = true;
		g->grows = policy_grows(&g->growth, g->info.in_place, g->want);
	}
}

/* All have been asked: who has to give? */
static void lower(struct daemon *d, int64_t now)
{
	struct policy_guest p[POLICY_MAX_GUESTS];
	struct guest *of[POLICY_MAX_GUESTS];
	struct policy_limits l;
	size_t n, i;

	n = daemon_policy(d, p, of);
	if (d->config.automatic && !follow_host(d, of, p, n, now))
		return;
	l = daemon_limits(d);
	policy_plan(&l, p, n);

	d->unknown = 0;
	for (i = 0; i < n; i++) {
		struct guest *g = of[i];

		d->unknown += p[i].state == POLICY_UNKNOWN;
		g->target = p[i].target;
		/* One that is found has its grant confirmed, so that it is ours. */
		if (g->planned && (p[i].next < g->grant || !g->ours))
			grant(d, g, &p[i], now);
	}
}

/*
 * In a short round: who is new gets a limit, or the one that it has confirmed. Who has to
 * give for it does so in the next whole round, so that it is always an interval from one
 * step down to the next, however many come and go.
 */
static void take_in(struct daemon *d, int64_t now)
{
	struct policy_guest p[POLICY_MAX_GUESTS];
	struct guest *of[POLICY_MAX_GUESTS];
	struct policy_limits l = daemon_limits(d);
	size_t n = daemon_policy(d, p, of), i;

	if (d->config.automatic && !d->budget.started)
		return;
	policy_plan(&l, p, n);
	for (i = 0; i < n; i++) {
		struct guest *g = of[i];

		if (!g->planned || g->ours)
			continue;
		if (g->grant <= POLICY_MAX_PAGES) {
			p[i].next = g->grant;
			p[i].reason = POLICY_SAME;
			d->found += g->grant <= d->memory.total ? g->grant : 0;
		}
		g->target = p[i].next;
		grant(d, g, &p[i], now);
	}
}

static void raise_grants(struct daemon *d, int64_t now)
{
	struct policy_guest p[POLICY_MAX_GUESTS];
	struct guest *of[POLICY_MAX_GUESTS];
	struct policy_limits l = daemon_limits(d);
	size_t n = daemon_policy(d, p, of), i;

	policy_raise(&l, p, n);
	for (i = 0; i < n; i++)
		if (p[i].next > of[i]->grant)
			grant(d, of[i], &p[i], now);
}

/*
 * The host is about to page out something: first what nobody uses. From each an equal
 * part, as nobody knows yet who has it.
 */
static void page_out(struct daemon *d, int64_t now)
{
	struct guest *of[POLICY_MAX_GUESTS];
	char lacking[16];
	size_t n = 0, i;

	if (!d->config.page_out || !d->lacking || d->memory_failed) {
		d->lacking_said = false;
		return;
	}
	for (i = 0; i < d->nr_guests; i++) {
		struct guest *g = d->guests[i];

		if (g->keeps_cold)
			g->keeps_cold--;
		else if (g->planned && g->fd >= 0 && g->task == GUEST_NO_TASK)
			of[n++] = g;
	}
	if (n && !d->lacking_said) {
		log_line(LOG_INFO, "the host lacks %s: cold pages of %zu guests go first",
			 text_size(lacking, sizeof(lacking), d->lacking), n);
		d->lacking_said = true;
	}
	for (i = 0; i < n; i++)
		guest_send_page_out(of[i], d->lacking / n + 1, now, d->config.patience);
}

/* ---- the order of things -------------------------------------------------- */

static void time_out(struct daemon *d, int64_t now)
{
	size_t i;

	for (i = 0; i < d->nr_guests; i++) {
		struct guest *g = d->guests[i];
		bool was_silent = g->silent;

		if (g->task == GUEST_NO_TASK)
			continue;
		if (now - g->asked >= d->config.interval)
			g->late = true;
		if (now < g->deadline)
			continue;
		guest_failed(g, "no answer in time");
		fail(d, g, was_silent);
	}
}

/* Nobody waits for one that is known to be slow. */
static bool waited_for(const struct guest *g)
{
	return g->task != GUEST_NO_TASK && !g->silent && !g->late;
}

static bool waiting(const struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->nr_guests; i++)
		if (waited_for(d->guests[i]))
			return true;
	return false;
}

static void begin(struct daemon *d, int64_t now)
{
	size_t i;

	d->round_start = now;
	d->look = false;
	d->brief = now < d->next_plan;
	if (!d->brief)
		d->next_plan = now + d->config.interval;
	discover(d);
	for (i = 0; i < d->nr_guests; i++)
		ask(d, d->guests[i], now);
	d->step = ROUND_ASK;
}

/* Does somebody wait for what somebody gives back? Not for what nobody will. */
static bool on_its_way(const struct daemon *d)
{
	bool waits = false, gives = false;
	size_t i;

	for (i = 0; i < d->nr_guests; i++) {
		const struct guest *g = d->guests[i];

		waits |= g->planned && g->target > g->grant;
		gives |= g->planned && !g->stubborn && to_give_back(g);
	}
	return waits && gives;
}

static void end(struct daemon *d, int64_t now)
{
	int64_t soon = d->round_start + d->config.interval / 5;
	size_t i;

	d->next_round = d->next_plan;
	if (on_its_way(d) && soon < d->next_round)
		d->next_round = soon;
	if (d->next_round < now)
		d->next_round = now;
	for (i = 0; i < d->nr_guests; i++) {
		struct guest *g = d->guests[i];

		/* One whose answer came too late for this round keeps it for the next. */
		if (g->task != GUEST_NO_TASK || (g->answered && !g->planned))
			continue;
		guest_close(g);
		g->answered = false;
	}
	d->step = ROUND_REST;
	d->rounds++;
	/* What has happened meanwhile. */
	if (d->look)
		daemon_look(d, now);
}

/* The earliest time for another round. */
static int64_t soonest(const struct daemon *d, int64_t now)
{
	int64_t soon = d->round_start + ROUND_MIN_MS;

	return soon < now ? now : soon;
}

void daemon_look(struct daemon *d, int64_t now)
{
	int64_t soon = soonest(d, now);

	d->look = true;
	if (soon < d->next_round)
		d->next_round = soon;
}

void daemon_wake(struct daemon *d, int64_t now)
{
	int64_t soon = soonest(d, now);

	daemon_look(d, now);
	if (soon < d->next_plan)
		d->next_plan = soon;
}

int64_t daemon_timeout(const struct daemon *d, int64_t now)
{
	int64_t due = d->step == ROUND_REST ? d->next_round : INT64_MAX;
	size_t i;

	for (i = 0; i < d->nr_guests; i++) {
		const struct guest *g = d->guests[i];

		if (g->task != GUEST_NO_TASK && g->deadline < due)
			due = g->deadline;
		if (waited_for(g) && g->asked + d->config.interval < due)
			due = g->asked + d->config.interval;
	}
	if (due == INT64_MAX || due <= now)
		return 0;
	return due - now;
}

bool daemon_work(struct daemon *d, int64_t now)
{
	time_out(d, now);
	if (d->step == ROUND_REST && now >= d->next_round)
		begin(d, now);
	if (d->step == ROUND_ASK && !waiting(d)) {
		take_part(d);
		if (d->brief)
			take_in(d, now);
		else
			lower(d, now);
		d->step = ROUND_LOWER;
	}
	if (d->step == ROUND_LOWER && !waiting(d)) {
		raise_grants(d, now);
		d->step = ROUND_RAISE;
	}
	if (d->step == ROUND_RAISE && !waiting(d)) {
		if (!d->brief)
			page_out(d, now);
		d->step = ROUND_PAGE_OUT;
	}
	if (d->step != ROUND_PAGE_OUT || waiting(d))
		return false;
	end(d, now);
	return true;
}
