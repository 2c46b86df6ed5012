/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The paging mode of a VM: what paging.c and KVM's hooks share.
 *
 * All VMs but those that may switch have the mode of the host's modules, and
 * kvm->arch.paging is NULL. See paging.c.
 */
#ifndef __KVM_X86_PAGING_H
#define __KVM_X86_PAGING_H

#include <linux/kvm_host.h>
#include <linux/kvm_symbiotic.h>

struct eventfd_ctx;

/**
 * struct kvm_paging - per VM that may switch
 * @mode: KVM_SYMB_PAGING_*, which each vCPU follows before its next instruction
 * @wanted: what user space has set; @mode, unless that is held
 * @holders: vCPUs that hold the VM in nested paging (kvm_vcpu_arch.holds_tdp)
 * @zap: shadow pages of before are still to be zapped
 * @generation: changes of @mode so far
 * @eventfd: signalled after each of them, or NULL
 *
 * Written with kvm->mmu_lock held for writing. vCPUs read @mode without any lock,
 * after the request that comes with each change.
 */
struct kvm_paging {
	u32 mode;
	u32 wanted;
	unsigned int holders;
	bool zap;
	u64 generation;
	struct eventfd_ctx *eventfd;
};

#ifdef CONFIG_KVM_SYMBIOTIC

/**
 * kvm_paging_switchable - whether a VM may switch
 * @kvm: the VM; does not change once it has a vCPU
 */
static inline bool kvm_paging_switchable(const struct kvm *kvm)
{
	return kvm->arch.paging;
}

/**
 * kvm_paging_left_shadow - whether a vCPU has still to leave shadow paging
 * @vcpu: the vCPU
 *
 * Context: kvm->mmu_lock held. As long as it is, the answer holds.
 */
static inline bool kvm_paging_left_shadow(const struct kvm_vcpu *vcpu)
{
	const struct kvm_paging *paging = vcpu->kvm->arch.paging;

	return unlikely(paging) && !vcpu->arch.tdp &&
	       paging->mode == KVM_SYMB_PAGING_NESTED;
}

/**
 * kvm_paging_recheck - something that the mode depends on has, or may have, changed
 * @vcpu: the vCPU; looks at it before its next instruction
 */
static inline void kvm_paging_recheck(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->kvm->arch.paging))
		kvm_make_request(KVM_REQ_PAGING, vcpu);
}

u32 kvm_paging_supported(struct kvm *kvm);
int kvm_paging_enable(struct kvm *kvm, const struct kvm_enable_cap *cap);
void kvm_paging_destroy(struct kvm *kvm);
void kvm_paging_created(struct kvm_vcpu *vcpu);
void kvm_paging_follow(struct kvm_vcpu *vcpu);
void kvm_paging_settle(struct kvm_vcpu *vcpu);
void kvm_paging_require_nested(struct kvm_vcpu *vcpu);
long kvm_paging_ioctl_set(struct kvm *kvm, const struct kvm_symb_paging __user *arg);
long kvm_paging_ioctl_get(struct kvm *kvm, struct kvm_symb_paging __user *arg);
void kvm_paging_create_debugfs(struct kvm *kvm);

/* paging_mmu.h, part of mmu.c */

int kvm_paging_mmu_prepare_shadow(struct kvm *kvm);
void kvm_paging_mmu_zap_shadow(struct kvm *kvm);

#else /* CONFIG_KVM_SYMBIOTIC */

static inline bool kvm_paging_switchable(const struct kvm *kvm)
{
	return false;
}

static inline bool kvm_paging_left_shadow(const struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void kvm_paging_recheck(struct kvm_vcpu *vcpu) { }

static inline u32 kvm_paging_supported(struct kvm *kvm)
{
	return 0;
}

static inline int kvm_paging_enable(struct kvm *kvm,
				    const struct kvm_enable_cap *cap)
{
	return -EINVAL;
}

static inline void kvm_paging_destroy(struct kvm *kvm) { }
static inline void kvm_paging_created(struct kvm_vcpu *vcpu) { }
static inline void kvm_paging_follow(struct kvm_vcpu *vcpu) { }
static inline void kvm_paging_settle(struct kvm_vcpu *vcpu) { }
static inline void kvm_paging_require_nested(struct kvm_vcpu *vcpu) { }

static inline long kvm_paging_ioctl_set(struct kvm *kvm,
					const struct kvm_symb_paging __user *arg)
{
	return -ENOTTY;
}

static inline long kvm_paging_ioctl_get(struct kvm *kvm,
					struct kvm_symb_paging __user *arg)
{
	return -ENOTTY;
}

static inline void kvm_paging_create_debugfs(struct kvm *kvm) { }

#endif /* CONFIG_KVM_SYMBIOTIC */

/**
 * kvm_may_shadow - whether a VM has, or may come to have, shadow paging
 * @kvm: the VM; does not change once it has a vCPU
 */
static inline bool kvm_may_shadow(const struct kvm *kvm)
{
	return !tdp_enabled || kvm_paging_switchable(kvm);
}

#endif /* __KVM_X86_PAGING_H */
