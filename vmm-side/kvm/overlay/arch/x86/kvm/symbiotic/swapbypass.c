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
 *
 * This file has the question, the answer, and the records of what was mapped;
 * swapbypass_drop.c attaches windows and drops entries; swapbypass_mode.c decides
 * whether there are questions at all; swapbypass_mmu.h, part of mmu.c, touches
 * shadow page tables.
 */
#include "../mmu.h"
#include "../mmu/mmu_internal.h"
#include "../mmu/spte.h"
#include "../x86.h"
#include "paging.h"
#include "rules.h"
#include "swapbypass.h"
#include "symbiotic.h"

#define CREATE_TRACE_POINTS
#include "swapbypass_trace.h"

/* Pages that one symcall is asked to answer for; see docs/design.md. */
#define SWAPBYPASS_BATCH	SYMB_LOOKUP_MAX

static_assert(ARRAY_SIZE(((struct kvm_vm_stat *)0)->bypass_drop) == KVM_SWAPBYPASS_DROP_NR);

#ifdef CONFIG_KVM_SYMBIOTIC_TEST
unsigned int kvm_without_rules;
module_param_named(without_rules, kvm_without_rules, uint, 0600);
MODULE_PARM_DESC(without_rules, "Test only, lets guests hurt the host: leave out KVM_RULE_*");
#endif

/* ---- The fault ---------------------------------------------------------- */

/**
 * kvm_swapbypass_batch - SPTEs that one fault may install besides its own
 * @kvm: the VM
 *
 * Return: a number that does not change while the VM has vCPUs.
 */
int kvm_swapbypass_batch(struct kvm *kvm)
{
	return kvm_swapbypass(kvm) && kvm_may_shadow(kvm) ? SWAPBYPASS_BATCH : 0;
}

static void swapbypass_declined(struct kvm_vcpu *vcpu, gva_t gva, u64 reason)
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
static bool swapbypass_read_answer(struct kvm_vcpu *vcpu,
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
		    (write && !(e->pte & desc->pte_exclusive) &&
		     kvm_rule(KVM_RULE_EXCLUSIVE)) ||
		    (e->slot >= desc->nr_pages && kvm_rule(KVM_RULE_SLOT)))
			e->pte = 0;
		else if (head.base + ((u64)i << PAGE_SHIFT) == bypass->gva)
			found = e->pte == bypass->pte &&
				(write || !(bypass->error_code & PFERR_WRITE_MASK) ||
				 !kvm_rule(KVM_RULE_WRITE));
	}
	return found;
}

