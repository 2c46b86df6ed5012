// SPDX-License-Identifier: GPL-2.0
/*
 * SwapBypass: the VMM reconsiders the guest's swap decisions.
 *
 * The guest swaps to a window of host memory that is also a memslot. Under
 * shadow paging KVM sees a fault on a swapped-out page before the guest does.
 * It asks the guest by symcall whether the page may be used where it lies
 * (query_vaddr()), and on a yes maps the window's page at the faulting address.
 * The guest's PTE stays a swap entry, and its swap-in never runs.
 *
 * What may be mapped is the guest's to say, and it can only say "page n of my
 * window", so a lying guest reaches nothing but its own memory. When a mapping
 * must go is the guest's to say too, by hypercall, and KVM's:
 *
 *  - each entry remembers the raw guest PTE it stands for, and does not survive
 *    a sync of the shadow page with another one;
 *  - a drop hypercall removes the entries under mmu_lock, flushes the TLBs of
 *    all vCPUs, and bumps swap->seq, so that an answer that was given before it
 *    and would be installed after it is thrown away. This is the scheme of
 *    mmu_invalidate_seq, with the guest as the one who invalidates.
 *
 * docs/design.md has the argument for why the guest's drops are enough.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "../mmu.h"
#include "../mmu/mmu_internal.h"
#include "../mmu/spte.h"
#include "../x86.h"
#include "swapbypass.h"
#include "symbiotic.h"

#define CREATE_TRACE_POINTS
#include "swapbypass_trace.h"

/* Pages that one symcall is asked to answer for; see docs/design.md. */
#define KVM_BYPASS_BATCH	SYMB_LOOKUP_MAX

/* Slots that one hold of mmu_lock drops. */
#define KVM_BYPASS_DROP_CHUNK	4096

/*
 * Adaptive mode: a guest that takes this many faults on its swap device in one
 * window thrashes; one that takes none for the quiet time does not any more.
 * Switching off stops new mappings. Those that exist stay until the guest drops
 * them: removing them would start the thrashing that is over.
 */
#define KVM_BYPASS_WINDOW	(HZ / 10)
#define KVM_BYPASS_THRASH	32
#define KVM_BYPASS_QUIET	(10 * HZ)

enum kvm_bypass_mode {
	KVM_BYPASS_OFF,
	KVM_BYPASS_ALWAYS,
	KVM_BYPASS_ADAPTIVE,
};

static const char * const kvm_bypass_mode_names[] = {
	[KVM_BYPASS_OFF]	= "off",
	[KVM_BYPASS_ALWAYS]	= "always",
	[KVM_BYPASS_ADAPTIVE]	= "adaptive",
};

static int kvm_bypass_default_mode = KVM_BYPASS_ADAPTIVE;

static int kvm_bypass_param_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(kvm_bypass_mode_names, val);

	if (mode < 0)
		return mode;
	WRITE_ONCE(*(int *)kp->arg, mode);
	return 0;
}

static int kvm_bypass_param_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n",
			  kvm_bypass_mode_names[READ_ONCE(*(int *)kp->arg)]);
}

static const struct kernel_param_ops kvm_bypass_param_ops = {
	.set = kvm_bypass_param_set,
	.get = kvm_bypass_param_get,
};

module_param_cb(swapbypass, &kvm_bypass_param_ops, &kvm_bypass_default_mode, 0644);
MODULE_PARM_DESC(swapbypass, "SwapBypass mode of new VMs: off, always or adaptive (default)");

static_assert(ARRAY_SIZE(((struct kvm_vm_stat *)0)->bypass_drop) == KVM_BYPASS_DROP_NR);
static_assert(ARRAY_SIZE(((struct kvm_vcpu_stat *)0)->bypass_decline) == SYMB_DECLINE_NR);

static struct kvm_swapbypass *kvm_swapbypass(struct kvm *kvm)
{
	return kvm->arch.symbiotic ? kvm->arch.symbiotic->swap : NULL;
}

/* The address of a page-table root; page-table isolation uses a pair of pages. */
static gpa_t kvm_bypass_root(u64 cr3)
{
	return cr3 & GENMASK_ULL(51, PAGE_SHIFT + 1);
}

