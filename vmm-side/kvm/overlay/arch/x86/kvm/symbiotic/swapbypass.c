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
 *  - a drop hypercall bumps swap->seq, so that an answer that was given before
 *    it and would be installed after it is thrown away, removes the entries and
 *    flushes the TLBs of all vCPUs. This is the scheme of mmu_invalidate_seq,
 *    with the guest as the one who invalidates.
 *
 * docs/design.md has the argument for why the guest's drops are enough.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/entry-kvm.h>
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

/*
 * Entries, records and slots that a drop looks at under one hold of mmu_lock:
 * less than KVM's own zapping does, so it is not cut shorter for those who
 * wait; each cut costs a flush of all TLBs. All aliases of a slot are looked at
 * in one go: there are no more than RMAP_RECYCLE_THRESHOLD.
 */
#define KVM_BYPASS_HOLD		1024

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

/* A description of all entries there are. */
static void kvm_bypass_op_all(struct kvm_bypass_op *op)
{
	*op = (struct kvm_bypass_op) {
		.reason = KVM_BYPASS_DROP_OFF,
		.root = INVALID_GPA,
		.last = PAGE_MASK,
	};
	INIT_LIST_HEAD(&op->mark.node);
}

/* Slot by slot; whether that was the last. */
static bool kvm_bypass_drop_slots(struct kvm *kvm, struct kvm_swapbypass *swap,
				  struct kvm_bypass_op *op)
{
	struct kvm_memory_slot *slot;

	for (; op->gfn < op->end && swap->pages; op->gfn++) {
		if (op->looked >= KVM_BYPASS_HOLD)
			return false;

		op->looked++;
		slot = gfn_to_memslot(kvm, op->gfn);
		if (slot && kvm_memslots_have_rmaps(kvm))
			op->looked += kvm_mmu_bypass_drop_gfn(kvm, slot, op->gfn);
	}
	return true;
}

/* Of one record, at most @max; less than that if these were all. */
static int kvm_bypass_drop_sp(struct kvm *kvm, const struct kvm_bypass_op *op,
			      struct kvm_bypass_sp *bsp, int max)
{
	gva_t last = bsp->base + PMD_SIZE - PAGE_SIZE;

	if (!bsp->sp || last < op->first || bsp->base > op->last ||
	    (op->root != INVALID_GPA && op->root != bsp->root))
		return 0;

	return kvm_mmu_bypass_drop_sp(kvm, bsp,
				      (max(op->first, bsp->base) - bsp->base) >> PAGE_SHIFT,
				      (min(op->last, last) - bsp->base) >> PAGE_SHIFT,
				      max);
}

/*
 * Record by record; whether that was the last. The list is walked in full: a
 * shadow page covers 2 MiB, so 1 GiB of bypassed memory is 512 steps, and a hash
 * over (root, address) would not find the pages of a range faster than that.
 *
 * Between two holds records come and go, and op->mark keeps the place. New ones
 * are added before it: what is in them was asked for after the drop had begun.
 */
static bool kvm_bypass_drop_sps(struct kvm *kvm, struct kvm_swapbypass *swap,
				struct kvm_bypass_op *op)
{
	struct kvm_bypass_sp *bsp;
	int n, room;

	while (!list_is_last(&op->mark.node, &swap->sps)) {
		room = KVM_BYPASS_HOLD - op->looked;
		if (room <= 0)
			return false;

		bsp = list_next_entry(&op->mark, node);
		n = kvm_bypass_drop_sp(kvm, op, bsp, room);
		op->looked += n;
		if (n == room)
			return false;
		op->looked++;

		/* An empty record has left the list. */
		if (!list_empty(&bsp->node))
			list_move(&op->mark.node, &bsp->node);
	}
	list_del_init(&op->mark.node);
	return true;
}

/*
 * One hold of mmu_lock's worth of a drop. The first one bumps @seq, which makes
 * every answer that is on its way stale. Each one flushes: an entry that is gone
 * from the page tables but not from a TLB is one that KVM's MMU notifiers would
 * not find.
 *
 * Context: kvm->srcu held for reading; only here, so the caller may release it
 * between two calls.
 * Return: whether the drop is complete.
 */
static bool kvm_bypass_drop_some(struct kvm *kvm, struct kvm_swapbypass *swap,
				 struct kvm_bypass_op *op)
{
	u64 pages;
	bool done;

	write_lock(&kvm->mmu_lock);
	if (!op->begun) {
		op->begun = true;
		WRITE_ONCE(swap->seq, swap->seq + 1);
		if (!op->end)
			list_add(&op->mark.node, &swap->sps);
	}

