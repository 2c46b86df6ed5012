/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to symbiotic/ and the kernel's tests.
 */
#ifndef SYMBIOTIC_INTERNAL_H
#define SYMBIOTIC_INTERNAL_H

#include <symbiotic/symcall.h>
#include <symbiotic/symspy.h>
#include <kitten/cpu.h>

#define SYMCALL_STACK_SIZE	8192

/**
 * struct symb_cpu - what a CPU shares with the VMM
 * @calls: symcalls served
 * @errors: of these, answered with an error
 * @aborts: calls that the VMM has aborted
 * @active: a symcall is running
 * @enabled: the VMM may make symcalls
 * @local: the local SymSpy page
 * @stack: for symcalls
 */
struct symb_cpu {
	u64 calls;
	u64 errors;
	u64 aborts;
	bool active;
	bool enabled;
	struct symspy_page local;
	u8 stack[SYMCALL_STACK_SIZE] __aligned(16);
};

extern struct symb_cpu symb_cpus[MAX_CPUS];

/* The result of discovery, the features agreed on, the global page. */
extern struct symspy_vmm symb_vmm;
extern int symb_found;
extern u32 symb_features;
extern struct symspy_page symb_global;

/* symcall.c */
int symcall_cpu_on(struct cpu *cpu);
void symcall_cpu_off(struct cpu *cpu);
int symcall_init(void);

/* dma.c */
void symb_dma_on(void);
void symb_dma_off(void);

/* tests/symcall_selftest.c */
int symcall_selftest_init(void);

/* What the entry code uses, and that. */
extern u8 symb_use_vmmcall;
int symb_symcall(struct symcall_regs *regs);
void symb_symcall_entry(void);

static inline s64 symb_hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	s64 ret = nr;

	if (cpu_has.amd)
		asm volatile("vmmcall" : "+a" (ret)
			     : "b" (a), "c" (b), "d" (c), "S" (d) : "memory");
	else
		asm volatile("vmcall" : "+a" (ret)
			     : "b" (a), "c" (b), "d" (c), "S" (d) : "memory");
	return ret;
}

#endif /* SYMBIOTIC_INTERNAL_H */
