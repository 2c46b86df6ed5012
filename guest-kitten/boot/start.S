/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first instructions: from 32-bit protected mode without paging, where
 * the PVH boot protocol starts us, to 64-bit code at the kernel's addresses.
 *
 * EBX holds the physical address of the start information all the way.
 */
#include <kitten/asm.h>

/* Of something in the image, before it is mapped. */
#define PHYS(x)		((x) - IMAGE_BASE)

/* Present, writable; and a large page. */
#define TABLE		0x003
#define LARGE		0x083

	/* In 64-bit mode the others mean nothing. */
	.macro	LOAD_SEGMENTS
	movl	$SEL_KERNEL_SS, %eax
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	.endm

	/* Tells the loader: 32-bit entry at this physical address. */
	.section .note, "a", @note
	.balign	4
	.long	4, 4, 18
	.asciz	"Xen"
	.long	PHYS(pvh_start)

	.section .text.boot, "ax"
	.code32
	.globl	pvh_start
pvh_start:
	cld
	/* The loader promises flat segments, the rest is up to us. */
	movl	$PHYS(boot_stack_end), %esp

	/* 4 GiB linear in large pages ... */
	movl	$PHYS(boot_pd), %edi
	movl	$LARGE, %eax
	xorl	%edx, %edx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	cmpl	$PHYS(boot_pd) + 4 * 4096, %edi
	jb	1b

	movl	$PHYS(boot_pdpt), %edi
	movl	$PHYS(boot_pd) + TABLE, %eax
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	2b

	/* ... at 0 for the switch, in the linear mapping, and the first GiB */
	movl	$PHYS(boot_pdpt) + TABLE, %eax
	movl	%eax, PHYS(boot_pml4)
	movl	%eax, PHYS(boot_pml4) + LINEAR_SLOT * 8
	/* once more where the image is linked to. */
	movl	$PHYS(boot_pdpt_image) + TABLE, PHYS(boot_pml4) + IMAGE_SLOT * 8
	movl	$PHYS(boot_pd) + TABLE, PHYS(boot_pdpt_image) + 510 * 8

	movl	$PHYS(boot_gdt_pointer), %eax
	lgdt	(%eax)
	call	enter_long_mode
	ljmp	$SEL_KERNEL_CS, $PHYS(long_mode)

	.code64
long_mode:
	LOAD_SEGMENTS
	movabsq	$boot_stack_end, %rsp
	xorl	%ebp, %ebp
	movl	%ebx, %edi
	movabsq	$kernel_main, %rax
	call	*%rax
	ud2

/* Turns paging on; the boot processor and the others come here. */
	.code32
	.globl	enter_long_mode
enter_long_mode:
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PHYS(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_BOOT, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_BOOT, %eax
	movl	%eax, %cr0
	ret

/*
 * Where an application processor starts, in real mode. smp.c copies this to
 * TRAMPOLINE, so it uses no address of its own.
 */
	.section .rodata.trampoline, "a"
	.code16
	.globl	trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + trampoline_gdt_pointer - trampoline_start
	movl	$0x11, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_USER_BASE, $PHYS(trampoline_32)
	.balign	4
trampoline_gdt_pointer:
	.word	5 * 8 - 1
	.long	PHYS(boot_gdt)
trampoline_end:

	.section .text.boot, "ax"
	.code32
trampoline_32:
	movl	$0x20, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$PHYS(ap_small_stack_end), %esp
	call	enter_long_mode
	ljmp	$SEL_KERNEL_CS, $PHYS(ap_long_mode)

	.code64
ap_long_mode:
	LOAD_SEGMENTS
	movabsq	$ap_boot_stack, %rax
	movq	(%rax), %rsp
	xorl	%ebp, %ebp
	movabsq	$ap_main, %rax
	call	*%rax
	ud2

	.section .data
	.balign	8
/* 64-bit code and data; then 32-bit code and data for the way there. */
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdt_pointer:
	.word	5 * 8 - 1
	.long	PHYS(boot_gdt)
	.long	0

	.section .bss
	.balign	4096
	.globl	boot_pml4
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pdpt_image:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	.skip	16384
	.globl	boot_stack_end
boot_stack_end:
	/* For one call; the boot processor lives on the other one. */
	.skip	64
ap_small_stack_end:

	.section .note.GNU-stack, "", @progbits
