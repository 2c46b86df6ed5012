// SPDX-License-Identifier: GPL-2.0
/*
 * What a program wants to know about itself and the machine.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include "linux.h"

#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#define RLIM_NONE	(~0ULL)

s64 sys_uname(struct regs *r)
{
	static const struct new_utsname name = {
		.sysname = "Linux",
		.nodename = "kitten",
		/* A version that C libraries accept. */
		.release = "6.12.0-kitten",
		.version = "guest-kitten",
		.machine = "x86_64",
		.domainname = "(none)",
	};

	return copy_to_user(r->rdi, &name, sizeof(name));
}

/* The memory of the machine is bound: a task has what is in its heap. */
s64 sys_sysinfo(struct regs *r)
{
	const struct aspace *as = current_task()->aspace;
	struct sysinfo info;

	memset(&info, 0, sizeof(info));
	info.uptime = clock_ns() / NS;
	info.totalram = aspace_used(as) + aspace_free(as);
	info.freeram = aspace_free(as);
	info.procs = current_task()->nr_threads;
	info.mem_unit = 1;
	return copy_to_user(r->rdi, &info, sizeof(info));
}

/* Limits are what they are. */
s64 sys_prlimit64(struct regs *r)
{
	const struct task *task = current_task();
	u64 limit = RLIM_NONE, pair[2];

	if (r->rdi && r->rdi != task->id)
		return -ESRCH;
	if (r->rsi >= RLIM_NLIMITS)
		return -EINVAL;
	if (r->rsi == RLIMIT_STACK)
		limit = task->stack_size;
	else if (r->rsi == RLIMIT_NOFILE)
		limit = MAX_FILES;
	else if (r->rsi == RLIMIT_CORE)
		limit = 0;
	if (r->rdx) {
		if (copy_from_user(pair, r->rdx, sizeof(pair)))
			return -EFAULT;
		if (pair[0] != limit || pair[1] != limit)
			return -EPERM;
	}
	pair[0] = limit;
	pair[1] = limit;
	return r->r10 ? copy_to_user(r->r10, pair, sizeof(pair)) : 0;
}

/* A task that computes is never interrupted: its time is the user's. */
s64 sys_getrusage(struct regs *r)
{
	const struct task *task = current_task();
	struct rusage usage;
	u64 ns = 0;

	memset(&usage, 0, sizeof(usage));
	switch ((s32)r->rdi) {
	case RUSAGE_SELF:
		ns = task_cpu_ns(task);
		break;
	case RUSAGE_THREAD:
		ns = thread_cpu_ns(current_thread());
		break;
	case RUSAGE_CHILDREN:
		return copy_to_user(r->rsi, &usage, sizeof(usage));
	default:
		return -EINVAL;
	}
	usage.ru_utime.tv_sec = ns / NS;
	usage.ru_utime.tv_usec = ns % NS / 1000;
	usage.ru_maxrss = aspace_used(task->aspace) >> 10;
	return copy_to_user(r->rsi, &usage, sizeof(usage));
}

/* Good for hash tables and canaries, not for keys. */
s64 sys_getrandom(struct regs *r)
{
	u64 n = min_u64(r->rsi, 256), x;

	for (u64 i = 0; i < n; i += sizeof(x)) {
		x = rdtsc() * 0x9e3779b97f4a7c15ULL;
		x ^= x >> 31;
		if (cpu_has.rdrand)
			asm volatile("rdrand %0" : "=r" (x) :: "cc");
		if (copy_to_user(r->rdi + i, &x, min_u64(n - i, sizeof(x))))
			return -EFAULT;
	}
	return n;
}

s64 sys_getuid(struct regs *r)
{
	(void)r;
	return 0;
}
