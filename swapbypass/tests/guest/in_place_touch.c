// SPDX-License-Identifier: GPL-2.0
/*
 * First touches that take pages of the window.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_place.h"

/* A child has got pages of the window. */
#define EXIT_WITH	10

static void touch_mode(const char *mode)
{
	set_window("first_touch", mode);
}

static long long touched(void)
{
	return window("touched_pages");
}

/* New pages, all by a first touch, with content (@id, 1). */
static char *touch(uint64_t id)
{
	long long before = touched(), in_place = window("in_place");
	char *p = anon_map(len());

	touch_mode("always");
	fill(p, id, 1);
	if (touched() < before + (long long)npages)
		violated("%lld new pages of %zu in the window", touched() - before, npages);
	if (window("in_place") < in_place + (long long)npages)
		violated("%lld of %zu pages in place", window("in_place") - in_place, npages);
	verify("first use", p, id, 1);
	return p;
}

/* No page of a mapping that has something against it; others have a few. */
static void must_not_touch(const char *what, char *p)
{
	long long before = touched();
	size_t i;

	touch_mode("always");
	for (i = 0; i < npages; i++)
		p[i * PAGE] = 1;
	if (touched() > before + (long long)npages / 2)
		violated("%s: %lld pages by first touch", what, touched() - before);
}

/* A new page is zero, whatever lay in its slot; it goes and comes in place. */
static void t_touch(void)
{
	char *p, *old = fill_window();
	long long migrated, pushed;
	size_t i, at;

	munmap(old, all_pages * PAGE);
	npages = 1024;
	p = anon_map(len());
	touch_mode("always");
	for (i = 0; i < npages; i++)
		p[i * PAGE] = 1;
	for (i = 0; i < npages; i++)
		for (at = 1; at < PAGE; at++)
			if (p[i * PAGE + at])
				violated("old data in new page %zu", i);
	munmap(p, len());

	p = touch(0x2000);
	/* Off: nothing of this moves to memory. */
	touch_mode("off");
	migrated = window("migrated_pages");
	pushed = window("pushed_pages");
	set_grant(0);
	if (!wait_in_place(0))
		violated("%lld pages in place, none granted", window("in_place"));
	if (pages_swapped(p, len()) != npages)
		violated("%zu of %zu pages were pushed out", pages_swapped(p, len()), npages);
	if (window("migrated_pages") != migrated ||
	    window("pushed_pages") < pushed + (long long)npages)
		violated("pages were copied to be swapped out");
	set_grant(all_pages);
	verify("in place again", p, 0x2000, 1);
	fill(p, 0x2000, 2);
	verify("written", p, 0x2000, 2);
}

/* Only when memory is short: here, of a memory cgroup. */
static void t_touch_auto(void)
{
	long long before = touched();
	char *p = anon_map(len());

	touch_mode("auto");
	fill(p, 0x2080, 1);
	if (touched() != before)
		violated("%lld pages by first touch with memory free", touched() - before);
	pressure(3, NULL);
	if (touched() == before)
		violated("no page by first touch in a group at its limit");
	verify("memory", p, 0x2080, 1);
}