/* ---- Drops ------------------------------------------------------------- */

/*
 * Start and end of a removal of entries, on whose account they are dropped.
 * Bumping @seq makes every answer that is on its way stale.
 */
static u64 kvm_bypass_drop_begin(struct kvm *kvm, struct kvm_swapbypass *swap,
				 enum kvm_bypass_drop reason)
	__acquires(&kvm->mmu_lock)
{
	write_lock(&kvm->mmu_lock);
	WRITE_ONCE(swap->seq, swap->seq + 1);
	swap->drop_reason = reason;
	return swap->pages;
}

static void kvm_bypass_drop_end(struct kvm *kvm, struct kvm_swapbypass *swap,
				u64 pages_before)
	__releases(&kvm->mmu_lock)
{
	u64 dropped = pages_before - swap->pages;

	trace_kvm_swapbypass_drop(swap->drop_reason, dropped, swap->seq);
	swap->drop_reason = KVM_BYPASS_DROP_MMU;
	/* Rule: no vCPU may use a mapping after the hypercall has returned. */
	if (dropped)
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
}

static void __kvm_bypass_drop_all(struct kvm *kvm, struct kvm_swapbypass *swap)
{
	struct kvm_bypass_sp *bsp, *tmp;

	list_for_each_entry_safe(bsp, tmp, &swap->sps, node)
		kvm_mmu_bypass_drop_sp(kvm, bsp, 0, SPTE_ENT_PER_PAGE - 1);
}

static void kvm_bypass_drop_all(struct kvm *kvm, struct kvm_swapbypass *swap)
{
	u64 pages = kvm_bypass_drop_begin(kvm, swap, KVM_BYPASS_DROP_OFF);

	__kvm_bypass_drop_all(kvm, swap);
	kvm_bypass_drop_end(kvm, swap, pages);
}

static void kvm_bypass_drop_chunk(struct kvm *kvm, struct kvm_swapbypass *swap,
				  gfn_t first, gfn_t end)
{
	u64 pages = kvm_bypass_drop_begin(kvm, swap, KVM_BYPASS_DROP_SLOTS);
	struct kvm_memory_slot *slot;
	gfn_t gfn;

	for (gfn = first; gfn < end && swap->pages; gfn++) {
		slot = gfn_to_memslot(kvm, gfn);
		if (slot && kvm_memslots_have_rmaps(kvm))
			kvm_mmu_bypass_drop_gfn(kvm, slot, gfn);
	}
	kvm_bypass_drop_end(kvm, swap, pages);
}

/*
 * In chunks, since the guest says how many. A question about any of the slots
 * that was asked before the hypercall is stale after the first of them.
 */
static int kvm_bypass_drop_slots(struct kvm *kvm, struct kvm_swapbypass *swap,
				 u64 first, u64 nr)
{
	gfn_t gfn, end;

	if (!nr || first >= swap->desc.nr_pages ||
	    nr > swap->desc.nr_pages - first)
		return -SYMB_HC_EINVAL;

	gfn = gpa_to_gfn(swap->desc.window_gpa) + first;
	for (end = gfn + nr; gfn < end; gfn += KVM_BYPASS_DROP_CHUNK) {
		kvm_bypass_drop_chunk(kvm, swap, gfn,
				      min(gfn + KVM_BYPASS_DROP_CHUNK, end));
		cond_resched();
	}
	return 0;
}

/*
 * The list is walked in full: a shadow page covers 2 MiB, so 1 GiB of bypassed
 * memory is 512 steps, and a hash over (root, address) would not find the pages
 * of a range faster than that.
 */
