// SPDX-License-Identifier: GPL-2.0
/*
 * SwapBypass, guest side: answers the VMM's query_vaddr() and takes the answers
 * back in time.
 *
 * The guest swaps to a window of host memory (drivers/block/symswap/). When a
 * swapped-out page is touched, the VMM sees the fault first, asks here, and on
 * a yes maps the page of the window. The guest never takes the fault; its PTE
 * stays a swap entry. Nothing in the guest knows that the page is in use, so
 * everything that would change what the swap entry means must drop the mapping
 * first.
 *
 * Why the mappings are never wrong
 * ================================
 *
 * A yes rests on the facts that bypass_judge() gathers (the rules are in
 * swapbypass/query.c): PTE, VMA, slot. For each of them, whoever changes the
 * fact runs into one of four hooks:
 *
 *  a) The VMA, or PTEs under mmap_lock held for writing: mprotect, munmap, fork
 *     (dup_mmap() write-locks each VMA before it copies PTEs), mremap, mlock,
 *     userfaultfd (un)registration, split and merge, khugepaged, KSM, clear_refs.
 *     All mark the VMA by vma_start_write() first; the hook there drops.
 *  b) Swap PTEs zapped or moved under a read lock or none: unmap_page_range()
 *     (MADV_DONTNEED, exit, OOM reaper, process_mrelease), MADV_FREE and
 *     UFFDIO_MOVE. zap_pte_range() frees the slot before it clears the PTE, so
 *     the drop comes before either; see symbiotic_bypass_zap_begin().
 *  c) The slot is read back: page fault by any path, GUP (ptrace,
 *     process_vm_readv, direct I/O, futex), MADV_WILLNEED, read-ahead, swapoff.
 *     All set SWAP_HAS_CACHE, then ask the device for the content; the device
 *     drops. Until then, writes through the mapping are part of the content.
 *  d) The slot is written, for a new owner: it was freed before, by b), or by c)
 *     with its PTE made present. No mapping should be left; the device drops
 *     what the bitmap still shows, as a second line of defence.
 *
 * swapoff, and the device going away, detach altogether.
 *
 * Facts and flags. A hypercall for each mprotect() would be expensive, so the
 * query leaves a mark where the hook will look: vma->bypass_mapped for a) and
 * b), a bit per slot for c) and d). Each pair is ordered like this:
 *
 *	query				hook
 *	-----				----
 *	set mark			change the fact (VMA write-locked, mm being
 *	smp_mb()			  zapped, SWAP_HAS_CACHE)
 *	check fact			smp_mb()
 *					check mark, drop if set
 *
 * Either the query sees the change and says no, or the hook sees the mark. In
 * the second case the answer may still be under way to the VMM, or may not have
 * been given yet; the VMM counts drops, and ignores answers to questions that
 * it asked before the last drop.
 *
 * Two facts return to their old value: a VMA is unlocked and the zap is over.
 * For the VMA, the query compares mm_lock_seq with the value it had at the
 * start, so it can not miss a whole write-locked period in which its mark was
 * cleared. A zap never clears a mark.
 *
 * The page-table page itself: entries are freed (munmap, exit, collapse) after
 * the range has been dropped, and by the time mm->pgd is reused by another
 * process unmap_vmas() has been over every VMA. The walk here is safe as
 * gup_fast is: a symcall runs with interrupts off, so neither the IPI nor the
 * RCU grace period that precedes the freeing of a page-table page completes.
 */

#define pr_fmt(fmt) "symbiotic: swapbypass: " fmt

#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pgtable.h>
#include <linux/pkeys.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symbiotic.h>
#include <linux/symbiotic_bypass.h>
#include <linux/syscore_ops.h>
#include <linux/sysfs.h>
#include <linux/userfaultfd_k.h>
#include <linux/wait.h>
#include <linux/zswap.h>

#include <kunit/visibility.h>

#include <asm/kvm_para.h>
#include <asm/tlbflush.h>

#include <symbiotic/query.h>
#include <symbiotic/symcall.h>

#include "internal.h"
#include "symbiotic_bypass.h"
#include "symswap/slots.h"

/*
 * On from the registration of the first device, so long before a swapon: a zap
 * that began before the key was switched is not counted in bypass_zapping.
 */
struct static_key_false symbiotic_bypass_key = STATIC_KEY_FALSE_INIT;
/* For vma_start_write(), which modules use. */
EXPORT_SYMBOL_GPL(symbiotic_bypass_key);

/* What the driver registered. Protected by bypass_mutex. */
static struct gendisk *bypass_disk;
static phys_addr_t bypass_base;
static unsigned long bypass_nr_pages;

/*
 * The attached device; NULL = say no to everything, and nothing is mapped.
 * Written under bypass_mutex, read under RCU, also in symcalls.
 */
static struct bypass_dev __rcu *bypass_dev;
static DEFINE_MUTEX(bypass_mutex);

/*
 * Odd while the VMM detaches. It refuses drops from the beginning of that on, but
 * only at its end is nothing mapped any more.
 */
static unsigned int bypass_detach_seq;
static DECLARE_WAIT_QUEUE_HEAD(bypass_detach_wq);
/* The VMM has been told to detach; bypass_dev is to be attached again. */
static bool bypass_suspended;

/* ---- Counters --------------------------------------------------------- */

