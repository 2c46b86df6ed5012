// SPDX-License-Identifier: GPL-2.0
/*
 * Symcalls that misbehave on purpose, for tests of the VMM's rules.
 */
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "symbiotic.h"

/* An address that is never mapped: the guard hole below the direct mapping. */
#define UNMAPPED	(GUARD_HOLE_BASE_ADDR + PAGE_SIZE)

/* The POST port: reading and writing it exits to the device model. */
#define POST_PORT	0x80

static void spin(u64 loops)
{
	while (loops--)
		cpu_relax();
}

/* Exits inside a call; the last port I/O goes to the device model. */
static int do_exits(struct symcall_regs *regs)
{
	u64 val = 0;

	if (cpuid_eax(0) != boot_cpu_data.cpuid_level)
		return SYMCALL_ERR_INVAL;
	if (symb_port_rdmsr(SYMB_MSR_FEATURES, &val) ||
	    val != symbiotic_features())
		return SYMCALL_ERR_INVAL;
	outb(regs->rdi, POST_PORT);
	regs->rdx = inb(POST_PORT);
	return 0;
}

/*
 * Not get_kernel_nofault(), which counts in the task that page faults are off:
 * if the VMM aborts the call, nobody would count back.
 */
static bool faults(void)
{
	u64 val;

	__get_kernel_nofault(&val, (u64 *)UNMAPPED, u64, fault);
	return false;
fault:
	return true;
}

/* What the VMM must have set up, and what the entry code. */
static int check_state(void)
{
	struct symb_cpu *sc = this_cpu_ptr(&symb_cpu);
	unsigned long sp = (unsigned long)__builtin_frame_address(0);
	unsigned long flags, dr7;
	u64 fs, gs;

	asm volatile("pushf\n\tpop %0" : "=r" (flags));
	get_debugreg(dr7, 7);
	rdmsrl(MSR_FS_BASE, fs);
	rdmsrl(MSR_GS_BASE, gs);

	if (flags & (X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_AC |
		     X86_EFLAGS_TF | X86_EFLAGS_NT))
		return 1001;
	if (dr7 & DR_GLOBAL_ENABLE_MASK || dr7 & DR_LOCAL_ENABLE_MASK)
		return 1002;
	if (fs || gs != cpu_kernelmode_gs_base(smp_processor_id()))
		return 1003;
	if (sp - (unsigned long)sc->stack >= SYMCALL_STACK_SIZE)
		return 1004;
	if (!in_nmi() || !rcu_is_watching())
		return 1005;
	return 0;
}

static int call_selftest(struct symcall_regs *regs)
{
	u64 arg = regs->rcx;
	long ret;

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
		spin(arg);
		asm volatile("cli" ::: "memory");
		return 0;
	case SYMCALL_SELFTEST_NESTED:
		ret = symb_hypercall4(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_NULL,
				      0, 0);
		return ret == -SYMB_HC_EBUSY ? 0 : SYMCALL_ERR_INVAL;
	case SYMCALL_SELFTEST_STATE:
		return check_state();
	case SYMCALL_SELFTEST_DELAY:
		spin(arg);
		return 0;
	}
	return SYMCALL_ERR_INVAL;
}

static int __init selftest_init(void)
{
	return symcall_register(SYMCALL_SELFTEST, call_selftest);
}
early_initcall(selftest_init);
