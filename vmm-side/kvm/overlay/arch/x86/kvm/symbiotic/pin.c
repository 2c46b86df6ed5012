// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory for passthrough devices without an IOMMU: pin it, and tell user
 * space where in host memory it lies.
 *
 * VFIO pins nothing where there is no IOMMU, and what user space pins by itself
 * (mlock, an open hugetlbfs file) is gone with the process, possibly before the
 * device is stopped. A VFIO device that is part of a VM holds a reference to
 * the VM until after it was stopped, so memory that is given back with the last
 * reference to the VM is always given back late enough.
 */
#include <linux/capability.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "symbiotic.h"

/* More pieces than that make no sense: the guest's table is much smaller. */
#define PIN_EXTENTS_MAX		64
#define PIN_BATCH		(PAGE_SIZE / sizeof(struct page *))

struct pin_extent {
	struct page *page;
	unsigned long npages;
};

/**
 * struct pinned - one KVM_SYMB_PIN
 * @node: in kvm_symbiotic.pinned
 * @npages: pages in all extents
 * @nr: extents in use
 * @extents: contiguous in host memory
 */
struct pinned {
	struct list_head node;
	unsigned long npages;
	unsigned int nr;
	struct pin_extent extents[PIN_EXTENTS_MAX];
};

static void unpin(struct pinned *p)
{
	unsigned int i;

	/* Devices may have written to any of them. */
	for (i = 0; i < p->nr; i++)
		unpin_user_page_range_dirty_lock(p->extents[i].page,
						 p->extents[i].npages, true);
}

static int add_page(struct pinned *p, struct page *page, unsigned int max)
{
	struct pin_extent *last = p->nr ? &p->extents[p->nr - 1] : NULL;

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

static int pin_pages(struct pinned *p, unsigned long addr,
		     unsigned long npages, unsigned int max)
{
	struct page **pages;
	int ret = 0;

	pages = (struct page **)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;

	while (npages && !ret) {
		int i, n = min(npages, PIN_BATCH);

		n = pin_user_pages_fast(addr, n, FOLL_WRITE | FOLL_LONGTERM,
					pages);
		if (n <= 0) {
			ret = n ?: -EFAULT;
			break;
		}
		for (i = 0; i < n && !ret; i++) {
			ret = add_page(p, pages[i], max);
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

static int copy_extents(struct kvm_symb_extent __user *to,
			const struct pinned *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		struct kvm_symb_extent e = {
			.phys = page_to_phys(p->extents[i].page),
			.size = (u64)p->extents[i].npages << PAGE_SHIFT,
		};

		if (copy_to_user(&to[i], &e, sizeof(e)))
			return -EFAULT;
	}
	return 0;
}

/**
 * kvm_symb_pin - KVM_SYMB_PIN
 * @kvm: the VM
 * @arg: what to pin; takes the pieces that it consists of
 *
 * Context: takes kvm->lock, kvm->arch.symbiotic->lock and mmap_lock.
 * Return: 0; -EPERM without CAP_SYS_RAWIO, which VFIO wants, too, where there
 * is no IOMMU; -ENOTTY if the VM is not offered SYMB_FEAT_DMA_OFFSET; -E2BIG
 * if there are more pieces than user space has room for; -EINVAL, -EFAULT,
 * -EINTR, -ENOMEM.
 */
long kvm_symb_pin(struct kvm *kvm, struct kvm_symb_pin __user *arg)
{
	struct kvm_symbiotic *symb;
	struct kvm_symb_pin a;
	struct pinned *p;
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
	ret = pin_pages(p, a.addr, a.size >> PAGE_SHIFT,
			min_t(u32, a.nr, PIN_EXTENTS_MAX));
	if (ret)
		goto err_unpin;
	ret = copy_extents(u64_to_user_ptr(a.extents), p);
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
	unpin(p);
	account_locked_vm(kvm->mm, a.size >> PAGE_SHIFT, false);
err_free:
	kvfree(p);
	return ret;
}

/**
 * kvm_symb_unpin_all - give the memory back
 * @kvm: the VM, on its way out: no device of it is left
 */
void kvm_symb_unpin_all(struct kvm *kvm)
{
	struct kvm_symbiotic *symb = kvm->arch.symbiotic;
	struct pinned *p, *next;

	list_for_each_entry_safe(p, next, &symb->pinned, node) {
		unpin(p);
		account_locked_vm(kvm->mm, p->npages, false);
		list_del(&p->node);
		kvfree(p);
	}
}
