// SPDX-License-Identifier: GPL-2.0
/*
 * Swap-in in place, seen from user space in the guest.
 *
 *   in_place [-n pages] [-d disk] [-l] [name...]
 *   in_place -T
 *   in_place -R
 *
 * Each case swaps pages out to the window, uses them in place, and does one
 * thing to them that the memory manager has to get right. Afterwards no page
 * may be in place and no slot in use any more than before. Needs the window as
 * the only swap device, in mode in-place, and not much else in it.
 * Exit status: 0 all hold, 1 one does not, 2 one could not be tried.
 *
 * -T tests the tests: it leaves out one rule at a time (symswap.skip), and a case
 * must notice. Needs a kernel with CONFIG_SYMBIOTIC_TEST.
 *
 * -R leaves a process that has pages in a pipe, and another that removes the
 * device and waits for the first. Then the machine is to go down at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <symbiotic/abi.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "common.h"

#define WINDOW	"/sys/block/symswap0/symswap/"
#define CGROUP	"/sys/fs/cgroup"
#define GROUP	CGROUP "/in_place"
/* Generous: what is asked for must come, not come fast. */
#define WAIT_MS	20000
/* Twice SWAP_SLOTS_CACHE_SIZE of the kernel: free ones, and ones to be freed. */
#define CACHED_SLOTS	(2 * 64)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25	/* newer than Debian 12's headers */
#endif

/* For direct I/O. */
static const char *disk = "/dev/vda";
static long long all_pages;

/* ---- Building blocks --------------------------------------------------- */

static long long window(const char *name)
{
	char path[128];
	long long val;

	snprintf(path, sizeof(path), WINDOW "%s", name);
	if (!read_number(path, &val))
		setup_error("no %s", path);
	return val;
}

static void set_window(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), WINDOW "%s", name);
	if (!write_file(path, text))
		setup_error("cannot write %s to %s", text, path);
}

static void set_grant(long long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", pages);
	set_window("limit", text);
}

static bool wait_in_place(long long most)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (window("in_place") > most) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

static long long swap_used(void)
{
	char line[256];
	long long used = -1;
	FILE *f = fopen("/proc/swaps", "re");

	if (!f)
		setup_error("/proc/swaps: %s", strerror(errno));
	if (fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f) &&
	    sscanf(line, "%*s %*s %*u %lld", &used) != 1)
		used = -1;
	fclose(f);
	return used;
}

/* Swapped out and read, so that all pages are in place. */
static char *in_place(uint64_t id)
{
	char *p = swapped_out(id);
	long long before = window("in_place");

	verify("first use", p, id, 1);
	if (window("in_place") < before + (long long)npages)
		setup_error("only %lld of %zu pages came in place",
			    window("in_place") - before, npages);
	return p;
}

static char *device(void)
{
	static char dev[128];

	if (!swap_device(dev, sizeof(dev)))
		setup_error("no swap device");
	return dev;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* 0, or the error; EINTR if it does not end in @seconds. */
static int swapoff_within(const char *dev, unsigned int seconds)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	unsigned int rest;
	int err;

	sigaction(SIGALRM, &sa, &old);
	rest = alarm(seconds);
	err = swapoff(dev) ? errno : 0;
	alarm(rest);
	sigaction(SIGALRM, &old, NULL);
	return err;
}

/* ---- Pages that somebody has a reference to ------------------------------ */

/* How many the VMM is told of, or -1 where there is none. */
static long long told_held(void)
{
	static const struct symspy_global *page;
	unsigned long long gpa = 0;
	FILE *f;
	int fd;

	if (!page) {
		f = fopen("/sys/kernel/symbiotic/global_page", "re");
		if (f && fscanf(f, "%llx", &gpa) != 1)
			gpa = 0;
		if (f)
			fclose(f);
		if (!gpa)
			return -1;
		fd = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
		page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, gpa);
		if (fd < 0 || page == MAP_FAILED)
			setup_error("/dev/mem: %s", strerror(errno));
		close(fd);
	}
	return *(volatile const __u64 *)&page->swap.held;
}

/* Sooner or later that many, as the guest sees it and as the VMM does. */
static void must_hold(const char *when, long long pages)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (window("held") != pages || (told_held() >= 0 && told_held() != pages)) {
		if (now_ms() > end)
			violated("%s: %lld pages held, the VMM is told of %lld, not %lld",
				 when, window("held"), told_held(), pages);
		usleep(10000);
	}
}

/* The pages are in a pipe, which needs no privilege. */
static void into_pipe(int fd[2], char *p)
{
	struct iovec iov = { p, len() };

	if (pipe(fd) || fcntl(fd[1], F_SETPIPE_SZ, len()) < 0)
		setup_error("pipe: %s", strerror(errno));
	if (vmsplice(fd[1], &iov, 1, 0) != (ssize_t)len())
		setup_error("vmsplice: %s", strerror(errno));
}

/* Reads them back, which lets go of them. */
static void out_of_pipe(int fd[2], uint64_t id, uint64_t seq)
{
	char *copy = anon_map(len());
	size_t got;
	ssize_t n;

	for (got = 0; got < len(); got += n) {
		n = read(fd[0], copy + got, len() - got);
		if (n <= 0)
			setup_error("read from the pipe: %s", strerror(errno));
	}
	verify("in the pipe", copy, id, seq);
	munmap(copy, len());
	close(fd[0]);
	close(fd[1]);
}

/* ---- A memory cgroup ------------------------------------------------------ */

static long long group(const char *name)
{
	char path[128];
	long long val;

	snprintf(path, sizeof(path), GROUP "/%s", name);
	if (!read_number(path, &val))
		setup_error("no %s", path);
	return val;
}

static void set_group(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), GROUP "/%s", name);
	if (!write_file(path, text))
		setup_error("cannot write %s to %s: %s", text, path, strerror(errno));
}

