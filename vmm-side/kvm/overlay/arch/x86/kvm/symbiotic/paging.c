// SPDX-License-Identifier: GPL-2.0
/*
 * The paging mode of a VM, nested or shadow, which changes while it runs.
 *
 * The modules of a host have one mode (npt=, ept=), and so have all VMs but those
 * for which user space has enabled KVM_CAP_SYMBIOTIC_PAGING. These need hardware
 * with nested paging: it is what they fall back on.
 *
 * Whether translations are two-dimensional is asked of the vCPU (kvm_vcpu_tdp()),
 * which follows the VM's mode by a request, each for itself. Meanwhile there are
 * vCPUs of both kinds, as there have always been in a VM with nested guests. What
 * can tell them apart is the role of a root: TDP roots have role.tdp. TDP roots and
 * shadow pages are both kept right by whatever changes memory, but only the former
 * stay when they are not in use, see kvm_paging_mmu_zap_shadow().
 *
 * A vCPU in SMM has nested paging, for that short time, and VT-x has more of such
 * (vmx_paging_nested_only()). Nothing else that the guest does keeps a vCPU from
 * following, symcalls for example, or on AMD-V paging that is off. But shadow paging
 * has no nested guests and no protection keys. A vCPU with EFER.SVME, CR4.VMXE or
 * CR4.PKE holds the VM in nested paging, at once: it follows before it executes an
 * instruction with that bit.
 *
 * A vCPU begins with nested paging, and looks at what it has to have when others
 * can find it, so that it misses no change.
 */
#include <linux/eventfd.h>
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/seq_file.h>

#include "../kvm_cache_regs.h"
#include "../mmu.h"
#include "../smm.h"
#include "../x86.h"
#include "paging.h"
#include "rules.h"
#include "symbiotic.h"

#define CREATE_TRACE_POINTS
#include "paging_trace.h"

static const char *paging_name(u32 mode)
{
	return mode == KVM_SYMB_PAGING_NESTED ? "nested" : "shadow";
}

/* NULL, or there as long as the VM is. */
static struct kvm_paging *paging_find(struct kvm *kvm)
{
	struct kvm_paging *paging;

	mutex_lock(&kvm->lock);
	paging = kvm->arch.paging;
	mutex_unlock(&kvm->lock);
	return paging;
}

/* ---- The VM's mode ------------------------------------------------------- */

/*
 * Make the mode what it has to be. Mode, generation and request belong together: a
 * page fault that is handled under the next hold of mmu_lock knows of the change.
 * When the request has been made, no vCPU executes an instruction in the old mode
 * any more.
 *
 * Return: whether the mode has changed; then paging_tell(), without mmu_lock.
 */
static bool paging_update(struct kvm *kvm)
{
	struct kvm_paging *paging = kvm->arch.paging;
	u32 mode = paging->holders ? KVM_SYMB_PAGING_NESTED : paging->wanted;

	lockdep_assert_held_write(&kvm->mmu_lock);

	if (mode == paging->mode)
		return false;

	WRITE_ONCE(paging->mode, mode);
	WRITE_ONCE(paging->zap, mode == KVM_SYMB_PAGING_NESTED);
	paging->generation++;
	++kvm->stat.paging_switches;
	kvm->stat.paging_shadow = mode == KVM_SYMB_PAGING_SHADOW;
	trace_kvm_paging_mode(mode, paging->generation, paging->wanted, paging->holders);
	kvm_make_all_cpus_request(kvm, KVM_REQ_PAGING);
	return true;
}

static void paging_tell(struct kvm_paging *paging)
{
	if (paging->eventfd)
		eventfd_signal(paging->eventfd);
}

static void paging_zap(struct kvm *kvm)
{
	struct kvm_paging *paging = kvm->arch.paging;

	lockdep_assert_held_write(&kvm->mmu_lock);

	if (!paging->zap)
		return;
	WRITE_ONCE(paging->zap, false);
	kvm_paging_mmu_zap_shadow(kvm);
}

