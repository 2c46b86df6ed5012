/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SwapBypass, guest side: what symbiotic_bypass.c and its KUnit suite share.
 */
#ifndef _MM_SYMBIOTIC_BYPASS_H
#define _MM_SYMBIOTIC_BYPASS_H

#include <linux/pgtable.h>
#include <linux/types.h>
#include <symbiotic/abi.h>

#include "symswap/slots.h"

struct gendisk;
struct swap_info_struct;

/**
 * struct bypass_dev - the attached swap window
 * @disk: its disk
 * @base: guest-physical address of the window
 * @nr_pages: its size; all slots are below it
 * @type: swap type of its swap entries
 * @slots: their state
 * @marks: bit per slot: it may be mapped
 * @desc: what the VMM was told
 */
struct bypass_dev {
	struct gendisk *disk;
	phys_addr_t base;
	unsigned long nr_pages;
	unsigned int type;
	struct symswap_slots slots;
	unsigned long *marks;
	struct symb_swap_desc desc;
};

#ifdef CONFIG_SYMBIOTIC_BYPASS
bool symbiotic_bypass_attached(struct swap_info_struct *si);
#else
static inline bool symbiotic_bypass_attached(struct swap_info_struct *si)
{
	return false;
}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
u32 bypass_facts_pte(const struct bypass_dev *dev, pte_t pte,
		     unsigned long *slot);
u32 bypass_facts_slot(const struct bypass_dev *dev, unsigned long slot);
void bypass_describe(struct bypass_dev *dev);
#endif

#endif /* _MM_SYMBIOTIC_BYPASS_H */