static void make_group(void)
{
	mkdir(CGROUP, 0755);
	mount("none", CGROUP, "cgroup2", 0, NULL);
	if (!write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		setup_error("no memory cgroups");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		setup_error(GROUP ": %s", strerror(errno));
}

/*
 * @rounds over 24 MiB in a group of 12 MiB; writes 1 to @poke meanwhile, if it
 * is a file.
 */
static void pressure(size_t rounds, const char *poke)
{
	size_t size = 24 << 20, i, round;
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		char *p;

		set_group("memory.max", "12M");
		set_group("cgroup.procs", "0");
		p = anon_map(size);
		for (i = 0; i < size; i += PAGE)
			page_fill(p + i, i, 1);
		for (round = 1; round < rounds; round++)
			for (i = 0; i < size; i += PAGE) {
				if (page_check(p + i, i, round) >= 0)
					violated("page %zu is wrong in round %zu", i / PAGE, round);
				page_fill(p + i, i, round + 1);
				if (poke && i % (4 << 20) == 0)
					write_file(poke, "1");
			}
		_exit(TEST_OK);
	}
	join_child(pid);
	set_group("memory.max", "max");
}

/* ---- Faults -------------------------------------------------------------- */

static void t_use(void)
{
	long long faults = window("faults");
	char *p = in_place(0x100);

	if (window("faults") == faults)
		violated("no fault was served in place");
	fill(p, 0x100, 2);
	verify("written", p, 0x100, 2);
	must_page_out(p);
	verify("swapped out again, without a copy", p, 0x100, 2);
}

/* The first touch is a write. */
static void t_write_first(void)
{
	char *p = swapped_out(0x200);
	size_t i;

	for (i = 0; i < npages; i++)
		*(volatile uint64_t *)(p + i * PAGE + 8) = 1;
	verify("written first", p, 0x200, 1);
	fill(p, 0x200, 2);
	verify("written", p, 0x200, 2);
}

static void t_fault_around(void)
{
	long long faults = window("faults"), pages = window("mapped_pages");
	char *p = in_place(0x300);

	(void)p;
	faults = window("faults") - faults;
	pages = window("mapped_pages") - pages;
	if (pages < (long long)npages || faults * 4 > pages)
		violated("%lld faults for %lld pages", faults, pages);
}

static void t_read_only_vma(void)
{
	char *p = swapped_out(0x400);

	mprotect(p, len(), PROT_READ);
	verify("read-only", p, 0x400, 1);
	mprotect(p, len(), PROT_READ | PROT_WRITE);
	fill(p, 0x400, 2);
	verify("writable again", p, 0x400, 2);
}

/* Swaps out as much as the window holds: each slot that is free gets content. */
static char *fill_window(void)
{
	size_t size = all_pages * PAGE, i;
	char *q = anon_map(size);

	for (i = 0; i < size; i += PAGE)
		page_fill(q + i, 0x10000 + i, 1);
	madvise(q, size, MADV_PAGEOUT);
	return q;
}

/* Zero pages that were swapped out by mode copy are not in the window. */
static void t_zeromap(void)
{
	char *p;
	size_t i;

	/* What is in the slots does not look like it. */
	munmap(fill_window(), all_pages * PAGE);
	p = swapped_out(0x480);
	set_window("mode", "copy");
	memset(p, 0, len());
	must_page_out(p);
	set_window("mode", "in-place");
	for (i = 0; i < len(); i += PAGE)
		if (!page_zero(p + i))
			violated("page %zu is not zero", i / PAGE);
}

/* What is swapped out later gets other slots: all others there are. */
static void t_hold(void)
{
	char *p = in_place(0x4c0), *q = fill_window();
	size_t i;

	verify("beside others", p, 0x4c0, 1);
	fill(p, 0x4c0, 2);
	for (i = 0; i < all_pages * PAGE; i += PAGE)
		if (page_check(q + i, 0x10000 + i, 1) >= 0)
			violated("page %zu of the others is wrong", i / PAGE);
}

static void t_copy_mode(void)
{
	long long pages = window("mapped_pages");
	char *p = swapped_out(0x500);

	set_window("mode", "copy");
	verify("copied", p, 0x500, 1);
	set_window("mode", "in-place");
	if (window("mapped_pages") != pages)
		violated("pages came in place in mode copy");
}

/* Mode changes under use. */
static void t_mode_change(void)
{
	char *p = in_place(0x580);

	set_window("mode", "copy");
	verify("in place in mode copy", p, 0x580, 1);
	must_page_out(p);
	verify("copied", p, 0x580, 1);
	set_window("mode", "in-place");
	must_page_out(p);
	verify("in place again", p, 0x580, 1);
}

/* ---- Several users ------------------------------------------------------- */

static void t_fork_before(void)
{
	long long shared = window("shared_pages");
	char *p = swapped_out(0x600);
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		verify("child", p, 0x600, 1);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("child, after the parent's write", p, 0x600, 1);
		fill(p, 0x600, 3);
		verify("child's own", p, 0x600, 3);
		_exit(TEST_OK);
	}
	baton_wait(&b, 1);
	verify("parent", p, 0x600, 1);
	fill(p, 0x600, 2);
	baton_pass(&b, 0);
	join_child(pid);
	verify("parent's own", p, 0x600, 2);
	if (window("shared_pages") == shared)
		violated("no page was shared");
}

/* The child never looks, and goes first. */
static void t_fork_exit(void)
{
	char *p = swapped_out(0x680);
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		_exit(TEST_OK);
	}
	verify("shared with a child that sleeps", p, 0x680, 1);
	baton_pass(&b, 0);
	join_child(pid);
	fill(p, 0x680, 2);
	verify("alone again", p, 0x680, 2);
}

static void t_fork_after(void)
{
	char *p = in_place(0x700);
	pid_t pid = must_fork();

	if (!pid) {
		verify("child", p, 0x700, 1);
		fill(p, 0x700, 3);
		verify("child's own", p, 0x700, 3);
		_exit(TEST_OK);
	}
	fill(p, 0x700, 2);
	join_child(pid);
	verify("parent's own", p, 0x700, 2);
}

/* Grandchildren, some looking, some not: counts up to 9. */
static void t_fork_many(void)
{
	char *p = swapped_out(0x780);
	pid_t pid[8];
	int i;

	for (i = 0; i < 8; i++) {
		pid[i] = must_fork();
		if (pid[i])
			continue;
		if (i & 1) {
			verify("child", p, 0x780, 1);
			page_fill(p + i * PAGE, 0x9999, i);
		}
		if (i & 1 && page_check(p + i * PAGE, 0x9999, i) >= 0)
			violated("child %d lost its write", i);
		if (i & 2)
			munmap(p, len() / 2);
		_exit(TEST_OK);
	}
	verify("parent", p, 0x780, 1);
	for (i = 0; i < 8; i++)
		join_child(pid[i]);
	verify("parent, at last alone", p, 0x780, 1);
}