	pages = swap->pages;
	op->looked = 0;
	swap->drop_reason = op->reason;
	if (op->end)
		done = kvm_bypass_drop_slots(kvm, swap, op);
	else
		done = kvm_bypass_drop_sps(kvm, swap, op);
	swap->drop_reason = KVM_BYPASS_DROP_MMU;

	kvm->stat.bypass_hold_max = max_t(u64, kvm->stat.bypass_hold_max, op->looked);
	trace_kvm_swapbypass_drop(op->reason, pages - swap->pages, swap->seq);

	/* Rule: no vCPU may use a mapping after the hypercall has returned. */
	if (pages != swap->pages)
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
	return done;
}

/**
 * kvm_swapbypass_work - drop what the guest's last instruction wants dropped
 * @vcpu: the vCPU, with KVM_SYMB_WORK_DROP; may not enter the guest before this
 *	has returned 1
 *
 * A drop may be as long as all of the guest's memory. It holds no lock for more
 * than a part of it, and whoever wants this thread gets it in between; KVM_RUN
 * then goes on where it was.
 *
 * Context: the vCPU's thread, in its run loop, kvm->srcu held for reading, but
 * not throughout.
 * Return: 1, or -EINTR with vcpu->run filled in.
 */
int kvm_swapbypass_work(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	int r;

	while (!kvm_bypass_drop_some(vcpu->kvm, kvm_swapbypass(vcpu->kvm),
				     &symb->swap->op)) {
		kvm_vcpu_srcu_read_unlock(vcpu);
		r = xfer_to_guest_mode_handle_work(vcpu);
		kvm_vcpu_srcu_read_lock(vcpu);
		if (r)
			return r;
	}
	symb->work &= ~KVM_SYMB_WORK_DROP;
	return 1;
}

/* A drop that the vCPU makes before it runs on, replacing one that it was at. */
static struct kvm_bypass_op *kvm_bypass_vcpu_op(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_bypass_op *op = &symb->swap->op;

	lockdep_assert_held_write(&vcpu->kvm->mmu_lock);

	list_del(&op->mark.node);
	kvm_bypass_op_all(op);
	symb->work |= KVM_SYMB_WORK_DROP;
	return op;
}

/* ---- The hypercalls ----------------------------------------------------- */

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

/*
 * Whether a window is attached, with its description and the number of the last
 * drop, which all belong together.
 */
static bool kvm_bypass_read_desc(struct kvm_swapbypass *swap,
				 struct symb_swap_desc *desc, u64 *seq)
{
	unsigned int start;
	bool attached;

	do {
		start = read_seqcount_begin(&swap->desc_seq);
		attached = swap->attached;
		*desc = swap->desc;
		*seq = READ_ONCE(swap->seq);
	} while (read_seqcount_retry(&swap->desc_seq, start));
	return attached;
}

/* Attach to @desc, or detach if it is NULL. */
static void kvm_bypass_set_desc(struct kvm *kvm, struct kvm_swapbypass *swap,
				const struct symb_swap_desc *desc)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	write_seqcount_begin(&swap->desc_seq);
	WRITE_ONCE(swap->attached, !!desc);
	if (desc)
		swap->desc = *desc;
	WRITE_ONCE(swap->seq, swap->seq + 1);
	write_seqcount_end(&swap->desc_seq);
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
	/* Withdrawn on another vCPU; kvm_swapbypass_reset() has been here. */
	if (!kvm_symb_accepted(kvm, SYMB_FEAT_SWAPBYPASS)) {
		ret = -SYMB_HC_ENOSYS;
	} else if (swap->attached) {
		ret = -SYMB_HC_EBUSY;
	} else {
		kvm_bypass_set_desc(kvm, swap, &desc);
		/* Of the last window; another vCPU is about to drop them. */
		if (swap->pages)
			kvm_bypass_vcpu_op(vcpu);
	}
	write_unlock(&kvm->mmu_lock);
	return ret;
}

