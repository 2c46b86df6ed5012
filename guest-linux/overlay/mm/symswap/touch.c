// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: a first touch takes a page of the window.
 *
 * Where memory is short, filling it means to swap out as much, by a copy. A free
 * slot's page is as good as memory, so the new page can be that at once: cleared,
 * or the destination of a copy-on-write. Nothing is reclaimed or copied, and
 * pushing it out later is unmapping it. From then on it is a page in place like
 * any other ("kept", see page.c).
 *
 * The page is made where the memory manager allocates one, and becomes known where
 * others go to an LRU list: folio_add_lru_vma(), when flags and rmap are complete.
 * In between it is "new". Callers may put it at any time, so its count is not 0; it
 * is the state by which nobody else looks at it: symswap_get(). That may last for
 * as long as a file server in user space takes to read a page for a private
 * mapping, so swapoff does not wait for it: it takes the slot away, symswap_hold(),
 * and the fault goes on with a page that is held.
 *
 * Never is a fault worse off than without: whatever is refused here is left to the
 * memory manager.
 */

#include <linux/cpuset.h>
#include <linux/highmem.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/oom.h>
#include <linux/percpu-refcount.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/userfaultfd_k.h>
#include <linux/zswap.h>

#include "../internal.h"
#include "internal.h"
#include "slots.h"

#define CREATE_TRACE_POINTS
#include "symswap_trace.h"

/* Pages that one fault maps besides its own, at the most. */
#define SYMSWAP_AHEAD_MOST	15
/* They take this share of what is left of grant, slots and swap.max. */
#define SYMSWAP_AHEAD_SHARE	64

static unsigned int touch_ahead = 7;

static int touch_ahead_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, SYMSWAP_AHEAD_MOST);
}

static const struct kernel_param_ops touch_ahead_ops = {
	.set = touch_ahead_set,
	.get = param_get_uint,
};

module_param_cb(touch_ahead, &touch_ahead_ops, &touch_ahead, 0644);
MODULE_PARM_DESC(touch_ahead, "Pages mapped next to a first touch that is one of many in a row, up to 15");

/* The window that first touches take pages of, or NULL. */
static struct symswap_window __rcu *symswap_touch_window;

/**
 * symswap_touch_set() - choose the window for first touches
 * @win: the window, or NULL
 *
 * Who still uses the one before does so in an RCU read-side critical section.
 *
 * Context: symswap_mutex is held.
 */
void symswap_touch_set(struct symswap_window *win)
{
	lockdep_assert_held(&symswap_mutex);
	rcu_assign_pointer(symswap_touch_window, win);
}

/* ---- Whether ------------------------------------------------------------ */

/**
 * symswap_touch_limit() - how many pages in place leave room for a first touch
 * @grant: how many may be in place
 *
 * The rest is what aging keeps free, for what comes back from the window. It is no more
 * than that: a first touch that is declined has a page of memory swapped out, by a copy
 * to the same window.
 *
 * Context: any.
 * Return: pages.
 */
unsigned long symswap_touch_limit(unsigned long grant)
{
	return grant - grant / SYMSWAP_AGE_ROOM;
}

/* An eighth of the slots is left to reclaim. */
static unsigned long symswap_touch_slots(unsigned long slots)
{
	return slots - slots / 8;
}

/**
 * symswap_touch_decide() - does a first touch take a page of the window?
 * @f: what is known
 *
 * Context: any.
 * Return: the verdict.
 */
enum symswap_touch_verdict symswap_touch_decide(const struct symswap_touch_facts *f)
{
	if (f->mode == SYMSWAP_TOUCH_OFF ||
	    (f->mode == SYMSWAP_TOUCH_AUTO && !f->is_short))
		return SYMSWAP_TOUCH_NO_NEED;
	if (f->in_place >= symswap_touch_limit(f->grant))
		return SYMSWAP_TOUCH_NO_GRANT;
	if (f->used >= symswap_touch_slots(f->slots) || !f->left)
		return SYMSWAP_TOUCH_NO_SLOTS;
	return SYMSWAP_TOUCH_TAKE;
}

/**
 * symswap_touch_ahead_nr() - how many pages to map next to one that was touched
 * @f: what is known; such that a first touch takes a page
 * @run: pages of the window that are mapped right before it
 *
 * As many as have come in a row, so no more is mapped in vain than was used; and a
 * small part of what is left of everything that they take.
 *
 * Context: any.
 * Return: pages.
 */
unsigned int symswap_touch_ahead_nr(const struct symswap_touch_facts *f, unsigned int run)
{
	unsigned long room = min3(symswap_touch_limit(f->grant) - f->in_place,
				  symswap_touch_slots(f->slots) - f->used, f->left);

	return min_t(unsigned long, run, room / SYMSWAP_AHEAD_SHARE);
}

