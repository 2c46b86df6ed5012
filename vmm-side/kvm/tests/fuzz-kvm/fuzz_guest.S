/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest code of kvm_fuzz: a loop that executes what the host has put into the
 * vCPU's box, and a symcall entry that answers, or does something else, as the
 * box says. Position independent; runs at FUZZ_CODE in 64-bit mode.
 */
#include "guest.h"
#include "layout.h"

	.section .rodata
	.globl	fuzz_start, fuzz_end, f_start, f_stop, f_call, f_user_end, f_nmi, f_irq, f_nested
	.balign	16
fuzz_start:

/*
 * Once, for Bochs, where the blocking of NMIs of a VM that is gone is the next one's, until
 * it executes IRET: a symcall that was aborted waits for its NMI.
 */
f_start:
	mov	%rsp, %rdi
	mov	%ss, %eax
	push	%rax
	push	%rdi
	pushfq
	mov	%cs, %eax
	push	%rax
	lea	f_done(%rip), %rax
	push	%rax
	iretq

/* Every step ends here, at an exit, and the next one begins. */
f_done:
	movl	$0, %gs:BOX_STATUS
f_stop:
	mov	%r12, %gs:BOX_KEPT
	mov	$BOX_KEPT_VALUE, %r12d
	mov	%gs:BOX_STACK, %rsp
	outb	%al, $PORT_DONE
	mov	%gs:BOX_OP, %eax
	lea	f_ops(%rip), %rbx
	movslq	(%rbx,%rax,4), %rdi
	add	%rbx, %rdi
	mov	%gs:BOX_ARGS, %rax
	mov	%gs:BOX_ARGS + 8, %rbx
	mov	%gs:BOX_ARGS + 16, %rcx
	mov	%gs:BOX_ARGS + 24, %rdx
	mov	%gs:BOX_ARGS + 32, %rsi
	jmp	*%rdi

	.balign	4
f_ops:
	.long	f_done - f_ops, f_load - f_ops, f_store - f_ops
	.long	f_user - f_ops, f_user - f_ops, f_invlpg - f_ops
	.long	f_cr3 - f_ops, f_cr0 - f_ops, f_cr4 - f_ops
	.long	f_hypercall - f_ops, f_wrmsr - f_ops, f_rdmsr - f_ops
	.long	f_sti - f_ops, f_cpuid - f_ops, f_exec - f_ops

f_load:
	mov	(%rax), %rbx
	mov	%rbx, %gs:BOX_RESULT
	jmp	f_done
f_store:
	mov	%rbx, (%rax)
	jmp	f_done
/* What pages hold; zeroes, as code, write to where RAX points: #GP. */
f_exec:
	mov	%rax, %rcx
	movabs	$0x8000000000000000, %rax
	xor	%edx, %edx
	call	*%rcx
	mov	%rdx, %gs:BOX_RESULT
	jmp	f_done
f_invlpg:
	invlpg	(%rax)
	jmp	f_done
f_cr3:
	mov	%rax, %cr3
	jmp	f_done
f_cr0:
	mov	%rax, %cr0
	jmp	f_done
f_cr4:
	mov	%rax, %cr4
	jmp	f_done
f_hypercall:
	vmmcall
	mov	%rax, %gs:BOX_RESULT
	jmp	f_done
f_wrmsr:
	wrmsr
	jmp	f_done
f_rdmsr:
	rdmsr
	jmp	f_done
f_sti:
	sti
	nop
	cli
	jmp	f_done
f_cpuid:
	cpuid
	jmp	f_done

/* In ring 3, which comes back by an interrupt. */
f_user:
	push	$SEL_USER_DATA | 3
	push	%rsp
	pushfq
	push	$SEL_USER_CODE | 3
	lea	FUZZ_USER + 1f(%rip), %rsi
	push	%rsi
	mov	%gs:BOX_OP, %edi
	iretq
1:	cmp	$OP_USER_STORE, %edi
	je	2f
	mov	(%rax), %rbx
	int	$0x80
2:	mov	%rbx, (%rax)
	int	$0x80
