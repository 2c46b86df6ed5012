/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * KVM's user-space interface of symbiotic VMs: what it adds to <linux/kvm.h>.
 *
 * KVM, QEMU and the tests of KVM all include this file. Its numbers are far from
 * those that KVM itself hands out, so <linux/kvm.h> may be of any version, and
 * need not be changed. What guest and VMM agree on, MSRs and pages among it, is in
 * symbiotic/abi.h.
 *
 * A symbiotic VM is one for which KVM_CAP_SYMBIOTIC was enabled. Besides handling
 * what is below, its user space
 *
 * - owns the SymSpy pages. For a write of the guest's to SYMB_MSR_GLOBAL_PAGE,
 *   SYMB_MSR_LOCAL_PAGE or SYMB_MSR_DMA_ACK it gets KVM_EXIT_X86_WRMSR, with the
 *   published number in msr.index: it does what the guest wants, or sets msr.error,
 *   and the guest gets #GP. The same exit with msr.data = 0 tells of a page or an
 *   acknowledgment that has gone, by a reset for one; msr.error means nothing then.
 *   KVM_CAP_X86_USER_SPACE_MSR is not needed;
 *
 * - hears of modules by KVM_EXIT_HYPERCALL: hypercall.nr is SYMB_HC_MODULE, args[0] to
 *   args[2] are the guest's, and what it leaves in hypercall.ret goes to RAX.
 *   KVM_CAP_EXIT_HYPERCALL is not needed;
 *
 * - resets a vCPU or the VM by writing 0 to our MSRs (KVM_SET_MSRS), which is all
 *   that it may write there: to SYMB_MSR_SYMCALL_RIP first, which ends a symcall.
 */
#ifndef __LINUX_KVM_SYMBIOTIC_H
#define __LINUX_KVM_SYMBIOTIC_H

#include <linux/kvm.h>

/*
 * KVM_CHECK_EXTENSION: SYMB_FEAT_* that a VM can be offered; 0 = none.
 * KVM_ENABLE_CAP (VM): args[0] = those that this VM is offered; once, and before
 * its first vCPU.
 */
#define KVM_CAP_SYMBIOTIC	0x53590001

/* kvm_run.exit_reason: the call that KVM_SYMCALL has made is over. */
#define KVM_EXIT_SYMCALL	0x5359

/**
 * struct kvm_symcall - a call into the guest
 * @nr: SYMCALL_*
 * @args: RBX, RCX, RDX, RSI, RDI of the guest
 * @ret: the same, as the guest has left them
 * @status: 0; > 0: the guest's error code, SYMCALL_ERR_*; < 0: -ENXIO (not
 *	enabled by the guest), -EBUSY, -ETIMEDOUT or -EIO (aborted)
 * @id: 0 asks for a new call (EBUSY while another one runs), which gets a number.
 *	That is in the struct at once, whatever the ioctl returns, and continues this
 *	call, or fetches its result, and no other (ENOENT if it is over); 0 again then
 */
struct kvm_symcall {
	__u64 nr;
	__u64 args[5];
	__u64 ret[5];
	__s32 status;
	__u32 id;
};

/*
 * vCPU: KVM_RUN, with a call into the guest first. The call is over, and ret and
 * status are set, when the ioctl returns with KVM_EXIT_SYMCALL. Other exits are
 * handled as those of KVM_RUN; then the ioctl is issued again with the same struct.
 */
#define KVM_SYMCALL		_IOWR(KVMIO, 0xf0, struct kvm_symcall)

/**
 * struct kvm_symdma_extent - a piece of memory
 * @phys: where it is in the host
 * @size: bytes
 */
struct kvm_symdma_extent {
	__u64 phys;
	__u64 size;
};

/**
 * struct kvm_symdma_pin - memory for passthrough devices without an IOMMU
 * @addr: start in this process
 * @size: bytes
 * @extents: address of struct kvm_symdma_extent[@nr]
 * @nr: room in @extents; then the number used, in the order of addresses
 * @pad: 0
 */
struct kvm_symdma_pin {
	__u64 addr;
	__u64 size;
	__u64 extents;
	__u32 nr;
	__u32 pad;
};

