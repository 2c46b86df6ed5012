// SPDX-License-Identifier: GPL-2.0
/*
 * This kernel's part of the symcalls that misbehave on purpose; see
 * <symbiotic/selftest.h>. Only with "symcalltest" on the command line.
 */
#include <kitten/asm.h>
#include <kitten/boot.h>
#include <kitten/cpu.h>

#include <symbiotic/port.h>
#include <symbiotic/selftest.h>

#include "../symbiotic/internal.h"

/* A page of the device mappings that is never used: they start from below. */
#define UNMAPPED	(VMAP_BASE + SZ_2M - PAGE_SIZE)

#define MSR_FS_BASE	0xc0000100

/* IF, DF, TF, NT, AC. */
#define RFLAGS_OFF	0x44700

__u32 symb_selftest_features(void)
{
	return symb_features;
}

bool symb_selftest_faults(void)
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

int symb_selftest_state(void)
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

long symb_selftest_call(__u64 nr, __u64 a, __u64 b)
{
	return symb_hypercall(nr, a, b, 0, 0);
}

int symcall_selftest_init(void)
{
	if (!boot_option("symcalltest"))
		return 0;
	return symcall_register(SYMCALL_SELFTEST, symb_selftest);
}
