/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SymCall on VT-x: state of a vCPU that has no other access function.
 */
#ifndef __KVM_X86_SYMCALL_VMX_H
#define __KVM_X86_SYMCALL_VMX_H

#ifdef CONFIG_KVM_SYMBIOTIC

/**
 * vmx_symcall_busy - whether a debug exception is due before the next
 *	instruction
 * @vcpu: the vCPU, loaded
 *
 * In a call it would be delivered to the guest at once, without an exit.
 */
static inline bool vmx_symcall_busy(struct kvm_vcpu *vcpu)
{
	return vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS);
}

/**
 * vmx_symcall_set_hlt - the guest has halted, or not, without an exit
 * @vcpu: the vCPU, loaded, at one end of a call
 * @hlt: what it will be
 *
 * Without HLT exiting the processor leaves a halted guest in activity state
 * HLT, and enters it in that again. Debug exceptions that are pending then are
 * the call's, see vmx_symcall_busy().
 *
 * Return: what it was.
 */
static inline bool vmx_symcall_set_hlt(struct kvm_vcpu *vcpu, bool hlt)
{
	bool was = false;

	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	if (kvm_hlt_in_guest(vcpu->kvm)) {
		was = vmcs_read32(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT;
		vmcs_write32(GUEST_ACTIVITY_STATE,
			     hlt ? GUEST_ACTIVITY_HLT : GUEST_ACTIVITY_ACTIVE);
	}
	return was;
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SYMCALL_VMX_H */