f_user_end:
	mov	%rbx, %gs:BOX_RESULT
	jmp	f_done

/* Exceptions end the step; in a symcall, the call. */
	.macro	exception vector, error=0
	.globl	f_exc\vector
f_exc\vector:
	.if	\error
	popq	%gs:BOX_ERROR
	.endif
	mov	$1 + \vector, %eax
	jmp	f_exception
	.endm

	exception 0
	exception 1
	exception 3
	exception 6
	exception 7
	exception 8, 1
	exception 10, 1
	exception 11, 1
	exception 12, 1
	exception 13, 1
	exception 14, 1
	exception 16
	exception 17, 1
	exception 18
	exception 19

f_exception:
	mov	%eax, %gs:BOX_STATUS
	mov	%cr2, %rax
	mov	%rax, %gs:BOX_CR2
	cmpl	$0, %gs:BOX_IN_CALL
	je	f_stop
	mov	$2, %ebx
	jmp	c_error

f_nmi:
	incl	%gs:BOX_NMIS
	/* Of a call that was aborted, if there was one. */
	movl	$0, %gs:BOX_IN_CALL
	iretq
f_irq:
	push	%rax
	incl	%gs:BOX_IRQS
	mov	$0xfee000b0, %eax
	movl	$0, (%rax)		/* EOI */
	pop	%rax
	iretq

/* The symcall entry. */
f_call:
	movl	$1, %gs:BOX_IN_CALL
	xor	%r12d, %r12d
	xor	%r15d, %r15d
	mov	%eax, %r8d
	xor	%edi, %edi
	xchg	%edi, %gs:BOX_CALL
	lea	c_ways(%rip), %rsi
	movslq	(%rsi,%rdi,4), %rdi
	add	%rsi, %rdi
	jmp	*%rdi

	.balign	4
c_ways:
	.long	c_answer - c_ways, c_error - c_ways, c_exit - c_ways
	.long	c_ud - c_ways, c_pf - c_ways, c_loop - c_ways
	.long	c_iret - c_ways, c_hlt - c_ways, c_spin - c_ways
	.long	c_sti - c_ways, c_msr - c_ways, c_drop - c_ways, c_cr3 - c_ways
	.long	c_vmrun - c_ways

c_answer:
	cmp	$SYMCALL_QUERY_BATCH, %r8d
	jne	c_return
	incl	%gs:BOX_ASKED
	mov	%gs:BOX_REASON, %ecx
	xor	%ebx, %ebx
	cmpl	$0, %gs:BOX_ANSWERS
	je	c_return
	decl	%gs:BOX_ANSWERS
	inc	%ebx
	cmpl	$0, %gs:BOX_SAY
	je	c_return
	outb	%al, $PORT_ANSWER
c_return:
	movl	$0, %gs:BOX_IN_CALL
	mov	$SYMB_HC_SYMCALL_RET, %eax
	vmmcall
	ud2
c_error:
	movl	$0, %gs:BOX_IN_CALL
	mov	$SYMB_HC_SYMCALL_ERR, %eax
	vmmcall
	ud2
c_exit:
	mov	$0x5a, %al
	outb	%al, $PORT_CALL
	inb	$PORT_CALL, %al
	xor	%eax, %eax
	cpuid
	jmp	c_answer
c_ud:
	ud2
c_pf:
	movabs	$FUZZ_UNMAPPED, %rax
	mov	(%rax), %rax
	jmp	c_answer
c_loop:
	mov	$SYMB_HC_SYMCALL_LOOP, %eax
	mov	$1, %ebx
	mov	$CALL_NULL, %ecx
	vmmcall
	jmp	c_answer
c_iret:
	mov	%rsp, %rax
	push	$SEL_CALL_DATA
	push	%rax
	pushfq
	push	$SEL_CALL_CODE
	lea	1f(%rip), %rax
	push	%rax
	iretq
1:	jmp	c_answer
c_hlt:
	hlt
	jmp	c_answer
c_spin:
	pause
	jmp	c_spin
c_sti:
	sti
	mov	$1000, %ecx
