/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that SwapBypass and the window in place know of how Linux keeps its swap
 * slots: where one lies, the swap map, the zero map, and what goes into and out of
 * the swap cache. A kernel that keeps them otherwise needs another version of this
 * file, and of its test, slot_test() in tests/symbiotic_bypass_kunit.c.
 *
 * The swap map has a byte for each slot: how many swap entries name it, and
 * SWAP_HAS_CACHE for whoever keeps it besides, which is a page in the swap cache,
 * one on its way there, or a page of the window alone ("kept", see page.c). The
 * cluster's lock protects it; whoever only looks, without the lock, must be able to
 * tell afterwards whether it was in time.
 *
 * One more place writes the map: setup_clusters(), which makes it, and marks there
 * what symswap_next_held() names.
 */
#ifndef _MM_SYMSWAP_SLOTS_H
#define _MM_SYMSWAP_SLOTS_H

#include <linux/bitops.h>
#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "../swap.h"

/* ---- Where a slot lies --------------------------------------------------- */

/* Is a swap area a whole disk, so that a swap offset is a page number on it? */
static inline bool symswap_whole_disk(struct swap_info_struct *si)
{
	struct rb_node *node = rb_first(&si->swap_extent_root);
	struct swap_extent *se;

	if (!(si->flags & SWP_BLKDEV) || bdev_is_partition(si->bdev) || !node)
		return false;
	se = rb_entry(node, struct swap_extent, rb_node);
	return se->start_page == 0 && se->start_block == 0 &&
	       se->nr_pages >= si->max;
}

/* ---- Looking, without a lock --------------------------------------------- */

/**
 * struct symswap_slots - where the state of a device's slots can be read
 * @map: use counts
 * @zeromap: bit per slot: its page is all zero, and not in the slot
 *
 * Of a swap_info_struct, and as long there as the device is swapped on.
 */
struct symswap_slots {
	const unsigned char *map;
	const unsigned long *zeromap;
};

static inline struct symswap_slots symswap_slots(const struct swap_info_struct *si)
{
	return (struct symswap_slots) { .map = si->swap_map, .zeromap = si->zeromap };
}

/**
 * symswap_slot_read() - the state of a slot at one moment
 * @slots: of its device
 * @slot: its number
 *
 * Return: for the functions below.
 */
static inline unsigned int symswap_slot_read(const struct symswap_slots *slots,
					     unsigned long slot)
{
	return READ_ONCE(slots->map[slot]);
}

/*
 * Somebody reads the slot back, or has not finished writing it, or the newest
 * content is in the swap cache, or the slot's own page is in use.
 */
static inline bool symswap_slot_cached(unsigned int state)
{
	return state & SWAP_HAS_CACHE;
}

/* Has it users? Not free, bad, shmem, or a count that is continued elsewhere. */
static inline bool symswap_slot_used(unsigned int state)
{
	state &= ~SWAP_HAS_CACHE;
	return state >= 1 && state <= SWAP_MAP_MAX;
}

static inline bool symswap_slot_single(unsigned int state)
{
	return (state & ~SWAP_HAS_CACHE) == 1;
}

/* Written with SWAP_HAS_CACHE set. */
static inline bool symswap_slot_zero(const struct symswap_slots *slots,
				     unsigned long slot)
{
	return test_bit(slot, slots->zeromap);
}

/* ---- Who has a slot ------------------------------------------------------ */

/**
 * symswap_slot_claim() - from a swap entry that is its only user to its own page
 * @si: the swap device
 * @slot: its number
 *
 * SWAP_HAS_CACHE takes the place of the count.
 *
 * Context: takes and releases the cluster's lock. The caller holds the lock of the
 * page table with the swap entry.
 * Return: false if it has other users, or is in the swap cache.
 */
static inline bool symswap_slot_claim(struct swap_info_struct *si, unsigned long slot)
{
	struct swap_cluster_info *ci;
	bool only_user;

	ci = lock_cluster_or_swap_info(si, slot);
	only_user = si->swap_map[slot] == 1;
	if (only_user)
		WRITE_ONCE(si->swap_map[slot], SWAP_HAS_CACHE);
	unlock_cluster_or_swap_info(si, ci);

	return only_user;
}

