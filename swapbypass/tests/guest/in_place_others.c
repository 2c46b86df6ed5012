// SPDX-License-Identifier: GPL-2.0
/*
 * Others that look at pages in place, or hold on to them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_place.h"

static void t_ptrace(void)
{
	char *p = swapped_out(0xb00);
	struct iovec local, remote = { p, len() };
	char *copy = anon_map(len());
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("written by the parent", p, 0xb00, 2);
		_exit(TEST_OK);
	}
	local.iov_base = copy;
	local.iov_len = len();
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)len())
		setup_error("process_vm_readv: %s", strerror(errno));
	verify("read by process_vm_readv", copy, 0xb00, 1);
	fill(copy, 0xb00, 2);
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)len())
		setup_error("process_vm_writev: %s", strerror(errno));
	baton_pass(&b, 0);
	join_child(pid);
	verify("the parent's", p, 0xb00, 1);
}

static int open_disk(void)
{
	int fd = open(disk, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		setup_error("%s: %s", disk, strerror(errno));
	return fd;
}

/* Direct I/O into pages in place, and pages whose last reference is the I/O's. */
static void t_aio(void)
{
	char *want = anon_map(len());
	long long before;
	int fd = open_disk(), round;

	if (pread(fd, want, len(), 0) != (ssize_t)len())
		setup_error("read: %s", strerror(errno));
	before = window("in_place");

	for (round = 0; round < 8; round++) {
		char *p = in_place(0xb80 + round);
		aio_context_t ctx = 0;
		struct iocb cb = {
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = fd,
			.aio_buf = (uintptr_t)p,
			.aio_nbytes = len(),
		}, *list = &cb;
		struct io_event ev;

		if (syscall(SYS_io_setup, 1, &ctx) ||
		    syscall(SYS_io_submit, ctx, 1, &list) != 1)
			setup_error("AIO: %s", strerror(errno));
		/* The pages live on without a mapping. */
		if (round & 1)
			munmap(p, len());
		if (syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) != 1)
			setup_error("io_getevents: %s", strerror(errno));
		if (ev.res != (__s64)len())
			violated("direct read: %lld", (long long)ev.res);
		if (!(round & 1)) {
			if (memcmp(p, want, len()))
				violated("wrong data by direct read");
			munmap(p, len());
		}
		syscall(SYS_io_destroy, ctx);
	}
	if (!wait_in_place(before))
		violated("%lld pages are left in place", window("in_place") - before);
	close(fd);
}

/* FOLL_LONGTERM: such pages move to memory of the guest's first. */
static void t_longterm(void)
{
	char *p = in_place(0xc00);
	struct iovec iov = { p, len() };
	struct io_uring_params params = { 0 };
	long long left = window("in_place");
	int fd = syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		setup_error("io_uring_setup: %s", strerror(errno));
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1))
		violated("IORING_REGISTER_BUFFERS: %s", strerror(errno));
	verify("pinned", p, 0xc00, 1);
	if (left - window("in_place") < (long long)npages && window("in_place"))
		violated("%lld pages are pinned in place", window("in_place"));
	fill(p, 0xc00, 2);
	close(fd);
	verify("unpinned", p, 0xc00, 2);
}

/*
 * Nobody holds pages any more that did so beyond a swapoff: they move to memory, as
 * they have no slot, and the next swapon has the whole window again.
 */
static void let_go(char *p, uint64_t id)
{
	char *dev = device();
	int err;

	set_grant(all_pages);
	must_hold("let go", 0);
	verify("in memory", p, id, 2);
	err = swapoff_within(dev, 20);
	if (err || swapon(dev, 0))
		violated("swapoff, swapon: %s", strerror(err ? err : errno));
	must_page_out(p);
	verify("swapped out to the new area", p, id, 2);
}

/* Pages with a VMA each, so with an anon_vma each. */
static char *islands(size_t n)
{
	char *p = mmap(NULL, (2 * n + 1) * PAGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		setup_error("mmap: %s", strerror(errno));
	for (i = 0; i < n; i++)
		if (mprotect(p + (2 * i + 1) * PAGE, PAGE, PROT_READ | PROT_WRITE))
			setup_error("mprotect: %s", strerror(errno));
	return p;
}

static char *island(char *p, size_t i)
{
	return p + (2 * i + 1) * PAGE;
}

/*
 * A pipe has the pages, and their owner is gone, with its anon_vmas. Those go back
 * to the page allocator, which gives them to somebody else.
 */
static void t_pipe(void)
{
	const size_t others = 64UL << 20, n = 400;
	long long before = window("in_place");
	char dev[128], *p;
	int fds[2], status;
	pid_t pid;

	if (!swap_device(dev, sizeof(dev)) || pipe(fds) ||
	    fcntl(fds[1], F_SETPIPE_SZ, 512 * PAGE) < 0)
		setup_error("pipe: %s", strerror(errno));
	pid = must_fork();
	if (!pid) {
		size_t i;

		p = islands(n);
		for (i = 0; i < n; i++)
			page_fill(island(p, i), i, 1);
		for (i = 0; i < n; i++) {
			struct iovec iov = { island(p, i), PAGE };

			if (!page_out(island(p, i), PAGE))
				setup_error("could not page out");
			(void)*(volatile char *)iov.iov_base;
			if (vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)PAGE)
				setup_error("vmsplice: %s", strerror(errno));
		}
		_exit(TEST_OK);
	}
	join_child(pid);
	if (window("in_place") < before + (long long)n / 2)
		setup_error("only %lld pages in place", window("in_place") - before);

	write_file("/sys/kernel/slab/anon_vma/shrink", "1");
	write_file("/sys/kernel/slab/anon_vma_chain/shrink", "1");
	p = anon_map(others);
	memset(p, 0xff, others);
	pid = must_fork();
	if (!pid) {
		munmap(p, others);
		/* It need not succeed while the pipe has the pages. */
		alarm(8);
		swapoff(dev);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM)
		violated("swapoff died of signal %d", WTERMSIG(status));
	close(fds[0]);
	close(fds[1]);
	if (swapoff(dev) && errno != EINVAL)
		violated("swapoff without the pipe: %s", strerror(errno));
	if (swapon(dev, 0))
		violated("swapon: %s", strerror(errno));
}

