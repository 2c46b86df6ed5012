// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of the address space under pages in place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "in_place.h"

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

const struct test_case in_place_space[] = {
	{ "mremap", "moved", t_mremap },
	{ "dontneed", "MADV_DONTNEED", t_dontneed },
	{ "mlock", "mlock of pages in place", t_mlock },
	{ "mlock_first", "mlock of swapped pages", t_mlock_first },
	{ "uffd_wp", "userfaultfd write protection", t_uffd_wp },
	{ "ksm", "KSM", t_ksm },
	{ "ksm_copy", "copied by KSM, unused since", t_ksm_copy },
	{ "thp", "huge pages, MADV_COLLAPSE", t_thp },
	{ "collapse", "no huge page, nothing in place", t_collapse },
	{ "reclaim", "MGLRU and classic reclaim, compaction", t_reclaim },
	{ 0 }
};