/* Of a file with lines "name number". */
static long long number_of(const char *path, const char *name)
{
	long long value, found = -1;
	char word[64];
	FILE *f = fopen(path, "re");

	if (!f)
		setup_error("%s: %s", path, strerror(errno));
	while (fscanf(f, "%63s %lld", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	fclose(f);
	if (found < 0)
		setup_error("no %s in %s", name, path);
	return found;
}

static long long vmstat(const char *name)
{
	return number_of("/proc/vmstat", name);
}

/* Small machines begin without. */
static void set_thp(const char *when)
{
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", when);
	write_file("/sys/kernel/mm/transparent_hugepage/defrag", when);
}

/* Where memory is short, no huge page is made by swapping out others. */
static void t_touch_huge(void)
{
	const size_t size = 24 << 20, limit = 8 << 20, huge = 2 << 20;
	/* Pages of what else the group has charged, and of what goes for that. */
	const long long other = 1024;
	char text[32];
	pid_t pid;

	make_group();
	set_thp("madvise");
	pid = must_fork();
	if (!pid) {
		long long before = touched(), thp, out;
		char *p = anon_map(size + huge);
		size_t i;

		p = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
		if (madvise(p, size, MADV_HUGEPAGE))
			setup_error("MADV_HUGEPAGE: %s", strerror(errno));
		touch_mode("auto");
		snprintf(text, sizeof(text), "%zu", limit);
		set_group("memory.max", text);
		set_group("cgroup.procs", "0");
		write_file("/proc/sys/vm/compact_memory", "1");
		thp = vmstat("thp_fault_alloc");
		out = vmstat("pswpout");
		for (i = 0; i < size / PAGE; i++)
			page_fill(p + i * PAGE, 0x2d00 + i, 1);
		out = vmstat("pswpout") - out;
		if (vmstat("thp_fault_alloc") == thp)
			setup_error("no huge page while memory was free");
		if (touched() - before < (long long)((size - limit) / PAGE) - other)
			violated("%lld pages by first touch, of %zu MiB in %zu",
				 touched() - before, size >> 20, limit >> 20);
		if (out > other)
			violated("%lld pages were copied to be swapped out", out);
		for (i = 0; i < size / PAGE; i++)
			if (page_check(p + i * PAGE, 0x2d00 + i, 1) >= 0)
				violated("page %zu is wrong", i);
		_exit(TEST_OK);
	}
	join_child(pid);
	set_thp("never");
	set_group("memory.max", "max");
}

/* Copies of pages that a fork shares, both ways, and of the zero page. */
static void t_touch_cow(void)
{
	char *p = touch(0x2100), *zero = anon_map(len());
	long long before;
	struct baton b;
	pid_t pid;
	size_t i;

	for (i = 0; i < npages; i++)
		if (((volatile char *)zero)[i * PAGE])
			violated("a new page is not zero");
	before = touched();
	for (i = 0; i < npages; i++)
		zero[i * PAGE + 100] = 1;
	if (touched() < before + (long long)npages)
		violated("zero pages were copied to memory");
	for (i = 0; i < npages; i++)
		if (zero[i * PAGE] || zero[i * PAGE + 100] != 1 || zero[i * PAGE + 4095])
			violated("the copy of the zero page is wrong");

	baton_init(&b);
	before = touched();
	pid = must_fork();
	if (!pid) {
		fill(p, 0x2100, 2);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("the child's", p, 0x2100, 2);
		_exit(TEST_OK);
	}
	baton_wait(&b, 1);
	if (touched() < before + (long long)npages)
		violated("pages of a fork were copied to memory");
	verify("the parent's", p, 0x2100, 1);
	fill(p, 0x2100, 3);
	baton_pass(&b, 0);
	join_child(pid);
	verify("the parent's, written", p, 0x2100, 3);
}

/* Private copies of a file's pages. */
static void t_touch_file(void)
{
	char name[] = "/tmp/touchXXXXXX";
	long long before;
	char *p, *q;
	int fd;

	mkdir("/tmp", 0777);
	fd = mkstemp(name);
	if (fd < 0 || ftruncate(fd, len()))
		setup_error("%s: %s", name, strerror(errno));
	unlink(name);
	q = mmap(NULL, len(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, len(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (q == MAP_FAILED || p == MAP_FAILED)
		setup_error("mmap: %s", strerror(errno));
	fill(q, 0x2180, 1);
	before = touched();
	touch_mode("always");
	for (size_t i = 0; i < npages; i++)
		p[i * PAGE + PAGE - 1] ^= 1;
	if (touched() < before + (long long)npages)
		violated("pages of a file were copied to memory");
	for (size_t i = 0; i < npages; i++)
		p[i * PAGE + PAGE - 1] ^= 1;
	verify("the private copy", p, 0x2180, 1);
	fill(p, 0x2180, 2);
	verify("the file", q, 0x2180, 1);
	close(fd);
}

/* Mappings whose pages must be ordinary memory. */
static void t_touch_others(void)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_api api = { .api = UFFD_API };
	char *p = anon_map(len());
	int fd;

	if (madvise(p, len(), MADV_MERGEABLE))
		setup_error("MADV_MERGEABLE: %s", strerror(errno));
	must_not_touch("KSM", p);

	p = anon_map(len());
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (uintptr_t)p;
	reg.range.len = len();
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		setup_error("userfaultfd: %s", strerror(errno));
	must_not_touch("userfaultfd", p);
}

static void t_touch_mlock(void)
{
	char *p = anon_map(len());

	if (mlock2(p, len(), MLOCK_ONFAULT))
		setup_error("mlock2: %s", strerror(errno));
	must_not_touch("mlock", p);
	p = touch(0x2200);
	if (mlock(p, len()))
		setup_error("mlock: %s", strerror(errno));
	set_grant(0);
	if (window("in_place") || pages_swapped(p, len()))
		violated("locked pages: %lld in place, %zu swapped out", window("in_place"),
			 pages_swapped(p, len()));
	set_grant(all_pages);
	verify("locked", p, 0x2200, 1);
}

/* Whoever says on which node memory shall be; needs a kernel with NUMA. */
static void t_touch_numa(void)
{
	static const struct {
		const char *what;
		int mode;
	} policies[] = {
		{ "bound", MPOL_BIND },
		{ "preferred", MPOL_PREFERRED },
		{ "interleaved", MPOL_INTERLEAVE },
	};
	const unsigned long node = 1;	/* a mask */
	const unsigned long bits = 8 * sizeof(node);
	char what[64];
	size_t i;

	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		char *p = anon_map(len());

		if (syscall(SYS_mbind, p, len(), policies[i].mode, &node, bits, 0))
			setup_error("mbind: %s", strerror(errno));
		snprintf(what, sizeof(what), "memory that is %s", policies[i].what);
		must_not_touch(what, p);

		if (syscall(SYS_set_mempolicy, policies[i].mode, &node, bits))
			setup_error("set_mempolicy: %s", strerror(errno));
		snprintf(what, sizeof(what), "a process that is %s", policies[i].what);
		must_not_touch(what, anon_map(len()));
		if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0))
			setup_error("set_mempolicy: %s", strerror(errno));
	}
	touch(0x3080);
}

/* Of two nodes the window is on one; a cpuset with the other has no first touches. */
static void t_touch_cpuset(void)
{
	unsigned int node, with = 0;
	int status;
	pid_t pid;

	make_group();
	must_write("/sys/fs/cgroup/", "cgroup.subtree_control", "+cpuset");
	for (node = 0; node < 2; node++) {
		set_group("cpuset.mems", node ? "1" : "0");
		pid = must_fork();
		if (!pid) {
			long long taken;
			char *p;

			set_group("cgroup.procs", "0");
			touch_mode("always");
			p = anon_map(len());
			taken = touched();
			fill(p, 0x3100, 1);
			taken = touched() - taken;
			if (taken > (long long)npages / 2 && taken < (long long)npages)
				violated("%lld pages by first touch, of %zu", taken, npages);
			_exit(taken < (long long)npages ? TEST_OK : EXIT_WITH);
		}
		if (waitpid(pid, &status, 0) != pid)
			setup_error("waitpid: %s", strerror(errno));
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WITH)
			with++;
		else if (status)
			violated("node %u: status %#x", node, status);
	}
	if (with != 1)
		violated("first touches on %u of two nodes", with);
	if (rmdir(GROUP))
		setup_error(GROUP ": %s", strerror(errno));
}

