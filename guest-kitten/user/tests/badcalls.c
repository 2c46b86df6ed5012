// SPDX-License-Identifier: GPL-2.0
/*
 * System calls with arguments that no program should use: an error and no
 * more. The test is also that the next one runs.
 */
#define _GNU_SOURCE
#include "test.h"

#include <asm/prctl.h>
#include <errno.h>
#include <kitten/lwk.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_LINEAR	0xffff800000000000UL
#define KERNEL_IMAGE	0xffffffff80100000UL
#define NON_CANONICAL	0x0000800000000000UL
#define OTHER_RANK	(200UL << 39)

static const uint64_t bad_pointers[] = {
	0, 1, KERNEL_LINEAR, KERNEL_IMAGE, NON_CANONICAL, OTHER_RANK,
	~0UL, ~0UL - 4095, 0x7ffffffff000UL, 0x7ffffffffffcUL,
};

static int all_fail(const char *name, long nr, int where, long a, long b, long c,
		    long d)
{
	long args[4] = { a, b, c, d };
	unsigned int i, bad = 0;

	for (i = 0; i < sizeof(bad_pointers) / sizeof(bad_pointers[0]); i++) {
		args[where] = (long)bad_pointers[i];
		errno = 0;
		if (syscall(nr, args[0], args[1], args[2], args[3]) != -1 ||
		    (errno != EFAULT && errno != EINVAL && errno != EPERM)) {
			printf("# %s(%#lx): errno %d\n", name,
			       (unsigned long)bad_pointers[i], errno);
			bad++;
		}
	}
	return ktap(!bad, "%s", name);
}

static void pointers(void)
{
	all_fail("write", SYS_write, 1, 1, 0, 64, 0);
	all_fail("writev", SYS_writev, 1, 1, 0, 2, 0);
	all_fail("clock_gettime", SYS_clock_gettime, 1, CLOCK_MONOTONIC, 0, 0,
		 0);
	all_fail("nanosleep", SYS_nanosleep, 0, 0, 0, 0, 0);
	all_fail("uname", SYS_uname, 0, 0, 0, 0, 0);
	all_fail("futex wait", SYS_futex, 0, 0, FUTEX_WAIT, 0, 0);
	all_fail("futex wake", SYS_futex, 0, 0, FUTEX_WAKE, 1, 0);
	all_fail("open", SYS_open, 0, 0, 0, 0, 0);
	all_fail("sched_getaffinity", SYS_sched_getaffinity, 2, 0, 8, 0, 0);
	all_fail("getrandom", SYS_getrandom, 0, 0, 16, 0, 0);
	all_fail("fstat", SYS_fstat, 1, 1, 0, 0, 0);
	all_fail("pmem_alloc", LWK_PMEM_ALLOC, 2, 4096, 4096, 0, 0);
}

/* The kernel's text is no place to write the time to. */
static void rights(void)
{
	static const char constant[64] = "read-only";

	ktap(syscall(SYS_clock_gettime, 0, constant) == -1 && errno == EFAULT,
	     "write to read-only memory");
	ktap(syscall(SYS_clock_gettime, 0, rights) == -1 && errno == EFAULT,
	     "write to text");
	ktap(!strcmp(constant, "read-only"), "nothing was written");
}

