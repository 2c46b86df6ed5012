// SPDX-License-Identifier: GPL-2.0
/*
 * The part of Linux's system-call interface that statically linked programs
 * for a compute node need. What is not here is -ENOSYS, and a line in the log.
 */
#include <kitten/lib.h>
#include "linux.h"

#include <asm/unistd.h>

#define CALL(name)		\
	[__NR_##name] = sys_##name
#define ALIAS(nr, name)		\
	[__NR_##nr] = sys_##name

const syscall_fn linux_calls[] = {
	/* Files of the archive; nothing is written but output. */
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(lseek),
	CALL(open),
	CALL(openat),
	CALL(close),
	CALL(stat),
	ALIAS(lstat, stat),
	CALL(fstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(access),
	CALL(faccessat),
	ALIAS(faccessat2, faccessat),
	CALL(readlink),
	CALL(readlinkat),
	CALL(getcwd),
	CALL(fcntl),
	CALL(dup),
	CALL(ioctl),
	CALL(poll),
	CALL(ppoll),

	/* Memory, which is there already. */
	CALL(brk),
	CALL(mmap),
	CALL(munmap),
	CALL(mprotect),
	CALL(madvise),
	CALL(mincore),

	/* Signals, which end a task or do nothing. */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigpending),
	CALL(sigaltstack),
	CALL(kill),
	CALL(tkill),
	CALL(tgkill),

	/* Threads. */
	CALL(clone),
	CALL(exit),
	CALL(exit_group),
	CALL(arch_prctl),
	CALL(set_tid_address),
	CALL(getpid),
	CALL(gettid),
	CALL(futex),
	CALL(set_robust_list),
	CALL(get_robust_list),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(sched_setaffinity),
	CALL(getcpu),

	/* Time. */
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(time),

	/* What a program wants to know. Everybody is root. */
	CALL(uname),
	CALL(sysinfo),
	CALL(prlimit64),
	CALL(getrusage),
	CALL(getrandom),
	CALL(getuid),
	ALIAS(getgid, getuid),
	ALIAS(geteuid, getuid),
	ALIAS(getegid, getuid),
};

_Static_assert(ARRAY_SIZE(linux_calls) <= MAX_LINUX_CALL, "task.h");

const u32 nr_linux_calls = ARRAY_SIZE(linux_calls);
