// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: a fault on a page in the swap window maps the window's own
 * page. Nothing is copied, nothing allocated, and no exit is made.
 *
 * The window (drivers/block/symswap.c) is memory of the host. Its pages have
 * struct pages (MEMORY_DEVICE_COHERENT), kept in the window itself, so each
 * swap slot is also a page that can be mapped. From then on it is an ordinary
 * anonymous page to fork, COW, mprotect, munmap and GUP. It is on no LRU list:
 * reclaiming it would free no memory of the guest's.
 *
 * Who holds a slot
 * ================
 *
 * Invariant: while a window page has references, its slot is not free, so
 * nobody writes another page there. A page in use is in one of these states:
 *
 *  cached  The slot has users besides (page-table entries of a fork), so its
 *          count is above 0. The page is in the swap cache, where all of them
 *          find it. The swap cache holds SWAP_HAS_CACHE, as for any page. All
 *          code that deals with swap-cache pages applies unchanged: whoever
 *          wants to write copies, because the count says that others are left.
 *  kept    No swap entry names the slot any more: its count is 0, and the page
 *          is in no swap cache. SWAP_HAS_CACHE alone keeps the slot. The last
 *          reference to the page frees it: symswap_page_free().
 *  held    There is no slot: a swapoff found the page kept, and somebody with a
 *          reference that nobody can follow: a pipe, a socket, a device. It is
 *          anonymous memory like any other, only elsewhere. The next swapon
 *          leaves its slot out: symswap_next_held(). The disk takes no writes
 *          to it, and the device does not go before it does.
 *
 * delete_from_swap_cache() is the way from cached to kept. It is called with
 * count 0 only, and symswap_keep_slot() stands in there for freeing the slot.
 * A single private user goes to "kept" at once: symswap_map_around().
 *
 * Pages here are on no LRU list, so nothing comes by that would take an unused one
 * out of the swap cache. Whoever takes the last swap entry, or the last mapping,
 * does; if somebody else has the page locked at that moment, symswap_retry_work()
 * looks again.
 *
 * The page can leave its slot while cached, by migration to memory or when it
 * is unmapped again (symswap_unmap()): then the swap cache, or the counts,
 * hold the slot, and freeing the page has no further effect.
 *
 * The last reference may be dropped anywhere, interrupts included (AIO), and
 * the locks of swap slots are not safe there: a work item frees slots.
 *
 * Memory cgroups: a page in place stays charged as swap until its slot is
 * free. It is no memory of the guest's, and if it counted as such, a group at
 * its limit would hold pages that reclaim cannot take from it. A held page is
 * charged to nobody until it moves to memory.
 */

#define pr_fmt(fmt) "symswap: " fmt

#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/llist.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/rmap.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symbiotic.h>
#include <linux/symbiotic_bypass.h>
#include <linux/symswap.h>
#include <linux/sysfs.h>
#include <linux/userfaultfd_k.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>

#include <kunit/visibility.h>

#include "internal.h"
#include "swap.h"
#include "symbiotic_bypass.h"
#include "symswap.h"

struct static_key_false symswap_key = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(symswap_key);

/*
 * page->zone_device_data: NULL for a page that is not in use. Between the last
 * reference to a page that was kept and the freeing of its slot, the link in
 * symswap_window.freed.
 */
#define SYMSWAP_KEPT	((void *)1)
#define SYMSWAP_CACHED	((void *)2)
#define SYMSWAP_HELD	((void *)3)

/* What is left of fault_around when half of the grant is used. */
#define SYMSWAP_SHORT_SHARE	8
/* Slots freed with one acquisition of the swap device's lock. */
#define SYMSWAP_FREE_BATCH	64
/* Pages unmapped with one flush of the TLBs, locked meanwhile. */
#define SYMSWAP_FLUSH_BATCH	32

enum symswap_stat {
	SYMSWAP_FAULTS,		/* faults served in place */
	SYMSWAP_PAGES,		/* pages mapped by them */
	SYMSWAP_SHARED,		/* of these, put into the swap cache */
	SYMSWAP_DECLINED_GRANT,	/* left to the copy: no grant */
	SYMSWAP_MIGRATED,	/* moved to memory of the guest */
	SYMSWAP_PUSHED,		/* unmapped again, left in the slot */
	SYMSWAP_SEARCHES,	/* looks at all pages, to give some back */
	SYMSWAP_NR_STATS
};

/* What others hold up is tried again after 0.1 s, then less and less often. */
#define SYMSWAP_RETRY_FIRST	(HZ / 10)
#define SYMSWAP_RETRY_LAST	(64 * HZ)

struct symswap_backoff {
	unsigned long next;	/* jiffies */
	unsigned long pause;
};

static void symswap_backoff_reset(struct symswap_backoff *b)
{
	b->pause = 0;
}

/* Returns the pause. */
static unsigned long symswap_backoff(struct symswap_backoff *b)
{
	b->pause = clamp(2 * b->pause, (unsigned long)SYMSWAP_RETRY_FIRST,
			 (unsigned long)SYMSWAP_RETRY_LAST);
	b->next = jiffies + b->pause;
	return b->pause;
}

/**
 * struct symswap_window - a swap window with struct pages
 * @pgmap: its struct pages
 * @disk: the disk on it
 * @first_pfn: page of slot 0; before it lie the struct pages
 * @nr_pages: number of slots
 * @reserved: pages in front of @first_pfn
 * @mode: what was asked for
 * @si: its swap device, or NULL. Under symswap_mutex
 * @type: its swap type, while it has an entry in symswap_by_type
 * @active: new pages may be mapped
 * @vmm: the VMM's grant is for this one
 * @in_place: pages in use, at most @grant but for the moment of a change, and
 *	for what cannot be given back
 * @held: pages of these without a slot
 * @unused: woken when no page is in use
 * @grant: how many may be: the smaller of @limit and the VMM's grant
 * @limit: what the guest's administrator allows
 * @freed: pages whose slot is to be freed, linked by zone_device_data
 * @free_work: frees them
 * @retry: slots whose pages may be in the swap cache with no swap entry left
 * @retry_work: takes them out of it
 * @age_work: pushes cold pages out, or any above a lowered @grant
 * @hand: the slot where it goes on
 * @declined: faults that found no grant left, when it ran last
 * @tried: the grant that it has tried to get below
 * @stuck: it could not
 * @age_backoff: when it tries again
 * @held_work: moves held pages to memory when they can
 * @held_backoff: when it tries again
 * @stats: counters
 * @list: in symswap_windows, under symswap_mutex
 */
struct symswap_window {
	struct dev_pagemap pgmap;
	struct gendisk *disk;
	unsigned long first_pfn;
	unsigned long nr_pages;
	unsigned long reserved;
	enum symswap_mode mode;
	struct swap_info_struct *si;
	unsigned int type;
	bool active;
	bool vmm;
	atomic_long_t in_place;
	atomic_long_t held;
	wait_queue_head_t *unused;
	unsigned long grant;
	unsigned long limit;
	struct llist_head freed;
	struct work_struct free_work;
	unsigned long *retry;
	struct work_struct retry_work;
	struct delayed_work age_work;
	unsigned long hand;
	unsigned long declined;
	unsigned long tried;
	bool stuck;
	struct symswap_backoff age_backoff;
	struct delayed_work held_work;
	struct symswap_backoff held_backoff;
	unsigned long __percpu *stats;
	struct list_head list;
};

static DEFINE_MUTEX(symswap_mutex);
static LIST_HEAD(symswap_windows);
/*
 * By swap type, which is a number that the next swapon gives to another device.
 * So an entry lives as long as the number is this window's: from the swapon to
 * the end of its swapoff, when nobody has a reference to the swap device, and no
 * slot is in use. Who has one of the two may look up; see symswap_of().
 */
