// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reads the pages, or reads them back from their slots.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bypass_rules.h"

static char *volatile rb_page;
static volatile bool rb_stop;
static volatile uint64_t rb_writes;
static volatile uint64_t *rb_last;

/* Counts in every page, and remembers what must be there. */
static void *rb_writer(void *arg)
{
	uint64_t *last = arg;
	size_t i;

	while (!rb_stop) {
		for (i = 0; i < npages && !rb_stop; i++) {
			volatile uint64_t *w = (uint64_t *)(rb_page + i * PAGE + 256);

			if (last[i] && *w != last[i])
				violated("page %zu: an update is lost, %lu instead of %lu",
					 i, *w, last[i]);
			/* What is in last[] is in the page. */
			*w = last[i] + 1;
			__atomic_store_n(&last[i], last[i] + 1, __ATOMIC_RELEASE);
			rb_writes++;
		}
	}
	return NULL;
}

enum rb_how { RB_READV, RB_WILLNEED, RB_SWAPOFF };

static void read_back(char *p, enum rb_how how)
{
	char buf[PAGE] __attribute__((aligned(8))), dev[128];
	struct iovec local, remote;
	uint64_t seen;
	size_t i;

	switch (how) {
	case RB_READV:
		for (i = 0; i < npages; i++) {
			seen = rb_last[i];
			local = (struct iovec) { buf, PAGE };
			remote = (struct iovec) { p + i * PAGE, PAGE };
			if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) !=
			    (ssize_t)PAGE)
				setup_error("process_vm_readv: %s", strerror(errno));
			/* As new as what had been written before the call? */
			if (*(uint64_t *)(buf + 256) < seen)
				violated("page %zu: the kernel reads %lu, %lu was there before",
					 i, *(uint64_t *)(buf + 256), seen);
		}
		break;
	case RB_WILLNEED:
		madvise(p, len(), MADV_WILLNEED);
		/* Then the pages in the swap cache become visible. */
		read_back(p, RB_READV);
		break;
	case RB_SWAPOFF:
		if (!swap_device(dev, sizeof(dev)))
			setup_error("no swap device");
		if (swapoff(dev))
			setup_error("swapoff: %s", strerror(errno));
		usleep(20000);
		if (swapon(dev, 0))
			setup_error("swapon: %s", strerror(errno));
		break;
	}
}

/*
 * One thread writes through the bypass without a pause while the other has the
 * kernel read the pages back. Each page's reader is held up after the copy, so
 * that also one CPU gets to write in between.
 */
static void read_back_race(uint64_t id, enum rb_how how, int rounds,
			   unsigned int stall_hooks)
{
	uint64_t *last, seen, end;
	pthread_t th;
	char *p;
	int n;

	npages = npages > 8 ? 8 : npages;
	last = calloc(npages, sizeof(*last));
	rb_last = last;
	p = bypassed(id);
	rb_page = p;
	/* Start with known counters. */
	for (size_t i = 0; i < npages; i++)
		*(uint64_t *)(p + i * PAGE + 256) = 0;
	pthread_create(&th, NULL, rb_writer, last);

	end = now_ms() + 15000;
	for (n = 0; n < rounds && now_ms() < end; n++) {
		if (n)
			page_out(p, len());
		seen = rb_writes;
		while (rb_writes < seen + 10 * npages)
			sched_yield();
		if (stall_hooks) {
			stall(stall_hooks);
			test_option("stall_ms", 30);
		}
		read_back(p, how);
		test_option("stall_hooks", 0);
		seen = rb_writes;
		while (rb_writes < seen + 10 * npages)
			sched_yield();
	}
	rb_stop = true;
	pthread_join(th, NULL);
	for (size_t i = 0; i < npages; i++)
		if (*(volatile uint64_t *)(p + i * PAGE + 256) != last[i])
			violated("page %zu: the last update is lost", i);
}

static void t_read_back(void)
{
	read_back_race(0x1100, RB_READV, 4, STALL_READ);
}

