/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest code of symbiotic_test: pieces that the test enters by setting RIP, and
 * a symcall entry that behaves as the call number says. Position independent;
 * runs at GUEST_CODE in 64-bit mode. Every end is an OUT to a port that tells
 * the test which one it was.
 */
#include "guest.h"

/* IRET to the next instruction: NMIs are let in again. Changes RAX and RCX. */
	.macro	iret_to_next
	mov	%rsp, %rax
	mov	%ss, %ecx
	push	%rcx
	push	%rax
	pushfq
	mov	%cs, %ecx
	push	%rcx
	lea	.Lnext\@(%rip), %rax
	push	%rax
	iretq
.Lnext\@:
	.endm

	.section .rodata
	.globl	guest_start, guest_end
	.balign	16
guest_start:

/* One instruction each, then the end of the test step. */
	.globl	g_wrmsr, g_rdmsr, g_hypercall, g_spin, g_hlt, g_sti_spin, g_iret
	.globl	g_load, g_invlpg_load, g_ss_load, g_store, g_touch, g_count, g_hv_call
	.globl	g_paddd, g_ds_invlpg
g_wrmsr:
	wrmsr
	outb	%al, $PORT_DONE
g_rdmsr:
	rdmsr
	outb	%al, $PORT_DONE
g_hypercall:
	vmmcall
	outb	%al, $PORT_DONE
g_invlpg_load:
	invlpg	(%rax)
g_load:
	mov	(%rax), %rbx
	outb	%al, $PORT_DONE
g_ss_load:
	mov	%ss, %ecx
	mov	%ecx, %ss
	mov	(%rax), %rbx
	outb	%al, $PORT_DONE
g_store:
	mov	%rbx, (%rax)
	outb	%al, $PORT_DONE
/* What KVM's emulator has not got. */
g_paddd:
	paddd	%xmm0, %xmm0
	outb	%al, $PORT_DONE
/* DS becomes what it should be, then there is an exit. */
g_ds_invlpg:
	mov	$SEL_DATA, %ecx
	mov	%ecx, %ds
	mov	$0x5a, %al
	outb	%al, $PORT_CALL
	invlpg	(%rdx)
	outb	%al, $PORT_DONE
g_hv_call:
	mov	$GUEST_HV_PAGE, %edi
	call	*%rdi
	outb	%al, $PORT_DONE
/* RBP words, RCX apart. */
g_touch:
	mov	(%rax), %rbx
	add	%rcx, %rax
	dec	%rbp
	jnz	g_touch
	outb	%al, $PORT_DONE
/* The same, and each becomes one more. */
g_count:
	incq	(%rax)
	add	%rcx, %rax
	dec	%rbp
	jnz	g_count
	outb	%al, $PORT_DONE
g_spin:
	incl	GUEST_DATA + DATA_SPINS
	pause
	jmp	g_spin
g_sti_spin:
	sti
	jmp	g_spin
g_hlt:
	sti
	hlt
	outb	%al, $PORT_DONE
g_iret:
	iret_to_next
	outb	%al, $PORT_DONE

/* What ends by an exception. */
	.globl	g_gp, g_ud, g_pf, g_db, g_mc
g_gp:	outb	%al, $PORT_GP
g_ud:	outb	%al, $PORT_UD
g_pf:	outb	%al, $PORT_PF
g_db:	outb	%al, $PORT_DB
g_mc:	outb	%al, $PORT_MC

/*
 * Until DATA_STOP: map each of MIX_PAGES pages at RDI to another of the pages at RDX
 * than before, write to it, and see that nothing else has changed, from both sides.
 * RSI = their page table; RBP = where rounds are counted. What is written lies at
 * the offset in its page that its page-table entry has, too.
 */
	.globl	g_mix, g_mix32, g_mix16, g_bad
g_mix:
	xor	%r8d, %r8d
1:	inc	%r8d
	xor	%ecx, %ecx
2:	call	mix_page
	mov	%r11, (%rsi, %rcx, 8)
	invlpg	(%r10)
	mov	%rbx, (%r10, %rcx, 8)
	cmp	%rbx, (%r9, %rcx, 8)
	jne	g_bad
	inc	%ecx
	cmp	$MIX_PAGES, %ecx
	jb	2b
	xor	%ecx, %ecx
3:	call	mix_page
	cmp	%rbx, (%r10, %rcx, 8)
	jne	g_bad
	mov	(%rsi, %rcx, 8), %rax
	and	$~0x60, %rax		/* accessed, dirty */
	cmp	%rax, %r11
	jne	g_bad
	inc	%ecx
	cmp	$MIX_PAGES, %ecx
	jb	3b
	incl	(%rbp)
	cmp	%r8d, (%rbp)
	jne	g_bad
	cmpl	$0, GUEST_DATA + DATA_STOP
	je	1b
	outb	%al, $PORT_DONE
