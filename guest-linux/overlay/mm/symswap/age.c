// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: the VMM's grant, and which pages go when it is short.
 */

#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/symbiotic.h>
#include <linux/symswap.h>
#include <linux/workqueue.h>

#include "../internal.h"
#include "internal.h"

/* ---- The VMM's grant, and what it is told ------------------------------- */

/* One counter, of all CPUs. */
unsigned long symswap_stat_sum(const struct symswap_window *win,
			       enum symswap_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(win->stats, cpu)[stat];
	return sum;
}

static unsigned long symswap_over(const struct symswap_window *win,
				  unsigned long want)
{
	unsigned long nr = atomic_long_read(&win->in_place);

	return nr > want ? nr - want : 0;
}

/* The words of the global page that are for the swap window, or NULL. */
static struct symspy_swap *symswap_spy(const struct symswap_window *win)
{
	struct symspy_global *global;

	/* There is one grant: the first window's. */
	if (!win->vmm || !symbiotic_has(SYMB_FEAT_SWAP_GRANT))
		return NULL;
	global = symspy_global_page();
	return global ? &global->swap : NULL;
}

/* Pages that could not be given back when that was tried last. */
unsigned long symswap_unreturned(const struct symswap_window *win)
{
	unsigned long over = symswap_over(win, READ_ONCE(win->grant));
	unsigned long held = atomic_long_read(&win->held);

	return READ_ONCE(win->stuck) ? max(over, held) : held;
}

/* From the limit, and what the VMM grants at this moment. */
void symswap_update_grant(struct symswap_window *win)
{
	const struct symspy_swap *spy = symswap_spy(win);
	u64 grant = READ_ONCE(win->limit);

	/* Whatever the VMM writes there is a number of pages. */
	if (spy)
		grant = min(grant, READ_ONCE(spy->grant));
	if (symswap_only_ram)
		grant = 0;
	WRITE_ONCE(win->grant, grant);
}

/* A VMM of version 1.2 may have no room for it. */
static bool symswap_spy_has_held(const struct symspy_global *global)
{
	return READ_ONCE(global->ext.size) + SYMSPY_EXT_OFFSET >=
	       offsetofend(struct symspy_global, swap.held);
}

/* Tell the VMM. What is hot is known after a look at some pages; see @round. */
void symswap_report(struct symswap_window *win,
		    const struct symswap_round *round)
{
	struct symspy_swap *spy = symswap_spy(win);
	u64 in_place = atomic_long_read(&win->in_place);

	if (!spy)
		return;
	WRITE_ONCE(spy->in_place, in_place);
	WRITE_ONCE(spy->wanted, symswap_stat_sum(win, SYMSWAP_DECLINED_GRANT) +
				symswap_stat_sum(win, SYMSWAP_TOUCH_DECLINED));
	if (symswap_spy_has_held(container_of(spy, struct symspy_global, swap)))
		WRITE_ONCE(spy->held, symswap_unreturned(win));
	if (round && round->used)
		WRITE_ONCE(spy->hot, div64_u64(in_place * round->hot, round->used));
	else if (!in_place)
		WRITE_ONCE(spy->hot, 0);
}

/* ---- Aging -------------------------------------------------------------- */

/*
 * Pages in place are on no LRU list. While faults find no grant left, a clock
 * hand goes round: a page that has not been touched since the last time is
 * swapped out again, to its slot.
 */
#define SYMSWAP_AGE_INTERVAL	(HZ / 10)
/* A round takes this many intervals at the least. */
#define SYMSWAP_AGE_SHARE	8
/* Pages to look at in an interval: for the VMM's information, and for room. */
#define SYMSWAP_AGE_SAMPLE	512UL
#define SYMSWAP_AGE_SCAN	4096UL
/*
 * Hot pages that move to memory in it, if some is free, or is made free. There is no hurry
 * while no more than half of the grant is used, as the VMM takes the rest first, and before
 * it is known that they stay hot.
 */
#define SYMSWAP_AGE_LIFT	64UL
#define SYMSWAP_AGE_LIFT_EASY	16UL
/* Slots to pass in it at the most, where few of them are in use. */
#define SYMSWAP_AGE_SLOTS	16384UL

static bool symswap_young_one(struct folio *folio, struct vm_area_struct *vma,
			      unsigned long vaddr, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, vaddr, 0);
	bool *young = arg;

	while (page_vma_mapped_walk(&pvmw))
		*young |= ptep_clear_young_notify(vma, pvmw.address, pvmw.pte);
	return true;
}

