// SPDX-License-Identifier: GPL-2.0
/*
 * Passthrough devices without an IOMMU: the guest's memory stays where it is and
 * user space is told where that is; the guest acknowledges that it knows it, and
 * can withdraw.
 */
#include <linux/capability.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../x86.h"
#include "symbiotic.h"

/* ---- Memory that stays --------------------------------------------------- */

/*
 * VFIO pins nothing where there is no IOMMU, and what user space pins by itself
 * (mlock, an open hugetlbfs file) is gone with the process, possibly before the
 * device is stopped. A VFIO device that is part of a VM holds a reference to
 * the VM until after it was stopped, so memory that is given back with the last
 * reference to the VM is always given back late enough.
 */

/* More pieces than that make no sense: the guest's table is much smaller. */
#define SYMDMA_EXTENTS_MAX	64
#define SYMDMA_BATCH		(PAGE_SIZE / sizeof(struct page *))

struct symdma_extent {
	struct page *page;
	unsigned long npages;
};

/**
 * struct symdma_pinned - one KVM_SYMDMA_PIN
 * @node: in kvm_symbiotic.pinned
 * @npages: pages in all extents
 * @nr: extents in use
 * @extents: contiguous in host memory
 */
struct symdma_pinned {
	struct list_head node;
	unsigned long npages;
	unsigned int nr;
	struct symdma_extent extents[SYMDMA_EXTENTS_MAX];
};

static void symdma_unpin(struct symdma_pinned *p)
{
	unsigned int i;

	/* Devices may have written to any of them. */
	for (i = 0; i < p->nr; i++)
		unpin_user_page_range_dirty_lock(p->extents[i].page,
						 p->extents[i].npages, true);
}

static int symdma_add_page(struct symdma_pinned *p, struct page *page, unsigned int max)
{
	struct symdma_extent *last = p->nr ? &p->extents[p->nr - 1] : NULL;

	if (last && page_to_pfn(page) == page_to_pfn(last->page) + last->npages) {
		last->npages++;
	} else {
		if (p->nr == max)
			return -E2BIG;
		p->extents[p->nr].page = page;
		p->extents[p->nr++].npages = 1;
	}
	p->npages++;
	return 0;
}

static int symdma_pin_pages(struct symdma_pinned *p, unsigned long addr,
			    unsigned long npages, unsigned int max)
{
	struct page **pages;
	int ret = 0;

	pages = (struct page **)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;

	while (npages && !ret) {
		int i, n = min(npages, SYMDMA_BATCH);

		n = pin_user_pages_fast(addr, n, FOLL_WRITE | FOLL_LONGTERM,
					pages);
		if (n <= 0) {
			ret = n ?: -EFAULT;
			break;
		}
		for (i = 0; i < n && !ret; i++) {
			ret = symdma_add_page(p, pages[i], max);
			if (ret)
				unpin_user_pages(pages + i, n - i);
		}
		addr += n * PAGE_SIZE;
		npages -= n;
		if (fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}

	free_page((unsigned long)pages);
	return ret;
}

static int symdma_copy_extents(struct kvm_symdma_extent __user *to,
			       const struct symdma_pinned *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		struct kvm_symdma_extent e = {
			.phys = page_to_phys(p->extents[i].page),
			.size = (u64)p->extents[i].npages << PAGE_SHIFT,
		};

		if (copy_to_user(&to[i], &e, sizeof(e)))
			return -EFAULT;
	}
	return 0;
}

/**
 * kvm_symdma_pin - KVM_SYMDMA_PIN
 * @kvm: the VM
 * @arg: what to pin; takes the pieces that it consists of
 *
 * Context: takes kvm->lock, kvm->arch.symbiotic->lock and mmap_lock.
 * Return: 0; -EPERM without CAP_SYS_RAWIO, which VFIO wants, too, where there
 * is no IOMMU; -ENOTTY if the VM is not offered SYMB_FEAT_DMA_OFFSET; -E2BIG
 * if there are more pieces than user space has room for; -EINVAL, -EFAULT,
 * -EINTR, -ENOMEM.
 */
