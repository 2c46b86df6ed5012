// SPDX-License-Identifier: GPL-2.0
/*
 * The part of Linux's system-call interface that statically linked programs
 * for a compute node need.
 *
 * There are no processes to fork, no signals to catch and no file system: the
 * archive can be read, and standard output and error are serial ports.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include <kitten/task.h>

#include <asm/prctl.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/uio.h>
#include <linux/utsname.h>

#define MSR_FS_BASE	0xc0000100
#define NS		1000000000ULL
#define FIRST_FILE	3
#define NAME_MAX_LEN	128
#define RLIM_NONE	(~0ULL)
#define STACK_LIMIT	SZ_2M

/* ---- output ---- */

static s64 write_chunk(u64 fd, u64 buf, u64 n)
{
	enum serial_port port = fd == 2 ? SERIAL_ERR : SERIAL_OUT;
	char text[256];
	u64 done = 0;

	if (fd != 1 && fd != 2)
		return -EBADF;
	while (done < n) {
		u64 part = min_u64(n - done, sizeof(text));

		if (copy_from_user(text, buf + done, part))
			return done ? (s64)done : -EFAULT;
		serial_write(port, text, part);
		done += part;
	}
	return done;
}

static s64 sys_write(struct regs *r)
{
	return write_chunk(r->rdi, r->rsi, min_u64(r->rdx, 1U << 30));
}

static s64 sys_writev(struct regs *r)
{
	struct iovec v;
	s64 sum = 0, ret;

	if (r->rdx > 1024)
		return -EINVAL;
	for (u64 i = 0; i < r->rdx; i++) {
		if (copy_from_user(&v, r->rsi + i * sizeof(v), sizeof(v)))
			return sum ? sum : -EFAULT;
		ret = write_chunk(r->rdi, (u64)v.iov_base,
				  min_u64(v.iov_len, 1U << 30));
		if (ret < 0)
			return sum ? sum : ret;
		sum += ret;
	}
	return sum;
}

/* ---- files of the archive ---- */

static s64 open_file(u64 name_va, u64 flags)
{
	struct task *task = current_task();
	char name[NAME_MAX_LEN];
	const char *n = name;
	s64 ret = copy_string_from_user(name, name_va, sizeof(name));

	if (ret < 0)
		return ret;
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT)
		return -EROFS;
	while (*n == '/' || (n[0] == '.' && n[1] == '/'))
		n++;
	for (u32 i = 0; i < MAX_FILES; i++) {
		if (task->file[i].open)
			continue;
		if (!archive_find(n, &task->file[i].file))
			return -ENOENT;
		task->file[i].at = 0;
		task->file[i].open = true;
		return FIRST_FILE + i;
	}
	return -EMFILE;
}

static s64 sys_open(struct regs *r)
{
	return open_file(r->rdi, r->rsi);
}

static s64 sys_openat(struct regs *r)
{
	return open_file(r->rsi, r->rdx);
}

static int file_index(u64 fd)
{
	if (fd < FIRST_FILE || fd >= FIRST_FILE + MAX_FILES ||
	    !current_task()->file[fd - FIRST_FILE].open)
		return -1;
	return fd - FIRST_FILE;
}

static s64 read_at(int i, u64 at, u64 buf, u64 n)
{
	const struct archive_file *f = &current_task()->file[i].file;

	if (at >= f->size)
		return 0;
	n = min_u64(n, f->size - at);
	return copy_to_user(buf, f->data + at, n) ? -EFAULT : (s64)n;
}

static s64 sys_read(struct regs *r)
{
	int i = file_index(r->rdi);
	s64 n;

	/* Nobody types anything. */
	if (!r->rdi)
		return 0;
	if (i < 0)
		return -EBADF;
	n = read_at(i, current_task()->file[i].at, r->rsi, r->rdx);
	if (n > 0)
		current_task()->file[i].at += n;
	return n;
}

static s64 sys_pread(struct regs *r)
{
	int i = file_index(r->rdi);

	return i < 0 ? -EBADF : read_at(i, r->r10, r->rsi, r->rdx);
}

static s64 sys_lseek(struct regs *r)
{
	int i = file_index(r->rdi);
	u64 base[3] = { 0 };

	if (i < 0)
		return r->rdi < FIRST_FILE ? -ESPIPE : -EBADF;
	base[1] = current_task()->file[i].at;
	base[2] = current_task()->file[i].file.size;
	if (r->rdx > 2 || (s64)(base[r->rdx] + r->rsi) < 0)
		return -EINVAL;
	current_task()->file[i].at = base[r->rdx] + r->rsi;
	return current_task()->file[i].at;
}

