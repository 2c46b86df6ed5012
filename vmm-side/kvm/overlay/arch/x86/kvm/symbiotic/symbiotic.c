// SPDX-License-Identifier: GPL-2.0
/*
 * Symbiotic virtualization: what a VM is offered, the MSRs by which the guest
 * accepts it and registers its pages and entry points, and the hypercalls.
 *
 * The SymSpy pages themselves are user space's: it owns their memory and
 * decides whether an address is free. KVM checks what it can, asks user space
 * (KVM_EXIT_X86_WRMSR), and remembers the answer.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/module.h>

#include "../cpuid.h"
#include "../kvm_cache_regs.h"
#include "../x86.h"
#include "symbiotic.h"
#include "swapbypass.h"

static bool __read_mostly symbiotic = true;
module_param(symbiotic, bool, 0444);

/* ---- Life cycle ---------------------------------------------------------- */

/**
 * kvm_symbiotic_supported - what KVM_CHECK_EXTENSION(KVM_CAP_SYMBIOTIC) returns
 *
 * Return: SYMB_FEAT_* that may be offered to a VM; 0 = none.
 */
u32 kvm_symbiotic_supported(void)
{
	if (!symbiotic)
		return 0;
	/* With two-dimensional paging KVM sees no page faults of the guest. */
	return tdp_enabled ? SYMB_FEAT_ALL & ~SYMB_FEAT_SWAPBYPASS : SYMB_FEAT_ALL;
}

/**
 * kvm_symbiotic_enable - KVM_ENABLE_CAP(KVM_CAP_SYMBIOTIC)
 * @kvm: the VM
 * @cap: args[0] = SYMB_FEAT_* to offer; 0 = the VM is not symbiotic
 *
 * Once a VM is symbiotic it stays so, with the same offer: who has found
 * kvm->arch.symbiotic under kvm->lock may use it as long as there is the VM.
 *
 * Context: takes kvm->lock.
 * Return: 0, -EINVAL for features that are not supported, -EBUSY if there are
 * vCPUs already or the VM is symbiotic, -ENOMEM.
 */
int kvm_symbiotic_enable(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	struct kvm_symbiotic *symb;
	int r = 0;

	if (!symbiotic || (cap->args[0] & ~(u64)kvm_symbiotic_supported()) ||
	    cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;

	mutex_lock(&kvm->lock);
	if (kvm->created_vcpus || kvm->arch.symbiotic) {
		r = -EBUSY;
		goto unlock;
	}
	if (!cap->args[0])
		goto unlock;

	r = -ENOMEM;
	symb = kzalloc(sizeof(*symb), GFP_KERNEL_ACCOUNT);
	if (!symb)
		goto unlock;
	mutex_init(&symb->lock);
	INIT_LIST_HEAD(&symb->pinned);
	symb->offered = cap->args[0];
	kvm->arch.symbiotic = symb;

	r = kvm_swapbypass_init(kvm);
	if (r) {
		kvm->arch.symbiotic = NULL;
		kfree(symb);
	}
unlock:
	mutex_unlock(&kvm->lock);
	return r;
}

/**
 * kvm_symbiotic_destroy_vm - free what kvm_symbiotic_enable() has allocated
 * @kvm: the VM, without vCPUs and shadow pages
 */
void kvm_symbiotic_destroy_vm(struct kvm *kvm)
{
	if (!kvm->arch.symbiotic)
		return;

	kvm_swapbypass_destroy(kvm);
	kvm_symb_unpin_all(kvm);
	kfree(kvm->arch.symbiotic);
	kvm->arch.symbiotic = NULL;
}

/**
 * kvm_symbiotic_create_vcpu - the vCPU's part
 * @vcpu: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_symbiotic_create_vcpu(struct kvm_vcpu *vcpu)
{
	struct kvm_symbiotic *symb = vcpu->kvm->arch.symbiotic;

	if (!symb)
		return 0;

	vcpu->arch.symbiotic = kzalloc(sizeof(*vcpu->arch.symbiotic),
				       GFP_KERNEL_ACCOUNT);
	if (!vcpu->arch.symbiotic)
		return -ENOMEM;

	if (kvm_swapbypass_vcpu_init(vcpu)) {
		kvm_symbiotic_destroy_vcpu(vcpu);
		return -ENOMEM;
	}

	/*
	 * Hardware that delivers interrupts by itself (APICv, AVIC) does not
	 * know that a symcall must not be interrupted.
	 */
	if (symb->offered & SYMB_FEAT_SYMCALL)
		kvm_set_apicv_inhibit(vcpu->kvm, APICV_INHIBIT_REASON_DISABLED);
	return 0;
}

