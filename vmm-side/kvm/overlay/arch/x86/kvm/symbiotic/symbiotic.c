// SPDX-License-Identifier: GPL-2.0
/*
 * Symbiotic virtualization: what a VM is offered and its guest accepts, from the
 * VM's creation over resets to its end; what the run loop has to look after; and
 * which hypercall is whose.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>

#include "../kvm_cache_regs.h"
#include "../x86.h"
#include "paging.h"
#include "swapbypass.h"
#include "symbiotic.h"

static_assert(sizeof(struct kvm_symbiotic_memory_fault) ==
	      sizeof(((struct kvm_run *)0)->memory_fault));

static bool __read_mostly symbiotic = true;
module_param(symbiotic, bool, 0444);

/* ---- Life cycle ---------------------------------------------------------- */

/**
 * kvm_symbiotic_supported - what KVM_CHECK_EXTENSION(KVM_CAP_SYMBIOTIC) returns
 * @kvm: the VM; NULL for any
 *
 * Return: SYMB_FEAT_* that may be offered to it; 0 = none.
 */
u32 kvm_symbiotic_supported(struct kvm *kvm)
{
	if (!symbiotic)
		return 0;
	/* With two-dimensional paging KVM sees no page faults of the guest. */
	if (kvm ? kvm_may_shadow(kvm) : !tdp_enabled)
		return SYMB_FEAT_ALL;
	return SYMB_FEAT_ALL & ~SYMB_FEAT_SWAPBYPASS;
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

	if (!symbiotic || cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;

	mutex_lock(&kvm->lock);
	if (cap->args[0] & ~(u64)kvm_symbiotic_supported(kvm)) {
		r = -EINVAL;
		goto unlock;
	}
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
	kvm_symdma_unpin_all(kvm);
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

	/* Until it can follow, see paging.c. */
	vcpu->arch.tdp = tdp_enabled;
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
	 * know that a symcall must not be interrupted. The vCPU has not run yet,
	 * and nothing in KVM takes this reason back.
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

/* ---- Files in the VM's directory in debugfs ------------------------------- */

/**
 * kvm_symbiotic_open_debugfs - open() of a file of a VM
 * @inode: the file; i_private is the VM
 * @file: what is being opened; it keeps the VM
 * @show: as single_open() wants it, with the VM in seq_file.private
 *
 * Return: 0 or -errno.
 */
int kvm_symbiotic_open_debugfs(struct inode *inode, struct file *file,
			       int (*show)(struct seq_file *, void *))
{
	struct kvm *kvm = inode->i_private;
	int r;

	if (!kvm_get_kvm_safe(kvm))
		return -ENOENT;

	r = single_open(file, show, kvm);
	if (r)
		kvm_put_kvm(kvm);
	return r;
}

/**
 * kvm_symbiotic_release_debugfs - its release()
 * @inode: the file
 * @file: what was open
 */
int kvm_symbiotic_release_debugfs(struct inode *inode, struct file *file)
{
	kvm_put_kvm(inode->i_private);
	return single_release(inode, file);
}

/* ---- Features ------------------------------------------------------------ */

/**
 * kvm_symbiotic_set_features - the guest accepts features, and withdraws others
 * @vcpu: the vCPU
 * @features: SYMB_FEAT_* that are accepted from now on
 *
 * Return: 0; 1 for #GP, with nothing changed.
 */
int kvm_symbiotic_set_features(struct kvm_vcpu *vcpu, u64 features)
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
		__kvm_symdma_withdraw(vcpu);
	mutex_unlock(&vm->lock);
	return 0;
}

/* ---- Reset --------------------------------------------------------------- */

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

	kvm_symbiotic_unask(vcpu);
	if (symb->local_gpa)
		kvm_symspy_lose_page(vcpu, SYMB_MSR_LOCAL_PAGE);
	symb->rip = 0;
	symb->rsp = 0;
	symb->cs = 0;
	symb->gs = 0;
	symb->fs = 0;
	symb->dead = false;
	symb->warned = false;

	if (!init_event || !kvm_vcpu_is_reset_bsp(vcpu))
		return;

	kvm_symbiotic_set_features(vcpu, 0);
	if (READ_ONCE(vm->global_gpa))
		kvm_symspy_lose_page(vcpu, SYMB_MSR_GLOBAL_PAGE);
}

/* ---- Run loop and hypercalls --------------------------------------------- */

