// SPDX-License-Identifier: GPL-2.0
/*
 * Symcalls that misbehave on purpose, for tests of the VMM's rules.
 */
#include <linux/init.h>
#include <linux/io.h>
#include <linux/uaccess.h>

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

/* Exits inside a call: RBX = highest CPUID leaf, RCX = MSR, RDX = port. */
static void do_exits(struct symcall_regs *regs)
{
	u64 val = 0;

	regs->rbx = cpuid_eax(0);
	symb_port_rdmsr(SYMB_MSR_FEATURES, &val);
	regs->rcx = val;
	outb(regs->rdi, POST_PORT);
	regs->rdx = inb(POST_PORT);
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

static int call_selftest(struct symcall_regs *regs)
{
	u64 arg = regs->rcx;

	switch (regs->rbx) {
	case SYMCALL_SELFTEST_SPIN:
		for (;;)
			cpu_relax();
	case SYMCALL_SELFTEST_EXITS:
		do_exits(regs);
		return 0;
	case SYMCALL_SELFTEST_FAULT:
		/* If the VMM lets the exception happen, RBX tells. */
		regs->rbx = faults();
		return 0;
	case SYMCALL_SELFTEST_HLT:
		asm volatile("hlt" ::: "memory");
		return 0;
	case SYMCALL_SELFTEST_STI:
		asm volatile("sti" ::: "memory");
		spin(arg);
		asm volatile("cli" ::: "memory");
		return 0;
	case SYMCALL_SELFTEST_NESTED:
		regs->rbx = symb_hypercall4(SYMB_HC_SYMCALL_LOOP, 1,
					    SYMCALL_NULL, 0, 0);
		return 0;
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