/* Mappings that say of themselves that their uses mean nothing. */
static bool symswap_no_recency(struct vm_area_struct *vma, void *arg)
{
	return !vma_has_recency(vma);
}

static bool symswap_walks(void)
{
	return !symswap_skip(SYMSWAP_RULE_HOT);
}

/*
 * Has a locked page been used since the last look? folio_referenced() is for
 * pages on an LRU list: with MGLRU it takes the accessed bits of up to 63
 * neighbours along, for the list walk that it expects to follow, and asks for
 * the page's memory cgroup. Pages in place are on no list and have none.
 */
static bool symswap_used(struct folio *folio)
{
	/* Accessed by others than a processor, or a bit that MGLRU's walk took. */
	bool young = folio_test_clear_referenced(folio);
	struct rmap_walk_control rwc = {
		.rmap_one = symswap_young_one,
		.arg = &young,
		.anon_lock = folio_lock_anon_vma_read,
		.invalid_vma = symswap_no_recency,
		.try_lock = true,
	};
	unsigned long vm_flags;

	if (!symswap_walks())
		return folio_referenced(folio, 1, NULL, &vm_flags);
	/* Also: its anon_vma is there. */
	if (folio_mapped(folio))
		rmap_walk(folio, &rwc);
	return young || rwc.contended;
}

/* Pages that are unmapped wait for one flush of the TLBs, locked meanwhile. */
static unsigned long symswap_finish(struct symswap_batch *batch)
{
	unsigned long pushed = 0;
	struct folio *folio;

	try_to_unmap_flush();
	while (batch->nr) {
		folio = batch->folios[--batch->nr];
		pushed += symswap_let_go(symswap_window_of(folio), folio);
	}
	return pushed;
}

static bool symswap_ages(void)
{
	return !symswap_skip(SYMSWAP_RULE_AGE);
}

/*
 * What one round is for.
 * @slots: to pass at the most
 * @scan: pages to look at, at the most
 * @push: cold ones to push out
 * @lift: hot ones to move to memory
 * @all: push hot ones, too
 */
struct symswap_aim {
	unsigned long slots;
	unsigned long scan;
	unsigned long push;
	unsigned long lift;
	bool all;
};

static struct symswap_round symswap_age(struct symswap_window *win,
					const struct symswap_aim *aim)
{
	unsigned long slots;
	struct symswap_round round = { };
	struct symswap_batch batch = { };
	struct folio *folio;
	bool hot;

	if (!symswap_ages())
		return round;
	for (slots = aim->slots; slots && round.used < aim->scan; slots--) {
		cond_resched();
		if (++win->hand >= win->nr_pages)
			win->hand = 1;
		folio = symswap_get(win, win->hand, false);
		if (!folio)
			continue;
		/* Locked: who migrates it waits, and does not find one user too many. */
		if (!folio_trylock(folio)) {
			folio_put(folio);
			continue;
		}
		hot = symswap_used(folio);
		round.used++;
		round.hot += hot;
		if ((hot && !aim->all) || round.pushed + batch.nr >= aim->push) {
			folio_unlock(folio);
			if (!hot || round.tried >= aim->lift ||
			    !symswap_may_lift(win, folio)) {
				folio_put(folio);
				continue;
			}
			/* That waits for a lock, which is not to be done with others. */
			round.pushed += symswap_finish(&batch);
			round.tried++;
			symswap_lift(win, folio);
			continue;
		}
		if (symswap_unmap(win, folio))
			batch.folios[batch.nr++] = folio;
		if (batch.nr == ARRAY_SIZE(batch.folios))
			round.pushed += symswap_finish(&batch);
	}
	round.pushed += symswap_finish(&batch);
	return round;
}

/*
 * By advice, such as MADV_PAGEOUT: hot ones, too. Not while a swapoff brings all in, as it
 * would have to look for them once more.
 */
void __symswap_page_out(struct symswap_batch *out)
{
	unsigned int i, nr = out->nr;
	struct symswap_window *win;
	struct folio *folio;

	for (out->nr = 0, i = 0; i < nr; i++) {
		folio = out->folios[i];
		win = symswap_window_of(folio);
		if (!READ_ONCE(win->active) || !folio_trylock(folio))
			folio_put(folio);
		else if (symswap_unmap(win, folio))
			out->folios[out->nr++] = folio;
	}
	symswap_finish(out);
}

/* Pages that it moves to memory because they are hot and some is free. */
static bool symswap_lifts(const struct symswap_window *win)
{
	return READ_ONCE(win->touch) != SYMSWAP_TOUCH_OFF && !symswap_only_ram;
}

