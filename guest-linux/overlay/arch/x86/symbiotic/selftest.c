// SPDX-License-Identifier: GPL-2.0
/*
 * Linux's part of the symcalls that misbehave on purpose; see
 * <symbiotic/selftest.h>.
 */
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include <symbiotic/port.h>
#include <symbiotic/selftest.h>

#include "symbiotic.h"

/* An address that is never mapped: the guard hole below the direct mapping. */
#define UNMAPPED	(GUARD_HOLE_BASE_ADDR + PAGE_SIZE)

__u32 symb_selftest_features(void)
{
	return symbiotic_features();
}

/*
 * Not get_kernel_nofault(), which counts in the task that page faults are off:
 * if the VMM aborts the call, nobody would count back.
 */
bool symb_selftest_faults(void)
{
	u64 val;

	__get_kernel_nofault(&val, (u64 *)UNMAPPED, u64, fault);
	return false;
fault:
	return true;
}

int symb_selftest_state(void)
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

long symb_selftest_call(__u64 nr, __u64 a, __u64 b)
{
	return symb_hypercall4(nr, a, b, 0, 0);
}

static int __init selftest_init(void)
{
	return symcall_register(SYMCALL_SELFTEST, symb_selftest);
}
early_initcall(selftest_init);
