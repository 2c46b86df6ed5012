/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of kvm_fuzz: lists of steps, made at random, or read from text. What a
 * step may be is in the table in program.c, and nowhere else but where it is executed.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define NR_VCPUS	4
#define HOST		NR_VCPUS	/* who, if not a vCPU */
#define STEP_ARGS	5
#define NR_PLACES	4	/* of page tables; as many again: the same, from higher up */
#define TABLE_IN_MEMORY	3	/* a page table in memory that the host can take */
#define TABLE_PAGE	5	/* of it; its first entry is what the page holds */
#define MAX_STEPS	160

/* What a step is. Its name in texts and its arguments are in a table in program.c. */
enum kind {
	/* Of a vCPU: accesses, */
	K_LOAD, K_STORE, K_USER_LOAD, K_USER_STORE, K_EXEC, K_ALIAS_LOAD, K_ALIAS_STORE,
	/* and all else; */
	K_PTE, K_PDE, K_PDPTE, K_TOP, K_INVLPG, K_CR3, K_CR0, K_CR4, K_BAD_CR, K_EFER,
	K_ATTACH, K_DETACH, K_DROP_SLOTS, K_DROP_RANGE, K_HYPERCALL, K_WRMSR, K_RDMSR,
	K_FEATURES, K_REGISTER, K_LOCAL, K_LOOP, K_STI, K_CPUID,
	/* of the host. */
	K_CPU_MODE, K_SYMCALL, K_WRITE, K_ADVISE, K_PROTECT, K_REPLACE, K_REMAP, K_PUNCH, K_CHURN,
	K_TRUNCATE, K_SLOT, K_DIRTY_LOG, K_BYPASS_MODE, K_PAGING_MODE, K_FORK, K_NMI,
	K_SMI, K_IRQ, K_INIT, K_DEBUG, K_ROUND_TRIP, K_RESET, K_NEW_VCPU, K_MMU_PAGES,
	K_PARAMETER, K_SIGNAL, K_SET, K_EDGE, K_RECLAIM,
	K_NR,
	K_VM = K_NR,		/* what the VM is: the first line of a text */
	K_TABLE_NR,
	K_HOST_FIRST = K_CPU_MODE
};

/* Step.flags */
#define STEP_ALONGSIDE	1	/* & at the same time as the next one */
#define STEP_DURING	2	/* > while the last step's question is being answered */

struct step {
	uint8_t kind;
	uint8_t who;
	uint8_t flags;
	uint16_t arg[STEP_ARGS];
};

struct program {
	struct step vm;
	unsigned int nr;
	struct step step[MAX_STEPS];
};

/* Arguments of K_VM. */
enum {
	VM_VCPUS, VM_WINDOW, VM_MEMORY, VM_MODE, VM_TABLES
};

/* What lies behind a memory slot. */
enum {
	BACK_ANON, BACK_FILE, BACK_NR
};

/* What page tables hold at first. */
enum {
	TABLES_SWAP, TABLES_MIXED, TABLES_PRESENT
};

/* Values of arguments by name, in the order of the lists in program.c. */
enum {
	LIE_NONE, LIE_READ_ONLY, LIE_ONE_READ_ONLY, LIE_WRITABLE, LIE_OTHER_PTE, LIE_ONE_OTHER_PTE,
	LIE_SLOT, LIE_ONE_SLOT, LIE_EMPTY, LIE_ONE_EMPTY, LIE_PRESENT, LIE_ONE_PRESENT,
	LIE_BASE_ODD, LIE_BASE_FAR, LIE_NR_0, LIE_NR_65, LIE_NR_MAX, LIE_CALL_ERROR,
	LIE_CALL_EXIT, LIE_CALL_UD, LIE_CALL_PF, LIE_CALL_LOOP, LIE_CALL_IRET,
	LIE_CALL_HLT, LIE_CALL_SPIN, LIE_CALL_STI, LIE_CALL_MSR, LIE_CALL_DROP,
	LIE_CALL_CR3, LIE_CALL_VMRUN, LIE_NR
};

enum {
	PTE_SWAP, PTE_SHARED, PTE_WINDOW, PTE_MEMORY, PTE_NONE, PTE_OTHER
};

enum {
	PERM_RW, PERM_RO, PERM_KERNEL, PERM_KERNEL_RO, PERM_NR
};

enum {
	PDE_T0, PDE_T1, PDE_T2, PDE_NONE, PDE_HUGE, PDE_MEMORY
};

/* Where an entry of a root, or of the table above one, leads to. */
enum {
	TOP_OWN, TOP_OTHER, TOP_NONE
};

enum {
	ADVICE_DONTNEED, ADVICE_PAGEOUT, ADVICE_COLD, ADVICE_HUGE, ADVICE_NOT_HUGE,
	ADVICE_COLLAPSE, ADVICE_POPULATE
};

enum {
	PROT_IS_NONE, PROT_IS_READ, PROT_IS_ALL
};

enum {
	SLOT_DELETE, SLOT_ADD, SLOT_READ_ONLY, SLOT_LOG, SLOT_NO_LOG, SLOT_OTHER,
	SLOT_MOVE, SLOT_BACK
};

enum {
	MODE_LONG, MODE_PAE, MODE_FLAT, MODE_LONG5
};

enum {
	TRIP_REGS, TRIP_SREGS, TRIP_EVENTS, TRIP_MP, TRIP_DEBUGREGS, TRIP_LAPIC,
	TRIP_XSAVE, TRIP_MSRS
};

/* What user space sets to another value than it was. */
enum {
	SET_CR3_0, SET_CR3_1, SET_CR3_2, SET_WP, SET_NO_WP, SET_UD, SET_NMI, SET_HALTED
};

/* Values at the edges of what registers can have, by user space. */
enum {
	EDGE_REGS, EDGE_RIP, EDGE_SREGS, EDGE_REFUSED, EDGE_INTERRUPT
};

/* Bits of EFER; with the last two it is no value that the register can have. */
enum {
	EFER_IS_SCE, EFER_IS_NXE, EFER_IS_SVME, EFER_IS_LME, EFER_IS_RESERVED
};

/* Bits of CR4, one at a time. */
enum {
	CR4_IS_PGE, CR4_IS_DE, CR4_IS_TSD, CR4_IS_UMIP, CR4_IS_SMEP, CR4_IS_SMAP, CR4_IS_PCIDE
};

/* What CR0 and CR4 cannot have in long mode. */
enum {
	BAD_NO_PAGING, BAD_NO_PROTECTION, BAD_NW, BAD_CR0_HIGH, BAD_NO_PAE, BAD_CR4_RESERVED,
	BAD_LA57
};

enum {
	PARAM_BUDGET, PARAM_BYPASS, PARAM_NX_HUGE, PARAM_THP
};

const char *kind_name(unsigned int kind);
unsigned int answer_pages(const struct step *question);
unsigned int kind_variant(const struct step *s);
void program_random(struct program *p, unsigned int vcpus, bool alongside);
void program_mutate(struct program *p, const struct program *other, bool alongside);
void program_tidy(struct program *p);
void program_print(const struct program *p, FILE *f);
bool program_read(struct program *p, FILE *f, const char *name);
bool program_races(const struct program *p);
bool program_simplify(struct program *p, unsigned int *at);

void random_begin(uint64_t seed);
unsigned int rnd(unsigned int n);

#endif /* PROGRAM_H */
