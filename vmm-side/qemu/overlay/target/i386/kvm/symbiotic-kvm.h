/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of KVM's user-space interface that makes a VM symbiotic.
 *
 * A copy: the original is in vmm-side/kvm. The numbers are far from those
 * that KVM itself hands out.
 */
#ifndef TARGET_I386_KVM_SYMBIOTIC_KVM_H
#define TARGET_I386_KVM_SYMBIOTIC_KVM_H

#include <linux/kvm.h>

/*
 * KVM_CHECK_EXTENSION: the SYMB_FEAT_* that KVM supports.
 * KVM_ENABLE_CAP (VM): args[0] = those that this VM offers to its guest.
 */
#ifndef KVM_CAP_SYMBIOTIC
#define KVM_CAP_SYMBIOTIC       0x53590001
#endif

#ifndef KVM_SYMCALL

/* vcpu->run->exit_reason: the call that KVM_SYMCALL has made is over. */
#define KVM_EXIT_SYMCALL        0x5359

/*
 * id: 0 asks for a new call; what KVM puts there, for this one and no other.
 * status: 0; > 0 the guest's SYMCALL_ERR_*; < 0 -errno of KVM (-ENXIO the
 * guest has registered no entry, -EBUSY cannot start now, -ETIMEDOUT aborted).
 */
struct kvm_symcall {
    __u64 nr;
    __u64 args[5];
    __u64 ret[5];
    __s32 status;
    __u32 id;
};

/* As KVM_RUN, but a symcall is started first, or the running one continued. */
#define KVM_SYMCALL             _IOWR(KVMIO, 0xf0, struct kvm_symcall)

#endif /* KVM_SYMCALL */

#ifndef KVM_SYMB_PIN

struct kvm_symb_extent {
    __u64 phys;
    __u64 size;
};

struct kvm_symb_pin {
    __u64 addr;
    __u64 size;
    __u64 extents;              /* address of struct kvm_symb_extent[nr] */
    __u32 nr;
    __u32 pad;
};

/*
 * Pin memory of this process until the VM is gone, and tell where it lies.
 * E2BIG: more than nr pieces.
 */
#define KVM_SYMB_PIN            _IOWR(KVMIO, 0xf1, struct kvm_symb_pin)

#endif /* KVM_SYMB_PIN */

/*
 * With -EFAULT: the host could not get the page for an access of the guest,
 * which has not gone on. Linux's own; the headers of QEMU 7.2 are older.
 */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT   39
#endif

struct symbiotic_memory_fault {
    __u64 flags;
    __u64 gpa;
    __u64 size;
};

static inline const struct symbiotic_memory_fault *
symbiotic_memory_fault(const struct kvm_run *run)
{
    return (const void *)&run->padding;
}

#endif /* TARGET_I386_KVM_SYMBIOTIC_KVM_H */