static struct symswap_window *symswap_by_type[MAX_SWAPFILES];
static struct workqueue_struct *symswap_wq;
/* See symswap_stay_in_ram(). */
static bool symswap_only_ram;
/* Windows with struct pages, listed or not yet. No hibernation if there is one. */
static unsigned int symswap_nr_windows;
/* Is under way, without a window: none may come. */
static bool symswap_hibernating;

static unsigned int fault_around = 128;

static int fault_around_set(const char *val, const struct kernel_param *kp)
{
	unsigned int nr;
	int ret = kstrtouint(val, 0, &nr);

	if (ret)
		return ret;
	if (nr > PTRS_PER_PTE || !is_power_of_2(nr))
		return -EINVAL;
	*(unsigned int *)kp->arg = nr;
	return 0;
}

static const struct kernel_param_ops fault_around_ops = {
	.set = fault_around_set,
	.get = param_get_uint,
};

module_param_cb(fault_around, &fault_around_ops, &fault_around, 0644);
MODULE_PARM_DESC(fault_around, "Pages mapped in place by one fault, a power of two; an eighth while the grant is short");

static const char * const symswap_mode_names[SYMSWAP_MODE_NR] = {
	[SYMSWAP_MODE_COPY]		= "copy",
	[SYMSWAP_MODE_SHADOW_BYPASS]	= "shadow-bypass",
	[SYMSWAP_MODE_IN_PLACE]		= "in-place",
	[SYMSWAP_MODE_AUTO]		= "auto",
};

static int default_mode = SYMSWAP_MODE_AUTO;

static int default_mode_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(symswap_mode_names, val);

	if (mode < 0)
		return mode;
	default_mode = mode;
	return 0;
}

static int default_mode_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", symswap_mode_names[default_mode]);
}

static const struct kernel_param_ops default_mode_ops = {
	.set = default_mode_set,
	.get = default_mode_get,
};

module_param_cb(mode, &default_mode_ops, NULL, 0444);
MODULE_PARM_DESC(mode, "Mode of windows at first: copy, shadow-bypass, in-place or auto");

static unsigned long default_limit = ULONG_MAX;
module_param_named(limit, default_limit, ulong, 0444);
MODULE_PARM_DESC(limit, "Pages of a window that may be in place, however many the VMM grants");

/*
 * Bits of symswap.skip=, a test option that breaks the guest on purpose: each
 * leaves out one rule. The tests of the tests set them while they run.
 */
enum symswap_rule {
	SYMSWAP_RULE_KEEP,	/* the slot of a page in use is not free */
	SYMSWAP_RULE_SHARED,	/* a slot with several users is shared */
	SYMSWAP_RULE_ZEROMAP,	/* the content is in the slot */
	SYMSWAP_RULE_VMA,	/* mlock, shadow stacks */
	SYMSWAP_RULE_UFFD,	/* userfaultfd sees each page */
	SYMSWAP_RULE_EVICT,	/* swapoff moves pages */
	SYMSWAP_RULE_GRANT,	/* no more than granted */
	SYMSWAP_RULE_AGE,	/* cold pages make room */
};

#ifdef CONFIG_SYMBIOTIC_TEST
static unsigned int skip;
module_param(skip, uint, 0600);
MODULE_PARM_DESC(skip, "Test only, corrupts data: leave out rules");

static bool symswap_skip(enum symswap_rule rule)
{
	return READ_ONCE(skip) & BIT(rule);
}
#else
static bool symswap_skip(enum symswap_rule rule)
{
	return false;
}
#endif

static void symswap_count(struct symswap_window *win, enum symswap_stat stat,
			  unsigned long nr)
{
	this_cpu_add(win->stats[stat], nr);
}

static struct symswap_window *symswap_window_of(const struct folio *folio)
{
	return container_of(folio->page.pgmap, struct symswap_window, pgmap);
}

static struct page *symswap_page(const struct symswap_window *win,
				 unsigned long offset)
{
	return pfn_to_page(win->first_pfn + offset);
}

static struct symswap_window *symswap_window_on(const struct gendisk *disk)
{
	struct symswap_window *win;

	lockdep_assert_held(&symswap_mutex);
	list_for_each_entry(win, &symswap_windows, list)
		if (win->disk == disk)
			return win;
	return NULL;
}

/*
 * The window of a swap device, also while it is swapped off, or NULL: it is
 * another device. The caller holds a reference to @si, or a slot of it.
 */
static struct symswap_window *symswap_of(const struct swap_info_struct *si)
{
	return READ_ONCE(symswap_by_type[si->type]);
}

bool __symswap_in_place(const struct swap_info_struct *si)
{
	struct symswap_window *win = symswap_of(si);

	return win && READ_ONCE(win->active);
}

bool __symswap_swap_pte(pte_t pte)
{
	swp_entry_t entry = pte_to_swp_entry(pte);

	return !non_swap_entry(entry) && __symswap_in_place(swp_swap_info(entry));
}

bool __symswap_slot_kept(const struct swap_info_struct *si,
			 unsigned long offset)
{
	struct symswap_window *win = symswap_of(si);

	return win && offset < win->nr_pages &&
	       READ_ONCE(symswap_page(win, offset)->zone_device_data) == SYMSWAP_KEPT;
}

/* ---- A page's life ------------------------------------------------------ */

/*
 * SWAP_HAS_CACHE of the slot is the caller's, as is a reference to the pgmap,
 * which he must take before anybody else can free the page. Does not sleep,
 * unlike zone_device_page_init().
 *
 * The page is still nobody's, its count 0: flags, lock and mapping are set
 * without atomics until symswap_publish().
 */
VISIBLE_IF_KUNIT struct folio *symswap_page_init(struct page *page, void *state)
{
	struct folio *folio = page_folio(page);

	VM_WARN_ON_ONCE_PAGE(page_count(page), page);
	__folio_set_swapbacked(folio);
	/* The content was written before SWAP_HAS_CACHE was cleared last. */
	__folio_mark_uptodate(folio);
	WRITE_ONCE(page->zone_device_data, state);
	return folio;
}

/*
 * Who finds the page by its number, as symswap_get() does, takes a reference if
 * the count is not 0, and then the lock. So the count comes last, and whoever
 * sees it sees all that was written before.
 */
VISIBLE_IF_KUNIT void symswap_publish(struct folio *folio)
{
	folio_ref_unfreeze(folio, 1);
}

/*
 * The last reference is gone. Nobody looks at the page any more, so flags need
 * no atomics. Any context but NMI.
 */
static void symswap_page_free(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct symswap_window *win = symswap_window_of(folio);

	if (folio_test_mlocked(folio))
		zone_stat_mod_folio(folio, NR_MLOCK, -1);
	/* What another life of the page must not inherit; ZONE_DEVICE pages are reserved. */
	page->flags &= ~(PAGE_FLAGS_CHECK_AT_PREP & ~BIT(PG_reserved));
	page->private = 0;
	if (page->zone_device_data == SYMSWAP_HELD)
		atomic_long_dec(&win->held);
	/* The page's reference to the pgmap, put later, keeps the window. */
	if (atomic_long_dec_and_test(&win->in_place))
		wake_up_all(win->unused);

	if (page->zone_device_data == SYMSWAP_KEPT) {
		if (llist_add((struct llist_node *)&page->zone_device_data, &win->freed))
			queue_work(symswap_wq, &win->free_work);
		return;
	}
	/* Pairs with symswap_slot_ok(): from now on the page can be used again. */
	smp_store_release(&page->zone_device_data, NULL);
}

static const struct dev_pagemap_ops symswap_pgmap_ops = {
	.page_free = symswap_page_free,
};

bool __symswap_folio(const struct folio *folio)
{
	return folio_is_device_coherent(folio) &&
	       folio->page.pgmap->ops == &symswap_pgmap_ops;
}