g_bad:	outb	%al, $PORT_BAD

/* Of page RCX in round R8: R9, R10 its addresses, R11 its PTE, RBX its contents. */
mix_page:
	lea	(%rcx, %r8), %r9d
	and	$MIX_PAGES - 1, %r9d
	shl	$12, %r9
	add	%rdx, %r9
	mov	%rcx, %r10
	shl	$12, %r10
	add	%rdi, %r10
	lea	7(%r9), %r11
	mov	%r8, %rbx
	shl	$32, %rbx
	or	%r10, %rbx
	ret

/* What is at RDI when its PTE, at RSI, has become RDX, and INVPCID has said so. */
	.globl	g_remap
g_remap:
	mov	(%rdi), %rbx
	mov	%rdx, (%rsi)
	push	$0
	push	$0
	mov	$2, %eax		/* all addresses of all PCIDs */
	invpcid	(%rsp), %rax
	mov	(%rdi), %rbx
	outb	%al, $PORT_DONE

	.code32
	.globl	g_cr3
g_cr3:
	mov	%esi, %cr3
	outb	%al, $PORT_DONE

/* Without long mode: pages at EDI, in EBP rounds are counted, ESI is CR3 or 0. */
g_mix32:
	xor	%ebx, %ebx
1:	inc	%ebx
	xor	%ecx, %ecx
	mov	%edi, %eax
2:	mov	%ebx, %edx
	xor	%eax, %edx
	mov	%edx, (%eax, %ecx, 4)
	add	$4096, %eax
	inc	%ecx
	cmp	$MIX_PAGES, %ecx
	jb	2b
	test	%esi, %esi
	jz	3f
	mov	%esi, %cr3
3:	xor	%ecx, %ecx
	mov	%edi, %eax
4:	mov	%ebx, %edx
	xor	%eax, %edx
	cmp	%edx, (%eax, %ecx, 4)
	jne	5f
	add	$4096, %eax
	inc	%ecx
	cmp	$MIX_PAGES, %ecx
	jb	4b
	incl	(%ebp)
	cmp	%ebx, (%ebp)
	jne	5f
	cmpl	$0, GUEST_DATA + DATA_STOP
	je	1b
	outb	%al, $PORT_DONE
5:	outb	%al, $PORT_BAD

/* Of a system management interrupt, at GUEST_SMM: all data is below 64 KiB. */
	.code16
	.globl	g_smm, g_smm_end
g_smm:
	incl	GUEST_DATA + DATA_SMIS
	rsm
g_smm_end:

/* In real mode: 64 KiB at DS, the count in ES:DI. */
g_mix16:
	xor	%bx, %bx
1:	inc	%bx
	xor	%si, %si
2:	mov	%bx, %ax
	xor	%si, %ax
	mov	%ax, (%si)
	add	$0x1002, %si
	jnc	2b
	xor	%si, %si
3:	mov	%bx, %ax
	xor	%si, %ax
	cmp	%ax, (%si)
	jne	4f
	add	$0x1002, %si
	jnc	3b
	incw	%es:(%di)
	cmpw	%bx, %es:(%di)
	jne	4f
	cmpw	$0, %es:GUEST_DATA + DATA_STOP
	je	1b
	outb	%al, $PORT_DONE
4:	outb	%al, $PORT_BAD
	.code64

/* Into the nested guest of the VMCB, which ends by an OUT of its own. */
	.globl	g_vmrun, g_nested_out
g_vmrun:
	mov	$MSR_VM_HSAVE_PA, %ecx
	mov	$GUEST_HSAVE, %eax
	xor	%edx, %edx
	wrmsr
	mov	$GUEST_VMCB, %eax
	vmrun
	ud2
g_nested_out:
	outb	%al, $PORT_DONE
	jmp	g_nested_out

/* NMI and interrupt: count, and note whether a symcall was active. */
	.globl	g_nmi, g_irq
g_nmi:
	push	%rax
	incl	GUEST_DATA + DATA_NMIS
	mov	GUEST_DATA + DATA_IN_CALL, %eax
	or	%eax, GUEST_DATA + DATA_BROKEN
	pop	%rax
	iretq
	/* Also what the local page says. */
	.globl	g_nmi_flags
g_nmi_flags:
	push	%rax
	mov	GUEST_LOCAL + LOCAL_FLAGS, %eax
	or	%eax, GUEST_DATA + DATA_NMI_FLAGS
	pop	%rax
	jmp	g_nmi
