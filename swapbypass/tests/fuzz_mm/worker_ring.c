// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process pins pages, as the fixed buffer of a ring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"
#include "syscalls.h"
#include "worker_ops.h"

static int ring_fd = -1, pinned_page, pinned_count;
static struct io_uring_params ring;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

static long ring_open(void)
{
	size_t size;

	memset(&ring, 0, sizeof(ring));
	ring_fd = SYS2(SYS_io_uring_setup, 4, &ring);
	if (ring_fd < 0)
		return ring_fd;
	size = ring.sq_off.array + ring.sq_entries * sizeof(unsigned int);
	sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
	size = ring.cq_off.cqes + ring.cq_entries * sizeof(struct io_uring_cqe);
	cq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_CQ_RING);
	size = ring.sq_entries * sizeof(struct io_uring_sqe);
	sqes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (char *)sqes == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

void ring_close(void)
{
	if (ring_fd < 0)
		return;
	munmap(sq, ring.sq_off.array + ring.sq_entries * sizeof(unsigned int));
	munmap(cq, ring.cq_off.cqes + ring.cq_entries * sizeof(struct io_uring_cqe));
	munmap(sqes, ring.sq_entries * sizeof(struct io_uring_sqe));
	close(ring_fd);
	ring_fd = -1;
	pinned_count = 0;
}

static long ring_io(int opcode)
{
	_Atomic unsigned int *tail = (_Atomic unsigned int *)(sq + ring.sq_off.tail);
	_Atomic unsigned int *head = (_Atomic unsigned int *)(cq + ring.cq_off.head);
	unsigned int *array = (unsigned int *)(sq + ring.sq_off.array);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(cq + ring.cq_off.cqes);
	unsigned int at = atomic_load(tail) & (ring.sq_entries - 1);
	long ret;

	memset(&sqes[at], 0, sizeof(sqes[at]));
	sqes[at].opcode = opcode;
	sqes[at].fd = FILE_FD;
	sqes[at].addr = (uintptr_t)page_at(pinned_page);
	sqes[at].len = pinned_count * PAGE;
	array[at] = at;
	atomic_fetch_add(tail, 1);
	ret = sys(SYS_io_uring_enter, ring_fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
	if (ret < 0)
		return ret;
	ret = cqes[atomic_load(head) & (ring.cq_entries - 1)].res;
	atomic_fetch_add(head, 1);
	if (ret < 0)
		return ret;
	return ret == (long)(pinned_count * PAGE) ? 0 : -EIO;
}

/* 1: there is no ring to be had. */
long do_pin(const int *arg)
{
	struct iovec iov = { page_at(arg[1]), arg[2] * PAGE };
	long ret;

	ring_close();
	if (ring_open()) {
		ring_close();
		return 1;
	}
	ret = SYS4(SYS_io_uring_register, ring_fd, IORING_REGISTER_BUFFERS, &iov, 1);
	if (ret) {
		ring_close();
		return ret;
	}
	pinned_page = arg[1];
	pinned_count = arg[2];
	return 0;
}

/* What the pinned pages hold, through a file. */
long do_pin_out(struct mailbox *box)
{
	static char buf[PAGE] __attribute__((aligned(4096)));
	long ret;
	int i;

	if (ring_fd < 0)
		return -ENXIO;
	ret = ring_io(IORING_OP_WRITE_FIXED);
	for (i = 0; !ret && i < pinned_count; i++) {
		if (SYS4(SYS_pread64, FILE_FD, buf, PAGE, i * PAGE) != (long)PAGE)
			return -EIO;
		look_at(buf, &box->page[i]);
	}
	return ret;
}

long do_pin_in(struct mailbox *box)
{
	static char buf[PAGE] __attribute__((aligned(4096)));
	uint64_t id, seq;
	int i;

	if (ring_fd < 0)
		return -ENXIO;
	for (i = 0; i < pinned_count; i++) {
		stamp(worker_me, pinned_page + i, FILL_EACH, box->seq, i, &id, &seq);
		page_fill(buf, id, seq);
		box->page[i].id = id;
		box->page[i].seq = seq;
		if (SYS4(SYS_pwrite64, FILE_FD, buf, PAGE, i * PAGE) != (long)PAGE)
			return -EIO;
	}
	return ring_io(IORING_OP_READ_FIXED);
}
