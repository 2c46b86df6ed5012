/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic virtualization in KVM: what its parts and KVM's hooks share.
 *
 * A VM is symbiotic once user space has enabled KVM_CAP_SYMBIOTIC for it; only
 * then kvm->arch.symbiotic and vcpu->arch.symbiotic are not NULL. Every hook
 * in KVM proper tests one of these pointers and does nothing else in other
 * VMs.
 *
 * Each part has a prefix: kvm_PART_ for what others see, PART_ for what is static
 * in one file.
 *
 *	symbiotic	symbiotic.c, msr.c: VM and vCPU, run loop, hypercalls, MSRs
 *	symspy		symspy.c: the pages that guest and VMM share
 *	symcall		symcall.c, symcall_{svm,vmx}.h: calls into the guest
 *	swapbypass	swapbypass*.[ch]: swapped-out pages, used where they lie
 *	symdma		symdma.c: passthrough devices without an IOMMU
 *	paging		paging*.[ch]: nested or shadow paging; of VMs that need not be
 *			symbiotic
 */
#ifndef __KVM_X86_SYMBIOTIC_H
#define __KVM_X86_SYMBIOTIC_H

#include <linux/kvm_host.h>
#include <linux/kvm_symbiotic.h>
#include <linux/seq_file.h>
#include <symbiotic/abi.h>

struct kvm_swapbypass;
struct kvm_vcpu_swapbypass;

#ifdef CONFIG_KVM_SYMBIOTIC

/**
 * typedef kvm_symcall_done_fn - what to do when a symcall is over
 * @vcpu: the vCPU, with the context that the call has interrupted restored
 * @status: 0, a SYMCALL_ERR_* code (> 0), or -ETIMEDOUT or -EIO after an abort
 * @ret: RBX, RCX, RDX, RSI, RDI as the guest left them; zeros after an abort
 *
 * May start the next symcall. Not called if the vCPU is reset during the call.
 *
 * Context: the vCPU's thread, vCPU loaded, kvm->srcu held for reading.
 * Return: what an exit handler returns: 1 to resume the guest, 0 to go to user
 * space (vcpu->run is filled in), or -errno.
 */
typedef int (*kvm_symcall_done_fn)(struct kvm_vcpu *vcpu, int status,
				   const u64 ret[SYMCALL_NR_ARGS]);

/**
 * struct kvm_symbiotic - per VM
 * @lock: protects all but @offered and @swap against writes at the same time
 * @offered: SYMB_FEAT_* that user space offers to the guest
 * @accepted: SYMB_FEAT_* that the guest has accepted (SYMB_MSR_FEATURES)
 * @global_gpa: the global page's address in the guest; 0 = unmapped
 * @dma_ack: generation of DMA ranges that the guest uses; 0 = none
 * @dma_epoch: withdrawals of such so far: an answer to a question from before
 *	the last one is void
 * @dma_told: of these, up to which user space knows, having reset the VM
 * @pinned: memory that passthrough devices may reach, see symdma.c
 * @swap: see swapbypass.h
 */
struct kvm_symbiotic {
	struct mutex lock;	/* see above */
	u32 offered;
	u32 accepted;
	gpa_t global_gpa;
	u32 dma_ack;
	u64 dma_epoch;
	u64 dma_told;
	struct list_head pinned;
	struct kvm_swapbypass *swap;
};

/**
 * struct kvm_symcall_segment - a segment register
 * @base: base address
 * @limit: limit
 * @selector: selector
 * @attr: attributes, in the form that the VMCB or the VMCS has them in; bits 5
 *	and 6 are the DPL in both
 */
struct kvm_symcall_segment {
	u64 base;
	u32 limit;
	u16 selector;
	u32 attr;
};

/**
 * struct kvm_symcall_context - all that a symcall saves and restores
 * @regs: GPRs and RIP, in the order of enum kvm_reg
 * @rflags: RFLAGS
 * @cr2: CR2
 * @cr3: CR3, as the guest sees it
 * @dr7: DR7
 * @cs: code segment
 * @ss: stack segment; its DPL is the CPL
 * @fs: FS with its base
 * @gs: GS with its base
 * @call_cs: the selector of CS that the call began with
 * @nmi_masked: NMIs were blocked
 * @halted: the vCPU was halted and will be again
 * @hlt_in_guest: it was, in hardware (HLT does not exit)
 * @tdp: it had nested paging (VT-x)
 */