static int kvm_bypass_drop(struct kvm_vcpu *vcpu, struct kvm_swapbypass *swap,
			   u64 nr, u64 a0, u64 a1, u64 a2)
{
	struct kvm_bypass_op *op;

	switch (nr) {
	case SYMB_HC_SWAP_DETACH:
		kvm_bypass_set_desc(vcpu->kvm, swap, NULL);
		kvm_bypass_vcpu_op(vcpu);
		return 0;

	case SYMB_HC_DROP_SLOTS:
		if (!a1 || a0 >= swap->desc.nr_pages ||
		    a1 > swap->desc.nr_pages - a0)
			return -SYMB_HC_EINVAL;
		op = kvm_bypass_vcpu_op(vcpu);
		op->reason = KVM_BYPASS_DROP_SLOTS;
		op->gfn = gpa_to_gfn(swap->desc.window_gpa) + a0;
		op->end = op->gfn + a1;
		return 0;

	case SYMB_HC_DROP_RANGE:
		if (a1 >= a2 || !PAGE_ALIGNED(a1) || !PAGE_ALIGNED(a2))
			return -SYMB_HC_EINVAL;
		op = kvm_bypass_vcpu_op(vcpu);
		op->reason = KVM_BYPASS_DROP_RANGE;
		op->root = kvm_bypass_root(a0);
		op->first = a1;
		op->last = a2 - PAGE_SIZE;
		return 0;

	default:
		return -SYMB_HC_ENOSYS;
	}
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
 * What is to be dropped is dropped by kvm_swapbypass_work(), before the guest's
 * next instruction.
 *
 * Context: the vCPU's thread, kvm->srcu held for reading, mmu_lock not held.
 * Return: 0 or -SYMB_HC_E*, for the guest.
 */
int kvm_swapbypass_hypercall(struct kvm_vcpu *vcpu, u64 nr, u64 a0, u64 a1,
			     u64 a2, u64 a3)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_swapbypass *swap = kvm_swapbypass(kvm);
	int ret = -SYMB_HC_EINVAL;

	if (!swap || !kvm_symb_accepted(kvm, SYMB_FEAT_SWAPBYPASS))
		return -SYMB_HC_ENOSYS;

	if (nr == SYMB_HC_SWAP_ATTACH)
		return kvm_bypass_attach(vcpu, swap, a0);

	write_lock(&kvm->mmu_lock);
	/*
	 * While another vCPU detaches there are entries, and this one may not
	 * go on as if they were gone.
	 */
	if (swap->attached || swap->pages)
		ret = kvm_bypass_drop(vcpu, swap, nr, a0, a1, a2);
	write_unlock(&kvm->mmu_lock);
	return ret;
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
				   struct kvm_vcpu_swapbypass *bypass)
{
	const struct symb_swap_desc *desc = &bypass->desc;
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
		if ((e->pte & desc->pte_mask) != desc->pte_match ||
		    (write && !(e->pte & desc->pte_exclusive)) ||
		    e->slot >= desc->nr_pages)
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
	int r;

	/* A reset in between has thrown the question away. */
	if (bypass->state != KVM_BYPASS_ASKED)
		return 1;

	if (!status && ret[0] && kvm_bypass_read_answer(vcpu, bypass)) {
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

/* Installing may not sleep, so what it may need is allocated before. */
static bool kvm_bypass_prepare_spare(struct kvm_vcpu_swapbypass *bypass)
{
	struct kvm_bypass_sp *spare;

	if (bypass->spare)
		return true;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return false;
	spare->gpte = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!spare->gpte) {
		kfree(spare);
		return false;
	}
	INIT_LIST_HEAD(&spare->node);
	bypass->spare = spare;
	return true;
}

static int kvm_bypass_ask(struct kvm_vcpu *vcpu,
			  struct kvm_vcpu_swapbypass *bypass,
			  struct kvm_page_fault *fault, u64 pte)
{
	u64 args[SYMCALL_NR_ARGS] = {
		fault->addr & PAGE_MASK,
		pte,
		(fault->write ? SYMB_ACCESS_WRITE : 0) |
		(fault->user ? SYMB_ACCESS_USER : 0),
		KVM_BYPASS_BATCH,
	};

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

	if (!swap || !READ_ONCE(swap->attached))
		return RET_PF_CONTINUE;

