// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: a fault on a page in the swap window maps the window's own
 * page. Nothing is copied, nothing allocated, and no exit is made.
 *
 * The window (drivers/block/symswap/) is memory of the host. Its pages have
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
 *  new     Kept, by a fault that has not mapped it yet: a first touch, see
 *          touch.c. Only the fault knows it.
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

#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/llist.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/userfaultfd_k.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>

#include "../internal.h"
#include "internal.h"
#include "slots.h"

/* What is left of fault_around when half of the grant is used. */
#define SYMSWAP_SHORT_SHARE	8
/* Slots freed with one acquisition of the swap device's lock. */
#define SYMSWAP_FREE_BATCH	64
/* When so many pages have been freed, their slots do not wait. */
#define SYMSWAP_FREE_SOON	256

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

	void *state;

	if (!win || offset >= win->nr_pages)
		return false;
	state = READ_ONCE(symswap_page(win, offset)->zone_device_data);
	return state == SYMSWAP_KEPT || state == SYMSWAP_NEW;
}

/* ---- A page's life ------------------------------------------------------ */

/* What a test that lets the count come first gives others to look at the page. */
#define SYMSWAP_EARLY_US	1000

static bool symswap_count_comes_last(void)
{
	return !symswap_skip(SYMSWAP_RULE_PUBLISH);
}

/*
 * SWAP_HAS_CACHE of the slot is the caller's, as is a reference to the pgmap,
 * which he must take before anybody else can free the page. Does not sleep,
 * unlike zone_device_page_init().
 *
 * The page is still nobody's, its count 0: flags, lock and mapping are set
 * without atomics until symswap_publish().
 */
struct folio *symswap_page_init(struct page *page, void *state)
{
	struct folio *folio = page_folio(page);

	VM_WARN_ON_ONCE_PAGE(page_count(page), page);
	if (!symswap_count_comes_last())
		folio_ref_unfreeze(folio, 1);
	__folio_set_swapbacked(folio);
	/* The content was written before SWAP_HAS_CACHE was cleared last. */
	__folio_mark_uptodate(folio);
	WRITE_ONCE(page->zone_device_data, state);
	if (!symswap_count_comes_last())
		udelay(SYMSWAP_EARLY_US);
	return folio;
}

/*
 * Who finds the page by its number, as symswap_get() does, takes a reference if
 * the count is not 0, and then the lock. So the count comes last, and whoever
 * sees it sees all that was written before.
 */
void symswap_publish(struct folio *folio)
{
	if (symswap_count_comes_last())
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
	void *state = page->zone_device_data;
	bool first;
	long left;

	if (folio_test_mlocked(folio))
		zone_stat_mod_folio(folio, NR_MLOCK, -1);
	/* What another life of the page must not inherit; ZONE_DEVICE pages are reserved. */
	page->flags &= ~(PAGE_FLAGS_CHECK_AT_PREP & ~BIT(PG_reserved));
	page->private = 0;
	if (state == SYMSWAP_HELD || state == SYMSWAP_HELD_NEW)
		atomic_long_dec(&win->held);
	/* The page's reference to the pgmap, put later, keeps the window. */
	left = atomic_long_dec_return(&win->in_place);
	if (!left)
		wake_up_all(win->unused);

	if (state == SYMSWAP_KEPT || state == SYMSWAP_NEW) {
		first = llist_add((struct llist_node *)&page->zone_device_data, &win->freed);
		/*
		 * A tick later, so that pages freed one by one are one batch. Many are
		 * a process that ends. If it was killed for want of swap.max, the next
		 * one is killed in that tick, as there still is none.
		 */
		if (left % SYMSWAP_FREE_SOON == 0)
			mod_delayed_work(symswap_wq, &win->free_work, 0);
		else if (first)
			queue_delayed_work(symswap_wq, &win->free_work, 1);
		return;
	}
	/* Pairs with symswap_slot_ok(): from now on the page can be used again. */
	smp_store_release(&page->zone_device_data, NULL);
}

/*
 * Memory of a page has been lost. What the kernel would do for a page of a device takes
 * its mapping for a file's. Whoever runs into it gets SIGBUS, as where nothing can be done;
 * and so does the next one who is given the slot.
 */
static int symswap_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
				  unsigned long nr_pages, int flags)
{
	return -ENXIO;
}

const struct dev_pagemap_ops symswap_pgmap_ops = {
	.page_free = symswap_page_free,
	.memory_failure = symswap_memory_failure,
};

bool __symswap_folio(const struct folio *folio)
{
	return folio_is_device_coherent(folio) &&
	       folio->page.pgmap->ops == &symswap_pgmap_ops;
}

/* Frees the slots of pages that were kept. Not where the last reference goes. */
void symswap_free_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, free_work);
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
			symswap_slots_free(entries, n);
			n = 0;
			cond_resched();
		}
	}
}

static bool symswap_keeps_slots(void)
{
	return !symswap_skip(SYMSWAP_RULE_KEEP);
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
	if (symswap_keeps_slots())
		WRITE_ONCE(folio->page.zone_device_data, SYMSWAP_KEPT);
	else
		symswap_slot_put(folio, entry);
}

/* ---- Faults ------------------------------------------------------------- */

/*
 * mlock promises memory that stays; shadow stacks need more than a mapping.
 * Both are left to the copy.
 */
bool symswap_vma_ok(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_LOCKED | VM_LOCKONFAULT | VM_SHADOW_STACK)) ||
	       symswap_skip(SYMSWAP_RULE_VMA);
}

/* userfaultfd wants to see each page: by a whole VMA, or by a single PTE. */
static bool symswap_uffd_vma(struct vm_area_struct *vma)
{
	return userfaultfd_armed(vma) && !symswap_skip(SYMSWAP_RULE_UFFD);
}