/* All but what goes with a running call. */
static noinline int symbiotic_rare_work(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	int r;

	if (symb->work & KVM_SYMBIOTIC_WORK_DROP) {
		r = kvm_swapbypass_work(vcpu);
		if (r <= 0)
			return r;
	}

	r = kvm_symbiotic_tell_user(vcpu);
	if (r > 0 && (symb->work & KVM_SYMBIOTIC_WORK_START) &&
	    !(symb->work & KVM_SYMBIOTIC_WORK_CALL))
		r = kvm_symcall_user_start(vcpu);
	return r;
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

	if (symb->work & ~KVM_SYMBIOTIC_WORK_OF_CALL) {
		r = symbiotic_rare_work(vcpu);
		if (r <= 0)
			return r;
	}
	if (symb->work & KVM_SYMBIOTIC_WORK_NEW) {
		symb->work &= ~KVM_SYMBIOTIC_WORK_NEW;
	} else if (symb->work & KVM_SYMBIOTIC_WORK_CALL) {
		r = kvm_symcall_check(vcpu);
		if (r <= 0)
			return r;
	}
	/* Last: the NMI of an abort comes before all else and looks at the page. */
	if (symb->work & KVM_SYMBIOTIC_WORK_FLAGS)
		kvm_symspy_write_flags(vcpu);
	return 1;
}

static long symbiotic_hypercall(struct kvm_vcpu *vcpu, u32 nr)
{
	switch (nr) {
	case SYMB_HC_NULL:
		if (!kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_ALL))
			return -SYMB_HC_ENOSYS;
		return 0;

	case SYMB_HC_SWAP_ATTACH:
	case SYMB_HC_SWAP_DETACH:
	case SYMB_HC_DROP_SLOTS:
	case SYMB_HC_DROP_RANGE:
		if (!kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_SWAPBYPASS))
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

static int symbiotic_user_answered(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	/* The vCPU was reset: there is no instruction any more. */
	if (!symb->telling)
		return 1;
	symb->telling = false;
	kvm_rax_write(vcpu, vcpu->run->hypercall.ret);
	return kvm_skip_emulated_instruction(vcpu);
}

/*
 * What a hypercall says of a module concerns user space alone, which has offered
 * it. User space answers as to any KVM_EXIT_HYPERCALL.
 */
static int symbiotic_module(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	vcpu->arch.symbiotic->telling = true;
	run->exit_reason = KVM_EXIT_HYPERCALL;
	memset(&run->hypercall, 0, sizeof(run->hypercall));
	run->hypercall.nr = SYMB_HC_MODULE;
	run->hypercall.args[0] = kvm_rbx_read(vcpu);
	run->hypercall.args[1] = kvm_rcx_read(vcpu);
	run->hypercall.args[2] = kvm_rdx_read(vcpu);
	run->hypercall.ret = -SYMB_HC_ENOSYS;
	vcpu->arch.complete_userspace_io = symbiotic_user_answered;
	return 0;
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

	/*
	 * While a call is active nothing else runs. But if its code lets a program
	 * run, by mistake, that may not end it with results of its own.
	 */
	if ((rax == SYMB_HC_SYMCALL_RET || rax == SYMB_HC_SYMCALL_ERR) &&
	    kvm_symcall_active(vcpu) && !kvm_x86_call(symcall_busy)(vcpu))
		return kvm_symcall_return(vcpu, rax == SYMB_HC_SYMCALL_ERR);

	if (!is_64_bit_hypercall(vcpu)) {
		ret = -SYMB_HC_ENOSYS;
		goto out;
	}
	if (kvm_x86_call(get_cpl)(vcpu)) {
		ret = -SYMB_HC_EPERM;
		goto out;
	}

	if (nr == SYMB_HC_SYMCALL_LOOP &&
	    kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_SYMCALL)) {
		if (!kvm_symcall_active(vcpu))
			return kvm_symcall_loop(vcpu);
		ret = -SYMB_HC_EBUSY;
		goto out;
	}
	if (rax >> 32) {
		ret = -SYMB_HC_ENOSYS;
		goto out;
	}
	if (nr == SYMB_HC_MODULE &&
	    kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_MODULES)) {
		if (!kvm_symcall_active(vcpu))
			return symbiotic_module(vcpu);
		ret = -SYMB_HC_EBUSY;
		goto out;
	}
	ret = symbiotic_hypercall(vcpu, nr);
out:
	kvm_rax_write(vcpu, ret);
	return kvm_skip_emulated_instruction(vcpu);
}
