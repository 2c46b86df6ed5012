// SPDX-License-Identifier: GPL-2.0
/*
 * The order in which the kernel comes up.
 */
#include <kitten/arch.h>
#include <kitten/boot.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/symbiotic.h>
#include <kitten/task.h>
#include "boot.h"

void kernel_main(u32 start_info_pa);

void kernel_main(u32 start_info_pa)
{
	/* Words first: everything after this can say why it fails. */
	serial_init();
	kprintf("Kitten-class lightweight kernel\n");

	/* Exceptions, with the first processor's stacks. */
	cpu_detect();
	idt_init();
	cpus[0].self = &cpus[0];
	wrmsr(MSR_GS_BASE, (u64)&cpus[0]);
	idt_load();

	/* What there is: command line, archive, memory. */
	pvh_read(start_info_pa);
	kprintf("command line: %s\n", boot_info.cmdline);
	mm_init();

	/* Time needs no interrupt; the APIC's timer needs the time. */
	clock_init();
	apic_init();
	cpu_init(&cpus[0]);

	/* From here on this is the idle thread of the first processor. */
	sched_init();
	smp_init();
	pci_init();

	/* After PCI has shown its addresses, as SymSpy needs free ones. */
	symbiotic_init();

	init_task_create();
	sched_cpu_start();
}