/**
 * kvm_symbiotic_destroy_vcpu - undo kvm_symbiotic_create_vcpu()
 * @vcpu: the vCPU
 */
void kvm_symbiotic_destroy_vcpu(struct kvm_vcpu *vcpu)
{
	if (!vcpu->arch.symbiotic)
		return;

	kvm_swapbypass_vcpu_destroy(vcpu);
	kfree(vcpu->arch.symbiotic);
	vcpu->arch.symbiotic = NULL;
}

/* ---- SymSpy pages -------------------------------------------------------- */

/**
 * kvm_symbiotic_write_flags - bring the flags in the local page up to date
 * @vcpu: the vCPU
 *
 * Context: kvm->srcu held for reading; may sleep.
 */
void kvm_symbiotic_write_flags(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u32 flags = 0;

	if (!symb->local_gpa)
		return;

	if (symb->work & KVM_SYMB_WORK_CALL)
		flags |= SYMSPY_LOCAL_SYMCALL_ACTIVE;
	if (symb->rip && symb->cs && !symb->dead)
		flags |= SYMSPY_LOCAL_SYMCALL_ENABLED;

	/* The flags only inform; a page that user space took away is its loss. */
	kvm_write_guest_offset_cached(vcpu->kvm, &symb->local_cache, &flags,
				      offsetof(struct symspy_local, flags),
				      sizeof(flags));
}

/* User space has agreed to an address. */
static void symbiotic_set_page(struct kvm_vcpu *vcpu, u32 msr, u64 gpa)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	if (msr == SYMB_MSR_GLOBAL_PAGE) {
		mutex_lock(&vm->lock);
		vm->global_gpa = gpa;
		mutex_unlock(&vm->lock);
		return;
	}

	symb->local_gpa = gpa;
	if (gpa) {
		/* Set here, too: for a page that is not there (yet), init fails. */
		symb->local_cache.gpa = gpa;
		symb->local_cache.len = sizeof(struct symspy_local);
		kvm_gfn_to_hva_cache_init(vcpu->kvm, &symb->local_cache, gpa,
					  sizeof(struct symspy_local));
		kvm_symbiotic_write_flags(vcpu);
	}
}

/* ---- The acknowledgment of DMA ranges ----------------------------------- */

/*
 * User space lets devices master the bus while it is asked about an
 * acknowledgment, and other vCPUs, or the reset of one, can withdraw at any
 * time meanwhile. So a withdrawal voids all questions of before, and user space
 * hears of each, also if KVM knows of no acknowledgment: the last word is one
 * of KVM's that no device may go on.
 */

/*
 * There is no acknowledgment from now on; user space is told before this vCPU
 * runs on.
 */
static void __symbiotic_dma_withdraw(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	lockdep_assert_held(&vm->lock);

	WRITE_ONCE(vm->dma_ack, 0);
	symb->dma_epoch = ++vm->dma_epoch;
	symb->work |= KVM_SYMB_WORK_DMA_OFF;
}

/* The guest writes SYMB_MSR_DMA_ACK. Returns as kvm_symbiotic_set_msr(). */
static int symbiotic_dma_ack(struct kvm_vcpu *vcpu, u32 generation)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	int r = 1;

	mutex_lock(&vm->lock);
	if (!generation) {
		__symbiotic_dma_withdraw(vcpu);
		r = 0;
	} else if (vm->accepted & SYMB_FEAT_DMA_OFFSET) {
		symb->dma_epoch = vm->dma_epoch;
		symb->msr = SYMB_MSR_DMA_ACK;
		symb->msr_data = generation;
		r = KVM_MSR_RET_SYMBIOTIC;
	}
	mutex_unlock(&vm->lock);
	return r;
}

/* User space has agreed to a generation; false if it was asked in vain. */
static bool symbiotic_dma_agreed(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	bool valid;

	mutex_lock(&vm->lock);
	valid = symb->dma_epoch == vm->dma_epoch;
	if (valid)
		WRITE_ONCE(vm->dma_ack, symb->msr_data);
	else if (!vm->dma_ack)
		__symbiotic_dma_withdraw(vcpu);
	mutex_unlock(&vm->lock);
	return valid;
}

