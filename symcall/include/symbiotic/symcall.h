/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * SymCall: calls from the VMM into the guest, seen from the guest.
 *
 * Entry contract. The VMM has saved the whole context of the vCPU and starts
 * the guest at SYMB_MSR_SYMCALL_RIP in ring 0 with the stack, CS, GS and FS
 * base that the guest wrote to the MSRs, interrupts off and no event pending.
 * CR3 is whatever the interrupted code had. The call may have interrupted
 * anything: user mode, idle, an NMI handler, code with interrupts off or with
 * any lock held. So a handler
 *
 *  - takes no lock that it would have to wait for, and does not block;
 *  - does not allocate, and touches no user memory;
 *  - writes only data that it owns, or that is made for such writers;
 *  - returns soon: the VMM aborts a call that exceeds its budget.
 *
 * No register needs to be preserved. The entry code of the OS fills a struct
 * symcall_regs, calls symcall_dispatch() and returns to the VMM with the
 * hypercall SYMB_HC_SYMCALL_RET, or SYMB_HC_SYMCALL_ERR if dispatch said so.
 */
#ifndef SYMBIOTIC_SYMCALL_H
#define SYMBIOTIC_SYMCALL_H

#include <symbiotic/abi.h>
#include <symbiotic/entry_abi.h>

/* Call numbers are below this; the table is indexed by number. */
#define SYMCALL_NR_MAX		0x200

/**
 * struct symcall_regs - arguments of a call, and later its results
 * @rax: call number
 * @rbx: first argument or result
 * @rcx: second
 * @rdx: third
 * @rsi: fourth
 * @rdi: fifth
 *
 * The entry code knows this order.
 */
struct symcall_regs {
	__u64 rax;
	__u64 rbx;
	__u64 rcx;
	__u64 rdx;
	__u64 rsi;
	__u64 rdi;
};

_Static_assert(ENTRY_HC_RET == SYMB_HC_SYMCALL_RET, "hypercall");
_Static_assert(ENTRY_HC_ERR == SYMB_HC_SYMCALL_ERR, "hypercall");
_Static_assert(__builtin_offsetof(struct symcall_regs, rbx) == ENTRY_REGS_RBX, "rbx");
_Static_assert(__builtin_offsetof(struct symcall_regs, rcx) == ENTRY_REGS_RCX, "rcx");
_Static_assert(__builtin_offsetof(struct symcall_regs, rdx) == ENTRY_REGS_RDX, "rdx");
_Static_assert(__builtin_offsetof(struct symcall_regs, rsi) == ENTRY_REGS_RSI, "rsi");
_Static_assert(__builtin_offsetof(struct symcall_regs, rdi) == ENTRY_REGS_RDI, "rdi");

/**
 * typedef symcall_fn - handles one call number
 * @regs: arguments in, results out; @regs->rax is not passed back
 *
 * Context: see the entry contract above; NMI-like.
 * Return: 0, or a SYMCALL_ERR_* code (positive) for the VMM.
 */
typedef int (*symcall_fn)(struct symcall_regs *regs);

/**
 * symcall_register() - install the handler of a call number
 * @nr: call number, below SYMCALL_NR_MAX
 * @fn: the handler
 *
 * Context: any; the handler may run before this returns.
 * Return: 0, -EINVAL for a bad number, -EBUSY if the number is taken.
 */
int symcall_register(__u32 nr, symcall_fn fn);

/**
 * symcall_unregister() - remove the handler of a call number
 * @nr: call number
 *
 * Returns when no CPU can be inside the handler any more; later calls of this
 * number get SYMCALL_ERR_NOSYS.
 *
 * Context: may sleep.
 */
void symcall_unregister(__u32 nr);

/**
 * symcall_dispatch() - run the handler that @regs->rax names
 * @regs: arguments and results
 *
 * Context: symcall.
 * Return: 0, or a SYMCALL_ERR_* code.
 */
int symcall_dispatch(struct symcall_regs *regs);

#endif /* SYMBIOTIC_SYMCALL_H */
