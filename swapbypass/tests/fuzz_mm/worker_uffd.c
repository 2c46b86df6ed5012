// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process watches its own faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "syscalls.h"
#include "thread.h"
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
	long fd = SYS1(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY), ret;

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
	long fd, ret;

	uffd_close();
	fd = uffd_open(UFFD_FEATURE_SIGBUS);
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

/* ---- A thread that answers --------------------------------------------------- */

#define POLL_MS	2

/* What is asked of it for one order, and what it has seen. */
static struct {
	long fd;
	int page, count;	/* the range */
	enum answer_how how;
	uint64_t seq;		/* of the first page that is copied */
	atomic_bool stop;
	long error;
	unsigned int noticed;	/* pages that were written to */
	bool seen[MAX_COUNT];
} watch;

static char watch_stack[16 << 10] __attribute__((aligned(16)));
static _Atomic uint32_t watch_alive;

static long give_page(int i)
{
	static char content[PAGE] __attribute__((aligned(4096)));
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page_at(watch.page + i), .src = (uintptr_t)content, .len = PAGE,
	};
	struct uffdio_zeropage zero = { .range = { copy.dst, PAGE } };
	uint64_t id, seq;

	if (watch.how == ANSWER_ZERO)
		return SYS3(SYS_ioctl, watch.fd, UFFDIO_ZEROPAGE, &zero);
	stamp(worker_me, watch.page + i, FILL_EACH, watch.seq, i, &id, &seq);
	page_fill(content, id, seq);
	return SYS3(SYS_ioctl, watch.fd, UFFDIO_COPY, &copy);
}

static void answer_fault(const struct uffd_msg *msg)
{
	struct uffdio_range range = { msg->arg.pagefault.address & -PAGE, PAGE };
	struct uffdio_range watched_range = {
		(uintptr_t)page_at(watch.page), watch.count * PAGE
	};
	struct uffdio_writeprotect unprotect = { .range = range };
	int i = (range.start - ARENA) / PAGE - watch.page;
	long ret;

	if (i < 0 || i >= watch.count) {
		watch.error = -ERANGE;
		return;
	}
	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		watch.noticed += !watch.seen[i];
		watch.seen[i] = true;
		do {
			ret = SYS3(SYS_ioctl, watch.fd, UFFDIO_WRITEPROTECT, &unprotect);
		} while (ret == -EAGAIN);
	} else {
		do {
			ret = give_page(i);
		} while (ret == -EAGAIN);
		/* Another thread has asked for it, too. */
		if (ret == -EEXIST)
			ret = SYS3(SYS_ioctl, watch.fd, UFFDIO_WAKE, &range);
	}
	if (!ret)
		return;
	/* Nobody must wait for an answer that there will not be. */
	watch.error = watch.error ?: ret;
	SYS3(SYS_ioctl, watch.fd, UFFDIO_UNREGISTER, &watched_range);
}

static void answer_faults(void)
{
	struct pollfd p = { .fd = watch.fd, .events = POLLIN };
	struct uffd_msg msg;

	while (!atomic_load(&watch.stop)) {
		if (SYS3(SYS_poll, &p, 1, POLL_MS) <= 0)
			continue;
		if (SYS3(SYS_read, watch.fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT)
			answer_fault(&msg);
	}
}

static long watch_begin(const struct mailbox *box, uint64_t features, uint64_t mode)
{
	const int *arg = box->arg;
	long ret;

	uffd_close();
	watch.fd = uffd_open(features);
	if (watch.fd < 0)
		return watch.fd;
	watch.page = arg[1];
	watch.count = arg[2];
	watch.how = arg[3];
	watch.seq = box->seq;
	watch.error = 0;
	watch.noticed = 0;
	memset(watch.seen, 0, sizeof(watch.seen));
	atomic_store(&watch.stop, false);
	ret = uffd_register(watch.fd, arg[1], arg[2], mode);
	if (ret)
		close(watch.fd);
	return ret;
}

/* Nobody waits for it any more. */
static void watch_end(void)
{
	atomic_store(&watch.stop, true);
	thread_join(&watch_alive);
	close(watch.fd);
}

static long watch_start(void)
{
	long ret = thread_start(answer_faults, watch_stack, sizeof(watch_stack), &watch_alive);

	if (ret)
		close(watch.fd);
	return ret;
}

/* Pages go, and another thread gives others as they are looked at. */
long do_uffd_missing(struct mailbox *box)
{
	const int *arg = box->arg;
	long ret = watch_begin(box, 0, UFFDIO_REGISTER_MODE_MISSING);

	if (ret)
		return ret;
	/* Only now: else another thread could have touched one. */
	ret = SYS3(SYS_madvise, page_at(arg[1]), arg[2] * PAGE, MADV_DONTNEED);
	if (ret) {
		close(watch.fd);
		return ret;
	}
	ret = watch_start();
	if (ret)
		return ret;
	do_read(box);
	watch_end();
	return watch.error;
}

/* Another thread lets each page be written, once it has been told; how many it was. */
long do_uffd_wait(struct mailbox *box)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)page_at(box->arg[1]), box->arg[2] * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	long ret = watch_begin(box, UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			       UFFD_FEATURE_WP_UNPOPULATED, UFFDIO_REGISTER_MODE_WP);

	if (ret)
		return ret;
	do {
		ret = SYS3(SYS_ioctl, watch.fd, UFFDIO_WRITEPROTECT, &wp);
	} while (ret == -EAGAIN);
	if (ret) {
		close(watch.fd);
		return ret;
	}
	ret = watch_start();
	if (ret)
		return ret;
	box->arg[3] = FILL_EACH;
	do_write(box);
	watch_end();
	return watch.error ?: (long)watch.noticed;
}
