// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: is the guest's own memory short, or is some free? Pages of the
 * window that are hot move there then, as the window is what the VMM may ask back. If
 * none is free, colder ones go there for them.
 */

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/topology.h>
#include <linux/vmstat.h>

#include "internal.h"
#include "symswap_trace.h"

/* Short begins so many pages before the watermark at which reclaim ends. */
#define SYMSWAP_MARGIN		256UL
/* What a CPU takes from a zone at once, about. */
#define SYMSWAP_CPU_BATCH	64UL

/**
 * symswap_ram_margin() - how long before reclaim begins memory is short
 *
 * At the watermark itself half of the pages would come too late: CPUs take pages
 * in batches, and the count of free ones is late by as much. So is who does not ask
 * for each page.
 *
 * Context: any.
 * Return: pages.
 */
unsigned long symswap_ram_margin(void)
{
	return max(SYMSWAP_MARGIN,
		   (SYMSWAP_CPU_BATCH + SYMSWAP_TOUCH_ASKS) * num_online_cpus());
}

/*
 * Where a zone's reclaim ends when fragmentation has raised that as far as it may:
 * boost_watermark(), with the default of vm.watermark_boost_factor. kswapd then swaps
 * out until as much is free, whatever asked for it: a page table in another block.
 */
static unsigned long symswap_ram_high(const struct zone *zone)
{
	unsigned long high = zone->_watermark[WMARK_HIGH];

	return high + max(pageblock_nr_pages, high + high / 2);
}

/**
 * symswap_ram_short() - would the next pages soon have to be reclaimed?
 * @more: how many are taken at once, besides the first
 *
 * Not if there is much page cache that nobody has used twice: it goes first, and
 * costs no swapping. Memory that is full of that is not short.
 *
 * Context: any.
 * Return: true if no zone has more than the margin.
 */
bool symswap_ram_short(unsigned long more)
{
	const enum zone_type highest = gfp_zone(GFP_HIGHUSER_MOVABLE);
	struct zonelist *zonelist = node_zonelist(numa_node_id(), GFP_HIGHUSER_MOVABLE);
	unsigned long margin = symswap_ram_margin() + more;
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist(zone, z, zonelist, highest)
		if (zone_watermark_ok(zone, 0, symswap_ram_high(zone) + margin,
				      highest, 0))
			return false;
	return global_node_page_state(NR_INACTIVE_FILE) <=
	       totalram_pages() / SYMSWAP_CACHE_SHARE;
}

/**
 * symswap_ram_spare() - how much memory is free that first touches leave alone
 *
 * Two margins, so that what moves there makes nothing short.
 *
 * Context: any.
 * Return: pages.
 */
unsigned long symswap_ram_spare(void)
{
	unsigned long margin = 2 * symswap_ram_margin(), spare = 0, keep, nr;
	struct zone *zone;

	for_each_populated_zone(zone) {
		keep = symswap_ram_high(zone) + margin +
		       zone->lowmem_reserve[gfp_zone(GFP_USER)];
		nr = zone_page_state(zone, NR_FREE_PAGES);
		if (nr > keep)
			spare += nr - keep;
	}
	return spare;
}

/* ---- Cold pages make room ------------------------------------------------ */

/*
 * Memory that is full of cold pages is no place for hot ones, unless some of them go to
 * the window. Which are cold only reclaim knows, and where all are in use it takes some
 * all the same; and it drops page cache, or uses another swap device that is first. So it
 * is tried with a few at first. If they do not come back in a second, twice as many may
 * go in the next one; if half of them do, few again, and after a longer time.
 */
#define SYMSWAP_EXCHANGE_FIRST	64UL
#define SYMSWAP_EXCHANGE_MOST	640UL
#define SYMSWAP_PERIOD_FIRST	((unsigned long)HZ)
#define SYMSWAP_PERIOD_LAST	(16UL * HZ)

/*
 * Reclaim looks at all of memory for that, at the dearest by a walk of all page tables. What
 * is hot for a moment is not worth it: other pages of the window are, a moment later. And
 * the clock hand needs nearly as long to pass all of them once, cold ones among them.
 */
#define SYMSWAP_HOT_FOR		((unsigned long)HZ)

void symswap_exchange_init(struct symswap_exchange *x)
{
	x->hot = 0;
	x->hot_last = jiffies - 2 * SYMSWAP_HOT_FOR;
	x->out = 0;
	x->budget = SYMSWAP_EXCHANGE_FIRST;
	x->left = x->budget;
	x->period = SYMSWAP_PERIOD_FIRST;
}

/**
 * symswap_exchange_note() - a look at some pages of the window is over
 * @x: the exchange
 * @hot: how many of them had been used
 *
 * Context: any.
 */
void symswap_exchange_note(struct symswap_exchange *x, unsigned long hot)
{
	x->hot = hot;
	if (!hot)
		return;
	if (time_after(jiffies, x->hot_last + SYMSWAP_HOT_FOR))
		x->hot_since = jiffies;
	x->hot_last = jiffies;
}

/**
 * symswap_exchange_pays() - is room in memory worth its price?
 * @x: the exchange
 *
 * A lowered grant does not ask: that is the last moment.
 *
 * Context: any.
 * Return: true if the last look found pages that had been used, and others did for a second.
 */
bool symswap_exchange_pays(const struct symswap_exchange *x)
{
	return x->hot && time_after_eq(jiffies, x->hot_since + SYMSWAP_HOT_FOR);
}

