// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Symcalls that misbehave on purpose, for tests of the VMM's rules. OS-neutral;
 * <symbiotic/selftest.h> says what the OS adds, and when to compile this.
 */
#include <symbiotic/port.h>
#include <symbiotic/selftest.h>

/* The POST port: reading and writing it exits to the device model. */
#define POST_PORT	0x80

static void spin(__u64 loops)
{
	while (loops--)
		asm volatile("pause");
}

/* Exits inside a call; the last port I/O goes to the device model. */
static int exits(struct symcall_regs *regs)
{
	__u16 port = POST_PORT;
	struct symb_cpuid id;
	__u64 features = 0;
	__u8 value = regs->rdi;

	symb_port_cpuid(0, &id);
	if (!id.eax || symb_port_rdmsr(SYMB_MSR_FEATURES, &features) ||
	    features != symb_selftest_features())
		return SYMCALL_ERR_INVAL;
	asm volatile("outb %0, %1" : : "a" (value), "Nd" (port));
	asm volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
	regs->rdx = value;
	return 0;
}

int symb_selftest(struct symcall_regs *regs)
{
	switch (regs->rbx) {
	case SYMCALL_SELFTEST_SPIN:
		for (;;)
			spin(1);
	case SYMCALL_SELFTEST_EXITS:
		return exits(regs);
	case SYMCALL_SELFTEST_FAULT:
		/* Or the VMM aborts the call. */
		return symb_selftest_faults() ? 0 : SYMCALL_ERR_INVAL;
	case SYMCALL_SELFTEST_HLT:
		asm volatile("hlt" : : : "memory");
		return 0;
	case SYMCALL_SELFTEST_STI:
		asm volatile("sti" : : : "memory");
		spin(regs->rcx);
		asm volatile("cli" : : : "memory");
		return 0;
	case SYMCALL_SELFTEST_NESTED:
		return symb_selftest_call(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_NULL) ==
		       -SYMB_HC_EBUSY ? 0 : SYMCALL_ERR_INVAL;
	case SYMCALL_SELFTEST_STATE:
		return symb_selftest_state();
	case SYMCALL_SELFTEST_DELAY:
		spin(regs->rcx);
		return 0;
	}
	return SYMCALL_ERR_INVAL;
}
