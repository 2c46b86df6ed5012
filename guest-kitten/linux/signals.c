// SPDX-License-Identifier: GPL-2.0
/*
 * Signals. No handler is ever called: a signal that a task does not ignore ends
 * it. Yet what a program has set it finds again, and what it blocks waits.
 */
#include <kitten/lib.h>
#include "linux.h"

#include <asm/signal.h>

#define BIT_OF(sig)	(1ULL << ((sig) - 1))
#define NO_BLOCK	(BIT_OF(SIGKILL) | BIT_OF(SIGSTOP))
/* What does nothing unless it is caught. */
#define NO_EFFECT	(BIT_OF(SIGCHLD) | BIT_OF(SIGCONT) | BIT_OF(SIGURG) | \
			 BIT_OF(SIGWINCH))

#define HANDLER_DEFAULT	0
#define HANDLER_IGNORE	1

#define NO_STACK	2	/* SS_DISABLE */
#define MIN_STACK	2048	/* MINSIGSTKSZ */

static void act(struct task *task, u64 sig)
{
	u64 handler = task->action[sig - 1].handler;

	if (BIT_OF(sig) & NO_BLOCK)
		handler = HANDLER_DEFAULT;
	if (handler == HANDLER_IGNORE ||
	    (handler == HANDLER_DEFAULT && BIT_OF(sig) & NO_EFFECT))
		return;
	kprintf("task %u (%s): signal %llu%s\n", task->id, task->name, sig,
		handler ? ", and handlers are not called here" : "");
	task_exit(task, 128 + sig);
}

static s64 send(struct thread *t, u64 sig)
{
	if (sig > MAX_SIGNAL)
		return -EINVAL;
	if (!sig)
		return 0;
	if (t->sig_blocked & BIT_OF(sig))
		t->sig_pending |= BIT_OF(sig);
	else
		act(t->task, sig);
	return 0;
}

s64 sys_kill(struct regs *r)
{
	if (r->rdi != current_task()->id)
		return r->rsi > MAX_SIGNAL ? -EINVAL : -ESRCH;
	return send(current_thread(), r->rsi);
}

s64 sys_tkill(struct regs *r)
{
	struct thread *t;

	if ((s32)r->rdi <= 0)
		return -EINVAL;
	/* Who belongs to another task is as good as not there. */
	return task_thread(r->rdi, &t) ? -ESRCH : send(t, r->rsi);
}

s64 sys_tgkill(struct regs *r)
{
	struct thread *t;

	if ((s32)r->rdi <= 0 || (s32)r->rsi <= 0)
		return -EINVAL;
	if (r->rdi != current_task()->id || task_thread(r->rsi, &t))
		return -ESRCH;
	return send(t, r->rdx);
}

s64 sys_rt_sigaction(struct regs *r)
{
	u64 sig = r->rdi;
	struct signal_action old, new;

	if (r->r10 != sizeof(u64) || !sig || sig > MAX_SIGNAL)
		return -EINVAL;
	old = current_task()->action[sig - 1];
	if (r->rsi) {
		if (copy_from_user(&new, r->rsi, sizeof(new)))
			return -EFAULT;
		if (BIT_OF(sig) & NO_BLOCK)
			return -EINVAL;
		current_task()->action[sig - 1] = new;
	}
	return r->rdx ? copy_to_user(r->rdx, &old, sizeof(old)) : 0;
}

static int new_mask(u64 how, u64 set, u64 *mask)
{
	switch (how) {
	case SIG_BLOCK:
		*mask |= set;
		break;
	case SIG_UNBLOCK:
		*mask &= ~set;
		break;
	case SIG_SETMASK:
		*mask = set;
		break;
	default:
		return -EINVAL;
	}
	*mask &= ~NO_BLOCK;
	return 0;
}

s64 sys_rt_sigprocmask(struct regs *r)
{
	struct thread *t = current_thread();
	u64 old = t->sig_blocked, set, due;
	int ret = 0;

	if (r->r10 != sizeof(u64))
		return -EINVAL;
	if (r->rsi) {
		if (copy_from_user(&set, r->rsi, sizeof(set)))
			return -EFAULT;
		ret = new_mask(r->rdi, set, &t->sig_blocked);
		if (ret)
			return ret;
	}
	if (r->rdx)
		ret = copy_to_user(r->rdx, &old, sizeof(old));
	due = t->sig_pending & ~t->sig_blocked;
	t->sig_pending &= ~due;
	for (u64 sig = 1; sig <= MAX_SIGNAL && !t->task->exiting; sig++) {
		if (due & BIT_OF(sig))
			act(t->task, sig);
	}
	return ret;
}

s64 sys_rt_sigpending(struct regs *r)
{
	const struct thread *t = current_thread();

	if (r->rsi > sizeof(u64))
		return -EINVAL;
	return copy_to_user(r->rdi, &t->sig_pending, r->rsi);
}

/* Nothing runs there, but it is remembered. */
s64 sys_sigaltstack(struct regs *r)
{
	struct thread *t = current_thread();
	stack_t old, new;

	/* With what is between its members. */
	memset(&old, 0, sizeof(old));
	old.ss_sp = (void *)t->sig_stack.sp;
	old.ss_flags = t->sig_stack.size ? 0 : NO_STACK;
	old.ss_size = t->sig_stack.size;
	if (r->rdi) {
		if (copy_from_user(&new, r->rdi, sizeof(new)))
			return -EFAULT;
		if (new.ss_flags & ~NO_STACK)
			return -EINVAL;
		if (new.ss_flags & NO_STACK) {
			new.ss_sp = NULL;
			new.ss_size = 0;
		} else if (new.ss_size < MIN_STACK) {
			return -ENOMEM;
		}
		t->sig_stack.sp = (u64)new.ss_sp;
		t->sig_stack.size = new.ss_size;
	}
	return r->rsi ? copy_to_user(r->rsi, &old, sizeof(old)) : 0;
}