/**
 * symswap_slot_unclaim() - and back to the swap entry
 * @si: the swap device
 * @entry: the slot
 *
 * Context: takes and releases the cluster's lock, twice.
 */
static inline void symswap_slot_unclaim(struct swap_info_struct *si, swp_entry_t entry)
{
	swap_duplicate(entry);
	swapcache_clear(si, entry, 1);
}

/**
 * symswap_slot_cache() - take SWAP_HAS_CACHE of a slot that has users
 * @entry: the slot
 *
 * Context: takes and releases the cluster's lock.
 * Return: false if somebody else has it, or the slot has no users.
 */
static inline bool symswap_slot_cache(swp_entry_t entry)
{
	return !swapcache_prepare(entry, 1);
}

/**
 * symswap_slot_uncache() - give it back, with no page in the swap cache
 * @si: the swap device
 * @entry: the slot; free, if it has no users
 *
 * Context: takes and releases the cluster's lock.
 */
static inline void symswap_slot_uncache(struct swap_info_struct *si, swp_entry_t entry)
{
	swapcache_clear(si, entry, 1);
}

/**
 * symswap_slot_put() - give it back, after a page has left the swap cache
 * @folio: the page
 * @entry: the slot; free, if it has no users
 *
 * Context: takes and releases the cluster's lock, and the device's if the slot is
 * free.
 */
static inline void symswap_slot_put(struct folio *folio, swp_entry_t entry)
{
	put_swap_folio(folio, entry);
}

/**
 * symswap_slots_alloc() - take free slots, with SWAP_HAS_CACHE
 * @si: the swap device, with a reference to it
 * @entries: where to put them
 * @nr: how many
 *
 * As get_swap_pages(), but of this device. None once its swapoff has begun, and none
 * that would have to be searched for among slots of the swap cache, as it is done
 * when swap is half full and no cluster is free.
 *
 * Context: takes and releases the locks of the device and of the clusters. May
 * sleep.
 * Return: how many it got.
 */
static inline int symswap_slots_alloc(struct swap_info_struct *si,
				      swp_entry_t *entries, int nr)
{
	int got = 0;

	/* First, so that nobody else counts on them. */
	atomic_long_sub(nr, &nr_swap_pages);
	spin_lock(&si->lock);
	if ((si->flags & SWP_WRITEOK) && si->highest_bit &&
	    (!vm_swap_full() || !list_empty(&si->free_clusters)))
		got = scan_swap_map_slots(si, SWAP_HAS_CACHE, nr, entries, 0);
	spin_unlock(&si->lock);
	atomic_long_add(nr - got, &nr_swap_pages);
	return got;
}

/**
 * symswap_slots_free() - free slots that SWAP_HAS_CACHE alone keeps
 * @entries: the slots, of one swap device; their order is not kept
 * @nr: how many
 *
 * Context: takes and releases the locks of the device and of the clusters.
 */
static inline void symswap_slots_free(swp_entry_t *entries, int nr)
{
	swapcache_free_entries(entries, nr);
}

/**
 * symswap_slot_retire() - a page gives up the slot that it keeps
 * @si: the swap device, being swapped off, so that the slot is no part of
 *	nr_swap_pages and total_swap_pages
 * @slot: its number; kept with SWAP_HAS_CACHE alone
 *
 * Nobody gets it before the next swapon.
 *
 * Context: takes and releases the device's and the cluster's lock.
 */
static inline void symswap_slot_retire(struct swap_info_struct *si, unsigned long slot)
{
	struct swap_cluster_info *ci;

	spin_lock(&si->lock);
	ci = lock_cluster(si, slot);
	VM_WARN_ON_ONCE(si->swap_map[slot] != SWAP_HAS_CACHE);
	si->swap_map[slot] = SWAP_MAP_BAD;
	unlock_cluster(ci);
	mem_cgroup_uncharge_swap(swp_entry(si->type, slot), 1);
	clear_shadow_from_swap_cache(si->type, slot, slot);
	si->pages--;
	/* As in swap_range_free(). */
	smp_wmb();
	atomic_long_inc(&nr_swap_pages);
	WRITE_ONCE(si->inuse_pages, si->inuse_pages - 1);
	spin_unlock(&si->lock);
}

/* ---- Clusters of free slots ----------------------------------------------- */

