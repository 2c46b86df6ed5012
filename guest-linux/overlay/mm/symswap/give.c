// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: the host's memory behind free slots goes back to it.
 *
 * By free page reporting, the balloon's, which is asynchronous: the VMM's main loop
 * punches the holes, while the guest's CPUs go on. QEMU's takes any pages. Others know
 * nothing of memory that is a device's, and one of them stops answering for ever when it
 * is told of such pages, so there it takes symswap.give=1. Where there is no such
 * balloon, the host keeps what has once been used.
 *
 * By the cluster, the unit in which the swap code keeps free slots, and a huge page
 * of the host's where the kernel has huge pages: a process that ends leaves whole
 * ones. Each that becomes free is noted; one that is still free, and was not in use in
 * between, when it has been looked at twice, goes. So whoever takes memory again at
 * once pays nothing, and who does not has given it back in half a second.
 *
 * On its way a cluster is on no list, and its slots are bad ones, as for a discard.
 * Two rules keep that from hurting whoever needs slots meanwhile, for as long as the
 * host takes: few are on their way at a time, and few of those that are free; and the
 * next one to be used stays.
 */

#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/page_reporting.h>
#include <linux/sched.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/symswap.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "slots.h"

/* A cluster that is free goes after one such time, and before two. */
#define SYMSWAP_GIVE_DELAY	(HZ / 4)
/* This share of the free clusters may be on its way. */
#define SYMSWAP_GIVE_SHARE	4

static bool give;
module_param(give, bool, 0444);
MODULE_PARM_DESC(give, "Free slots of windows of other VMMs are reported by the balloon, too: only if it takes them");

/*
 * Is a cluster a huge page of the host's, or more than one? A VMM ignores what is not
 * a whole page of its file's, and does not say so.
 */
bool symswap_give_whole(const struct symswap_window *win)
{
	return IS_ALIGNED(win->first_pfn, SYMSWAP_HUGE) &&
	       IS_ALIGNED(SWAPFILE_CLUSTER, SYMSWAP_HUGE);
}

/* Without a lock, and so maybe in vain. */
static bool symswap_gives(const struct symswap_window *win)
{
	return (give || win->ours) && symswap_give_whole(win) && page_reporting_possible();
}

int symswap_give_init(struct symswap_window *win, unsigned long nr_pages)
{
	win->nr_clusters = DIV_ROUND_UP(nr_pages, SWAPFILE_CLUSTER);
	/* The VMM's number may be any; then there is no such memory. */
	win->backed = bitmap_zalloc(win->nr_clusters, GFP_KERNEL | __GFP_NOWARN);
	win->fresh = bitmap_zalloc(win->nr_clusters, GFP_KERNEL | __GFP_NOWARN);
	return win->backed && win->fresh ? 0 : -ENOMEM;
}

/**
 * symswap_give_old() - what a system before this one has left there
 * @win: the window, with its struct pages
 *
 * One that was reset, crashed or called another kernel has given nothing back, and
 * nobody knows any more what the host has memory for: all, then. A window that nobody
 * has swapped to begins with zeroes, as a swap area has a header there, which stays
 * after a swapoff; but where the struct pages took another size, it is not seen.
 *
 * Context: may sleep.
 */
void symswap_give_old(struct symswap_window *win)
{
	if (memchr_inv(page_address(symswap_page(win, 0)), 0, PAGE_SIZE))
		bitmap_fill(win->backed, win->nr_clusters);
}

void symswap_give_free(struct symswap_window *win)
{
	bitmap_free(win->backed);
	bitmap_free(win->fresh);
}

/**
 * symswap_give_later() - some time after this, free clusters are looked at
 * @win: the window
 *
 * Context: any.
 */
void symswap_give_later(struct symswap_window *win)
{
	if (symswap_gives(win))
		queue_delayed_work(symswap_wq, &win->give_work, SYMSWAP_GIVE_DELAY);
}

/**
 * symswap_give_note() - a cluster has become free, and the host has memory for it
 * @win: the window
 * @nr: the cluster's number
 *
 * Context: any. The swap device and the cluster are locked.
 */
void symswap_give_note(struct symswap_window *win, unsigned long nr)
{
	/* Its swap area is no larger than the window. */
	if (WARN_ON_ONCE(nr >= win->nr_clusters))
		return;
	set_bit(nr, win->fresh);
	set_bit(nr, win->backed);
	symswap_give_later(win);
}

