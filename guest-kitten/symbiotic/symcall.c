// SPDX-License-Identifier: GPL-2.0
/*
 * Symcalls: between the entry code and the dispatcher, and this kernel's
 * answers about its memory.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>

#include <symbiotic/query.h>
#include "internal.h"

/* The VMM takes SS from behind CS. */
_Static_assert(SEL_KERNEL_SS == SEL_KERNEL_CS + 8, "selectors");

struct symb_cpu symb_cpus[MAX_CPUS];
u8 symb_use_vmmcall;

/*
 * Whatever this has interrupted, also code with the kernel lock: nothing here
 * takes a lock or prints.
 */
int symb_symcall(struct symcall_regs *regs)
{
	struct symb_cpu *sc = &symb_cpus[this_cpu()->id];
	int ret;

	WRITE_ONCE(sc->active, true);
	ret = symcall_dispatch(regs);
	sc->calls++;
	if (ret)
		sc->errors++;
	WRITE_ONCE(sc->active, false);
	return ret;
}

/*
 * query_vaddr(): which facts are there about a page that this kernel might
 * have swapped out? It swaps nothing, so no entry of a page table is a swap
 * entry, whatever the VMM has seen there.
 */
static enum symb_decline query(void)
{
	u32 flags;

	return symb_query_decide(SYMB_FACT_ON | SYMB_FACT_MM |
				 SYMB_FACT_PTE_SAME, 0, &flags);
}

static int call_query(struct symcall_regs *regs)
{
	regs->rcx = query();
	regs->rbx = 0;
	return 0;
}

/* The permissions of what is in the swap: none. */
static int call_lookup(struct symcall_regs *regs)
{
	regs->rbx = query() ? 0 : SYMB_PERM_READ;
	return 0;
}

/*
 * After an abort the VMM restores what the call has interrupted, and sends an
 * NMI before that runs on. No NMI arrives during a call.
 */
static bool abort_nmi(void)
{
	struct symb_cpu *sc = &symb_cpus[this_cpu()->id];
	const struct symspy_local *local = sc->local.va;

	if (!sc->enabled || !READ_ONCE(sc->local.live) ||
	    READ_ONCE(local->flags) & SYMSPY_LOCAL_SYMCALL_ENABLED)
		return false;
	sc->enabled = false;
	sc->aborts++;
	WRITE_ONCE(sc->active, false);
	symb_warn("CPU %u: VMM aborted a symcall, there will be no more\n",
		  this_cpu()->id);
	return true;
}

int symcall_init(void)
{
	int ret;

	symb_use_vmmcall = cpu_has.amd;
	nmi_hook(abort_nmi);
	ret = symcall_register(SYMCALL_QUERY_BATCH, call_query);
	if (!ret)
		ret = symcall_register(SYMCALL_MEM_LOOKUP, call_lookup);
	return ret ? ret : symcall_selftest_init();
}

int symcall_cpu_on(struct cpu *cpu)
{
	struct symb_cpu *sc = &symb_cpus[cpu->id];
	struct symcall_setup setup = {
		.rip = (u64)symb_symcall_entry,
		.rsp = (u64)sc->stack + SYMCALL_STACK_SIZE,
		.cs = SEL_KERNEL_CS,
		.gs = (u64)cpu,
	};
	int ret = symcall_enable(&setup);

	sc->enabled = !ret;
	if (ret)
		symb_warn("CPU %u: VMM refuses the symcall entry\n", cpu->id);
	return ret;
}

void symcall_cpu_off(struct cpu *cpu)
{
	struct symb_cpu *sc = &symb_cpus[cpu->id];

	if (!sc->enabled)
		return;
	/* In this order: else an NMI in between looks like an abort. */
	WRITE_ONCE(sc->enabled, false);
	symcall_disable();
}
