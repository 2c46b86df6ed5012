/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SymCall on VT-x: the part of a vCPU's state that is in the VMCS.
 *
 * A VMREAD or VMWRITE costs tens of cycles, an exit about a thousand, and the
 * access functions of KVM more than both: each of them looks into a cache that
 * is empty after an exit, or checks the whole guest state. So fields are read
 * once and compared, and written where they differ.
 *
 * What VT-x does besides, and why that needs nothing here:
 *
 * - The preemption timer (26.5.1) is the guest's APIC timer. It expires in a call
 *   as anywhere: an exit, and a bit in the APIC, which waits for the call's end.
 * - Page-modification logging (29.3.6): KVM empties the log at each exit, before it
 *   looks for the reason.
 * - Virtual-interrupt delivery and posted interrupts (30.2, 30.6) would interrupt a
 *   call without an exit: kvm_symbiotic_create_vcpu() has them inhibited.
 * - No virtual NMIs (26.3): then the mask that symcall_save() reads is KVM's own.
 * - VPIDs (29.1): a call has that of its vCPU, and its translations are those of the
 *   vCPU's CR3, as at any other instruction. KVM's flushes, by request, come before
 *   the next entry, also into a call. See symcall_restore() for CR3.
 * - No unrestricted guest (27.3.1.2): see vmx_symcall_busy(). In long mode, which
 *   calls are for, CR3 is the guest's, with EPT too.
 *
 * Section numbers are those of the Intel SDM, volume 3C, edition 083.
 */
#ifndef __KVM_X86_SYMCALL_VMX_H
#define __KVM_X86_SYMCALL_VMX_H

#ifdef CONFIG_KVM_SYMBIOTIC

#include "paging.h"
#include "symbiotic.h"

/* Access rights (25.4.1): flat, DPL 0; 64-bit code, and data. */
#define VMX_SYMCALL_CODE	0xa09b
#define VMX_SYMCALL_DATA	0xc093

/* The fields of segment register @seg: they are in the order of VCPU_SREG_*. */
#define VMX_SYMCALL_SELECTOR(seg)	(GUEST_ES_SELECTOR + 2 * (seg))
#define VMX_SYMCALL_BASE(seg)		(GUEST_ES_BASE + 2 * (seg))
#define VMX_SYMCALL_LIMIT(seg)		(GUEST_ES_LIMIT + 2 * (seg))
#define VMX_SYMCALL_AR(seg)		(GUEST_ES_AR_BYTES + 2 * (seg))

static __always_inline bool vmx_symcall_shadow(void)
{
	return vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) &
	       (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
}

/**
 * vmx_symcall_busy - whether the vCPU is not between two instructions
 * @vcpu: the vCPU, loaded
 *
 * In the shadow of MOV SS or STI. Or a debug exception is due before the next
 * instruction: in a call it would be delivered to the guest at once, without an
 * exit (27.7.3). With a shadow, what is pending has to fit RFLAGS.TF, or the
 * processor does not enter the guest (27.3.1.5).
 *
 * Or the guest's segments are such that only KVM's emulator runs it (no
 * unrestricted guest): a call leaves most of them as they are.
 *
 * In a call: whether it may not end here, since it is not at CPL 0, which is the DPL
 * of SS (25.4.1). KVM's own function for that costs three times as much.
 */
static inline bool vmx_symcall_busy(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.symbiotic->work & KVM_SYMBIOTIC_WORK_CALL)
		return VMX_AR_DPL(vmcs_read32(VMX_SYMCALL_AR(VCPU_SREG_SS)));

	return to_vmx(vcpu)->emulation_required || vmx_symcall_shadow() ||
	       vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS);
}

static __always_inline void vmx_symcall_read(unsigned int seg,
					     struct kvm_symcall_segment *s)
{
	s->selector = vmcs_read16(VMX_SYMCALL_SELECTOR(seg));
	s->base = vmcs_readl(VMX_SYMCALL_BASE(seg));
	s->limit = vmcs_read32(VMX_SYMCALL_LIMIT(seg));
	s->attr = vmcs_read32(VMX_SYMCALL_AR(seg));
}

static void vmx_symcall_write(unsigned int seg,
			      const struct kvm_symcall_segment *s)
{
	vmcs_write16(VMX_SYMCALL_SELECTOR(seg), s->selector);
	vmcs_writel(VMX_SYMCALL_BASE(seg), s->base);
	vmcs_write32(VMX_SYMCALL_LIMIT(seg), s->limit);
	vmcs_write32(VMX_SYMCALL_AR(seg), s->attr);
}

/* @saved is in the segment register: make it a flat one. */
static __always_inline void
vmx_symcall_flatten(unsigned int seg, const struct kvm_symcall_segment *saved,
		    u16 selector, u32 attr)
{
	if (saved->selector != selector)
		vmcs_write16(VMX_SYMCALL_SELECTOR(seg), selector);
	if (saved->base)
		vmcs_writel(VMX_SYMCALL_BASE(seg), 0);
	if (saved->limit != 0xffffffff)
		vmcs_write32(VMX_SYMCALL_LIMIT(seg), 0xffffffff);
	if (saved->attr != attr)
		vmcs_write32(VMX_SYMCALL_AR(seg), attr);
}

/*
 * Whether the call has loaded a segment register that it began with in this
 * form. What differs then but in selector and attributes is a descriptor that
 * the guest has changed meanwhile, in nothing that 64-bit mode looks at. Some
 * attributes of an unusable register are undefined after an exit (28.3.2); so it
 * may be written in vain.
 */
static __always_inline bool vmx_symcall_loaded(unsigned int seg, u16 selector,
					       u32 attr)
{
	return vmcs_read16(VMX_SYMCALL_SELECTOR(seg)) != selector ||
	       vmcs_read32(VMX_SYMCALL_AR(seg)) != attr;
}