1:	pause
	loop	1b
	cli
	jmp	c_answer
c_msr:
	mov	$SYMB_MSR_SYMCALL_RIP, %ecx
	rdmsr
	wrmsr
	jmp	c_answer
c_drop:
	mov	$SYMB_HC_DROP_SLOTS, %eax
	xor	%ebx, %ebx
	mov	$64, %ecx
	vmmcall
	jmp	c_answer
c_cr3:
	mov	%cr3, %rax
	mov	%rax, %cr3
	mov	%gs:BOX_OTHER_CR3, %rax
	mov	%rax, %cr3
	jmp	c_answer
/* Goes on in a guest of its own, if it gets there. */
c_vmrun:
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_SVME, %eax
	wrmsr
	mov	$MSR_VM_HSAVE_PA, %ecx
	mov	%gs:BOX_VMCB, %eax
	add	$0x1000, %eax
	xor	%edx, %edx
	wrmsr
	mov	%gs:BOX_VMCB, %eax
	vmrun
	ud2
f_nested:
	jmp	c_answer

/* ---- The same loop without long mode, with fewer steps --------------------------- */

	.globl	f32_start, f32_stop, f32_nmi
	.code32
f32_start:
f32_done:
	movl	$0, %gs:BOX_STATUS
f32_stop:
	mov	%ebp, %gs:BOX_KEPT
	mov	$BOX_KEPT_VALUE, %ebp
	mov	%gs:BOX_STACK, %esp
	outb	%al, $PORT_DONE
	mov	%gs:BOX_OP, %edi
	mov	%gs:BOX_ARGS, %eax
	mov	%gs:BOX_ARGS + 8, %ebx
	mov	%gs:BOX_ARGS + 16, %ecx
	mov	%gs:BOX_ARGS + 24, %edx
	mov	%gs:BOX_ARGS + 32, %esi
	cmp	$OP_LOAD, %edi
	je	1f
	cmp	$OP_STORE, %edi
	je	2f
	cmp	$OP_INVLPG, %edi
	je	3f
	cmp	$OP_CR3, %edi
	je	4f
	cmp	$OP_CR0, %edi
	je	5f
	cmp	$OP_HYPERCALL, %edi
	je	6f
	cmp	$OP_WRMSR, %edi
	je	7f
	cmp	$OP_RDMSR, %edi
	je	8f
	cmp	$OP_CPUID, %edi
	jne	f32_done
	cpuid
	jmp	f32_done
1:	mov	(%eax), %ebx
	mov	%ebx, %gs:BOX_RESULT
	mov	4(%eax), %ebx
	mov	%ebx, %gs:BOX_RESULT + 4
	jmp	f32_done
2:	mov	%ebx, (%eax)
	mov	%gs:BOX_ARGS + 12, %ebx
	mov	%ebx, 4(%eax)
	jmp	f32_done
3:	invlpg	(%eax)
	jmp	f32_done
4:	mov	%eax, %cr3
	jmp	f32_done
5:	mov	%eax, %cr0
	jmp	f32_done
6:	vmmcall
	mov	%eax, %gs:BOX_RESULT
	movl	$1, %gs:BOX_RESULT + 4
	jmp	f32_done
7:	wrmsr
	jmp	f32_done
8:	rdmsr
	jmp	f32_done

	.macro	exception32 vector, error=0
	.globl	f32_exc\vector
f32_exc\vector:
	.if	\error
	popl	%gs:BOX_ERROR
	.endif
	mov	$1 + \vector, %eax
	jmp	f32_exception
	.endm

	exception32 6
	exception32 8, 1
	exception32 13, 1
	exception32 14, 1

f32_exception:
	mov	%eax, %gs:BOX_STATUS
	mov	%cr2, %eax
	mov	%eax, %gs:BOX_CR2
	movl	$0, %gs:BOX_CR2 + 4
	jmp	f32_stop
f32_nmi:
	incl	%gs:BOX_NMIS
	iretl
	.code64

fuzz_end:
	.byte	0

	.section .note.GNU-stack, "", @progbits