static int kvm_bypass_drop_range(struct kvm *kvm, struct kvm_swapbypass *swap,
				 gpa_t root, gva_t start, gva_t end)
{
	struct kvm_bypass_sp *bsp, *tmp;
	u64 pages;

	if (start >= end || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(end))
		return -SYMB_HC_EINVAL;

	root = kvm_bypass_root(root);
	pages = kvm_bypass_drop_begin(kvm, swap, KVM_BYPASS_DROP_RANGE);
	list_for_each_entry_safe(bsp, tmp, &swap->sps, node) {
		gva_t last = bsp->base + PMD_SIZE - PAGE_SIZE;

		if (bsp->root != root || last < start || bsp->base >= end)
			continue;

		kvm_mmu_bypass_drop_sp(kvm, bsp,
				       (max(start, bsp->base) - bsp->base) >> PAGE_SHIFT,
				       (min(end - PAGE_SIZE, last) - bsp->base) >> PAGE_SHIFT);
	}
	kvm_bypass_drop_end(kvm, swap, pages);
	return 0;
}

/* ---- Attach and detach ------------------------------------------------- */

/*
 * Rule: no answer of the guest may select other host memory than its window.
 * The window is one writable memslot's memory, so guest memory already; not one
 * of those that KVM has made for itself.
 */
static bool kvm_bypass_desc_valid(struct kvm *kvm, const struct symb_swap_desc *desc)
{
	gfn_t gfn = gpa_to_gfn(desc->window_gpa);
	struct kvm_memory_slot *slot;

	if (!PAGE_ALIGNED(desc->window_gpa) || !desc->nr_pages ||
	    desc->nr_pages > U32_MAX)
		return false;

	slot = gfn_to_memslot(kvm, gfn);
	if (!slot || slot->id >= KVM_USER_MEM_SLOTS ||
	    (slot->flags & KVM_MEM_READONLY) ||
	    desc->nr_pages > slot->base_gfn + slot->npages - gfn)
		return false;

	/*
	 * What could match present PTEs describes no swap entry, nor does what
	 * matches 0, which is none at all, here and in kvm_bypass_sp.gpte.
	 */
	if (!(desc->pte_mask & PT_PRESENT_MASK) || !desc->pte_match ||
	    (desc->pte_match & PT_PRESENT_MASK) ||
	    (desc->pte_match & ~desc->pte_mask))
		return false;

	return is_power_of_2(desc->pte_exclusive) &&
	       !(desc->pte_exclusive & desc->pte_mask);
}

static int kvm_bypass_attach(struct kvm_vcpu *vcpu, struct kvm_swapbypass *swap,
			     gpa_t gpa)
{
	struct kvm *kvm = vcpu->kvm;
	struct symb_swap_desc desc;
	int ret = 0;

	if (kvm_vcpu_read_guest(vcpu, gpa, &desc, sizeof(desc)) ||
	    !kvm_bypass_desc_valid(kvm, &desc))
		return -SYMB_HC_EINVAL;

	write_lock(&kvm->mmu_lock);
	if (swap->attached) {
		ret = -SYMB_HC_EBUSY;
	} else {
		swap->desc = desc;
		WRITE_ONCE(swap->seq, swap->seq + 1);
		/* Pairs with the acquire in kvm_swapbypass_fault(). */
		smp_store_release(&swap->attached, true);
	}
	write_unlock(&kvm->mmu_lock);
	return ret;
}

static void kvm_bypass_detach(struct kvm *kvm, struct kvm_swapbypass *swap)
{
	u64 pages = kvm_bypass_drop_begin(kvm, swap, KVM_BYPASS_DROP_OFF);

	WRITE_ONCE(swap->attached, false);
	__kvm_bypass_drop_all(kvm, swap);
	kvm_bypass_drop_end(kvm, swap, pages);
}

/**
 * kvm_swapbypass_hypercall - SYMB_HC_SWAP_ATTACH to SYMB_HC_DROP_RANGE
 * @vcpu: the vCPU, at CPL 0
 * @nr: hypercall number
 * @a0: RBX
 * @a1: RCX
 * @a2: RDX
 * @a3: RSI
 *
 * Context: the vCPU's thread, kvm->srcu held for reading, mmu_lock not held.
 * Return: 0 or -SYMB_HC_E*, for the guest.
 */
