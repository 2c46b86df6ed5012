/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic virtualization in KVM: what its parts and KVM's hooks share.
 *
 * A VM is symbiotic once user space has enabled KVM_CAP_SYMBIOTIC for it; only
 * then kvm->arch.symbiotic and vcpu->arch.symbiotic are not NULL. Every hook
 * in KVM proper tests one of these pointers and does nothing else in other
 * VMs.
 */
#ifndef __KVM_X86_SYMBIOTIC_H
#define __KVM_X86_SYMBIOTIC_H

#include <linux/kvm_host.h>
#include <symbiotic/abi.h>

struct kvm_swapbypass;
struct kvm_vcpu_swapbypass;

/**
 * typedef kvm_symcall_done_fn - what to do when a symcall is over
 * @vcpu: the vCPU, with the context that the call has interrupted restored
 * @status: 0, a SYMCALL_ERR_* code (> 0), or -ETIMEDOUT or -EIO after an abort
 * @ret: RBX, RCX, RDX, RSI, RDI as the guest left them; zeros after an abort
 *
 * Context: the vCPU's thread, vCPU loaded, kvm->srcu held for reading.
 * Return: what an exit handler returns: 1 to resume the guest, 0 to go to user
 * space (vcpu->run is filled in), or -errno.
 */
typedef int (*kvm_symcall_done_fn)(struct kvm_vcpu *vcpu, int status,
				   const u64 ret[SYMCALL_NR_ARGS]);

/**
 * struct kvm_symbiotic - per VM
 * @offered: SYMB_FEAT_* that user space offers to the guest
 * @accepted: SYMB_FEAT_* that the guest has accepted (SYMB_MSR_FEATURES)
 * @global_gpa: the global page's address in the guest; 0 = unmapped
 * @swap: owned by swapbypass.c
 */
struct kvm_symbiotic {
	u32 offered;
	u32 accepted;
	gpa_t global_gpa;
	struct kvm_swapbypass *swap;
};

/**
 * struct kvm_symcall_context - all that a symcall saves and restores
 * @regs: GPRs and RIP, in the order of enum kvm_reg
 * @rflags: RFLAGS
 * @cr3: CR3, as the guest sees it
 * @dr7: DR7
 * @int_shadow: KVM_X86_SHADOW_INT_*
 * @cs: code segment; CPL is SS.DPL
 * @ss: stack segment
 * @fs: FS with its base
 * @gs: GS with its base
 * @halted: the vCPU was halted and will be again
 */
struct kvm_symcall_context {
	unsigned long regs[NR_VCPU_REGS];
	unsigned long rflags;
	unsigned long cr3;
	unsigned long dr7;
	u32 int_shadow;
	struct kvm_segment cs;
	struct kvm_segment ss;
	struct kvm_segment fs;
	struct kvm_segment gs;
	bool halted;
};

/**
 * struct kvm_vcpu_symbiotic - per vCPU
 * @local_gpa: the local page's address in the guest; 0 = unmapped
 * @rip: where symcalls enter the guest; 0 = not registered
 * @rsp: their stack
 * @cs: their code segment selector; SS = CS + 8
 * @gs: their GS base
 * @fs: their FS base
 * @active: a symcall is running
 * @dead: a symcall was aborted; refuse all until the guest writes RIP again
 * @swap: owned by swapbypass.c, allocated there when first needed
 */
struct kvm_vcpu_symbiotic {
	gpa_t local_gpa;
	u64 rip;
	u64 rsp;
	u64 cs;
	u64 gs;
	u64 fs;
	bool active;
	bool dead;
	kvm_symcall_done_fn done;
	struct kvm_symcall_context ctx;
	struct kvm_vcpu_swapbypass *swap;
};

static inline bool kvm_symb_accepted(const struct kvm *kvm, u32 feature)
{
	return kvm->arch.symbiotic && (kvm->arch.symbiotic->accepted & feature);
}

/* symcall.c */

/**
 * kvm_symcall_active - whether a symcall runs on a vCPU
 * @vcpu: the vCPU
 */
static inline bool kvm_symcall_active(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.symbiotic && vcpu->arch.symbiotic->active;
}

int kvm_symcall_start(struct kvm_vcpu *vcpu, u64 nr,
		      const u64 args[SYMCALL_NR_ARGS], kvm_symcall_done_fn done);

#endif /* __KVM_X86_SYMBIOTIC_H */
