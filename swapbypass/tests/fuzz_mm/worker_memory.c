// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process changes its memory, and looks at it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "probe.h"
#include "syscalls.h"
#include "worker_ops.h"

/* Newer than the headers of the C library. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
static const int advices[ADV_NR] = {
	[ADV_PAGEOUT] = MADV_PAGEOUT, [ADV_COLD] = MADV_COLD, [ADV_WILLNEED] = MADV_WILLNEED,
	[ADV_DONTNEED] = MADV_DONTNEED, [ADV_DONTNEED_LOCKED] = MADV_DONTNEED_LOCKED,
	[ADV_FREE] = MADV_FREE, [ADV_HUGE] = MADV_HUGEPAGE, [ADV_NOHUGE] = MADV_NOHUGEPAGE,
	[ADV_COLLAPSE] = MADV_COLLAPSE, [ADV_MERGEABLE] = MADV_MERGEABLE,
	[ADV_UNMERGEABLE] = MADV_UNMERGEABLE, [ADV_POPULATE_READ] = MADV_POPULATE_READ,
	[ADV_POPULATE_WRITE] = MADV_POPULATE_WRITE, [ADV_DONTFORK] = MADV_DONTFORK,
	[ADV_DOFORK] = MADV_DOFORK, [ADV_WIPEONFORK] = MADV_WIPEONFORK,
	[ADV_KEEPONFORK] = MADV_KEEPONFORK, [ADV_RANDOM] = MADV_RANDOM,
	[ADV_SEQUENTIAL] = MADV_SEQUENTIAL, [ADV_NORMAL] = MADV_NORMAL,
	[ADV_DONTDUMP] = MADV_DONTDUMP, [ADV_DODUMP] = MADV_DODUMP,
	[ADV_REMOVE] = MADV_REMOVE, [ADV_SOFT_OFFLINE] = MADV_SOFT_OFFLINE,
};

static const int prots[P_NR] = {
	[P_NONE] = PROT_NONE, [P_R] = PROT_READ, [P_RW] = PROT_READ | PROT_WRITE
};

long do_map(const int *arg)
{
	int flags = MAP_ANONYMOUS | MAP_FIXED;
	long ret;

	flags |= arg[4] == MAP_SHARE ? MAP_SHARED : MAP_PRIVATE;
	if (arg[4] == MAP_NOW)
		flags |= MAP_POPULATE;
	ret = sys(SYS_mmap, (long)page_at(arg[1]), arg[2] * PAGE, prots[arg[3]], flags, -1, 0);
	return ret == (long)page_at(arg[1]) ? 0 : ret;
}

long do_write(struct mailbox *box)
{
	uint64_t id, seq;
	int i, page;

	for (i = 0; i < box->arg[2]; i++) {
		page = box->arg[1] + i;
		stamp(worker_me, page, box->arg[3], box->seq, i, &id, &seq);
		box->page[i].what = SEEN_FAULT;
		if (probe_write(page_at(page), id))
			continue;
		page_fill(page_at(page), id, seq);
		box->page[i].what = SEEN_PATTERN;
	}
	return 0;
}

long do_read(struct mailbox *box)
{
	int i;

	for (i = 0; i < box->arg[2]; i++)
		look_at(page_at(box->arg[1] + i), &box->page[i]);
	return 0;
}

long do_move(const int *arg)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *to = page_at(arg[3]);
	size_t size = arg[2] * PAGE;
	long ret;

	if (arg[4] == MOVE_KEEP)
		flags |= MREMAP_DONTUNMAP;
	ret = sys(SYS_mremap, (long)page_at(arg[1]), size, size, flags, (long)to, 0);
	if (ret == (long)to)
		return 0;
	/* What is gone of both depends on the kernel; now it all is. */
	SYS2(SYS_munmap, to, size);
	SYS2(SYS_munmap, page_at(arg[1]), size);
	return ret;
}

long do_resize(const int *arg)
{
	char *start = page_at(arg[1]);
	long ret = sys(SYS_mremap, (long)start, arg[2] * PAGE, arg[3] * PAGE, 0, 0, 0);

	return ret == (long)start ? 0 : ret;
}

/* Touches pages all the time, whether it may or not. */
long do_churn(const int *arg)
{
	uint64_t end = now_ms() + arg[3], val;
	int i;

	do {
		for (i = 0; i < arg[2]; i++)
			probe_read(page_at(arg[1] + i), &val);
	} while (now_ms() < end);
	return 0;
}

long do_protect(const int *arg)
{
	return SYS3(SYS_mprotect, page_at(arg[1]), arg[2] * PAGE, prots[arg[3]]);
}

long do_advise(const int *arg)
{
	return SYS3(SYS_madvise, page_at(arg[1]), arg[2] * PAGE, advices[arg[3]]);
}

long do_lock(const int *arg)
{
	if (arg[3] == LOCK_PLAIN)
		return SYS2(SYS_mlock, page_at(arg[1]), arg[2] * PAGE);
	return SYS3(SYS_mlock2, page_at(arg[1]), arg[2] * PAGE,
		    arg[3] == LOCK_ON_FAULT ? MLOCK_ONFAULT : 0);
}
