/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: system calls of processes whose threads share what the C library keeps for
 * one, so it is left out. They return -errno.
 */
#ifndef FUZZ_MM_SYSCALLS_H
#define FUZZ_MM_SYSCALLS_H

static inline long sys(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

#define SYS1(nr, a)		sys(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)		sys(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)	sys(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d)	sys(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#endif /* FUZZ_MM_SYSCALLS_H */
