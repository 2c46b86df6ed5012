// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process says on which node its memory shall be. No content changes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>

#include "syscalls.h"
#include "worker_ops.h"

/* Newer than the headers of the C library. */
#define LOCAL	4	/* MPOL_LOCAL */

#define MASK_BITS	64

static long bind(const int *arg, int mode, unsigned long nodes)
{
	return sys(SYS_mbind, (long)page_at(arg[1]), arg[2] * PAGE, mode,
		   nodes ? (long)&nodes : 0, nodes ? MASK_BITS : 0, MPOL_MF_MOVE);
}

/* All pages, one by one. What has become of each it says, too. */
static long move_pages(const int *arg)
{
	void *pages[MAX_COUNT];
	int nodes[MAX_COUNT], status[MAX_COUNT], i;
	long ret;

	for (i = 0; i < arg[2]; i++) {
		pages[i] = page_at(arg[1] + i);
		nodes[i] = arg[4];
		status[i] = -EINPROGRESS;
	}
	ret = sys(SYS_move_pages, 0, arg[2], (long)pages, (long)nodes, (long)status,
		  MPOL_MF_MOVE);
	return ret > 0 ? 0 : ret;
}

long do_numa(const int *arg)
{
	const unsigned long node = 1UL << arg[4], other = 1UL << !arg[4];
	long ret = -EINVAL;

	switch (arg[3]) {
	case NUMA_BIND:
		ret = bind(arg, MPOL_BIND, node);
		break;
	case NUMA_INTERLEAVE:
		ret = bind(arg, MPOL_INTERLEAVE, node | other);
		break;
	case NUMA_PREFERRED:
		ret = bind(arg, MPOL_PREFERRED, node);
		break;
	case NUMA_LOCAL:
		ret = bind(arg, LOCAL, 0);
		break;
	case NUMA_DEFAULT:
		ret = bind(arg, MPOL_DEFAULT, 0);
		break;
	case NUMA_MOVE:
		ret = move_pages(arg);
		break;
	case NUMA_MIGRATE:
		ret = SYS4(SYS_migrate_pages, 0, MASK_BITS, &other, &node);
		break;
	}
	switch (ret) {
	case -EFAULT:	/* not all is mapped, */
	case -EINVAL:	/* or there is no such node, */
	case -ENODEV:
	case -EIO:	/* or somebody has pages, too. */
		return 0;
	default:
		return ret > 0 ? 0 : ret;
	}
}