/*
 * The last swap entry of a page goes while somebody has the page locked: other
 * users of it, or whoever looks which pages are cold.
 */
static void t_fork_race(void)
{
	char *p = swapped_out(0x7c0);
	pid_t poker, pid[3];
	unsigned int round;
	size_t i;

	poker = must_fork();
	if (!poker)
		for (;;)
			set_grant(all_pages);
	for (round = 1; round < 60; round++) {
		for (i = 0; i < 3; i++) {
			pid[i] = must_fork();
			if (pid[i])
				continue;
			verify("child", p, 0x7c0, round);
			_exit(TEST_OK);
		}
		madvise(p, len(), MADV_DONTNEED);
		for (i = 0; i < 3; i++)
			join_child(pid[i]);
		fill(p, 0x7c0, round + 1);
		must_page_out(p);
	}
	kill(poker, SIGKILL);
	waitpid(poker, NULL, 0);
}

/* ---- Changes of the address space ---------------------------------------- */

static void t_mremap(void)
{
	char *p = in_place(0x800), *q = anon_map(len());

	if (mremap(p, len(), len(), MREMAP_MAYMOVE | MREMAP_FIXED, q) != q)
		setup_error("mremap: %s", strerror(errno));
	verify("moved", q, 0x800, 1);
	fill(q, 0x800, 2);
	must_page_out(q);
	verify("moved and swapped out", q, 0x800, 2);
}

static void t_dontneed(void)
{
	long long before = window("in_place");
	char *p = in_place(0x880);

	madvise(p, len(), MADV_DONTNEED);
	if (!page_zero(p))
		violated("old data after MADV_DONTNEED");
	if (!wait_in_place(before))
		violated("%lld pages still in place", window("in_place") - before);
}

static void t_mlock(void)
{
	char *p = in_place(0x900);
	long long before;

	if (mlock(p, len()))
		setup_error("mlock: %s", strerror(errno));
	before = window("in_place");
	set_grant(0);
	if (window("in_place") || window("held"))
		violated("%lld locked pages are in place, none granted", window("in_place"));
	set_grant(all_pages);
	if (pages_swapped(p, len()))
		violated("%zu locked pages were swapped out", pages_swapped(p, len()));
	verify("locked", p, 0x900, 1);
	munlock(p, len());
	if (window("in_place") > before)
		violated("mlock brought pages in place");
	must_page_out(p);
	verify("unlocked and swapped out", p, 0x900, 1);
}

/* A locked mapping gets memory of the guest's. */
static void t_mlock_first(void)
{
	char *p = swapped_out(0x980);
	long long before = window("in_place");

	if (mlock(p, len()))
		setup_error("mlock: %s", strerror(errno));
	verify("locked", p, 0x980, 1);
	if (window("in_place") > before)
		violated("%lld locked pages are in place", window("in_place") - before);
}

static void *write_byte(void *p)
{
	*(volatile char *)p = 1;
	return NULL;
}

/* Each page is seen, and a write to it reported. */
static void t_uffd_wp(void)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	struct uffdio_api api = { .api = UFFD_API };
	char *p = swapped_out(0xa00);
	struct uffd_msg msg;
	pthread_t t;
	int fd;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		setup_error("userfaultfd: %s", strerror(errno));
	reg.range.start = (uintptr_t)p;
	reg.range.len = len();
	wp.range = reg.range;
	if (ioctl(fd, UFFDIO_REGISTER, &reg) || ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		setup_error("UFFDIO_WRITEPROTECT: %s", strerror(errno));
	verify("write-protected", p, 0xa00, 1);

	if (pthread_create(&t, NULL, write_byte, p + PAGE + 100))
		setup_error("pthread_create: %s", strerror(errno));
	if (read(fd, &msg, sizeof(msg)) != sizeof(msg))
		violated("no message: %s", strerror(errno));
	if (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP))
		violated("not a write-protect fault");
	verify("before the write is let through", p, 0xa00, 1);
	wp.mode = 0;
	if (ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		setup_error("UFFDIO_WRITEPROTECT: %s", strerror(errno));
	pthread_join(t, NULL);
	if (p[PAGE + 100] != 1)
		violated("the write is lost");
}

static void start_ksm(char *p, char *q)
{
	if (madvise(p, len(), MADV_MERGEABLE) || madvise(q, len(), MADV_MERGEABLE))
		setup_error("MADV_MERGEABLE: %s", strerror(errno));
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	write_file("/sys/kernel/mm/ksm/run", "1");
}

/* Equal pages of a mergeable mapping, swapped out and merged in any order. */
static void t_ksm(void)
{
	char *p = swapped_out(0xa80), *q = anon_map(len());
	long long full;
	int i;

	fill(q, 0xa80, 1);
	start_ksm(p, q);
	verify("mergeable", p, 0xa80, 1);
	for (i = 0; i < 3; i++) {
		if (!read_number("/sys/kernel/mm/ksm/full_scans", &full))
			setup_error("no KSM");
		for (long long now = full; now < full + 2; usleep(2000))
			read_number("/sys/kernel/mm/ksm/full_scans", &now);
		verify("scanned", p, 0xa80, 1);
		verify("scanned, the other", q, 0xa80, 1);
		must_page_out(p);
		verify("swapped", p, 0xa80, 1);
	}
	write_file("/sys/kernel/mm/ksm/run", "2");
	write_file("/sys/kernel/mm/ksm/run", "0");
	verify("unmerged", p, 0xa80, 1);
	fill(q, 0xa80, 2);
	verify("not the other's", p, 0xa80, 1);
}

static void merge(char *p, char *q)
{
	long long merged;

	start_ksm(p, q);
	for (uint64_t end = now_ms() + WAIT_MS; ; usleep(2000)) {
		if (!read_number("/sys/kernel/mm/ksm/pages_sharing", &merged))
			setup_error("no KSM");
		if (merged >= (long long)npages)
			break;
		if (now_ms() > end)
			setup_error("%lld of %zu pages are merged", merged, npages);
	}
	write_file("/sys/kernel/mm/ksm/run", "0");
}

