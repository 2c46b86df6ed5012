// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-hold: let the scheduler look for preemption notifiers for good.
 *
 * KVM switches a static branch in finish_task_switch() on with its first VM
 * and off with its last, so a host that runs one VM at a time patches the
 * scheduler again and again. An emulator that runs CPUs in parallel can execute
 * a breakpoint of that patching when it is gone. The bench loads this in L1
 * before it brings up a second CPU; docs/design.md, "Faults of the emulator".
 */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/preempt.h>

static int __init kvm_hold_init(void)
{
	preempt_notifier_inc();
	return 0;
}

/* There is no way back. */
module_init(kvm_hold_init);

MODULE_DESCRIPTION("Preemption notifiers stay switched on");
MODULE_LICENSE("GPL");
