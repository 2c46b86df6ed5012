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
#include "symbiotic/rules.h"

static bool kvm_swapbypass_mmu_is_entry(u64 *sptep)
{
	struct kvm_swapbypass_sp *bsp = sptep_to_sp(sptep)->bypass;

	return bsp && bsp->gpte[spte_index(sptep)];
}

/**
 * kvm_swapbypass_mmu_drop_sp - drop bypass entries of one shadow page
 * @kvm: the VM
 * @bsp: the shadow page's bypass record; may be empty afterwards
 * @first: first index
 * @last: last index, included
 * @max: most entries to drop, in order of their index
 *
 * Context: kvm->mmu_lock held for writing; the caller flushes the TLBs.
 * Return: how many were dropped; less than @max if these were all.
 */
int kvm_swapbypass_mmu_drop_sp(struct kvm *kvm, struct kvm_swapbypass_sp *bsp,
			       int first, int last, int max)
{
	int i, n = 0;

	lockdep_assert_held_write(&kvm->mmu_lock);

	for (i = first; i <= last && bsp->nr && n < max; i++) {
		if (bsp->gpte[i]) {
			drop_spte(kvm, &bsp->sp->spt[i]);
			n++;
		}
	}
	return n;
}

/**
 * kvm_swapbypass_mmu_drop_gfn - drop all bypass entries of one window page
 * @kvm: the VM
 * @slot: memslot of @gfn
 * @gfn: the page
 *
 * Other mappings stay: the guest kernel's own alias of the window is how it
 * reads and writes slots.
 *
 * One pass over the aliases, however they are mixed: drop_spte() would look for
 * each entry again. From the end of each descriptor, since removing an entry
 * fills its place with the last one of the first descriptor, which is either
 * the entry itself or has been passed already.
 *
 * Context: kvm->mmu_lock held for writing; the caller flushes the TLBs.
 * Return: how many aliases there were.
 */
int kvm_swapbypass_mmu_drop_gfn(struct kvm *kvm, struct kvm_memory_slot *slot,
				gfn_t gfn)
{
	struct kvm_rmap_head *rmap_head = gfn_to_rmap(gfn, PG_LEVEL_4K, slot);
	int i, nr = pte_list_count(rmap_head);
	struct pte_list_desc *desc, *next;

	lockdep_assert_held_write(&kvm->mmu_lock);

	if (!(rmap_head->val & KVM_RMAP_MANY)) {
		if (nr && kvm_swapbypass_mmu_is_entry((u64 *)rmap_head->val))
			drop_spte(kvm, (u64 *)rmap_head->val);
		return nr;
	}

	desc = (struct pte_list_desc *)(rmap_head->val & ~KVM_RMAP_MANY);
	for (; desc; desc = next) {
		/* Emptied, the first descriptor is freed. */
		next = desc->more;
		for (i = desc->spte_count - 1; i >= 0; i--) {
			if (!kvm_swapbypass_mmu_is_entry(desc->sptes[i]))
				continue;
			mmu_spte_clear_track_bits(kvm, desc->sptes[i]);
			pte_list_desc_remove_entry(kvm, rmap_head, desc, i);
		}
	}
	return nr;
}

/*
 * Called before an SPTE is installed in a shadow page with bypass entries, or
 * for one. A record comes and goes with its SPTE: no other mapping may inherit
 * one, be it of the same page, and a bypass entry no other SPTE, which can be
 * known under another gfn.
 *
 * Context: kvm->mmu_lock held for writing.
 */
static void kvm_swapbypass_mmu_prepare(struct kvm_vcpu *vcpu,
				       struct kvm_page_fault *fault, u64 *sptep)
{
	struct kvm_mmu_page *sp = sptep_to_sp(sptep);
	struct kvm_vcpu_swapbypass *bypass = fault->bypass;
	struct kvm_swapbypass *swap = vcpu->kvm->arch.symbiotic->swap;
	int index = spte_index(sptep);
	bool flush = false;

	if (bypass && sp->bypass &&
	    kvm_swapbypass_elsewhere(vcpu, sp->bypass, bypass->gva)) {
		swap->drop_reason = KVM_SWAPBYPASS_DROP_OFF;
		kvm_swapbypass_mmu_drop_sp(vcpu->kvm, sp->bypass, 0,
					   SPTE_ENT_PER_PAGE - 1, SPTE_ENT_PER_PAGE);
		flush = true;
	}

	/* The same entry again, perhaps with other access, may stay. */
	if (kvm_rule(KVM_RULE_INHERIT) && is_shadow_present_pte(*sptep) &&
	    (kvm_swapbypass_mmu_is_entry(sptep) ?
	     !bypass || sp->bypass->gpte[index] != bypass->pte ||
	     kvm_mmu_page_get_gfn(sp, index) != fault->gfn : !!bypass)) {
		swap->drop_reason = KVM_SWAPBYPASS_DROP_PTE;
		drop_spte(vcpu->kvm, sptep);
		flush = true;
	}

	swap->drop_reason = KVM_SWAPBYPASS_DROP_MMU;
	if (flush)
		kvm_flush_remote_tlbs(vcpu->kvm);
}