static int paging_set(struct kvm *kvm, u32 mode, bool wait)
{
	struct kvm_paging *paging = paging_find(kvm);
	bool changed = false;
	int r = 0;

	if (!paging)
		return -EOPNOTSUPP;

	mutex_lock(&kvm->slots_lock);
	if (mode == KVM_SYMB_PAGING_SHADOW) {
		r = kvm_paging_mmu_prepare_shadow(kvm);
		if (r)
			goto unlock;
	}

	write_lock(&kvm->mmu_lock);
	if (mode == KVM_SYMB_PAGING_SHADOW && paging->holders && !wait) {
		r = -EBUSY;
	} else {
		paging->wanted = mode;
		changed = paging_update(kvm);
		paging_zap(kvm);
	}
	write_unlock(&kvm->mmu_lock);
	if (changed)
		paging_tell(paging);
unlock:
	mutex_unlock(&kvm->slots_lock);
	return r;
}

static void paging_get(struct kvm *kvm, struct kvm_symb_paging *get)
{
	struct kvm_paging *paging = paging_find(kvm);

	memset(get, 0, sizeof(*get));
	if (!paging) {
		get->mode = tdp_enabled ? KVM_SYMB_PAGING_NESTED : KVM_SYMB_PAGING_SHADOW;
		return;
	}

	read_lock(&kvm->mmu_lock);
	get->mode = paging->mode;
	get->generation = paging->generation;
	if (paging->wanted != paging->mode)
		get->flags = KVM_SYMB_PAGING_PENDING;
	read_unlock(&kvm->mmu_lock);
}

/* ---- A vCPU ---------------------------------------------------------------- */

/*
 * What the guest has switched on for longer. SMM clears these bits and RSM sets them
 * again; a nested guest that SMM has interrupted goes on then.
 */
static bool paging_needs_nested(struct kvm_vcpu *vcpu)
{
	return (vcpu->arch.efer & EFER_SVME) || is_guest_mode(vcpu) ||
	       kvm_is_cr4_bit_set(vcpu, X86_CR4_VMXE) ||
	       kvm_is_cr4_bit_set(vcpu, X86_CR4_PKE) ||
	       (is_smm(vcpu) && vcpu->arch.holds_tdp);
}

static void paging_hold(struct kvm_vcpu *vcpu, bool hold)
{
	struct kvm *kvm = vcpu->kvm;
	bool changed;

	if (hold == vcpu->arch.holds_tdp)
		return;

	write_lock(&kvm->mmu_lock);
	vcpu->arch.holds_tdp = hold;
	kvm->arch.paging->holders += hold ? 1 : -1;
	changed = paging_update(kvm);
	write_unlock(&kvm->mmu_lock);
	if (changed)
		paging_tell(kvm->arch.paging);
}

static void paging_take(struct kvm_vcpu *vcpu, bool tdp)
{
	if (tdp == vcpu->arch.tdp)
		return;

	/*
	 * Shadow paging has the PDPTRs in software. If there are none that the
	 * processor would take, the guest has nothing mapped.
	 */
	if (!tdp && is_pae_paging(vcpu) && kvm_rule(KVM_PAGING_RULE_PDPTR) &&
	    !kvm_register_is_available(vcpu, VCPU_EXREG_PDPTR)) {
		memset(vcpu->arch.mmu->pdptrs, 0, sizeof(vcpu->arch.mmu->pdptrs));
		kvm_pdptr_read(vcpu, 0);
	}

	/* By their role, roots are freed as what they are. */
	kvm_mmu_unload(vcpu);
	kvm_x86_call(paging_take)(vcpu, tdp);
	kvm_init_mmu(vcpu);

	/* An address of the other kind. */
	vcpu->arch.last_retry_eip = 0;
	vcpu->arch.last_retry_addr = 0;

	++vcpu->stat.paging_follows;
	trace_kvm_paging_follow(vcpu->vcpu_id, tdp ? KVM_SYMB_PAGING_NESTED :
						     KVM_SYMB_PAGING_SHADOW);
}

/**
 * kvm_paging_follow - KVM_REQ_PAGING: the VM's mode has changed, or what holds it
 * @vcpu: the vCPU, between two instructions
 *
 * The root of the new mode is loaded, and TLBs are flushed, by kvm_mmu_reload().
 *
 * Context: the vCPU's thread, vCPU loaded, kvm->srcu held for reading, but not
 * throughout: whoever changes memory slots has slots_lock and waits for readers.
 */
