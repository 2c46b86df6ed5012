// SPDX-License-Identifier: GPL-2.0
/*
 * Symcalls that misbehave on purpose, for tests of the VMM's rules. Only with
 * "symcalltest" on the command line.
 */
#include <kitten/asm.h>
#include <kitten/boot.h>
#include <kitten/cpu.h>

#include "../symbiotic/internal.h"

/* A page of the device mappings that is never used: they start from below. */
#define UNMAPPED	(VMAP_BASE + SZ_2M - PAGE_SIZE)

#define MSR_FS_BASE	0xc0000100

/* The POST port: reading and writing it exits to the device model. */
#define POST_PORT	0x80

/* IF, DF, TF, NT, AC. */
#define RFLAGS_OFF	0x44700

static void spin(u64 loops)
{
	while (loops--)
		cpu_relax();
}

/* Exits inside a call; the last port I/O goes to the device model. */
static int do_exits(struct symcall_regs *regs)
{
	u32 a, b, c, d;
	u64 val = 0;

	cpuid(0, &a, &b, &c, &d);
	if (!a || !rdmsr_safe(SYMB_MSR_FEATURES, &val) || val != symb_features)
		return SYMCALL_ERR_INVAL;
	outb(POST_PORT, regs->rdi);
	regs->rdx = inb(POST_PORT);
	return 0;
}

static bool faults(void)
{
	u32 fault = 1;
	u64 val;

	asm volatile("1:\tmovq (%2), %1\n\t"
		     "xorl %0, %0\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "+r" (fault), "=&r" (val) : "r" (UNMAPPED));
	return fault;
}

/* What the VMM must have set up, and what the entry code. */
static int check_state(void)
{
	const struct symb_cpu *sc = &symb_cpus[this_cpu()->id];
	u64 sp = (u64)__builtin_frame_address(0), flags, dr7;

	asm volatile("pushfq\n\tpopq %0" : "=r" (flags));
	asm volatile("movq %%dr7, %0" : "=r" (dr7));
	if (flags & RFLAGS_OFF)
		return 1001;
	if (dr7 & 0xff)
		return 1002;
	if (rdmsr(MSR_FS_BASE) || rdmsr(MSR_GS_BASE) != (u64)this_cpu())
		return 1003;
	if (sp - (u64)sc->stack >= SYMCALL_STACK_SIZE)
		return 1004;
	return 0;
}

static int call_selftest(struct symcall_regs *regs)
{
	s64 ret;

	switch (regs->rbx) {
	case SYMCALL_SELFTEST_SPIN:
		for (;;)
			cpu_relax();
	case SYMCALL_SELFTEST_EXITS:
		return do_exits(regs);
	case SYMCALL_SELFTEST_FAULT:
		/* Or the VMM aborts the call. */
		return faults() ? 0 : SYMCALL_ERR_INVAL;
	case SYMCALL_SELFTEST_HLT:
		asm volatile("hlt" ::: "memory");
		return 0;
	case SYMCALL_SELFTEST_STI:
		asm volatile("sti" ::: "memory");
		spin(regs->rcx);
		asm volatile("cli" ::: "memory");
		return 0;
	case SYMCALL_SELFTEST_NESTED:
		ret = symb_hypercall(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_NULL, 0,
				     0);
		return ret == -SYMB_HC_EBUSY ? 0 : SYMCALL_ERR_INVAL;
	case SYMCALL_SELFTEST_STATE:
		return check_state();
	case SYMCALL_SELFTEST_DELAY:
		spin(regs->rcx);
		return 0;
	}
	return SYMCALL_ERR_INVAL;
}

int symcall_selftest_init(void)
{
	if (!boot_option("symcalltest"))
		return 0;
	return symcall_register(SYMCALL_SELFTEST, call_selftest);
}
