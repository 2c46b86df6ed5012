/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What symbiotic_test and its guest code (guest.S) agree on.
 */
#ifndef GUEST_H
#define GUEST_H

#ifdef __ASSEMBLER__
/* From symbiotic/abi.h, which is C. */
#define SYMB_MSR_LOCAL_PAGE	0x535
#define SYMB_MSR_SYMCALL_RIP	0x536
#define SYMB_HC_SYMCALL_RET	0x535
#define SYMB_HC_SYMCALL_ERR	0x536
#define SYMB_HC_NULL		0x540
#define SYMB_HC_SYMCALL_LOOP	0x541
#define SYMCALL_QUERY_BATCH	0x110
#define LOCAL_FLAGS		8
#define LOOKUP_BASE		272
#define LOOKUP_NR		280
#define LOOKUP			288
#else
/* Labels in guest.S. */
extern const char guest_start[], guest_end[], g_wrmsr[], g_rdmsr[],
	g_hypercall[], g_spin[], g_sti_spin[], g_hlt[], g_iret[], g_gp[], g_ud[], g_pf[],
	g_nmi[], g_nmi_flags[], g_irq[], g_symcall[], g_symcall_fast[], g_hypercall_loop[],
	g_load[], g_invlpg_load[], g_ss_load[], g_store[], g_touch[], g_count[], g_nested[],
	g_hv_call[], g_db[], g_mc[], g_mix[], g_mix32[], g_mix16[], g_vmrun[],
	g_nested_out[], g_bad[], g_remap[], g_paddd[], g_ds_invlpg[],
	g_smm[], g_smm_end[], g_cr3[];
#endif

#define MSR_EFER		0xc0000080
#define EFER_LONG_MODE		0xd00	/* LME, LMA, NXE */
#define EFER_SVME		(1 << 12)
#define MSR_VM_HSAVE_PA		0xc0010117
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101

/*
 * Guest-physical = virtual. 2 MiB of RAM; the page tables map 4 GiB but the
 * 2 MiB at GUEST_UNMAPPED.
 */
#define GUEST_RAM		0x200000
#define GUEST_PML4		0x1000
#define GUEST_PML4_2		0x2000
#define GUEST_PDPT		0x3000
#define GUEST_PD		0x4000	/* four pages */
#define GUEST_GDT		0x8000
#define GUEST_IDT		0x9000
#define GUEST_DATA		0xa000
#define GUEST_PT		0xb000
#define GUEST_DESC		0xc000
#define GUEST_VMCB		0xd000
#define GUEST_HSAVE		0xe000
#define GUEST_HV_PAGE		0xf000
#define GUEST_CODE		0x10000
#define GUEST_STACK		0x20000
#define GUEST_CALL_STACK	0x30000
#define GUEST_SMM		0x38000	/* SMBASE is 0x30000 */
#define GUEST_REAL		0x60000	/* 64 KiB for g_mix16 */
#define GUEST_MIX		0x100000 /* four pages of page tables for each vCPU */
#define GUEST_UNMAPPED		0x40000000
#define GUEST_LOCAL		0x10001000	/* the local page, behind its RAM */

/* Words at GUEST_DATA. */
#define DATA_NMIS		0x00
#define DATA_IRQS		0x04
#define DATA_IN_CALL		0x08
#define DATA_BROKEN		0x0c
#define DATA_CALLS		0x10
#define DATA_CS			0x18
#define DATA_SS			0x1c
#define DATA_RFLAGS		0x20
#define DATA_RSP		0x28
#define DATA_FS			0x30
#define DATA_GS			0x34
#define DATA_DR7		0x38
#define DATA_ANSWERS		0x40	/* RBX and RCX of SYMCALL_QUERY_BATCH */
#define DATA_REASON		0x44
#define DATA_STORE_AT		0x48	/* what to change before it returns */
#define DATA_STORE		0x4c
#define DATA_TABLE		0x50	/* page tables to answer from, 0 = as it is */
#define DATA_EXIT		0x54	/* SYMCALL_QUERY_BATCH makes an exit */
#define DATA_SPINS		0x58	/* how far g_spin has got */
#define DATA_USER_RAX		0x60	/* what a program in a call gets from VMCALL */
#define DATA_FLAGS		0x68	/* of the local page, ANDed by all CALL_FLAGS */
#define DATA_NMI_FLAGS		0x6c	/* of the local page, ORed by all NMIs */
#define DATA_STOP		0x70	/* ends g_mix and its kind */
#define DATA_SMIS		0x74	/* how often g_smm has run */
#define DATA_ZERO		0x80
#define DATA_ROUNDS		0xc0	/* how far they have got, a word for each vCPU */

#define MIX_PAGES		16	/* of each vCPU, a power of 2 */

#define SEL_CODE		0x08
#define SEL_DATA		0x10
#define SEL_USER_DATA		0x18
#define SEL_USER_CODE		0x20
#define SEL_CALL_CODE		0x28
#define SEL_CALL_DATA		0x30
#define SEL_OTHER_CODE		0x38
#define SEL_OTHER_DATA		0x40

#define PORT_DONE		0x10
#define PORT_GP			0x11
#define PORT_UD			0x12
#define PORT_PF			0x13
#define PORT_DB			0x14
#define PORT_MC			0x15
#define PORT_BAD		0x16	/* memory is not what was written */
#define PORT_CALL		0x90

#define CALL_NULL		0x100
#define CALL_INC		1
#define CALL_ERROR		2
#define CALL_SPIN		3
#define CALL_HLT		4
#define CALL_UD			5
#define CALL_EXITS		6
#define CALL_STI		7
#define CALL_NESTED		8
#define CALL_CLOBBER		9
#define CALL_PF			10
#define CALL_BAD_MSR		11
#define CALL_SHUTDOWN		12
#define CALL_VMRUN		13
#define CALL_EXIT_UD		14
#define CALL_PAGE		15
#define CALL_IRET		16
#define CALL_USER		17
#define CALL_FLAGS		18

#endif /* GUEST_H */