void kvm_paging_follow(struct kvm_vcpu *vcpu)
{
	struct kvm_paging *paging = vcpu->kvm->arch.paging;
	struct kvm *kvm = vcpu->kvm;
	bool tdp;

	paging_hold(vcpu, paging_needs_nested(vcpu));
	tdp = READ_ONCE(paging->mode) == KVM_SYMB_PAGING_NESTED;
	tdp |= is_smm(vcpu) && kvm_rule(KVM_PAGING_RULE_SMM);
	paging_take(vcpu, tdp || kvm_x86_call(paging_nested_only)(vcpu));

	/* A vCPU has changed the mode, perhaps this one. */
	if (unlikely(READ_ONCE(paging->zap))) {
		kvm_vcpu_srcu_read_unlock(vcpu);
		mutex_lock(&kvm->slots_lock);
		write_lock(&kvm->mmu_lock);
		paging_zap(kvm);
		write_unlock(&kvm->mmu_lock);
		mutex_unlock(&kvm->slots_lock);
		kvm_vcpu_srcu_read_lock(vcpu);
	}
}

/**
 * kvm_paging_created - others can find the vCPU
 * @vcpu: the vCPU, which has nested paging so far, whatever the mode has become
 */
void kvm_paging_created(struct kvm_vcpu *vcpu)
{
	if (kvm_rule(KVM_PAGING_RULE_LATE))
		kvm_paging_recheck(vcpu);
}

/**
 * kvm_paging_settle - user space has set registers, and has more to set
 * @vcpu: the vCPU, which has the mode that they need after this
 *
 * Context: the vCPU's thread, vCPU loaded, kvm->srcu not held.
 */
void kvm_paging_settle(struct kvm_vcpu *vcpu)
{
	if (!kvm_paging_switchable(vcpu->kvm))
		return;

	kvm_vcpu_srcu_read_lock(vcpu);
	kvm_paging_follow(vcpu);
	kvm_vcpu_srcu_read_unlock(vcpu);
}

/**
 * kvm_paging_require_nested - what the vCPU is about to do needs nested paging
 * @vcpu: the vCPU; it has nested paging after this, and before its next instruction
 *	it is looked at again, with all of its state in place
 *
 * Context: the vCPU's thread, vCPU loaded.
 */
void kvm_paging_require_nested(struct kvm_vcpu *vcpu)
{
	if (likely(!kvm_paging_switchable(vcpu->kvm)))
		return;

	paging_take(vcpu, true);
	kvm_paging_recheck(vcpu);
}
EXPORT_SYMBOL_GPL(kvm_paging_require_nested);

/* ---- Life cycle ------------------------------------------------------------ */

/**
 * kvm_paging_supported - what KVM_CHECK_EXTENSION(KVM_CAP_SYMBIOTIC_PAGING) returns
 * @kvm: the VM; NULL for any
 *
 * Return: mask of KVM_SYMB_PAGING_* between which it could switch; 0 = none.
 */
u32 kvm_paging_supported(struct kvm *kvm)
{
	if (!kvm_symbiotic_supported(NULL) ||
	    (kvm && kvm->arch.vm_type != KVM_X86_DEFAULT_VM) ||
	    !kvm_x86_call(paging_may_switch)(kvm))
		return 0;
	return KVM_SYMB_PAGING_NESTED | KVM_SYMB_PAGING_SHADOW;
}

static int paging_make(struct kvm *kvm, u32 mode, struct eventfd_ctx *eventfd)
{
	struct kvm_paging *paging;
	int r = 0;

	paging = kzalloc(sizeof(*paging), GFP_KERNEL_ACCOUNT);
	if (!paging)
		return -ENOMEM;

	if (mode == KVM_SYMB_PAGING_SHADOW) {
		mutex_lock(&kvm->slots_lock);
		r = kvm_paging_mmu_prepare_shadow(kvm);
		mutex_unlock(&kvm->slots_lock);
	}
	if (r) {
		kfree(paging);
		return r;
	}

	paging->mode = mode;
	paging->wanted = mode;
	paging->eventfd = eventfd;
	kvm->arch.paging = paging;
	kvm->stat.paging_shadow = mode == KVM_SYMB_PAGING_SHADOW;

	/* AVIC needs NPT. */
	kvm_set_apicv_inhibit(kvm, APICV_INHIBIT_REASON_DISABLED);
	return 0;
}

/**
 * kvm_paging_enable - KVM_ENABLE_CAP(KVM_CAP_SYMBIOTIC_PAGING)
 * @kvm: the VM
 * @cap: see linux/kvm_symbiotic.h
 *
 * Context: takes kvm->lock.
 * Return: 0, -EINVAL, -EOPNOTSUPP, -EBUSY if there are vCPUs already or the VM may
 * switch, -EBADF if there is no such eventfd, -ENOMEM.
 */