/* The reverse of vmx_symcall_flatten(). */
static __always_inline void
vmx_symcall_restore(unsigned int seg, const struct kvm_symcall_segment *saved,
		    u16 selector, u32 attr)
{
	if (unlikely(vmx_symcall_loaded(seg, selector, attr))) {
		vmx_symcall_write(seg, saved);
		return;
	}
	if (saved->selector != selector)
		vmcs_write16(VMX_SYMCALL_SELECTOR(seg), saved->selector);
	if (saved->base)
		vmcs_writel(VMX_SYMCALL_BASE(seg), saved->base);
	if (saved->limit != 0xffffffff)
		vmcs_write32(VMX_SYMCALL_LIMIT(seg), saved->limit);
	if (saved->attr != attr)
		vmcs_write32(VMX_SYMCALL_AR(seg), saved->attr);
}

/* FS and GS: their bases change without a load, too. */
static __always_inline void
vmx_symcall_restore_base(unsigned int seg,
			 const struct kvm_symcall_segment *saved)
{
	if (unlikely(vmx_symcall_loaded(seg, saved->selector, saved->attr)))
		vmx_symcall_write(seg, saved);
	else if (vmcs_readl(VMX_SYMCALL_BASE(seg)) != saved->base)
		vmcs_writel(VMX_SYMCALL_BASE(seg), saved->base);
}

/* In long mode there is no RFLAGS.VM to look after, as in vmx_set_rflags(). */
static __always_inline void vmx_symcall_set_rflags(struct kvm_vcpu *vcpu,
						   unsigned long rflags)
{
	kvm_register_mark_available(vcpu, VCPU_EXREG_RFLAGS);
	to_vmx(vcpu)->rflags = rflags;
	vmcs_writel(GUEST_RFLAGS, rflags);
}

/**
 * vmx_symcall_enter - save segments and RFLAGS, and load those of a call
 * @vcpu: the vCPU, loaded, not busy
 *
 * FS and GS keep selector and attributes; only the base matters to the call.
 *
 * Without HLT exiting the processor leaves a halted guest in activity state HLT,
 * and enters it in that again (25.4.2).
 */
static inline void vmx_symcall_enter(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symcall_context *ctx = &symb->ctx;

	vmx_symcall_read(VCPU_SREG_CS, &ctx->cs);
	vmx_symcall_read(VCPU_SREG_SS, &ctx->ss);
	vmx_symcall_read(VCPU_SREG_FS, &ctx->fs);
	vmx_symcall_read(VCPU_SREG_GS, &ctx->gs);

	vmx_symcall_flatten(VCPU_SREG_CS, &ctx->cs, ctx->call_cs,
			    VMX_SYMCALL_CODE);
	vmx_symcall_flatten(VCPU_SREG_SS, &ctx->ss, ctx->call_cs + 8,
			    VMX_SYMCALL_DATA);
	if (ctx->fs.base != symb->fs)
		vmcs_writel(GUEST_FS_BASE, symb->fs);
	if (ctx->gs.base != symb->gs)
		vmcs_writel(GUEST_GS_BASE, symb->gs);
	vmx_segment_cache_clear(to_vmx(vcpu));

	ctx->rflags = vmx_get_rflags(vcpu);
	vmx_symcall_set_rflags(vcpu, X86_EFLAGS_FIXED);

	ctx->tdp = kvm_vcpu_tdp(vcpu);
	ctx->hlt_in_guest = false;
	if (kvm_hlt_in_guest(vcpu->kvm) &&
	    vmcs_read32(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT) {
		ctx->hlt_in_guest = true;
		vmcs_write32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	}
}

/**
 * vmx_symcall_leave - back to what vmx_symcall_enter() has found
 * @vcpu: the vCPU, loaded, at the end of a call
 *
 * An interrupt shadow or a debug exception that is pending is the call's, see
 * vmx_symcall_busy(); so is an activity state.
 */
static inline void vmx_symcall_leave(struct kvm_vcpu *vcpu)
{
	struct kvm_symcall_context *ctx = &vcpu->arch.symbiotic->ctx;

	vmx_symcall_restore(VCPU_SREG_CS, &ctx->cs, ctx->call_cs,
			    VMX_SYMCALL_CODE);
	vmx_symcall_restore(VCPU_SREG_SS, &ctx->ss, ctx->call_cs + 8,
			    VMX_SYMCALL_DATA);
	vmx_symcall_restore_base(VCPU_SREG_FS, &ctx->fs);
	vmx_symcall_restore_base(VCPU_SREG_GS, &ctx->gs);
	vmx_segment_cache_clear(to_vmx(vcpu));
	/*
	 * What is restored here was right before (vmx_symcall_busy()), in the paging mode
	 * of then. But user space may have set DS, ES, LDTR or TR meanwhile, which are not.
	 */
	if (unlikely(to_vmx(vcpu)->emulation_required ||
		     ctx->tdp != kvm_vcpu_tdp(vcpu))) {
		to_vmx(vcpu)->emulation_required = vmx_emulation_required(vcpu);
		kvm_paging_recheck(vcpu);
	}
	vmx_symcall_set_rflags(vcpu, ctx->rflags);

	if (vmx_symcall_shadow())
		vmx_set_interrupt_shadow(vcpu, 0);
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	if (kvm_hlt_in_guest(vcpu->kvm))
		vmcs_write32(GUEST_ACTIVITY_STATE, ctx->hlt_in_guest ?
			     GUEST_ACTIVITY_HLT : GUEST_ACTIVITY_ACTIVE);
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SYMCALL_VMX_H */