struct bypass_stats {
	unsigned long queries;
	unsigned long answered;
	unsigned long declined[SYMB_DECLINE_NR];
	unsigned long drops[BYPASS_HOOK_NR];
};

/* One writer instruction each (this_cpu_inc), so right in symcalls too. */
static DEFINE_PER_CPU(struct bypass_stats, bypass_stats);

static unsigned long bypass_stat_sum(size_t offset)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *(unsigned long *)((char *)per_cpu_ptr(&bypass_stats, cpu) +
					  offset);
	return sum;
}

/* ---- Test options ----------------------------------------------------- */

#ifdef CONFIG_SYMBIOTIC_TEST
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "symbiotic."

static unsigned int skip_hooks;
module_param(skip_hooks, uint, 0);
MODULE_PARM_DESC(skip_hooks, "Test only, corrupts data: leave out BYPASS_SKIP_* hooks");

static bool bypass_skip(unsigned int bit)
{
	return READ_ONCE(skip_hooks) & bit;
}

/* Zero pages go to the zero map also while a window is attached. */
static u32 keep_zeromap;

static bool bypass_keeps_zeromap(void)
{
	return READ_ONCE(keep_zeromap);
}

/* Holds up one process in one hook, to make a race window wide. */
static u32 stall_hooks;
static u32 stall_ms;
static u32 stall_pid;

/**
 * symbiotic_bypass_stall() - wait here if a test wants so
 * @hook: which hook this is
 *
 * Context: may sleep.
 */
void symbiotic_bypass_stall(enum symbiotic_bypass_hook hook)
{
	if (likely(!(READ_ONCE(stall_hooks) & BIT(hook))))
		return;
	if (READ_ONCE(stall_pid) == task_tgid_nr(current))
		msleep(READ_ONCE(stall_ms));
}

static void __init bypass_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("symbiotic_bypass", NULL);

	debugfs_create_u32("skip_hooks", 0600, dir, &skip_hooks);
	debugfs_create_u32("keep_zeromap", 0600, dir, &keep_zeromap);
	debugfs_create_u32("stall_hooks", 0600, dir, &stall_hooks);
	debugfs_create_u32("stall_ms", 0600, dir, &stall_ms);
	debugfs_create_u32("stall_pid", 0600, dir, &stall_pid);
}
#else
static bool bypass_skip(unsigned int bit)
{
	return false;
}

static bool bypass_keeps_zeromap(void)
{
	return false;
}

static void __init bypass_debugfs_init(void) { }
#endif /* CONFIG_SYMBIOTIC_TEST */

/* ---- Dropping --------------------------------------------------------- */

static bool bypass_hook_drops(enum symbiotic_bypass_hook hook)
{
	return !bypass_skip(BYPASS_SKIP_HOOK(hook));
}

/*
 * The VMM has refused a drop, with @seq read before it was asked. Fine if it
 * detaches: the end of that drops everything.
 */
static void bypass_drop_refused(const char *what, long ret, unsigned int seq)
{
	/* Pairs with the release in bypass_detach(). */
	wait_event(bypass_detach_wq, !(smp_load_acquire(&bypass_detach_seq) & 1));
	if (READ_ONCE(bypass_detach_seq) == seq && !READ_ONCE(bypass_suspended) &&
	    symbiotic_has(SYMB_FEAT_SWAPBYPASS))
		pr_err_once("drop of %s failed: %ld\n", what, ret);
}

static void bypass_drop_range(struct mm_struct *mm, unsigned long start,
			      unsigned long end,
			      enum symbiotic_bypass_hook hook)
{
	unsigned int seq = READ_ONCE(bypass_detach_seq);
	long ret;

	if (!bypass_hook_drops(hook))
		return;
	/* Detached: the VMM has nothing mapped and may not know the call. */
	if (!rcu_access_pointer(bypass_dev))
		return;

	this_cpu_inc(bypass_stats.drops[hook]);
	ret = kvm_hypercall3(SYMB_HC_DROP_RANGE, __pa(mm->pgd), start, end);
	if (ret)
		bypass_drop_refused("a range", ret, seq);
}

/* Hook a). */
void __symbiotic_bypass_vma_locked(struct vm_area_struct *vma)
{
	/*
	 * Rule 2, the lock sequence: it is written, now look for the mark.
	 * Pairs with the barrier in bypass_query().
	 */
	smp_mb();
	if (!READ_ONCE(vma->bypass_mapped))
		return;

	/*
	 * No query can say yes for this VMA before it is unlocked, so the mark
	 * can be cleared; a query that sets it again meanwhile says no.
	 */
	WRITE_ONCE(vma->bypass_mapped, false);
	bypass_drop_range(vma->vm_mm, vma->vm_start, vma->vm_end,
			  BYPASS_HOOK_VMA);
	symbiotic_bypass_stall(BYPASS_HOOK_VMA);
}
EXPORT_SYMBOL_GPL(__symbiotic_bypass_vma_locked);

/* Hook b). */
bool __symbiotic_bypass_zap_begin(struct vm_area_struct *vma,
				  unsigned long start, unsigned long end,
				  enum symbiotic_bypass_hook hook)
{
	/* Rule 2: nothing else is ever mapped. */
	if (!vma_is_anonymous(vma))
		return false;