static void t_willneed(void)
{
	read_back_race(0x1200, RB_WILLNEED, 4, STALL_READ);
}

static void t_swapoff(void)
{
	read_back_race(0x1300, RB_SWAPOFF, 3, 0);
}

/* As many races as fit, without help from the test options. */
static void t_race(void)
{
	read_back_race(0x1400, RB_READV, 60, 0);
}

static void t_ptrace(void)
{
	char *p = bypassed(0x1500);
	struct baton b;
	size_t i;
	pid_t pid;
	long v;
	int st;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		fill(p, 0x1580, 1);
		must_page_out(p);
		fill(p, 0x1580, 2);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		verify("poked by the parent", p, 0x1580, 3);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		setup_error("the child did not stop");
	for (i = 0; i < npages; i++) {
		char want[PAGE] __attribute__((aligned(8)));
		size_t k;

		page_fill(want, 0x1580 + i, 2);
		for (k = 0; k < PAGE / 8; k += 61) {
			errno = 0;
			v = ptrace(PTRACE_PEEKDATA, pid, p + i * PAGE + k * 8, NULL);
			if (errno || v != ((long *)want)[k])
				violated("page %zu of the child is wrong at word %zu", i, k);
		}
		page_fill(want, 0x1580 + i, 3);
		for (k = 0; k < PAGE / 8; k++)
			ptrace(PTRACE_POKEDATA, pid, p + i * PAGE + k * 8,
			       (void *)((long *)want)[k]);
	}
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	join_child(pid);
}

/* The kernel copies to and from swapped-out buffers. */
static void t_syscalls(void)
{
	char *p = bypassed(0x1600), *q = bypassed(0x1700);
	int fd = memfd_create("copy", MFD_CLOEXEC);

	must_page_out(p);
	must_page_out(q);
	if (fd < 0 || write(fd, p, len()) != (ssize_t)len() ||
	    pread(fd, q, len(), 0) != (ssize_t)len())
		setup_error("write or read: %s", strerror(errno));
	verify("read() into swapped-out pages", q, 0x1600, 2);
	verify("write() from swapped-out pages", p, 0x1600, 2);
	must_be_bypassed("read() and write()", q);
}

static void t_collapse(void)
{
	size_t huge = 2UL << 20, i, n = huge / PAGE;
	char *all = anon_map(2 * huge), *p;
	long off;

	p = (char *)(((uintptr_t)all + huge - 1) & ~(huge - 1));
	madvise(all, 2 * huge, MADV_HUGEPAGE);
	for (i = 0; i < n; i++)
		page_fill(p + i * PAGE, 0x18000 + i, 1);
	if (!page_out(p, huge))
		setup_error("could not page out");
	for (i = 0; i < n; i += 2)
		page_fill(p + i * PAGE, 0x18000 + i, 2);
	/* May fail for lack of memory; then nothing may have changed either. */
	madvise(p, huge, MADV_COLLAPSE);
	for (i = 0; i < n; i++) {
		off = page_check(p + i * PAGE, 0x18000 + i, 1 + !(i % 2));
		if (off >= 0)
			violated("collapsed: page %zu is wrong at byte %ld", i, off);
		page_fill(p + i * PAGE, 0x18000 + i, 3);
	}
	for (i = 0; i < n; i++)
		if (page_check(p + i * PAGE, 0x18000 + i, 3) >= 0)
			violated("written after the collapse: page %zu is wrong", i);
}

const struct test_case bypass_rules_read[] = {
	{ "read_back", "drop before the slot is read back", t_read_back },
	{ "willneed", "and before it is read ahead", t_willneed },
	{ "race", "and by chance", t_race },
	{ "swapoff", "swapoff detaches first", t_swapoff },
	{ "ptrace", "ptrace sees and changes the content", t_ptrace },
	{ "syscalls", "the kernel uses the pages", t_syscalls },
	{ "collapse", "MADV_COLLAPSE", t_collapse },
	{ 0 }
};