static bool symswap_uffd_pte(pte_t pte)
{
	return pte_swp_uffd_wp(pte) && !symswap_skip(SYMSWAP_RULE_UFFD);
}

/* Is a page of zeroes in the zero map, and anything in the slot? */
static bool symswap_in_zeromap(const struct swap_info_struct *si, unsigned long offset)
{
	const struct symswap_slots slots = symswap_slots(si);

	return symswap_slot_zero(&slots, offset) && !symswap_skip(SYMSWAP_RULE_ZEROMAP);
}

/*
 * Is the content in the slot, and its page not in use? Stable once
 * SWAP_HAS_CACHE is ours. A page that moved to memory while it was cached may
 * still have a reference of somebody who only looks, although the slot has been
 * written again since.
 */
bool symswap_slot_ok(const struct symswap_window *win,
		     const struct swap_info_struct *si, unsigned long offset)
{
	if (!offset || offset >= win->nr_pages)
		return false;
	/* Pairs with symswap_page_free(). */
	if (smp_load_acquire(&symswap_page(win, offset)->zone_device_data))
		return false;
	return !symswap_in_zeromap(si, offset) && zswap_never_enabled();
}

/* How many of @nr pages in place are more than granted. */
static unsigned long symswap_ungranted(const struct symswap_window *win,
				       unsigned long nr)
{
	if (symswap_skip(SYMSWAP_RULE_GRANT))
		return 0;
	return nr - min(nr, READ_ONCE(win->grant));
}

/* Count up to @nr pages as in place; returns how many the grant allows. */
unsigned long symswap_reserve(struct symswap_window *win, unsigned long nr)
{
	unsigned long over;

	over = symswap_ungranted(win, atomic_long_add_return(nr, &win->in_place));
	if (!over)
		return nr;
	over = min(over, nr);
	atomic_long_sub(over, &win->in_place);
	return nr - over;
}

/* Also one that has other users? Only a test takes what others need. */
static bool symswap_claims_shared(void)
{
	return symswap_skip(SYMSWAP_RULE_SHARED);
}

/* From count 1 to SWAP_HAS_CACHE alone. */
static bool symswap_claim(struct swap_info_struct *si, swp_entry_t entry)
{
	if (!symswap_claims_shared())
		return symswap_slot_claim(si, swp_offset(entry));
	if (!symswap_slot_cache(entry))
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
		symswap_slot_unclaim(si, entry);
		return NULL;
	}
	if (symswap_keeps_slots())
		return symswap_page_init(symswap_page(win, offset), SYMSWAP_KEPT);
	symswap_slot_uncache(si, entry);
	return symswap_page_init(symswap_page(win, offset), SYMSWAP_CACHED);
}

static bool symswap_map_one(struct vm_fault *vmf, struct symswap_window *win,
			    struct swap_info_struct *si, unsigned long vaddr,
			    pte_t *ptep)
{
	struct vm_area_struct *vma = vmf->vma;
	bool faulting = vaddr == vmf->address;
	pte_t old = ptep_get(ptep), pte;
	struct folio *folio;
	swp_entry_t entry;

	if (!is_swap_pte(old) || symswap_uffd_pte(old))
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

	folio_add_new_anon_rmap(folio, vma, vaddr, RMAP_EXCLUSIVE);
	symswap_publish(folio);
	set_pte_at(vma->vm_mm, vaddr, ptep, pte);
	if (faulting)
		update_mmu_cache(vma, vaddr, ptep);
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
	unsigned long vaddr, start, end;
	unsigned long reserved, nr = 0;
	pte_t *ptep, *first;
	spinlock_t *ptl;	/* of the page table */

	if (!symswap_vma_ok(vma) || symswap_uffd_vma(vma))
		return false;

	first = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &ptl);
	/* Somebody else was here: the fault is done, or happens again. */
	if (!first)
		return true;
	if (!pte_same(ptep_get(first), vmf->orig_pte)) {
		pte_unmap_unlock(first, ptl);
		return true;
	}
	/* Until the lock is gone, the VMM maps nothing: symswap_apply(). */
	if (!__symswap_in_place(si)) {
		pte_unmap_unlock(first, ptl);
		return false;
	}

	start = ALIGN_DOWN(vmf->address, size);
	end = min(start + size, vma->vm_end);
	start = max(start, vma->vm_start);
	/* At once: these are the only atomics that need not be one for each page. */
	reserved = symswap_reserve(win, (end - start) >> PAGE_SHIFT);

	if (reserved && symswap_map_one(vmf, win, si, vmf->address, first)) {
		nr++;
		ptep = first - ((vmf->address - start) >> PAGE_SHIFT);
		for (vaddr = start; vaddr < end && nr < reserved; vaddr += PAGE_SIZE, ptep++)
			if (vaddr != vmf->address)
				nr += symswap_map_one(vmf, win, si, vaddr, ptep);
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
	if (!symswap_slot_cache(entry))
		goto unreserve;
	/* The mode may have changed since: as before any use of a slot's content. */
	symbiotic_bypass_drop_slots(win->disk, offset, 1, BYPASS_HOOK_READ);
	if (!symswap_slot_ok(win, si, offset)) {
		symswap_slot_uncache(si, entry);
		goto unreserve;
	}

	percpu_ref_get(&win->pgmap.ref);
	folio = symswap_page_init(symswap_page(win, offset), SYMSWAP_CACHED);
	__folio_set_locked(folio);
	symswap_publish(folio);
	if (symswap_cache_add(folio, entry, GFP_KERNEL)) {
		symswap_slot_put(folio, entry);
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
