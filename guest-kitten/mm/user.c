// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the running task, through its own addresses. They may be anything:
 * what is not mapped, or not allowed, ends in -EFAULT.
 */
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

/* The lower half of the address space, SMARTMAP included, less one page. */
#define USER_END	0x00007ffffffff000ULL

static bool range_ok(u64 va, u64 n)
{
	return n <= USER_END && va <= USER_END - n;
}

static void open_user(void)
{
	if (cpu_has.smap)
		asm volatile("stac" ::: "memory");
}

static void close_user(void)
{
	if (cpu_has.smap)
		asm volatile("clac" ::: "memory");
}

/* Words, then the rest; a fault in either ends it. Returns 0 or -EFAULT. */
static int copy(void *dst, const void *src, u64 n)
{
	u64 left = n / 8, rest = n % 8;

	open_user();
	asm volatile("1:\trep movsq\n\t"
		     "movq %3, %%rcx\n"
		     "2:\trep movsb\n"
		     "3:\n"
		     EXTABLE("1b", "3b")
		     EXTABLE("2b", "3b")
		     : "+D" (dst), "+S" (src), "+c" (left)
		     : "r" (rest) : "memory");
	close_user();
	return left ? -EFAULT : 0;
}

int copy_from_user(void *dst, u64 src, u64 n)
{
	if (!range_ok(src, n))
		return -EFAULT;
	return copy(dst, (const void *)src, n);
}

int copy_to_user(u64 dst, const void *src, u64 n)
{
	if (!range_ok(dst, n))
		return -EFAULT;
	return copy((void *)dst, src, n);
}

int clear_user(u64 dst, u64 n)
{
	u64 left = n / 8, rest = n % 8;

	if (!range_ok(dst, n))
		return -EFAULT;
	open_user();
	asm volatile("1:\trep stosq\n\t"
		     "movq %2, %%rcx\n"
		     "2:\trep stosb\n"
		     "3:\n"
		     EXTABLE("1b", "3b")
		     EXTABLE("2b", "3b")
		     : "+D" (dst), "+c" (left)
		     : "r" (rest), "a" (0) : "memory");
	close_user();
	return left ? -EFAULT : 0;
}

int cmpxchg_user(u64 va, u32 *old, u32 new)
{
	u32 ok = 0;

	if (!range_ok(va, sizeof(new)))
		return -EFAULT;
	open_user();
	asm volatile("1:\tlock cmpxchgl %3, (%2)\n\t"
		     "movl $1, %1\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "+a" (*old), "+r" (ok)
		     : "r" (va), "r" (new) : "memory", "cc");
	close_user();
	return ok ? 0 : -EFAULT;
}

s64 copy_string_from_user(char *dst, u64 src, u64 size)
{
	for (u64 n = 0; n < size; n++) {
		if (copy_from_user(&dst[n], src + n, 1))
			return -EFAULT;
		if (!dst[n])
			return n;
	}
	return -ENAMETOOLONG;
}
