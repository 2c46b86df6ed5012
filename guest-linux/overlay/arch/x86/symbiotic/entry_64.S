/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the VMM starts a symcall.
 *
 * Much like the NMI entry, with three differences: the VMM has saved the
 * context, so no register has to survive; it has loaded the kernel's GS base
 * and a stack of our own; and we leave by a hypercall, after which the VMM
 * restores everything that it saved, CR3 included.
 */
#include <linux/export.h>
#include <linux/linkage.h>

#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/smap.h>
#include <asm/unwind_hints.h>

#include <symbiotic/entry_abi.h>

#include "../entry/calling.h"

	.code64
	/* Mapped in the user page tables too, see pti_clone_entry_text(). */
	.section .entry.text, "ax"

SYM_CODE_START(symb_symcall_entry)
	UNWIND_HINT_ENTRY
	ENDBR
	ASM_CLAC
	cld

	/*
	 * Page-table isolation: until CR3 is right, only this text is known to
	 * be mapped, and not the stack. The old value needs no saving.
	 */
	SAVE_AND_SWITCH_TO_KERNEL_CR3 scratch_reg=%r8 save_reg=%r9

	/* struct symcall_regs */
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rbx
	pushq	%rax
	movq	%rsp, %r12

	/* SPEC_CTRL is not part of the saved context: keep it in R15. */
	IBRS_ENTER save_reg=%r15
	UNTRAIN_RET

	/*
	 * What user mode left in the registers must not steer speculation, and
	 * RBP = 0 ends the frames of a frame-pointer unwinder.
	 */
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d

	movq	%r12, %rdi
	call	symb_symcall
	movl	%eax, %r13d

	IBRS_EXIT save_reg=%r15

	testl	%r13d, %r13d
	jnz	.Lerror
	movl	$ENTRY_HC_RET, %eax
	movq	ENTRY_REGS_RBX(%r12), %rbx
	movq	ENTRY_REGS_RCX(%r12), %rcx
	movq	ENTRY_REGS_RDX(%r12), %rdx
	movq	ENTRY_REGS_RSI(%r12), %rsi
	movq	ENTRY_REGS_RDI(%r12), %rdi
	jmp	.Lreturn
.Lerror:
	movl	$ENTRY_HC_ERR, %eax
	movl	%r13d, %ebx
.Lreturn:
	/* User mode may run next, as after an NMI. */
	CLEAR_CPU_BUFFERS
	ALTERNATIVE "vmcall", "vmmcall", X86_FEATURE_VMMCALL
	/* Only a VMM that forgot its call comes back. */
	ud2
SYM_CODE_END(symb_symcall_entry)