static char *volatile victim;
static volatile int victim_goes;

static void *unmap_victims(void *arg)
{
	unsigned int delay = 0, i;

	for (;;) {
		while (!__atomic_load_n(&victim_goes, __ATOMIC_ACQUIRE))
			;
		if (!victim)
			return arg;
		delay = (delay + 37) % 4001;
		for (i = 0; i < delay; i++)
			asm volatile("pause");
		munmap(victim, PAGE);
		__atomic_store_n(&victim_goes, 0, __ATOMIC_RELEASE);
	}
}

/* The last mapping goes while the page moves to memory. For kernels with KASAN. */
static void t_longterm_race(void)
{
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &params);
	pthread_t t;
	int round;

	if (fd < 0 || pthread_create(&t, NULL, unmap_victims, NULL))
		setup_error("io_uring_setup: %s", strerror(errno));
	for (round = 0; round < 2000; round++) {
		char *p = islands(1);
		struct iovec iov = { island(p, 0), PAGE };

		memset(iov.iov_base, round | 1, PAGE);
		madvise(iov.iov_base, PAGE, MADV_PAGEOUT);
		(void)*(volatile char *)iov.iov_base;
		victim = iov.iov_base;
		__atomic_store_n(&victim_goes, 1, __ATOMIC_RELEASE);
		if (!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1))
			syscall(SYS_io_uring_register, fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
		while (__atomic_load_n(&victim_goes, __ATOMIC_ACQUIRE))
			;
		munmap(p, 3 * PAGE);
	}
	victim = NULL;
	__atomic_store_n(&victim_goes, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	close(fd);
}

/*
 * ... or are pinned where they are, if somebody else has a reference. Neither a
 * lowered grant nor swapoff waits for them.
 */
static void t_longterm_pipe(void)
{
	struct io_uring_params params = { 0 };
	char *p = in_place(0xc80), *dev = device();
	struct iovec iov = { p, len() };
	int fd = syscall(SYS_io_uring_setup, 4, &params), pipes[2], err;

	if (fd < 0)
		setup_error("io_uring_setup: %s", strerror(errno));
	into_pipe(pipes, p);
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1))
		violated("IORING_REGISTER_BUFFERS: %s", strerror(errno));
	verify("pinned", p, 0xc80, 1);
	out_of_pipe(pipes, 0xc80, 1);
	set_grant(0);
	if (window("held") < (long long)npages)
		violated("%lld of %zu pinned pages are held", window("held"), npages);
	set_grant(all_pages);
	must_hold("granted again", 0);

	err = swapoff_within(dev, 20);
	if (err)
		violated("swapoff: %s", strerror(err));
	must_hold("after swapoff", npages);
	verify("pinned, after swapoff", p, 0xc80, 1);
	fill(p, 0xc80, 2);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	close(fd);
	let_go(p, 0xc80);
}

/*
 * A socket's queue has them: what is sent without a copy (MSG_ZEROCOPY), and nobody
 * reads. The loopback copies what the receiver has room for, and no more.
 */
static void t_zerocopy(void)
{
	char *p = in_place(0x1380), *dev = device();
	long long held;
	int fd[2], err;

	into_socket(fd, p);
	err = swapoff_within(dev, 20);
	if (err)
		violated("swapoff: %s", strerror(err));
	/* The receiver has room for a few. */
	held = window("held");
	if (held < (long long)npages / 2)
		setup_error("the socket has only %lld of %zu pages", held, npages);
	verify("after swapoff", p, 0x1380, 1);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	out_of_pipe(fd, 0x1380, 1);
	fill(p, 0x1380, 2);
	let_go(p, 0x1380);
}

const struct test_case in_place_others[] = {
	{ "ptrace", "process_vm_readv and writev", t_ptrace },
	{ "aio", "direct asynchronous I/O, munmap during it", t_aio },
	{ "longterm", "pinned for long: io_uring's buffers", t_longterm },
	{ "longterm_pipe", "pinned for long in place: grant, swapoff", t_longterm_pipe },
	{ "longterm_race", "... and unmapped meanwhile", t_longterm_race, .special = true },
	{ "pipe", "a pipe holds them, the owner is gone", t_pipe },
	{ "zerocopy", "a socket's queue holds them: swapoff", t_zerocopy, .special = true },
	{ 0 }
};
