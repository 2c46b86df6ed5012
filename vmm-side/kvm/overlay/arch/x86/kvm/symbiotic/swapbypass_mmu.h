/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of SwapBypass that edits shadow page tables. Included by mmu.c,
 * below its static helpers, as paging_tmpl.h is.
 *
 * A bypass entry is an ordinary rmapped SPTE to a page of the swap window
 * whose guest PTE is not present. So MMU notifiers, dirty logging, aging and
 * the zapping of shadow pages treat it like any other; what is special is kept
 * in sp->bypass.
 */

/**
 * kvm_mmu_bypass_drop_sp - drop bypass entries of one shadow page
 * @kvm: the VM
 * @bsp: the shadow page's bypass record; may be empty afterwards
 * @first: first index
 * @last: last index, included
 *
 * Context: kvm->mmu_lock held for writing; the caller flushes the TLBs.
 */
void kvm_mmu_bypass_drop_sp(struct kvm *kvm, struct kvm_bypass_sp *bsp,
			    int first, int last)
{
	int i;

	lockdep_assert_held_write(&kvm->mmu_lock);

	for (i = first; i <= last && bsp->nr; i++)
		if (bsp->gpte[i])
			drop_spte(kvm, &bsp->sp->spt[i]);
}

/**
 * kvm_mmu_bypass_drop_gfn - drop all bypass entries of one window page
 * @kvm: the VM
 * @slot: memslot of @gfn
 * @gfn: the page
 *
 * Other mappings stay: the guest kernel's own alias of the window is how it
 * reads and writes slots.
 *
 * Context: kvm->mmu_lock held for writing; the caller flushes the TLBs.
 */
void kvm_mmu_bypass_drop_gfn(struct kvm *kvm, struct kvm_memory_slot *slot,
			     gfn_t gfn)
{
	struct kvm_rmap_head *rmap_head = gfn_to_rmap(gfn, PG_LEVEL_4K, slot);
	struct rmap_iterator iter;
	struct kvm_mmu_page *sp;
	u64 *sptep;

	lockdep_assert_held_write(&kvm->mmu_lock);

restart:
	for_each_rmap_spte(rmap_head, &iter, sptep) {
		sp = sptep_to_sp(sptep);
		if (sp->bypass && sp->bypass->gpte[spte_index(sptep)]) {
			drop_spte(kvm, sptep);
			goto restart;
		}
	}
}

/*
 * Record the SPTE that the fault has just installed, and map the neighbours
 * that the same answer covers. mmu_lock is held for writing, and
 * kvm_swapbypass_stale() said no under it.
 */
static void kvm_mmu_bypass_install(struct kvm_vcpu *vcpu,
				   struct kvm_page_fault *fault, u64 *sptep)
{
	const struct symb_swap_desc *desc = &vcpu->kvm->arch.symbiotic->swap->desc;
	struct kvm_vcpu_swapbypass *bypass = fault->bypass;
	struct kvm_mmu_page *sp = sptep_to_sp(sptep);
	int i, index;

	/* A page of the window that is also a guest page table, for one. */
	if (!is_shadow_present_pte(*sptep))
		return;

	kvm_swapbypass_record(vcpu, sp, spte_index(sptep), bypass->pte,
			      bypass->gva);

	for (i = 0; i < bypass->nr; i++) {
		const struct symb_lookup_entry *e = &bypass->entries[i];
		gva_t gva = bypass->base + ((gva_t)i << PAGE_SHIFT);
		gfn_t gfn = gpa_to_gfn(desc->window_gpa) + e->slot;
		unsigned int access = ACC_USER_MASK;
		struct kvm_memory_slot *slot;
		kvm_pfn_t pfn;
		u64 gpte;

		if (!e->pte || gva == bypass->gva ||
		    (gva ^ bypass->gva) & ~((1ULL << PMD_SHIFT) - 1))
			continue;

		/* Each alias of a page takes one descriptor; stop in time. */
		if (vcpu->arch.mmu_pte_list_desc_cache.nobjs <= 1)
			break;

		index = (gva >> PAGE_SHIFT) & (SPTE_ENT_PER_PAGE - 1);
		if (is_shadow_present_pte(sp->spt[index]))
			continue;

		/*
		 * Rule 1: the PTE is a swap entry of the guest's device, and
		 * unchanged at install time. @gpte is what the guest answered
		 * for and what the record will be compared to.
		 */
		if (kvm_vcpu_read_guest_atomic(vcpu, gfn_to_gpa(sp->gfn) +
					       index * sizeof(gpte), &gpte,
					       sizeof(gpte)) ||
		    gpte != e->pte)
			continue;

		if (e->flags & SYMB_LOOKUP_WRITABLE)
			access |= ACC_WRITE_MASK;
		access &= sp->role.access;

		slot = gfn_to_memslot_dirty_bitmap(vcpu, gfn,
						   access & ACC_WRITE_MASK);
		if (!slot)
			continue;

		pfn = gfn_to_pfn_memslot_atomic(slot, gfn);
		if (is_error_noslot_pfn(pfn))
			continue;

		mmu_set_spte(vcpu, slot, &sp->spt[index], access, gfn, pfn, NULL);
		kvm_release_pfn_clean(pfn);
		if (is_shadow_present_pte(sp->spt[index]))
			kvm_swapbypass_record(vcpu, sp, index, gpte, gva);
	}
}

/*
 * sync_spte() of a bypass entry: keep it while the guest's PTE is the one that
 * the guest answered for.
 *
 * Return: true if entry @i is a bypass entry and so dealt with; *@ret is then
 * what sync_spte() returns.
 */
static bool kvm_mmu_bypass_sync(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp,
				int i, u64 gpte, int *ret)
{
	if (!sp->bypass || !sp->bypass->gpte[i])
		return false;

	*ret = 0;
	if (sp->bypass->gpte[i] != gpte) {
		struct kvm_swapbypass *swap = vcpu->kvm->arch.symbiotic->swap;

		swap->drop_reason = KVM_BYPASS_DROP_PTE;
		drop_spte(vcpu->kvm, &sp->spt[i]);
		swap->drop_reason = KVM_BYPASS_DROP_MMU;
		*ret = 1;
	}
	return true;
}