int kvm_swapbypass_hypercall(struct kvm_vcpu *vcpu, u64 nr, u64 a0, u64 a1,
			     u64 a2, u64 a3)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);

	if (!swap || !kvm_symb_accepted(kvm, SYMB_FEAT_SWAPBYPASS))
		return -SYMB_HC_ENOSYS;

	if (nr == SYMB_HC_SWAP_ATTACH)
		return kvm_bypass_attach(vcpu, swap, a0);

	if (!READ_ONCE(swap->attached))
		return -SYMB_HC_EINVAL;

	switch (nr) {
	case SYMB_HC_SWAP_DETACH:
		kvm_bypass_detach(kvm, swap);
		return 0;
	case SYMB_HC_DROP_SLOTS:
		return kvm_bypass_drop_slots(kvm, swap, a0, a1);
	case SYMB_HC_DROP_RANGE:
		return kvm_bypass_drop_range(kvm, swap, a0, a1, a2);
	default:
		return -SYMB_HC_ENOSYS;
	}
}

/* ---- The fault ---------------------------------------------------------- */

/**
 * kvm_swapbypass_batch - SPTEs that one fault may install besides its own
 * @kvm: the VM
 *
 * Return: a number that does not change while the VM has vCPUs.
 */
int kvm_swapbypass_batch(struct kvm *kvm)
{
	return kvm_swapbypass(kvm) && !tdp_enabled ? KVM_BYPASS_BATCH : 0;
}

static bool kvm_bypass_enabled(struct kvm_swapbypass *swap)
{
	bool on;

	switch (READ_ONCE(swap->mode)) {
	case KVM_BYPASS_ALWAYS:
		return true;
	case KVM_BYPASS_ADAPTIVE:
		break;
	default:
		return false;
	}

	spin_lock(&swap->lock);
	if (time_after(jiffies, swap->window_start + KVM_BYPASS_QUIET))
		swap->thrashing = false;
	if (time_after(jiffies, swap->window_start + KVM_BYPASS_WINDOW)) {
		swap->window_start = jiffies;
		swap->window_faults = 0;
	}
	if (++swap->window_faults >= KVM_BYPASS_THRASH)
		swap->thrashing = true;
	on = swap->thrashing;
	spin_unlock(&swap->lock);
	return on;
}

static void kvm_bypass_declined(struct kvm_vcpu *vcpu, gva_t gva, u64 reason)
{
	if (reason >= SYMB_DECLINE_NR)
		reason = SYMB_DECLINE_NONE;	/* no reason that we know */

	vcpu->stat.bypass_declined++;
	vcpu->stat.bypass_decline[reason]++;
	trace_kvm_swapbypass_decline(vcpu->vcpu_id, gva, reason);
}

/*
 * Take over what the guest has answered. Nothing in the guest's page is used
 * but this copy, and of the copy only entries that pass here.
 */
static bool kvm_bypass_read_answer(struct kvm_vcpu *vcpu,
				   struct kvm_swapbypass *swap,
				   struct kvm_vcpu_swapbypass *bypass)
{
	gpa_t gpa = vcpu->arch.symbiotic->local_gpa;
	struct {
		u64 base;
		u32 nr;
		u32 reserved;
	} head;
	bool found = false;
	int i;

	if (!gpa ||
	    kvm_vcpu_read_guest(vcpu, gpa + offsetof(struct symspy_local, lookup_base),
				&head, sizeof(head)))
		return false;

	if (!PAGE_ALIGNED(head.base) || !head.nr || head.nr > SYMB_LOOKUP_MAX ||
	    head.base > bypass->gva ||
	    head.base + ((u64)head.nr << PAGE_SHIFT) <= bypass->gva)
		return false;

	if (kvm_vcpu_read_guest(vcpu, gpa + offsetof(struct symspy_local, lookup),
				bypass->entries, head.nr * sizeof(bypass->entries[0])))
		return false;

	bypass->base = head.base;
	bypass->nr = head.nr;

	for (i = 0; i < head.nr; i++) {
		struct symb_lookup_entry *e = &bypass->entries[i];
		bool write = e->flags & SYMB_LOOKUP_WRITABLE;

		/*
		 * Rule 4: writable only with the exclusive bit. The guest checks
		 * that too; here it keeps a confused guest from hurting itself.
		 */
		if ((e->pte & swap->desc.pte_mask) != swap->desc.pte_match ||
		    (write && !(e->pte & swap->desc.pte_exclusive)) ||
		    e->slot >= swap->desc.nr_pages)
			e->pte = 0;
		else if (head.base + ((u64)i << PAGE_SHIFT) == bypass->gva)
			found = e->pte == bypass->pte &&
				(write || !(bypass->error_code & PFERR_WRITE_MASK));
	}
	return found;
}

