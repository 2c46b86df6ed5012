// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * SwapBypass: the decision behind query_vaddr(), free of any operating system.
 */
#include <symbiotic/query.h>

enum symb_decline symb_query_decide(__u32 facts, __u32 access, __u32 *flags)
{
	const __u32 write_facts = SYMB_FACT_VMA_WRITE | SYMB_FACT_PTE_EXCLUSIVE |
				  SYMB_FACT_SLOT_SINGLE;
	int writable;

	*flags = 0;

	if (!(facts & SYMB_FACT_ON))
		return SYMB_DECLINE_OFF;
	if (!(facts & SYMB_FACT_MM))
		return SYMB_DECLINE_NO_MM;

	/* Rule 1: a real swap entry of our device, unchanged. */
	if (!(facts & SYMB_FACT_PTE_SAME))
		return SYMB_DECLINE_PTE_CHANGED;
	if (!(facts & SYMB_FACT_PTE_OURS))
		return SYMB_DECLINE_NOT_SWAP;

	/* Rule 2: private anonymous memory with ordinary faults ... */
	if (!(facts & SYMB_FACT_VMA) || !(facts & SYMB_FACT_VMA_ANON))
		return SYMB_DECLINE_VMA;
	if (facts & (SYMB_FACT_VMA_SPECIAL | SYMB_FACT_PTE_WATCHED))
		return SYMB_DECLINE_VMA;
	/* ... that nobody changes at this moment ... */
	if (facts & SYMB_FACT_VMA_LOCKED)
		return SYMB_DECLINE_VMA_LOCKED;
	/* ... and that allows the access. */
	if (!(facts & SYMB_FACT_VMA_READ))
		return SYMB_DECLINE_ACCESS;
	if ((access & SYMB_ACCESS_WRITE) && !(facts & SYMB_FACT_VMA_WRITE))
		return SYMB_DECLINE_ACCESS;

	/*
	 * Rule 3: the slot is where the content is, and nobody reads it back
	 * or writes it at this moment. A slot without users means that the PTE
	 * has changed after we read it.
	 */
	if (facts & SYMB_FACT_SLOT_CACHE)
		return SYMB_DECLINE_SWAPCACHE;
	if (!(facts & SYMB_FACT_SLOT_USED))
		return SYMB_DECLINE_PTE_CHANGED;
	if (facts & SYMB_FACT_SLOT_ELSEWHERE)
		return SYMB_DECLINE_ZEROMAP;

	/*
	 * Rule 4: writable only if nobody else can have the slot. The count
	 * alone is not enough: the last user of a page that was shared may
	 * still owe a copy to somebody who has pinned it.
	 */
	writable = (facts & (write_facts | SYMB_FACT_WRITE_WATCHED)) == write_facts;
	if ((access & SYMB_ACCESS_WRITE) && !writable)
		return SYMB_DECLINE_SHARED;

	if (writable)
		*flags = SYMB_LOOKUP_WRITABLE;
	return SYMB_DECLINE_NONE;
}

__u64 symb_query_group(__u64 vaddr, __u64 max, unsigned int *nr)
{
	unsigned int n = 1;

	while (n < SYMB_LOOKUP_MAX && n * 2ULL <= max)
		n *= 2;

	*nr = n;
	return vaddr & ~((__u64)n * SYMB_PAGE_SIZE - 1);
}