g_irq:
	push	%rax
	incl	GUEST_DATA + DATA_IRQS
	mov	GUEST_DATA + DATA_IN_CALL, %eax
	or	%eax, GUEST_DATA + DATA_BROKEN
	mov	$0xfee000b0, %eax
	movl	$0, (%rax)		/* EOI */
	pop	%rax
	iretq

/* The symcall entry. RAX = what to do. */
	.globl	g_symcall
g_symcall:
	movl	$1, GUEST_DATA + DATA_IN_CALL
	pushfq
	popq	GUEST_DATA + DATA_RFLAGS
	incl	GUEST_DATA + DATA_CALLS
	mov	%rsp, GUEST_DATA + DATA_RSP
	mov	%cs, GUEST_DATA + DATA_CS
	mov	%ss, GUEST_DATA + DATA_SS
	mov	%eax, %r8d
	mov	$MSR_FS_BASE, %ecx
	rdmsr
	mov	%eax, GUEST_DATA + DATA_FS
	mov	$MSR_GS_BASE, %ecx
	rdmsr
	mov	%eax, GUEST_DATA + DATA_GS
	mov	%dr7, %rax
	mov	%rax, GUEST_DATA + DATA_DR7
	cmp	$CALL_NULL, %r8d
	je	c_return
	cmp	$CALL_INC, %r8d
	je	c_inc
	cmp	$CALL_ERROR, %r8d
	je	c_error
	cmp	$CALL_SPIN, %r8d
	je	g_spin
	cmp	$CALL_HLT, %r8d
	je	c_hlt
	cmp	$CALL_UD, %r8d
	je	c_ud
	cmp	$CALL_EXITS, %r8d
	je	c_exits
	cmp	$CALL_STI, %r8d
	je	c_sti
	cmp	$CALL_NESTED, %r8d
	je	c_nested
	cmp	$CALL_CLOBBER, %r8d
	je	c_clobber
	cmp	$CALL_PF, %r8d
	je	c_pf
	cmp	$CALL_BAD_MSR, %r8d
	je	c_bad_msr
	cmp	$CALL_SHUTDOWN, %r8d
	je	c_shutdown
	cmp	$CALL_VMRUN, %r8d
	je	c_vmrun
	cmp	$CALL_EXIT_UD, %r8d
	je	c_exit_ud
	cmp	$CALL_PAGE, %r8d
	je	c_page
	cmp	$CALL_IRET, %r8d
	je	c_iret
	cmp	$CALL_USER, %r8d
	je	c_user
	cmp	$CALL_FLAGS, %r8d
	je	c_flags
	cmp	$SYMCALL_QUERY_BATCH, %r8d
	je	c_query
	ud2

c_inc:
	inc	%rbx
c_return:
	movl	$0, GUEST_DATA + DATA_IN_CALL
	mov	$SYMB_HC_SYMCALL_RET, %eax
	vmmcall
	ud2
c_error:
	movl	$0, GUEST_DATA + DATA_IN_CALL
	mov	$SYMB_HC_SYMCALL_ERR, %eax
	vmmcall
	ud2
c_hlt:
	hlt
	jmp	c_return
c_exit_ud:
	mov	$0x5a, %al
	outb	%al, $PORT_CALL
c_ud:
	ud2
c_page:
	mov	$SYMB_MSR_LOCAL_PAGE, %ecx
	mov	%ebx, %eax
	xor	%edx, %edx
	wrmsr
	jmp	c_return
c_pf:
	mov	$GUEST_UNMAPPED, %rax
	mov	(%rax), %rax
	jmp	c_return
c_bad_msr:
	mov	$0x12345678, %ecx
	rdmsr
	jmp	c_return
c_shutdown:
	lidt	GUEST_DATA + DATA_ZERO
	int3
/* Answers as the test wants: the block of 64 pages, all in slots of 8 bits. */
c_query:
	cmpl	$0, GUEST_DATA + DATA_EXIT
	je	9f
	mov	$0x5a, %al
	outb	%al, $PORT_CALL
9:	mov	GUEST_DATA + DATA_TABLE, %edi
	test	%edi, %edi
	jz	2f
	and	$-(64 * 4096), %rbx
	mov	%rbx, GUEST_LOCAL + LOOKUP_BASE
	movl	$64, GUEST_LOCAL + LOOKUP_NR
	sub	$GUEST_UNMAPPED, %rbx
	shr	$12 - 3, %rbx
	add	%rdi, %rbx
	mov	$GUEST_LOCAL + LOOKUP, %edx
	mov	$64, %ecx