struct kvm_symcall_context {
	unsigned long regs[NR_VCPU_REGS];
	unsigned long rflags;
	unsigned long cr2;
	unsigned long cr3;
	unsigned long dr7;
	struct kvm_symcall_segment cs;
	struct kvm_symcall_segment ss;
	struct kvm_symcall_segment fs;
	struct kvm_symcall_segment gs;
	u16 call_cs;
	bool nmi_masked;
	bool halted;
	bool hlt_in_guest;
	bool tdp;
};

/**
 * struct kvm_symcall_events - what KVM would deliver next to the guest
 * @exception: pending or injected
 * @interrupt: injected
 * @nmi_injected: an NMI is
 * @triple_fault: requested
 * @taken: whether there is any of it
 *
 * User space can queue all of them (KVM_SET_VCPU_EVENTS, KVM_X86_SET_MCE,
 * KVM_SET_GUEST_DEBUG, KVM_INTERRUPT). If it does so during a symcall, they are
 * for what the call has interrupted, and are kept here while the call runs.
 */
struct kvm_symcall_events {
	struct kvm_queued_exception exception;
	struct kvm_queued_interrupt interrupt;
	bool nmi_injected;
	bool triple_fault;
	bool taken;
};

/* Why the run loop has to look at a vCPU: bits of kvm_vcpu_symbiotic.work. */
#define KVM_SYMBIOTIC_WORK_CALL		BIT(0)	/* a symcall is running */
#define KVM_SYMBIOTIC_WORK_START		BIT(1)	/* user space waits for one */
#define KVM_SYMBIOTIC_WORK_UNMAP_LOCAL	BIT(2)	/* tell user space after INIT */
#define KVM_SYMBIOTIC_WORK_UNMAP_GLOBAL	BIT(3)
#define KVM_SYMBIOTIC_WORK_DMA_OFF		BIT(4)	/* tell it after withdrawal */
#define KVM_SYMBIOTIC_WORK_DROP		BIT(5)	/* bypass entries, before all else */
#define KVM_SYMBIOTIC_WORK_FLAGS	BIT(6)	/* the local page's are not right */
#define KVM_SYMBIOTIC_WORK_NEW		BIT(7)	/* no instruction of the call yet */

/* What goes with a running call. */
#define KVM_SYMBIOTIC_WORK_OF_CALL	(KVM_SYMBIOTIC_WORK_CALL |	\
					 KVM_SYMBIOTIC_WORK_NEW |	\
					 KVM_SYMBIOTIC_WORK_FLAGS)

/* What user space has to hear before the guest's next instruction. */
#define KVM_SYMBIOTIC_WORK_TELL	(KVM_SYMBIOTIC_WORK_UNMAP_LOCAL |	\
				 KVM_SYMBIOTIC_WORK_UNMAP_GLOBAL |	\
				 KVM_SYMBIOTIC_WORK_DMA_OFF)

enum kvm_symcall_user_state {
	KVM_SYMCALL_USER_IDLE,
	KVM_SYMCALL_USER_BUSY,		/* to be started, or running */
	KVM_SYMCALL_USER_DONE,		/* result not fetched yet */
};

/**
 * struct kvm_vcpu_symbiotic - per vCPU
 * @work: KVM_SYMBIOTIC_WORK_*
 * @local_gpa: the local page's address in the guest; 0 = unmapped
 * @local_cache: where its flags are
 * @rip: where symcalls enter the guest; 0 = not registered
 * @rsp: their stack
 * @cs: their code segment selector; SS = CS + 8
 * @gs: their GS base
 * @fs: their FS base
 * @dead: a symcall was aborted; refuse all until the guest writes RIP again
 * @warned: the abort was reported
 * @events_held: events were held back during the call
 * @sync_faults: page faults to come that wait for the host's memory
 * @nr: number of the running call
 * @done: its completion
 * @in_run: inside of KVM_RUN or KVM_SYMCALL, where @events are the call's
 * @since: the thread's CPU time at the last entry to KVM_RUN, or when the call
 *	started, in ns
 * @used: CPU time that the call has used before @since, in ns
 * @failed: why the call must be aborted, noticed on the way to user space
 * @ctx: what the call has interrupted
 * @events: what user space has queued for it meanwhile
 * @asking: the vCPU waits at a WRMSR for user space's answer
 * @msr: the MSR
 * @msr_data: the value to be written to it
 * @telling: the vCPU waits at a hypercall for what user space makes of it
 * @dma_epoch: kvm_symbiotic.dma_epoch when it asked about an acknowledgment, or
 *	withdrew one
 * @loop: SYMB_HC_SYMCALL_LOOP under way
 * @user: KVM_SYMCALL under way
 * @swap: see swapbypass.h
 *
 * Used by the vCPU's own thread only (or with vcpu->mutex held).
 */
