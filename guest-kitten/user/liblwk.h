/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own calls as functions, for init_task. Without a C library.
 */
#ifndef LIBLWK_H
#define LIBLWK_H

#include <asm/unistd.h>
#include <kitten/lwk.h>
#include <stddef.h>

typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

static inline s64 call(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	register u64 r10 asm("r10") = d;
	register u64 r8 asm("r8") = e;
	s64 ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8)
		     : "rcx", "r11", "memory");
	return ret;
}

static inline s64 write_out(int fd, const char *text, size_t n)
{
	return call(__NR_write, fd, (u64)text, n, 0, 0);
}

static inline int pmem_add(const struct lwk_pmem *p)
{
	return call(LWK_PMEM_ADD, (u64)p, 0, 0, 0, 0);
}

static inline int pmem_alloc(u64 size, u64 align, struct lwk_pmem *p)
{
	return call(LWK_PMEM_ALLOC, size, align, (u64)p, 0, 0);
}

static inline int pmem_free(const struct lwk_pmem *p)
{
	return call(LWK_PMEM_FREE, p->start, p->end - p->start, 0, 0, 0);
}

static inline int pmem_query(u32 nr, struct lwk_pmem *p)
{
	return call(LWK_PMEM_QUERY, nr, (u64)p, 0, 0, 0);
}

static inline int aspace_create(const char *name)
{
	return call(LWK_ASPACE_CREATE, (u64)name, 0, 0, 0, 0);
}

static inline int aspace_destroy(u32 id)
{
	return call(LWK_ASPACE_DESTROY, id, 0, 0, 0, 0);
}

static inline int aspace_add_region(u32 id, u64 start, u64 size, u32 flags,
				    const char *name)
{
	return call(LWK_ASPACE_ADD_REGION, id, start, size, flags, (u64)name);
}

static inline int aspace_map_pmem(u32 id, u64 pa, u64 start, u64 size)
{
	return call(LWK_ASPACE_MAP_PMEM, id, pa, start, size, 0);
}

static inline int aspace_smartmap(u32 src, u32 dst, u32 rank)
{
	return call(LWK_ASPACE_SMARTMAP, src, dst, rank, 0, 0);
}

static inline int aspace_load(u32 id, const void *file, u64 size,
			      struct lwk_image *image)
{
	return call(LWK_ASPACE_LOAD, id, (u64)file, size, (u64)image, 0);
}

static inline int task_create(const struct lwk_task *task)
{
	return call(LWK_TASK_CREATE, (u64)task, 0, 0, 0, 0);
}

static inline int task_wait(u32 id)
{
	return call(LWK_TASK_WAIT, id, 0, 0, 0, 0);
}

static inline int machine_info(struct lwk_machine *m)
{
	return call(LWK_MACHINE_INFO, (u64)m, 0, 0, 0, 0);
}

#endif /* LIBLWK_H */
