// SPDX-License-Identifier: GPL-2.0
/*
 * What the OS-neutral symbiotic core needs from this kernel; see
 * <symbiotic/port.h>.
 */
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/task.h>

#include <symbiotic/port.h>
#include "internal.h"

void symb_port_cpuid(__u32 leaf, struct symb_cpuid *out)
{
	cpuid(leaf, &out->eax, &out->ebx, &out->ecx, &out->edx);
}

int symb_port_rdmsr(__u32 msr, __u64 *val)
{
	return rdmsr_safe(msr, val) ? 0 : -EIO;
}

int symb_port_wrmsr(__u32 msr, __u64 val)
{
	return wrmsr_safe(msr, val) ? 0 : -EIO;
}

void *symb_port_map(__u64 gpa)
{
	return vmap(gpa, 0);
}

void symb_port_unmap(void *va)
{
	vunmap(va);
}

/* Tasks have fixed places: what is read is a task's, be it on its way out. */
void symb_port_who(struct symb_who *who)
{
	const struct thread *t = this_cpu()->current;

	if (!t || !t->task) {
		who->idle = true;
		copy_name(who->comm, "idle", sizeof(who->comm));
		return;
	}
	who->pid = t->task->id;
	memcpy(who->comm, t->task->name, sizeof(who->comm));
}

void symb_port_sync_calls(void)
{
	for (u32 i = 0; i < nr_cpus; i++) {
		while (READ_ONCE(symb_cpus[i].active))
			cpu_relax();
	}
}
