// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process gives its pages to pipes and to disks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/mman.h>
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

/* ---- Asynchronously -------------------------------------------------------- */

#define AIO_MAX	16

/* Pages to or from the disk, while they are swapped out as far as that is possible. */
static long aio_pages(aio_context_t ctx, int opcode, int page, int first, int nr)
{
	struct io_event events[AIO_MAX];
	struct iocb cb[AIO_MAX], *cbs[AIO_MAX];
	long ret, done;
	int i;

	memset(cb, 0, sizeof(cb));
	for (i = 0; i < nr; i++) {
		cbs[i] = &cb[i];
		cb[i].aio_lio_opcode = opcode;
		cb[i].aio_fildes = DISK_FD;
		cb[i].aio_buf = (uintptr_t)page_at(page + first + i);
		cb[i].aio_nbytes = PAGE;
		cb[i].aio_offset = (first + i) * PAGE;
	}
	ret = SYS3(SYS_io_submit, ctx, nr, cbs);
	if (ret < 0)
		return ret;
	SYS3(SYS_madvise, page_at(page + first), nr * PAGE, MADV_PAGEOUT);
	/* What is left of a ring interrupts it. */
	do {
		done = sys(SYS_io_getevents, ctx, ret, ret, (long)events, 0, 0);
	} while (done == -EINTR);
	if (done != nr)
		return done < 0 ? done : -EAGAIN;
	for (i = 0; i < nr; i++)
		if (events[i].res != (long)PAGE)
			return events[i].res < 0 ? events[i].res : -EIO;
	return 0;
}

static long aio_all(aio_context_t ctx, int opcode, int page, int count)
{
	long ret = 0;
	int i;

	for (i = 0; !ret && i < count; i += AIO_MAX)
		ret = aio_pages(ctx, opcode, page, i,
				count - i < AIO_MAX ? count - i : AIO_MAX);
	return ret;
}

/* As do_direct(). */
long do_aio(const int *arg)
{
	aio_context_t ctx = 0;
	long ret = SYS2(SYS_io_setup, AIO_MAX, &ctx);

	if (ret)
		return ret;
	ret = aio_all(ctx, IOCB_CMD_PWRITE, arg[1], arg[2]);
	if (!ret)
		ret = aio_all(ctx, IOCB_CMD_PREAD, arg[3], arg[2]);
	SYS1(SYS_io_destroy, ctx);
	return ret;
}