/* Whether the withdrawal by this vCPU still has to be told. */
static bool symbiotic_dma_untold(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	bool untold;

	mutex_lock(&vm->lock);
	/* Not after user space's own reset, or an acknowledgment since. */
	untold = symb->dma_epoch > vm->dma_told && !vm->dma_ack;
	/* One that is under way would lose what user space has agreed to. */
	if (untold)
		vm->dma_epoch++;
	mutex_unlock(&vm->lock);
	return untold;
}

/* User space withdraws by itself, for a reset. */
static void symbiotic_dma_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	mutex_lock(&vm->lock);
	__symbiotic_dma_withdraw(vcpu);
	vm->dma_told = vm->dma_epoch;
	mutex_unlock(&vm->lock);
	vcpu->arch.symbiotic->work &= ~KVM_SYMB_WORK_DMA_OFF;
}

/* ---- Asking and telling user space --------------------------------------- */

static int symbiotic_page_answered(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	bool error = READ_ONCE(vcpu->run->msr.error);

	/* The vCPU was reset: there is no instruction any more. */
	if (!symb->asking)
		return 1;
	symb->asking = false;

	if (!error && symb->msr == SYMB_MSR_DMA_ACK)
		error = !symbiotic_dma_agreed(vcpu);
	else if (!error)
		symbiotic_set_page(vcpu, symb->msr, symb->msr_data);

	/* Next instruction, or #GP. */
	return kvm_x86_call(complete_emulated_msr)(vcpu, error);
}

static int symbiotic_unmap_answered(struct kvm_vcpu *vcpu)
{
	return 1;
}

static int symbiotic_exit_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 data,
				int (*complete)(struct kvm_vcpu *vcpu))
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_X86_WRMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = KVM_MSR_EXIT_REASON_FILTER;
	run->msr.index = msr;
	run->msr.data = data;
	vcpu->arch.complete_userspace_io = complete;
	return 0;
}

/**
 * kvm_symbiotic_ask_user - let user space map, move or unmap a SymSpy page, or
 *	let passthrough devices master the bus
 * @vcpu: the vCPU, at a WRMSR for which kvm_symbiotic_set_msr() has returned
 *	KVM_MSR_RET_SYMBIOTIC
 *
 * Return: 0, to go to user space.
 */
int kvm_symbiotic_ask_user(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	symb->asking = true;
	return symbiotic_exit_wrmsr(vcpu, symb->msr, symb->msr_data,
				    symbiotic_page_answered);
}

/* ---- MSRs ---------------------------------------------------------------- */

/* The published number of one of our MSRs; 0 if it does not exist here. */
static u32 symbiotic_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	u32 offered;

	if (!vcpu->arch.symbiotic)
		return 0;
	offered = vcpu->kvm->arch.symbiotic->offered;

	switch (msr) {
	case SYMB_MSR_FEATURES:
		return SYMB_MSR_FEATURES;
	case SYMB_MSR_GLOBAL_PAGE:
	case SYMB_MSR_ALIAS_GLOBAL_PAGE:
		return offered & SYMB_FEAT_SYMSPY ? SYMB_MSR_GLOBAL_PAGE : 0;
	case SYMB_MSR_LOCAL_PAGE:
	case SYMB_MSR_ALIAS_LOCAL_PAGE:
		return offered & SYMB_FEAT_SYMSPY ? SYMB_MSR_LOCAL_PAGE : 0;
	case SYMB_MSR_DMA_ACK:
		return offered & SYMB_FEAT_DMA_OFFSET ? SYMB_MSR_DMA_ACK : 0;
	default:
		break;
	}

	if (!(offered & SYMB_FEAT_SYMCALL))
		return 0;

	switch (msr) {
	case SYMB_MSR_SYMCALL_RIP:
	case SYMB_MSR_ALIAS_SYMCALL_RIP:
		return SYMB_MSR_SYMCALL_RIP;
	case SYMB_MSR_SYMCALL_RSP:
	case SYMB_MSR_ALIAS_SYMCALL_RSP:
		return SYMB_MSR_SYMCALL_RSP;
	case SYMB_MSR_SYMCALL_CS:
	case SYMB_MSR_ALIAS_SYMCALL_CS:
		return SYMB_MSR_SYMCALL_CS;
	case SYMB_MSR_SYMCALL_GS:
	case SYMB_MSR_ALIAS_SYMCALL_GS:
		return SYMB_MSR_SYMCALL_GS;
	case SYMB_MSR_SYMCALL_FS:
	case SYMB_MSR_ALIAS_SYMCALL_FS:
		return SYMB_MSR_SYMCALL_FS;
	default:
		return 0;
	}
}