static long long group_swap(void)
{
	return group("memory.swap.current");
}

/* Charged as swap, up to swap.max; the rest is memory, and nobody is killed. */
static void t_touch_charge(void)
{
	char text[32];
	pid_t pid;

	npages = 512;
	make_group();
	pid = must_fork();
	if (!pid) {
		long long swap, memory, before;
		char *p;

		set_group("cgroup.procs", "0");
		swap = group_swap();
		memory = group("memory.current");
		p = touch(0x2280);
		/* What it needs itself counts, too. */
		if (group_swap() < swap + (long long)len() ||
		    group_swap() > swap + (long long)(len() + 32 * PAGE))
			violated("%lld bytes of swap charged for %zu by first touch",
				 group_swap() - swap, len());
		if (group("memory.current") > memory + (long long)len() / 2)
			violated("%lld bytes of memory charged, too",
				 group("memory.current") - memory);

		/* Half of the next ones. */
		snprintf(text, sizeof(text), "%lld", group_swap() + (long long)len() / 2);
		set_group("memory.swap.max", text);
		before = touched();
		p = anon_map(len());
		fill(p, 0x2300, 1);
		verify("half of it", p, 0x2300, 1);
		if (touched() > before + (long long)npages / 2)
			violated("%lld pages by first touch, swap.max allows %zu",
				 touched() - before, npages / 2);
		/* Whoever is above it is slowed down, and gets no more. */
		set_group("memory.swap.max", "max");
		set_group("memory.swap.high", "0");
		before = touched();
		p = anon_map(len());
		p[0] = 1;
		if (touched() != before)
			violated("a first touch above swap.high");
		_exit(TEST_OK);
	}
	join_child(pid);
	set_group("memory.swap.high", "max");
	set_group("memory.swap.max", "max");
	for (uint64_t end = now_ms() + WAIT_MS; group_swap(); usleep(1000))
		if (now_ms() > end)
			violated("%lld bytes of swap are still charged", group_swap());
}

