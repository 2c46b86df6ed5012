/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to linux/: Linux's system calls, by subject.
 *
 * All are called with the kernel lock and return what the program gets in RAX.
 */
#ifndef LINUX_LINUX_H
#define LINUX_LINUX_H

#include <kitten/task.h>

#define NS		1000000000ULL

/* ---- files.c ---- */

s64 sys_read(struct regs *r);
s64 sys_write(struct regs *r);
s64 sys_readv(struct regs *r);
s64 sys_writev(struct regs *r);
s64 sys_pread64(struct regs *r);
s64 sys_lseek(struct regs *r);
s64 sys_open(struct regs *r);
s64 sys_openat(struct regs *r);
s64 sys_close(struct regs *r);
s64 sys_stat(struct regs *r);
s64 sys_fstat(struct regs *r);
s64 sys_newfstatat(struct regs *r);
s64 sys_statx(struct regs *r);
s64 sys_access(struct regs *r);
s64 sys_faccessat(struct regs *r);
s64 sys_readlink(struct regs *r);
s64 sys_readlinkat(struct regs *r);
s64 sys_getcwd(struct regs *r);
s64 sys_fcntl(struct regs *r);
s64 sys_dup(struct regs *r);
s64 sys_ioctl(struct regs *r);
s64 sys_poll(struct regs *r);
s64 sys_ppoll(struct regs *r);

/* What a descriptor of the current task stands for, or NULL. */
struct open_file *file_of(u64 fd);

/* ---- memory.c ---- */

s64 sys_brk(struct regs *r);
s64 sys_mmap(struct regs *r);
s64 sys_munmap(struct regs *r);
s64 sys_mprotect(struct regs *r);
s64 sys_madvise(struct regs *r);
s64 sys_mincore(struct regs *r);

/* ---- signals.c ---- */

s64 sys_rt_sigaction(struct regs *r);
s64 sys_rt_sigprocmask(struct regs *r);
s64 sys_rt_sigpending(struct regs *r);
s64 sys_sigaltstack(struct regs *r);
s64 sys_kill(struct regs *r);
s64 sys_tkill(struct regs *r);
s64 sys_tgkill(struct regs *r);

/* ---- threads.c ---- */

s64 sys_clone(struct regs *r);
s64 sys_exit(struct regs *r);
s64 sys_exit_group(struct regs *r);
s64 sys_arch_prctl(struct regs *r);
s64 sys_set_tid_address(struct regs *r);
s64 sys_getpid(struct regs *r);
s64 sys_gettid(struct regs *r);
s64 sys_futex(struct regs *r);
s64 sys_set_robust_list(struct regs *r);
s64 sys_get_robust_list(struct regs *r);
s64 sys_sched_yield(struct regs *r);
s64 sys_sched_getaffinity(struct regs *r);
s64 sys_sched_setaffinity(struct regs *r);
s64 sys_getcpu(struct regs *r);

/**
 * task_thread() - a thread by number
 * @tid: the number; 0 is the caller
 * @thread: set to it
 *
 * Return: 0, -ESRCH, or -EPERM if it belongs to another task.
 */
int task_thread(u64 tid, struct thread **thread);

/* ---- time.c ---- */

s64 sys_clock_gettime(struct regs *r);
s64 sys_clock_getres(struct regs *r);
s64 sys_clock_nanosleep(struct regs *r);
s64 sys_nanosleep(struct regs *r);
s64 sys_gettimeofday(struct regs *r);
s64 sys_time(struct regs *r);

/* A span of time from user memory; 0, -EFAULT or -EINVAL. */
int get_time(u64 va, u64 *ns);

/* Sleeps until a moment of clock_ns(), or for ever if that is 0. */
s64 sleep_until(u64 when);

/* How long all threads of a task have run. */
u64 task_cpu_ns(const struct task *task);

/* ---- info.c ---- */

s64 sys_uname(struct regs *r);
s64 sys_sysinfo(struct regs *r);
s64 sys_prlimit64(struct regs *r);
s64 sys_getrusage(struct regs *r);
s64 sys_getrandom(struct regs *r);
s64 sys_getuid(struct regs *r);

#endif /* LINUX_LINUX_H */
