// SPDX-License-Identifier: GPL-2.0
/*
 * Memory. The heap has been mapped all the time; addresses that are asked for
 * without any right get memory when a right is asked for.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include "linux.h"

#include <linux/mman.h>
#include <linux/stat.h>

#define PROT_ANY	(PROT_READ | PROT_WRITE | PROT_EXEC)

/* After so much, others have their turn. */
#define MINCORE_STEP	512
#define CLEAR_STEP	(1ULL << 20)

/* A line in the log, where a program would only see a number. */
static s64 refuse(enum complaint what, const char *text, s64 error)
{
	const struct task *task = current_task();

	if (first_time(what))
		kprintf("task %u (%s): %s\n", task->id, task->name, text);
	return error;
}

static s64 no_exec(void)
{
	return refuse(SAY_EXEC, "memory that can be written is not executed", -EACCES);
}

/* The memory may have been used before; the lock is not for so long. */
static int clear(u64 start, u64 size)
{
	for (u64 done = 0, part; done < size; done += part) {
		int ret;

		part = min_u64(size - done, CLEAR_STEP);
		kunlock();
		ret = clear_user(start + done, part);
		klock();
		if (ret)
			return ret;
		if (!give_way())
			return -EINTR;
	}
	return 0;
}

s64 sys_brk(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 old = ALIGN_UP(as->brk, PAGE_SIZE), new;

	new = ALIGN_UP(aspace_brk(as, r->rdi), PAGE_SIZE);
	if (new > old)
		clear(old, new - old);
	return as->brk;
}

/* ---- addresses without memory ---- */

static int commit(u64 start, u64 end)
{
	struct aspace *as = current_task()->aspace;
	int ret;

	while ((ret = aspace_commit(as, start, end)) > 0) {
		/* Who takes it away as fast must not keep a CPU busy for ever. */
		if (!give_way())
			return -EINTR;
	}
	return ret;
}

static int decommit(u64 start, u64 end, bool release)
{
	struct aspace *as = current_task()->aspace;

	while (start < end) {
		s64 ret = aspace_decommit(as, start, end, release);

		if (ret < 0)
			return ret;
		start += ret;
		if (!give_way())
			return -EINTR;
	}
	return 0;
}

/* What has memory is cleared. Another thread may take it away meanwhile. */
static int clear_committed(u64 start, u64 end)
{
	const struct aspace *as = current_task()->aspace;
	u64 from, to;

	for (; aspace_committed(as, start, end, &from, &to); start = to) {
		if (clear(from, to - from))
			return -ENOMEM;
	}
	return 0;
}

/* ---- mmap ---- */

/* Where there is something of the task's already; it becomes as new. */
static s64 map_fixed(u64 start, u64 size, u64 prot)
{
	struct aspace *as = current_task()->aspace;
	u64 end = start + size;
	int ret;

	if (!IS_ALIGNED(start, PAGE_SIZE))
		return -EINVAL;
	if (aspace_in_reserve(as, start, end)) {
		ret = decommit(start, end, false);
		if (!ret && prot & PROT_ANY)
			ret = commit(start, end);
		return ret ? ret : (s64)start;
	}
	if (aspace_in_heap(as, start, end))
		return clear(start, size) ? -ENOMEM : (s64)start;
	return refuse(SAY_PLACE, "mmap at a place that is not in its heap",
		      -ENOMEM);
}