/**
 * kvm_symbiotic_get_msr - read an MSR that KVM proper does not know
 * @vcpu: the vCPU
 * @msr_info: which; takes the value
 *
 * Return: 0 or KVM_MSR_RET_UNSUPPORTED.
 */
int kvm_symbiotic_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	switch (symbiotic_msr(vcpu, msr_info->index)) {
	case SYMB_MSR_FEATURES:
		msr_info->data = READ_ONCE(vcpu->kvm->arch.symbiotic->accepted);
		return 0;
	case SYMB_MSR_GLOBAL_PAGE:
		msr_info->data = READ_ONCE(vcpu->kvm->arch.symbiotic->global_gpa);
		return 0;
	case SYMB_MSR_LOCAL_PAGE:
		msr_info->data = symb->local_gpa;
		return 0;
	case SYMB_MSR_DMA_ACK:
		msr_info->data = READ_ONCE(vcpu->kvm->arch.symbiotic->dma_ack);
		return 0;
	case SYMB_MSR_SYMCALL_RIP:
		msr_info->data = symb->rip;
		return 0;
	case SYMB_MSR_SYMCALL_RSP:
		msr_info->data = symb->rsp;
		return 0;
	case SYMB_MSR_SYMCALL_CS:
		msr_info->data = symb->cs;
		return 0;
	case SYMB_MSR_SYMCALL_GS:
		msr_info->data = symb->gs;
		return 0;
	case SYMB_MSR_SYMCALL_FS:
		msr_info->data = symb->fs;
		return 0;
	default:
		return KVM_MSR_RET_UNSUPPORTED;
	}
}

static int symbiotic_set_features(struct kvm_vcpu *vcpu, u64 features)
{
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	u32 withdrawn;

	if (features & ~(u64)vm->offered)
		return 1;

	mutex_lock(&vm->lock);
	withdrawn = vm->accepted & ~features;
	WRITE_ONCE(vm->accepted, features);
	if (withdrawn & SYMB_FEAT_SWAPBYPASS)
		kvm_swapbypass_reset(vcpu);
	if (withdrawn & SYMB_FEAT_DMA_OFFSET)
		__symbiotic_dma_withdraw(vcpu);
	mutex_unlock(&vm->lock);
	return 0;
}

/*
 * User space owns the pages and resets the machine by setting each register,
 * so from there comes nothing but 0.
 */
static int symbiotic_set_msr_host(struct kvm_vcpu *vcpu, u32 msr, u64 data)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	if (data)
		return 1;

	switch (msr) {
	case SYMB_MSR_FEATURES:
		symbiotic_set_features(vcpu, 0);
		symbiotic_dma_reset(vcpu);
		break;
	case SYMB_MSR_DMA_ACK:
		symbiotic_dma_reset(vcpu);
		break;
	case SYMB_MSR_GLOBAL_PAGE:
		symb->work &= ~KVM_SYMB_WORK_UNMAP_GLOBAL;
		symbiotic_set_page(vcpu, msr, 0);
		break;
	case SYMB_MSR_LOCAL_PAGE:
		symb->work &= ~KVM_SYMB_WORK_UNMAP_LOCAL;
		symbiotic_set_page(vcpu, msr, 0);
		break;
	case SYMB_MSR_SYMCALL_RIP:
		/*
		 * The registers are user space's now: nothing to restore or to
		 * complete, and its own call needs no answer.
		 */
		symb->asking = false;
		kvm_symcall_forget(vcpu);
		symb->user.state = KVM_SYMCALL_USER_IDLE;
		kvm_swapbypass_vcpu_reset(vcpu);
		symb->rip = 0;
		symb->dead = false;
		symb->warned = false;
		kvm_symbiotic_write_flags(vcpu);
		break;
	case SYMB_MSR_SYMCALL_RSP:
		symb->rsp = 0;
		break;
	case SYMB_MSR_SYMCALL_CS:
		symb->cs = 0;
		break;
	case SYMB_MSR_SYMCALL_GS:
		symb->gs = 0;
		break;
	case SYMB_MSR_SYMCALL_FS:
		symb->fs = 0;
		break;
	}
	return 0;
}

/**
 * kvm_symbiotic_set_msr - write an MSR that KVM proper does not know
 * @vcpu: the vCPU
 * @msr_info: which, and the value
 *
 * Return: 0; 1 for #GP, with nothing changed; KVM_MSR_RET_SYMBIOTIC if user
 * space has to be asked (kvm_symbiotic_ask_user()); or KVM_MSR_RET_UNSUPPORTED.
 */
