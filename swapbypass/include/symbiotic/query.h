/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * SwapBypass: may the VMM map a page of the swap window at this address?
 *
 * The decision, apart from the kernel that gathers the facts. The rules are
 * those of docs/design.md, "The rules, and where each is"; their numbers
 * appear in the comments here and in query.c.
 */
#ifndef SYMBIOTIC_QUERY_H
#define SYMBIOTIC_QUERY_H

#include <symbiotic/abi.h>

/* The bypass is attached, and no swapoff is under way. */
#define SYMB_FACT_ON		(1U << 0)
/* The address space that the fault happened in is known and is current. */
#define SYMB_FACT_MM		(1U << 1)

/* Rule 1. The PTE is a real swap entry of the device, slot inside of it. */
#define SYMB_FACT_PTE_OURS	(1U << 2)
/* Rule 1. The PTE is the one that the VMM asked about. */
#define SYMB_FACT_PTE_SAME	(1U << 3)
/* Rule 4. The PTE says that its page belongs to no one else. */
#define SYMB_FACT_PTE_EXCLUSIVE	(1U << 4)
/* Rule 2. The PTE wants its faults to be seen (userfaultfd write protection). */
#define SYMB_FACT_PTE_WATCHED	(1U << 5)

/* Rule 2. A VMA of the address space covers the address. */
#define SYMB_FACT_VMA		(1U << 6)
/* Rule 2. It is private anonymous memory. */
#define SYMB_FACT_VMA_ANON	(1U << 7)
/* Rule 2. It wants to see its faults, or its pages: userfaultfd, mlock, ... */
#define SYMB_FACT_VMA_SPECIAL	(1U << 8)
/* Rule 2. It may be read. */
#define SYMB_FACT_VMA_READ	(1U << 9)
/* Rule 2. It may be written. */
#define SYMB_FACT_VMA_WRITE	(1U << 10)
/* Rule 2. Somebody is changing it, or PTEs in it. */
#define SYMB_FACT_VMA_LOCKED	(1U << 11)
/* Rule 2. The first write must be seen (soft-dirty). */
#define SYMB_FACT_WRITE_WATCHED	(1U << 12)

/* Rule 3. The slot has at least one user, and its count is a plain number. */
#define SYMB_FACT_SLOT_USED	(1U << 13)
/* Rule 4. The slot has exactly one user. */
#define SYMB_FACT_SLOT_SINGLE	(1U << 14)
/* Rule 3. The slot has, or is about to get, a swap-cache page. */
#define SYMB_FACT_SLOT_CACHE	(1U << 15)
/* Rule 3. The content is not in the slot: swap zero map, zswap. */
#define SYMB_FACT_SLOT_ELSEWHERE (1U << 16)

#define SYMB_FACT_BITS		17

/**
 * symb_query_decide() - may the VMM map the slot, and how
 * @facts: SYMB_FACT_*
 * @access: SYMB_ACCESS_* of the fault; for a page that did not fault, without
 *	SYMB_ACCESS_WRITE
 * @flags: set to SYMB_LOOKUP_*; 0 on a decline
 *
 * Context: any. Uses nothing but its arguments.
 * Return: SYMB_DECLINE_NONE for yes, else the first rule that says no.
 */
enum symb_decline symb_query_decide(__u32 facts, __u32 access, __u32 *flags);

/**
 * symb_query_group() - the pages that one call answers for
 * @vaddr: address of the fault
 * @max: pages that the VMM wants, at least 1 after clipping
 * @nr: set to the number of pages, a power of two up to SYMB_LOOKUP_MAX
 *
 * The group is aligned to its own size, so that it never crosses a page-table
 * page.
 *
 * Context: any.
 * Return: address of the first page.
 */
__u64 symb_query_group(__u64 vaddr, __u64 max, unsigned int *nr);

#endif /* SYMBIOTIC_QUERY_H */
