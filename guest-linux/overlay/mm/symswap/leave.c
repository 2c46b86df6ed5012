// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: how a page leaves its slot, or its slot leaves it.
 */

#define pr_fmt(fmt) "symswap: " fmt

#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/workqueue.h>

#include "../internal.h"
#include "internal.h"
#include "slots.h"

/* Also by a fault that has not mapped it yet. */
static bool symswap_is_held(const struct page *page)
{
	void *state = READ_ONCE(page->zone_device_data);

	return state == SYMSWAP_HELD || state == SYMSWAP_HELD_NEW;
}

/* Known to others than the fault that has taken it? */
static bool symswap_is_known(const struct page *page, bool held)
{
	void *state;

	/* Pairs with __symswap_known(): flags and rmap are complete. */
	state = smp_load_acquire(&page->zone_device_data);
	if (!state || state == SYMSWAP_NEW || state == SYMSWAP_HELD_NEW)
		return false;
	return (state == SYMSWAP_HELD) == held;
}

/* A page in use, held or with a slot, referenced, or NULL. */
struct folio *symswap_get(struct symswap_window *win,
			  unsigned long offset, bool held)
{
	struct page *page = symswap_page(win, offset);

	if (!symswap_is_known(page, held) || !get_page_unless_zero(page))
		return NULL;
	/*
	 * Once more: it may have been freed and taken again, by a fault that sets
	 * flags without atomics. Now it is not freed, and what is known stays known.
	 */
	if (!symswap_is_known(page, held)) {
		put_page(page);
		return NULL;
	}
	return page_folio(page);
}

/* Who wanted to take these pages out of the swap cache did not get the lock. */
void symswap_retry_work(struct work_struct *work)
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
	if (!symswap_cache_take(folio, entry))
		return false;
	folio_unlock(folio);
	free_zone_device_folio(folio);
	symswap_slot_put(folio, entry);
	return true;
}

/*
 * Swap a locked page out again: its content is where it belongs, so unmapping is
 * all there is to do. First half: from now on nobody finds the page but in the swap
 * cache, although processors may use it until the flush. Returns true if the
 * second half must follow; else the reference has been consumed.
 */
bool symswap_unmap(struct symswap_window *win, struct folio *folio)
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
		if (symswap_cache_add(folio, symswap_entry(win, folio),
				      __GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN))
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
bool symswap_let_go(struct symswap_window *win, struct folio *folio)
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
			      unsigned long vaddr, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, vaddr, 0);
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
int symswap_move_one(struct symswap_window *win, struct folio *folio)
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

/* Its fault has it, and may take as long as a file server in user space does. */
static bool symswap_is_new(const struct page *page)
{
	return READ_ONCE(page->zone_device_data) == SYMSWAP_NEW;
}

/*
 * Move up to @nr pages to memory, held ones or those with a slot. Returns how
 * many somebody has a reference to, -ENOMEM or -EINTR.
 */
long symswap_move(struct symswap_window *win, bool held, unsigned long nr)
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
		if (!folio) {
			left += !held && symswap_is_new(symswap_page(win, offset));
			continue;
		}
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

/*
 * The same for one that its fault has not mapped yet. The reference keeps it from
 * being freed; the fault goes on with what it finds, see __symswap_known().
 */
static bool symswap_hold_new(struct symswap_window *win, struct swap_info_struct *si,
			     unsigned long offset)
{
	struct page *page = symswap_page(win, offset);
	bool held;

	if (!symswap_is_new(page) || !get_page_unless_zero(page))
		return false;
	atomic_long_inc(&win->held);
	held = cmpxchg(&page->zone_device_data, SYMSWAP_NEW,
		       SYMSWAP_HELD_NEW) == SYMSWAP_NEW;
	if (held)
		symswap_slot_retire(si, offset);
	else
		atomic_long_dec(&win->held);
	put_page(page);
	return held;
}

/* A kept page goes on without its slot. */
static bool symswap_hold(struct symswap_window *win, struct swap_info_struct *si,
			 unsigned long offset)
{
	struct folio *folio;
	bool kept;

	if (symswap_hold_new(win, si, offset))
		return true;
	folio = symswap_get(win, offset, false);
	if (!folio)
		return false;
	folio_lock(folio);
	kept = READ_ONCE(folio->page.zone_device_data) == SYMSWAP_KEPT;
	if (kept) {
		atomic_long_inc(&win->held);
		WRITE_ONCE(folio->page.zone_device_data, SYMSWAP_HELD);
		symswap_slot_retire(si, offset);
	}
	folio_unlock(folio);
	folio_put(folio);
	return kept;
}

static bool symswap_evicts(void)
{
	return !symswap_skip(SYMSWAP_RULE_EVICT);
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

	if (!win || !symswap_evicts())
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
	flush_delayed_work(&win->free_work);
	symswap_report(win, NULL);
	return min(left, 0L);
}

/* Whoever held them may have let go: a pipe was read. */
void symswap_held_work(struct work_struct *work)
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

/*
 * What a test that migrates pages without their anon_vma gives others to free it: an
 * exit and a grace period, after which KASAN knows that it is gone. Not at each page, or
 * a swapoff would take longer than a test lets it.
 */
#define SYMSWAP_LATE_MS		40
#define SYMSWAP_LATE_EVERY	8

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

	if (symswap_skip(SYMSWAP_RULE_ANON_VMA) && folio_pfn(src) % SYMSWAP_LATE_EVERY == 0)
		msleep(SYMSWAP_LATE_MS);
	/* Swapoff tries harder, but nobody is killed for either. */
	gfp |= oom_task_origin(current) ? __GFP_RETRY_MAYFAIL : __GFP_NORETRY;
	/* What moves because memory is free takes none from anybody. */
	if (READ_ONCE(win->lifter) == current)
		gfp &= ~__GFP_RECLAIM;
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

#ifdef CONFIG_SYMBIOTIC_TEST
/**
 * symswap_forgets_anon_vma() - does a test want pages migrated without their anon_vma?
 *
 * Context: any.
 */
bool symswap_forgets_anon_vma(void)
{
	return symswap_skip(SYMSWAP_RULE_ANON_VMA);
}
#endif

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