/* A group that needs more than memory and swap is killed, and nothing is left. */
static void t_touch_oom(void)
{
	size_t size = 32 << 20, i;
	int status;
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		char *p;

		touch_mode("auto");
		set_group("memory.max", "8M");
		set_group("memory.swap.max", "8M");
		set_group("cgroup.procs", "0");
		p = anon_map(size);
		for (i = 0; i < size; i += PAGE)
			page_fill(p + i, i, 1);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	set_group("memory.swap.max", "max");
	set_group("memory.max", "max");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		violated("32 MiB fit into 16: status %d", status);
}

/*
 * Memory of the window counts for the OOM killer like any other: the larger process
 * goes, although it lies there, and nobody else.
 */
static void t_touch_oom_order(void)
{
	/* More than the kernel collects before it frees: the end of an exit is too late. */
	const size_t large = 44 << 20, small = 20 << 20;
	const char *const events = GROUP "/memory.events";
	long long of_group, of_all;
	int status = 0;
	pid_t pids[2];
	struct baton b;
	uint64_t end;

	make_group();
	baton_init(&b);
	pids[0] = must_fork();
	if (!pids[0]) {
		set_group("cgroup.procs", "0");
		npages = large / PAGE;
		touch(0x3000);
		baton_pass(&b, 1);
		for (;;)
			pause();
	}
	baton_wait(&b, 1);
	touch_mode("off");
	of_group = number_of(events, "oom_kill");
	of_all = vmstat("oom_kill");
	/* Less than the second process needs, unless the first one goes. */
	set_group("memory.swap.max", "48M");
	set_group("memory.max", "8M");
	pids[1] = must_fork();
	if (!pids[1]) {
		char *p;

		set_group("cgroup.procs", "0");
		npages = small / PAGE;
		p = anon_map(len());
		fill(p, 0x5000, 1);
		verify("after the kill", p, 0x5000, 1);
		_exit(TEST_OK);
	}
	join_child(pids[1]);
	for (end = now_ms() + WAIT_MS; waitpid(pids[0], &status, WNOHANG) != pids[0];
	     usleep(1000))
		if (now_ms() > end)
			violated("%zu and %zu MiB fit into 8 and 48", large >> 20, small >> 20);
	set_group("memory.swap.max", "max");
	set_group("memory.max", "max");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		violated("the larger process was not killed: status %d", status);
	of_group = number_of(events, "oom_kill") - of_group;
	of_all = vmstat("oom_kill") - of_all;
	if (of_group != 1 || of_all != 1)
		violated("%lld processes of the group were killed, %lld of all", of_group, of_all);
}