#ifdef CONFIG_NUMA
/* Whoever has said where memory shall be gets it there. */
static bool symswap_policy_ok(struct vm_area_struct *vma, unsigned long addr,
			      const struct symswap_window *win)
{
	struct mempolicy *pol;
	pgoff_t ilx;

	/* A tmpfs can be asked for one, and mostly has none. */
	pol = __get_vma_policy(vma, addr, &ilx);
	mpol_cond_put(pol);
	if (pol || current->mempolicy)
		return false;
	return node_isset(page_to_nid(symswap_page(win, 0)),
			  cpuset_current_mems_allowed);
}
#else
static bool symswap_policy_ok(struct vm_area_struct *vma, unsigned long addr,
			      const struct symswap_window *win)
{
	return true;
}
#endif

/*
 * Besides what is no good in place at all: pages that must be ordinary memory for
 * what their mapping wants of them. KSM merges none of the window; a long-term pin
 * would move it at once.
 */
static bool symswap_touch_vma_ok(struct vm_area_struct *vma)
{
	return symswap_vma_ok(vma) &&
	       !(vma->vm_flags & (VM_SPECIAL | VM_MERGEABLE | VM_DROPPABLE)) &&
	       !vma_is_temporary_stack(vma) && !userfaultfd_armed(vma) &&
	       !(current->flags & PF_MEMALLOC_PIN);
}

/*
 * Each new page asks, mostly while nothing is short. So that answer holds for the next few
 * of the same process on the same CPU, whenever they come: a CPU is late by so many pages
 * at the most. @mm is compared, never used.
 */
struct symswap_touch_rest {
	struct mm_struct *mm;
	int asks;	/* below 0 if somebody was moved to another CPU in between */
};

static DEFINE_PER_CPU(struct symswap_touch_rest, symswap_touch_rest);

static void symswap_touch_begin_rest(struct mm_struct *mm)
{
	this_cpu_write(symswap_touch_rest.mm, mm);
	this_cpu_write(symswap_touch_rest.asks, SYMSWAP_TOUCH_ASKS);
}

/* In an RCU read-side critical section, as all that looks at the window. */
static bool symswap_touch_rests(const struct symswap_window *win, const struct mm_struct *mm)
{
	if (this_cpu_read(symswap_touch_rest.mm) != mm ||
	    this_cpu_read(symswap_touch_rest.asks) <= 0 ||
	    (win && READ_ONCE(win->touch) != SYMSWAP_TOUCH_AUTO))
		return false;
	this_cpu_dec(symswap_touch_rest.asks);
	return true;
}

/* Asked before all else, as memory that is not short is the common case. */
static bool symswap_touch_needed(struct symswap_window *win, struct mm_struct *mm,
				 struct symswap_touch_facts *f)
{
	f->mode = READ_ONCE(win->touch);
	if (f->mode != SYMSWAP_TOUCH_AUTO)
		return f->mode == SYMSWAP_TOUCH_ALWAYS;
	f->is_short = symswap_ram_short(f->more) || symswap_group_short(mm, f->more);
	if (!f->is_short && !f->more)
		symswap_touch_begin_rest(mm);
	return f->is_short;
}

static enum symswap_touch_verdict symswap_touch_verdict(struct symswap_window *win,
							struct mm_struct *mm,
							struct symswap_touch_facts *f)
{
	const struct swap_info_struct *si = READ_ONCE(win->si);

	if (!si || !READ_ONCE(win->active) || !zswap_never_enabled())
		return SYMSWAP_TOUCH_NO_NEED;

	f->in_place = atomic_long_read(&win->in_place);
	f->grant = READ_ONCE(win->grant);
	f->slots = READ_ONCE(si->pages);
	f->used = READ_ONCE(si->inuse_pages);
	f->left = symswap_group_swap_left(mm);
	return symswap_touch_decide(f);
}

/*
 * What would become of a first touch, in the window that is for them, or NULL. In the
 * RCU read-side critical section in which that was looked up.
 */
static enum symswap_touch_verdict symswap_touch_ask(struct symswap_window *win,
						    struct mm_struct *mm,
						    struct vm_area_struct *vma,
						    unsigned long addr,
						    struct symswap_touch_facts *facts)
{
	if (!win || !symswap_touch_needed(win, mm, facts) ||
	    !symswap_touch_vma_ok(vma) || !symswap_policy_ok(vma, addr, win))
		return SYMSWAP_TOUCH_NO_NEED;
	return symswap_touch_verdict(win, mm, facts);
}

/**
 * __symswap_no_huge() - is a first touch better than a huge page of memory?
 * @vma: where
 * @addr: the address
 *
 * If memory is short, or would be behind it, a huge page has to be reclaimed.
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held.
 * Return: true if memory is to be taken by the page, of the window or not.
 */
