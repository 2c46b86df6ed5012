// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: threads of a process, without the C library.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#include "syscalls.h"
#include "thread.h"

long thread_start(void (*fn)(void), char *stack, size_t size, _Atomic uint32_t *alive)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			   CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	register _Atomic uint32_t *tid asm("r10") = alive;
	register long tls asm("r8") = 0;
	register void (*start)(void) asm("r13") = fn;
	long ret;

	atomic_store(alive, 1);
	asm volatile("xor	%%edx, %%edx\n\t"
		     "syscall\n\t"
		     "test	%%rax, %%rax\n\t"
		     "jnz	1f\n\t"
		     "xor	%%ebp, %%ebp\n\t"
		     "call	*%%r13\n\t"
		     "mov	%[exit], %%eax\n\t"
		     "xor	%%edi, %%edi\n\t"
		     "syscall\n\t"
		     "ud2\n"
		     "1:"
		     : "=a"(ret), "+r"(tid), "+r"(tls)
		     : "a"(SYS_clone), "D"(flags), "S"(stack + size), "r"(start),
		       [exit] "i"(SYS_exit)
		     : "rcx", "r11", "rdx", "memory");
	if (ret > 0)
		return 0;
	atomic_store(alive, 0);
	return ret;
}

void thread_join(_Atomic uint32_t *alive)
{
	/* The kernel clears it, and wakes who waits. */
	while (atomic_load(alive))
		SYS4(SYS_futex, alive, FUTEX_WAIT, 1, NULL);
}