/* The symcall is over: handle the fault again, now with the guest's answer. */
static int kvm_bypass_answered(struct kvm_vcpu *vcpu, int status,
			       const u64 ret[SYMCALL_NR_ARGS])
{
	struct kvm_vcpu_swapbypass *bypass = vcpu->arch.symbiotic->swap;
	struct kvm_swapbypass *swap = kvm_swapbypass(vcpu->kvm);
	int r;

	/* A reset in between has thrown the question away. */
	if (bypass->state != KVM_BYPASS_ASKED)
		return 1;

	if (!status && ret[0] && kvm_bypass_read_answer(vcpu, swap, bypass)) {
		bypass->state = KVM_BYPASS_ANSWERED;
	} else {
		bypass->state = KVM_BYPASS_DECLINED;
		if (status)
			vcpu->stat.bypass_failed++;
		else
			kvm_bypass_declined(vcpu, bypass->gva, ret[1]);
	}

	/*
	 * What user space has queued meanwhile comes before the instruction; a
	 * page fault would take its place. The access will fault again.
	 */
	if (kvm_is_exception_pending(vcpu) || kvm_event_needs_reinjection(vcpu)) {
		bypass->state = KVM_BYPASS_IDLE;
		return 1;
	}

	/*
	 * Restoring the context may have loaded CR3 again, and so have changed
	 * the MMU's root.
	 */
	r = kvm_mmu_reload(vcpu);
	if (!r)
		r = kvm_mmu_page_fault(vcpu, bypass->gva, bypass->error_code,
				       NULL, 0);
	else
		r = 1;

	/* The answer is for this fault; the next one is another question. */
	bypass->state = KVM_BYPASS_IDLE;
	return r;
}

static struct kvm_vcpu_swapbypass *kvm_bypass_vcpu_prepare(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_bypass_sp *spare;

	if (!symb->swap) {
		symb->swap = kzalloc(sizeof(*symb->swap), GFP_KERNEL_ACCOUNT);
		if (!symb->swap)
			return NULL;
	}

	if (!symb->swap->spare) {
		spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
		if (!spare)
			return NULL;
		spare->gpte = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!spare->gpte) {
			kfree(spare);
			return NULL;
		}
		INIT_LIST_HEAD(&spare->node);
		symb->swap->spare = spare;
	}
	return symb->swap;
}

static int kvm_bypass_ask(struct kvm_vcpu *vcpu, struct kvm_swapbypass *swap,
			  struct kvm_vcpu_swapbypass *bypass,
			  struct kvm_page_fault *fault, u64 pte, u64 seq)
{
	u64 args[SYMCALL_NR_ARGS] = {
		fault->addr & PAGE_MASK,
		pte,
		(fault->write ? SYMB_ACCESS_WRITE : 0) |
		(fault->user ? SYMB_ACCESS_USER : 0),
		KVM_BYPASS_BATCH,
	};

	bypass->seq = seq;
	bypass->gva = fault->addr & PAGE_MASK;
	bypass->error_code = fault->error_code;
	bypass->pte = pte;

	if (kvm_symcall_start(vcpu, SYMCALL_QUERY_BATCH, args, kvm_bypass_answered)) {
		vcpu->stat.bypass_refused++;
		return RET_PF_CONTINUE;
	}

	bypass->state = KVM_BYPASS_ASKED;
	vcpu->stat.bypass_faults++;
	trace_kvm_swapbypass_fault(vcpu->vcpu_id, bypass->gva, pte, fault->error_code);
	return RET_PF_RETRY;
}