	atomic_inc(&vma->vm_mm->bypass_zapping);
	/* Pairs with the barrier in bypass_query(). */
	smp_mb__after_atomic();

	/*
	 * The mark stays: the range may be a part of the VMA, and another
	 * thread may be here for the same VMA, and must not go ahead before
	 * this drop is done.
	 */
	if (READ_ONCE(vma->bypass_mapped)) {
		bypass_drop_range(vma->vm_mm, start, end, hook);
		symbiotic_bypass_stall(hook);
	}
	return true;
}

void __symbiotic_bypass_zap_end(struct mm_struct *mm)
{
	int left;

	/*
	 * Fully ordered: a query that reads the lower count also reads the new
	 * PTEs.
	 */
	left = atomic_dec_return(&mm->bypass_zapping);
	VM_WARN_ON_ONCE(left < 0);
}

static long bypass_drop_run(unsigned long first, unsigned long nr,
			    enum symbiotic_bypass_hook hook)
{
	if (!bypass_hook_drops(hook))
		return 0;

	this_cpu_inc(bypass_stats.drops[hook]);
	return kvm_hypercall2(SYMB_HC_DROP_SLOTS, first, nr);
}

/**
 * symbiotic_bypass_drop_slots() - the device is going to read or write slots
 * @disk: the device
 * @first: first slot
 * @nr: number of slots
 * @hook: BYPASS_HOOK_READ or BYPASS_HOOK_WRITE
 *
 * Hooks c) and d). Swap slots that are read have SWAP_HAS_CACHE set by now,
 * those that are written too.
 *
 * Context: may sleep, if the device is being detached.
 */
void symbiotic_bypass_drop_slots(struct gendisk *disk, unsigned long first,
				 unsigned long nr,
				 enum symbiotic_bypass_hook hook)
{
	unsigned int seq = READ_ONCE(bypass_detach_seq);
	unsigned long slot, end, run = 0, run_nr = 0;
	struct bypass_dev *dev;
	long ret = 0;

	if (!static_branch_unlikely(&symbiotic_bypass_key))
		return;

	rcu_read_lock();
	dev = rcu_dereference(bypass_dev);
	if (!dev || dev->disk != disk || first >= dev->nr_pages)
		goto out;

	/* Pairs with the barrier in bypass_query(): SWAP_HAS_CACHE is set. */
	smp_mb();
	end = min(first + nr, dev->nr_pages);
	for (slot = first; slot < end; slot++) {
		if (!test_bit(slot, dev->marks) ||
		    !test_and_clear_bit(slot, dev->marks))
			continue;
		if (run_nr && run + run_nr == slot) {
			run_nr++;
			continue;
		}
		if (run_nr)
			ret = bypass_drop_run(run, run_nr, hook) ?: ret;
		run = slot;
		run_nr = 1;
	}
	if (run_nr)
		ret = bypass_drop_run(run, run_nr, hook) ?: ret;
out:
	rcu_read_unlock();
	if (ret)
		bypass_drop_refused("slots", ret, seq);
}

bool __symbiotic_bypass_stores_zeroes(swp_entry_t entry)
{
	const struct bypass_dev *dev;
	bool ours;

	rcu_read_lock();
	dev = rcu_dereference(bypass_dev);
	ours = dev && dev->type == swp_type(entry);
	rcu_read_unlock();
	return ours && !bypass_keeps_zeromap();
}

/* ---- Answering -------------------------------------------------------- */

/*
 * Rule 4 in the PTE and in the slot: nobody else can have the page. One test option
 * takes both for true.
 */
static bool bypass_pte_alone(pte_t pte)
{
	return pte_swp_exclusive(pte) || bypass_skip(BYPASS_SKIP_SHARED);
}

static bool bypass_slot_alone(unsigned int state)
{
	return symswap_slot_single(state) || bypass_skip(BYPASS_SKIP_SHARED);
}

/* Rule 1: the kind of swap entry. */
VISIBLE_IF_KUNIT u32 bypass_facts_pte(const struct bypass_dev *dev, pte_t pte,
				      unsigned long *slot)
{
	swp_entry_t entry;
	u32 facts = 0;

	*slot = 0;
	if (!is_swap_pte(pte))
		return 0;

	/* Migration, hwpoison, device and marker entries have other types. */
	entry = pte_to_swp_entry(pte);
	if (non_swap_entry(entry) || swp_type(entry) != dev->type)
		return 0;

	/* Slot 0 is the swap header. */
	if (swp_offset(entry) == 0 || swp_offset(entry) >= dev->nr_pages)
		return 0;

	*slot = swp_offset(entry);
	facts |= SYMB_FACT_PTE_OURS;
	if (bypass_pte_alone(pte))
		facts |= SYMB_FACT_PTE_EXCLUSIVE;
	if (pte_swp_uffd_wp(pte))
		facts |= SYMB_FACT_PTE_WATCHED;
	return facts;
}

static bool bypass_slot_cached(unsigned int state)
{
	return symswap_slot_cached(state) && !bypass_skip(BYPASS_SKIP_SWAPCACHE);
}

static bool bypass_slot_in_zeromap(const struct bypass_dev *dev, unsigned long slot)
{
	return symswap_slot_zero(&dev->slots, slot) && !bypass_skip(BYPASS_SKIP_ZEROMAP);
}