/* Three quarters of the grant; what is hot moves to memory before the grant ends. */
static void t_touch_grant(void)
{
	long long before, declined, lifted, granted;
	char *p, *q;

	npages = 1024;
	granted = npages;
	set_grant(granted);
	p = anon_map(len());
	before = touched();
	declined = window("declined_touches");
	touch_mode("always");
	fill(p, 0x2380, 1);
	/* Each CPU may be on its way. */
	if (window("in_place") > granted - granted / 16 + sysconf(_SC_NPROCESSORS_CONF) ||
	    touched() - before < granted / 2)
		violated("%lld first touches, %lld pages in place, %lld granted",
			 touched() - before, window("in_place"), granted);
	if (window("declined_touches") == declined)
		violated("no first touch was declined");
	verify("part of it", p, 0x2380, 1);

	/* Granted more, there is more. */
	set_grant(all_pages);
	q = touch(0x2800);
	verify("in use", p, 0x2380, 1);
	verify("in use", q, 0x2800, 1);
	lifted = window("lifted_pages");
	set_grant(0);
	if (!wait_in_place(0))
		violated("%lld pages in place, none granted", window("in_place"));
	if (window("lifted_pages") == lifted)
		violated("no hot page has moved to memory");
	verify("after the grant", p, 0x2380, 1);
	verify("after the grant", q, 0x2800, 1);
	set_grant(all_pages);
}

/* What was made room for, or by, was others' as well, and is still in the window. */
static void all_out(void)
{
	char *dev = device();
	int err = swapoff_within(dev, 60);

	if (err || swapon(dev, 0))
		violated("swapoff: %s", strerror(err ? err : errno));
}

/*
 * Memory is full of pages that nobody uses, and what is used is in the window: it moves
 * to memory, so that the end of the grant costs no swapping.
 */
static void t_touch_exchange(void)
{
	long long before, lifted = window("lifted_pages"), out = window("exchanged_pages");
	const size_t hot = 3072, most = 96 << 20;
	char *all = anon_map(most), *p;
	volatile char use;
	uint64_t end;
	size_t n, i;

	/* Such that more than half of it is used, also when half of what is hot has moved. */
	set_grant(hot + hot / 2);
	touch_mode("auto");
	before = touched();
	/* In order, so the last ones are in the window. */
	for (n = 0; touched() < before + (long long)(hot + hot / 3); n += hot / 3) {
		if ((n + hot / 3) * PAGE > most)
			violated("%lld pages by first touch of %zu", touched() - before, n);
		for (i = n; i < n + hot / 3; i++)
			page_fill(all + i * PAGE, 0x10000 + i, 1);
	}
	p = all + (n - hot) * PAGE;
	for (end = now_ms() + WAIT_MS;
	     window("lifted_pages") < lifted + (long long)hot / 2; usleep(10000)) {
		for (i = 0; i < hot; i++)
			use = p[i * PAGE];
		if (now_ms() > end)
			violated("%lld of %zu hot pages moved to memory, %lld made room",
				 window("lifted_pages") - lifted, hot,
				 window("exchanged_pages") - out);
	}
	(void)use;
	if (window("exchanged_pages") == out)
		setup_error("memory was free");
	touch_mode("off");
	set_grant(0);
	if (pages_swapped(p, hot * PAGE) > hot / 4 * 3)
		violated("%zu of %zu hot pages are swapped out", pages_swapped(p, hot * PAGE), hot);
	set_grant(all_pages);
	for (i = 0; i < n; i++)
		if (page_check(all + i * PAGE, 0x10000 + i, 1) >= 0)
			violated("page %zu is wrong", i);
	munmap(all, most);
	all_out();
}