/**
 * kvm_swapbypass_fault - a guest page-table walk ended at a not-present entry
 * @vcpu: the vCPU
 * @fault: the fault; gfn, slot and bypass are set if the answer is yes
 * @pte: the guest's level-1 entry
 * @pt_access: ACC_* that the upper levels allow
 * @pte_access: set to the ACC_* of the mapping if the answer is yes
 *
 * Context: the vCPU's thread, in its page-fault handler, mmu_lock not held.
 * Return: RET_PF_CONTINUE if the fault is the guest's; RET_PF_RETRY if the guest
 * is being asked (resume it: into the symcall); RET_PF_FIXED if the guest said
 * yes (go on as if the walk had found a mapping of @fault->gfn).
 */
int kvm_swapbypass_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
			 u64 pte, unsigned int pt_access,
			 unsigned int *pte_access)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(vcpu->kvm);
	struct kvm_vcpu_swapbypass *bypass;
	struct symb_lookup_entry *e;
	unsigned int access;
	u64 seq;

	/* Pairs with the release in kvm_bypass_attach(): desc is complete. */
	if (!swap || !smp_load_acquire(&swap->attached))
		return RET_PF_CONTINUE;

	/*
	 * Rule 1: a swap entry of the guest's device. PROT_NONE, migration and
	 * the like differ in the bits of the mask, so they cost no symcall.
	 */
	if ((pte & swap->desc.pte_mask) != swap->desc.pte_match)
		return RET_PF_CONTINUE;

	/*
	 * Rule: between the question and the installation, a sequence number
	 * catches every race. Read it before the mode is looked at and before
	 * the guest runs; pairs with kvm_bypass_drop_begin().
	 */
	seq = smp_load_acquire(&swap->seq);

	bypass = vcpu->arch.symbiotic->swap;
	if (!bypass || bypass->state == KVM_BYPASS_IDLE) {
		if (!kvm_bypass_enabled(swap) || fault->prefetch || fault->exec)
			return RET_PF_CONTINUE;

		/* Rule 4, early: after fork most questions would be in vain. */
		if (fault->write && !(pte & swap->desc.pte_exclusive)) {
			kvm_bypass_declined(vcpu, fault->addr, SYMB_DECLINE_SHARED);
			return RET_PF_CONTINUE;
		}

		bypass = kvm_bypass_vcpu_prepare(vcpu);
		if (!bypass)
			return RET_PF_CONTINUE;
		return kvm_bypass_ask(vcpu, swap, bypass, fault, pte, seq);
	}

	if (bypass->state != KVM_BYPASS_ANSWERED ||
	    bypass->gva != (fault->addr & PAGE_MASK) || bypass->pte != pte)
		return RET_PF_CONTINUE;

	e = &bypass->entries[(bypass->gva - bypass->base) >> PAGE_SHIFT];
	access = pt_access & (ACC_USER_MASK |
			      (e->flags & SYMB_LOOKUP_WRITABLE ? ACC_WRITE_MASK : 0));

	/*
	 * Rule 2: access allowed. The guest has checked its VMA; this checks
	 * what the CPU would: CPL, CR0.WP, SMAP, the upper levels.
	 */
	if (permission_fault(vcpu, vcpu->arch.mmu, access, 0,
			     fault->error_code & ~PFERR_RSVD_MASK)) {
		kvm_bypass_declined(vcpu, fault->addr, SYMB_DECLINE_ACCESS);
		return RET_PF_CONTINUE;
	}

	fault->gfn = gpa_to_gfn(swap->desc.window_gpa) + e->slot;
	fault->slot = kvm_vcpu_gfn_to_memslot(vcpu, fault->gfn);
	if (!fault->slot)
		return RET_PF_CONTINUE;

	fault->bypass = bypass;
	*pte_access = access;
	return RET_PF_FIXED;
}

/**
 * kvm_swapbypass_stale - whether a drop has come between answer and installation
 * @kvm: the VM
 * @fault: the fault
 *
 * Context: kvm->mmu_lock held for writing; the result holds until it is dropped.
 */
bool kvm_swapbypass_stale(struct kvm *kvm, struct kvm_page_fault *fault)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	return fault->bypass && fault->bypass->seq != kvm_swapbypass(kvm)->seq;
}