bool __symswap_no_huge(struct vm_area_struct *vma, unsigned long addr)
{
	struct symswap_touch_facts facts = { .more = SYMSWAP_HUGE - 1 };
	bool take;

	rcu_read_lock();
	take = symswap_touch_ask(rcu_dereference(symswap_touch_window), vma->vm_mm, vma,
				 addr, &facts) == SYMSWAP_TOUCH_TAKE;
	rcu_read_unlock();
	return take;
}

/* ---- How ---------------------------------------------------------------- */

static bool symswap_charges(void)
{
	return !symswap_skip(SYMSWAP_RULE_CHARGE);
}

/*
 * Make a slot of the stock a new page's, or give it back. Within the caller's RCU
 * read-side critical section @win->active is true, so that the VMM maps nothing
 * there (symswap_apply()), and swapoff does not end.
 */
static struct folio *symswap_touch_take(struct symswap_window *win,
					struct mm_struct *mm, unsigned int slot)
{
	struct swap_info_struct *si = READ_ONCE(win->si);
	swp_entry_t entry = swp_entry(win->type, slot);
	struct folio *folio;

	if (!si || !symswap_slot_ok(win, si, slot)) {
		/* Somebody still looks at the page's last life. Another time. */
		symswap_slots_free(&entry, 1);
		return NULL;
	}
	if (!symswap_reserve(win, 1)) {
		symswap_count(win, SYMSWAP_TOUCH_DECLINED, 1);
		goto put_slot;
	}
	if (symswap_charges() && !symswap_group_charge(mm, entry))
		goto unreserve;

	/* Live: the device is swapped on. */
	percpu_ref_get(&win->pgmap.ref);
	folio = symswap_page_init(symswap_page(win, slot), SYMSWAP_NEW);
	/* Whoever finds it now sees that it is new, and leaves it alone. */
	symswap_publish(folio);
	symswap_count(win, SYMSWAP_TOUCHED, 1);
	return folio;

unreserve:
	atomic_long_dec(&win->in_place);
put_slot:
	symswap_stock_put(win, slot);
	return NULL;
}

/* Slots for this CPU. False if that will not help. */
static bool symswap_touch_refill(struct symswap_window *win, struct swap_info_struct *si)
{
	bool refilled = symswap_stock_refill(win, si);

	percpu_ref_put(&si->users);
	return refilled;
}

static bool symswap_clears(void)
{
	return !symswap_skip(SYMSWAP_RULE_CLEAR);
}

/**
 * __symswap_first_touch() - a page of the window in place of a new one
 * @mm: who is charged
 * @vma: where it will be mapped, or what it is copied from at fork
 * @addr: the address
 * @zero: the caller does not write all of it
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held, no page-table lock.
 * Return: the page, referenced, for folio_add_new_anon_rmap() and
 * folio_add_lru_vma(), or folio_put(). NULL: allocate one.
 */
struct folio *__symswap_first_touch(struct mm_struct *mm, struct vm_area_struct *vma,
				    unsigned long addr, bool zero)
{
	enum symswap_touch_verdict verdict;
	struct symswap_touch_facts facts;
	struct swap_info_struct *si;
	struct symswap_window *win;
	struct folio *folio = NULL;
	bool refilled = false;
	unsigned int slot;

again:
	rcu_read_lock();
	win = rcu_dereference(symswap_touch_window);
	if (symswap_touch_rests(win, mm))
		goto unlock;
	memset(&facts, 0, sizeof(facts));
	verdict = symswap_touch_ask(win, mm, vma, addr, &facts);
	/* Here alone: who only asks is not declined. */
	if (verdict == SYMSWAP_TOUCH_NO_GRANT)
		symswap_count(win, SYMSWAP_TOUCH_DECLINED, 1);
	if (verdict != SYMSWAP_TOUCH_TAKE)
		goto unlock;
	if (symswap_stock_get(win, &slot)) {
		folio = symswap_touch_take(win, mm, slot);
		goto unlock;
	}
	/* The reference keeps the device swapped on, and with it the window. */
	si = READ_ONCE(win->si);
	if (refilled || !si || !percpu_ref_tryget_live(&si->users))
		goto unlock;
	rcu_read_unlock();
	refilled = true;
	if (symswap_touch_refill(win, si))
		goto again;
	return NULL;

unlock:
	rcu_read_unlock();
	if (!folio)
		return NULL;
	trace_symswap_first_touch(addr, slot, zero);
	if (zero && symswap_clears())
		clear_user_highpage(&folio->page, addr);
	return folio;
}

/**
 * __symswap_known() - a page from a first touch is complete
 * @folio: a page of a window; its rmap is set, and it is about to be mapped
 *
 * Context: the page-table lock is held.
 */
