// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: accesses that may fail. A page that must not be accessed is found out by
 * accessing it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <ucontext.h>

#include "probe.h"

extern const char probe_read_at[], probe_write_at[], probe_failed[];

asm(".text\n"
	".globl	probe_read, probe_write\n"
	"probe_read:\n"
	"probe_read_at:	mov	(%rdi), %rax\n"
	"	mov	%rax, (%rsi)\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"probe_write:\n"
	"probe_write_at:	mov	%rsi, (%rdi)\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"probe_failed:	mov	$1, %eax\n"
	"	ret\n");

static void on_fault(int sig, siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *uc = context;
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];

	if (*rip == (greg_t)probe_read_at || *rip == (greg_t)probe_write_at) {
		*rip = (greg_t)probe_failed;
		return;
	}
	/* Anywhere else it is a find: die of it. */
	signal(sig, SIG_DFL);
}

void probe_open(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

void look_at(const void *page, struct page_seen *seen)
{
	const uint64_t *w = page;
	uint64_t first;
	long wrong;

	if (probe_read(page, &first)) {
		seen->what = SEEN_FAULT;
		return;
	}
	seen->id = w[0];
	seen->seq = w[1];
	if (!w[0] && !w[1] && page_zero(page)) {
		seen->what = SEEN_ZERO;
		return;
	}
	wrong = page_check(page, w[0], w[1]);
	seen->what = wrong < 0 ? SEEN_PATTERN : SEEN_TORN;
	seen->wrong = wrong;
}