1:	mov	(%rbx), %rax
	mov	%rax, (%rdx)
	shr	$12, %rax
	movzbl	%al, %eax
	mov	%eax, 8(%rdx)
	movl	$1, 12(%rdx)
	add	$8, %rbx
	add	$16, %edx
	loop	1b
2:	mov	GUEST_DATA + DATA_STORE_AT, %edi
	test	%edi, %edi
	jz	1f
	mov	GUEST_DATA + DATA_STORE, %esi
	mov	%rsi, (%rdi)
1:	mov	GUEST_DATA + DATA_ANSWERS, %ebx
	mov	GUEST_DATA + DATA_REASON, %ecx
	jmp	c_return
/* Goes on in a nested guest, and returns from there. */
c_vmrun:
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_SVME, %eax
	wrmsr
	mov	$MSR_VM_HSAVE_PA, %ecx
	mov	$GUEST_HSAVE, %eax
	xor	%edx, %edx
	wrmsr
	mov	$GUEST_VMCB, %eax
	vmrun
	ud2
	.globl	g_nested
g_nested:
	jmp	c_return
c_exits:
	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	mov	$SYMB_MSR_SYMCALL_RIP, %ecx
	rdmsr
	mov	%eax, %esi
	mov	$0x5a, %al
	outb	%al, $PORT_CALL
	inb	$PORT_CALL, %al
	movzbl	%al, %edi
	jmp	c_inc
c_sti:
	sti
	mov	$200000, %ecx
1:	pause
	loop	1b
	cli
	jmp	c_return
c_nested:
	mov	$SYMB_HC_SYMCALL_LOOP, %eax
	mov	$1, %ebx
	mov	$CALL_NULL, %ecx
	vmmcall
	mov	%rax, %rbx
	mov	$SYMB_HC_NULL, %eax
	vmmcall
	mov	%rax, %rcx
	jmp	c_return
/* Changes all that a guest can change before it returns. */
c_clobber:
	mov	$MSR_FS_BASE, %ecx
	mov	$0x111000, %eax
	xor	%edx, %edx
	wrmsr
	mov	$MSR_GS_BASE, %ecx
	wrmsr
	mov	$0x401, %eax
	mov	%rax, %dr7
	mov	$0xdead000, %rax
	mov	%rax, %cr2
	mov	$GUEST_PML4_2, %eax
	mov	%rax, %cr3
	mov	$SEL_OTHER_DATA, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	push	$SEL_OTHER_CODE
	lea	1f(%rip), %rax
	push	%rax
	lretq
1:	mov	$SEL_OTHER_DATA, %eax
	mov	%eax, %ss
	std
	sti
	mov	$-1, %rbp
	mov	%rbp, %r8
	mov	%rbp, %r9
	mov	%rbp, %r10
	mov	%rbp, %r11
	mov	%rbp, %r12
	mov	%rbp, %r13
	mov	%rbp, %r14
	mov	%rbp, %r15
	jmp	c_return

/* Lets NMIs in as far as the processor is concerned, and returns after an STI. */
c_iret:
	iret_to_next
	movl	$0, GUEST_DATA + DATA_IN_CALL
	mov	$SYMB_HC_SYMCALL_RET, %eax
	sti
	vmmcall
	ud2

/* Lets a program run, which tries to end the call. */
c_user:
	push	$SEL_USER_DATA | 3
	push	$GUEST_STACK
	push	$0x202			/* RFLAGS: IF, as in all programs */
	push	$SEL_USER_CODE | 3
	lea	1f(%rip), %rax
	push	%rax
	iretq
1:	mov	$SYMB_HC_SYMCALL_RET, %eax
	vmmcall
	mov	%rax, GUEST_DATA + DATA_USER_RAX
	ud2

/* What the local page says of the call. */
c_flags:
	mov	GUEST_LOCAL + LOCAL_FLAGS, %eax
	and	%eax, GUEST_DATA + DATA_FLAGS
	jmp	c_return

/* A symcall entry that does nothing, for the benchmark. */
	.globl	g_symcall_fast
g_symcall_fast:
	mov	$SYMB_HC_SYMCALL_RET, %eax
	vmmcall
	ud2

/* RBP null hypercalls, for the benchmark. */
	.globl	g_hypercall_loop
g_hypercall_loop:
	mov	$SYMB_HC_NULL, %eax
	vmmcall
	dec	%rbp
	jnz	g_hypercall_loop
	outb	%al, $PORT_DONE

guest_end:
	.byte	0

	.section .note.GNU-stack, "", @progbits