/*
 * Four times the memory. The page tables that it needs lie in blocks of movable memory,
 * and each block that they take raises the watermark up to which kswapd reclaims; that
 * is no reason to swap out what was filled before.
 */
static void t_touch_fill(void)
{
	const size_t size = 512 << 20;
	const long long most = 2048;
	long long out, made_room = window("exchanged_pages");
	char *p = anon_map(size);
	size_t i;

	touch_mode("auto");
	out = vmstat("pswpout");
	for (i = 0; i < size / PAGE; i++)
		page_fill(p + i * PAGE, 0x40000 + i, 1);
	out = vmstat("pswpout") - out - (window("exchanged_pages") - made_room);
	for (i = 0; i < size / PAGE; i++)
		if (page_check(p + i * PAGE, 0x40000 + i, 1) >= 0)
			violated("page %zu is wrong", i);
	munmap(p, size);
	touch_mode("off");
	all_out();
	if (out > most)
		violated("%lld pages were swapped out by a copy", out);
}

/* Up and down, while pages are touched for the first time. */
static void t_touch_turns(void)
{
	pid_t pid = must_fork();
	siginfo_t ended = { 0 };
	int i;

	if (!pid) {
		for (i = 0; i < 200; i++) {
			char *p = anon_map(len());

			fill(p, 0x2400 + i, 1);
			verify("in turns", p, 0x2400 + i, 1);
			munmap(p, len());
		}
		_exit(TEST_OK);
	}
	touch_mode("always");
	for (i = 0; i < 1000 && !ended.si_pid; i++) {
		set_grant(i % 2 ? all_pages : (long long)npages / 2);
		touch_mode(i % 3 ? "always" : "off");
		waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT);
	}
	join_child(pid);
	set_grant(all_pages);
}

/* Swapoff among first touches of several processes ends, and finds all pages. */
static void t_touch_swapoff(void)
{
	char *p = touch(0x2480), *dev = device();
	pid_t pids[3];
	size_t i;
	int err;

	for (i = 0; i < 3; i++) {
		pids[i] = must_fork();
		if (pids[i])
			continue;
		for (uint64_t end = now_ms() + 2000; now_ms() < end; ) {
			char *q = anon_map(len());

			fill(q, 0x2500 + i * npages, 1);
			verify("around swapoff", q, 0x2500 + i * npages, 1);
			munmap(q, len());
		}
		verify("shared", p, 0x2480, 1);
		_exit(TEST_OK);
	}
	for (i = 0; i < 5; i++) {
		err = swapoff_within(dev, 20);
		if (err)
			violated("swapoff: %s", strerror(err));
		/* A page may have been on its way, and moves later. */
		if (!wait_in_place(0) || window("reserved"))
			violated("%lld pages in place, %lld slots reserved after swapoff",
				 window("in_place"), window("reserved"));
		verify("after swapoff", p, 0x2480, 1);
		if (swapon(dev, 0))
			setup_error("swapon: %s", strerror(errno));
		usleep(100000);
	}
	for (i = 0; i < 3; i++)
		join_child(pids[i]);
	verify("in the end", p, 0x2480, 1);
}

