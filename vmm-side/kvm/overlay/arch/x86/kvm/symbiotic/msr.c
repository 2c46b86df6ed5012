// SPDX-License-Identifier: GPL-2.0
/*
 * The MSRs by which a guest accepts what it is offered, and registers its pages
 * and entry points; and KVM_EXIT_X86_WRMSR, by which user space is asked about
 * such a write, or told that what it stood for has gone.
 */
#include <linux/kvm_host.h>

#include "../x86.h"
#include "swapbypass.h"
#include "symbiotic.h"

/* ---- Asking and telling user space --------------------------------------- */

static int symbiotic_exit_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 data,
				int (*complete)(struct kvm_vcpu *))
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

static int symbiotic_answered(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	bool error = READ_ONCE(vcpu->run->msr.error);

	/* The vCPU was reset: there is no instruction any more. */
	if (!symb->asking)
		return 1;
	symb->asking = false;

	if (!error && symb->msr == SYMB_MSR_DMA_ACK)
		error = !kvm_symdma_agreed(vcpu);
	else if (!error)
		kvm_symspy_set_page(vcpu, symb->msr, symb->msr_data);

	/* Next instruction, or #GP. */
	return kvm_x86_call(complete_emulated_msr)(vcpu, error);
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
				    symbiotic_answered);
}

/**
 * kvm_symbiotic_unask - the vCPU will not write what user space was asked about
 * @vcpu: the vCPU, which is being reset; asked or not
 */
void kvm_symbiotic_unask(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	/* What it has told, user space has heard; nothing is left to undo. */
	symb->telling = false;
	if (!symb->asking)
		return;
	symb->asking = false;

	if (symb->msr == SYMB_MSR_DMA_ACK)
		kvm_symdma_withdraw(vcpu);
	else
		kvm_symspy_lose_page(vcpu, symb->msr);
}

static int symbiotic_told(struct kvm_vcpu *vcpu)
{
	return 1;
}

/**
 * kvm_symbiotic_tell_user - tell user space of what has gone, one thing at a time
 * @vcpu: the vCPU, in its run loop
 *
 * Return: 1 if there is nothing; 0 to go to user space.
 */
int kvm_symbiotic_tell_user(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	if (symb->work & KVM_SYMBIOTIC_WORK_DMA_OFF) {
		symb->work &= ~KVM_SYMBIOTIC_WORK_DMA_OFF;
		if (kvm_symdma_untold(vcpu))
			return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_DMA_ACK, 0,
						    symbiotic_told);
	}

	if (symb->work & KVM_SYMBIOTIC_WORK_UNMAP_LOCAL) {
		symb->work &= ~KVM_SYMBIOTIC_WORK_UNMAP_LOCAL;
		return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_LOCAL_PAGE, 0,
					    symbiotic_told);
	}

	if (symb->work & KVM_SYMBIOTIC_WORK_UNMAP_GLOBAL) {
		symb->work &= ~KVM_SYMBIOTIC_WORK_UNMAP_GLOBAL;
		return symbiotic_exit_wrmsr(vcpu, SYMB_MSR_GLOBAL_PAGE, 0,
					    symbiotic_told);
	}

	return 1;
}

/* ---- The MSRs ------------------------------------------------------------ */