/**
 * kvm_swapbypass_elsewhere - whether a record is for another place
 * @vcpu: the vCPU
 * @bsp: record of a shadow page that translates @gva for @vcpu
 * @gva: the address
 *
 * One page-table page at two places. Linux has no such page of private anonymous
 * memory; the entries for one place could not be found again by the address of
 * the other, so there are none of both at a time.
 *
 * Context: kvm->mmu_lock held for writing.
 */
bool kvm_swapbypass_elsewhere(struct kvm_vcpu *vcpu,
			      const struct kvm_bypass_sp *bsp, gva_t gva)
{
	return bsp->nr && (bsp->base != (gva & PMD_MASK) ||
			   bsp->root != kvm_bypass_root(kvm_read_cr3(vcpu)));
}

/**
 * kvm_swapbypass_record - remember that an SPTE is a bypass entry
 * @vcpu: the vCPU, whose spare record is used up for a new shadow page
 * @sp: a level-1 shadow page
 * @index: of the SPTE, which has been installed; kvm_mmu_bypass_prepare() has
 *	made room for it
 * @gpte: raw guest PTE that the entry stands for
 * @gva: address that the entry translates
 *
 * Context: kvm->mmu_lock held for writing.
 */
void kvm_swapbypass_record(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp,
			   int index, u64 gpte, gva_t gva)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(vcpu->kvm);
	struct kvm_bypass_sp *bsp = sp->bypass;

	lockdep_assert_held_write(&vcpu->kvm->mmu_lock);

	if (!bsp) {
		bsp = vcpu->arch.symbiotic->swap->spare;
		vcpu->arch.symbiotic->swap->spare = NULL;
		bsp->sp = sp;
		sp->bypass = bsp;
	}

	if (!bsp->gpte[index]) {
		if (!bsp->nr++) {
			bsp->root = kvm_bypass_root(kvm_read_cr3(vcpu));
			bsp->base = gva & PMD_MASK;
			list_add(&bsp->node, &swap->sps);
		}
		swap->pages++;
		++vcpu->kvm->stat.bypass_pages;
	}
	bsp->gpte[index] = gpte;
	vcpu->stat.bypass_maps++;

	trace_kvm_swapbypass_map(vcpu->vcpu_id, gva,
				 (sp->shadowed_translation[index] >> PAGE_SHIFT) -
				 gpa_to_gfn(swap->desc.window_gpa),
				 is_writable_pte(sp->spt[index]));
}

/**
 * kvm_swapbypass_forget - an SPTE of a shadow page with bypass entries was cleared
 * @kvm: the VM
 * @sp: the shadow page, with sp->bypass
 * @index: of the SPTE
 *
 * Called wherever an rmapped SPTE is cleared: a record that outlived its entry
 * would keep an ordinary mapping from being synchronized.
 *
 * Context: kvm->mmu_lock held for writing.
 */
void kvm_swapbypass_forget(struct kvm *kvm, struct kvm_mmu_page *sp, int index)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);
	struct kvm_bypass_sp *bsp = sp->bypass;

	if (!bsp->gpte[index])
		return;

	bsp->gpte[index] = 0;
	swap->pages--;
	--kvm->stat.bypass_pages;
	++kvm->stat.bypass_drop[swap->drop_reason];
	/* On the list while it counts, and only then. */
	if (!--bsp->nr)
		list_del_init(&bsp->node);
}

static void kvm_bypass_free(struct kvm_bypass_sp *bsp)
{
	if (bsp) {
		free_page((unsigned long)bsp->gpte);
		kfree(bsp);
	}
}

/**
 * kvm_swapbypass_free_sp - a shadow page is being freed
 * @sp: the shadow page; its SPTEs are all cleared
 */
void kvm_swapbypass_free_sp(struct kvm_mmu_page *sp)
{
	if (WARN_ON_ONCE(sp->bypass && !list_empty(&sp->bypass->node)))
		list_del(&sp->bypass->node);
	kvm_bypass_free(sp->bypass);
	sp->bypass = NULL;
}

/* ---- Life cycle --------------------------------------------------------- */