static void memory(void)
{
	char *p;

	ktap(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED && errno == EINVAL, "mmap of nothing");
	ktap(mmap(NULL, ~0UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED && (errno == EINVAL || errno == ENOMEM),
	     "mmap of everything");
	ktap(mmap(NULL, 1UL << 46, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0) == MAP_FAILED && errno == ENOMEM, "mmap of too much");
	ktap(mmap((void *)KERNEL_LINEAR, 4096, PROT_READ, MAP_FIXED |
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	     "mmap over the kernel");
	ktap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 1, 0) == MAP_FAILED &&
	     errno == ENODEV, "mmap of a file");
	ktap(fails(syscall(SYS_munmap, KERNEL_LINEAR, 4096), EINVAL),
	     "munmap of the kernel");
	ktap(fails(syscall(SYS_munmap, rights, 4096), EINVAL),
	     "munmap of text");
	ktap(fails(syscall(SYS_munmap, 4096, ~0UL), EINVAL), "munmap, overflow");
	ktap(fails(syscall(SYS_mprotect, KERNEL_LINEAR, 4096, PROT_WRITE),
		   ENOMEM), "mprotect of the kernel");
	ktap(fails(syscall(SYS_mprotect, 4096, ~0UL, PROT_WRITE), ENOMEM),
	     "mprotect, overflow");
	ktap(fails(syscall(SYS_madvise, KERNEL_LINEAR, 4096, MADV_DONTNEED),
		   ENOMEM), "madvise of the kernel");
	ktap(syscall(SYS_brk, KERNEL_LINEAR) == syscall(SYS_brk, 0),
	     "brk into the kernel");

	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 3 * 4096);
	ktap(!munmap(p + 4096, 4096) && p[0] == 1 && p[8192] == 1,
	     "munmap of the middle");
	ktap(!munmap(p, 4096) && !munmap(p + 8192, 4096), "munmap of the rest");
	ktap(fails(munmap(p, 4096), EINVAL), "munmap again");
	ktap(fails(syscall(SYS_mincore, 4096, ~0UL, p), ENOMEM) &&
	     fails(syscall(SYS_mincore, 4097, 4096, p), EINVAL), "mincore");
	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ktap(!p[0] && !p[4096] && !p[8192], "new memory is clear");
}

static void others(void)
{
	ktap(fails(syscall(SYS_write, 77, "x", 1), EBADF), "write nowhere");
	ktap(fails(syscall(SYS_read, -1, &errno, 1), EBADF), "read nowhere");
	ktap(fails(syscall(SYS_close, 1 << 30), EBADF), "close nothing");
	ktap(fails(syscall(SYS_writev, 1, rights, 1L << 40), EINVAL),
	     "writev of too many");
	ktap(fails(syscall(SYS_arch_prctl, ARCH_SET_FS, NON_CANONICAL), EPERM),
	     "FS base, not canonical");
	ktap(fails(syscall(SYS_arch_prctl, ARCH_SET_FS, KERNEL_LINEAR), EPERM),
	     "FS base in the kernel");
	ktap(fails(syscall(SYS_clone, 0, 0, 0, 0, 0), ENOSYS), "fork");
	ktap(fails(syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES |
			   CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0), EINVAL),
	     "thread without a stack");
	ktap(fails(syscall(SYS_futex, (char *)&errno + 1, FUTEX_WAKE, 1), EINVAL),
	     "futex, unaligned");
	ktap(fails(syscall(SYS_open, "/etc/passwd", 0), ENOENT), "no such file");
	ktap(fails(syscall(SYS_open, "/proc/vmstat", 1), EROFS),
	     "files cannot be written");
	ktap(fails(syscall(SYS_execve, "/x", NULL, NULL), ENOSYS), "execve");
	ktap(fails(syscall(511), ENOSYS), "a number that nobody knows");
	ktap(fails(syscall(-1L), ENOSYS), "a negative number");
	ktap(fails(syscall(1L << 40), ENOSYS), "a huge number");
	ktap(fails(syscall(LWK_CALL_END), ENOSYS), "behind the kernel's own");
}

/* Each of these is one line in the log, however often it is tried. */
static void complaints(void)
{
	unsigned int i, bad = 0;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; i < 1000; i++) {
		bad += !fails(syscall(SYS_futex, &i, 99, 0), ENOSYS);
		bad += !fails(syscall(SYS_mprotect, p, 4096, PROT_EXEC), EACCES);
		bad += !fails(syscall(SYS_execve, "/x", NULL, NULL), ENOSYS);
		bad += mmap(p, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) != MAP_FAILED;
		bad += mmap(rights, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			    MAP_FIXED, -1, 0) != MAP_FAILED;
	}
	ktap(!bad, "refused a thousand times");
}

/* Only init_task makes tasks. */
static void privileged(void)
{
	unsigned int i, bad = 0;

	for (i = LWK_CALL_BASE; i < LWK_CALL_END; i++)
		bad += !fails(syscall(i, 1, 1, 1, 1, 1), EPERM);
	ktap(!bad, "the kernel's own calls");
}

int main(void)
{
	pointers();
	rights();
	memory();
	others();
	complaints();
	privileged();
	return ktap_end();
}
