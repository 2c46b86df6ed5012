// SPDX-License-Identifier: GPL-2.0
/*
 * Symcalls: the part between the entry code and the dispatcher, and what the
 * VMM needs to know about each CPU.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/context_tracking_state.h>
#include <linux/entry-common.h>
#include <linux/gfp.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/vmalloc.h>

#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "symbiotic.h"

DEFINE_PER_CPU(struct symb_cpu, symb_cpu);

/*
 * The interrupted code may be anything, even the first instructions of an
 * exception, so this is an NMI as far as RCU, lockdep and preemption go.
 */
noinstr int symb_symcall(struct symcall_regs *regs)
{
	unsigned long cr2 = read_cr2();
	irqentry_state_t state;
	int ret;

	/* There are no pt_regs: the VMM keeps them. Only KMSAN would look. */
	state = irqentry_nmi_enter(NULL);
	instrumentation_begin();

	__this_cpu_write(symb_cpu.irqs_traced, state.lockdep);
	__this_cpu_write(symb_cpu.active, true);
	ret = symcall_dispatch(regs);
	__this_cpu_inc(symb_cpu.calls);
	if (unlikely(ret))
		__this_cpu_inc(symb_cpu.errors);
	__this_cpu_write(symb_cpu.active, false);

	instrumentation_end();
	irqentry_nmi_exit(NULL, state);

	/* A page fault in a handler must not hide one under way outside. */
	if (unlikely(cr2 != read_cr2()))
		write_cr2(cr2);
	return ret;
}

/*
 * Undo what irqentry_nmi_enter() did for a call that the VMM has aborted. This
 * runs inside an NMI, whose own share lies on top; each part is a counter, so
 * the order does not matter.
 */
static void forget_call(struct symb_cpu *sc)
{
	sc->active = false;

	__preempt_count_sub(NMI_OFFSET + HARDIRQ_OFFSET);
	lockdep_hardirq_exit();
	lockdep_on();
#ifdef CONFIG_TRACE_IRQFLAGS
	/* The NMI found "off" on entry and will leave it alone. */
	if (sc->irqs_traced)
		__this_cpu_write(hardirqs_enabled, 1);
#endif
#ifdef CONFIG_CONTEXT_TRACKING_IDLE
	/*
	 * The call added 1 if RCU was not watching, else 2; the NMI added 2,
	 * where it would have added what the call did.
	 */
	__this_cpu_sub(context_tracking.nmi_nesting, 2);
#endif
}

/*
 * After an abort the VMM restores the context that the call has interrupted,
 * and sends an NMI before that context runs on.
 */
static int abort_nmi(unsigned int cmd, struct pt_regs *regs)
{
	struct symb_cpu *sc = this_cpu_ptr(&symb_cpu);
	struct symspy_local *local = symspy_this_cpu();

	if (!sc->enabled || !local ||
	    READ_ONCE(local->flags) & SYMSPY_LOCAL_SYMCALL_ENABLED)
		return NMI_DONE;

	/* No NMI arrives during a call, so this one is over. */
	sc->enabled = false;
	sc->aborts++;
	if (sc->active)
		forget_call(sc);
	pr_warn("CPU %d: VMM aborted a symcall, there will be no more\n",
		smp_processor_id());
	return NMI_HANDLED;
}

/**
 * symb_abort_init() - be ready for aborted symcalls
 *
 * Return: 0 or -errno.
 */
int symb_abort_init(void)
{
	return register_nmi_handler(NMI_LOCAL, abort_nmi, 0, "symcall-abort");
}

/**
 * symb_abort_exit() - undo symb_abort_init(); no CPU has symcalls enabled
 */
void symb_abort_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, "symcall-abort");
}

/*
 * With a guard page below, unless KASAN cannot follow. The entry code switches
 * to the kernel's page tables before it touches the stack.
 */
static void *alloc_stack(int cpu)
{
	struct page *page;

	if (!IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return __vmalloc_node(SYMCALL_STACK_SIZE, SYMCALL_STACK_SIZE,
				      GFP_KERNEL, cpu_to_node(cpu),
				      __builtin_return_address(0));

	page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL,
				SYMCALL_STACK_ORDER);
	return page ? page_address(page) : NULL;
}

/**
 * symb_symcall_cpu_on() - let the VMM make symcalls on this CPU
 * @sc: this CPU's state
 *
 * Context: on the CPU. Sleeps the first time, when the stack is allocated.
 * Return: 0 or -errno.
 */
int symb_symcall_cpu_on(struct symb_cpu *sc)
{
	int cpu = raw_smp_processor_id();
	struct symcall_setup setup = {
		.rip = (unsigned long)symb_symcall_entry,
		.cs = __KERNEL_CS,
		.gs = cpu_kernelmode_gs_base(cpu),
	};
	int ret;

	/* The VMM takes SS from behind CS. */
	BUILD_BUG_ON(__KERNEL_DS - __KERNEL_CS != 8);

	if (!sc->stack)
		sc->stack = alloc_stack(cpu);
	if (!sc->stack)
		return -ENOMEM;
	setup.rsp = (unsigned long)sc->stack + SYMCALL_STACK_SIZE;

	ret = symcall_enable(&setup);
	sc->enabled = !ret;
	if (ret)
		pr_warn("CPU %d: VMM refuses the symcall entry\n", cpu);
	return ret;
}

/**
 * symb_symcall_cpu_off() - no more symcalls on this CPU
 * @sc: this CPU's state
 *
 * Context: any, on the CPU.
 */
void symb_symcall_cpu_off(struct symb_cpu *sc)
{
	if (!sc->enabled)
		return;
	/* In this order: else an NMI in between looks like an abort. */
	WRITE_ONCE(sc->enabled, false);
	symcall_disable();
}
