// SPDX-License-Identifier: GPL-2.0
/*
 * Starting the other processors, one after the other.
 */
#include <kitten/arch.h>
#include <kitten/boot.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/task.h>

#define START_TIMEOUT_NS	2000000000ULL

extern char trampoline_start[], trampoline_end[];

/* The stack that the next processor starts on. */
u64 ap_boot_stack;
static struct cpu *ap_cpu;

void ap_main(void);

/* First C code of a started processor. */
void ap_main(void)
{
	struct cpu *cpu = ap_cpu;

	write_cr3(kernel_root());
	cpu_init(cpu);
	sched_cpu_start();
}

static bool start(struct cpu *cpu)
{
	u64 deadline = clock_ns() + START_TIMEOUT_NS;

	ap_boot_stack = sched_cpu_prepare(cpu);
	if (!ap_boot_stack)
		return false;
	ap_cpu = cpu;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	apic_start_ap(cpu->apic_id);
	while (!READ_ONCE(cpu->online)) {
		if (clock_ns() > deadline)
			return false;
		cpu_relax();
	}
	return true;
}

void smp_init(void)
{
	u32 ids[MAX_CPUS], n;

	memcpy(phys_to_virt(TRAMPOLINE), trampoline_start,
	       trampoline_end - trampoline_start);
	n = acpi_find_cpus(boot_info.rsdp, ids, MAX_CPUS);
	for (u32 i = 0; i < n; i++) {
		struct cpu *cpu = &cpus[nr_cpus];

		if (ids[i] == cpus[0].apic_id)
			continue;
		cpu->id = nr_cpus;
		cpu->apic_id = ids[i];
		if (!start(cpu)) {
			/* It may still come: nobody else gets its place. */
			kprintf("CPU with APIC %u does not start\n", ids[i]);
			break;
		}
		nr_cpus++;
	}
	kprintf("%u CPUs, TSC %llu kHz, %s\n", nr_cpus, clock_tsc_khz(),
		cpu_has.x2apic ? "x2APIC" : "xAPIC");
}