/* Rules 3 and 4: the state of the slot. */
VISIBLE_IF_KUNIT u32 bypass_facts_slot(const struct bypass_dev *dev,
				       unsigned long slot)
{
	unsigned int state = symswap_slot_read(&dev->slots, slot);
	u32 facts = 0;

	if (bypass_slot_cached(state))
		facts |= SYMB_FACT_SLOT_CACHE;
	if (symswap_slot_used(state))
		facts |= SYMB_FACT_SLOT_USED;
	if (bypass_slot_alone(state))
		facts |= SYMB_FACT_SLOT_SINGLE;

	/*
	 * The zero-map bit is written under SWAP_HAS_CACHE; x86 reads in order,
	 * so it is at least as new as the state above.
	 */
	smp_rmb();
	if (bypass_slot_in_zeromap(dev, slot) || !zswap_never_enabled())
		facts |= SYMB_FACT_SLOT_ELSEWHERE;
	return facts;
}

/*
 * Rule 2: what kind of VMA. VMAs that want to see their page faults
 * (userfaultfd), that promise resident pages (mlock), or whose pages need more
 * than a mapping (protection keys, shadow stacks) are left to the guest.
 */
#define BYPASS_VM_SPECIAL	(VM_SHARED | VM_MAYSHARE | VM_HUGETLB | VM_PFNMAP | \
				 VM_MIXEDMAP | VM_IO | VM_LOCKED | VM_LOCKONFAULT | \
				 VM_SHADOW_STACK)

static bool bypass_vma_special(struct vm_area_struct *vma, unsigned long flags)
{
	return (flags & BYPASS_VM_SPECIAL || userfaultfd_armed(vma) || vma_pkey(vma)) &&
	       !bypass_skip(BYPASS_SKIP_VMA_KIND);
}

static bool bypass_vma_allows(unsigned long flags, unsigned long access)
{
	return flags & access || bypass_skip(BYPASS_SKIP_ACCESS);
}

/* Somebody has write-locked the VMA since mm->mm_lock_seq was @seq. */
static bool bypass_vma_locked(const struct mm_struct *mm,
			      const struct vm_area_struct *vma, unsigned int seq)
{
	return (READ_ONCE(mm->mm_lock_seq.sequence) != seq ||
		READ_ONCE(vma->vm_lock_seq) == seq) &&
	       !bypass_skip(BYPASS_SKIP_VMA_LOCKED);
}

static bool bypass_mm_zapping(const struct mm_struct *mm)
{
	return atomic_read(&mm->bypass_zapping) && !bypass_skip(BYPASS_SKIP_ZAPPING);
}

static u32 bypass_facts_vma(struct vm_area_struct *vma)
{
	unsigned long flags = READ_ONCE(vma->vm_flags);
	u32 facts = SYMB_FACT_VMA;

	if (vma_is_anonymous(vma))
		facts |= SYMB_FACT_VMA_ANON;
	if (bypass_vma_special(vma, flags))
		facts |= SYMB_FACT_VMA_SPECIAL;
	if (bypass_vma_allows(flags, VM_ACCESS_FLAGS))
		facts |= SYMB_FACT_VMA_READ;
	if (bypass_vma_allows(flags, VM_WRITE))
		facts |= SYMB_FACT_VMA_WRITE;
	return facts;
}

/*
 * Page-table entry of @vaddr, or NULL. Interrupts are off, so page-table pages
 * stay; see the top of this file.
 */
static pte_t *bypass_walk(struct mm_struct *mm, unsigned long vaddr)
{
	pgd_t *pgdp, pgd;
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t pmd;

	pgdp = pgd_offset(mm, vaddr);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd) || unlikely(pgd_bad(pgd)))
		return NULL;
	p4dp = p4d_offset_lockless(pgdp, pgd, vaddr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || unlikely(p4d_bad(p4d)))
		return NULL;
	pudp = pud_offset_lockless(p4dp, p4d, vaddr);
	pud = READ_ONCE(*pudp);
	if (!pud_present(pud) || pud_leaf(pud) || unlikely(pud_bad(pud)))
		return NULL;
	pmd = pmdp_get_lockless(pmd_offset_lockless(pudp, pud, vaddr));
	if (!pmd_present(pmd) || pmd_leaf(pmd) || unlikely(pmd_bad(pmd)))
		return NULL;
	return (pte_t *)pmd_page_vaddr(pmd) + pte_index(vaddr);
}

/**
 * struct bypass_question - what the VMM asks, and what the answer is made from
 * @vaddr: address of the page that faulted
 * @pte: the raw PTE that the VMM has seen there
 * @access: SYMB_ACCESS_* of the fault
 * @max: pages that the VMM wants
 * @out: the answer, by page from @start. Until it is given, @out[].pte is the PTE
 *	that was marked, or 0
 * @start: address of the first page
 * @nr: number of pages; 0 on a decline
 * @dev: the swap window
 * @mm: the address space
 * @vma: the VMA that has all of them
 * @seq: mm->mm_lock_seq before @vma was looked for
 * @ptep: page-table entry of the first page
 */
struct bypass_question {
	unsigned long vaddr;
	u64 pte;
	u32 access;
	u64 max;
	struct symb_lookup_entry *out;

	unsigned long start;
	unsigned int nr;
	const struct bypass_dev *dev;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int seq;
	pte_t *ptep;
};