struct kvm_vcpu_symbiotic {
	unsigned long work;
	gpa_t local_gpa;
	struct gfn_to_hva_cache local_cache;
	u64 rip;
	u64 rsp;
	u64 cs;
	u64 gs;
	u64 fs;
	bool dead;
	bool warned;
	bool events_held;
	u8 sync_faults;
	u64 nr;
	kvm_symcall_done_fn done;
	bool in_run;
	u64 since;
	u64 used;
	const char *failed;
	struct kvm_symcall_context ctx;
	struct kvm_symcall_events events;
	bool asking;
	u32 msr;
	u64 msr_data;
	bool telling;
	u64 dma_epoch;
	struct {
		unsigned long rip;
		u64 nr;
		u64 args[SYMCALL_NR_ARGS];
		u32 left;
	} loop;
	struct {
		enum kvm_symcall_user_state state;
		bool reported;		/* this entry ends with the call */
		unsigned int tries;
		u32 last_id;
		struct kvm_symcall call;
	} user;
	struct kvm_vcpu_swapbypass *swap;
};

static inline bool kvm_symbiotic_accepted(const struct kvm *kvm, u32 feature)
{
	return kvm->arch.symbiotic &&
	       (READ_ONCE(kvm->arch.symbiotic->accepted) & feature);
}

/* symbiotic.c */

u32 kvm_symbiotic_supported(struct kvm *kvm);
int kvm_symbiotic_open_debugfs(struct inode *inode, struct file *file,
			       int (*show)(struct seq_file *, void *));
int kvm_symbiotic_release_debugfs(struct inode *inode, struct file *file);
int kvm_symbiotic_enable(struct kvm *kvm, const struct kvm_enable_cap *cap);
void kvm_symbiotic_destroy_vm(struct kvm *kvm);
int kvm_symbiotic_create_vcpu(struct kvm_vcpu *vcpu);
void kvm_symbiotic_destroy_vcpu(struct kvm_vcpu *vcpu);
int kvm_symbiotic_set_features(struct kvm_vcpu *vcpu, u64 features);
void __kvm_symbiotic_reset_vcpu(struct kvm_vcpu *vcpu, bool init_event);
int __kvm_symbiotic_work(struct kvm_vcpu *vcpu);
int __kvm_symbiotic_hypercall(struct kvm_vcpu *vcpu);

static inline void kvm_symbiotic_reset_vcpu(struct kvm_vcpu *vcpu,
					    bool init_event)
{
	if (vcpu->arch.symbiotic)
		__kvm_symbiotic_reset_vcpu(vcpu, init_event);
}

#define KVM_SYMBIOTIC_SYNC_FAULTS	64

/**
 * kvm_symbiotic_fault_failed - the host has no page for an asynchronous fault
 * @vcpu: the vCPU
 *
 * What has failed behind the vCPU's back nobody is told, and the guest would fault
 * on the page again for ever. So the vCPU waits for the page itself then, and
 * user space learns that there is none. Not for the next fault only, as others
 * may come first.
 */
static inline void kvm_symbiotic_fault_failed(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.symbiotic)
		vcpu->arch.symbiotic->sync_faults = KVM_SYMBIOTIC_SYNC_FAULTS;
}

/**
 * kvm_symbiotic_sync_fault - whether a page fault has to wait for its page
 * @vcpu: the vCPU
 */
static inline bool kvm_symbiotic_sync_fault(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.symbiotic || !vcpu->arch.symbiotic->sync_faults))
		return false;

	vcpu->arch.symbiotic->sync_faults--;
	return true;
}