/* Pages of a first touch that a pipe holds, through a swapoff. */
static void t_touch_held(void)
{
	char *p = touch(0x2580), *dev = device();
	int fd[2], err;

	into_pipe(fd, p);
	err = swapoff_within(dev, 20);
	if (err)
		violated("swapoff: %s", strerror(err));
	must_hold("after swapoff", npages);
	verify("held", p, 0x2580, 1);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	out_of_pipe(fd, 0x2580, 1);
	set_grant(all_pages);
	must_hold("read from the pipe", 0);
	verify("in memory", p, 0x2580, 1);
}

/* Pages mapped next to those that are touched: for a run, and no more than it had. */
static void t_touch_ahead(void)
{
	const char *params = "/sys/module/symswap/parameters/";
	long long ahead = must_read(params, "touch_ahead"), before;
	char *p = anon_map(len());
	size_t i, at, resident = 0;

	if (ahead < 1)
		setup_error("touch_ahead is %lld", ahead);
	touch_mode("always");
	/* Here and there: none. */
	before = window("ahead_pages");
	for (i = 0; i < npages; i += 2)
		p[i * PAGE] = 1;
	for (i = 0; i < npages; i++)
		resident += page_resident(p + i * PAGE);
	if (resident != npages / 2)
		violated("%zu pages for %zu that were touched", resident, npages / 2);
	munmap(p, len());

	/* In a row. What comes besides is zero, and written to like any other. */
	p = anon_map(len());
	for (i = 0; i < npages / 2; i++) {
		for (at = 0; at < PAGE; at++)
			if (i && page_resident(p + i * PAGE) && p[i * PAGE + at])
				violated("old data in page %zu", i);
		page_fill(p + i * PAGE, 0x2a00 + i, 1);
	}
	if (window("ahead_pages") < before + (long long)npages / 4)
		violated("%lld pages ahead of %zu in a row", window("ahead_pages") - before,
			 npages / 2);
	for (resident = 0, i = npages / 2; i < npages; i++)
		resident += page_resident(p + i * PAGE);
	if (resident > (size_t)ahead)
		violated("%zu pages behind the last one, not %lld", resident, ahead);
	for (; i > npages / 2; i--)
		page_fill(p + (i - 1) * PAGE, 0x2a00 + i - 1, 1);
	verify("both ways", p, 0x2a00, 1);
	munmap(p, len());

	/* None behind the end of a mapping, or where they are not wanted. */
	must_write(params, "touch_ahead", "0");
	before = window("ahead_pages");
	fill(p = anon_map(len()), 0x2b00, 1);
	if (window("ahead_pages") != before)
		violated("pages ahead, with touch_ahead=0");
	must_write(params, "touch_ahead", "7");
	p = anon_map(2 * len());
	if (mprotect(p + len(), len(), PROT_NONE))
		setup_error("mprotect: %s", strerror(errno));
	fill(p, 0x2c00, 1);
	for (i = npages; i < 2 * npages; i++)
		if (page_resident(p + i * PAGE))
			violated("a page behind the end of the mapping");
	verify("up to the end", p, 0x2c00, 1);
}

/* Slots that are reserved come back by themselves. */
static void t_touch_idle(void)
{
	uint64_t end;

	munmap(touch(0x2600), len());
	for (end = now_ms() + WAIT_MS; window("reserved"); usleep(10000))
		if (now_ms() > end)
			violated("%lld slots are reserved for nobody", window("reserved"));
}

static void say(const char *word)
{
	must_write("/sys/kernel/symbiotic/", "guest_word", word);
}

static void host_says(unsigned long word)
{
	uint64_t end = now_ms() + 2 * WAIT_MS;

	for (; host_word() != word; usleep(10000))
		if (now_ms() > end)
			violated("the host does not say %lu", word);
}

/*
 * Memory behind free slots goes back to the host: give_slots.sh looks at the file,
 * when 32 MiB are in it and when they have gone. What is in use there stays, and what
 * comes next is zero. Clusters that others have slots of do not go.
 */
