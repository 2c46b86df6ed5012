/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that both assembly and C use.
 */
#ifndef KITTEN_ASM_H
#define KITTEN_ASM_H

/*
 * Virtual memory, by slots of the top page table (512 GiB each):
 *
 *	0		the task's own memory
 *	1 .. 255	SMARTMAP: the memory of rank r in slot r + 1
 *	256 .. 383	all physical memory, linear
 *	384		single pages: devices, SymSpy
 *	511		the kernel's image, in the last 2 GiB
 */
#define LINEAR_BASE	0xffff800000000000
#define LINEAR_SLOT	256
#define LINEAR_SLOTS	128
#define VMAP_BASE	0xffffc00000000000
#define VMAP_SLOT	384
#define IMAGE_BASE	0xffffffff80000000
#define IMAGE_SLOT	511

/* Selectors. SYSCALL wants this order, SymCall SS = CS + 8. */
#define SEL_KERNEL_CS	0x08
#define SEL_KERNEL_SS	0x10
#define SEL_USER_BASE	0x18
#define SEL_USER_SS	0x23
#define SEL_USER_CS	0x2b
#define SEL_TSS		0x30

/* Offsets in struct cpu. */
#define CPU_SELF	0
#define CPU_KERNEL_RSP	8
#define CPU_USER_RSP	16

/* Interrupt vectors, and a number for what is not one. */
#define VEC_TIMER	0x20
#define VEC_IPI		0x21
#define VEC_SPURIOUS	0xff
#define VEC_SYSCALL	0x100

/* Interrupt stacks; 0 is the thread's own. */
#define IST_NMI		1
#define IST_DF		2
#define IST_MC		3
#define IST_DB		4

/* Where an application processor starts: a free page of low memory. */
#define TRAMPOLINE	0x8000

#define MSR_EFER	0xc0000080
#define MSR_GS_BASE	0xc0000101
#define EFER_BOOT	0x901		/* SCE, LME, NXE */
#define CR0_BOOT	0x80050033	/* PG AM WP NE ET MP PE */
#define CR4_PAE		0x20

#endif /* KITTEN_ASM_H */