/*
 * VM: pin memory of this process until the VM is gone, and tell where it lies.
 * Needs CAP_SYS_RAWIO. Fails with E2BIG, and nothing is pinned, if there are more
 * than nr pieces.
 */
#define KVM_SYMDMA_PIN		_IOWR(KVMIO, 0xf1, struct kvm_symdma_pin)

/*
 * Paging mode: how the processor gets from a guest's address to the host's. Nested
 * (NPT, EPT) walks the guest's page tables and KVM's; shadow walks what KVM has made
 * of the guest's. A VM has the mode that the host's modules have, unless it may
 * switch. As bits, masks of modes.
 */
#define KVM_SYMB_PAGING_NESTED	1
#define KVM_SYMB_PAGING_SHADOW	2

/*
 * KVM_CHECK_EXTENSION: mask of KVM_SYMB_PAGING_* between which a VM can switch;
 * 0 = none.
 * KVM_ENABLE_CAP (VM): the VM may switch. args[0] = the mode that it begins in;
 * args[1] = KVM_SYMB_PAGING_EVENTFD or 0; args[2] = with that, an eventfd that is
 * signalled after each change of the mode. Once, before the first vCPU, and before
 * KVM_CAP_SYMBIOTIC, whose SYMB_FEAT_SWAPBYPASS can only be offered to VMs that
 * have, or may have, shadow paging: ask KVM_CHECK_EXTENSION of the VM then.
 * EOPNOTSUPP if it cannot (VMs of types of their own are among these), EBUSY if it
 * is too late.
 *
 * What such a VM does without: APICv and AVIC; SEV; protection keys, which its
 * guest should not be offered (X86_FEATURE_PKU), as it has nested paging as long as
 * it uses them.
 */
#define KVM_CAP_SYMBIOTIC_PAGING	0x53590002

#define KVM_SYMB_PAGING_EVENTFD		(1 << 0)

/* kvm_symb_paging.flags */
#define KVM_SYMB_PAGING_WAIT	(1 << 0)	/* set: as soon as it is possible */
#define KVM_SYMB_PAGING_PENDING	(1 << 0)	/* get: shadow paging is waited for */

/**
 * struct kvm_symb_paging - the paging mode of a VM
 * @mode: KVM_SYMB_PAGING_*
 * @flags: KVM_SYMB_PAGING_WAIT; KVM_SYMB_PAGING_PENDING
 * @generation: how often the mode has changed; to be set, 0
 * @pad: 0
 */
struct kvm_symb_paging {
	__u32 mode;
	__u32 flags;
	__u64 generation;
	__u64 pad[2];
};

/*
 * VM: set the mode. No vCPU executes an instruction in the old one after that, but
 * for those of SMM, and on VT-x those without paging, which have nested paging.
 * What the guest is doing does not matter, but for what shadow paging has not got:
 * EFER.SVME or CR4.VMXE (it is a hypervisor) and CR4.PKE. While a vCPU has one of
 * these set, shadow paging fails with EBUSY, or is waited for. A guest that sets it
 * later gets nested paging at once, and the mode that was set when it is over.
 *
 * EOPNOTSUPP if the VM may not switch; ENOMEM with nothing changed. GET works for
 * all VMs.
 */
#define KVM_SYMB_SET_PAGING	_IOW(KVMIO, 0xf2, struct kvm_symb_paging)
#define KVM_SYMB_GET_PAGING	_IOR(KVMIO, 0xf3, struct kvm_symb_paging)

/*
 * KVM_RUN and KVM_SYMCALL of a symbiotic VM fail with EFAULT and this exit reason
 * when the host has not got the page that the guest accesses: it has not gone on,
 * and tries again when it runs again. Linux's own since 6.8, with the structure as
 * kvm_run.memory_fault; here for those whose <linux/kvm.h> is older, where it is
 * what kvm_run.padding has.
 */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT	39
#endif

struct kvm_symbiotic_memory_fault {
	__u64 flags;
	__u64 gpa;
	__u64 size;
};

#endif /* __LINUX_KVM_SYMBIOTIC_H */