static void t_touch_give(void)
{
	const long long others = 6 * 512;
	long long given;
	char *p, *stay;
	uint64_t end;

	npages = 1024;
	stay = touch(0x2680);
	npages = 8192;
	p = touch(0x4000);
	say("1");
	host_says(1);

	given = window("given_pages");
	munmap(p, len());
	for (end = now_ms() + WAIT_MS;
	     window("given_pages") < given + (long long)npages - others; usleep(10000))
		if (now_ms() > end)
			violated("%lld of %zu pages given to the host",
				 window("given_pages") - given, npages);
	say("2");
	host_says(2);

	p = anon_map(len());
	for (size_t i = 0; i < npages; i++) {
		for (size_t at = 0; at < PAGE; at += sizeof(long))
			if (*(long *)(p + i * PAGE + at))
				violated("old data in new page %zu", i);
		page_fill(p + i * PAGE, 0x6000 + i, 1);
	}
	verify("behind what was given", p, 0x6000, 1);
	npages = 1024;
	verify("what stayed", stay, 0x2680, 1);
}

/* The same while memory comes and goes all the time. */
static void t_touch_give_turns(void)
{
	uint64_t end = now_ms() + 4000, last = now_ms() + WAIT_MS, id = 0x8000;
	long long given = window("given_pages");
	char *p[2] = { 0 };
	size_t i;

	npages = 2048;
	touch_mode("always");
	for (i = 0; now_ms() < end || window("given_pages") == given; i++, id += npages) {
		if (now_ms() > last)
			violated("no page given to the host in %zu turns", i);
		if (p[i % 2]) {
			verify("in turns", p[i % 2], id - 2 * npages, 1);
			munmap(p[i % 2], len());
			/* Some are on their way when the next ones come. */
			usleep(i % 7 * 100000);
		}
		p[i % 2] = anon_map(len());
		fill(p[i % 2], id, 1);
	}
}

const struct test_case in_place_touch[] = {
	{ "touch", "first touch: zero, pushed out, in place again", t_touch },
	{ "touch_auto", "first touch: when memory is short", t_touch_auto },
	{ "touch_huge", "first touch: before a huge page, when memory is short", t_touch_huge },
	{ "touch_cow", "first touch: copies after fork, of the zero page", t_touch_cow },
	{ "touch_file", "first touch: private copies of a file", t_touch_file },
	{ "touch_others", "first touch: not for KSM and userfaultfd", t_touch_others },
	{ "touch_mlock", "first touch: not for mlock", t_touch_mlock },
	{ "touch_charge", "first touch: memory cgroup, swap.max, swap.high", t_touch_charge },
	{ "touch_grant", "first touch: the grant, and hot pages to memory", t_touch_grant },
	{ "touch_turns", "first touch: grants and modes that change", t_touch_turns },
	{ "touch_swapoff", "first touch: swapoff among them", t_touch_swapoff },
	{ "touch_held", "first touch: pages in a pipe", t_touch_held },
	{ "touch_ahead", "first touch: more than one page of a run", t_touch_ahead },
	{ "touch_idle", "first touch: reserved slots", t_touch_idle },
	{ "touch_give", "first touch: memory goes back to the host", t_touch_give,
	  .special = true },
	{ "touch_give_turns", "first touch: memory that goes back all the time",
	  t_touch_give_turns, .special = true },
	{ "touch_fill", "first touch: a fill copies next to nothing", t_touch_fill,
	  .special = true },
	{ "touch_exchange", "first touch: hot pages for cold ones of memory", t_touch_exchange,
	  .special = true },
	{ "touch_numa", "first touch: not for whoever names a node", t_touch_numa,
	  .special = true },
	{ "touch_cpuset", "first touch: not in a cpuset of other nodes", t_touch_cpuset,
	  .special = true },
	{ "touch_oom", "first touch: a memory cgroup out of both", t_touch_oom, .special = true },
	{ "touch_oom_order", "first touch: whom a lack of both kills", t_touch_oom_order,
	  .special = true },
	{ 0 }
};