static s64 sys_close(struct regs *r)
{
	int i = file_index(r->rdi);

	if (i < 0)
		return r->rdi < FIRST_FILE ? 0 : -EBADF;
	current_task()->file[i].open = false;
	return 0;
}

static s64 stat_fd(u64 fd, u64 buf)
{
	struct stat st;
	int i = file_index(fd);

	memset(&st, 0, sizeof(st));
	st.st_blksize = PAGE_SIZE;
	st.st_nlink = 1;
	if (fd < FIRST_FILE) {
		/* A character device that is no terminal: output in blocks. */
		st.st_mode = 0020600;
	} else if (i >= 0) {
		st.st_mode = 0100444;
		st.st_size = current_task()->file[i].file.size;
	} else {
		return -EBADF;
	}
	return copy_to_user(buf, &st, sizeof(st));
}

static s64 sys_fstat(struct regs *r)
{
	return stat_fd(r->rdi, r->rsi);
}

static s64 sys_newfstatat(struct regs *r)
{
	char first;

	if (r->r10 & AT_EMPTY_PATH &&
	    !copy_from_user(&first, r->rsi, 1) && !first)
		return stat_fd(r->rdi, r->rdx);
	return -ENOENT;
}

static s64 sys_ioctl(struct regs *r)
{
	return r->rdi < FIRST_FILE || file_index(r->rdi) >= 0 ? -ENOTTY :
	       -EBADF;
}

static s64 no_entry(struct regs *r)
{
	(void)r;
	return -ENOENT;
}

/* ---- memory ---- */

/* The memory may have been used before; the lock is not for so long. */
static int clear(u64 start, u64 size)
{
	int ret;

	kunlock();
	ret = clear_user(start, size);
	klock();
	return ret;
}

static s64 sys_brk(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 old = ALIGN_UP(as->brk, PAGE_SIZE), new;

	new = ALIGN_UP(aspace_brk(as, r->rdi), PAGE_SIZE);
	if (new > old)
		clear(old, new - old);
	return as->brk;
}

static s64 sys_mmap(struct regs *r)
{
	s64 start;

	if (!(r->r10 & MAP_ANONYMOUS))
		return -ENODEV;
	/* Memory is where it is, and what can be written is not executed. */
	if (r->r10 & MAP_FIXED)
		return -EINVAL;
	if (r->rdx & PROT_EXEC)
		return -EACCES;
	start = aspace_mmap(current_task()->aspace, r->rsi);
	if (start > 0 && clear(start, ALIGN_UP(r->rsi, PAGE_SIZE)))
		return -ENOMEM;
	return start;
}

static s64 sys_munmap(struct regs *r)
{
	return aspace_munmap(current_task()->aspace, r->rdi, r->rsi);
}

/*
 * Page tables do not change while a task runs, so rights stay as they are; a
 * program that asks for fewer gets more.
 */
static s64 sys_mprotect(struct regs *r)
{
	struct aspace *as = current_task()->aspace;

	if (!IS_ALIGNED(r->rdi, PAGE_SIZE) || r->rdi + r->rsi < r->rdi)
		return -EINVAL;
	if (r->rsi && (!aspace_translate(as, r->rdi) ||
		       !aspace_translate(as, r->rdi + r->rsi - 1)))
		return -ENOMEM;
	return 0;
}

static s64 sys_madvise(struct regs *r)
{
	if (!IS_ALIGNED(r->rdi, PAGE_SIZE))
		return -EINVAL;
	/* The one advice with an effect that programs rely on. */
	if (r->rdx == MADV_DONTNEED)
		return clear(r->rdi, ALIGN_UP(r->rsi, PAGE_SIZE)) ? -ENOMEM : 0;
	return 0;
}

/* All memory is always there. */
static s64 sys_mincore(struct regs *r)
{
	u8 one = 1;

	for (u64 i = 0; i < ALIGN_UP(r->rsi, PAGE_SIZE) >> PAGE_SHIFT; i++) {
		if (!aspace_translate(current_task()->aspace,
				      r->rdi + (i << PAGE_SHIFT)))
			return -ENOMEM;
		if (copy_to_user(r->rdx + i, &one, 1))
			return -EFAULT;
	}
	return 0;
}

/* ---- threads ---- */

static s64 sys_arch_prctl(struct regs *r)
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