/*
 * Two mappings of one page each have its swap entry. What the first has brought in
 * place is no use for the second, which copies it; then nobody needs it.
 */
static void ksm_copy(void)
{
	char *p = anon_map(len()), *q = anon_map(len());
	long long before = window("in_place");
	int try;

	/* A page of two mappings is not swapped out on demand, but by reclaim. */
	set_group("cgroup.procs", "0");
	fill(p, 0xac0, 1);
	fill(q, 0xac0, 1);
	merge(p, q);
	for (try = 0; pages_swapped(p, len()) + pages_swapped(q, len()) < 2 * npages; try++) {
		if (try == 200)
			setup_error("cannot swap out merged pages");
		write_file(GROUP "/memory.reclaim", "1M");
	}
	verify("the first", p, 0xac0, 1);
	if (window("in_place") < before + (long long)npages)
		setup_error("only %lld pages in place", window("in_place") - before);
	munmap(p, len());
	verify("the second", q, 0xac0, 1);
	if (!wait_in_place(before))
		violated("%lld pages in place that nobody uses", window("in_place") - before);
}

static void t_ksm_copy(void)
{
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		ksm_copy();
		_exit(TEST_OK);
	}
	join_child(pid);
}

/* Swapped out as huge pages, used page by page. */
static void t_thp(void)
{
	const size_t huge = 2UL << 20;
	char *p = anon_map(2 * huge);
	size_t i;

	p = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
	if (madvise(p, huge, MADV_HUGEPAGE))
		setup_error("MADV_HUGEPAGE: %s", strerror(errno));
	for (i = 0; i < huge; i += PAGE)
		page_fill(p + i, i, 1);
	if (!page_out(p, huge))
		setup_error("could not page out a huge page");
	for (i = 0; i < huge; i += PAGE) {
		if (page_check(p + i, i, 1) >= 0)
			violated("page %zu is wrong", i / PAGE);
		page_fill(p + i, i, 2);
	}
	if (window("in_place") < (long long)(huge / PAGE))
		violated("%lld pages in place", window("in_place"));
	/* khugepaged's work, at once: it must leave such pages alone, or copy them. */
	madvise(p, huge, MADV_COLLAPSE);
	for (i = 0; i < huge; i += PAGE)
		if (page_check(p + i, i, 2) >= 0)
			violated("page %zu is wrong after MADV_COLLAPSE", i / PAGE);
}

/* A huge page cannot be made of them, so nothing is brought in place for it. */
static void t_collapse(void)
{
	const size_t huge = 2UL << 20;
	char *p = anon_map(2 * huge);
	long long pages;
	size_t i;

	p = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
	for (i = 0; i < huge; i += PAGE)
		page_fill(p + i, i, 1);
	must_page_out(p);
	if (madvise(p, huge, MADV_HUGEPAGE))
		setup_error("MADV_HUGEPAGE: %s", strerror(errno));
	pages = window("mapped_pages");
	if (!madvise(p, huge, MADV_COLLAPSE))
		setup_error("the huge page was made of other pages");
	if (window("mapped_pages") != pages)
		violated("%lld pages came in place for a huge page",
			 window("mapped_pages") - pages);
	for (i = 0; i < huge; i += PAGE)
		if (page_check(p + i, i, 1) >= 0)
			violated("page %zu is wrong after MADV_COLLAPSE", i / PAGE);
}

/* Under pressure in a group, by both kinds of reclaim, with compaction. */
static void t_reclaim(void)
{
	static const char * const lru_gen[] = { "n", "y" };
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!write_file("/sys/kernel/mm/lru_gen/enabled", lru_gen[i]))
			setup_error("no MGLRU");
		pressure(3, "/proc/sys/vm/compact_memory");
	}
}

/* ---- Others that look, or hold on --------------------------------------- */

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

/* ... or are pinned where they are, if somebody else has a reference. */
static void t_longterm_pipe(void)
{
	struct io_uring_params params = { 0 };
	char *p = in_place(0xc80);
	struct iovec iov = { p, len() };
	int fd = syscall(SYS_io_uring_setup, 4, &params), pipes[2];

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
	fill(p, 0xc80, 2);
	close(fd);
	verify("unpinned", p, 0xc80, 2);
}

/* ---- Giving back ---------------------------------------------------------- */

/* A device that reaches only RAM: what is held goes when it is let go. */
static void t_only_ram(void)
{
	const size_t held = npages / 4;
	char *p = in_place(0xc80);
	struct iovec iov = { p, held * PAGE };
	int fds[2];

	if (pipe(fds) || fcntl(fds[1], F_SETPIPE_SZ, held * PAGE) < 0 ||
	    vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)iov.iov_len)
		setup_error("vmsplice: %s", strerror(errno));
	if (!write_file("/sys/module/symswap/parameters/only_ram", "1"))
		setup_error("no parameter only_ram");
	if (window("in_place") > (long long)held)
		violated("%lld pages in place, %zu are held", window("in_place"), held);
	verify("not in place", p, 0xc80, 1);
	close(fds[0]);
	close(fds[1]);
	if (!wait_in_place(0))
		violated("%lld pages in place that nobody holds", window("in_place"));
	fill(p, 0xc80, 2);
	must_page_out(p);
	verify("copied", p, 0xc80, 2);
	if (window("in_place"))
		violated("%lld pages came in place", window("in_place"));
}

/* Each fault that finds no grant is one that the VMM hears of. */
static void t_declined(void)
{
	char *p = swapped_out(0xcc0);
	long long declined;

	set_grant(0);
	declined = window("declined_grant");
	verify("with no grant", p, 0xcc0, 1);
	declined = window("declined_grant") - declined;
	set_grant(all_pages);
	if (declined < (long long)npages || declined > (long long)npages * 5 / 4)
		violated("%lld faults declined for %zu pages", declined, npages);
}

static void t_grant(void)
{
	char *p = in_place(0xd00);

	set_grant(npages / 4);
	if (!wait_in_place(npages / 4))
		violated("%lld pages in place, %zu granted", window("in_place"), npages / 4);
	/* What has no grant is copied. */
	verify("with a quarter of the grant", p, 0xd00, 1);
	if (window("in_place") > (long long)npages / 4)
		violated("%lld pages in place, %zu granted", window("in_place"), npages / 4);
	fill(p, 0xd00, 2);
	set_grant(0);
	if (!wait_in_place(0))
		violated("%lld pages in place, none granted", window("in_place"));
	verify("with no grant", p, 0xd00, 2);
	set_grant(all_pages);
}