static void symswap_free_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(work, struct symswap_window,
						  free_work);
	struct llist_node *node = llist_del_all(&win->freed), *next;
	swp_entry_t entries[SYMSWAP_FREE_BATCH];
	struct page *page;
	int n = 0;

	BUILD_BUG_ON(sizeof(struct llist_node) != sizeof(page->zone_device_data));
	for (; node; node = next) {
		next = node->next;
		page = container_of((void **)node, struct page, zone_device_data);
		WRITE_ONCE(page->zone_device_data, NULL);
		entries[n++] = swp_entry(win->type,
					 page_to_pfn(page) - win->first_pfn);
		if (n == ARRAY_SIZE(entries) || !next) {
			swapcache_free_entries(entries, n);
			n = 0;
			cond_resched();
		}
	}
}

/**
 * symswap_keep_slot() - a window page leaves the swap cache, its slot stays
 * @folio: the page; the last swap entry that named the slot is gone
 * @entry: the slot, with SWAP_HAS_CACHE
 *
 * Context: the folio is locked, and referenced by the caller besides.
 */
void symswap_keep_slot(struct folio *folio, swp_entry_t entry)
{
	VM_WARN_ON_ONCE_FOLIO(page_to_pfn(&folio->page) !=
			      symswap_window_of(folio)->first_pfn + swp_offset(entry),
			      folio);
	if (symswap_skip(SYMSWAP_RULE_KEEP)) {
		put_swap_folio(folio, entry);
		return;
	}
	WRITE_ONCE(folio->page.zone_device_data, SYMSWAP_KEPT);
}

/* ---- Faults ------------------------------------------------------------- */

/*
 * mlock promises memory that stays; shadow stacks need more than a mapping.
 * Both are left to the copy.
 */
static bool symswap_vma_ok(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_LOCKED | VM_LOCKONFAULT | VM_SHADOW_STACK)) ||
	       symswap_skip(SYMSWAP_RULE_VMA);
}

/*
 * Is the content in the slot, and its page not in use? Stable once
 * SWAP_HAS_CACHE is ours. A page that moved to memory while it was cached may
 * still have a reference of somebody who only looks, although the slot has been
 * written again since.
 */
static bool symswap_slot_ok(const struct symswap_window *win,
			    const struct swap_info_struct *si,
			    unsigned long offset)
{
	if (!offset || offset >= win->nr_pages)
		return false;
	/* Pairs with symswap_page_free(). */
	if (smp_load_acquire(&symswap_page(win, offset)->zone_device_data))
		return false;
	if (test_bit(offset, si->zeromap) && !symswap_skip(SYMSWAP_RULE_ZEROMAP))
		return false;
	return zswap_never_enabled();
}

/* Count up to @nr pages as in place; returns how many the grant allows. */
static unsigned long symswap_reserve(struct symswap_window *win, unsigned long nr)
{
	unsigned long over = atomic_long_add_return(nr, &win->in_place);

	over -= min(over, READ_ONCE(win->grant));
	if (!over || symswap_skip(SYMSWAP_RULE_GRANT))
		return nr;
	over = min(over, nr);
	atomic_long_sub(over, &win->in_place);
	return nr - over;
}

/* From count 1 to SWAP_HAS_CACHE alone. */
static bool symswap_claim(struct swap_info_struct *si, swp_entry_t entry)
{
	if (!symswap_skip(SYMSWAP_RULE_SHARED))
		return symswap_claim_slot(si, swp_offset(entry));
	if (swapcache_prepare(entry, 1))
		return false;
	swap_free(entry);
	return true;
}

/*
 * Make the slot of a swap PTE, which must be its only user, the page's alone.
 * The page-table lock is held, so the PTE keeps its count, and no fork copies it.
 * The caller has reserved a page, and publishes it.
 */
static struct folio *symswap_take(struct symswap_window *win,
				  struct swap_info_struct *si, swp_entry_t entry)
{
	unsigned long offset = swp_offset(entry);

	/* In the swap cache, being read, or being written: not ours to take. */
	if (!symswap_claim(si, entry))
		return NULL;
	/* Not earlier: the slot could just have been written. */
	if (!symswap_slot_ok(win, si, offset)) {
		swap_duplicate(entry);
		swapcache_clear(si, entry, 1);
		return NULL;
	}
	if (symswap_skip(SYMSWAP_RULE_KEEP)) {
		swapcache_clear(si, entry, 1);
		return symswap_page_init(symswap_page(win, offset), SYMSWAP_CACHED);
	}
	return symswap_page_init(symswap_page(win, offset), SYMSWAP_KEPT);
}

/* userfaultfd wants to see each page. */
static bool symswap_uffd(struct vm_area_struct *vma)
{
	return userfaultfd_armed(vma) && !symswap_skip(SYMSWAP_RULE_UFFD);
}

static bool symswap_map_one(struct vm_fault *vmf, struct symswap_window *win,
			    struct swap_info_struct *si, unsigned long addr,
			    pte_t *ptep)
{
	struct vm_area_struct *vma = vmf->vma;
	bool faulting = addr == vmf->address;
	pte_t old = ptep_get(ptep), pte;
	struct folio *folio;
	swp_entry_t entry;

	if (!is_swap_pte(old) ||
	    (pte_swp_uffd_wp(old) && !symswap_skip(SYMSWAP_RULE_UFFD)))
		return false;
	entry = pte_to_swp_entry(old);
	if (non_swap_entry(entry) || swp_type(entry) != si->type)
		return false;
	folio = symswap_take(win, si, entry);
	if (!folio)
		return false;

	/* As do_swap_page() for a page that nobody else can know. */
	pte = mk_pte(&folio->page, vma->vm_page_prot);
	if (pte_swp_soft_dirty(old))
		pte = pte_mksoft_dirty(pte);
	if ((vma->vm_flags & VM_WRITE) && !pte_needs_soft_dirty_wp(vma, pte)) {
		pte = pte_mkwrite(pte, vma);
		if (faulting && (vmf->flags & FAULT_FLAG_WRITE))
			pte = pte_mkdirty(pte);
	}
	/* Nobody has touched the neighbours yet: aging wants to know. */
	if (!faulting)
		pte = pte_mkold(pte);

	folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
	symswap_publish(folio);
	set_pte_at(vma->vm_mm, addr, ptep, pte);
	if (faulting)
		update_mmu_cache(vma, addr, ptep);
	return true;
}

/* Bytes around a fault. What is mapped in vain takes from a grant that is short. */
static unsigned long symswap_around(const struct symswap_window *win)
{
	unsigned long pages = READ_ONCE(fault_around);

	if (atomic_long_read(&win->in_place) > READ_ONCE(win->grant) / 2)
		pages = max(pages / SYMSWAP_SHORT_SHARE, 1UL);
	return pages << PAGE_SHIFT;
}

/**
 * symswap_map_around() - map the page of a swap fault in place, and neighbours
 * @vmf: the fault, on a swap entry that is not in the swap cache
 * @si: its swap device, which symswap_in_place() allows
 *
 * Takes only slots that have no other user.
 *
 * Context: as do_swap_page(). Does not sleep.
 * Return: true if the fault is dealt with.
 */
