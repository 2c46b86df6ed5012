// SPDX-License-Identifier: GPL-2.0
/*
 * SwapBypass: the guest attaches its swap window, has bypass entries dropped, and
 * detaches; whoever ends the use of it, drops them all.
 *
 * A drop may be as long as all of the guest's memory. What the guest asks for is
 * noted by the hypercall and done in the run loop, before the guest's next
 * instruction, a part at a time.
 */
#include <linux/entry-kvm.h>

#include "../mmu.h"
#include "../mmu/mmu_internal.h"
#include "../x86.h"
#include "rules.h"
#include "swapbypass.h"
#include "symbiotic.h"
#include "swapbypass_trace.h"

/*
 * Entries, records and slots that a drop looks at under one hold of mmu_lock:
 * less than KVM's own zapping does, so it is not cut shorter for those who
 * wait; each cut costs a flush of all TLBs. All aliases of a slot are looked at
 * in one go: there are no more than RMAP_RECYCLE_THRESHOLD.
 */
#define SWAPBYPASS_HOLD		1024

/*
 * What a record counts for in which entries are looked for: there may be one, at
 * the end of 64 cache lines, and to drop an entry takes about eight.
 */
#define SWAPBYPASS_SEARCH	8

/* ---- Drops ------------------------------------------------------------- */

/**
 * kvm_swapbypass_init_op - describe a drop of all entries there are
 * @op: the drop
 */
void kvm_swapbypass_init_op(struct kvm_swapbypass_op *op)
{
	*op = (struct kvm_swapbypass_op) {
		.reason = KVM_SWAPBYPASS_DROP_OFF,
		.root = INVALID_GPA,
		.last = PAGE_MASK,
	};
	INIT_LIST_HEAD(&op->mark.node);
}

/* Slot by slot; whether that was the last. */
static bool swapbypass_drop_slots(struct kvm *kvm, struct kvm_swapbypass *swap,
				  struct kvm_swapbypass_op *op)
{
	struct kvm_memory_slot *slot;

	for (; op->gfn < op->end && swap->pages && kvm_rule(KVM_RULE_DROP); op->gfn++) {
		if (op->looked >= SWAPBYPASS_HOLD)
			return false;

		op->looked++;
		slot = gfn_to_memslot(kvm, op->gfn);
		if (slot && kvm_memslots_have_rmaps(kvm))
			op->looked += kvm_swapbypass_mmu_drop_gfn(kvm, slot, op->gfn);
	}
	return true;
}

/* Whether a record may have entries that are to be dropped. */
static bool swapbypass_op_matches(const struct kvm_swapbypass_op *op,
				  const struct kvm_swapbypass_sp *bsp)
{
	return bsp->sp && bsp->base + PMD_SIZE - PAGE_SIZE >= op->first &&
	       bsp->base <= op->last &&
	       (op->root == INVALID_GPA || op->root == bsp->root);
}

/* Of such a record, at most @max; less than that if these were all. */
static int swapbypass_drop_sp(struct kvm *kvm, const struct kvm_swapbypass_op *op,
			      struct kvm_swapbypass_sp *bsp, int max)
{
	gva_t last = bsp->base + PMD_SIZE - PAGE_SIZE;