void __symswap_known(struct folio *folio)
{
	void **state = &folio->page.zone_device_data;

	/* Swapoff may have taken its slot: symswap_hold_new(). */
	if (cmpxchg_release(state, SYMSWAP_NEW, SYMSWAP_KEPT) == SYMSWAP_HELD_NEW)
		/* Pairs with symswap_is_known(), as the above does. */
		smp_store_release(state, SYMSWAP_HELD);
}

/* ---- Ahead -------------------------------------------------------------- */

/* How many pages of the window are mapped right before a fault's, up to @most. */
static unsigned int symswap_touch_run(const struct vm_fault *vmf,
				      const struct symswap_window *win, unsigned int most)
{
	unsigned long first = max(vmf->vma->vm_start, ALIGN_DOWN(vmf->address, PMD_SIZE));
	unsigned long before = (vmf->address - first) >> PAGE_SHIFT;
	unsigned int run = 0;
	pte_t *table, pte;

	table = pte_offset_map(vmf->pmd, vmf->address);
	if (!table)
		return 0;
	for (most = min_t(unsigned long, most, before); run < most; run++) {
		/* Only looked at: what is not so any more costs nothing but speed. */
		pte = ptep_get_lockless(table - run - 1);
		if (!pte_present(pte) || pte_pfn(pte) < win->first_pfn ||
		    pte_pfn(pte) >= win->first_pfn + win->nr_pages)
			break;
	}
	pte_unmap(table);
	return run;
}

/* How many pages to map behind a fault's, in its mapping and page table. */
static unsigned int symswap_touch_behind(const struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long end = min(vma->vm_end, ALIGN(vmf->address + 1, PMD_SIZE));
	unsigned long most = ((end - vmf->address) >> PAGE_SHIFT) - 1;
	struct symswap_touch_facts facts = { };
	struct symswap_window *win;
	unsigned int nr = 0;

	most = min3(most, (unsigned long)READ_ONCE(touch_ahead), (unsigned long)SYMSWAP_AHEAD_MOST);
	if (!most)
		return 0;
	rcu_read_lock();
	win = rcu_dereference(symswap_touch_window);
	if (symswap_touch_ask(win, vma->vm_mm, vma, vmf->address, &facts) == SYMSWAP_TOUCH_TAKE)
		nr = symswap_touch_ahead_nr(&facts, symswap_touch_run(vmf, win, most));
	rcu_read_unlock();
	return nr;
}

/* Nobody has touched it yet: neither young nor dirty. The page-table lock is held. */
static void symswap_map_ahead(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep,
			      struct folio *folio)
{
	pte_t pte = pte_mkold(mk_pte(&folio->page, vma->vm_page_prot));

	if ((vma->vm_flags & VM_WRITE) && !pte_needs_soft_dirty_wp(vma, pte))
		pte = pte_mkwrite(pte, vma);
	folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
	folio_add_lru_vma(folio, vma);
	set_pte_at(vma->vm_mm, addr, ptep, pte);
}

/**
 * __symswap_touch_ahead() - map more pages behind one that a first touch has taken
 * @vmf: the fault, which is over: write access to anonymous memory
 *
 * If pages have come in a row so far. Those that others have mapped meanwhile are
 * let go of.
 *
 * Context: may sleep. mmap_lock or the VMA's lock is held, no page-table lock.
 */
void __symswap_touch_ahead(struct vm_fault *vmf)
{
	unsigned int nr = symswap_touch_behind(vmf), got, i, mapped = 0;
	struct folio *folios[SYMSWAP_AHEAD_MOST], *folio;
	unsigned long start = vmf->address + PAGE_SIZE;
	struct vm_area_struct *vma = vmf->vma;
	struct symswap_window *win = NULL;
	spinlock_t *ptl;	/* of the page table */
	pte_t *table;

	for (got = 0; got < nr; got++) {
		folio = __symswap_first_touch(vma->vm_mm, vma, start + got * PAGE_SIZE, true);
		if (!folio)
			break;
		/* With a barrier: the content is there before the page is. */
		__folio_mark_uptodate(folio);
		win = symswap_window_of(folio);
		folios[got] = folio;
	}
	if (!got)
		return;

	table = pte_offset_map_lock(vma->vm_mm, vmf->pmd, start, &ptl);
	if (!table)
		goto put;
	for (i = 0; i < got; i++) {
		if (pte_none(ptep_get(table + i)) &&
		    !check_stable_address_space(vma->vm_mm)) {
			symswap_map_ahead(vma, start + i * PAGE_SIZE, table + i, folios[i]);
			folios[i] = NULL;
			mapped++;
		}
	}
	add_mm_counter(vma->vm_mm, MM_ANONPAGES, mapped);
	symswap_count(win, SYMSWAP_AHEAD, mapped);
	pte_unmap_unlock(table, ptl);
put:
	for (i = 0; i < got; i++)
		if (folios[i])
			folio_put(folios[i]);
}