static const struct {
	u32 msr;
	u32 alias;
	u32 features;	/* of which one must be offered */
} symbiotic_msrs[] = {
#define SYMBIOTIC_MSR(name, features)				\
	{ SYMB_MSR_##name, SYMB_MSR_ALIAS_##name, features },
	SYMB_MSRS_WITH_ALIAS(SYMBIOTIC_MSR)
#undef SYMBIOTIC_MSR
#define SYMBIOTIC_MSR(name, features)				\
	{ SYMB_MSR_##name, SYMB_MSR_##name, features },
	SYMB_MSRS_WITHOUT_ALIAS(SYMBIOTIC_MSR)
#undef SYMBIOTIC_MSR
};

/* The first number of one of our MSRs; 0 if it does not exist here. */
static u32 symbiotic_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	unsigned int i;

	if (!vcpu->arch.symbiotic)
		return 0;

	for (i = 0; i < ARRAY_SIZE(symbiotic_msrs); i++)
		if ((msr == symbiotic_msrs[i].msr || msr == symbiotic_msrs[i].alias) &&
		    (vcpu->kvm->arch.symbiotic->offered & symbiotic_msrs[i].features))
			return symbiotic_msrs[i].msr;
	return 0;
}

/*
 * Where one of the SYMB_MSR_SYMCALL_* is. NULL for one that abi.h lists and nothing
 * here knows: it is refused.
 */
static u64 *symbiotic_symcall_msr(struct kvm_vcpu_symbiotic *symb, u32 msr)
{
	switch (msr) {
	case SYMB_MSR_SYMCALL_RIP:
		return &symb->rip;
	case SYMB_MSR_SYMCALL_RSP:
		return &symb->rsp;
	case SYMB_MSR_SYMCALL_CS:
		return &symb->cs;
	case SYMB_MSR_SYMCALL_GS:
		return &symb->gs;
	case SYMB_MSR_SYMCALL_FS:
		return &symb->fs;
	default:
		WARN_ONCE(1, "MSR 0x%x has no place\n", msr);
		return NULL;
	}
}

/**
 * kvm_symbiotic_get_msr - read an MSR that KVM proper does not know
 * @vcpu: the vCPU
 * @msr_info: which; takes the value
 *
 * Return: 0; 1 for #GP; or KVM_MSR_RET_UNSUPPORTED.
 */
int kvm_symbiotic_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	u32 msr = symbiotic_msr(vcpu, msr_info->index);
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	u64 *reg;

	switch (msr) {
	case 0:
		return KVM_MSR_RET_UNSUPPORTED;
	case SYMB_MSR_FEATURES:
		msr_info->data = READ_ONCE(vm->accepted);
		return 0;
	case SYMB_MSR_GLOBAL_PAGE:
		msr_info->data = READ_ONCE(vm->global_gpa);
		return 0;
	case SYMB_MSR_LOCAL_PAGE:
		msr_info->data = symb->local_gpa;
		return 0;
	case SYMB_MSR_DMA_ACK:
		msr_info->data = READ_ONCE(vm->dma_ack);
		return 0;
	default:
		reg = symbiotic_symcall_msr(symb, msr);
		if (!reg)
			return 1;
		msr_info->data = *reg;
		return 0;
	}
}

/*
 * User space owns the pages and resets the machine by setting each register,
 * so from there comes nothing but 0.
 */
static int symbiotic_set_msr_host(struct kvm_vcpu *vcpu, u32 msr, u64 data)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u64 *reg;

	if (data)
		return 1;

	switch (msr) {
	case SYMB_MSR_FEATURES:
		kvm_symbiotic_set_features(vcpu, 0);
		kvm_symdma_reset(vcpu);
		break;
	case SYMB_MSR_DMA_ACK:
		kvm_symdma_reset(vcpu);
		break;
	case SYMB_MSR_GLOBAL_PAGE:
	case SYMB_MSR_LOCAL_PAGE:
		kvm_symspy_set_page(vcpu, msr, 0);
		break;
	case SYMB_MSR_SYMCALL_RIP:
		/*
		 * The registers are user space's now: nothing to restore or to
		 * complete, and its own call needs no answer.
		 */
		symb->asking = false;
		symb->telling = false;
		kvm_symcall_forget(vcpu);
		symb->user.state = KVM_SYMCALL_USER_IDLE;
		kvm_swapbypass_vcpu_reset(vcpu);
		symb->rip = 0;
		symb->dead = false;
		symb->warned = false;
		kvm_symspy_write_flags(vcpu);
		break;
	default:
		reg = symbiotic_symcall_msr(symb, msr);
		if (!reg)
			return 1;
		*reg = 0;
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
	u64 *reg;

	if (!msr)
		return KVM_MSR_RET_UNSUPPORTED;

	if (msr_info->host_initiated)
		return symbiotic_set_msr_host(vcpu, msr, data);

	switch (msr) {
	case SYMB_MSR_FEATURES:
		return kvm_symbiotic_set_features(vcpu, data);

	case SYMB_MSR_GLOBAL_PAGE:
	case SYMB_MSR_LOCAL_PAGE:
		if (!kvm_symspy_gpa_valid(vcpu, msr, data))
			return 1;
		symb->msr = msr;
		symb->msr_data = data;
		return KVM_MSR_RET_SYMBIOTIC;

	case SYMB_MSR_DMA_ACK:
		return data >> 32 ? 1 : kvm_symdma_ack(vcpu, data);

	case SYMB_MSR_SYMCALL_CS:
		/* In the GDT, RPL 0, not null, and SS = CS + 8 exists. */
		if ((data & 7) || !data || data + 8 > 0xffff)
			return 1;
		break;

	default:
		if (is_noncanonical_address(data, vcpu, 0))
			return 1;
		break;
	}

	reg = symbiotic_symcall_msr(symb, msr);
	if (!reg)
		return 1;
	*reg = data;
	if (msr == SYMB_MSR_SYMCALL_RIP)
		symb->dead = false;
	kvm_symspy_write_flags(vcpu);
	return 0;
}
