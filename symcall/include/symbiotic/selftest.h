/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Symcalls that misbehave on purpose. A guest that wants them, for tests of the
 * VMM, compiles selftest.c, supplies the functions below and registers
 * symb_selftest() for SYMCALL_SELFTEST. Never in a kernel for use: whoever may
 * make symcalls can hang it.
 */
#ifndef SYMBIOTIC_SELFTEST_H
#define SYMBIOTIC_SELFTEST_H

#include <symbiotic/symcall.h>

/* A symcall_fn; RBX of the call says what to do, SYMCALL_SELFTEST_*. */
int symb_selftest(struct symcall_regs *regs);

/* ---- what the OS supplies; all are called in a symcall ---- */

/* What it has written to SYMB_MSR_FEATURES. */
__u32 symb_selftest_features(void);

/*
 * Reads an address that is not mapped. True if its exception table has caught the
 * fault. The VMM may abort the call at that point, so there must be nothing to undo.
 */
bool symb_selftest_faults(void);

/*
 * Is everything as the VMM must have set it up, and the entry code? 0, or 1001:
 * flags, 1002: DR7, 1003: segment bases, 1004: stack, 1005: what the OS needs
 * besides.
 */
int symb_selftest_state(void);

/* A hypercall with two arguments. */
long symb_selftest_call(__u64 nr, __u64 a, __u64 b);

#endif /* SYMBIOTIC_SELFTEST_H */