static s64 map_file(u64 fd, u64 offset, u64 size, u64 flags, u64 prot)
{
	const struct open_file *f = file_of(fd);
	const u8 *data;
	s64 start;
	int ret;
	u64 n;

	if (!f)
		return -EBADF;
	if (!IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if (f->kind != FILE_ARCHIVE || (f->file.mode & S_IFMT) != S_IFREG)
		return -ENODEV;
	/* A file is open for reading alone; a copy shows the same. */
	if ((flags & MAP_TYPE) != MAP_PRIVATE && prot & PROT_WRITE)
		return -EACCES;
	if (flags & MAP_FIXED)
		return refuse(SAY_FILE_PLACE, "mmap of a file at a fixed place",
			      -ENODEV);
	n = offset < f->file.size ? min_u64(size, f->file.size - offset) : 0;
	data = f->file.data + offset;
	start = aspace_mmap(current_task()->aspace, size);
	if (start < 0)
		return start;
	kunlock();
	ret = copy_to_user(start, data, n);
	if (!ret)
		ret = clear_user(start + n, ALIGN_UP(size, PAGE_SIZE) - n);
	klock();
	return ret ? -ENOMEM : start;
}

s64 sys_mmap(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 size = ALIGN_UP(r->rsi, PAGE_SIZE), flags = r->r10;
	s64 start;

	if (!r->rsi || !(flags & MAP_TYPE))
		return -EINVAL;
	if (size < r->rsi)
		return -ENOMEM;
	if (r->rdx & PROT_EXEC)
		return no_exec();
	if (!(flags & MAP_ANONYMOUS))
		return map_file(r->r8, r->r9, r->rsi, flags, r->rdx);
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		/* All that could be there is mapped. */
		if (flags & MAP_FIXED_NOREPLACE)
			return -EEXIST;
		return map_fixed(r->rdi, size, r->rdx);
	}
	if (!(r->rdx & PROT_ANY))
		return aspace_reserve(as, size);
	start = aspace_mmap(as, size);
	if (start > 0 && clear(start, size))
		return -ENOMEM;
	return start;
}

s64 sys_munmap(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 size = ALIGN_UP(r->rsi, PAGE_SIZE);

	if (IS_ALIGNED(r->rdi, PAGE_SIZE) && size >= r->rsi &&
	    aspace_in_reserve(as, r->rdi, r->rdi + size))
		return decommit(r->rdi, r->rdi + size, true);
	return aspace_munmap(as, r->rdi, r->rsi);
}

/*
 * The rights of what has memory stay as they are: a program that asks for
 * fewer gets more, and one that asks for more hears no.
 */
s64 sys_mprotect(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 start = r->rdi, size = ALIGN_UP(r->rsi, PAGE_SIZE);
	u64 end = start + size;
	u32 want = (r->rdx & PROT_WRITE ? ASPACE_WRITE : 0) |
		   (r->rdx & PROT_EXEC ? ASPACE_EXEC : 0);
	int ret;

	if (!IS_ALIGNED(start, PAGE_SIZE))
		return -EINVAL;
	if (!r->rsi)
		return 0;
	if (size < r->rsi || end <= start)
		return -ENOMEM;
	if (aspace_in_reserve(as, start, end)) {
		if (!aspace_reserved(as, start, end))
			return -ENOMEM;
		if (want & ASPACE_EXEC)
			return no_exec();
		return r->rdx & PROT_ANY ? commit(start, end) : 0;
	}
	ret = aspace_rights(as, start, end, want);
	if (ret == -EACCES)
		refuse(SAY_RIGHTS, "mprotect cannot give more rights", ret);
	return ret;
}

s64 sys_madvise(struct regs *r)
{
	struct aspace *as = current_task()->aspace;
	u64 start = r->rdi, end = start + ALIGN_UP(r->rsi, PAGE_SIZE);

	if (!IS_ALIGNED(start, PAGE_SIZE))
		return -EINVAL;
	/* The one advice with an effect that programs rely on. */
	if (r->rdx != MADV_DONTNEED || !r->rsi)
		return 0;
	if (aspace_in_reserve(as, start, end))
		return clear_committed(start, end);
	/* Not what the heap has lent, and not what is another task's. */
	if (end <= start || end > USER_SLOT_SIZE ||
	    (start < as->heap_end && end > as->brk_start &&
	     !aspace_in_heap(as, start, end)))
		return -ENOMEM;
	return clear(start, end - start) ? -ENOMEM : 0;
}

/* What has memory has it always. */
s64 sys_mincore(struct regs *r)
{
	u64 size = ALIGN_UP(r->rsi, PAGE_SIZE);
	u64 pages = size >> PAGE_SHIFT;
	u8 one = 1;

	if (!IS_ALIGNED(r->rdi, PAGE_SIZE))
		return -EINVAL;
	if (size < r->rsi)
		return -ENOMEM;
	for (u64 i = 0; i < pages; i++) {
		if (i % MINCORE_STEP == MINCORE_STEP - 1 && !give_way())
			return -EINTR;
		if (!aspace_translate(current_task()->aspace,
				      r->rdi + (i << PAGE_SHIFT)))
			return -ENOMEM;
		if (copy_to_user(r->rdx + i, &one, 1))
			return -EFAULT;
	}
	return 0;
}
