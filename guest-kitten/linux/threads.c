// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: their life, what they wait for, and where they run.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include "linux.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>

#define MSR_FS_BASE	0xc0000100

/* ---- life ---- */

s64 sys_arch_prctl(struct regs *r)
{
	struct thread *t = current_thread();

	if (r->rdi == ARCH_GET_FS)
		return copy_to_user(r->rsi, &t->fs_base, sizeof(t->fs_base));
	if (r->rdi != ARCH_SET_FS)
		return -EINVAL;
	/* Else the processor raises an exception here. */
	if (r->rsi >> 47)
		return -EPERM;
	t->fs_base = r->rsi;
	wrmsr(MSR_FS_BASE, t->fs_base);
	return 0;
}

#define CLONE_NEEDED	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
			 CLONE_THREAD)

s64 sys_clone(struct regs *r)
{
	u64 flags = r->rdi, sp = r->rsi, tls = r->r8;
	struct thread *t, *self = current_thread();
	u32 tid;

	/* A thread; processes are made by init_task. */
	if ((flags & CLONE_NEEDED) != CLONE_NEEDED)
		return -ENOSYS;
	if (!sp || (flags & CLONE_SETTLS && tls >> 47))
		return -EINVAL;
	t = thread_create(self->task, self->cpus, -1);
	if (!t)
		return -EAGAIN;
	tid = t->tid;
	*thread_regs(t) = *r;
	thread_regs(t)->rax = 0;
	thread_regs(t)->rsp = sp;
	asm volatile("fxsave64 %0" : "=m" (t->fpu));
	t->fs_base = flags & CLONE_SETTLS ? tls : self->fs_base;
	t->sig_blocked = self->sig_blocked;
	if (flags & CLONE_CHILD_CLEARTID)
		t->clear_tid = r->r10;
	/* An address that cannot be written is the program's own loss. */
	if (flags & CLONE_PARENT_SETTID)
		copy_to_user(r->rdx, &tid, sizeof(tid));
	if (flags & CLONE_CHILD_SETTID)
		copy_to_user(r->r10, &tid, sizeof(tid));
	thread_wake(t);
	return tid;
}

s64 sys_exit(struct regs *r)
{
	struct task *task = current_task();

	/* The last thread's status is the task's. */
	if (task->nr_threads == 1)
		task_exit(task, r->rdi & 0xff);
	thread_exit();
}

s64 sys_exit_group(struct regs *r)
{
	task_exit(current_task(), r->rdi & 0xff);
	return 0;
}

s64 sys_set_tid_address(struct regs *r)
{
	current_thread()->clear_tid = r->rdi;
	return current_thread()->tid;
}

s64 sys_getpid(struct regs *r)
{
	(void)r;
	return current_task()->id;
}

s64 sys_gettid(struct regs *r)
{
	(void)r;
	return current_thread()->tid;
}

int task_thread(u64 tid, struct thread **thread)
{
	struct thread *t = current_thread();

	if ((u32)tid)
		t = thread_find(tid);
	if (!t)
		return -ESRCH;
	if (t->task != current_task())
		return -EPERM;
	*thread = t;
	return 0;
}

/* ---- waiting for each other ---- */

s64 sys_futex(struct regs *r)
{
	const struct task *task = current_task();
	u64 op = r->rsi & FUTEX_CMD_MASK, ns = 0, when = 0;
	u32 bits = FUTEX_ANY, value = r->r9;
	int ret;

	switch (op) {
	case FUTEX_WAIT_BITSET:
		bits = r->r9;
		fallthrough;
	case FUTEX_WAIT:
		if (r->r10) {
			ret = get_time(r->r10, &ns);
			if (ret)
				return ret;
			/* One form is relative, the other absolute. */
			when = op == FUTEX_WAIT ? clock_ns() + ns : ns;
			when = max_u64(when, 1);
		}
		return futex_wait(r->rdi, r->rdx, bits, when);
	case FUTEX_WAKE_BITSET:
		bits = r->r9;
		fallthrough;
	case FUTEX_WAKE:
		/* Linux wakes one even if it is asked for none. */
		return futex_wake(r->rdi, (s32)r->rdx < 1 ? 1 : r->rdx, bits);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((s32)r->rdx < 0 || (s32)r->r10 < 0)
			return -EINVAL;
		return futex_requeue(r->rdi, r->rdx, r->r10, r->r8,
				     op == FUTEX_CMP_REQUEUE ? &value : NULL);
	}
	if (first_time(SAY_FUTEX))
		kprintf("task %u (%s): no futex operation %llu\n", task->id,
			task->name, op);
	return -ENOSYS;
}

s64 sys_set_robust_list(struct regs *r)
{
	if (r->rsi != sizeof(struct robust_list_head))
		return -EINVAL;
	current_thread()->robust = r->rdi;
	return 0;
}

s64 sys_get_robust_list(struct regs *r)
{
	u64 size = sizeof(struct robust_list_head);
	struct thread *t;
	int ret = task_thread(r->rdi, &t);

	if (ret)
		return ret;
	if (copy_to_user(r->rsi, &t->robust, sizeof(t->robust)) ||
	    copy_to_user(r->rdx, &size, sizeof(size)))
		return -EFAULT;
	return 0;
}

/* ---- where they run ---- */

s64 sys_sched_yield(struct regs *r)
{
	(void)r;
	/* Alone, there is nobody to yield to. */
	if (this_cpu()->queue)
		this_cpu()->need_resched = true;
	return 0;
}

s64 sys_sched_getaffinity(struct regs *r)
{
	struct thread *t;
	int ret = task_thread(r->rdi, &t);

	if (ret)
		return ret;
	if (r->rsi < sizeof(t->cpus) || r->rsi % sizeof(t->cpus))
		return -EINVAL;
	return copy_to_user(r->rdx, &t->cpus, sizeof(t->cpus)) ? -EFAULT :
	       (s64)sizeof(t->cpus);
}

s64 sys_sched_setaffinity(struct regs *r)
{
	struct thread *t;
	u64 mask = 0;
	int ret = task_thread(r->rdi, &t);

	if (ret)
		return ret;
	if (copy_from_user(&mask, r->rdx, min_u64(r->rsi, sizeof(mask))))
		return -EFAULT;
	mask &= all_cpus();
	if (!mask)
		return -EINVAL;
	thread_set_cpus(t, mask);
	return 0;
}

s64 sys_getcpu(struct regs *r)
{
	u32 id = this_cpu()->id, node = 0;

	if ((r->rdi && copy_to_user(r->rdi, &id, sizeof(id))) ||
	    (r->rsi && copy_to_user(r->rsi, &node, sizeof(node))))
		return -EFAULT;
	return 0;
}
