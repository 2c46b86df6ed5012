/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SymCall on AMD-V: state of a vCPU that has no other access function.
 */
#ifndef __KVM_X86_SYMCALL_SVM_H
#define __KVM_X86_SYMCALL_SVM_H

#ifdef CONFIG_KVM_SYMBIOTIC

/**
 * svm_symcall_busy - whether KVM steps over an instruction, to inject an NMI
 *	after it
 * @vcpu: the vCPU
 *
 * The call would be stepped instead; and RFLAGS.TF, if it is the guest's, would
 * stay set in it.
 */
static inline bool svm_symcall_busy(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->nmi_singlestep;
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SYMCALL_SVM_H */