enum symswap_cluster {
	SYMSWAP_CLUSTER_TAKEN,
	SYMSWAP_CLUSTER_NEXT,	/* free, and the next one to be used */
	SYMSWAP_CLUSTER_USED,
};

/* How many there are: none on a disk that is said to rotate. */
static inline unsigned long symswap_clusters(const struct swap_info_struct *si)
{
	return si->cluster_info ? DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER) : 0;
}

/* How many can be free at the most, at this moment. */
static inline unsigned long symswap_clusters_free(const struct swap_info_struct *si)
{
	unsigned long slots = READ_ONCE(si->pages), used = READ_ONCE(si->inuse_pages);

	return slots > used ? (slots - used) / SWAPFILE_CLUSTER : 0;
}

/**
 * symswap_cluster_take() - take a cluster of free slots out of use
 * @si: the swap device
 * @nr: the cluster's number
 * @next: also if it is the next one to be used
 *
 * As swap_cluster_schedule_discard(): it is on no list, and a CPU that has a place
 * in it finds bad slots there.
 *
 * Context: takes and releases the locks of the device and the cluster.
 */
static inline enum symswap_cluster symswap_cluster_take(struct swap_info_struct *si,
							unsigned long nr, bool next)
{
	struct swap_cluster_info *ci = &si->cluster_info[nr];
	enum symswap_cluster is = SYMSWAP_CLUSTER_USED;

	spin_lock(&si->lock);
	spin_lock(&ci->lock);
	if (ci->flags == CLUSTER_FLAG_FREE) {
		is = SYMSWAP_CLUSTER_NEXT;
		if (next || !list_is_first(&ci->list, &si->free_clusters)) {
			list_del(&ci->list);
			ci->flags = 0;
			memset(&si->swap_map[nr * SWAPFILE_CLUSTER], SWAP_MAP_BAD,
			       SWAPFILE_CLUSTER);
			is = SYMSWAP_CLUSTER_TAKEN;
		}
	}
	spin_unlock(&ci->lock);
	spin_unlock(&si->lock);
	return is;
}

/**
 * symswap_cluster_put() - and back; it is the last one to be used again
 * @si: the swap device
 * @nr: the cluster's number
 *
 * Context: takes and releases the locks of the device and the cluster.
 */
static inline void symswap_cluster_put(struct swap_info_struct *si, unsigned long nr)
{
	struct swap_cluster_info *ci = &si->cluster_info[nr];

	spin_lock(&si->lock);
	spin_lock(&ci->lock);
	memset(&si->swap_map[nr * SWAPFILE_CLUSTER], 0, SWAPFILE_CLUSTER);
	list_add_tail(&ci->list, &si->free_clusters);
	ci->flags = CLUSTER_FLAG_FREE;
	ci->order = 0;
	spin_unlock(&ci->lock);
	spin_unlock(&si->lock);
}

/* ---- The swap cache ------------------------------------------------------ */

/**
 * symswap_cache_add() - put a page into the swap cache
 * @folio: the page, locked
 * @entry: its slot, of which SWAP_HAS_CACHE is the caller's
 * @gfp: how to allocate
 *
 * Context: takes and releases the swap cache's lock. May sleep if @gfp says so.
 * Return: 0 or -ENOMEM.
 */
static inline int symswap_cache_add(struct folio *folio, swp_entry_t entry, gfp_t gfp)
{
	return add_to_swap_cache(folio, entry, gfp, NULL);
}

/**
 * symswap_cache_take() - take a page out of the swap cache if nobody else has it
 * @folio: the page, locked, in the swap cache
 * @entry: its slot
 *
 * SWAP_HAS_CACHE stays, for the caller to give back.
 *
 * Context: takes and releases the swap cache's lock, with interrupts off. The
 * caller has one reference.
 * Return: false if there are references but that and the swap cache's. Else the
 * page has none any more.
 */
static inline bool symswap_cache_take(struct folio *folio, swp_entry_t entry)
{
	struct address_space *mapping = swap_address_space(entry);
	bool frozen;

	xa_lock_irq(&mapping->i_pages);
	frozen = folio_ref_freeze(folio, 2);
	if (frozen)
		__delete_from_swap_cache(folio, entry, NULL);
	xa_unlock_irq(&mapping->i_pages);
	return frozen;
}

#endif /* _MM_SYMSWAP_SLOTS_H */