	bypass = vcpu->arch.symbiotic->swap;
	if (bypass->state == KVM_BYPASS_IDLE) {
		/*
		 * Rule: between the question and the installation, a sequence
		 * number catches every race, with drops and with another window
		 * that is attached. It is read before the mode is looked at and
		 * before the guest runs.
		 */
		if (!kvm_bypass_read_desc(swap, &bypass->desc, &bypass->seq))
			return RET_PF_CONTINUE;

		/*
		 * Rule 1: a swap entry of the guest's device. PROT_NONE,
		 * migration and the like differ in the bits of the mask, so
		 * they cost no symcall.
		 */
		if ((pte & bypass->desc.pte_mask) != bypass->desc.pte_match)
			return RET_PF_CONTINUE;

		if (!kvm_bypass_enabled(swap) || fault->prefetch || fault->exec)
			return RET_PF_CONTINUE;

		/* Rule 4, early: after fork most questions would be in vain. */
		if (fault->write && !(pte & bypass->desc.pte_exclusive)) {
			kvm_bypass_declined(vcpu, fault->addr, SYMB_DECLINE_SHARED);
			return RET_PF_CONTINUE;
		}

		if (!kvm_bypass_prepare_spare(bypass))
			return RET_PF_CONTINUE;
		return kvm_bypass_ask(vcpu, bypass, fault, pte);
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

	fault->gfn = gpa_to_gfn(bypass->desc.window_gpa) + e->slot;
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
				 gpa_to_gfn(vcpu->arch.symbiotic->swap->desc.window_gpa),
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
	seqcount_rwlock_init(&swap->desc_seq, &kvm->mmu_lock);
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
 * @vcpu: the vCPU that does it, and that has to drop what there is before it
 *	runs on (kvm_swapbypass_work())
 *
 * Context: mmu_lock not held. kvm->arch.symbiotic->accepted is clear already, so
 * nothing is attached any more.
 */
void kvm_swapbypass_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_swapbypass *swap = kvm_swapbypass(vcpu->kvm);
	struct kvm *kvm = vcpu->kvm;

	if (!swap)
		return;

	write_lock(&kvm->mmu_lock);
	kvm_bypass_set_desc(kvm, swap, NULL);
	if (swap->pages)
		kvm_bypass_vcpu_op(vcpu);
	write_unlock(&kvm->mmu_lock);
}

/**
 * kvm_swapbypass_vcpu_init - prepare a new vCPU
 * @vcpu: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_swapbypass_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_swapbypass *bypass;

	bypass = kzalloc(sizeof(*bypass), GFP_KERNEL_ACCOUNT);
	if (!bypass)
		return -ENOMEM;

	kvm_bypass_op_all(&bypass->op);
	vcpu->arch.symbiotic->swap = bypass;
	return 0;
}

/**
 * kvm_swapbypass_vcpu_reset - the vCPU's question, if any, is void
 * @vcpu: the vCPU
 */
void kvm_swapbypass_vcpu_reset(struct kvm_vcpu *vcpu)
{
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

	/* A drop that was interrupted and will not be continued. */
	write_lock(&vcpu->kvm->mmu_lock);
	list_del(&bypass->op.mark.node);
	write_unlock(&vcpu->kvm->mmu_lock);

	kvm_bypass_free(bypass->spare);
	kfree(bypass);
	vcpu->arch.symbiotic->swap = NULL;
}

/* ---- debugfs: bypass_mode ----------------------------------------------- */

/* NULL, or there as long as the VM is: it is made symbiotic once. */
static struct kvm_swapbypass *kvm_bypass_find(struct kvm *kvm)
{
	struct kvm_swapbypass *swap;

	mutex_lock(&kvm->lock);
	swap = kvm_swapbypass(kvm);
	mutex_unlock(&kvm->lock);
	return swap;
}

static int kvm_bypass_mode_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_swapbypass *swap = kvm_bypass_find(kvm);
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

/* Drop all for the host, which may give up: writing the mode again goes on. */
static int kvm_bypass_drop_all(struct kvm *kvm, struct kvm_swapbypass *swap)
{
	struct kvm_bypass_op op;
	bool done;
	int idx;

	kvm_bypass_op_all(&op);
	for (;;) {
		idx = srcu_read_lock(&kvm->srcu);
		done = kvm_bypass_drop_some(kvm, swap, &op);
		srcu_read_unlock(&kvm->srcu, idx);
		if (done)
			return 0;
		if (signal_pending(current))
			break;
		cond_resched();
	}

	write_lock(&kvm->mmu_lock);
	list_del(&op.mark.node);
	write_unlock(&kvm->mmu_lock);
	return -EINTR;
}

static ssize_t kvm_bypass_mode_write(struct file *file, const char __user *ubuf,
				     size_t len, loff_t *pos)
{
	struct kvm *kvm = ((struct seq_file *)file->private_data)->private;
	struct kvm_swapbypass *swap = kvm_bypass_find(kvm);
	char buf[16] = {};
	int mode, r = 0;

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
		r = kvm_bypass_drop_all(kvm, swap);
	return r ?: len;
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
