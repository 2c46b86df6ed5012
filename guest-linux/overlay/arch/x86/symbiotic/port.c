// SPDX-License-Identifier: GPL-2.0
/*
 * What the OS-neutral symbiotic core needs from Linux; see <symbiotic/port.h>.
 *
 * The functions that talk to the VMM can be replaced by KUnit tests.
 */
#include <kunit/static_stub.h>
#include <linux/io.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include <asm/msr.h>
#include <asm/processor.h>

#include <symbiotic/port.h>

#include "lies.h"

void symb_port_cpuid(__u32 leaf, struct symb_cpuid *out)
{
	KUNIT_STATIC_STUB_REDIRECT(symb_port_cpuid, leaf, out);
	cpuid_count(leaf, 0, &out->eax, &out->ebx, &out->ecx, &out->edx);
	symb_lie_cpuid(leaf, out);
}

int symb_port_rdmsr(__u32 msr, __u64 *val)
{
	u64 v;

	KUNIT_STATIC_STUB_REDIRECT(symb_port_rdmsr, msr, val);
	if (rdmsrl_safe(msr, &v) || !symb_lie_rdmsr(&v))
		return -EIO;
	*val = v;
	return 0;
}

int symb_port_wrmsr(__u32 msr, __u64 val)
{
	unsigned int lie;

	KUNIT_STATIC_STUB_REDIRECT(symb_port_wrmsr, msr, val);
	lie = symb_lie_wrmsr(msr, val);
	if (!(lie & SYMB_LIE_NOT_DONE) && wrmsrl_safe(msr, val))
		return -EIO;
	return lie & SYMB_LIE_REFUSED ? -EIO : 0;
}

void *symb_port_map(__u64 gpa)
{
	KUNIT_STATIC_STUB_REDIRECT(symb_port_map, gpa);
	return memremap(gpa, SYMB_PAGE_SIZE, MEMREMAP_WB);
}

void symb_port_unmap(void *va)
{
	KUNIT_STATIC_STUB_REDIRECT(symb_port_unmap, va);
	memunmap(va);
}

void symb_port_who(struct symb_who *who)
{
	struct task_struct *task = current;

	who->pid = task_pid_nr(task);
	/* Without the lock: a rename under way may show half of each name. */
	memcpy(who->comm, task->comm, sizeof(who->comm));
	who->idle = is_idle_task(task);
}

void symb_port_sync_calls(void)
{
	/* A symcall runs with interrupts off and with RCU watching. */
	synchronize_rcu();
}