bool symswap_map_around(struct vm_fault *vmf, struct swap_info_struct *si)
{
	struct symswap_window *win = symswap_of(si);
	struct vm_area_struct *vma = vmf->vma;
	unsigned long size = symswap_around(win);
	unsigned long addr, start, end;
	unsigned long reserved, nr = 0;
	pte_t *ptep, *first;
	spinlock_t *ptl;	/* of the page table */

	if (!symswap_vma_ok(vma) || symswap_uffd(vma))
		return false;

	first = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &ptl);
	/* Somebody else was here: the fault is done, or happens again. */
	if (!first)
		return true;
	if (!pte_same(ptep_get(first), vmf->orig_pte)) {
		pte_unmap_unlock(first, ptl);
		return true;
	}

	start = ALIGN_DOWN(vmf->address, size);
	end = min(start + size, vma->vm_end);
	start = max(start, vma->vm_start);
	/* At once: these are the only atomics that need not be one for each page. */
	reserved = symswap_reserve(win, (end - start) >> PAGE_SHIFT);

	if (reserved && symswap_map_one(vmf, win, si, vmf->address, first)) {
		nr++;
		ptep = first - ((vmf->address - start) >> PAGE_SHIFT);
		for (addr = start; addr < end && nr < reserved; addr += PAGE_SIZE, ptep++)
			if (addr != vmf->address)
				nr += symswap_map_one(vmf, win, si, addr, ptep);
		/* Live: the device is swapped on. */
		percpu_ref_get_many(&win->pgmap.ref, nr);
		add_mm_counter(vma->vm_mm, MM_ANONPAGES, nr);
		add_mm_counter(vma->vm_mm, MM_SWAPENTS, -nr);
	}
	pte_unmap_unlock(first, ptl);
	if (nr < reserved)
		atomic_long_sub(reserved - nr, &win->in_place);

	if (!nr)
		return false;
	symswap_count(win, SYMSWAP_FAULTS, 1);
	symswap_count(win, SYMSWAP_PAGES, nr);
	return true;
}

/**
 * symswap_cache_folio() - put a slot's own page into the swap cache
 * @vmf: the fault on the slot, not in the swap cache so far
 * @si: its swap device, which symswap_in_place() allows
 * @entry: the slot
 *
 * For slots with several users. The caller goes on as if it had found the page
 * there.
 *
 * Context: as do_swap_page(). May sleep.
 * Return: the page, referenced, or NULL: read a copy.
 */
struct folio *symswap_cache_folio(struct vm_fault *vmf,
				  struct swap_info_struct *si,
				  swp_entry_t entry)
{
	struct symswap_window *win = symswap_of(si);
	unsigned long offset = swp_offset(entry);
	struct folio *folio;

	if (!symswap_vma_ok(vmf->vma) || !symswap_slot_ok(win, si, offset))
		return NULL;
	/* symswap_map_around() has tried before: one fault, counted once. */
	if (!symswap_reserve(win, 1)) {
		symswap_count(win, SYMSWAP_DECLINED_GRANT, 1);
		return NULL;
	}
	if (swapcache_prepare(entry, 1))
		goto unreserve;
	if (!symswap_slot_ok(win, si, offset)) {
		swapcache_clear(si, entry, 1);
		goto unreserve;
	}

	percpu_ref_get(&win->pgmap.ref);
	folio = symswap_page_init(symswap_page(win, offset), SYMSWAP_CACHED);
	__folio_set_locked(folio);
	symswap_publish(folio);
	if (add_to_swap_cache(folio, entry, GFP_KERNEL, NULL)) {
		put_swap_folio(folio, entry);
		folio_unlock(folio);
		folio_put(folio);
		return NULL;
	}
	/* Who took the last swap entry before did not find the page there. */
	if (folio_free_swap(folio)) {
		folio_unlock(folio);
		folio_put(folio);
		return NULL;
	}
	folio_unlock(folio);
	symswap_count(win, SYMSWAP_FAULTS, 1);
	symswap_count(win, SYMSWAP_PAGES, 1);
	symswap_count(win, SYMSWAP_SHARED, 1);
	return folio;

unreserve:
	atomic_long_dec(&win->in_place);
	return NULL;
}

/* ---- The VMM's grant, and what it is told ------------------------------- */

static unsigned long symswap_stat_sum(const struct symswap_window *win,
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

/* What one look round has found. */
struct symswap_round {
	unsigned long used;
	unsigned long hot;
	unsigned long pushed;
};

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
static unsigned long symswap_unreturned(const struct symswap_window *win)
{
	unsigned long over = symswap_over(win, READ_ONCE(win->grant));
	unsigned long held = atomic_long_read(&win->held);

	return READ_ONCE(win->stuck) ? max(over, held) : held;
}

static void symswap_update_grant(struct symswap_window *win)
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

static void symswap_report(struct symswap_window *win,
			   const struct symswap_round *round)
{
	struct symspy_swap *spy = symswap_spy(win);
	u64 in_place = atomic_long_read(&win->in_place);

	if (!spy)
		return;
	WRITE_ONCE(spy->in_place, in_place);
	WRITE_ONCE(spy->wanted, symswap_stat_sum(win, SYMSWAP_DECLINED_GRANT));
	if (symswap_spy_has_held(container_of(spy, struct symspy_global, swap)))
		WRITE_ONCE(spy->held, symswap_unreturned(win));
	if (round && round->used)
		WRITE_ONCE(spy->hot, div64_u64(in_place * round->hot, round->used));
	else if (!in_place)
		WRITE_ONCE(spy->hot, 0);
}

/* ---- Leaving ------------------------------------------------------------ */

static bool symswap_is_held(const struct page *page)
{
	return READ_ONCE(page->zone_device_data) == SYMSWAP_HELD;
}

/* A page in use, held or with a slot, referenced, or NULL. */
static struct folio *symswap_get(struct symswap_window *win,
				 unsigned long offset, bool held)
{
	struct page *page = symswap_page(win, offset);

	if (!READ_ONCE(page->zone_device_data) || symswap_is_held(page) != held ||
	    !get_page_unless_zero(page))
		return NULL;
	return page_folio(page);
}

static void symswap_retry_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(work, struct symswap_window,
						  retry_work);
	unsigned long offset;
	struct folio *folio;

	for_each_set_bit(offset, win->retry, win->nr_pages) {
		/* First, and ordered: whoever finds the lock taken now says so again. */
		test_and_clear_bit(offset, win->retry);
		folio = symswap_get(win, offset, false);
		if (!folio)
			continue;
		folio_lock(folio);
		folio_free_swap(folio);
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
}

void __symswap_free_later(struct folio *folio)
{
	struct symswap_window *win = symswap_window_of(folio);

	set_bit(folio_pfn(folio) - win->first_pfn, win->retry);
	queue_work(symswap_wq, &win->retry_work);
}

/*
 * A page that is cached, and referenced by nobody but us and the swap cache, is
 * freed, before SWAP_HAS_CACHE goes: from then on the slot's page can be used
 * again.
 */
static bool symswap_free_cached(struct folio *folio, swp_entry_t entry)
{
	struct address_space *mapping = swap_address_space(entry);

	xa_lock_irq(&mapping->i_pages);
	if (!folio_ref_freeze(folio, 2)) {
		xa_unlock_irq(&mapping->i_pages);
		return false;
	}
	__delete_from_swap_cache(folio, entry, NULL);
	xa_unlock_irq(&mapping->i_pages);

	folio_unlock(folio);
	free_zone_device_folio(folio);
	put_swap_folio(folio, entry);
	return true;
}

static swp_entry_t symswap_entry(const struct symswap_window *win,
				 struct folio *folio)
{
	return swp_entry(win->type, folio_pfn(folio) - win->first_pfn);
}

/*
 * Swap a locked page out again: its content is where it belongs, so unmapping is
 * all there is to do. First half: from now on nobody finds the page but in the swap
 * cache, although processors may use it until the flush. Returns true if the
 * second half must follow; else the reference has been consumed.
 */
static bool symswap_unmap(struct symswap_window *win, struct folio *folio)
{
	bool mapped = folio_mapped(folio);

	if (!folio_test_swapcache(folio)) {
		/*
		 * Somebody else's reference is all that is left of it, or it has
		 * moved to memory, and the slot is not its own any more.
		 */
		if (!mapped || folio->page.zone_device_data != SYMSWAP_KEPT)
			goto unlock;
		/*
		 * Its swap PTEs need a count, and others a way to find it.
		 * Reclaim allocates like this too, with other pages locked.
		 */
		if (add_to_swap_cache(folio, symswap_entry(win, folio),
				      __GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN,
				      NULL))
			goto unlock;
		WRITE_ONCE(folio->page.zone_device_data, SYMSWAP_CACHED);
	}
	/*
	 * Leaves mlocked and pinned pages mapped. What nobody has mapped so far has
	 * no anon_vma.
	 */
	if (mapped)
		try_to_unmap(folio, TTU_BATCH_FLUSH);
	return true;

unlock:
	folio_unlock(folio);
	folio_put(folio);
	return false;
}

/* Second half: frees the page, if that is possible. Consumes the reference. */
static bool symswap_let_go(struct symswap_window *win, struct folio *folio)
{
	if (!folio_mapped(folio) &&
	    symswap_free_cached(folio, symswap_entry(win, folio))) {
		symswap_count(win, SYMSWAP_PUSHED, 1);
		return true;
	}
	/* Back to "kept" if no swap PTE has been made. */
	folio_free_swap(folio);
	folio_unlock(folio);
	folio_put(folio);
	return false;
}

static bool symswap_owner_one(struct folio *folio, struct vm_area_struct *vma,
			      unsigned long addr, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, addr, 0);
	struct mem_cgroup **memcg = arg;

	if (!page_vma_mapped_walk(&pvmw))
		return true;
	page_vma_mapped_walk_done(&pvmw);
	*memcg = get_mem_cgroup_from_mm(vma->vm_mm);
	return false;
}

