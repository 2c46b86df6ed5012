/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Swap-in in place: a page of the swap window becomes the anonymous page. The
 * hooks that the memory manager calls, and what the driver of the window needs.
 * How it works is at the top of mm/symswap/page.c.
 */
#ifndef _LINUX_SYMSWAP_H
#define _LINUX_SYMSWAP_H

#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/swap.h>
#include <linux/symbiotic_bypass.h>
#include <linux/types.h>
#include <linux/wait.h>

struct folio;
struct gendisk;
struct mm_struct;
struct swap_cluster_info;
struct swap_info_struct;
struct symswap_window;
struct vm_area_struct;
struct vm_fault;

/**
 * enum symswap_mode - what a fault on a page in the window does
 * @SYMSWAP_MODE_COPY: reads it, like any swap device
 * @SYMSWAP_MODE_SHADOW_BYPASS: never comes to the guest; mm/symbiotic_bypass.c
 * @SYMSWAP_MODE_IN_PLACE: maps the window's own page
 * @SYMSWAP_MODE_AUTO: the second where the VMM takes it and does not use nested
 *	paging, else the third; follows when that changes
 * @SYMSWAP_MODE_NR: how many there are
 */
enum symswap_mode {
	SYMSWAP_MODE_COPY,
	SYMSWAP_MODE_SHADOW_BYPASS,
	SYMSWAP_MODE_IN_PLACE,
	SYMSWAP_MODE_AUTO,
	SYMSWAP_MODE_NR
};

/**
 * struct symswap_batch - pages of windows that are paged out together
 * @nr: how many
 * @folios: the pages, referenced
 */
struct symswap_batch {
	unsigned int nr;
	struct folio *folios[SWAP_CLUSTER_MAX];
};

#ifdef CONFIG_SYMSWAP_IN_PLACE

/* On once a window has struct pages; never on elsewhere. */
DECLARE_STATIC_KEY_FALSE(symswap_key);

bool __symswap_folio(const struct folio *folio);
bool __symswap_in_place(const struct swap_info_struct *si);
bool symswap_map_around(struct vm_fault *vmf, struct swap_info_struct *si);
struct folio *symswap_cache_folio(struct vm_fault *vmf,
				  struct swap_info_struct *si,
				  swp_entry_t entry);
void symswap_keep_slot(struct folio *folio, swp_entry_t entry);
bool __symswap_slot_kept(const struct swap_info_struct *si,
			 unsigned long offset);
bool __symswap_swap_pte(pte_t pte);
void __symswap_free_later(struct folio *folio);
void __symswap_page_out(struct symswap_batch *out);
struct folio *__symswap_first_touch(struct mm_struct *mm, struct vm_area_struct *vma,
				    unsigned long addr, bool zero);
bool __symswap_no_huge(struct vm_area_struct *vma, unsigned long addr);
void __symswap_known(struct folio *folio);
void __symswap_touch_ahead(struct vm_fault *vmf);
void __symswap_cluster_freed(struct swap_info_struct *si, struct swap_cluster_info *ci);
int __symswap_evict(struct swap_info_struct *si);
unsigned long symswap_next_held(struct swap_info_struct *si, unsigned long prev);
struct folio *symswap_alloc_copy(struct folio *src);
bool symswap_may_stay(struct folio *folio);
void symswap_swapon(struct swap_info_struct *si);
void symswap_swapoff(struct swap_info_struct *si);
void symswap_swapoff_done(struct swap_info_struct *si);
void symswap_stay_in_ram(void);

/**
 * symswap_folio() - is this a page of a swap window?
 * @folio: any folio
 *
 * Context: any.
 */
static inline bool symswap_folio(const struct folio *folio)
{
	return static_branch_unlikely(&symswap_key) && __symswap_folio(folio);
}

/**
 * symswap_longterm_pinnable() - can a folio be pinned for long in the window?
 * @folio: any folio, referenced
 *
 * PG_active says so: that a page is often used, as it does on LRU lists, is of
 * no interest to the others. See symswap_may_stay().
 *
 * Context: any.
 */
static inline bool symswap_longterm_pinnable(const struct folio *folio)
{
	return symswap_folio(folio) && folio_test_active(folio);
}

/**
 * symswap_in_place() - may faults on this device's slots be served in place?
 * @si: a swap device that cannot go away
 *
 * Context: any.
 */
