/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every way into the kernel and out of it.
 *
 * All build the same struct regs. The kernel runs with interrupts off from
 * entry to exit; only the idle loop takes them.
 */
#include <kitten/asm.h>

#define REGS_CS		(18 * 8)

	/* What a C function saves for its caller. */
	.macro	PUSH_SAVED
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm

	.macro	POP_SAVED
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	.endm

	.macro	SAVE_REGS
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	PUSH_SAVED
	.endm

	/* Leaves the vector and the error code to be dropped. */
	.macro	RESTORE_REGS
	POP_SAVED
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	.endm

	.macro	STUB vector, has_error=0
	.balign	16
	.if	\has_error == 0
	pushq	$0
	.endif
	pushq	$\vector
	.if	\vector == 1 || \vector == 2 || \vector == 8 || \vector == 18
	jmp	paranoid_entry
	.else
	jmp	trap_entry
	.endif
	.endm

	.text
	.altmacro

/* 16 bytes for each vector from 0 to 0x21, and one for spurious interrupts. */
	.balign	16
	.globl	trap_stubs
trap_stubs:
	.set	v, 0
	.rept	34
	.if	v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21
	STUB	%v, 1
	.else
	STUB	%v
	.endif
	.set	v, v + 1
	.endr
	.globl	spurious_stub
	.balign	16
spurious_stub:
	iretq

trap_entry:
	cld
	testb	$3, 24(%rsp)
	jz	1f
	swapgs
1:	SAVE_REGS
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	call	trap
trap_exit:
	testb	$3, REGS_CS(%rsp)
	jz	1f
	swapgs
1:	RESTORE_REGS
	addq	$16, %rsp
	iretq

/*
 * These come at any instruction, also at one between the entry from user mode
 * and its SWAPGS: only the MSR knows which GS base is loaded.
 */
paranoid_entry:
	cld
	SAVE_REGS
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	xorl	%ebx, %ebx
	testl	%edx, %edx
	js	1f
	swapgs
	incl	%ebx
1:	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	call	trap
	testl	%ebx, %ebx
	jz	2f
	swapgs
2:	RESTORE_REGS
	addq	$16, %rsp
	iretq

	.globl	syscall_entry
syscall_entry:
	swapgs
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KERNEL_RSP, %rsp
	pushq	$SEL_USER_SS
	pushq	%gs:CPU_USER_RSP
	pushq	%r11
	pushq	$SEL_USER_CS
	pushq	%rcx
	pushq	$0
	pushq	$VEC_SYSCALL
	SAVE_REGS
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	call	trap
	/* IRET and not SYSRET: it is right for every address. */
	jmp	trap_exit

/*
 * Interrupts come only after the instruction behind STI, so that what is queued
 * for this CPU after its last look wakes the HLT. Under KVM on an emulated
 * AMD-V that can fail: QEMU 7.2's VMRUN does not load the interrupt shadow that
 * its #VMEXIT has stored. So trap() skips the HLT if an interrupt has arrived
 * before it; without a tick nothing else would wake this CPU.
 */
	.globl	cpu_sleep, cpu_sleep_hlt, cpu_sleep_end
cpu_sleep:
	sti
cpu_sleep_hlt:
	hlt
cpu_sleep_end:
	cli
	ret

/* A new thread wakes up here, with its struct regs on the stack. */
	.globl	user_start
user_start:
	movq	%rsp, %rdi
	call	thread_first_return
	jmp	trap_exit

/* switch_stack(u64 *save, u64 load) */
	.globl	switch_stack
switch_stack:
	PUSH_SAVED
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	POP_SAVED
	ret

	.section .note.GNU-stack, "", @progbits