long kvm_symdma_pin(struct kvm *kvm, struct kvm_symdma_pin __user *arg)
{
	struct kvm_symbiotic *symb;
	struct kvm_symdma_pin a;
	struct symdma_pinned *p;
	long ret;

	/* If it is there, it stays as it is, see kvm_symbiotic_enable(). */
	mutex_lock(&kvm->lock);
	symb = kvm->arch.symbiotic;
	mutex_unlock(&kvm->lock);

	if (!symb || !(symb->offered & SYMB_FEAT_DMA_OFFSET))
		return -ENOTTY;
	/* Who may know physical addresses may use them. */
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!PAGE_ALIGNED(a.addr | a.size) || !a.size || a.pad ||
	    a.addr + a.size < a.addr || !a.nr)
		return -EINVAL;
	if (kvm->mm != current->mm)
		return -EIO;

	p = kvzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	ret = account_locked_vm(kvm->mm, a.size >> PAGE_SHIFT, true);
	if (ret)
		goto err_free;
	ret = symdma_pin_pages(p, a.addr, a.size >> PAGE_SHIFT,
			       min_t(u32, a.nr, SYMDMA_EXTENTS_MAX));
	if (ret)
		goto err_unpin;
	ret = symdma_copy_extents(u64_to_user_ptr(a.extents), p);
	if (ret)
		goto err_unpin;
	if (put_user(p->nr, &arg->nr)) {
		ret = -EFAULT;
		goto err_unpin;
	}

	mutex_lock(&symb->lock);
	list_add(&p->node, &symb->pinned);
	mutex_unlock(&symb->lock);
	return 0;

err_unpin:
	symdma_unpin(p);
	account_locked_vm(kvm->mm, a.size >> PAGE_SHIFT, false);
err_free:
	kvfree(p);
	return ret;
}

/**
 * kvm_symdma_unpin_all - give the memory back
 * @kvm: the VM, on its way out: no device of it is left
 */
void kvm_symdma_unpin_all(struct kvm *kvm)
{
	struct kvm_symbiotic *symb = kvm->arch.symbiotic;
	struct symdma_pinned *p, *next;

	list_for_each_entry_safe(p, next, &symb->pinned, node) {
		symdma_unpin(p);
		account_locked_vm(kvm->mm, p->npages, false);
		list_del(&p->node);
		kvfree(p);
	}
}

/* ---- The acknowledgment --------------------------------------------------- */

/*
 * User space lets devices master the bus while it is asked about an
 * acknowledgment, and other vCPUs, or the reset of one, can withdraw at any
 * time meanwhile. So a withdrawal voids all questions of before, and user space
 * hears of each, also if KVM knows of no acknowledgment: the last word is one
 * of KVM's that no device may go on.
 */

/**
 * __kvm_symdma_withdraw - there is no acknowledgment from now on
 * @vcpu: the vCPU, which tells user space before it runs on
 *
 * Context: kvm->arch.symbiotic->lock held.
 */
void __kvm_symdma_withdraw(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	lockdep_assert_held(&vm->lock);

	WRITE_ONCE(vm->dma_ack, 0);
	symb->dma_epoch = ++vm->dma_epoch;
	symb->work |= KVM_SYMBIOTIC_WORK_DMA_OFF;
}

/**
 * kvm_symdma_withdraw - the same, by who does not hold the lock
 * @vcpu: the vCPU
 */
void kvm_symdma_withdraw(struct kvm_vcpu *vcpu)
{
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	mutex_lock(&vm->lock);
	__kvm_symdma_withdraw(vcpu);
	mutex_unlock(&vm->lock);
}

/**
 * kvm_symdma_ack - the guest writes SYMB_MSR_DMA_ACK
 * @vcpu: the vCPU
 * @generation: what it writes
 *
 * Return: as kvm_symbiotic_set_msr().
 */
int kvm_symdma_ack(struct kvm_vcpu *vcpu, u32 generation)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	int r = 1;

	mutex_lock(&vm->lock);
	if (!generation) {
		__kvm_symdma_withdraw(vcpu);
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

/**
 * kvm_symdma_agreed - user space has agreed to a generation
 * @vcpu: the vCPU that has asked
 *
 * Return: false if it was asked in vain.
 */
bool kvm_symdma_agreed(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;
	bool valid;

	mutex_lock(&vm->lock);
	valid = symb->dma_epoch == vm->dma_epoch;
	if (valid)
		WRITE_ONCE(vm->dma_ack, symb->msr_data);
	else if (!vm->dma_ack)
		__kvm_symdma_withdraw(vcpu);
	mutex_unlock(&vm->lock);
	return valid;
}

/**
 * kvm_symdma_untold - whether user space still has to hear of a withdrawal
 * @vcpu: the vCPU that has withdrawn
 */
bool kvm_symdma_untold(struct kvm_vcpu *vcpu)
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

/**
 * kvm_symdma_reset - user space withdraws by itself, for a reset
 * @vcpu: any vCPU
 */
void kvm_symdma_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_symbiotic *vm = vcpu->kvm->arch.symbiotic;

	mutex_lock(&vm->lock);
	__kvm_symdma_withdraw(vcpu);
	vm->dma_told = vm->dma_epoch;
	mutex_unlock(&vm->lock);
	vcpu->arch.symbiotic->work &= ~KVM_SYMBIOTIC_WORK_DMA_OFF;
}