static inline bool symswap_in_place(const struct swap_info_struct *si)
{
	return static_branch_unlikely(&symswap_key) && __symswap_in_place(si);
}

/**
 * symswap_slot_kept() - is a slot's page in use without a swap-cache entry?
 * @si: its swap device
 * @offset: the slot
 *
 * Such a slot has SWAP_HAS_CACHE for as long as its page lives; do not wait for
 * it to appear in the swap cache.
 *
 * Context: any.
 */
static inline bool symswap_slot_kept(const struct swap_info_struct *si,
				     unsigned long offset)
{
	return static_branch_unlikely(&symswap_key) &&
	       __symswap_slot_kept(si, offset);
}

/**
 * symswap_swap_pte() - would a fault on this swap PTE bring its page in place?
 * @pte: not present, not none
 *
 * Context: the page-table lock is held.
 */
static inline bool symswap_swap_pte(pte_t pte)
{
	return static_branch_unlikely(&symswap_key) && __symswap_swap_pte(pte);
}

/**
 * symswap_free_later() - a folio may be in the swap cache with no swap entry left
 * @folio: any folio that the caller holds a reference to, but could not lock
 *
 * A page of a window is looked at again when its lock is free; others are on an
 * LRU list, so reclaim does.
 *
 * Context: any.
 */
static inline void symswap_free_later(struct folio *folio)
{
	if (symswap_folio(folio))
		__symswap_free_later(folio);
}

/**
 * symswap_page_out_later() - a page of a window is to be paged out
 * @out: takes a reference to it; has room
 * @folio: the page, mapped
 *
 * Context: any. The page-table lock is held, which keeps it mapped.
 */
static inline void symswap_page_out_later(struct symswap_batch *out, struct folio *folio)
{
	if (WARN_ON_ONCE(out->nr == ARRAY_SIZE(out->folios)))
		return;
	folio_get(folio);
	out->folios[out->nr++] = folio;
}

/**
 * symswap_page_out() - page those out
 * @out: the pages; empty afterwards
 *
 * Context: may sleep. mmap_lock may be held, no lock of a page or page table.
 */
static inline void symswap_page_out(struct symswap_batch *out)
{
	if (out->nr)
		__symswap_page_out(out);
}

/**
 * symswap_first_touch() - a page of the window in place of a new one?
 * @mm: who is charged
 * @vma: where it will be mapped, or what it is copied from at fork
 * @addr: the address
 * @zero: the caller does not write all of it
 *
 * Where memory is short and the window has room.
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held.
 * Return: the page, referenced, or NULL: allocate one.
 */
static inline struct folio *symswap_first_touch(struct mm_struct *mm,
						struct vm_area_struct *vma,
						unsigned long addr, bool zero)
{
	if (static_branch_unlikely(&symswap_key))
		return __symswap_first_touch(mm, vma, addr, zero);
	return NULL;
}

/**
 * symswap_no_huge() - is symswap_first_touch() better than a huge page of memory?
 * @vma: where
 * @addr: the address
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held.
 * Return: true if no huge page is to be looked for.
 */
static inline bool symswap_no_huge(struct vm_area_struct *vma, unsigned long addr)
{
	return static_branch_unlikely(&symswap_key) && __symswap_no_huge(vma, addr);
}

/**
 * symswap_known() - an anonymous page is about to be mapped for the first time
 * @folio: the page; its rmap is set
 *
 * Context: any.
 * Return: true if it is a window's, which is on no LRU list.
 */
static inline bool symswap_known(struct folio *folio)
{
	if (!symswap_folio(folio))
		return false;
	__symswap_known(folio);
	return true;
}

/**
 * symswap_touch_ahead() - a first touch has taken a page of the window: more of them?
 * @vmf: the fault, with no page-table lock any more
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held.
 */
static inline void symswap_touch_ahead(struct vm_fault *vmf)
{
	if (static_branch_unlikely(&symswap_key))
		__symswap_touch_ahead(vmf);
}

/**
 * symswap_cluster_freed() - a cluster of slots has become free
 * @si: the swap device, locked
 * @ci: the cluster, locked, on its list of free clusters
 *
 * Context: any.
 */
static inline void symswap_cluster_freed(struct swap_info_struct *si,
					 struct swap_cluster_info *ci)
{
	if (static_branch_unlikely(&symswap_key))
		__symswap_cluster_freed(si, ci);
}