/* The memory cgroup of a process that has mapped the page, referenced, or NULL. */
static struct mem_cgroup *symswap_owner(struct folio *folio)
{
	struct mem_cgroup *memcg = NULL;
	struct rmap_walk_control rwc = {
		.rmap_one = symswap_owner_one,
		.arg = &memcg,
		.anon_lock = folio_lock_anon_vma_read,
	};

	if (folio_mapped(folio))
		rmap_walk(folio, &rwc);
	return memcg;
}

/* Move a page to memory. Consumes the reference. 0, -EBUSY or -ENOMEM. */
static int symswap_move_one(struct symswap_window *win, struct folio *folio)
{
	struct mem_cgroup *memcg = NULL, *old;
	int ret;

	/* With a slot it is the slot that knows; see symswap_alloc_copy(). */
	if (symswap_is_held(&folio->page))
		memcg = symswap_owner(folio);
	old = set_active_memcg(memcg);
	ret = migrate_device_coherent_folio(folio);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	if (!ret)
		symswap_count(win, SYMSWAP_MIGRATED, 1);
	return ret;
}

/*
 * Move up to @nr pages to memory, held ones or those with a slot. Returns how
 * many somebody has a reference to, -ENOMEM or -EINTR.
 */
static long symswap_move(struct symswap_window *win, bool held, unsigned long nr)
{
	unsigned long offset;
	struct folio *folio;
	long left = 0;
	int ret;

	/* munlock() lets go of pages in batches, per CPU. */
	lru_add_drain_all();
	for (offset = 1; offset < win->nr_pages && nr; offset++) {
		cond_resched();
		if (signal_pending(current))
			return -EINTR;
		folio = symswap_get(win, offset, held);
		if (!folio)
			continue;
		ret = symswap_move_one(win, folio);
		if (ret == -ENOMEM)
			return ret;
		if (ret)
			left++;
		else
			nr--;
	}
	return left;
}

/* A kept page goes on without its slot. */
static bool symswap_hold(struct symswap_window *win, struct swap_info_struct *si,
			 unsigned long offset)
{
	struct folio *folio = symswap_get(win, offset, false);
	bool kept;

	if (!folio)
		return false;
	folio_lock(folio);
	kept = READ_ONCE(folio->page.zone_device_data) == SYMSWAP_KEPT;
	if (kept) {
		atomic_long_inc(&win->held);
		WRITE_ONCE(folio->page.zone_device_data, SYMSWAP_HELD);
		symswap_retire_slot(si, offset);
	}
	folio_unlock(folio);
	folio_put(folio);
	return kept;
}

/*
 * Swapoff must end whoever has references to pages, as it does where pages are
 * copied. What does not move by the second attempt stays, and gives up its slot.
 */
int __symswap_evict(struct swap_info_struct *si)
{
	struct symswap_window *win = symswap_of(si);
	unsigned long offset, held = 0;
	long left;

	if (!win || symswap_skip(SYMSWAP_RULE_EVICT))
		return 0;
	left = symswap_move(win, false, ULONG_MAX);
	if (left > 0)
		left = symswap_move(win, false, ULONG_MAX);
	for (offset = 1; left > 0 && offset < win->nr_pages; offset++) {
		cond_resched();
		held += symswap_hold(win, si, offset);
	}
	if (held) {
		pr_info("%s: %lu pages in pipes, sockets or I/O stay in use without a slot\n",
			win->disk->disk_name, held);
		symswap_backoff_reset(&win->held_backoff);
		mod_delayed_work(symswap_wq, &win->held_work,
				 symswap_backoff(&win->held_backoff));
	}
	flush_work(&win->free_work);
	symswap_report(win, NULL);
	return min(left, 0L);
}

/* Whoever held them may have let go: a pipe was read. */
static void symswap_held_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, held_work);

	if (atomic_long_read(&win->held))
		symswap_move(win, true, ULONG_MAX);
	symswap_report(win, NULL);
	if (atomic_long_read(&win->held))
		queue_delayed_work(symswap_wq, &win->held_work,
				   symswap_backoff(&win->held_backoff));
}

/**
 * symswap_next_held() - a slot that swapon must leave out
 * @si: the swap device, not in use yet
 * @prev: the last slot that was returned, or 0
 *
 * Context: may sleep.
 * Return: the next slot whose page is held, or 0.
 */
unsigned long symswap_next_held(struct swap_info_struct *si, unsigned long prev)
{
	struct symswap_window *win = NULL;
	unsigned long offset, end, next = 0;

	if (!static_branch_unlikely(&symswap_key) || !si->bdev)
		return 0;

	mutex_lock(&symswap_mutex);
	/* Elsewhere than on the whole disk, the disk refuses the writes. */
	if (symswap_whole_disk(si))
		win = symswap_window_on(si->bdev->bd_disk);
	if (win && atomic_long_read(&win->held)) {
		end = min_t(unsigned long, win->nr_pages, si->max);
		for (offset = prev + 1; offset < end && !next; offset++)
			if (symswap_is_held(symswap_page(win, offset)))
				next = offset;
	}
	mutex_unlock(&symswap_mutex);
	return next;
}

/**
 * symswap_window_in_use() - how many pages of a window are in use in place
 * @win: the window, or NULL
 *
 * Context: any.
 */
unsigned long symswap_window_in_use(const struct symswap_window *win)
{
	return win ? atomic_long_read(&win->in_place) : 0;
}
EXPORT_SYMBOL_GPL(symswap_window_in_use);

/**
 * symswap_window_held() - are pages in use there that have no slot?
 * @win: the window, or NULL
 * @offset: page in it
 * @nr: number of pages
 *
 * Context: any.
 */