int kvm_paging_enable(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	struct eventfd_ctx *eventfd = NULL;
	u64 mode = cap->args[0];
	int r;

	if ((mode != KVM_SYMB_PAGING_NESTED && mode != KVM_SYMB_PAGING_SHADOW) ||
	    (cap->args[1] & ~(u64)KVM_SYMB_PAGING_EVENTFD) || cap->args[3] ||
	    (!cap->args[1] && cap->args[2]))
		return -EINVAL;

	if (cap->args[1]) {
		if (cap->args[2] > INT_MAX)
			return -EBADF;
		eventfd = eventfd_ctx_fdget(cap->args[2]);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}

	mutex_lock(&kvm->lock);
	if (!kvm_paging_supported(kvm))
		r = -EOPNOTSUPP;
	else if (kvm->created_vcpus || kvm->arch.paging)
		r = -EBUSY;
	else
		r = paging_make(kvm, mode, eventfd);
	mutex_unlock(&kvm->lock);

	if (r && eventfd)
		eventfd_ctx_put(eventfd);
	return r;
}

/**
 * kvm_paging_destroy - free what kvm_paging_enable() has allocated
 * @kvm: the VM, without vCPUs
 */
void kvm_paging_destroy(struct kvm *kvm)
{
	struct kvm_paging *paging = kvm->arch.paging;

	if (!paging)
		return;

	kvm->arch.paging = NULL;
	if (paging->eventfd)
		eventfd_ctx_put(paging->eventfd);
	kfree(paging);
}

/* ---- User interface --------------------------------------------------------- */

/**
 * kvm_paging_ioctl_set - KVM_SYMB_SET_PAGING
 * @kvm: the VM
 * @arg: see linux/kvm_symbiotic.h
 */
long kvm_paging_ioctl_set(struct kvm *kvm, const struct kvm_symb_paging __user *arg)
{
	struct kvm_symb_paging set;

	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	if ((set.mode != KVM_SYMB_PAGING_NESTED && set.mode != KVM_SYMB_PAGING_SHADOW) ||
	    (set.flags & ~KVM_SYMB_PAGING_WAIT) || set.generation || set.pad[0] ||
	    set.pad[1])
		return -EINVAL;
	return paging_set(kvm, set.mode, set.flags & KVM_SYMB_PAGING_WAIT);
}

/**
 * kvm_paging_ioctl_get - KVM_SYMB_GET_PAGING
 * @kvm: the VM
 * @arg: see linux/kvm_symbiotic.h
 */
long kvm_paging_ioctl_get(struct kvm *kvm, struct kvm_symb_paging __user *arg)
{
	struct kvm_symb_paging get;

	paging_get(kvm, &get);
	return copy_to_user(arg, &get, sizeof(get)) ? -EFAULT : 0;
}

static int paging_mode_show(struct seq_file *m, void *v)
{
	struct kvm_symb_paging get;

	paging_get(m->private, &get);
	seq_printf(m, "%s%s\n", paging_name(get.mode),
		   get.flags & KVM_SYMB_PAGING_PENDING ? " (shadow pending)" : "");
	return 0;
}

static int paging_mode_open(struct inode *inode, struct file *file)
{
	return kvm_symbiotic_open_debugfs(inode, file, paging_mode_show);
}

static ssize_t paging_mode_write(struct file *file, const char __user *ubuf,
				 size_t len, loff_t *pos)
{
	struct kvm *kvm = ((struct seq_file *)file->private_data)->private;
	char buf[16] = {};
	u32 mode;
	int r;

	if (!len || len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;

	if (sysfs_streq(buf, "nested"))
		mode = KVM_SYMB_PAGING_NESTED;
	else if (sysfs_streq(buf, "shadow"))
		mode = KVM_SYMB_PAGING_SHADOW;
	else
		return -EINVAL;

	r = paging_set(kvm, mode, false);
	return r ?: len;
}

static const struct file_operations paging_mode_fops = {
	.owner		= THIS_MODULE,
	.open		= paging_mode_open,
	.read		= seq_read,
	.write		= paging_mode_write,
	.llseek		= seq_lseek,
	.release	= kvm_symbiotic_release_debugfs,
};

/**
 * kvm_paging_create_debugfs - create the VM's paging_mode file
 * @kvm: the VM
 */
void kvm_paging_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("paging_mode", 0644, kvm->debugfs_dentry, kvm,
			    &paging_mode_fops);
}
