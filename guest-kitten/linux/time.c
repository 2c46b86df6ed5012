// SPDX-License-Identifier: GPL-2.0
/*
 * Time. All clocks are the one that starts with the machine, but those of
 * computing time.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include "linux.h"

#include <linux/time.h>
#include <linux/time_types.h>

#define LAST_CLOCK	CLOCK_TAI

static s64 put_time(u64 va, u64 ns)
{
	struct __kernel_timespec ts = { ns / NS, ns % NS };

	return copy_to_user(va, &ts, sizeof(ts));
}

int get_time(u64 va, u64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, va, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NS)
		return -EINVAL;
	/* A hundred years are for ever. */
	*ns = min_u64(ts.tv_sec, 100ULL * 365 * 86400) * NS + ts.tv_nsec;
	return 0;
}

u64 task_cpu_ns(const struct task *task)
{
	u64 ns = task->cpu_ns;
	struct thread *t;

	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->task == task && t->state != THREAD_DEAD)
			ns += thread_cpu_ns(t);
	}
	return ns;
}

s64 sys_clock_gettime(struct regs *r)
{
	if (r->rdi > LAST_CLOCK)
		return -EINVAL;
	if (r->rdi == CLOCK_PROCESS_CPUTIME_ID)
		return put_time(r->rsi, task_cpu_ns(current_task()));
	if (r->rdi == CLOCK_THREAD_CPUTIME_ID)
		return put_time(r->rsi, thread_cpu_ns(current_thread()));
	return put_time(r->rsi, clock_ns());
}

s64 sys_clock_getres(struct regs *r)
{
	if (r->rdi > LAST_CLOCK)
		return -EINVAL;
	return r->rsi ? put_time(r->rsi, 1) : 0;
}

s64 sys_gettimeofday(struct regs *r)
{
	u64 us = clock_ns() / 1000, tv[2] = { us / 1000000, us % 1000000 };

	return r->rdi ? copy_to_user(r->rdi, tv, sizeof(tv)) : 0;
}

s64 sys_time(struct regs *r)
{
	u64 s = clock_ns() / NS;

	if (r->rdi && copy_to_user(r->rdi, &s, sizeof(s)))
		return -EFAULT;
	return s;
}

s64 sleep_until(u64 when)
{
	while (!current_task()->exiting && (!when || clock_ns() < when))
		sched_block(when);
	return 0;
}

s64 sys_nanosleep(struct regs *r)
{
	u64 ns;
	int ret = get_time(r->rdi, &ns);

	return ret ? ret : sleep_until(clock_ns() + ns);
}

s64 sys_clock_nanosleep(struct regs *r)
{
	u64 ns;
	int ret = get_time(r->rdx, &ns);

	if (ret)
		return ret;
	/* Nobody sleeps until it has computed for some time. */
	if (r->rdi > LAST_CLOCK || r->rdi == CLOCK_PROCESS_CPUTIME_ID ||
	    r->rdi == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	if (!(r->rsi & TIMER_ABSTIME))
		ns += clock_ns();
	return sleep_until(max_u64(ns, 1));
}
