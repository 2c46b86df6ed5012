// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Symcalls by number. OS-neutral; <symbiotic/symcall.h> has the contract.
 */
#include <symbiotic/port.h>
#include <symbiotic/symcall.h>

static int call_test(struct symcall_regs *regs)
{
	regs->rbx++;
	return 0;
}

static int call_null(struct symcall_regs *regs)
{
	return 0;
}

static int call_who(struct symcall_regs *regs)
{
	struct symb_who who;

	memset(&who, 0, sizeof(who));
	symb_port_who(&who);
	regs->rbx = who.pid;
	memcpy(&regs->rcx, who.comm, 8);
	memcpy(&regs->rdx, who.comm + 8, 8);
	/* How the interrupted code ran is known to the VMM alone. */
	regs->rsi = who.idle ? SYMCALL_WHO_IDLE : 0;
	regs->rdi = 0;
	return 0;
}

static symcall_fn handlers[SYMCALL_NR_MAX] = {
	[SYMCALL_TEST] = call_test,
	[SYMCALL_NULL] = call_null,
	[SYMCALL_WHO] = call_who,
};

int symcall_dispatch(struct symcall_regs *regs)
{
	__u64 nr = regs->rax;
	symcall_fn fn;

	if (nr >= SYMCALL_NR_MAX)
		return SYMCALL_ERR_NOSYS;
	/* Read once: it can be unregistered meanwhile. */
	fn = READ_ONCE(handlers[symb_index_nospec(nr, SYMCALL_NR_MAX)]);
	if (!fn)
		return SYMCALL_ERR_NOSYS;
	return fn(regs);
}

int symcall_register(__u32 nr, symcall_fn fn)
{
	if (nr >= SYMCALL_NR_MAX || !fn)
		return -EINVAL;
	if (symb_cmpxchg(&handlers[nr], NULL, fn))
		return -EBUSY;
	return 0;
}

void symcall_unregister(__u32 nr)
{
	if (nr >= SYMCALL_NR_MAX)
		return;
	WRITE_ONCE(handlers[nr], NULL);
	symb_port_sync_calls();
}
