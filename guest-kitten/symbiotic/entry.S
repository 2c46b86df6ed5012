/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the VMM starts a symcall: with the stack, segments and GS base that
 * symcall_enable() gave it, interrupts off, and the page tables of whatever
 * was interrupted; the kernel's half is the same in all. No register has to
 * survive.
 */
#include <symbiotic/entry_abi.h>

	.text
	.globl	symb_symcall_entry
symb_symcall_entry:
	cld
	/* struct symcall_regs */
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rbx
	pushq	%rax
	xorl	%ebp, %ebp
	movq	%rsp, %r12
	movq	%rsp, %rdi
	call	symb_symcall

	testl	%eax, %eax
	jnz	1f
	movl	$ENTRY_HC_RET, %eax
	movq	ENTRY_REGS_RBX(%r12), %rbx
	movq	ENTRY_REGS_RCX(%r12), %rcx
	movq	ENTRY_REGS_RDX(%r12), %rdx
	movq	ENTRY_REGS_RSI(%r12), %rsi
	movq	ENTRY_REGS_RDI(%r12), %rdi
	jmp	2f
1:	movl	%eax, %ebx
	movl	$ENTRY_HC_ERR, %eax
2:	cmpb	$0, symb_use_vmmcall
	je	3f
	vmmcall
	ud2
3:	vmcall
	/* Only a VMM that forgot its call comes back. */
	ud2

	.section .note.GNU-stack, "", @progbits