/*
 * First part of a query: where the page and its neighbours are. Nothing that is
 * read here counts for the answer.
 */
static enum symb_decline bypass_find(struct bypass_question *q)
{
	struct mm_struct *mm = current->mm;
	unsigned long start, end, group;
	unsigned int nr;
	pte_t *ptep;

	MA_STATE(mas, NULL, q->vaddr, q->vaddr);

	q->dev = rcu_dereference(bypass_dev);
	if (!q->dev)
		return SYMB_DECLINE_OFF;

	/*
	 * Rule 2, "of this mm": not a kernel thread, and not in the middle
	 * of a switch, when CR3 and current do not belong together.
	 */
	if (!mm || !nmi_uaccess_okay() || __pa(mm->pgd) != read_cr3_pa())
		return SYMB_DECLINE_NO_MM;
	q->mm = mm;

	if (q->vaddr >= TASK_SIZE_MAX)
		return SYMB_DECLINE_VMA;

	/* Rule 2, the lock sequence: this is the first reading. */
	q->seq = READ_ONCE(mm->mm_lock_seq.sequence);
	/* Before anything that it protects is read. */
	smp_rmb();

	/* Rule 2, the VMA: an RCU walk; it is freed by RCU. */
	mas.tree = &mm->mm_mt;
	q->vma = mas_walk(&mas);
	if (!q->vma)
		return SYMB_DECLINE_VMA;
	start = READ_ONCE(q->vma->vm_start);
	end = READ_ONCE(q->vma->vm_end);
	if (q->vaddr < start || q->vaddr >= end)
		return SYMB_DECLINE_VMA;

	ptep = bypass_walk(mm, q->vaddr);
	if (!ptep)
		return SYMB_DECLINE_NOT_SWAP;

	/*
	 * The group, clipped to the VMA. Its size is a power of two, and it is
	 * aligned, so it is within one page-table page.
	 */
	group = symb_query_group(q->vaddr, q->max, &nr);
	q->start = max(start, group);
	q->nr = (min(end, group + nr * PAGE_SIZE) - q->start) >> PAGE_SHIFT;
	q->ptep = ptep - ((q->vaddr - q->start) >> PAGE_SHIFT);

	/* A first look, so as to mark no slot without need. */
	if (pte_val(ptep_get_lockless(ptep)) != q->pte)
		return SYMB_DECLINE_PTE_CHANGED;
	return SYMB_DECLINE_NONE;
}

/*
 * Second part: leave the marks that the hooks will look for, in the slots that
 * could be mapped, and in the VMA.
 */
static void bypass_mark(const struct bypass_question *q)
{
	unsigned long slot;
	unsigned int i;
	u32 facts;

	for (i = 0; i < q->nr; i++) {
		pte_t pte = ptep_get_lockless(q->ptep + i);

		q->out[i].pte = 0;
		facts = bypass_facts_pte(q->dev, pte, &slot);
		if (!(facts & SYMB_FACT_PTE_OURS))
			continue;
		facts = bypass_facts_slot(q->dev, slot);
		if ((facts & (SYMB_FACT_SLOT_CACHE | SYMB_FACT_SLOT_ELSEWHERE |
			      SYMB_FACT_SLOT_USED)) != SYMB_FACT_SLOT_USED)
			continue;
		if (!test_bit(slot, q->dev->marks))
			set_bit(slot, q->dev->marks);
		q->out[i].pte = pte_val(pte);
	}
	if (!READ_ONCE(q->vma->bypass_mapped))
		WRITE_ONCE(q->vma->bypass_mapped, true);
}

/* What is true of all pages of the group. */
static u32 bypass_facts_common(const struct bypass_question *q)
{
	unsigned long end = q->start + q->nr * PAGE_SIZE;
	u32 facts = SYMB_FACT_ON | SYMB_FACT_MM | bypass_facts_vma(q->vma);

	/* The VMA may have been unmapped, moved or resized ... */
	if (READ_ONCE(q->vma->detached) || READ_ONCE(q->vma->vm_mm) != q->mm ||
	    q->start < READ_ONCE(q->vma->vm_start) || end > READ_ONCE(q->vma->vm_end))
		facts &= ~SYMB_FACT_VMA;
	/* ... or be in somebody's hands, or have been since the first reading. */
	if (bypass_vma_locked(q->mm, q->vma, q->seq))
		facts |= SYMB_FACT_VMA_LOCKED;
	if (bypass_mm_zapping(q->mm))
		facts |= SYMB_FACT_VMA_LOCKED;
	return facts;
}

/* One page: the answer is in @q->out if it is yes. */
static enum symb_decline bypass_judge_page(const struct bypass_question *q,
					   unsigned int i, bool faulted, u32 common)
{
	pte_t pte = ptep_get_lockless(q->ptep + i);
	struct symb_lookup_entry *out = &q->out[i];
	enum symb_decline decline;
	unsigned long slot;
	u32 facts, flags;

	facts = common | bypass_facts_pte(q->dev, pte, &slot);
	if (pte_val(pte) == (faulted ? q->pte : out->pte))
		facts |= SYMB_FACT_PTE_SAME;
	if (facts & SYMB_FACT_PTE_OURS)
		facts |= bypass_facts_slot(q->dev, slot);
	/* The first write to a page must be seen: soft-dirty. */
	if (IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) &&
	    vma_soft_dirty_enabled(q->vma) && !pte_swp_soft_dirty(pte))
		facts |= SYMB_FACT_WRITE_WATCHED;

	decline = symb_query_decide(facts, faulted ? q->access : 0, &flags);
	/* A page that has no mark must not be mapped. */
	if (!decline && !out->pte)
		decline = SYMB_DECLINE_SWAPCACHE;
	if (decline)
		return decline;
	out->slot = slot;
	out->flags = flags;
	return SYMB_DECLINE_NONE;
}

