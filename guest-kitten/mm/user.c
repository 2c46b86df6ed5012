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

/* Returns the bytes that are left. */
static u64 copy(void *dst, const void *src, u64 n)
{
	open_user();
	asm volatile("1:\trep movsb\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "+D" (dst), "+S" (src), "+c" (n) :: "memory");
	close_user();
	return n;
}

int copy_from_user(void *dst, u64 src, u64 n)
{
	if (!range_ok(src, n))
		return -EFAULT;
	return copy(dst, (const void *)src, n) ? -EFAULT : 0;
}

int copy_to_user(u64 dst, const void *src, u64 n)
{
	if (!range_ok(dst, n))
		return -EFAULT;
	return copy((void *)dst, src, n) ? -EFAULT : 0;
}

int clear_user(u64 dst, u64 n)
{
	if (!range_ok(dst, n))
		return -EFAULT;
	open_user();
	asm volatile("1:\trep stosb\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "+D" (dst), "+c" (n) : "a" (0) : "memory");
	close_user();
	return n ? -EFAULT : 0;
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
