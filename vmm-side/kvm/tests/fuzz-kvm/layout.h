/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kvm_fuzz and its guest code (fuzz_guest.S) agree on, besides guest.h: in the
 * same 2 MiB, where the other tests have nothing.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#ifdef __ASSEMBLER__
/* From symbiotic/abi.h, which is C. */
#define SYMB_HC_DROP_SLOTS	0x544
#else
extern const char fuzz_start[], fuzz_end[], f_start[], f_stop[], f_call[], f_user_end[],
	f_nmi[], f_irq[], f_nested[], f32_start[], f32_stop[], f32_nmi[];
#endif

#define FUZZ_CODE		0x18000
#define FUZZ_RSM		0x38000		/* SMBASE + 0x8000 */
#define FUZZ_BOX		0x140000	/* one for each vCPU: */
#define FUZZ_BOX_SIZE		0x4000
#define FUZZ_TSS		0x1000
#define FUZZ_STACK		0x3000
#define FUZZ_CALL_STACK		0x4000
#define FUZZ_T1			0x180000
#define FUZZ_T2			0x181000
#define FUZZ_PML4		0x182000	/* with page tables of its own below: */
#define FUZZ_PDPT		0x184000
#define FUZZ_PD			0x185000
#define FUZZ_PDPT32		0x186000	/* without long mode; two for each vCPU: */
#define FUZZ_PDPT32_SIZE	64
#define FUZZ_IDT32		0x187000
#define FUZZ_PML5		0x188000	/* three, each of a pair of pages */
#define FUZZ_VMCB		0x190000	/* and where the host saves; for each vCPU */
#define SEL_CODE32		0x48
#define SEL_DATA32		0x50

/* A vCPU's box; GS points there, always. */
#define BOX_OP			0x00
#define BOX_ARGS		0x08	/* RAX, RBX, RCX, RDX, RSI */
#define BOX_STACK		0x30
#define BOX_STATUS		0x38	/* 0, or 1 + the exception's vector */
#define BOX_ERROR		0x40
#define BOX_CR2			0x48
#define BOX_RESULT		0x50
#define BOX_KEPT		0x58	/* what became of a register that no step changes */
#define BOX_IN_CALL		0x60
#define BOX_CALL		0x64	/* FUZZ_CALL_*, once */
#define BOX_ANSWERS		0x68	/* questions to be answered with yes */
#define BOX_ASKED		0x6c
#define BOX_SAY			0x70	/* answers make an exit */
#define BOX_REASON		0x74
#define BOX_NMIS		0x78
#define BOX_IRQS		0x7c
#define BOX_OTHER_CR3		0x80	/* for FUZZ_CALL_CR3 */
#define BOX_VMCB		0x88

#define BOX_KEPT_VALUE		0x12345678

#define OP_NOP			0
#define OP_LOAD			1
#define OP_STORE		2
#define OP_USER_LOAD		3
#define OP_USER_STORE		4
#define OP_INVLPG		5
#define OP_CR3			6
#define OP_CR0			7
#define OP_CR4			8
#define OP_HYPERCALL		9
#define OP_WRMSR		10
#define OP_RDMSR		11
#define OP_STI			12
#define OP_CPUID		13
#define OP_EXEC			14

/* Where users have the code. */
#define FUZZ_USER		0x08000000

/* In no page table, whatever the steps do; not GUEST_UNMAPPED, which is theirs. */
#define FUZZ_UNMAPPED		0x7f0000000000

#define FUZZ_CALL_NULL		0
#define FUZZ_CALL_ERROR		1
#define FUZZ_CALL_EXIT		2
#define FUZZ_CALL_UD		3
#define FUZZ_CALL_PF		4
#define FUZZ_CALL_LOOP		5
#define FUZZ_CALL_IRET		6
#define FUZZ_CALL_HLT		7
#define FUZZ_CALL_SPIN		8
#define FUZZ_CALL_STI		9
#define FUZZ_CALL_MSR		10
#define FUZZ_CALL_DROP		11
#define FUZZ_CALL_CR3		12
#define FUZZ_CALL_VMRUN		13
#define FUZZ_CALL_NR		14

#define PORT_ANSWER		0x91	/* an answer, before it is given */

#endif /* LAYOUT_H */