/* Third part: what may be mapped, now that the marks can be seen. */
static enum symb_decline bypass_judge(const struct bypass_question *q)
{
	enum symb_decline decline, ret = SYMB_DECLINE_NOT_SWAP;
	u32 common = bypass_facts_common(q);
	unsigned int i;

	/* The PTEs are at least as new as the end of the last zap. */
	smp_rmb();

	for (i = 0; i < q->nr; i++) {
		bool faulted = q->start + i * PAGE_SIZE == q->vaddr;

		/* The page that faulted always gets its own reason. */
		if (!q->out[i].pte && !faulted)
			continue;
		decline = bypass_judge_page(q, i, faulted, common);
		if (decline)
			q->out[i].pte = 0;
		if (faulted)
			ret = decline;
	}
	return ret;
}

static enum symb_decline bypass_query(struct bypass_question *q)
{
	enum symb_decline ret;

	rcu_read_lock();
	ret = bypass_find(q);
	if (!ret) {
		bypass_mark(q);
		/*
		 * The marks are set; only what is read from here on counts.
		 * Pairs with the barriers in the hooks a) to d).
		 */
		smp_mb();
		ret = bypass_judge(q);
	}
	rcu_read_unlock();
	if (ret)
		q->nr = 0;
	return ret;
}

static void bypass_count(const struct bypass_question *q, enum symb_decline decline)
{
	unsigned int i, answered = 0;

	this_cpu_inc(bypass_stats.queries);
	if (decline) {
		this_cpu_inc(bypass_stats.declined[decline]);
		return;
	}
	for (i = 0; i < q->nr; i++)
		answered += !!q->out[i].pte;
	this_cpu_add(bypass_stats.answered, answered);
}

/*
 * RBX = vaddr, RCX = raw PTE, RDX = SYMB_ACCESS_*, RSI = pages wanted.
 * Results: RBX = entries in this CPU's local page, RCX = why none.
 */
static int bypass_symcall_batch(struct symcall_regs *regs)
{
	struct bypass_question q = {
		.vaddr = regs->rbx & PAGE_MASK,
		.pte = regs->rcx,
		.access = regs->rdx,
		.max = regs->rsi,
	};
	struct symspy_local *local = symspy_this_cpu();
	enum symb_decline decline;

	if (!local)
		return SYMCALL_ERR_BUSY;

	q.out = local->lookup;
	decline = bypass_query(&q);
	bypass_count(&q, decline);
	local->lookup_base = q.start;
	local->lookup_nr = q.nr;
	regs->rbx = q.nr;
	regs->rcx = decline;
	return 0;
}

/* The published form: RBX = vaddr, RCX = raw PTE; result: SYMB_PERM_*. */
static int bypass_symcall_lookup(struct symcall_regs *regs)
{
	struct symb_lookup_entry one;
	struct bypass_question q = {
		.vaddr = regs->rbx & PAGE_MASK,
		.pte = regs->rcx,
		.max = 1,
		.out = &one,
	};
	enum symb_decline decline;

	decline = bypass_query(&q);
	bypass_count(&q, decline);
	regs->rbx = 0;
	if (!decline) {
		regs->rbx = SYMB_PERM_READ;
		if (one.flags & SYMB_LOOKUP_WRITABLE)
			regs->rbx |= SYMB_PERM_WRITE;
	}
	return 0;
}

/* ---- Attaching -------------------------------------------------------- */

/*
 * Tell the VMM what a swap PTE of ours looks like, so that it asks only about
 * those: not present, type, no flag but exclusive and soft-dirty, and the
 * (inverted) offset bits above the size of the window.
 */
VISIBLE_IF_KUNIT void bypass_describe(struct bypass_dev *dev)
{
	u64 mask, flags = _PAGE_SWP_EXCLUSIVE | _PAGE_SWP_SOFT_DIRTY;
	unsigned int shift = fls64(dev->nr_pages - 1);
	pte_t last;

	mask = pte_val(swp_entry_to_pte(swp_entry(0, 0))) ^
	       pte_val(swp_entry_to_pte(swp_entry(0, BIT(shift) - 1)));
	mask = ~(mask | flags);
	last = swp_entry_to_pte(swp_entry(dev->type, dev->nr_pages - 1));

	dev->desc.window_gpa = dev->base;
	dev->desc.nr_pages = dev->nr_pages;
	dev->desc.pte_mask = mask;
	dev->desc.pte_match = pte_val(last) & mask;
	dev->desc.pte_exclusive = _PAGE_SWP_EXCLUSIVE;
}

static long bypass_hc_attach(struct bypass_dev *dev)
{
	return kvm_hypercall1(SYMB_HC_SWAP_ATTACH, __pa(&dev->desc));
}

