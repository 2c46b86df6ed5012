/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to arch/x86/symbiotic: a VMM that lies by CPUID and in its MSRs, for tests.
 */
#ifndef _X86_SYMBIOTIC_LIES_H
#define _X86_SYMBIOTIC_LIES_H

#include <linux/types.h>

#include <symbiotic/port.h>

/* What becomes of a WRMSR. */
#define SYMB_LIE_NOT_DONE	1U	/* the VMM does not do it */
#define SYMB_LIE_REFUSED	2U	/* it says that it does not */

#ifdef CONFIG_SYMBIOTIC_TEST
void symb_lie_cpuid(u32 leaf, struct symb_cpuid *out);
bool symb_lie_rdmsr(u64 *val);
unsigned int symb_lie_wrmsr(u32 msr, u64 val);
#else
static inline void symb_lie_cpuid(u32 leaf, struct symb_cpuid *out) { }

static inline bool symb_lie_rdmsr(u64 *val)
{
	return true;
}

static inline unsigned int symb_lie_wrmsr(u32 msr, u64 val)
{
	return 0;
}
#endif

#endif /* _X86_SYMBIOTIC_LIES_H */
