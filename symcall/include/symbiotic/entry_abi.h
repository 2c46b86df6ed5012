/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * What a kernel's symcall entry, which is assembly, needs to know and cannot
 * take from the C headers: hypercall numbers and offsets in struct
 * symcall_regs. <symbiotic/symcall.h> asserts that they are the same.
 */
#ifndef SYMBIOTIC_ENTRY_ABI_H
#define SYMBIOTIC_ENTRY_ABI_H

#define ENTRY_HC_RET	0x535
#define ENTRY_HC_ERR	0x536

#define ENTRY_REGS_RBX	8
#define ENTRY_REGS_RCX	16
#define ENTRY_REGS_RDX	24
#define ENTRY_REGS_RSI	32
#define ENTRY_REGS_RDI	40

#endif /* SYMBIOTIC_ENTRY_ABI_H */