static s64 sys_clone(struct regs *r)
{
	u64 flags = r->rdi, sp = r->rsi, tls = r->r8;
	struct thread *t, *self = current_thread();
	u32 tid;

	/* A thread; processes are made by init_task. */
	if ((flags & CLONE_NEEDED) != CLONE_NEEDED)
		return -ENOSYS;
	if (!sp || (flags & CLONE_SETTLS && tls >> 47))
		return -EINVAL;
	t = thread_create(self->task, -1);
	if (!t)
		return -EAGAIN;
	tid = t->tid;
	*thread_regs(t) = *r;
	thread_regs(t)->rax = 0;
	thread_regs(t)->rsp = sp;
	asm volatile("fxsave64 %0" : "=m" (t->fpu));
	t->fs_base = flags & CLONE_SETTLS ? tls : self->fs_base;
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

static s64 sys_exit(struct regs *r)
{
	struct task *task = current_task();

	/* The last thread's status is the task's. */
	if (task->nr_threads == 1)
		task_exit(task, r->rdi & 0xff);
	thread_exit();
}

static s64 sys_exit_group(struct regs *r)
{
	task_exit(current_task(), r->rdi & 0xff);
	return 0;
}

static s64 sys_set_tid_address(struct regs *r)
{
	current_thread()->clear_tid = r->rdi;
	return current_thread()->tid;
}

static s64 sys_getpid(struct regs *r)
{
	(void)r;
	return current_task()->id;
}

static s64 sys_gettid(struct regs *r)
{
	(void)r;
	return current_thread()->tid;
}

/* Signals have one effect, on the task itself. */
static s64 raise(u64 pid, u64 sig)
{
	if (sig > 64)
		return -EINVAL;
	if (pid != current_task()->id)
		return -ESRCH;
	if (sig) {
		kprintf("task %u (%s): signal %llu\n", current_task()->id,
			current_task()->name, sig);
		task_exit(current_task(), 128 + sig);
	}
	return 0;
}

static s64 sys_kill(struct regs *r)
{
	return raise(r->rdi, r->rsi);
}

static s64 sys_tgkill(struct regs *r)
{
	return raise(r->rdi, r->rdx);
}

static s64 sys_sched_yield(struct regs *r)
{
	(void)r;
	/* Alone, there is nobody to yield to. */
	if (this_cpu()->queue)
		this_cpu()->need_resched = true;
	return 0;
}

static s64 sys_sched_getaffinity(struct regs *r)
{
	u64 mask = (1ULL << nr_cpus) - 1;

	if (r->rsi < sizeof(mask) || r->rsi % sizeof(mask))
		return -EINVAL;
	return copy_to_user(r->rdx, &mask, sizeof(mask)) ? -EFAULT :
	       (s64)sizeof(mask);
}

/* A thread stays where it is: a mask with that CPU in it changes nothing. */
static s64 sys_sched_setaffinity(struct regs *r)
{
	u64 mask = 0;

	if (copy_from_user(&mask, r->rdx, min_u64(r->rsi, sizeof(mask))))
		return -EFAULT;
	return mask & 1ULL << this_cpu()->id ? 0 : -EINVAL;
}

static s64 sys_getcpu(struct regs *r)
{
	u32 id = this_cpu()->id, node = 0;

	if ((r->rdi && copy_to_user(r->rdi, &id, sizeof(id))) ||
	    (r->rsi && copy_to_user(r->rsi, &node, sizeof(node))))
		return -EFAULT;
	return 0;
}

/* ---- time ---- */

static s64 put_time(u64 va, u64 ns)
{
	struct __kernel_timespec ts = { ns / NS, ns % NS };

	return copy_to_user(va, &ts, sizeof(ts));
}

static int get_time(u64 va, u64 *ns)
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

/* All clocks are the one that starts with the machine. */
static s64 sys_clock_gettime(struct regs *r)
{
	return r->rdi > 11 ? -EINVAL : put_time(r->rsi, clock_ns());
}

static s64 sys_clock_getres(struct regs *r)
{
	if (r->rdi > 11)
		return -EINVAL;
	return r->rsi ? put_time(r->rsi, 1) : 0;
}

static s64 sys_gettimeofday(struct regs *r)
{
	u64 us = clock_ns() / 1000, tv[2] = { us / 1000000, us % 1000000 };

	return r->rdi ? copy_to_user(r->rdi, tv, sizeof(tv)) : 0;
}

static s64 sys_time(struct regs *r)
{
	u64 s = clock_ns() / NS;

	if (r->rdi && copy_to_user(r->rdi, &s, sizeof(s)))
		return -EFAULT;
	return s;
}

static s64 sleep_until(u64 when)
{
	while (!current_task()->exiting && clock_ns() < when)
		sched_block(when);
	return 0;
}

static s64 sys_nanosleep(struct regs *r)
{
	u64 ns;
	int ret = get_time(r->rdi, &ns);

	return ret ? ret : sleep_until(clock_ns() + ns);
}

static s64 sys_clock_nanosleep(struct regs *r)
{
	u64 ns;
	int ret = get_time(r->rdx, &ns);

	if (ret)
		return ret;
	/* 1: an absolute time. */
	return sleep_until(r->rsi & 1 ? ns : clock_ns() + ns);
}

static s64 sys_futex(struct regs *r)
{
	u64 op = r->rsi & FUTEX_CMD_MASK, ns = 0, when = 0;
	int ret;

	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (r->r10) {
			ret = get_time(r->r10, &ns);
			if (ret)
				return ret;
			/* One form is relative, the other absolute. */
			when = op == FUTEX_WAIT ? clock_ns() + ns : ns;
			when = max_u64(when, 1);
		}
		return futex_wait(r->rdi, r->rdx, when);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(r->rdi, min_u64(r->rdx, MAX_THREADS));
	}
	return -ENOSYS;
}

