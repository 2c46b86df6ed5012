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
#include <linux/kasan.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "symbiotic.h"

DEFINE_PER_CPU(struct symb_cpu, symb_cpu);

#ifdef CONFIG_SYMBIOTIC_TEST
u32 symb_spin_at;

/* For the VMM to abort a call just here. */
static __always_inline void spin_at(u32 where)
{
	while (READ_ONCE(symb_spin_at) == where)
		cpu_relax();
}

/* As an RCU reader, which a handler may be. */
static __always_inline void spin_in_reader(u32 where)
{
	if (READ_ONCE(symb_spin_at) != where)
		return;
	rcu_read_lock();
	spin_at(where);
	rcu_read_unlock();
}
#else
static __always_inline void spin_at(u32 where) { }
static __always_inline void spin_in_reader(u32 where) { }
#endif

static __always_inline void remember(struct symb_before *before)
{
	before->preempt = preempt_count();
#ifdef CONFIG_PREEMPT_RCU
	before->rcu_readers = rcu_preempt_depth();
#endif
#ifdef CONFIG_LOCKDEP
	before->lockdep = current->lockdep_recursion;
#endif
#ifdef CONFIG_TRACE_IRQFLAGS
	before->hardirqs = raw_cpu_read(hardirq_context);
	before->irqs_traced = raw_cpu_read(hardirqs_enabled);
#endif
#ifdef CONFIG_CONTEXT_TRACKING_IDLE
	before->nmi_nesting = ct_nmi_nesting();
	before->watching = rcu_is_watching_curr_cpu();
#endif
}

/*
 * The interrupted code may be anything, even the first instructions of an
 * exception, so this is an NMI as far as RCU, lockdep and preemption go.
 *
 * The VMM may abort it at any instruction. So it is active from before the first
 * count is changed until after the last one has been changed back.
 */
noinstr int symb_symcall(struct symcall_regs *regs)
{
	struct symb_cpu *sc = raw_cpu_ptr(&symb_cpu);
	unsigned long cr2 = read_cr2();
	irqentry_state_t state;
	int ret;

	/*
	 * Not in an NMI: the one that tells of an abort would be held back until that
	 * is over, and what is remembered here would not be true any more.
	 */
	if (unlikely(in_nmi()))
		return SYMCALL_ERR_BUSY;

	remember(&sc->before);
	barrier();
	WRITE_ONCE(sc->active, true);
	spin_at(1);

	/* There are no pt_regs: the VMM keeps them. Only KMSAN would look. */
	state = irqentry_nmi_enter(NULL);
	spin_at(2);

	instrumentation_begin();
	spin_in_reader(5);
	ret = symcall_dispatch(regs);
	__this_cpu_inc(symb_cpu.calls);
	if (unlikely(ret))
		__this_cpu_inc(symb_cpu.errors);
	instrumentation_end();

	spin_at(3);
	irqentry_nmi_exit(NULL, state);
	spin_at(4);
	WRITE_ONCE(sc->active, false);

	/* A page fault in a handler must not hide one under way outside. */
	if (unlikely(cr2 != read_cr2()))
		write_cr2(cr2);
	return ret;
}

/*
 * What an NMI adds to the preemption count until it runs its handlers: by
 * irqentry_nmi_enter(), and by nmi_handle(), whose rcu_read_lock() is a
 * preempt_disable() where RCU cannot be preempted.
 */
#define NMI_HANDLER_OFFSET	(NMI_OFFSET + HARDIRQ_OFFSET +		\
				 (IS_ENABLED(CONFIG_PREEMPT_RCU) ? 0 :	\
				  PREEMPT_DISABLE_OFFSET))

/*
 * Undo what irqentry_nmi_enter() and the handler did, as far as they got, for a call
 * that the VMM has aborted. This runs in a handler of an NMI: all is as it was before
 * the call, and what the NMI has added, or would have, had it interrupted that.
 */
static void forget_call(struct symb_cpu *sc)
{
	const struct symb_before *before = &sc->before;

	sc->active = false;

	preempt_count_set(before->preempt + NMI_HANDLER_OFFSET);
#ifdef CONFIG_PREEMPT_RCU
	/* The handler was a reader, or not; nmi_handle() is one. */
	WRITE_ONCE(current->rcu_read_lock_nesting, before->rcu_readers + 1);
#endif
#ifdef CONFIG_LOCKDEP
	current->lockdep_recursion = before->lockdep + LOCKDEP_OFF;
#endif
#ifdef CONFIG_TRACE_IRQFLAGS
	__this_cpu_write(hardirq_context, before->hardirqs + 1);
	/* If the NMI found "off" on entry it will leave it alone. */
	__this_cpu_write(hardirqs_enabled, before->irqs_traced);
#endif
#ifdef CONFIG_CONTEXT_TRACKING_IDLE
	/* By 1, the NMI lets RCU rest again when it ends. */
	__this_cpu_write(context_tracking.nmi_nesting,
			 before->nmi_nesting + (before->watching ? 2 : 1));
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
	/* A call that was aborted has left the red zones of its frames. */
	kasan_unpoison_range(sc->stack, SYMCALL_STACK_SIZE);
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