static void bypass_hc_detach(void)
{
	if (!bypass_hook_drops(BYPASS_HOOK_SWAPOFF))
		return;
	this_cpu_inc(bypass_stats.drops[BYPASS_HOOK_SWAPOFF]);
	kvm_hypercall0(SYMB_HC_SWAP_DETACH);
}

/**
 * symbiotic_bypass_swapon() - a swap device is in use (again)
 * @si: the device
 *
 * Attaches if @si is the swap window: the whole disk, so that a swap offset is
 * a page number in the window. A failure means no bypass, and is no failure of
 * the swapon.
 *
 * Context: may sleep.
 */
void symbiotic_bypass_swapon(struct swap_info_struct *si)
{
	struct bypass_dev *dev;
	long ret;

	if (!static_branch_unlikely(&symbiotic_bypass_key))
		return;

	mutex_lock(&bypass_mutex);
	/* A swapoff that is faster than this swapon has cleared SWP_WRITEOK. */
	if (!bypass_disk || !si->bdev || si->bdev->bd_disk != bypass_disk ||
	    !(READ_ONCE(si->flags) & SWP_WRITEOK) ||
	    rcu_access_pointer(bypass_dev) ||
	    !symbiotic_has(SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS))
		goto out;
	if (!symswap_whole_disk(si)) {
		pr_info("%pg: swap on a part of the window, not bypassed\n", si->bdev);
		goto out;
	}

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		goto out;
	dev->disk = bypass_disk;
	dev->base = bypass_base;
	dev->nr_pages = min_t(unsigned long, bypass_nr_pages, si->max);
	dev->type = si->type;
	dev->slots = symswap_slots(si);
	dev->marks = kvcalloc(BITS_TO_LONGS(dev->nr_pages), sizeof(long), GFP_KERNEL);
	if (!dev->marks)
		goto free;
	bypass_describe(dev);

	/* The hooks see the device before the VMM asks the first question. */
	rcu_assign_pointer(bypass_dev, dev);
	ret = bypass_hc_attach(dev);
	if (!ret) {
		pr_info("%pg: attached, %lu pages\n", si->bdev, dev->nr_pages);
		goto out;
	}

	pr_warn("%pg: the VMM refuses the device: %ld\n", si->bdev, ret);
	RCU_INIT_POINTER(bypass_dev, NULL);
	synchronize_rcu();
free:
	kvfree(dev->marks);
	kfree(dev);
out:
	mutex_unlock(&bypass_mutex);
}

/* The VMM drops everything and asks no more; then forget the device. */
static void bypass_detach(void)
{
	struct bypass_dev *dev;

	lockdep_assert_held(&bypass_mutex);
	dev = rcu_dereference_protected(bypass_dev,
					lockdep_is_held(&bypass_mutex));
	if (!dev)
		return;

	WRITE_ONCE(bypass_detach_seq, bypass_detach_seq + 1);
	bypass_hc_detach();
	RCU_INIT_POINTER(bypass_dev, NULL);
	/* Pairs with the acquire in bypass_drop_refused(). */
	smp_store_release(&bypass_detach_seq, bypass_detach_seq + 1);
	wake_up_all(&bypass_detach_wq);
	/* Queries and drops under way use the slots' state and the marks. */
	synchronize_rcu();
	kvfree(dev->marks);
	kfree(dev);
}

/**
 * symbiotic_bypass_swapoff() - a swap device is about to be emptied
 * @si: the device
 *
 * After this nothing is mapped, and try_to_unuse() reads the final content.
 * Also the end of all use of @si here.
 *
 * Context: may sleep.
 */
void symbiotic_bypass_swapoff(struct swap_info_struct *si)
{
	struct bypass_dev *dev;

	if (!static_branch_unlikely(&symbiotic_bypass_key))
		return;

	mutex_lock(&bypass_mutex);
	dev = rcu_dereference_protected(bypass_dev,
					lockdep_is_held(&bypass_mutex));
	if (dev && dev->type == si->type)
		bypass_detach();
	mutex_unlock(&bypass_mutex);
}

/**
 * symbiotic_bypass_attached() - does the VMM map pages of a swap device?
 * @si: the device
 *
 * Context: may sleep.
 */
bool symbiotic_bypass_attached(struct swap_info_struct *si)
{
	struct bypass_dev *dev;
	bool attached;

	rcu_read_lock();
	dev = rcu_dereference(bypass_dev);
	attached = dev && dev->type == si->type;
	rcu_read_unlock();
	return attached;
}

/**
 * symbiotic_bypass_register() - there is a swap window
 * @disk: its disk
 * @base: guest-physical address of the window
 * @nr_pages: its size
 *
 * Without the feature this does nothing, and costs nothing later.
 *
 * Context: may sleep.
 * Return: 0, or -EBUSY if another window is registered.
 */
int symbiotic_bypass_register(struct gendisk *disk, phys_addr_t base,
			      unsigned long nr_pages)
{
	int ret = 0;

	if (!symbiotic_has(SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS))
		return 0;

	mutex_lock(&bypass_mutex);
	if (bypass_disk) {
		ret = -EBUSY;
	} else {
		bypass_disk = disk;
		bypass_base = base;
		bypass_nr_pages = min_t(unsigned long, nr_pages, U32_MAX);
		/* Stays on: zaps under way count on it; see the key. */
		static_branch_enable(&symbiotic_bypass_key);
	}
	mutex_unlock(&bypass_mutex);
	return ret;
}