bool symswap_window_held(const struct symswap_window *win, unsigned long offset,
			 unsigned long nr)
{
	if (!win || !atomic_long_read(&win->held))
		return false;
	for (; nr; nr--, offset++)
		if (symswap_is_held(symswap_page(win, offset)))
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(symswap_window_held);

/**
 * symswap_alloc_copy() - a page that takes a window page's place
 * @src: the page that is migrated away, locked, its mappings migration entries
 *
 * A page in place is charged as swap, not as memory. When it moves to memory it
 * is charged as such, to the same memory cgroup.
 *
 * Context: may sleep.
 * Return: the page, or NULL.
 */
struct folio *symswap_alloc_copy(struct folio *src)
{
	struct symswap_window *win = symswap_window_of(src);
	gfp_t gfp = GFP_USER | __GFP_NOWARN;
	struct folio *dst;
	int ret;

	/* Swapoff must have it; for others nobody is killed. */
	if (!oom_task_origin(current))
		gfp |= __GFP_NORETRY;
	dst = folio_alloc(gfp, 0);
	if (!dst)
		return NULL;
	if (symswap_is_held(&src->page))
		/* To the active memory cgroup, or that of the process. */
		ret = mem_cgroup_charge(dst, NULL, gfp);
	else
		ret = mem_cgroup_swapin_charge_folio(dst, NULL, gfp,
						     symswap_entry(win, src));
	if (ret) {
		folio_put(dst);
		return NULL;
	}
	return dst;
}

/**
 * symswap_may_stay() - a long-term pin is about to move a page to memory
 * @folio: the page
 *
 * A pin does not fail because a pipe has a reference too, or because a memory
 * cgroup is at its limit: then it is had where the page is, at the next attempt.
 * Swapoff and a lowered grant deal with that as with all references.
 *
 * Context: any. The caller has a reference.
 * Return: true if moving it may fail.
 */
bool symswap_may_stay(struct folio *folio)
{
	if (!symswap_folio(folio))
		return false;
	/* For symswap_longterm_pinnable(). */
	folio_set_active(folio);
	return true;
}

/* ---- Aging -------------------------------------------------------------- */

/*
 * Pages in place are on no LRU list. While faults find no grant left, a clock
 * hand goes round: a page that has not been touched since the last time is
 * swapped out again, to its slot. A sixteenth of the grant is kept free that way.
 */
#define SYMSWAP_AGE_INTERVAL	(HZ / 10)
#define SYMSWAP_AGE_ROOM	16
/* A round takes this many intervals at the least. */
#define SYMSWAP_AGE_SHARE	8
/* Pages to look at in an interval: for the VMM's information, and for room. */
#define SYMSWAP_AGE_SAMPLE	512UL
#define SYMSWAP_AGE_SCAN	4096UL
/* Slots to pass in it at the most, where few of them are in use. */
#define SYMSWAP_AGE_SLOTS	16384UL

/* Pages that are unmapped, and wait for the flush. */
struct symswap_batch {
	struct folio *folios[SYMSWAP_FLUSH_BATCH];
	unsigned int nr;
};

static bool symswap_young_one(struct folio *folio, struct vm_area_struct *vma,
			      unsigned long addr, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, addr, 0);
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

	/* Also: its anon_vma is there. */
	if (folio_mapped(folio))
		rmap_walk(folio, &rwc);
	return young || rwc.contended;
}

static unsigned long symswap_finish(struct symswap_window *win,
				    struct symswap_batch *batch)
{
	unsigned long pushed = 0;

	try_to_unmap_flush();
	while (batch->nr)
		pushed += symswap_let_go(win, batch->folios[--batch->nr]);
	return pushed;
}

/*
 * Look at @scan pages, or at those in @slots slots if that is less; push out @nr
 * that are cold, or any if @all.
 */
static struct symswap_round symswap_age(struct symswap_window *win,
					unsigned long slots, unsigned long scan,
					unsigned long nr, bool all)
{
	struct symswap_round round = { };
	struct symswap_batch batch = { };
	struct folio *folio;
	bool hot;

	if (symswap_skip(SYMSWAP_RULE_AGE))
		return round;
	for (; slots && round.used < scan; slots--) {
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
		if ((hot && !all) || round.pushed + batch.nr >= nr) {
			folio_unlock(folio);
			folio_put(folio);
			continue;
		}
		if (symswap_unmap(win, folio))
			batch.folios[batch.nr++] = folio;
		if (batch.nr == SYMSWAP_FLUSH_BATCH)
			round.pushed += symswap_finish(win, &batch);
	}
	round.pushed += symswap_finish(win, &batch);
	return round;
}

/*
 * More pages are in place than granted: cold pages go first, then any, and what
 * is locked into memory goes to the guest's own. What somebody else has a
 * reference to stays.
 */
static struct symswap_round symswap_give_back(struct symswap_window *win,
					      unsigned long grant)
{
	struct symswap_round round;
	unsigned long over;

	symswap_count(win, SYMSWAP_SEARCHES, 1);
	over = symswap_over(win, grant);
	round = symswap_age(win, win->nr_pages, ULONG_MAX, over, false);
	over -= round.pushed;
	if (over) {
		lru_add_drain_all();
		over -= symswap_age(win, win->nr_pages, ULONG_MAX, over, true).pushed;
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

static void symswap_age_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, age_work);
	unsigned long declined = symswap_stat_sum(win, SYMSWAP_DECLINED_GRANT);
	unsigned long in_place = atomic_long_read(&win->in_place);
	unsigned long grant, scan, over = 0;
	struct symswap_round round;

	symswap_update_grant(win);
	grant = READ_ONCE(win->grant);
	if (symswap_must_give_back(win, grant)) {
		round = symswap_give_back(win, grant);
	} else {
		/* Room is made while it is wanted; the VMM wants to know always. */
		scan = SYMSWAP_AGE_SAMPLE;
		if (declined != win->declined) {
			scan = SYMSWAP_AGE_SCAN;
			over = symswap_over(win, grant - grant / SYMSWAP_AGE_ROOM);
		}
		scan = min(scan, DIV_ROUND_UP(in_place, SYMSWAP_AGE_SHARE));
		round = symswap_age(win, min(win->nr_pages, SYMSWAP_AGE_SLOTS),
				    scan, over, false);
	}
	win->declined = declined;
	symswap_report(win, &round);

	if (symswap_only_ram) {
		/* A fault counts its pages, then looks at the grant. */
		smp_mb();
		if (atomic_long_read(&win->in_place))
			queue_delayed_work(symswap_wq, &win->age_work,
					   win->age_backoff.pause);
	} else if (READ_ONCE(win->active) &&
		   (symswap_spy(win) || grant < win->nr_pages)) {
		queue_delayed_work(symswap_wq, &win->age_work,
				   SYMSWAP_AGE_INTERVAL);
	}
}

/* ---- Modes -------------------------------------------------------------- */

/* Make the mode what is done, as far as the VMM and the swap area allow. */
static void symswap_apply(struct symswap_window *win)
{
	bool in_place = win->mode == SYMSWAP_MODE_IN_PLACE;

	lockdep_assert_held(&symswap_mutex);
	if (win->mode == SYMSWAP_MODE_SHADOW_BYPASS || win->mode == SYMSWAP_MODE_AUTO)
		symbiotic_bypass_swapon(win->si);
	else
		symbiotic_bypass_swapoff(win->si);
	if (win->mode == SYMSWAP_MODE_AUTO)
		in_place = !symbiotic_bypass_attached(win->si);
	WRITE_ONCE(win->active, in_place && !symswap_only_ram);
	if (win->active)
		mod_delayed_work(symswap_wq, &win->age_work, 0);
}

/**
 * symswap_stay_in_ram() - a device is here that cannot reach the window
 *
 * A passthrough device without an IOMMU reaches what the VMM has pinned for it,
 * which is RAM, and where the kernel has no bounce buffers, nothing else. From
 * now on no page comes in place. Those that are leave, before this returns or, if
 * somebody holds them, as soon as they can.
 *
 * Context: may sleep.
 */
void symswap_stay_in_ram(void)
{
	struct symswap_window *win;

	if (symswap_only_ram)
		return;

	mutex_lock(&symswap_mutex);
	pr_info("a device reaches RAM alone, no pages in place (swiotlb=force would help)\n");
	symswap_only_ram = true;
	list_for_each_entry(win, &symswap_windows, list) {
		if (!win->si)
			continue;
		symswap_apply(win);
		mod_delayed_work(symswap_wq, &win->age_work, 0);
		flush_delayed_work(&win->age_work);
		if (atomic_long_read(&win->in_place))
			pr_info("%s: %ld pages are held in place\n", win->disk->disk_name,
				atomic_long_read(&win->in_place));
	}
	mutex_unlock(&symswap_mutex);
}

#ifdef CONFIG_SYMBIOTIC_TEST
static int only_ram_set(const char *val, const struct kernel_param *kp)
{
	symswap_stay_in_ram();
	return 0;
}

