/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs: what QEMU's KVM code calls.
 *
 * Everything here does nothing in a VM that is not symbiotic. The work is in
 * target/i386/kvm/symbiotic*.c.
 */
#ifndef SYSEMU_SYMBIOTIC_H
#define SYSEMU_SYMBIOTIC_H

#include "sysemu/kvm.h"

#ifdef TARGET_I386

/**
 * symbiotic_vcpu_run: enter the guest
 * @cs: the vCPU of the calling thread
 *
 * As ioctl(KVM_RUN), but starts or continues the symcall that x-symcall has
 * queued for this vCPU, if any. Called without the BQL.
 *
 * Returns: what ioctl(KVM_RUN) returns, with -errno instead of errno
 */
int symbiotic_vcpu_run(CPUState *cs);

/**
 * symbiotic_accel_class_init: add the property "symbiotic" to the accelerator
 * @oc: the class of the KVM accelerator
 */
void symbiotic_accel_class_init(ObjectClass *oc);

/**
 * symbiotic_init: make the VM symbiotic as far as asked for and supported
 * @ms: the machine
 * @s: the accelerator
 *
 * Called once, before the first vCPU exists. Exits with an error message if
 * the user has asked for what KVM cannot do.
 */
void symbiotic_init(MachineState *ms, KVMState *s);

/**
 * symbiotic_may_switch_paging: may the VM's paging mode change while it runs?
 *
 * Such a VM has only what both modes have: no protection keys.
 */
bool symbiotic_may_switch_paging(void);

/**
 * symbiotic_fill_cpuid: append both discovery paths
 * @entries: the vCPU's CPUID table, all other hypervisor leaves filled in
 * @nr: entries in use
 * @max: size of @entries
 *
 * Returns: the new number of entries in use
 */
uint32_t symbiotic_fill_cpuid(struct kvm_cpuid_entry2 *entries, uint32_t nr,
                              uint32_t max);

/**
 * symbiotic_reset_vcpu: the vCPU is being reset; unmap its local page
 * @cs: the vCPU
 *
 * Called with the BQL. KVM learns of it in symbiotic_put_msrs().
 */
void symbiotic_reset_vcpu(CPUState *cs);

/**
 * symbiotic_destroy_vcpu: the vCPU is being unplugged; unmap its local page
 * @cs: the vCPU
 *
 * Called with the BQL, by the vCPU's thread, which will not run it again.
 */
void symbiotic_destroy_vcpu(CPUState *cs);

/**
 * symbiotic_put_msrs: tell KVM about a reset of the vCPU or of the VM
 * @cs: the vCPU
 *
 * Called whenever the vCPU's registers are written back to KVM.
 */
void symbiotic_put_msrs(CPUState *cs);

/**
 * symbiotic_handle_wrmsr: the guest maps, moves or unmaps a SymSpy page
 * @cs: the vCPU
 * @run: its shared page; run->msr.error is the answer
 *
 * Called without the BQL.
 *
 * Returns: false if the MSR is none of ours
 */
bool symbiotic_handle_wrmsr(CPUState *cs, struct kvm_run *run);

/**
 * symbiotic_handle_hypercall: the guest tells of a module
 * @cs: the vCPU
 * @run: its shared page; run->hypercall.ret is the answer
 *
 * Called without the BQL.
 *
 * Returns: false if the hypercall is none of ours
 */
bool symbiotic_handle_hypercall(CPUState *cs, struct kvm_run *run);

/**
 * symbiotic_handle_symcall: a symcall is over
 * @cs: the vCPU
 *
 * Called without the BQL.
 */
void symbiotic_handle_symcall(CPUState *cs);

#else

static inline int symbiotic_vcpu_run(CPUState *cs)
{
    return kvm_vcpu_ioctl(cs, KVM_RUN, 0);
}

#endif /* TARGET_I386 */

#endif /* SYSEMU_SYMBIOTIC_H */
