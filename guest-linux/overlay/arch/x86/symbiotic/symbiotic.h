/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to arch/x86/symbiotic.
 */
#ifndef _X86_SYMBIOTIC_H
#define _X86_SYMBIOTIC_H

#include <linux/kobject.h>
#include <linux/percpu.h>
#include <linux/symbiotic.h>

#include <symbiotic/symcall.h>
#include <symbiotic/symspy.h>

#ifdef CONFIG_KASAN
#define SYMCALL_STACK_ORDER	3
#else
#define SYMCALL_STACK_ORDER	2
#endif
#define SYMCALL_STACK_SIZE	(PAGE_SIZE << SYMCALL_STACK_ORDER)

/**
 * struct symb_before - what a symcall changes, as it was before
 * @preempt: preempt_count()
 * @rcu_readers: of the task, how often it is an RCU reader; where RCU cannot be
 *	preempted, that is part of @preempt
 * @lockdep: of the task, how often lockdep has been turned off
 * @hardirqs: of the CPU, lockdep's count of interrupts it is in
 * @irqs_traced: lockdep's idea of the interrupt flag
 * @nmi_nesting: RCU's count of NMIs and interrupts
 * @watching: RCU was watching
 */
struct symb_before {
	int preempt;
	int rcu_readers;
	unsigned int lockdep;
	int hardirqs;
	bool irqs_traced;
	long nmi_nesting;
	bool watching;
};

/**
 * struct symb_cpu - what a CPU shares with the VMM
 * @calls: symcalls served
 * @errors: of these, answered with an error
 * @aborts: calls that the VMM has aborted
 * @active: a symcall is running, or is about to, or has just ended
 * @before: valid while @active
 * @enabled: the VMM may make symcalls
 * @local: the local SymSpy page
 * @stack: stack for symcalls, kept while the CPU is offline
 */
struct symb_cpu {
	unsigned long calls;
	unsigned long errors;
	unsigned long aborts;
	bool active;
	struct symb_before before;
	bool enabled;
	struct symspy_page local;
	void *stack;
};

DECLARE_PER_CPU(struct symb_cpu, symb_cpu);

#ifdef CONFIG_SYMBIOTIC_TEST
/* Where a symcall never goes on; 0: nowhere. */
extern u32 symb_spin_at;
#endif

/**
 * struct symb_state - what the guest shares with the VMM
 * @vmm: result of discovery
 * @found: symspy_discover()'s return value
 * @global: the global page
 * @region: guest-physical range with the global and all local pages
 * @slots: pages of @region in use, or refused by the VMM
 */
struct symb_state {
	struct symspy_vmm vmm;
	int found;
	struct symspy_page global;
	struct resource *region;
	unsigned long *slots;
};

extern struct symb_state symb_state;

/* symcall.c */
int symb_symcall_cpu_on(struct symb_cpu *sc);
void symb_symcall_cpu_off(struct symb_cpu *sc);
int symb_abort_init(void);
void symb_abort_exit(void);

/* entry_64.S */
void symb_symcall_entry(void);

/* Called by the entry code. */
int symb_symcall(struct symcall_regs *regs);

/* symspy.c */
int symb_start(void);
void symb_stop(void);

/* sysfs.c */
int symb_sysfs_init(void);

static inline long symb_hypercall4(unsigned long nr, unsigned long a0,
				   unsigned long a1, unsigned long a2,
				   unsigned long a3)
{
	long ret;

	asm volatile(ALTERNATIVE("vmcall", "vmmcall", X86_FEATURE_VMMCALL)
		     : "=a" (ret)
		     : "a" (nr), "b" (a0), "c" (a1), "d" (a2), "S" (a3)
		     : "memory");
	return ret;
}

#endif /* _X86_SYMBIOTIC_H */