static const struct kernel_param_ops only_ram_ops = {
	.set = only_ram_set,
	.get = param_get_bool,
};

module_param_cb(only_ram, &only_ram_ops, &symswap_only_ram, 0600);
MODULE_PARM_DESC(only_ram, "Test only: as if a device were here that reaches RAM alone");
#endif

/**
 * symswap_swapon() - a swap device is in use (again)
 * @si: the device
 *
 * Context: may sleep.
 */
void symswap_swapon(struct swap_info_struct *si)
{
	struct symswap_window *win;

	if (!static_branch_unlikely(&symswap_key)) {
		symbiotic_bypass_swapon(si);
		return;
	}

	mutex_lock(&symswap_mutex);
	win = si->bdev ? symswap_window_on(si->bdev->bd_disk) : NULL;
	if (!win) {
		symbiotic_bypass_swapon(si);
	} else if ((READ_ONCE(si->flags) & SWP_WRITEOK) && symswap_whole_disk(si)) {
		/* A swapoff that was faster has cleared SWP_WRITEOK. */
		win->si = si;
		win->type = si->type;
		WRITE_ONCE(symswap_by_type[si->type], win);
		symswap_apply(win);
	}
	mutex_unlock(&symswap_mutex);
}

/**
 * symswap_swapoff() - a swap device is about to be emptied
 * @si: the device
 *
 * No fault that begins later is served in place.
 *
 * Context: may sleep.
 */
void symswap_swapoff(struct swap_info_struct *si)
{
	struct symswap_window *win;

	symbiotic_bypass_swapoff(si);
	if (!static_branch_unlikely(&symswap_key))
		return;

	mutex_lock(&symswap_mutex);
	win = si->bdev ? symswap_window_on(si->bdev->bd_disk) : NULL;
	if (win && win->si == si) {
		WRITE_ONCE(win->active, false);
		win->si = NULL;
		cancel_delayed_work_sync(&win->age_work);
		symswap_report(win, NULL);
	}
	mutex_unlock(&symswap_mutex);
}

/**
 * symswap_swapoff_done() - a swap device is empty, and nobody uses it any more
 * @si: the device; its type is about to be free for another one
 *
 * Context: may sleep.
 */
void symswap_swapoff_done(struct swap_info_struct *si)
{
	if (!static_branch_unlikely(&symswap_key))
		return;

	mutex_lock(&symswap_mutex);
	WRITE_ONCE(symswap_by_type[si->type], NULL);
	mutex_unlock(&symswap_mutex);
}

/*
 * A hibernated system cannot have windows with struct pages. They, and the pages,
 * lie outside RAM: the image lacks them, and the kernel that reads the image back
 * writes its own in their place. Whether a page is in place, or comes in place
 * while memory is made free for the image, makes no difference.
 */
static int symswap_pm_event(struct notifier_block *nb, unsigned long event,
			    void *unused)
{
	int ret = NOTIFY_OK;

	mutex_lock(&symswap_mutex);
	switch (event) {
	case PM_HIBERNATION_PREPARE:
		if (symswap_nr_windows) {
			pr_err("no hibernation: an image cannot hold the swap window; remove its device first\n");
			ret = notifier_from_errno(-EBUSY);
		} else {
			symswap_hibernating = true;
		}
		break;
	case PM_POST_HIBERNATION:
		symswap_hibernating = false;
		break;
	default:
		ret = NOTIFY_DONE;
	}
	mutex_unlock(&symswap_mutex);
	return ret;
}

static struct notifier_block symswap_pm_nb = {
	.notifier_call = symswap_pm_event,
};

/* ---- sysfs: /sys/block/symswap<n>/symswap ------------------------------- */

static ssize_t symswap_show(struct device *dev, struct device_attribute *attr,
			    char *buf);
static ssize_t symswap_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count);

struct symswap_attr {
	struct device_attribute attr;
	ssize_t (*show)(struct symswap_window *win, char *buf);
	int (*store)(struct symswap_window *win, const char *buf);
	enum symswap_stat stat;
};

#define SYMSWAP_ATTR(_name, _mode, ...)					\
	static struct symswap_attr symswap_attr_##_name = {		\
		.attr = __ATTR(_name, _mode, symswap_show, symswap_store), \
		__VA_ARGS__						\
	}

static ssize_t mode_show(struct symswap_window *win, char *buf)
{
	int i, at = 0;

	for (i = 0; i < SYMSWAP_MODE_NR; i++)
		at += sysfs_emit_at(buf, at, win->mode == i ? "[%s] " : "%s ",
				    symswap_mode_names[i]);
	return at + sysfs_emit_at(buf, at, "\n");
}

static int mode_store(struct symswap_window *win, const char *buf)
{
	int mode = sysfs_match_string(symswap_mode_names, buf);

	if (mode < 0)
		return mode;
	win->mode = mode;
	if (win->si)
		symswap_apply(win);
	return 0;
}

/* What is done now; empty while the window is not swapped on. */
static ssize_t active_show(struct symswap_window *win, char *buf)
{
	enum symswap_mode mode = SYMSWAP_MODE_COPY;

	if (!win->si)
		return sysfs_emit(buf, "\n");
	if (win->active)
		mode = SYMSWAP_MODE_IN_PLACE;
	else if (symbiotic_bypass_attached(win->si))
		mode = SYMSWAP_MODE_SHADOW_BYPASS;
	return sysfs_emit(buf, "%s\n", symswap_mode_names[mode]);
}

static ssize_t grant_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", win->grant);
}

static ssize_t limit_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", win->limit);
}

static int limit_store(struct symswap_window *win, const char *buf)
{
	unsigned long limit;
	int ret = kstrtoul(buf, 0, &limit);

	if (ret)
		return ret;
	WRITE_ONCE(win->limit, min(limit, win->nr_pages));
	symswap_update_grant(win);
	if (atomic_long_read(&win->held)) {
		symswap_backoff_reset(&win->held_backoff);
		mod_delayed_work(symswap_wq, &win->held_work, 0);
	}
	if (win->si) {
		/* Whoever asks again wants it tried again. */
		WRITE_ONCE(win->stuck, false);
		mod_delayed_work(symswap_wq, &win->age_work, 0);
		/* When the write returns, what could be given back has been. */
		flush_delayed_work(&win->age_work);
	}
	return 0;
}

static ssize_t in_place_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&win->in_place));
}

static ssize_t held_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", symswap_unreturned(win));
}

SYMSWAP_ATTR(mode, 0644, .show = mode_show, .store = mode_store);
SYMSWAP_ATTR(active, 0444, .show = active_show);
SYMSWAP_ATTR(limit, 0644, .show = limit_show, .store = limit_store);
SYMSWAP_ATTR(grant, 0444, .show = grant_show);
SYMSWAP_ATTR(in_place, 0444, .show = in_place_show);
SYMSWAP_ATTR(held, 0444, .show = held_show);
SYMSWAP_ATTR(faults, 0444, .stat = SYMSWAP_FAULTS);
SYMSWAP_ATTR(mapped_pages, 0444, .stat = SYMSWAP_PAGES);
SYMSWAP_ATTR(shared_pages, 0444, .stat = SYMSWAP_SHARED);
SYMSWAP_ATTR(declined_grant, 0444, .stat = SYMSWAP_DECLINED_GRANT);
SYMSWAP_ATTR(migrated_pages, 0444, .stat = SYMSWAP_MIGRATED);
SYMSWAP_ATTR(pushed_pages, 0444, .stat = SYMSWAP_PUSHED);
SYMSWAP_ATTR(searches, 0444, .stat = SYMSWAP_SEARCHES);

