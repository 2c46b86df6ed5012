/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SwapBypass in a Linux guest: the hooks that the memory manager and the swap
 * device call. The argument why these are all it takes is at the top of
 * mm/symbiotic_bypass.c.
 */
#ifndef _LINUX_SYMBIOTIC_BYPASS_H
#define _LINUX_SYMBIOTIC_BYPASS_H

#include <linux/bits.h>
#include <linux/jump_label.h>
#include <linux/mm_types.h>
#include <linux/types.h>

struct gendisk;
struct mm_struct;
struct swap_info_struct;
struct vm_area_struct;

/* Who asked for bypass mappings to be dropped. */
enum symbiotic_bypass_hook {
	BYPASS_HOOK_VMA,	/* vma_start_write() */
	BYPASS_HOOK_ZAP,	/* unmap_page_range() */
	BYPASS_HOOK_FREE,	/* madvise(MADV_FREE) */
	BYPASS_HOOK_MOVE,	/* UFFDIO_MOVE */
	BYPASS_HOOK_READ,	/* the device reads a slot */
	BYPASS_HOOK_WRITE,	/* the device writes a slot */
	BYPASS_HOOK_SWAPOFF,	/* swapoff, device gone, suspend */
	BYPASS_HOOK_NR
};

/*
 * Bits of symbiotic.skip_hooks=, a test option that breaks the guest on
 * purpose: bits 0 to 6 remove one hook each, the others one check of the query.
 */
#define BYPASS_SKIP_HOOK(hook)		BIT(hook)
#define BYPASS_SKIP_VMA_KIND		BIT(8)	/* userfaultfd, mlock, ... */
#define BYPASS_SKIP_ACCESS		BIT(9)	/* VM_READ, VM_WRITE */
#define BYPASS_SKIP_VMA_LOCKED		BIT(10)	/* VMA being changed */
#define BYPASS_SKIP_ZAPPING		BIT(11)	/* PTEs being zapped */
#define BYPASS_SKIP_SWAPCACHE		BIT(12)	/* slot in the swap cache */
#define BYPASS_SKIP_ZEROMAP		BIT(13)	/* content not in the slot */
#define BYPASS_SKIP_SHARED		BIT(14)	/* write to a shared slot */

#ifdef CONFIG_SYMBIOTIC_BYPASS

/* On once a device that can be bypassed exists; never on elsewhere. */
DECLARE_STATIC_KEY_FALSE(symbiotic_bypass_key);

void __symbiotic_bypass_vma_locked(struct vm_area_struct *vma);
bool __symbiotic_bypass_zap_begin(struct vm_area_struct *vma,
				  unsigned long start, unsigned long end,
				  enum symbiotic_bypass_hook hook);
void __symbiotic_bypass_zap_end(struct mm_struct *mm);
bool __symbiotic_bypass_stores_zeroes(swp_entry_t entry);

/**
 * symbiotic_bypass_vma_locked() - a VMA has been marked write-locked
 * @vma: the VMA, not changed yet
 *
 * Context: mmap_lock of the VMA's mm held for writing.
 */
static inline void symbiotic_bypass_vma_locked(struct vm_area_struct *vma)
{
	if (static_branch_unlikely(&symbiotic_bypass_key))
		__symbiotic_bypass_vma_locked(vma);
}

/**
 * symbiotic_bypass_zap_begin() - swap PTEs of a range are going to change
 * @vma: the VMA
 * @start: first address
 * @end: end of the range
 * @hook: who asks
 *
 * For paths that hold no more than a read lock. No query says yes for any
 * address of this mm until symbiotic_bypass_zap_end().
 *
 * Context: the VMA is stable. May sleep.
 * Return: what to pass to symbiotic_bypass_zap_end().
 */
static inline bool symbiotic_bypass_zap_begin(struct vm_area_struct *vma,
					      unsigned long start,
					      unsigned long end,
					      enum symbiotic_bypass_hook hook)
{
	if (static_branch_unlikely(&symbiotic_bypass_key))
		return __symbiotic_bypass_zap_begin(vma, start, end, hook);
	return false;
}

/**
 * symbiotic_bypass_zap_end() - the swap PTEs have been changed
 * @mm: the address space
 * @begun: result of symbiotic_bypass_zap_begin()
 */
static inline void symbiotic_bypass_zap_end(struct mm_struct *mm, bool begun)
{
	if (begun)
		__symbiotic_bypass_zap_end(mm);
}

/**
 * symbiotic_bypass_stores_zeroes() - must a page of zeroes be written like others?
 * @entry: its swap entry, in the swap cache
 *
 * The zero map saves the write of such a page, but what is not in the slot
 * cannot be bypassed.
 *
 * Context: any.
 */
static inline bool symbiotic_bypass_stores_zeroes(swp_entry_t entry)
{
	if (static_branch_unlikely(&symbiotic_bypass_key))
		return __symbiotic_bypass_stores_zeroes(entry);
	return false;
}

/* For mm/swapfile.c; see the definitions. */
void symbiotic_bypass_swapon(struct swap_info_struct *si);
void symbiotic_bypass_swapoff(struct swap_info_struct *si);

/* For the driver of the swap window; see the definitions. */
int symbiotic_bypass_register(struct gendisk *disk, phys_addr_t base,
			      unsigned long nr_pages);
void symbiotic_bypass_unregister(struct gendisk *disk);
void symbiotic_bypass_drop_slots(struct gendisk *disk, unsigned long first,
				 unsigned long nr,
				 enum symbiotic_bypass_hook hook);

#else

static inline void symbiotic_bypass_vma_locked(struct vm_area_struct *vma) { }

static inline bool symbiotic_bypass_zap_begin(struct vm_area_struct *vma,
					      unsigned long start,
					      unsigned long end,
					      enum symbiotic_bypass_hook hook)
{
	return false;
}

static inline void symbiotic_bypass_zap_end(struct mm_struct *mm, bool begun) { }

static inline bool symbiotic_bypass_stores_zeroes(swp_entry_t entry)
{
	return false;
}

static inline void symbiotic_bypass_swapon(struct swap_info_struct *si) { }
static inline void symbiotic_bypass_swapoff(struct swap_info_struct *si) { }

static inline int symbiotic_bypass_register(struct gendisk *disk,
					    phys_addr_t base,
					    unsigned long nr_pages)
{
	return 0;
}

static inline void symbiotic_bypass_unregister(struct gendisk *disk) { }

static inline void symbiotic_bypass_drop_slots(struct gendisk *disk,
					       unsigned long first,
					       unsigned long nr,
					       enum symbiotic_bypass_hook hook)
{
}

#endif /* CONFIG_SYMBIOTIC_BYPASS */

#if defined(CONFIG_SYMBIOTIC_BYPASS) && defined(CONFIG_SYMBIOTIC_TEST)
void symbiotic_bypass_stall(enum symbiotic_bypass_hook hook);
#else
static inline void symbiotic_bypass_stall(enum symbiotic_bypass_hook hook) { }
#endif

#endif /* _LINUX_SYMBIOTIC_BYPASS_H */