/*
 * More pages are in place than granted: cold pages go first, then hot ones to the
 * guest's own memory, where some is free; then any, and what is locked into memory
 * goes to the guest's own. What somebody else has a reference to stays.
 */
static struct symswap_round symswap_give_back(struct symswap_window *win,
					      unsigned long grant)
{
	struct symswap_aim aim = { .slots = win->nr_pages, .scan = ULONG_MAX };
	struct symswap_round round;
	unsigned long over;

	symswap_count(win, SYMSWAP_SEARCHES, 1);
	over = symswap_over(win, grant);
	aim.push = over;
	round = symswap_age(win, &aim);
	over -= round.pushed;
	if (over && symswap_lifts(win))
		over -= symswap_lift_any(win, over);
	if (over) {
		lru_add_drain_all();
		aim.push = over;
		aim.all = true;
		over -= symswap_age(win, &aim).pushed;
	}
	if (over)
		symswap_move(win, false, over);

	win->tried = grant;
	WRITE_ONCE(win->stuck, symswap_over(win, grant));
	if (win->stuck)
		symswap_backoff(&win->age_backoff);
	else
		symswap_backoff_reset(&win->age_backoff);
	return round;
}

/* A new grant, or time to try once more? */
static bool symswap_must_give_back(struct symswap_window *win, unsigned long grant)
{
	if (!symswap_over(win, grant)) {
		WRITE_ONCE(win->stuck, false);
		return false;
	}
	if (win->stuck && grant == win->tried)
		return time_after_eq(jiffies, win->age_backoff.next);
	symswap_backoff_reset(&win->age_backoff);
	return true;
}

/* Room is made while it is wanted, and memory used that is free. */
static struct symswap_round symswap_look_round(struct symswap_window *win,
					       unsigned long grant)
{
	unsigned long declined = symswap_stat_sum(win, SYMSWAP_DECLINED_GRANT);
	unsigned long touches = symswap_stat_sum(win, SYMSWAP_TOUCH_DECLINED);
	unsigned long in_place = atomic_long_read(&win->in_place), want = grant;
	bool hurry = in_place > grant / 2 && symswap_exchange_pays(&win->exchange);
	struct symswap_round round;
	/* The VMM wants to know always. */
	struct symswap_aim aim = {
		.slots = min(win->nr_pages, SYMSWAP_AGE_SLOTS),
		.scan = SYMSWAP_AGE_SAMPLE,
	};

	if (touches != win->touch_declined)
		want = symswap_touch_limit(grant);
	if (want != grant || declined != win->declined) {
		aim.scan = SYMSWAP_AGE_SCAN;
		aim.push = symswap_over(win, want - grant / SYMSWAP_AGE_ROOM);
	}
	/* With "always", what is in the window was to be there. */
	if (symswap_lifts(win) && READ_ONCE(win->touch) == SYMSWAP_TOUCH_AUTO) {
		aim.lift = min(hurry ? SYMSWAP_AGE_LIFT : SYMSWAP_AGE_LIFT_EASY,
			       symswap_ram_spare());
		if (!aim.lift && hurry)
			aim.lift = symswap_make_room(win, min(SYMSWAP_AGE_LIFT,
							      win->exchange.hot));
	}
	aim.scan = min(aim.scan, DIV_ROUND_UP(in_place, SYMSWAP_AGE_SHARE));
	win->declined = declined;
	win->touch_declined = touches;
	round = symswap_age(win, &aim);
	symswap_exchange_note(&win->exchange, round.hot);
	return round;
}

void symswap_age_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, age_work);
	struct symswap_round round;
	unsigned long grant;

	symswap_update_grant(win);
	grant = READ_ONCE(win->grant);
	if (symswap_must_give_back(win, grant))
		round = symswap_give_back(win, grant);
	else
		round = symswap_look_round(win, grant);
	symswap_report(win, &round);

	if (symswap_only_ram) {
		/* A fault counts its pages, then looks at the grant. */
		smp_mb();
		if (atomic_long_read(&win->in_place))
			queue_delayed_work(symswap_wq, &win->age_work,
					   win->age_backoff.pause);
	} else if ((READ_ONCE(win->active) || atomic_long_read(&win->in_place)) &&
		   (symswap_spy(win) || grant < win->nr_pages)) {
		queue_delayed_work(symswap_wq, &win->age_work,
				   SYMSWAP_AGE_INTERVAL);
	}
}