int kvm_symbiotic_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u32 msr = symbiotic_msr(vcpu, msr_info->index);
	u64 data = msr_info->data;
	gpa_t current_gpa;

	if (!msr)
		return KVM_MSR_RET_UNSUPPORTED;

	if (msr_info->host_initiated)
		return symbiotic_set_msr_host(vcpu, msr, data);

	switch (msr) {
	case SYMB_MSR_FEATURES:
		return symbiotic_set_features(vcpu, data);

	case SYMB_MSR_GLOBAL_PAGE:
	case SYMB_MSR_LOCAL_PAGE:
		if (!page_address_valid(vcpu, data))
			return 1;

		/* No page may hide memory of the guest, nor the other page. */
		current_gpa = msr == SYMB_MSR_LOCAL_PAGE ? symb->local_gpa :
			      READ_ONCE(vcpu->kvm->arch.symbiotic->global_gpa);
		if (data && data != current_gpa &&
		    kvm_is_visible_gfn(vcpu->kvm, gpa_to_gfn(data)))
			return 1;

		symb->msr = msr;
		symb->msr_data = data;
		return KVM_MSR_RET_SYMBIOTIC;

	case SYMB_MSR_DMA_ACK:
		return data >> 32 ? 1 : symbiotic_dma_ack(vcpu, data);

	case SYMB_MSR_SYMCALL_RIP:
		if (is_noncanonical_address(data, vcpu, 0))
			return 1;
		symb->rip = data;
		symb->dead = false;
		break;

	case SYMB_MSR_SYMCALL_RSP:
		if (is_noncanonical_address(data, vcpu, 0))
			return 1;
		symb->rsp = data;
		break;

	case SYMB_MSR_SYMCALL_CS:
		/* In the GDT, RPL 0, not null, and SS = CS + 8 exists. */
		if ((data & 7) || !data || data + 8 > 0xffff)
			return 1;
		symb->cs = data;
		break;

	case SYMB_MSR_SYMCALL_GS:
		if (is_noncanonical_address(data, vcpu, 0))
			return 1;
		symb->gs = data;
		break;

	case SYMB_MSR_SYMCALL_FS:
		if (is_noncanonical_address(data, vcpu, 0))
			return 1;
		symb->fs = data;
		break;
	}

	kvm_symbiotic_write_flags(vcpu);
	return 0;
}

/* ---- Reset --------------------------------------------------------------- */

/* The vCPU will not write what user space has been asked about. */
static void symbiotic_unask(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	symb->asking = false;
	switch (symb->msr) {
	case SYMB_MSR_LOCAL_PAGE:
		symb->work |= KVM_SYMB_WORK_UNMAP_LOCAL;
		break;
	case SYMB_MSR_GLOBAL_PAGE:
		symb->work |= KVM_SYMB_WORK_UNMAP_GLOBAL;
		symbiotic_set_page(vcpu, SYMB_MSR_GLOBAL_PAGE, 0);
		break;
	case SYMB_MSR_DMA_ACK:
		mutex_lock(&vm->lock);
		__symbiotic_dma_withdraw(vcpu);
		mutex_unlock(&vm->lock);
		break;
	}
}

/**
 * __kvm_symbiotic_reset_vcpu - part of kvm_vcpu_reset()
 * @vcpu: the vCPU of a symbiotic VM
 * @init_event: INIT, not creation
 *
 * INIT of the boot processor resets the machine. User space still has the
 * pages mapped then; the run loop tells it.
 */
void __kvm_symbiotic_reset_vcpu(struct kvm_vcpu *vcpu, bool init_event)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	kvm_symcall_forget(vcpu);
	kvm_swapbypass_vcpu_reset(vcpu);

	if (symb->local_gpa)
		symb->work |= KVM_SYMB_WORK_UNMAP_LOCAL;
	if (symb->asking)
		symbiotic_unask(vcpu);
	symb->local_gpa = 0;
	symb->rip = 0;
	symb->rsp = 0;
	symb->cs = 0;
	symb->gs = 0;
	symb->fs = 0;
	symb->dead = false;
	symb->warned = false;

	if (!init_event || !kvm_vcpu_is_reset_bsp(vcpu))
		return;

	symbiotic_set_features(vcpu, 0);
	if (vm->global_gpa) {
		symb->work |= KVM_SYMB_WORK_UNMAP_GLOBAL;
		symbiotic_set_page(vcpu, SYMB_MSR_GLOBAL_PAGE, 0);
	}
}

