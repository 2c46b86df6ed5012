// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process gives its pages to pipes and to disks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "syscalls.h"
#include "worker_ops.h"

long do_splice(const int *arg)
{
	struct iovec iov = { page_at(arg[1]), arg[2] * PAGE };

	return SYS4(SYS_vmsplice, PIPE_FD + 2 * arg[3] + 1, &iov, 1, SPLICE_F_NONBLOCK);
}

/* Out to a disk from one place, back in at another. */
long do_direct(const int *arg)
{
	size_t size = arg[2] * PAGE;
	long ret = SYS4(SYS_pwrite64, DISK_FD, page_at(arg[1]), size, 0);

	if (ret != (long)size)
		return ret < 0 ? ret : -EIO;
	ret = SYS4(SYS_pread64, DISK_FD, page_at(arg[3]), size, 0);
	return ret == (long)size ? 0 : ret < 0 ? ret : -EIO;
}
