/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SymCall on AMD-V: the part of a vCPU's state that is in the VMCB.
 */
#ifndef __KVM_X86_SYMCALL_SVM_H
#define __KVM_X86_SYMCALL_SVM_H

#ifdef CONFIG_KVM_SYMBIOTIC

#include "symbiotic.h"

/* Attributes: flat, DPL 0; 64-bit code, and data. */
#define SVM_SYMCALL_CODE	0xa9b
#define SVM_SYMCALL_DATA	0xc93

/**
 * svm_symcall_busy - whether the vCPU is not between two instructions
 * @vcpu: the vCPU
 *
 * In the shadow of MOV SS or STI. Or hardware holds an NMI, which it would
 * deliver inside the call. Or KVM steps over an instruction, to inject an NMI
 * after it: the call would be stepped instead; and RFLAGS.TF, if it is the
 * guest's, would stay set in it.
 *
 * In a call: whether it may not end here, since it is not at CPL 0.
 */
static inline bool svm_symcall_busy(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (vcpu->arch.symbiotic->work & KVM_SYMBIOTIC_WORK_CALL)
		return svm->vmcb->save.cpl;

	return svm->nmi_singlestep ||
	       (svm->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK) ||
	       (is_vnmi_enabled(svm) &&
		(svm->vmcb->control.int_ctl & V_NMI_PENDING_MASK));
}

static inline struct kvm_symcall_segment svm_symcall_get(const struct vmcb_seg *s)
{
	return (struct kvm_symcall_segment) {
		.base = s->base, .limit = s->limit,
		.selector = s->selector, .attr = s->attrib,
	};
}

static inline struct vmcb_seg svm_symcall_put(const struct kvm_symcall_segment *s)
{
	return (struct vmcb_seg) {
		.base = s->base, .limit = s->limit,
		.selector = s->selector, .attrib = s->attr,
	};
}

/**
 * svm_symcall_enter - save segments and RFLAGS, and load those of a call
 * @vcpu: the vCPU, not busy
 *
 * FS and GS keep selector and attributes; only the base matters to the call. The
 * DPL that is saved of SS is the CPL, as in svm_get_segment().
 */
static inline void svm_symcall_enter(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct vmcb *vmcb = to_svm(vcpu)->vmcb01.ptr;
	struct kvm_symcall_context *ctx = &symb->ctx;
	struct vmcb_save_area *save = &vmcb->save;

	ctx->cs = svm_symcall_get(&save->cs);
	ctx->ss = svm_symcall_get(&save->ss);
	ctx->fs = svm_symcall_get(&save->fs);
	ctx->gs = svm_symcall_get(&save->gs);
	ctx->ss.attr &= ~SVM_SELECTOR_DPL_MASK;
	ctx->ss.attr |= save->cpl << SVM_SELECTOR_DPL_SHIFT;

	save->cs = (struct vmcb_seg) {
		.limit = 0xffffffff, .selector = ctx->call_cs,
		.attrib = SVM_SYMCALL_CODE,
	};
	save->ss = (struct vmcb_seg) {
		.limit = 0xffffffff, .selector = ctx->call_cs + 8,
		.attrib = SVM_SYMCALL_DATA,
	};
	save->cpl = 0;
	save->fs.base = symb->fs;
	save->gs.base = symb->gs;
	vmcb_mark_dirty(vmcb, VMCB_SEG);
	ctx->rflags = save->rflags;
	save->rflags = X86_EFLAGS_FIXED;
	ctx->hlt_in_guest = false;
}

/**
 * svm_symcall_leave - back to what svm_symcall_enter() has found
 * @vcpu: the vCPU, at the end of a call
 *
 * An interrupt shadow is the call's, see svm_symcall_busy().
 */
static inline void svm_symcall_leave(struct kvm_vcpu *vcpu)
{
	struct kvm_symcall_context *ctx = &vcpu->arch.symbiotic->ctx;
	struct vmcb *vmcb = to_svm(vcpu)->vmcb01.ptr;
	struct vmcb_save_area *save = &vmcb->save;

	save->cs = svm_symcall_put(&ctx->cs);
	save->ss = svm_symcall_put(&ctx->ss);
	save->fs = svm_symcall_put(&ctx->fs);
	save->gs = svm_symcall_put(&ctx->gs);
	save->cpl = (ctx->ss.attr & SVM_SELECTOR_DPL_MASK) >> SVM_SELECTOR_DPL_SHIFT;
	vmcb_mark_dirty(vmcb, VMCB_SEG);
	save->rflags = ctx->rflags;
	vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SYMCALL_SVM_H */