/**
 * symswap_evict() - swapoff: replace window pages in use by ordinary pages
 * @si: the swap device; nothing new is mapped in place
 *
 * Those that somebody has a reference to stay in use, and no longer in its way.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, or -EINTR for a signal.
 */
static inline int symswap_evict(struct swap_info_struct *si)
{
	if (static_branch_unlikely(&symswap_key))
		return __symswap_evict(si);
	return 0;
}

struct symswap_window *symswap_window_create(int nid, phys_addr_t start, u64 size);
void *symswap_window_store(const struct symswap_window *win, phys_addr_t *start,
			   u64 *size);
void symswap_window_add(struct symswap_window *win, struct gendisk *disk,
			wait_queue_head_t *unused, bool ours);
unsigned long symswap_window_in_use(const struct symswap_window *win);
bool symswap_window_held(const struct symswap_window *win, unsigned long offset,
			 unsigned long nr);
void symswap_window_destroy(struct symswap_window *win);
extern const struct attribute_group symswap_group;

#else

static inline bool symswap_folio(const struct folio *folio)
{
	return false;
}

static inline bool symswap_longterm_pinnable(const struct folio *folio)
{
	return false;
}

static inline bool symswap_in_place(const struct swap_info_struct *si)
{
	return false;
}

static inline bool symswap_map_around(struct vm_fault *vmf,
				      struct swap_info_struct *si)
{
	return false;
}

static inline struct folio *symswap_cache_folio(struct vm_fault *vmf,
						struct swap_info_struct *si,
						swp_entry_t entry)
{
	return NULL;
}

static inline void symswap_keep_slot(struct folio *folio, swp_entry_t entry) { }

static inline bool symswap_slot_kept(const struct swap_info_struct *si,
				     unsigned long offset)
{
	return false;
}

static inline bool symswap_swap_pte(pte_t pte)
{
	return false;
}

static inline void symswap_free_later(struct folio *folio) { }

static inline void symswap_page_out_later(struct symswap_batch *out, struct folio *folio) { }

static inline void symswap_page_out(struct symswap_batch *out) { }

static inline struct folio *symswap_first_touch(struct mm_struct *mm,
						struct vm_area_struct *vma,
						unsigned long addr, bool zero)
{
	return NULL;
}

static inline bool symswap_no_huge(struct vm_area_struct *vma, unsigned long addr)
{
	return false;
}

static inline bool symswap_known(struct folio *folio)
{
	return false;
}

static inline void symswap_touch_ahead(struct vm_fault *vmf) { }

static inline void symswap_cluster_freed(struct swap_info_struct *si,
					 struct swap_cluster_info *ci) { }

static inline int symswap_evict(struct swap_info_struct *si)
{
	return 0;
}

static inline unsigned long symswap_next_held(struct swap_info_struct *si,
					      unsigned long prev)
{
	return 0;
}

static inline void symswap_swapon(struct swap_info_struct *si)
{
	symbiotic_bypass_swapon(si);
}

static inline void symswap_swapoff(struct swap_info_struct *si)
{
	symbiotic_bypass_swapoff(si);
}

static inline void symswap_swapoff_done(struct swap_info_struct *si) { }

static inline void symswap_stay_in_ram(void) { }

static inline struct folio *symswap_alloc_copy(struct folio *src)
{
	return NULL;
}

static inline bool symswap_may_stay(struct folio *folio)
{
	return false;
}

static inline struct symswap_window *symswap_window_create(int nid,
							   phys_addr_t start,
							   u64 size)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void *symswap_window_store(const struct symswap_window *win,
					 phys_addr_t *start, u64 *size)
{
	return NULL;
}

static inline void symswap_window_add(struct symswap_window *win,
				      struct gendisk *disk,
				      wait_queue_head_t *unused, bool ours) { }

static inline unsigned long symswap_window_in_use(const struct symswap_window *win)
{
	return 0;
}

static inline bool symswap_window_held(const struct symswap_window *win,
				       unsigned long offset, unsigned long nr)
{
	return false;
}

static inline void symswap_window_destroy(struct symswap_window *win) { }

#endif /* CONFIG_SYMSWAP_IN_PLACE */

#if defined(CONFIG_SYMSWAP_IN_PLACE) && defined(CONFIG_SYMBIOTIC_TEST)
bool symswap_forgets_anon_vma(void);
#else
static inline bool symswap_forgets_anon_vma(void) { return false; }
#endif

#endif /* _LINUX_SYMSWAP_H */