/* ---- Run loop and hypercalls --------------------------------------------- */

/* One thing at a time; 1 if there is nothing. */
static int symbiotic_tell_user(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	if (symb->work & KVM_SYMB_WORK_DMA_OFF) {
		symb->work &= ~KVM_SYMB_WORK_DMA_OFF;
		if (symbiotic_dma_untold(vcpu))
			return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_DMA_ACK, 0,
						    symbiotic_unmap_answered);
	}

	if (symb->work & KVM_SYMB_WORK_UNMAP_LOCAL) {
		symb->work &= ~KVM_SYMB_WORK_UNMAP_LOCAL;
		return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_LOCAL_PAGE, 0,
					    symbiotic_unmap_answered);
	}

	if (symb->work & KVM_SYMB_WORK_UNMAP_GLOBAL) {
		symb->work &= ~KVM_SYMB_WORK_UNMAP_GLOBAL;
		return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_GLOBAL_PAGE, 0,
					    symbiotic_unmap_answered);
	}

	return 1;
}

/**
 * __kvm_symbiotic_work - what the run loop has to look at
 * @vcpu: the vCPU of a symbiotic VM, with something to do
 *
 * Return: as an exit handler.
 */
int __kvm_symbiotic_work(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	int r;

	if (symb->work & KVM_SYMB_WORK_DROP) {
		r = kvm_swapbypass_work(vcpu);
		if (r <= 0)
			return r;
	}

	r = symbiotic_tell_user(vcpu);
	if (r <= 0)
		return r;
	if (symb->work & KVM_SYMB_WORK_CALL)
		return kvm_symcall_check(vcpu);
	if (symb->work & KVM_SYMB_WORK_START)
		return kvm_symcall_user_start(vcpu);
	return 1;
}

static long symbiotic_hypercall(struct kvm_vcpu *vcpu, u32 nr)
{
	switch (nr) {
	case SYMB_HC_NULL:
		if (!kvm_symb_accepted(vcpu->kvm, SYMB_FEAT_ALL))
			return -SYMB_HC_ENOSYS;
		return 0;

	case SYMB_HC_SWAP_ATTACH:
	case SYMB_HC_SWAP_DETACH:
	case SYMB_HC_DROP_SLOTS:
	case SYMB_HC_DROP_RANGE:
		if (!kvm_symb_accepted(vcpu->kvm, SYMB_FEAT_SWAPBYPASS))
			return -SYMB_HC_ENOSYS;
		if (kvm_symcall_active(vcpu))
			return -SYMB_HC_EBUSY;
		return kvm_swapbypass_hypercall(vcpu, nr, kvm_rbx_read(vcpu),
						kvm_rcx_read(vcpu),
						kvm_rdx_read(vcpu),
						kvm_rsi_read(vcpu));
	default:
		return -SYMB_HC_ENOSYS;
	}
}

/**
 * __kvm_symbiotic_hypercall - one of our hypercalls
 * @vcpu: the vCPU, for which kvm_symbiotic_hypercall() is true
 *
 * Return: as an exit handler.
 */
int __kvm_symbiotic_hypercall(struct kvm_vcpu *vcpu)
{
	u64 rax = kvm_rax_read(vcpu);
	u32 nr = rax;
	long ret;

	++vcpu->stat.hypercalls;

	if (!is_64_bit_hypercall(vcpu)) {
		ret = -SYMB_HC_ENOSYS;
		goto out;
	}
	if (kvm_x86_call(get_cpl)(vcpu)) {
		ret = -SYMB_HC_EPERM;
		goto out;
	}

	if (nr == SYMB_HC_SYMCALL_LOOP &&
	    kvm_symb_accepted(vcpu->kvm, SYMB_FEAT_SYMCALL)) {
		if (!kvm_symcall_active(vcpu))
			return kvm_symcall_loop(vcpu);
		ret = -SYMB_HC_EBUSY;
		goto out;
	}
	if (rax >> 32) {
		ret = -SYMB_HC_ENOSYS;
		goto out;
	}
	if ((nr == SYMB_HC_SYMCALL_RET || nr == SYMB_HC_SYMCALL_ERR) &&
	    kvm_symcall_active(vcpu))
		return kvm_symcall_return(vcpu, nr == SYMB_HC_SYMCALL_ERR);

	ret = symbiotic_hypercall(vcpu, nr);
out:
	kvm_rax_write(vcpu, ret);
	return kvm_skip_emulated_instruction(vcpu);
}
