/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of switching paging modes that knows page tables. Included by mmu.c,
 * below its static helpers.
 */
#include "rules.h"

static void kvm_zap_obsolete_pages(struct kvm *kvm);

/**
 * kvm_paging_mmu_prepare_shadow - what shadow pages need besides themselves
 * @kvm: the VM
 *
 * Rmaps and write tracking of all memory slots, those to come included. They stay
 * as long as there is the VM.
 *
 * Context: kvm->slots_lock held.
 * Return: 0 or -ENOMEM.
 */
int kvm_paging_mmu_prepare_shadow(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->slots_lock);

	return mmu_first_shadow_root_alloc(kvm);
}

/**
 * kvm_paging_mmu_zap_shadow - zap all shadow pages, as the VM goes to nested paging
 * @kvm: the VM
 *
 * They would keep the guest's page tables write-protected, also for nested paging.
 * Bypass entries go with them. What the TDP MMU has stays, as it stays when shadow
 * paging begins: MMU notifiers, dirty logging and memory slots that change look
 * after both all the time. Without the TDP MMU, direct shadow pages are of the same
 * kind as others, and go, too.
 *
 * A vCPU that has not followed may make a new root of shadow pages after this, but
 * nothing below it, since kvm_paging_left_shadow() makes its faults stale; it enters
 * the guest with none. What is left of such a root is one page that nobody uses.
 * It goes when a walk of the guest's page tables meets it.
 *
 * Context: kvm->slots_lock held, so that there are no more than two generations of
 * shadow pages. kvm->mmu_lock held for writing, and released and taken again in
 * between.
 */
void kvm_paging_mmu_zap_shadow(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->slots_lock);
	lockdep_assert_held_write(&kvm->mmu_lock);

	kvm->arch.mmu_valid_gen = kvm->arch.mmu_valid_gen ? 0 : 1;
	kvm_make_all_cpus_request(kvm, KVM_REQ_MMU_FREE_OBSOLETE_ROOTS);
	kvm_zap_obsolete_pages(kvm);
}

/**
 * kvm_paging_walk_may_go_on - a write to a guest page table was the processor's own
 * @vcpu: the vCPU
 * @gfn: the page table, write-protected, perhaps since it was mapped just now
 *
 * With nested paging the processor sets accessed and dirty bits while it walks the
 * guest's page tables, and what faults is the walk. Shadow pages of that page table
 * can be there if another vCPU has not followed yet. KVM's emulator must not get to
 * see the instruction: the address of the fault is the page table's, not that of
 * the operand, and where both have the same offset in their page, the operand would
 * be written into the page table.
 *
 * Return: whether nothing is in the way of the walk any more.
 */
static bool kvm_paging_walk_may_go_on(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_mmu_page *sp;
	LIST_HEAD(invalid_list);
	bool tracked;

	if (!kvm_paging_switchable(kvm) || !is_tdp_mmu_role(vcpu->arch.mmu) ||
	    !kvm_rule(KVM_PAGING_RULE_WALK))
		return false;

	write_lock(&kvm->mmu_lock);
	/* Also those that are obsolete: until they are zapped, they track writes. */
	hlist_for_each_entry(sp, &kvm->arch.mmu_page_hash[kvm_page_table_hashfn(gfn)],
			     hash_link)
		if (sp->gfn == gfn && sp_has_gptes(sp) && !sp->role.invalid)
			kvm_mmu_prepare_zap_page(kvm, sp, &invalid_list);
	kvm_mmu_commit_zap_page(kvm, &invalid_list);
	tracked = kvm_gfn_is_write_tracked(kvm, kvm_vcpu_gfn_to_memslot(vcpu, gfn), gfn);
	write_unlock(&kvm->mmu_lock);
	return !tracked;
}