/*
 * The host's turn: swap_grant.sh lowers the grant to a quarter when it sees all
 * pages in place, and takes the limit away when it sees that.
 */
static void t_host_grant(void)
{
	uint64_t end = now_ms() + 3 * WAIT_MS;
	char *p = in_place(0xd40);

	while (window("grant") > (long long)npages / 4) {
		if (now_ms() > end)
			setup_error("the host has lowered no grant");
		usleep(1000);
	}
	if (!wait_in_place(npages / 4))
		violated("%lld pages in place, %zu granted", window("in_place"), npages / 4);
	while (window("grant") < all_pages) {
		if (now_ms() > end)
			violated("the grant stays at %lld", window("grant"));
		verify("with a quarter of the grant", p, 0xd40, 1);
	}
	must_page_out(p);
	in_place(0xd80);
	verify("granted again", p, 0xd40, 1);
}

/* Which pages go is by their own use, not by that of their neighbours. */
static void t_hot(void)
{
	static const char * const lru_gen[] = { "n", "y" };
	size_t i, kind, round, went = 0, hot_went = 0;
	const size_t run = 8, rounds = 8, share = npages / 4;

	for (kind = 0; kind < 2; kind++) {
		if (!write_file("/sys/kernel/mm/lru_gen/enabled", lru_gen[kind]))
			setup_error("no MGLRU");
		for (round = 0; round < rounds; round++) {
			char *p = swapped_out(0xdc0);

			/* One fault brings all; then every second run is used. */
			*(volatile char *)p;
			if (pages_swapped(p, len()))
				setup_error("one fault has not brought all pages");
			/* The TLB must not hide it. */
			mprotect(p, len(), PROT_READ);
			mprotect(p, len(), PROT_READ | PROT_WRITE);
			for (i = 0; i < npages; i++)
				if (i / run % 2)
					*(volatile char *)(p + i * PAGE);
			set_grant(window("in_place") - share);
			for (i = 0; i < npages; i++) {
				went += page_swapped(p + i * PAGE);
				hot_went += i / run % 2 && page_swapped(p + i * PAGE);
			}
			set_grant(all_pages);
			verify("all", p, 0xdc0, 1);
			munmap(p, len());
		}
	}
	if (went < 2 * rounds * share)
		violated("%zu pages went, not %zu", went, 2 * rounds * share);
	/* Some may be looked at twice in between, for the VMM's information. */
	if (hot_went * 8 > went)
		violated("%zu of %zu pages that went were used just before", hot_went, went);
}

/* What is touched stays in place, what is not makes room. */
static void t_aging(void)
{
	char *hot = swapped_out(0xe00), *cold = in_place(0xd80);
	uint64_t end = now_ms() + WAIT_MS;
	long long pushed = window("pushed_pages");

	set_grant(window("in_place") + npages / 4);
	while (pages_swapped(cold, len()) < npages / 2) {
		if (now_ms() > end)
			violated("%zu of %zu cold pages made room",
				 pages_swapped(cold, len()), npages);
		verify("hot", hot, 0xe00, 1);
		/* What got memory, and no place, asks again. */
		madvise(hot, len(), MADV_PAGEOUT);
	}
	if (window("pushed_pages") == pushed)
		violated("nothing was pushed out");
	set_grant(all_pages);
	verify("cold", cold, 0xd80, 1);
	verify("hot", hot, 0xe00, 1);
}

static void t_swapoff(void)
{
	char *p = in_place(0xe80), *q = swapped_out(0xf00);
	char *many = swapped_out(0xf80), dev[128];
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("child, after swapoff", many, 0xf80, 1);
		verify("child, in place before", p, 0xe80, 1);
		_exit(TEST_OK);
	}
	verify("shared", many, 0xf80, 1);
	if (!swap_device(dev, sizeof(dev)) || swapoff(dev))
		violated("swapoff: %s", strerror(errno));
	if (window("in_place"))
		violated("%lld pages in place after swapoff", window("in_place"));
	verify("was in place", p, 0xe80, 1);
	verify("was swapped out", q, 0xf00, 1);
	verify("was shared", many, 0xf80, 1);
	fill(p, 0xe80, 2);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	baton_pass(&b, 0);
	join_child(pid);
	must_page_out(p);
	verify("swapped out to the new area", p, 0xe80, 2);
}

/* What an unprivileged process can hold for ever is in nobody's way. */
static void t_held(void)
{
	char *p = in_place(0xf80), *q, *dev = device();
	long long searches;
	size_t i, refused = 0;
	int fd[2], disk_fd, err;

	into_pipe(fd, p);
	set_grant(0);
	must_hold("no grant", npages);
	searches = window("searches");
	sleep(3);
	searches = window("searches") - searches;
	if (searches > 6)
		violated("%lld searches in 3 s for what a pipe has", searches);
	set_grant(all_pages);
	must_hold("granted again", 0);

	err = swapoff_within(dev, 20);
	if (err)
		violated("swapoff: %s", strerror(err));
	verify("after swapoff", p, 0xf80, 1);
	must_hold("after swapoff", npages);

	/* The disk is free for anything, but for these pages. */
	disk_fd = open(dev, O_WRONLY | O_DIRECT | O_CLOEXEC);
	q = anon_map(PAGE);
	if (disk_fd < 0)
		setup_error("%s: %s", dev, strerror(errno));
	for (i = 1; i < (size_t)all_pages; i++)
		refused += pwrite(disk_fd, q, PAGE, i * PAGE) != (ssize_t)PAGE;
	close(disk_fd);
	verify("after writes to the disk", p, 0xf80, 1);
	if (refused != npages)
		violated("%zu writes were refused for %zu pages held", refused, npages);

	/* Another swap area leaves them out. */
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	q = fill_window();
	for (i = 0; i < all_pages * PAGE; i += PAGE)
		if (page_check(q + i, 0x10000 + i, 1) >= 0)
			violated("page %zu of the others is wrong", i / PAGE);
	munmap(q, all_pages * PAGE);
	verify("beside another swap area", p, 0xf80, 1);
	out_of_pipe(fd, 0xf80, 1);

	/* Now they can go: to memory, as there is no slot. */
	set_grant(all_pages);
	must_hold("read from the pipe", 0);
	verify("in memory", p, 0xf80, 1);
	fill(p, 0xf80, 2);
	if (swapoff_within(dev, 20) || swapon(dev, 0))
		violated("swapoff, swapon: %s", strerror(errno));
	must_page_out(p);
	verify("swapped out to the new area", p, 0xf80, 2);
}