/**
 * kvm_symbiotic_hypercall - whether a hypercall is one of ours
 * @vcpu: the vCPU
 *
 * Asked before Xen's and Hyper-V's are looked at. Xen's numbers are smaller. A
 * guest of Hyper-V's may have anything in RAX, so only those of guests that have
 * accepted a feature are ours, and their hypercall page makes RAX differ
 * (kvm_symbiotic_mark_hv()).
 */
static inline bool kvm_symbiotic_hypercall(struct kvm_vcpu *vcpu)
{
	u32 nr;

	if (likely(!vcpu->arch.symbiotic))
		return false;
	if (!kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_ALL) &&
	    !(vcpu->arch.symbiotic->work & KVM_SYMBIOTIC_WORK_CALL))
		return false;

	/* The upper half of RAX belongs to SYMB_HC_SYMCALL_LOOP. */
	nr = vcpu->arch.regs[VCPU_REGS_RAX];
	return nr == SYMB_HC_SYMCALL_RET || nr == SYMB_HC_SYMCALL_ERR ||
	       (nr >= SYMB_HC_NULL && nr <= SYMB_HC_LAST);
}

/**
 * kvm_symbiotic_mark_hv - whether Hyper-V's hypercalls must be told from ours
 * @vcpu: the vCPU, which has Hyper-V's hypercall page written
 *
 * In long mode that is done by a bit of EAX. Elsewhere EAX has their number, so
 * that is not possible, and there are no hypercalls of ours.
 */
static inline bool kvm_symbiotic_mark_hv(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.symbiotic && (vcpu->arch.efer & EFER_LMA);
}

/**
 * kvm_symbiotic_work - called each time round the vCPU's run loop
 * @vcpu: the vCPU
 *
 * Return: like an exit handler: 1 to go on, 0 to go to user space, or -errno.
 */
static inline int kvm_symbiotic_work(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.symbiotic || !vcpu->arch.symbiotic->work))
		return 1;
	return __kvm_symbiotic_work(vcpu);
}

/**
 * kvm_symbiotic_must_tell - whether user space has to hear of something first,
 *	or entries have to be dropped
 * @vcpu: the vCPU, about to enter the guest, possibly just reset by an INIT
 *
 * The requests that kvm_vcpu_reset() leaves happen to turn the vCPU back, too, so
 * that no test fails without this; but they are not there for it.
 */
static inline bool kvm_symbiotic_must_tell(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.symbiotic &&
	       unlikely(vcpu->arch.symbiotic->work &
			(KVM_SYMBIOTIC_WORK_TELL | KVM_SYMBIOTIC_WORK_DROP));
}

/* msr.c */

int kvm_symbiotic_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
int kvm_symbiotic_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
int kvm_symbiotic_ask_user(struct kvm_vcpu *vcpu);
void kvm_symbiotic_unask(struct kvm_vcpu *vcpu);
int kvm_symbiotic_tell_user(struct kvm_vcpu *vcpu);

/* symspy.c */

void kvm_symspy_write_flags(struct kvm_vcpu *vcpu);
bool kvm_symspy_gpa_valid(struct kvm_vcpu *vcpu, u32 msr, u64 gpa);
void kvm_symspy_set_page(struct kvm_vcpu *vcpu, u32 msr, u64 gpa);
void kvm_symspy_lose_page(struct kvm_vcpu *vcpu, u32 msr);

/* symdma.c */

long kvm_symdma_pin(struct kvm *kvm, struct kvm_symdma_pin __user *arg);
void kvm_symdma_unpin_all(struct kvm *kvm);
void __kvm_symdma_withdraw(struct kvm_vcpu *vcpu);
void kvm_symdma_withdraw(struct kvm_vcpu *vcpu);
int kvm_symdma_ack(struct kvm_vcpu *vcpu, u32 generation);
bool kvm_symdma_agreed(struct kvm_vcpu *vcpu);
bool kvm_symdma_untold(struct kvm_vcpu *vcpu);
void kvm_symdma_reset(struct kvm_vcpu *vcpu);

/* symcall.c */

/**
 * kvm_symcall_active - whether a symcall runs on a vCPU
 * @vcpu: the vCPU
 */
static inline bool kvm_symcall_active(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.symbiotic &&
	       (vcpu->arch.symbiotic->work & KVM_SYMBIOTIC_WORK_CALL);
}