/*
 * Slots on their way count as free, but who needs one does not get it: where too few
 * others are left, somebody would be killed for memory that there is.
 */
static unsigned long symswap_give_most(const struct swap_info_struct *si, bool now)
{
	if (now)
		return SYMSWAP_GIVE_BATCH;
	return min(SYMSWAP_GIVE_BATCH, symswap_clusters_free(si) / SYMSWAP_GIVE_SHARE);
}

/**
 * symswap_give_pick() - take free clusters out of use
 * @win: the window
 * @si: its swap device, which does not go away meanwhile
 * @gift: where to put them, and where to go on
 * @now: also those that have just become free, and the next one to be used
 *
 * Context: takes and releases the locks of the device and of clusters. May sleep.
 * Return: true if some have just become free.
 */
bool symswap_give_pick(struct symswap_window *win, struct swap_info_struct *si,
		       struct symswap_gift *gift, bool now)
{
	/* It may be smaller than the one before on this window, or have none at all. */
	unsigned long end = min(win->nr_clusters, symswap_clusters(si));
	unsigned long most = symswap_give_most(si, now);
	unsigned long nr = gift->next;
	bool again = false;

	gift->nr = 0;
	for_each_set_bit_from(nr, win->backed, end) {
		if (gift->nr >= most)
			break;
		if (test_and_clear_bit(nr, win->fresh) && !now) {
			again = true;
			continue;
		}
		/* Before the look: one that is in use says so when it is free again. */
		clear_bit(nr, win->backed);
		switch (symswap_cluster_take(si, nr, now)) {
		case SYMSWAP_CLUSTER_TAKEN:
			gift->clusters[gift->nr++] = nr;
			break;
		case SYMSWAP_CLUSTER_NEXT:
			set_bit(nr, win->backed);
			break;
		case SYMSWAP_CLUSTER_USED:
			break;
		}
		cond_resched();
	}
	gift->next = nr;
	gift->more = most && nr < end;
	return again;
}

/* False if nobody takes them. */
static bool symswap_give(struct symswap_window *win, struct swap_info_struct *si,
			 const struct symswap_gift *gift)
{
	struct scatterlist sgl[SYMSWAP_GIVE_BATCH];
	unsigned int i;
	bool given;

	sg_init_table(sgl, gift->nr);
	for (i = 0; i < gift->nr; i++)
		sg_set_page(&sgl[i], symswap_page(win, gift->clusters[i] * SWAPFILE_CLUSTER),
			    SWAPFILE_CLUSTER * PAGE_SIZE, 0);
	given = !page_reporting_report(sgl, gift->nr);
	for (i = 0; i < gift->nr; i++) {
		if (!given)
			set_bit(gift->clusters[i], win->backed);
		symswap_cluster_put(si, gift->clusters[i]);
	}
	if (given)
		symswap_count(win, SYMSWAP_GIVEN, gift->nr * SWAPFILE_CLUSTER);
	return given;
}

/* Returns true if some have to be looked at again. */
static bool symswap_give_round(struct symswap_window *win, struct swap_info_struct *si,
			       bool now)
{
	struct symswap_gift gift = { };
	bool again = false;

	/*
	 * One pass: what has just become free is so until the next. A swapoff waits for
	 * no more than the report under way; it gives all in the end.
	 */
	do {
		again |= symswap_give_pick(win, si, &gift, now);
		if (gift.nr && !symswap_give(win, si, &gift))
			return false;
	} while (gift.more && (now || READ_ONCE(win->si) == si));
	return again;
}

/* Swapoff waits for it, so the swap device stays. */
void symswap_give_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, give_work);
	struct swap_info_struct *si = READ_ONCE(win->si);

	if (si && symswap_give_round(win, si, false))
		symswap_give_later(win);
}

/**
 * symswap_give_all() - nobody uses the window any more
 * @win: the window
 * @si: its swap device, at the end of a swapoff
 *
 * Clusters with pages that somebody holds are not free, and stay.
 *
 * Context: may sleep.
 */
void symswap_give_all(struct symswap_window *win, struct swap_info_struct *si)
{
	if (symswap_gives(win))
		symswap_give_round(win, si, true);
}