/*
 * Record the SPTE that the fault has just installed, and map the neighbours
 * that the same answer covers. mmu_lock is held for writing, and
 * kvm_swapbypass_stale() said no under it.
 *
 * What KVM's own installers look at, and where that is for the page that
 * faulted, which went their way (F), and for its neighbours (N):
 *
 * is_page_fault_stale(): obsolete root
 *	F its caller; N in the same shadow page, under the same hold.
 * is_page_fault_stale(), pte_prefetch(), direct_pte_prefetch(): invalidation
 *	F the former, for its gfn; N mmu_invalidate_retry_gfn() here, for theirs.
 *	The latter two skip everything while anything is invalidated, which is
 *	more than is needed. N's pfn is looked up under mmu_lock, so only an
 *	invalidation that has begun and not ended can make it stale.
 * fetch(): gpte_changed() at each level
 *	F there; N the upper levels are F's; their own entries are read again
 *	here, in the shadow page that is linked, so write-protected or unsync.
 * prefetch_invalid_gpte(): present bit, reserved bits, accessed bit
 *	Not needed: the entry is not present on purpose, and equal to the one
 *	that the guest has answered for; KVM sets no bits in it.
 * protect_clean_gpte(): no write access before the dirty bit is set
 *	Not needed: the slot is where the page's data belongs, so nobody asks
 *	whether it is dirty.
 * gpte_access() and the upper levels
 *	F permission_fault() in kvm_swapbypass_fault(); N role.access, and never
 *	execute. CR0.WP=0 cannot widen F: to a write the guest must have said
 *	yes (swapbypass_read_answer()).
 * sp_ad_disabled()
 *	Not needed: only EPT has no accessed bits; these are shadow pages of
 *	PTTYPE 64.
 * level, role.direct, huge pages
 *	F is at level 1 of an indirect shadow page, since the walk has ended at
 *	a level-1 entry, and max_level is that.
 * gfn_to_memslot_dirty_bitmap(): slot that is going away, dirty logging
 *	F kvm_faultin_pfn(), make_spte(); N the same function.
 * kvm_faultin_pfn(): APIC access page, private memory
 *	F there; N only slots of user space. There is no private memory under
 *	shadow paging.
 * gfn_to_pfn_memslot_atomic(): no page, read-only slot or host mapping
 *	F kvm_faultin_pfn(); N the same function, which asks for a writable page.
 * page_fault_handle_page_track(): the page is a guest page table
 *	F page_fault(); N make_spte() makes the SPTE read-only.
 * is_shadow_present_pte(): an SPTE that is there stays
 *	F kvm_swapbypass_mmu_prepare(); N skipped here.
 */
static void kvm_swapbypass_mmu_install(struct kvm_vcpu *vcpu,
				       struct kvm_page_fault *fault, u64 *sptep)
{
	struct kvm_vcpu_swapbypass *bypass = fault->bypass;
	struct kvm_mmu_page *sp = sptep_to_sp(sptep);
	gfn_t window = gpa_to_gfn(bypass->desc.window_gpa);
	int i, index;

	/* A page of the window that is also a guest page table, for one. */
	if (!is_shadow_present_pte(*sptep))
		return;

	kvm_swapbypass_record(vcpu, sp, spte_index(sptep), bypass->pte,
			      bypass->gva);

	for (i = 0; i < bypass->nr; i++) {
		const struct symb_lookup_entry *e = &bypass->entries[i];
		gva_t gva = bypass->base + ((gva_t)i << PAGE_SHIFT);
		unsigned int access = ACC_USER_MASK;
		gfn_t gfn = window + e->slot;
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

		if (mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, gfn) &&
		    kvm_rule(KVM_RULE_INVALIDATION))
			continue;

		/*
		 * Rule 1: the PTE is a swap entry of the guest's device, and
		 * unchanged at install time. @gpte is what the guest answered
		 * for and what the record will be compared to.
		 */
		if (kvm_vcpu_read_guest_atomic(vcpu, gfn_to_gpa(sp->gfn) +
					       index * sizeof(gpte), &gpte,
					       sizeof(gpte)) ||
		    (gpte != e->pte && kvm_rule(KVM_RULE_NEIGHBOUR_PTE)))
			continue;

		if (e->flags & SYMB_LOOKUP_WRITABLE)
			access |= ACC_WRITE_MASK;
		access &= sp->role.access;

		slot = gfn_to_memslot_dirty_bitmap(vcpu, gfn,
						   access & ACC_WRITE_MASK);
		if (!slot || slot->id >= KVM_USER_MEM_SLOTS)
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
static bool kvm_swapbypass_mmu_sync(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp,
				    int i, u64 gpte, int *ret)
{
	if (!kvm_swapbypass_mmu_is_entry(&sp->spt[i]))
		return false;

	*ret = 0;
	if (sp->bypass->gpte[i] != gpte && kvm_rule(KVM_RULE_SYNC)) {
		struct kvm_swapbypass *swap = vcpu->kvm->arch.symbiotic->swap;

		swap->drop_reason = KVM_SWAPBYPASS_DROP_PTE;
		drop_spte(vcpu->kvm, &sp->spt[i]);
		swap->drop_reason = KVM_SWAPBYPASS_DROP_MMU;
		*ret = 1;
	}
	return true;
}