/* ---- Memory cgroups -------------------------------------------------------- */

/* Charged as swap while in place, as memory nowhere; nothing is left over. */
static void t_memcg(void)
{
	long long swap, memory;
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		char *p, *q;

		set_group("cgroup.procs", "0");
		p = in_place(0x1000);
		swap = group("memory.swap.current");
		memory = group("memory.current");
		if (swap < (long long)len())
			violated("%lld bytes of swap charged for %zu in place", swap, len());
		/* The same content as memory, to compare with. */
		q = anon_map(len());
		fill(q, 0x1000, 1);
		if (group("memory.current") - memory < (long long)len() / 2)
			violated("memory is not charged");
		/* Moves to memory: charged there. */
		memory = group("memory.current");
		if (mlock(p, len()))
			setup_error("mlock: %s", strerror(errno));
		verify("mine", p, 0x1000, 1);
		_exit(TEST_OK);
	}
	join_child(pid);
	for (uint64_t end = now_ms() + WAIT_MS; group("memory.swap.current"); usleep(1000)) {
		if (now_ms() > end)
			violated("%lld bytes of swap are still charged",
				 group("memory.swap.current"));
		/* What a copying fault has read ahead stays until it is reclaimed. */
		write_file(GROUP "/memory.reclaim", "1M");
	}
}

/* A group without room for what comes back ends swapoff as on any device. */
static void t_memcg_swapoff(void)
{
	char *dev = device(), text[32];
	struct baton b;
	pid_t pid;
	int err;

	/* More than what is charged ahead. */
	npages = 512;
	make_group();
	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		char *p;

		set_group("cgroup.procs", "0");
		/* The group's only process: nobody can be killed for room. */
		if (!write_file("/proc/self/oom_score_adj", "-1000"))
			setup_error("oom_score_adj");
		p = in_place(0x1080);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("after swapoff", p, 0x1080, 1);
		_exit(TEST_OK);
	}
	baton_wait(&b, 1);
	snprintf(text, sizeof(text), "%lld", group("memory.current") + (long long)len() / 2);
	set_group("memory.max", text);
	err = swapoff_within(dev, 60);
	set_group("memory.max", "max");
	if (err != ENOMEM)
		violated("swapoff of twice as much as there is room for: %s", strerror(err));
	baton_pass(&b, 0);
	join_child(pid);
}

/* At its limit, a group goes on with most of its pages in place. */
static void t_memcg_limit(void)
{
	pressure(4, NULL);
}

/* ---- The device ----------------------------------------------------------- */

static void shell(const char *command)
{
	if (system(command))
		setup_error("%s", command);
}

/* More than the window holds goes to the next swap device. */
static void t_full(void)
{
	size_t size = all_pages * PAGE + (16 << 20), i, round;
	char *p = anon_map(size);

	shell("echo 32M >/sys/block/zram0/disksize");
	shell("mkswap /dev/zram0 >/dev/null && swapon /dev/zram0");
	for (i = 0; i < size; i += PAGE)
		page_fill(p + i, i, 1);
	for (round = 1; round < 3; round++) {
		madvise(p, size, MADV_PAGEOUT);
		for (i = 0; i < size; i += PAGE) {
			if (page_check(p + i, i, round) >= 0)
				violated("page %zu is wrong in round %zu", i / PAGE, round);
			page_fill(p + i, i, round + 1);
		}
		if (window("in_place") < all_pages / 2)
			violated("only %lld pages in place", window("in_place"));
	}
	shell("swapoff /dev/zram0");
	for (i = 0; i < size; i += PAGE)
		if (page_check(p + i, i, 3) >= 0)
			violated("page %zu is wrong after swapoff", i / PAGE);
}

/*
 * Refused with pages in place, and before there are any: they could come at any
 * time until the freezer has everybody. Should it be accepted, it ends there.
 */
static void t_hibernation(void)
{
	char *dev = device(), *p;

	if (!write_file("/sys/power/pm_test", "freezer"))
		setup_error("no /sys/power/pm_test");
	if (window("in_place"))
		setup_error("%lld pages are in place", window("in_place"));
	if (write_file("/sys/power/state", "disk") || errno != EBUSY)
		violated("hibernation with no page in place: %s", strerror(errno));
	p = in_place(0x1100);
	if (write_file("/sys/power/state", "disk") || errno != EBUSY)
		violated("hibernation with pages in place: %s", strerror(errno));
	verify("after hibernation was refused", p, 0x1100, 1);
	/* The struct pages are in the window still. */
	if (swapoff_within(dev, 60))
		violated("swapoff: %s", strerror(errno));
	if (write_file("/sys/power/state", "disk") || errno != EBUSY)
		violated("hibernation after swapoff: %s", strerror(errno));
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	write_file("/sys/power/pm_test", "none");
}

/* Twice: used, asleep, used. The host wakes us. */
static void t_suspend(void)
{
	char *p = in_place(0x1140), *many = swapped_out(0x1180);
	struct baton b;
	pid_t pid;
	int i;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("child, after sleep", many, 0x1180, 1);
		_exit(TEST_OK);
	}
	verify("shared", many, 0x1180, 1);
	if (!write_file("/sys/power/mem_sleep", "deep"))
		setup_error("no deep sleep");
	for (i = 1; i < 3; i++) {
		if (!write_file("/sys/power/state", "mem"))
			violated("sleep: %s", strerror(errno));
		verify("after sleep", p, 0x1140, i);
		fill(p, 0x1140, i + 1);
		must_page_out(p);
		in_place(0x1140 + i);
		verify("swapped out since", p, 0x1140, i + 1);
	}
	verify("shared, after sleep", many, 0x1180, 1);
	baton_pass(&b, 0);
	join_child(pid);
}

