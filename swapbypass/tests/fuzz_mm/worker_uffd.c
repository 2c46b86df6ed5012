// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process watches its own faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscalls.h"
#include "uffd.h"
#include "worker_ops.h"

/* Of the range that is write-protected. */
static long watched = -1;

void uffd_close(void)
{
	if (watched >= 0)
		close(watched);
	watched = -1;
}

static long uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	long fd = SYS1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), ret;

	if (fd < 0)
		return fd;
	ret = SYS3(SYS_ioctl, fd, UFFDIO_API, &api);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

int uffd_lacks(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API };
	long fd = SYS1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), ret;

	if (fd < 0)
		return -fd;
	/* Says all that there are. */
	ret = SYS3(SYS_ioctl, fd, UFFDIO_API, &api);
	close(fd);
	return ret ? -ret : (api.features & features) == features ? 0 : EOPNOTSUPP;
}

static long uffd_register(long fd, int page, int count, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)page_at(page), count * PAGE },
		.mode = mode,
	};

	return SYS3(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
}

/* The number of pages that were moved, from the first one on. */
long do_uffd_move(const int *arg)
{
	struct uffd_move move = {
		.dst = (uintptr_t)page_at(arg[3]),
		.src = (uintptr_t)page_at(arg[1]),
		.len = arg[2] * PAGE,
		.mode = 1,	/* holes may be */
	};
	long fd = uffd_open(UFFD_FEATURE_SIGBUS), ret;

	if (fd < 0)
		return fd;
	ret = uffd_register(fd, arg[3], arg[2], UFFDIO_REGISTER_MODE_MISSING);
	if (!ret) {
		ret = SYS3(SYS_ioctl, fd, UFFDIO_MOVE, &move);
		if (!ret || ret == -EAGAIN)
			ret = move.move > 0 ? move.move / (long)PAGE : 0;
	}
	/* The last reference: the range is not registered any more. */
	close(fd);
	return ret;
}

/* Write-protects, and lets the kernel itself take it away where somebody writes. */
long do_uffd_wp(const int *arg)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)page_at(arg[1]), arg[2] * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	long ret;

	uffd_close();
	watched = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	if (watched < 0)
		return watched;
	ret = uffd_register(watched, arg[1], arg[2], UFFDIO_REGISTER_MODE_WP);
	return ret ?: SYS3(SYS_ioctl, watched, UFFDIO_WRITEPROTECT, &wp);
}
