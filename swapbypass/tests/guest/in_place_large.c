// SPDX-License-Identifier: GPL-2.0
/*
 * A window that is much larger than the memory of guest and host: its first slots, its
 * last ones, and some in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "in_place.h"

/* What the kernel takes free slots by; as many pages are a huge one. */
#define CLUSTER		512
/* One chunk in so many has content, before the last ones. */
#define SPARSE		32
#define MOST_CHUNKS	128
#define MOST_CLUSTERS	2048

/* Pages of a cluster, at best a huge page: not a matter of right or wrong. */
static char *chunk(void)
{
	char *all = anon_map(2 * len());
	char *p = (char *)(((uintptr_t)all + len() - 1) & ~(len() - 1));

	madvise(p, len(), MADV_HUGEPAGE);
	return p;
}

/* The last page of the disk is none of those before it. */
static void last_page_of_disk(const char *dev)
{
	const long long last = all_pages - 1, step = 1 << 19;
	char *page = anon_map(PAGE);
	long long at;
	int fd;

	/* The kernel lets nobody write to a device that is swapped on. */
	if (swapoff(dev))
		setup_error("swapoff: %s", strerror(errno));
	fd = open(dev, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		setup_error("%s: %s", dev, strerror(errno));
	page_fill(page, 0x2900, 1);
	if (pwrite(fd, page, PAGE, last * PAGE) != PAGE)
		violated("page %lld cannot be written: %s", last, strerror(errno));
	memset(page, 1, PAGE);
	if (pread(fd, page, PAGE, last * PAGE) != PAGE || page_check(page, 0x2900, 1) >= 0)
		violated("page %lld is not what was written", last);
	/* 2 GiB apart: what too few bits would make of it. */
	for (at = last % step; at < last; at += step) {
		if (pread(fd, page, PAGE, at * PAGE) != PAGE)
			violated("page %lld cannot be read: %s", at, strerror(errno));
		if (page_check(page, 0x2900, 1) < 0)
			violated("page %lld is page %lld", at, last);
	}
	close(fd);
	munmap(page, PAGE);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
}

/*
 * The kernel takes free clusters in steps through the whole window. Pages of zeroes,
 * which mode copy does not write, lead there with no memory of the host's.
 */
static void t_large(void)
{
	const uint64_t end = all_pages - 2 * SPARSE * CLUSTER;
	char *chunks[MOST_CHUNKS], *all[MOST_CLUSTERS], *dev = device();
	size_t i, n = 0, clusters = 0, kept = 0;
	uint64_t slot = 0, first = 0;
	int err;

	if (all_pages < 1 << 21)
		setup_error("a window of %lld pages is not large", all_pages);
	last_page_of_disk(dev);

	npages = CLUSTER;
	set_window("mode", "copy");
	for (; slot < end && clusters < MOST_CLUSTERS && n < MOST_CHUNKS; clusters++) {
		char *p = all[clusters] = chunk();

		if (clusters % SPARSE && slot < end - end / 32) {
			memset(p, 0, len());
		} else {
			fill(p, 0x100000 * n, 1);
			chunks[n++] = p;
		}
		must_page_out(p);
		slot = page_slot(p);
		if (!first)
			first = slot;
	}
	if (slot < end || first > (uint64_t)all_pages / 32)
		setup_error("from slot %llu to %llu of %lld", (unsigned long long)first,
			    (unsigned long long)slot, all_pages);

	set_window("mode", "in-place");
	for (i = 0; i < n; i++)
		verify("swapped out", chunks[i], 0x100000 * i, 1);
	/* All but what was still in the swap cache. */
	if (window("in_place") < (long long)(n * npages * 3 / 4))
		violated("%lld of %zu pages in place", window("in_place"), n * npages);
	for (i = 0; i < n; i++)
		fill(chunks[i], 0x100000 * i, 2);
	/* Pushed out, and some of it again by faults. */
	set_grant(0);
	if (!wait_in_place(0))
		violated("%lld pages in place, none granted", window("in_place"));
	set_grant(all_pages);
	for (i = 0; i < n; i += 2)
		verify("written", chunks[i], 0x100000 * i, 2);

	/* Most of it leaves, the rest finds its way to memory. */
	for (i = 0; i < clusters; i++) {
		if (kept < 4 && all[i] == chunks[kept])
			kept++;
		else
			munmap(all[i], len());
	}
	err = swapoff_within(dev, 120);
	if (err)
		violated("swapoff: %s", strerror(err));
	for (i = 0; i < kept; i++)
		verify("after swapoff", chunks[i], 0x100000 * i, 2);
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
}

const struct test_case in_place_large[] = {
	{ "large", "slots of a large window", t_large, .special = true },
	{ 0 }
};