/**
 * symbiotic_bypass_unregister() - the swap window goes away
 * @disk: its disk
 *
 * Context: may sleep.
 */
void symbiotic_bypass_unregister(struct gendisk *disk)
{
	mutex_lock(&bypass_mutex);
	if (bypass_disk == disk) {
		bypass_detach();
		bypass_disk = NULL;
	}
	mutex_unlock(&bypass_mutex);
}

/*
 * Suspend: the VMM may forget us (it does when the boot CPU is reset), so
 * detach. Interrupts are off and this is the only CPU: no lock needed.
 */
static int bypass_suspend(void *unused)
{
	if (rcu_access_pointer(bypass_dev)) {
		bypass_hc_detach();
		bypass_suspended = true;
	}
	return 0;
}

/*
 * Attach again when all devices have been resumed: before that the window is
 * not in the address space, because its BAR has not been restored.
 */
static int bypass_pm_event(struct notifier_block *nb, unsigned long event,
			   void *unused)
{
	struct bypass_dev *dev;

	if (event != PM_POST_SUSPEND && event != PM_POST_HIBERNATION)
		return NOTIFY_DONE;

	mutex_lock(&bypass_mutex);
	dev = rcu_dereference_protected(bypass_dev,
					lockdep_is_held(&bypass_mutex));
	if (dev && bypass_suspended && bypass_hc_attach(dev)) {
		pr_warn("the VMM refuses the device after resume\n");
		bypass_detach();
	}
	bypass_suspended = false;
	mutex_unlock(&bypass_mutex);
	return NOTIFY_OK;
}

static struct notifier_block bypass_pm_nb = {
	.notifier_call = bypass_pm_event,
};

static void bypass_shutdown(void *unused)
{
	bypass_suspend(unused);
}

static const struct syscore_ops bypass_syscore_ops = {
	.suspend = bypass_suspend,
	.shutdown = bypass_shutdown,
};

/* ---- sysfs: /sys/kernel/symbiotic/bypass ------------------------------- */

struct bypass_attr {
	struct kobj_attribute attr;
	size_t offset;
};

static ssize_t stat_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	size_t offset = container_of(attr, struct bypass_attr, attr)->offset;

	return sysfs_emit(buf, "%lu\n", bypass_stat_sum(offset));
}

#define BYPASS_COUNTER(_name, _field) {					\
	.attr = __ATTR(_name, 0444, stat_show, NULL),			\
	.offset = offsetof(struct bypass_stats, _field),		\
}

#define BYPASS_DECLINED(NAME, name)					\
	BYPASS_COUNTER(declined_##name, declined[SYMB_DECLINE_##NAME]),

static struct bypass_attr bypass_counters[] = {
	BYPASS_COUNTER(queries, queries),
	BYPASS_COUNTER(answered_pages, answered),
	SYMB_DECLINE_REASONS(BYPASS_DECLINED)
	BYPASS_COUNTER(drops_vma, drops[BYPASS_HOOK_VMA]),
	BYPASS_COUNTER(drops_zap, drops[BYPASS_HOOK_ZAP]),
	BYPASS_COUNTER(drops_free, drops[BYPASS_HOOK_FREE]),
	BYPASS_COUNTER(drops_move, drops[BYPASS_HOOK_MOVE]),
	BYPASS_COUNTER(drops_read, drops[BYPASS_HOOK_READ]),
	BYPASS_COUNTER(drops_write, drops[BYPASS_HOOK_WRITE]),
	BYPASS_COUNTER(drops_detach, drops[BYPASS_HOOK_SWAPOFF]),
};

static ssize_t attached_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%d\n", !!rcu_access_pointer(bypass_dev));
}

static struct kobj_attribute attr_attached = __ATTR_RO(attached);

/* The counters are put in at init; the last one is NULL. */
static struct attribute *bypass_attrs[1 + ARRAY_SIZE(bypass_counters) + 1] = {
	&attr_attached.attr,
};

static const struct attribute_group bypass_group = {
	.name = "bypass",
	.attrs = bypass_attrs,
};

static struct syscore bypass_syscore = {
	.ops = &bypass_syscore_ops,
};

static int __init bypass_init(void)
{
	int i, ret;

	if (!symbiotic_has(SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS))
		return 0;

	ret = symcall_register(SYMCALL_QUERY_BATCH, bypass_symcall_batch);
	if (ret)
		goto fail;
	ret = symcall_register(SYMCALL_MEM_LOOKUP, bypass_symcall_lookup);
	if (ret)
		goto fail_batch;

	/* After the core's, so suspended before it. */
	register_syscore(&bypass_syscore);
	register_pm_notifier(&bypass_pm_nb);
	for (i = 0; i < ARRAY_SIZE(bypass_counters); i++)
		bypass_attrs[1 + i] = &bypass_counters[i].attr.attr;
	if (symbiotic_kobj && sysfs_create_group(symbiotic_kobj, &bypass_group))
		pr_warn("no counters in sysfs\n");
	bypass_debugfs_init();
	return 0;

fail_batch:
	symcall_unregister(SYMCALL_QUERY_BATCH);
fail:
	pr_warn("not available: %d\n", ret);
	return ret;
}

/* After the core made its directory, before drivers probe. */
rootfs_initcall(bypass_init);