/**
 * kvm_swapbypass_init - user space has made a VM symbiotic
 * @kvm: the VM, without vCPUs
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_swapbypass_init(struct kvm *kvm)
{
	struct kvm_swapbypass *swap = kzalloc(sizeof(*swap), GFP_KERNEL_ACCOUNT);

	if (!swap)
		return -ENOMEM;

	INIT_LIST_HEAD(&swap->sps);
	spin_lock_init(&swap->lock);
	swap->window_start = jiffies;
	swap->mode = READ_ONCE(kvm_bypass_default_mode);
	kvm->arch.symbiotic->swap = swap;
	return 0;
}

/**
 * kvm_swapbypass_destroy - the VM goes away; its shadow pages are freed
 * @kvm: the VM
 */
void kvm_swapbypass_destroy(struct kvm *kvm)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);

	if (!swap)
		return;
	kvm->arch.symbiotic->swap = NULL;
	kfree(swap);
}

/**
 * kvm_swapbypass_reset - the guest has withdrawn, or the VM is reset
 * @kvm: the VM
 *
 * Context: may sleep; mmu_lock not held.
 */
void kvm_swapbypass_reset(struct kvm *kvm)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);

	if (swap)
		kvm_bypass_detach(kvm, swap);
}

/**
 * kvm_swapbypass_vcpu_reset - the vCPU's question, if any, is void
 * @vcpu: the vCPU
 */
void kvm_swapbypass_vcpu_reset(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.symbiotic->swap)
		vcpu->arch.symbiotic->swap->state = KVM_BYPASS_IDLE;
}

/**
 * kvm_swapbypass_vcpu_destroy - the vCPU goes away
 * @vcpu: the vCPU
 */
void kvm_swapbypass_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_swapbypass *bypass = vcpu->arch.symbiotic->swap;

	if (!bypass)
		return;
	kvm_bypass_free(bypass->spare);
	kfree(bypass);
	vcpu->arch.symbiotic->swap = NULL;
}

/* ---- debugfs: bypass_mode ----------------------------------------------- */

static int kvm_bypass_mode_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);
	int mode;

	if (!swap) {
		seq_puts(m, "none\n");
		return 0;
	}

	mode = READ_ONCE(swap->mode);
	seq_puts(m, kvm_bypass_mode_names[mode]);
	if (mode == KVM_BYPASS_ADAPTIVE) {
		spin_lock(&swap->lock);
		seq_puts(m, swap->thrashing &&
			 time_before_eq(jiffies, swap->window_start + KVM_BYPASS_QUIET) ?
			 " (on)" : " (off)");
		spin_unlock(&swap->lock);
	}
	seq_putc(m, '\n');
	return 0;
}

static int kvm_bypass_mode_open(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;
	int r;

	if (!kvm_get_kvm_safe(kvm))
		return -ENOENT;

	r = single_open(file, kvm_bypass_mode_show, kvm);
	if (r)
		kvm_put_kvm(kvm);
	return r;
}

static int kvm_bypass_mode_release(struct inode *inode, struct file *file)
{
	kvm_put_kvm(inode->i_private);
	return single_release(inode, file);
}

static ssize_t kvm_bypass_mode_write(struct file *file, const char __user *ubuf,
				     size_t len, loff_t *pos)
{
	struct kvm *kvm = ((struct seq_file *)file->private_data)->private;
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);
	char buf[16] = {};
	int mode;

	if (!swap)
		return -EOPNOTSUPP;
	if (!len || len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;

	mode = sysfs_match_string(kvm_bypass_mode_names, buf);
	if (mode < 0)
		return mode;

	WRITE_ONCE(swap->mode, mode);
	if (mode == KVM_BYPASS_OFF)
		kvm_bypass_drop_all(kvm, swap);
	return len;
}

static const struct file_operations kvm_bypass_mode_fops = {
	.owner		= THIS_MODULE,
	.open		= kvm_bypass_mode_open,
	.read		= seq_read,
	.write		= kvm_bypass_mode_write,
	.llseek		= seq_lseek,
	.release	= kvm_bypass_mode_release,
};

/**
 * kvm_swapbypass_create_debugfs - create the VM's bypass_mode file
 * @kvm: the VM
 */
void kvm_swapbypass_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("bypass_mode", 0644, kvm->debugfs_dentry, kvm,
			    &kvm_bypass_mode_fops);
}