/* Starts to remove the device; it must not go. */
static pid_t remove_device(void)
{
	pid_t pid = must_fork();
	int status;

	if (!pid)
		_exit(write_file("/sys/block/symswap0/device/remove", "1") ?
		      TEST_OK : TEST_SETUP);
	sleep(1);
	if (waitpid(pid, &status, WNOHANG))
		violated("the device went while it was in use");
	return pid;
}

/* The device goes when nobody uses it any more, and comes back. */
static void t_remove(void)
{
	char *p = in_place(0x1180), *dev = device();
	pid_t pid = remove_device();

	verify("in place", p, 0x1180, 1);
	must_page_out(p);
	verify("swapped out again", p, 0x1180, 1);
	if (swapoff(dev))
		violated("swapoff: %s", strerror(errno));
	join_child(pid);
	verify("without the device", p, 0x1180, 1);
	if (!access(dev, F_OK))
		violated("%s is still there", dev);

	shell("echo 1 >/sys/bus/pci/rescan");
	if (swapon(dev, 0))
		violated("swapon: %s", strerror(errno));
	set_window("mode", "in-place");
	verify("with the device again", p, 0x1180, 1);
	p = in_place(0x1200);
	verify("in place again", p, 0x1200, 1);
}

/* A disk that cannot be added leaves nothing behind. */
static void t_add(void)
{
	static const char fail[] = "/sys/module/symswap/parameters/fail_add";
	char dev[128], *p;

	if (!swap_device(dev, sizeof(dev)) || swapoff(dev))
		setup_error("swapoff: %s", strerror(errno));
	if (!write_file("/sys/block/symswap0/device/remove", "1"))
		setup_error("cannot remove the device");
	if (!write_file(fail, "1"))
		setup_error("no %s", fail);
	shell("echo 1 >/sys/bus/pci/rescan");
	write_file(fail, "0");
	if (!access("/sys/block/symswap0", F_OK))
		setup_error("the disk was added");

	/* The name, the struct pages and the window itself are free again. */
	shell("cd /sys/bus/pci/devices; d=$(grep -l 5359 */subsystem_d*); echo 1 >${d%/*}/remove");
	shell("echo 1 >/sys/bus/pci/rescan");
	if (swapon(dev, 0))
		violated("swapon %s: %s", dev, strerror(errno));
	set_window("mode", "in-place");
	p = in_place(0x1280);
	verify("with the device again", p, 0x1280, 1);
}

/* The device goes when a pipe lets go of its pages. */
static void t_remove_pipe(void)
{
	char *p = in_place(0x1280), *dev = device();
	int fd[2], err;
	pid_t pid;

	into_pipe(fd, p);
	err = swapoff_within(dev, 20);
	if (err)
		violated("swapoff: %s", strerror(err));
	pid = remove_device();
	shell("dmesg | grep -q 'removal waits for processes'");
	verify("in a pipe", p, 0x1280, 1);
	munmap(p + len() / 2, len() / 2);
	out_of_pipe(fd, 0x1280, 1);
	/* The rest is mapped, and moves to memory. */
	join_child(pid);
	npages /= 2;
	verify("without the device", p, 0x1280, 1);

	shell("echo 1 >/sys/bus/pci/rescan");
	if (swapon(dev, 0))
		violated("swapon: %s", strerror(errno));
	set_window("mode", "in-place");
}

static int leave_removal(void)
{
	char *dev, *p;
	int fd[2];

	dev = device();
	set_window("mode", "in-place");
	p = in_place(0x1300);
	into_pipe(fd, p);
	if (!must_fork())
		for (;;)
			pause();
	if (swapoff_within(dev, 20))
		violated("swapoff: %s", strerror(errno));
	remove_device();
	printf("a removal waits\n");
	fflush(stdout);
	return TEST_OK;
}

/* ---- Running ------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *what;
	void (*fn)(void);
	bool special;		/* only if named */
} tests[] = {
	{ "use", "read, written, swapped out without a copy", t_use, false },
	{ "write_first", "the first touch is a write", t_write_first, false },
	{ "fault_around", "one fault maps several pages", t_fault_around, false },
	{ "read_only", "a VMA that is read-only for a while", t_read_only_vma, false },
	{ "zeromap", "zero pages swapped out in mode copy", t_zeromap, false },
	{ "hold", "others are swapped out meanwhile", t_hold, false },
	{ "copy", "mode copy", t_copy_mode, false },
	{ "mode_change", "modes change under use", t_mode_change, false },
	{ "fork_before", "fork before the first touch", t_fork_before, false },
	{ "fork_exit", "fork, and the child exits", t_fork_exit, false },
	{ "fork_after", "fork of pages in place", t_fork_after, false },
	{ "fork_many", "many users of a slot", t_fork_many, false },
	{ "fork_race", "users that go while others look", t_fork_race, false },
	{ "mremap", "moved", t_mremap, false },
	{ "dontneed", "MADV_DONTNEED", t_dontneed, false },
	{ "mlock", "mlock of pages in place", t_mlock, false },
	{ "mlock_first", "mlock of swapped pages", t_mlock_first, false },
	{ "uffd_wp", "userfaultfd write protection", t_uffd_wp, false },
	{ "ksm", "KSM", t_ksm, false },
	{ "ksm_copy", "copied by KSM, unused since", t_ksm_copy, false },
	{ "thp", "huge pages, MADV_COLLAPSE", t_thp, false },
	{ "collapse", "no huge page, nothing in place", t_collapse, false },
	{ "reclaim", "MGLRU and classic reclaim, compaction", t_reclaim, false },
	{ "ptrace", "process_vm_readv and writev", t_ptrace, false },
	{ "aio", "direct asynchronous I/O, munmap during it", t_aio, false },
	{ "longterm", "pinned for long: io_uring's buffers", t_longterm, false },
	{ "longterm_pipe", "pinned for long, and in a pipe", t_longterm_pipe, false },
	{ "longterm_race", "... and unmapped meanwhile", t_longterm_race, true },
	{ "pipe", "a pipe holds them, the owner is gone", t_pipe, false },
	{ "declined", "faults that find no grant", t_declined, false },
	{ "grant", "a grant that is lowered", t_grant, false },
	{ "hot", "what is used stays, with MGLRU and without", t_hot, false },
	{ "aging", "cold pages make room", t_aging, false },
	{ "swapoff", "swapoff and swapon", t_swapoff, false },
	{ "held", "pages in a pipe: grant, swapoff, swapon", t_held, false },
	{ "memcg", "memory cgroup: charges", t_memcg, false },
	{ "memcg_limit", "memory cgroup: at its limit", t_memcg_limit, false },
	{ "memcg_swapoff", "memory cgroup: swapoff at its limit", t_memcg_swapoff, false },
	{ "full", "the window is full", t_full, false },
	{ "hibernation", "hibernation", t_hibernation, false },
	{ "suspend", "asleep, and woken by the host", t_suspend, true },
	{ "remove", "the device goes and comes back", t_remove, false },
	{ "add", "the device's disk cannot be added", t_add, false },
	{ "remove_pipe", "the device goes when a pipe lets go", t_remove_pipe, false },
	{ "only_ram", "a device that reaches only RAM, for good", t_only_ram, true },
	{ "host_grant", "the VMM's grant", t_host_grant, true },
};