/* ---- what a program wants to know ---- */

static s64 sys_uname(struct regs *r)
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

static s64 sys_prlimit64(struct regs *r)
{
	u64 limit[2] = { RLIM_NONE, RLIM_NONE };

	if (r->rsi >= RLIM_NLIMITS)
		return -EINVAL;
	if (r->rdx)
		return -EPERM;
	if (r->rsi == RLIMIT_STACK)
		limit[0] = STACK_LIMIT;
	return r->r10 ? copy_to_user(r->r10, limit, sizeof(limit)) : 0;
}

/* Good for hash tables and canaries, not for keys. */
static s64 sys_getrandom(struct regs *r)
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

static s64 zero(struct regs *r)
{
	(void)r;
	return 0;
}

const syscall_fn linux_calls[] = {
	[__NR_read] = sys_read,
	[__NR_write] = sys_write,
	[__NR_open] = sys_open,
	[__NR_close] = sys_close,
	[__NR_fstat] = sys_fstat,
	[__NR_lseek] = sys_lseek,
	[__NR_mmap] = sys_mmap,
	[__NR_mprotect] = sys_mprotect,
	[__NR_munmap] = sys_munmap,
	[__NR_brk] = sys_brk,
	[__NR_rt_sigaction] = zero,
	[__NR_rt_sigprocmask] = zero,
	[__NR_sigaltstack] = zero,
	[__NR_ioctl] = sys_ioctl,
	[__NR_pread64] = sys_pread,
	[__NR_writev] = sys_writev,
	[__NR_access] = no_entry,
	[__NR_sched_yield] = sys_sched_yield,
	[__NR_mincore] = sys_mincore,
	[__NR_madvise] = sys_madvise,
	[__NR_nanosleep] = sys_nanosleep,
	[__NR_getpid] = sys_getpid,
	[__NR_clone] = sys_clone,
	[__NR_exit] = sys_exit,
	[__NR_kill] = sys_kill,
	[__NR_uname] = sys_uname,
	[__NR_readlink] = no_entry,
	[__NR_gettimeofday] = sys_gettimeofday,
	[__NR_getuid] = zero,
	[__NR_getgid] = zero,
	[__NR_geteuid] = zero,
	[__NR_getegid] = zero,
	[__NR_arch_prctl] = sys_arch_prctl,
	[__NR_gettid] = sys_gettid,
	[__NR_time] = sys_time,
	[__NR_futex] = sys_futex,
	[__NR_sched_setaffinity] = sys_sched_setaffinity,
	[__NR_sched_getaffinity] = sys_sched_getaffinity,
	[__NR_set_tid_address] = sys_set_tid_address,
	[__NR_clock_gettime] = sys_clock_gettime,
	[__NR_clock_getres] = sys_clock_getres,
	[__NR_clock_nanosleep] = sys_clock_nanosleep,
	[__NR_exit_group] = sys_exit_group,
	[__NR_tgkill] = sys_tgkill,
	[__NR_openat] = sys_openat,
	[__NR_newfstatat] = sys_newfstatat,
	[__NR_readlinkat] = no_entry,
	[__NR_set_robust_list] = zero,
	[__NR_prlimit64] = sys_prlimit64,
	[__NR_getcpu] = sys_getcpu,
	[__NR_getrandom] = sys_getrandom,
};

const u32 nr_linux_calls = ARRAY_SIZE(linux_calls);
