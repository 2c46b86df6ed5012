// SPDX-License-Identifier: GPL-2.0
/*
 * A load that belongs to the instruction before it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bypass_rules.h"

#define TF	0x100	/* RFLAGS: trap after each instruction */

/*
 * Returns the word at @p. TF is set before MOV SS, which holds up its trap until the
 * next instruction, the load, is over.
 */
uint64_t load_after_ss(const void *p);
extern const char load_after_ss_load[], load_after_ss_done[];

asm(".pushsection .text\n"
	"load_after_ss:\n\t"
	"mov	%ss, %ecx\n\t"
	"pushf\n\t"
	"orq	$0x100, (%rsp)\n\t"
	"popf\n\t"
	"mov	%ecx, %ss\n"
	"load_after_ss_load:\n\t"
	"mov	(%rdi), %rax\n"
	"load_after_ss_done:\n\t"
	"ret\n"
	".popsection");

static volatile sig_atomic_t traps;
static const char *volatile trap_at;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const char *at = (const char *)regs[REG_RIP];

	(void)sig;
	(void)info;
	/* QEMU's emulated processor does not hold it up, and traps once more. */
	if (at == load_after_ss_load)
		return;
	traps++;
	trap_at = at;
	regs[REG_EFL] &= ~TF;
}

/*
 * No symcall may begin between the two: VT-x does not enter a guest whose shadow, TF
 * and pending trap do not match, and that is the end of the VM.
 */
static void t_stepped(void)
{
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	char *p = swapped_out(0x1c00);
	uint64_t val;
	size_t i;

	sigaction(SIGTRAP, &sa, NULL);
	for (i = 0; i < 8; i++) {
		/* Drops what the last answer has mapped, so the load faults. */
		mprotect(p, len(), PROT_READ);
		mprotect(p, len(), PROT_READ | PROT_WRITE);
		traps = 0;
		val = load_after_ss(p + i * PAGE);
		if (traps != 1 || trap_at != load_after_ss_done)
			violated("page %zu: %d traps, the last at the load %+ld", i, traps,
				 (long)(trap_at - load_after_ss_load));
		if (val != 0x1c00 + i)
			violated("page %zu: the load has %lx", i, val);
	}
	verify("after all", p, 0x1c00, 1);
}

const struct test_case bypass_rules_step[] = {
	{ "stepped", "a load in the shadow of MOV SS, single-stepped", t_stepped },
	{ 0 }
};