#define NTESTS	(sizeof(tests) / sizeof(tests[0]))

/* The case in a process of its own, for @seconds at the most. */
static int run_child(size_t t, unsigned int seconds, const char **how)
{
	int status;
	pid_t pid;

	set_window("mode", "in-place");
	set_grant(all_pages);
	pid = must_fork();
	if (!pid) {
		setpgid(0, 0);
		alarm(seconds);
		tests[t].fn();
		fflush(stdout);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	kill(-pid, SIGKILL);
	*how = "";
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	*how = strsignal(WTERMSIG(status));
	return WTERMSIG(status) == SIGALRM ? TEST_SETUP : TEST_VIOLATED;
}

/*
 * Nothing is left: slots are freed behind the pages' backs, and each CPU caches
 * some that are free.
 */
static bool nothing_left(long long used)
{
	uint64_t end = now_ms() + WAIT_MS;

	/* munlock() lets go of pages in batches, per CPU; this drains them. */
	write_file("/proc/sys/vm/compact_memory", "1");
	used += sysconf(_SC_NPROCESSORS_CONF) * CACHED_SLOTS * (PAGE >> 10);
	for (; window("in_place") || swap_used() > used; usleep(1000)) {
		if (now_ms() < end)
			continue;
		printf("FAILED left over: %lld pages in place, %lld KiB of swap instead of %lld\n",
		       window("in_place"), swap_used(), used);
		return false;
	}
	return true;
}

static int run(size_t t)
{
	long long used = swap_used();
	const char *how;
	int ret = run_child(t, 300, &how);

	if (ret == TEST_OK && !nothing_left(used))
		ret = TEST_VIOLATED;
	printf("%s %s: %s%s%s\n", ret == TEST_OK ? "PASS" :
	       ret == TEST_VIOLATED ? "FAIL" : "ERROR", tests[t].name, tests[t].what,
	       *how ? ": " : "", how);
	fflush(stdout);
	return ret;
}

/* ---- Tests of the tests ---------------------------------------------------- */

/* In the order of enum symswap_rule: the case that needs the rule. */
static const struct {
	const char *rule;
	void (*fn)(void);
} rules[] = {
	{ "the slot of a page in use is not free", t_hold },
	{ "a slot with several users is shared", t_fork_before },
	{ "the content is in the slot", t_zeromap },
	{ "mlock gets memory of the guest's", t_mlock_first },
	{ "userfaultfd sees each page", t_uffd_wp },
	{ "swapoff moves pages", t_swapoff },
	{ "no more than granted", t_grant },
	{ "cold pages make room", t_aging },
};

static int test_tests(void)
{
	static const char file[] = "/sys/module/symswap/parameters/skip";
	unsigned int i, missed = 0;
	const char *how;
	char bits[16];
	size_t t;
	int ret;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		for (t = 0; tests[t].fn != rules[i].fn; t++)
			;
		snprintf(bits, sizeof(bits), "%u", 1U << i);
		if (!write_file(file, bits))
			setup_error("cannot write %s", file);
		/* A case may also never end without its rule. */
		ret = run_child(t, 12, &how);
		write_file(file, "0");
		missed += ret == TEST_OK;
		printf("%s %s without \"%s\"%s%s\n", ret == TEST_OK ? "MISSED" : "NOTICED",
		       tests[t].name, rules[i].rule, *how ? ": " : "", how);
		fflush(stdout);
	}
	printf("%u removed rules noticed, %u missed\n", i - missed, missed);
	return missed ? TEST_VIOLATED : TEST_OK;
}

int main(int argc, char **argv)
{
	unsigned int count[3] = { 0 };
	char dev[128];
	size_t t;
	int opt, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "n:d:lRT")) != -1) {
		switch (opt) {
		case 'n':
			npages = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			disk = optarg;
			break;
		case 'R':
			all_pages = window("limit");
			return leave_removal();
		case 'T':
			all_pages = window("limit");
			return test_tests();
		case 'l':
			for (t = 0; t < NTESTS; t++)
				printf("%-14s %s%s\n", tests[t].name, tests[t].what,
				       tests[t].special ? " (only if named)" : "");
			return 0;
		default:
			return TEST_SETUP;
		}
	}
	all_pages = window("limit");
	for (t = 0; t < NTESTS; t++) {
		bool wanted = optind == argc && !tests[t].special;

		for (i = optind; i < argc; i++)
			wanted |= !strcmp(argv[i], tests[t].name);
		if (wanted)
			count[run(t) % 3]++;
	}
	/* A slot that is never freed keeps swapoff from ending. */
	alarm(60);
	if (!swap_device(dev, sizeof(dev)) || swapoff(dev) || swapon(dev, 0)) {
		printf("FAILED the last swapoff: %s\n", strerror(errno));
		count[TEST_VIOLATED]++;
	}
	alarm(0);
	printf("%u cases hold, %u do not, %u could not be tried\n",
	       count[TEST_OK], count[TEST_VIOLATED], count[TEST_SETUP]);
	if (!(count[TEST_OK] + count[TEST_VIOLATED] + count[TEST_SETUP]))
		setup_error("no such case");
	if (count[TEST_VIOLATED])
		return TEST_VIOLATED;
	return count[TEST_SETUP] ? TEST_SETUP : TEST_OK;
}
