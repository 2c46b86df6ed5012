// SPDX-License-Identifier: GPL-2.0
/*
 * SymSpy: the pages that guest and VMM share.
 *
 * They are user space's: it owns their memory and decides whether an address is
 * free. KVM checks what it can, asks user space (msr.c), remembers the answer, and
 * keeps the flags in the local page.
 */
#include <linux/kvm_host.h>

#include "../cpuid.h"
#include "../x86.h"
#include "symbiotic.h"

/**
 * kvm_symspy_write_flags - bring the flags in the local page up to date
 * @vcpu: the vCPU
 *
 * Context: kvm->srcu held for reading; may sleep.
 */
void kvm_symspy_write_flags(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u32 flags = 0;

	symb->work &= ~KVM_SYMBIOTIC_WORK_FLAGS;
	if (!symb->local_gpa)
		return;

	if (symb->work & KVM_SYMBIOTIC_WORK_CALL)
		flags |= SYMSPY_LOCAL_SYMCALL_ACTIVE;
	if (symb->rip && symb->cs && !symb->dead)
		flags |= SYMSPY_LOCAL_SYMCALL_ENABLED;

	/* The flags only inform; a page that user space took away is its loss. */
	kvm_write_guest_offset_cached(vcpu->kvm, &symb->local_cache, &flags,
				      offsetof(struct symspy_local, flags),
				      sizeof(flags));
}

/**
 * kvm_symspy_gpa_valid - whether user space may be asked for a page
 * @vcpu: the vCPU
 * @msr: SYMB_MSR_GLOBAL_PAGE or SYMB_MSR_LOCAL_PAGE
 * @gpa: where the guest wants it; 0 = nowhere
 */
bool kvm_symspy_gpa_valid(struct kvm_vcpu *vcpu, u32 msr, u64 gpa)
{
	gpa_t current_gpa;

	if (!page_address_valid(vcpu, gpa))
		return false;

	/* No page may hide memory of the guest, nor the other page. */
	current_gpa = msr == SYMB_MSR_LOCAL_PAGE ?
		      vcpu->arch.symbiotic->local_gpa :
		      READ_ONCE(vcpu->kvm->arch.symbiotic->global_gpa);
	return !gpa || gpa == current_gpa ||
	       !kvm_is_visible_gfn(vcpu->kvm, gpa_to_gfn(gpa));
}

static unsigned long symspy_unmap_work(u32 msr)
{
	return msr == SYMB_MSR_GLOBAL_PAGE ? KVM_SYMBIOTIC_WORK_UNMAP_GLOBAL :
					     KVM_SYMBIOTIC_WORK_UNMAP_LOCAL;
}

/**
 * kvm_symspy_set_page - user space has mapped, moved or unmapped a page
 * @vcpu: the vCPU
 * @msr: SYMB_MSR_GLOBAL_PAGE or SYMB_MSR_LOCAL_PAGE
 * @gpa: where it is now; 0 = nowhere
 */
void kvm_symspy_set_page(struct kvm_vcpu *vcpu, u32 msr, u64 gpa)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	symb->work &= ~symspy_unmap_work(msr);

	if (msr == SYMB_MSR_GLOBAL_PAGE) {
		mutex_lock(&vm->lock);
		WRITE_ONCE(vm->global_gpa, gpa);
		mutex_unlock(&vm->lock);
		return;
	}

	symb->local_gpa = gpa;
	if (gpa) {
		/* Set here, too: for a page that is not there (yet), init fails. */
		symb->local_cache.gpa = gpa;
		symb->local_cache.len = sizeof(struct symspy_local);
		kvm_gfn_to_hva_cache_init(vcpu->kvm, &symb->local_cache, gpa,
					  sizeof(struct symspy_local));
		kvm_symspy_write_flags(vcpu);
	}
}

/**
 * kvm_symspy_lose_page - a page has gone, and user space does not know
 * @vcpu: the vCPU, which tells it before it runs on
 * @msr: SYMB_MSR_GLOBAL_PAGE or SYMB_MSR_LOCAL_PAGE
 */
void kvm_symspy_lose_page(struct kvm_vcpu *vcpu, u32 msr)
{
	kvm_symspy_set_page(vcpu, msr, 0);
	vcpu->arch.symbiotic->work |= symspy_unmap_work(msr);
}