	return kvm_swapbypass_mmu_drop_sp(kvm, bsp,
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
static bool swapbypass_drop_sps(struct kvm *kvm, struct kvm_swapbypass *swap,
				struct kvm_swapbypass_op *op)
{
	struct kvm_swapbypass_sp *bsp;
	int n, room;
	bool search;

	while (!list_is_last(&op->mark.node, &swap->sps)) {
		bsp = list_next_entry(&op->mark, node);
		search = swapbypass_op_matches(op, bsp);
		room = SWAPBYPASS_HOLD - op->looked - (search ? SWAPBYPASS_SEARCH : 1);
		if (room <= 0)
			return false;

		n = search ? swapbypass_drop_sp(kvm, op, bsp, room) : 0;
		op->looked = SWAPBYPASS_HOLD - room + n;
		if (n == room)
			return false;

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
static bool swapbypass_drop_some(struct kvm *kvm, struct kvm_swapbypass *swap,
				 struct kvm_swapbypass_op *op)
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
		done = swapbypass_drop_slots(kvm, swap, op);
	else
		done = swapbypass_drop_sps(kvm, swap, op);
	swap->drop_reason = KVM_SWAPBYPASS_DROP_MMU;

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
 * @vcpu: the vCPU, with KVM_SYMBIOTIC_WORK_DROP; may not enter the guest before this
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

	while (!swapbypass_drop_some(vcpu->kvm, kvm_swapbypass(vcpu->kvm),
				     &symb->swap->op)) {
		kvm_vcpu_srcu_read_unlock(vcpu);
		r = xfer_to_guest_mode_handle_work(vcpu);
		kvm_vcpu_srcu_read_lock(vcpu);
		if (r)
			return r;
	}
	symb->work &= ~KVM_SYMBIOTIC_WORK_DROP;
	return 1;
}

/* A drop that the vCPU makes before it runs on, replacing one that it was at. */
static struct kvm_swapbypass_op *swapbypass_vcpu_op(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_swapbypass_op *op = &symb->swap->op;

	lockdep_assert_held_write(&vcpu->kvm->mmu_lock);

	list_del(&op->mark.node);
	kvm_swapbypass_init_op(op);
	symb->work |= KVM_SYMBIOTIC_WORK_DROP;
	return op;
}

/**
 * kvm_swapbypass_drop_all - drop all for the host
 * @kvm: the VM
 * @swap: its state
 *
 * Return: 0; -EINTR after a signal, with some dropped.
 */
int kvm_swapbypass_drop_all(struct kvm *kvm, struct kvm_swapbypass *swap)
{
	struct kvm_swapbypass_op op;
	bool done;
	int idx;

	kvm_swapbypass_init_op(&op);
	for (;;) {
		idx = srcu_read_lock(&kvm->srcu);
		done = swapbypass_drop_some(kvm, swap, &op);
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

/* ---- The hypercalls ----------------------------------------------------- */

/*
 * Rule: no answer of the guest may select other host memory than its window.
 * The window is one writable memslot's memory, so guest memory already; not one
 * of those that KVM has made for itself.
 */
static bool swapbypass_desc_valid(struct kvm *kvm, const struct symb_swap_desc *desc)
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
	 * matches 0, which is none at all, here and in kvm_swapbypass_sp.gpte.
	 */
	if (!(desc->pte_mask & PT_PRESENT_MASK) || !desc->pte_match ||
	    (desc->pte_match & PT_PRESENT_MASK) ||
	    (desc->pte_match & ~desc->pte_mask))
		return false;

	return is_power_of_2(desc->pte_exclusive) &&
	       !(desc->pte_exclusive & desc->pte_mask);
}

/**
 * kvm_swapbypass_read_desc - whether a window is attached, and which
 * @swap: the VM's state
 * @desc: takes the description
 * @seq: takes the number of the last drop, which belongs to both
 */
bool kvm_swapbypass_read_desc(struct kvm_swapbypass *swap,
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
static void swapbypass_set_desc(struct kvm *kvm, struct kvm_swapbypass *swap,
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

static int swapbypass_attach(struct kvm_vcpu *vcpu, struct kvm_swapbypass *swap,
			     gpa_t gpa)
{
	struct kvm *kvm = vcpu->kvm;
	struct symb_swap_desc desc;
	int ret = 0;

	if (kvm_vcpu_read_guest(vcpu, gpa, &desc, sizeof(desc)) ||
	    !swapbypass_desc_valid(kvm, &desc))
		return -SYMB_HC_EINVAL;

	write_lock(&kvm->mmu_lock);
	/* Withdrawn on another vCPU; kvm_swapbypass_reset() has been here. */
	if (!kvm_symbiotic_accepted(kvm, SYMB_FEAT_SWAPBYPASS)) {
		ret = -SYMB_HC_ENOSYS;
	} else if (swap->attached) {
		ret = -SYMB_HC_EBUSY;
	} else {
		swapbypass_set_desc(kvm, swap, &desc);
		/* Of the last window; another vCPU is about to drop them. */
		if (swap->pages)
			swapbypass_vcpu_op(vcpu);
	}
	write_unlock(&kvm->mmu_lock);
	return ret;
}

static int swapbypass_drop(struct kvm_vcpu *vcpu, struct kvm_swapbypass *swap,
			   u64 nr, u64 a0, u64 a1, u64 a2)
{
	struct kvm_swapbypass_op *op;

	switch (nr) {
	case SYMB_HC_SWAP_DETACH:
		swapbypass_set_desc(vcpu->kvm, swap, NULL);
		swapbypass_vcpu_op(vcpu);
		return 0;

	case SYMB_HC_DROP_SLOTS:
		if (!a1 || a0 >= swap->desc.nr_pages ||
		    a1 > swap->desc.nr_pages - a0)
			return -SYMB_HC_EINVAL;
		op = swapbypass_vcpu_op(vcpu);
		op->reason = KVM_SWAPBYPASS_DROP_SLOTS;
		op->gfn = gpa_to_gfn(swap->desc.window_gpa) + a0;
		op->end = op->gfn + a1;
		return 0;

	case SYMB_HC_DROP_RANGE:
		if (a1 >= a2 || !PAGE_ALIGNED(a1) || !PAGE_ALIGNED(a2))
			return -SYMB_HC_EINVAL;
		op = swapbypass_vcpu_op(vcpu);
		op->reason = KVM_SWAPBYPASS_DROP_RANGE;
		op->root = kvm_swapbypass_root(a0);
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

	if (!swap || !kvm_symbiotic_accepted(kvm, SYMB_FEAT_SWAPBYPASS))
		return -SYMB_HC_ENOSYS;

	if (nr == SYMB_HC_SWAP_ATTACH)
		return swapbypass_attach(vcpu, swap, a0);

	write_lock(&kvm->mmu_lock);
	/*
	 * While another vCPU detaches there are entries, and this one may not
	 * go on as if they were gone.
	 */
	if (swap->attached || swap->pages)
		ret = swapbypass_drop(vcpu, swap, nr, a0, a1, a2);
	write_unlock(&kvm->mmu_lock);
	return ret;
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
	swapbypass_set_desc(kvm, swap, NULL);
	if (swap->pages)
		swapbypass_vcpu_op(vcpu);
	write_unlock(&kvm->mmu_lock);
}