/**
 * symswap_exchange_judge() - a period is over: go on like that?
 * @x: the exchange
 * @came: pages that came back in it, from the window or as refaults, for whatever reason
 * @lifted: that moved to memory; some may have found the room taken
 *
 * Context: any.
 */
void symswap_exchange_judge(struct symswap_exchange *x, unsigned long came,
			    unsigned long lifted)
{
	bool tried = x->left != x->budget;

	if (tried && (!x->out || came > x->out / 2 || lifted < x->out / 4)) {
		x->budget = SYMSWAP_EXCHANGE_FIRST;
		x->period = min(2 * x->period, SYMSWAP_PERIOD_LAST);
	} else if (tried) {
		x->budget = min(2 * x->budget, SYMSWAP_EXCHANGE_MOST);
		x->period = SYMSWAP_PERIOD_FIRST;
	}
	x->left = x->budget;
	x->out = 0;
}

#ifdef CONFIG_MEMCG
/*
 * As a write to memory.reclaim of the root does: nobody counts as waiting for memory.
 * Without file systems, as a swapoff waits for this. It uses no work of ours.
 */
static unsigned long symswap_reclaim(unsigned long nr)
{
	return try_to_free_mem_cgroup_pages(root_mem_cgroup, nr, GFP_NOFS,
					    MEMCG_RECLAIM_MAY_SWAP | MEMCG_RECLAIM_PROACTIVE,
					    NULL);
}
#else
static unsigned long symswap_reclaim(unsigned long nr)
{
	return 0;
}
#endif

/**
 * symswap_make_room() - have cold pages of memory go, for hot ones of a window
 * @win: the window
 * @nr: for how many
 *
 * Context: may sleep. In the window's age_work alone.
 * Return: pages that were reclaimed, at most @nr; 0 if it was in vain of late.
 */
unsigned long symswap_make_room(struct symswap_window *win, unsigned long nr)
{
	unsigned long came = symswap_stat_sum(win, SYMSWAP_PAGES) +
			     global_node_page_state(WORKINGSET_REFAULT_ANON) +
			     global_node_page_state(WORKINGSET_REFAULT_FILE);
	unsigned long lifted = symswap_stat_sum(win, SYMSWAP_LIFTED);
	struct symswap_exchange *x = &win->exchange;
	unsigned long got;

	if (!x->end || time_after_eq(jiffies, x->end)) {
		symswap_exchange_judge(x, came - x->came, lifted - x->lifted);
		x->came = came;
		x->lifted = lifted;
		x->end = jiffies + x->period;
	}
	nr = min(nr, x->left);
	/* Reclaim does not do less. */
	if (nr < SWAP_CLUSTER_MAX)
		return 0;
	got = symswap_reclaim(nr);
	x->out += got;
	x->left -= nr;
	symswap_count(win, SYMSWAP_EXCHANGED, got);
	return min(got, nr);
}

/* ---- Hot pages move there ------------------------------------------------ */

/**
 * symswap_may_lift() - may a page become memory because some is free?
 * @win: the window
 * @folio: its page, referenced
 *
 * Context: any.
 * Return: false if it is shared, or its memory cgroup is short.
 */
bool symswap_may_lift(struct symswap_window *win, struct folio *folio)
{
	return READ_ONCE(folio->page.zone_device_data) == SYMSWAP_KEPT &&
	       !symswap_group_of_slot_short(symswap_entry(win, folio));
}

/**
 * symswap_lift() - move a page to memory that is free
 * @win: the window
 * @folio: its page; the reference is consumed
 *
 * Nothing is reclaimed for it, see symswap_alloc_copy().
 *
 * Context: may sleep. In the window's age_work alone.
 * Return: true if it has moved.
 */
bool symswap_lift(struct symswap_window *win, struct folio *folio)
{
	unsigned long slot = folio_pfn(folio) - win->first_pfn;
	int ret;

	WRITE_ONCE(win->lifter, current);
	ret = symswap_move_one(win, folio);
	WRITE_ONCE(win->lifter, NULL);
	trace_symswap_lift(slot, ret);
	if (ret)
		return false;
	symswap_count(win, SYMSWAP_LIFTED, 1);
	return true;
}

/*
 * A lowered grant is kept within a second for each GiB. Half of that may go into
 * saving what is hot.
 */
static unsigned long symswap_lift_time(unsigned long nr)
{
	return HZ / 20 + mul_u64_u64_div_u64(nr, HZ / 2, SZ_1G >> PAGE_SHIFT);
}

/**
 * symswap_lift_any() - before a grant takes effect, save what memory is free for
 * @win: the window; what is left in place there is hot
 * @nr: how many pages are too many
 *
 * Context: may sleep. In the window's age_work alone.
 * Return: how many have moved.
 */
unsigned long symswap_lift_any(struct symswap_window *win, unsigned long nr)
{
	unsigned long room = min(nr, symswap_ram_spare()), lifted = 0, offset;
	unsigned long end = jiffies + symswap_lift_time(nr);
	struct folio *folio;

	for (offset = 1; offset < win->nr_pages && lifted < nr; offset++) {
		cond_resched();
		if (time_after(jiffies, end))
			break;
		if (lifted >= room)
			room += symswap_make_room(win, min(nr - room, SYMSWAP_EXCHANGE_FIRST));
		if (lifted >= room)
			break;
		folio = symswap_get(win, offset, false);
		if (!folio)
			continue;
		if (symswap_may_lift(win, folio))
			lifted += symswap_lift(win, folio);
		else
			folio_put(folio);
	}
	return lifted;
}