/* The symcall is over: handle the fault again, now with the guest's answer. */
static int swapbypass_answered(struct kvm_vcpu *vcpu, int status,
			       const u64 ret[SYMCALL_NR_ARGS])
{
	struct kvm_vcpu_swapbypass *bypass = vcpu->arch.symbiotic->swap;
	int r;

	/* A reset in between has thrown the question away. */
	if (bypass->state != KVM_SWAPBYPASS_ASKED)
		return 1;

	/* Under nested paging, since; the guest handles its fault itself there. */
	if (kvm_vcpu_tdp(vcpu)) {
		bypass->state = KVM_SWAPBYPASS_IDLE;
		return 1;
	}

	if (!status && ret[0] && swapbypass_read_answer(vcpu, bypass)) {
		bypass->state = KVM_SWAPBYPASS_ANSWERED;
	} else {
		bypass->state = KVM_SWAPBYPASS_DECLINED;
		if (status)
			vcpu->stat.bypass_failed++;
		else
			swapbypass_declined(vcpu, bypass->gva, ret[1]);
	}

	/*
	 * What user space has queued meanwhile comes before the instruction; a
	 * page fault would take its place. The access will fault again.
	 */
	if (kvm_is_exception_pending(vcpu) || kvm_event_needs_reinjection(vcpu)) {
		bypass->state = KVM_SWAPBYPASS_IDLE;
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
	bypass->state = KVM_SWAPBYPASS_IDLE;
	return r;
}

/* Installing may not sleep, so what it may need is allocated before. */
static bool swapbypass_prepare_spare(struct kvm_vcpu_swapbypass *bypass)
{
	struct kvm_swapbypass_sp *spare;

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

static int swapbypass_ask(struct kvm_vcpu *vcpu,
			  struct kvm_vcpu_swapbypass *bypass,
			  struct kvm_page_fault *fault, u64 pte)
{
	u64 args[SYMCALL_NR_ARGS] = {
		fault->addr & PAGE_MASK,
		pte,
		(fault->write ? SYMB_ACCESS_WRITE : 0) |
		(fault->user ? SYMB_ACCESS_USER : 0),
		SWAPBYPASS_BATCH,
	};

	bypass->gva = fault->addr & PAGE_MASK;
	bypass->error_code = fault->error_code;
	bypass->pte = pte;

	if (kvm_symcall_start(vcpu, SYMCALL_QUERY_BATCH, args, swapbypass_answered)) {
		vcpu->stat.bypass_refused++;
		return RET_PF_CONTINUE;
	}

	bypass->state = KVM_SWAPBYPASS_ASKED;
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
	if (bypass->state == KVM_SWAPBYPASS_IDLE) {
		/*
		 * Rule: between the question and the installation, a sequence
		 * number catches every race, with drops and with another window
		 * that is attached. It is read before the mode is looked at and
		 * before the guest runs.
		 */
		if (!kvm_swapbypass_read_desc(swap, &bypass->desc, &bypass->seq))
			return RET_PF_CONTINUE;

		/*
		 * Rule 1: a swap entry of the guest's device. PROT_NONE,
		 * migration and the like differ in the bits of the mask, so
		 * they cost no symcall.
		 */
		if ((pte & bypass->desc.pte_mask) != bypass->desc.pte_match)
			return RET_PF_CONTINUE;

		if (!kvm_swapbypass_enabled(swap) || fault->prefetch || fault->exec)
			return RET_PF_CONTINUE;

		/* Rule 4, early: after fork most questions would be in vain. */
		if (fault->write && !(pte & bypass->desc.pte_exclusive)) {
			swapbypass_declined(vcpu, fault->addr, SYMB_DECLINE_SHARED);
			return RET_PF_CONTINUE;
		}

		if (!swapbypass_prepare_spare(bypass))
			return RET_PF_CONTINUE;
		return swapbypass_ask(vcpu, bypass, fault, pte);
	}

	if (bypass->state != KVM_SWAPBYPASS_ANSWERED ||
	    bypass->gva != (fault->addr & PAGE_MASK) || bypass->pte != pte)
		return RET_PF_CONTINUE;

	e = &bypass->entries[(bypass->gva - bypass->base) >> PAGE_SHIFT];
	access = pt_access & (ACC_USER_MASK |
			      (e->flags & SYMB_LOOKUP_WRITABLE ||
			       !kvm_rule(KVM_RULE_WRITE) ? ACC_WRITE_MASK : 0));

	/*
	 * Rule 2: access allowed. The guest has checked its VMA; this checks
	 * what the CPU would: CPL, CR0.WP, SMAP, the upper levels.
	 */
	if (permission_fault(vcpu, vcpu->arch.mmu, access, 0,
			     fault->error_code & ~PFERR_RSVD_MASK)) {
		swapbypass_declined(vcpu, fault->addr, SYMB_DECLINE_ACCESS);
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
 * @fault: the fault, with an answer
 *
 * Context: kvm->mmu_lock held for writing; the result holds until it is dropped.
 */
bool kvm_swapbypass_stale(struct kvm *kvm, struct kvm_page_fault *fault)
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	return fault->bypass->seq != kvm_swapbypass(kvm)->seq && kvm_rule(KVM_RULE_SEQ);
}

/* ---- Records ------------------------------------------------------------ */

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
			      const struct kvm_swapbypass_sp *bsp, gva_t gva)
{
	return kvm_rule(KVM_RULE_PLACE) && bsp->nr &&
	       (bsp->base != (gva & PMD_MASK) ||
		bsp->root != kvm_swapbypass_root(kvm_read_cr3(vcpu)));
}

/**
 * kvm_swapbypass_record - remember that an SPTE is a bypass entry
 * @vcpu: the vCPU, whose spare record is used up for a new shadow page
 * @sp: a level-1 shadow page
 * @index: of the SPTE, which has been installed; kvm_swapbypass_mmu_prepare() has
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
	struct kvm_swapbypass_sp *bsp = sp->bypass;

	lockdep_assert_held_write(&vcpu->kvm->mmu_lock);

	if (!bsp) {
		bsp = vcpu->arch.symbiotic->swap->spare;
		vcpu->arch.symbiotic->swap->spare = NULL;
		bsp->sp = sp;
		sp->bypass = bsp;
	}

	if (!bsp->gpte[index]) {
		if (!bsp->nr++) {
			bsp->root = kvm_swapbypass_root(kvm_read_cr3(vcpu));
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
	struct kvm_swapbypass_sp *bsp = sp->bypass;

	if (!bsp->gpte[index])
		return;

	bsp->gpte[index] = 0;
	swap->pages--;
	--kvm->stat.bypass_pages;
	++kvm->stat.bypass_drop[swap->drop_reason];
	/* On the list while it counts, and only then. */
	if (!--bsp->nr && kvm_rule(KVM_RULE_LIST))
		list_del_init(&bsp->node);
}

static void swapbypass_free(struct kvm_swapbypass_sp *bsp)
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
	swapbypass_free(sp->bypass);
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
	kvm_swapbypass_init_mode(swap);
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

	kvm_swapbypass_init_op(&bypass->op);
	vcpu->arch.symbiotic->swap = bypass;
	return 0;
}

/**
 * kvm_swapbypass_vcpu_reset - the vCPU's question, if any, is void
 * @vcpu: the vCPU
 */
void kvm_swapbypass_vcpu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.symbiotic->swap->state = KVM_SWAPBYPASS_IDLE;
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

	swapbypass_free(bypass->spare);
	kfree(bypass);
	vcpu->arch.symbiotic->swap = NULL;
}
