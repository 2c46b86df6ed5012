/* SPDX-License-Identifier: GPL-2.0 */
/*
 * paging.c, for its tests.
 */
#ifndef _X86_SYMBIOTIC_PAGING_H
#define _X86_SYMBIOTIC_PAGING_H

#include <linux/types.h>

struct symspy_paging;

void symb_paging_look_now(void);

#ifdef CONFIG_SYMBIOTIC_TEST
int symb_paging_pretend(u64 state);
#endif

#if IS_ENABLED(CONFIG_KUNIT)
unsigned int paging_mode_of(u64 state);
u64 paging_report(struct symspy_paging *spy);
#endif

#endif /* _X86_SYMBIOTIC_PAGING_H */