/**
 * kvm_symcall_hold_events - whether event injection has to wait
 * @vcpu: the vCPU, about to enter the guest
 *
 * No interrupt, NMI or SMI may interrupt a symcall. Remembers that there may
 * have been one, so that it is looked for again after the call.
 */
static inline bool kvm_symcall_hold_events(struct kvm_vcpu *vcpu)
{
	if (likely(!kvm_symcall_active(vcpu)))
		return false;

	vcpu->arch.symbiotic->events_held = true;
	return true;
}

void __kvm_symcall_enter_run(struct kvm_vcpu *vcpu);
void __kvm_symcall_leave_run(struct kvm_vcpu *vcpu);

/**
 * kvm_symcall_enter_run - user space has come in to run the vCPU
 * @vcpu: the vCPU, all that user space has set in place
 */
static inline void kvm_symcall_enter_run(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.symbiotic))
		__kvm_symcall_enter_run(vcpu);
}

/**
 * kvm_symcall_leave_run - the vCPU goes back to user space
 * @vcpu: the vCPU
 */
static inline void kvm_symcall_leave_run(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.symbiotic))
		__kvm_symcall_leave_run(vcpu);
}

int kvm_symcall_start(struct kvm_vcpu *vcpu, u64 nr,
		      const u64 args[SYMCALL_NR_ARGS], kvm_symcall_done_fn done);
int kvm_symcall_return(struct kvm_vcpu *vcpu, bool error);
int kvm_symcall_check(struct kvm_vcpu *vcpu);
void kvm_symcall_forget(struct kvm_vcpu *vcpu);
int kvm_symcall_loop(struct kvm_vcpu *vcpu);
int kvm_symcall_user_start(struct kvm_vcpu *vcpu);
long kvm_symcall_ioctl(struct kvm_vcpu *vcpu, struct kvm_symcall __user *arg);

#else /* CONFIG_KVM_SYMBIOTIC */

static inline u32 kvm_symbiotic_supported(struct kvm *kvm)
{
	return 0;
}

static inline int kvm_symbiotic_enable(struct kvm *kvm,
				       const struct kvm_enable_cap *cap)
{
	return -EINVAL;
}

static inline void kvm_symbiotic_destroy_vm(struct kvm *kvm) { }

static inline long kvm_symdma_pin(struct kvm *kvm,
				  struct kvm_symdma_pin __user *arg)
{
	return -ENOTTY;
}

static inline int kvm_symbiotic_create_vcpu(struct kvm_vcpu *vcpu)
{
	return 0;
}

static inline void kvm_symbiotic_destroy_vcpu(struct kvm_vcpu *vcpu) { }
static inline void kvm_symbiotic_reset_vcpu(struct kvm_vcpu *vcpu,
					    bool init_event) { }

static inline int kvm_symbiotic_get_msr(struct kvm_vcpu *vcpu,
					struct msr_data *msr_info)
{
	return KVM_MSR_RET_UNSUPPORTED;
}

static inline int kvm_symbiotic_set_msr(struct kvm_vcpu *vcpu,
					struct msr_data *msr_info)
{
	return KVM_MSR_RET_UNSUPPORTED;
}

static inline int kvm_symbiotic_ask_user(struct kvm_vcpu *vcpu)
{
	return 1;
}

static inline void kvm_symbiotic_fault_failed(struct kvm_vcpu *vcpu) { }

static inline bool kvm_symbiotic_sync_fault(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool kvm_symbiotic_hypercall(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline int __kvm_symbiotic_hypercall(struct kvm_vcpu *vcpu)
{
	return 1;
}

static inline bool kvm_symbiotic_mark_hv(const struct kvm_vcpu *vcpu)
{
	return false;
}

static inline int kvm_symbiotic_work(struct kvm_vcpu *vcpu)
{
	return 1;
}

static inline bool kvm_symbiotic_must_tell(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void kvm_symcall_enter_run(struct kvm_vcpu *vcpu) { }
static inline void kvm_symcall_leave_run(struct kvm_vcpu *vcpu) { }

static inline bool kvm_symcall_active(const struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool kvm_symcall_hold_events(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline long kvm_symcall_ioctl(struct kvm_vcpu *vcpu,
				     struct kvm_symcall __user *arg)
{
	return -EINVAL;
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SYMBIOTIC_H */