static ssize_t symswap_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct symswap_attr *sa = container_of(attr, struct symswap_attr, attr);
	struct symswap_window *win;
	ssize_t ret = -ENODEV;

	mutex_lock(&symswap_mutex);
	win = symswap_window_on(dev_to_disk(dev));
	if (win)
		ret = sa->show ? sa->show(win, buf) :
		      sysfs_emit(buf, "%lu\n", symswap_stat_sum(win, sa->stat));
	mutex_unlock(&symswap_mutex);
	return ret;
}

static ssize_t symswap_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	struct symswap_attr *sa = container_of(attr, struct symswap_attr, attr);
	struct symswap_window *win;
	int ret = -ENODEV;

	mutex_lock(&symswap_mutex);
	win = symswap_window_on(dev_to_disk(dev));
	if (win)
		ret = sa->store(win, buf);
	mutex_unlock(&symswap_mutex);
	return ret ?: count;
}

static struct attribute *symswap_attrs[] = {
	&symswap_attr_mode.attr.attr,
	&symswap_attr_active.attr.attr,
	&symswap_attr_limit.attr.attr,
	&symswap_attr_grant.attr.attr,
	&symswap_attr_in_place.attr.attr,
	&symswap_attr_held.attr.attr,
	&symswap_attr_faults.attr.attr,
	&symswap_attr_mapped_pages.attr.attr,
	&symswap_attr_shared_pages.attr.attr,
	&symswap_attr_declined_grant.attr.attr,
	&symswap_attr_migrated_pages.attr.attr,
	&symswap_attr_pushed_pages.attr.attr,
	&symswap_attr_searches.attr.attr,
	NULL
};

static umode_t symswap_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	bool ours;

	mutex_lock(&symswap_mutex);
	ours = symswap_window_on(dev_to_disk(kobj_to_dev(kobj)));
	mutex_unlock(&symswap_mutex);
	return ours ? attr->mode : 0;
}

const struct attribute_group symswap_group = {
	.name = "symswap",
	.attrs = symswap_attrs,
	.is_visible = symswap_visible,
};
EXPORT_SYMBOL_GPL(symswap_group);

/* ---- For the driver ----------------------------------------------------- */

static int symswap_count_window(void)
{
	int ret = 0;

	mutex_lock(&symswap_mutex);
	if (symswap_hibernating)
		ret = -EBUSY;
	else
		symswap_nr_windows++;
	mutex_unlock(&symswap_mutex);
	return ret;
}

static void symswap_uncount_window(void)
{
	mutex_lock(&symswap_mutex);
	symswap_nr_windows--;
	mutex_unlock(&symswap_mutex);
}

/**
 * symswap_window_create() - give the pages of a window struct pages
 * @nid: its node
 * @start: guest-physical address
 * @size: its size in bytes
 *
 * The struct pages lie in the first pages of the window, so what is left for
 * slots is smaller; see symswap_window_store().
 *
 * Context: may sleep.
 * Return: the window, or an error: use it without in-place mode.
 */
struct symswap_window *symswap_window_create(int nid, phys_addr_t start, u64 size)
{
	unsigned long pages = size >> PAGE_SHIFT;
	unsigned long reserved = DIV_ROUND_UP(pages * sizeof(struct page), PAGE_SIZE);
	struct vmem_altmap altmap = {
		.base_pfn = PHYS_PFN(start),
		.end_pfn = PHYS_PFN(start + size - 1),
		.free = reserved,
	};
	struct symswap_window *win;
	void *addr;
	int ret;

	/* What sections can be added in. */
	if (!IS_ALIGNED(start, SUBSECTION_SIZE) || !IS_ALIGNED(size, SUBSECTION_SIZE))
		return ERR_PTR(-EINVAL);

	ret = symswap_count_window();
	if (ret)
		return ERR_PTR(ret);
	ret = -ENOMEM;
	win = kzalloc(sizeof(*win), GFP_KERNEL);
	if (!win)
		goto uncount;
	win->stats = __alloc_percpu(SYMSWAP_NR_STATS * sizeof(*win->stats),
				    sizeof(*win->stats));
	if (!win->stats)
		goto free;
	win->retry = kvcalloc(BITS_TO_LONGS(pages - reserved), sizeof(long), GFP_KERNEL);
	if (!win->retry)
		goto free;

	win->pgmap.type = MEMORY_DEVICE_COHERENT;
	win->pgmap.ops = &symswap_pgmap_ops;
	win->pgmap.owner = win;
	win->pgmap.flags = PGMAP_ALTMAP_VALID;
	memcpy(&win->pgmap.altmap, &altmap, sizeof(altmap));
	win->pgmap.nr_range = 1;
	win->pgmap.range.start = start;
	win->pgmap.range.end = start + size - 1;
	addr = memremap_pages(&win->pgmap, nid);
	if (IS_ERR(addr)) {
		ret = PTR_ERR(addr);
		goto free;
	}

	win->reserved = reserved;
	win->first_pfn = PHYS_PFN(start) + reserved;
	win->nr_pages = pages - reserved;
	win->mode = default_mode;
	win->limit = min(default_limit, win->nr_pages);
	win->grant = win->limit;
	init_llist_head(&win->freed);
	INIT_WORK(&win->free_work, symswap_free_work);
	INIT_WORK(&win->retry_work, symswap_retry_work);
	INIT_DELAYED_WORK(&win->age_work, symswap_age_work);
	INIT_DELAYED_WORK(&win->held_work, symswap_held_work);
	INIT_LIST_HEAD(&win->list);
	return win;

free:
	kvfree(win->retry);
	free_percpu(win->stats);
	kfree(win);
uncount:
	symswap_uncount_window();
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(symswap_window_create);

/**
 * symswap_window_store() - the part of a window that holds slots
 * @win: the window
 * @start: its guest-physical address
 * @size: its size in bytes
 *
 * Return: where it is mapped.
 */
void *symswap_window_store(const struct symswap_window *win, phys_addr_t *start,
			   u64 *size)
{
	*start = PFN_PHYS(win->first_pfn);
	*size = (u64)win->nr_pages << PAGE_SHIFT;
	return __va(*start);
}
EXPORT_SYMBOL_GPL(symswap_window_store);

/**
 * symswap_window_add() - a window has its disk, and may be swapped on
 * @win: the window
 * @disk: the disk, not added yet
 * @unused: to be woken when no page is in use any more
 *
 * Context: may sleep.
 */
void symswap_window_add(struct symswap_window *win, struct gendisk *disk,
			wait_queue_head_t *unused)
{
	mutex_lock(&symswap_mutex);
	win->disk = disk;
	win->unused = unused;
	win->vmm = list_empty(&symswap_windows);
	list_add_tail(&win->list, &symswap_windows);
	static_branch_enable(&symswap_key);
	mutex_unlock(&symswap_mutex);
}
EXPORT_SYMBOL_GPL(symswap_window_add);

/**
 * symswap_window_destroy() - the disk is gone, and with it the last user
 * @win: the window
 *
 * Context: may sleep.
 */
void symswap_window_destroy(struct symswap_window *win)
{
	/* The disk was open while it was swapped on, so no entry is left. */
	mutex_lock(&symswap_mutex);
	list_del_init(&win->list);
	mutex_unlock(&symswap_mutex);
	cancel_delayed_work_sync(&win->held_work);
	flush_work(&win->retry_work);
	flush_work(&win->free_work);
	memunmap_pages(&win->pgmap);
	kvfree(win->retry);
	symswap_uncount_window();
	free_percpu(win->stats);
	kfree(win);
}
EXPORT_SYMBOL_GPL(symswap_window_destroy);

static int __init symswap_init(void)
{
	/* Freezable: while the machine suspends, the window may be out of reach. */
	symswap_wq = alloc_workqueue("symswap", WQ_MEM_RECLAIM | WQ_UNBOUND |
				     WQ_HIGHPRI | WQ_FREEZABLE, 0);
	if (!symswap_wq)
		return -ENOMEM;
	return register_pm_notifier(&symswap_pm_nb);
}
subsys_initcall(symswap_init);
