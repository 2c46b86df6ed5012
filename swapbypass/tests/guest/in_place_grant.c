// SPDX-License-Identifier: GPL-2.0
/*
 * Giving pages back: to the VMM, to others that use theirs, and at swapoff.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "in_place.h"

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

/* A few may be locked, by who looks at them for the VMM's information. */
static void must_be_out(const char *when, const char *p, long long pushed)
{
	size_t out = pages_swapped(p, len());

	if (out < npages - npages / 16)
		violated("%s: %zu of %zu pages are paged out", when, out, npages);
	if (window("pushed_pages") < pushed + (long long)out)
		violated("%s: %lld pages were pushed out", when, window("pushed_pages") - pushed);
}

/* Pages are on no LRU list, and advice is for them, too. */
static void t_page_out(void)
{
	struct iovec iov;
	long long pushed;
	pid_t pid, parent = getpid();
	struct baton b;
	int fd[2];
	char *p;

	npages = 256;
	p = in_place(0x2d00);
	iov = (struct iovec){ p, len() };
	pushed = window("pushed_pages");
	if (madvise(p, len(), MADV_PAGEOUT))
		violated("MADV_PAGEOUT: %s", strerror(errno));
	must_be_out("its own", p, pushed);
	verify("paged out", p, 0x2d00, 1);

	/* Not what others have mapped. */
	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("child", p, 0x2d00, 1);
		_exit(TEST_OK);
	}
	if (madvise(p, len(), MADV_PAGEOUT) || pages_swapped(p, len()))
		violated("%zu pages that a child has, too, are paged out", pages_swapped(p, len()));
	baton_pass(&b, 0);
	join_child(pid);

	/* By somebody else, who has the right to it. */
	pushed = window("pushed_pages");
	pid = must_fork();
	if (!pid) {
		int pidfd = syscall(SYS_pidfd_open, parent, 0);

		munmap(p, len());
		if (syscall(SYS_process_madvise, pidfd, &iov, 1, MADV_PAGEOUT, 0) != (long)len())
			violated("process_madvise: %s", strerror(errno));
		_exit(TEST_OK);
	}
	join_child(pid);
	must_be_out("another's", p, pushed);
	verify("paged out by another", p, 0x2d00, 1);

	/* A pipe has a reference: such a page keeps what is its own, and is found again. */
	into_pipe(fd, p);
	if (madvise(p, len(), MADV_PAGEOUT))
		violated("MADV_PAGEOUT beside a pipe: %s", strerror(errno));
	verify("in a pipe", p, 0x2d00, 1);
	out_of_pipe(fd, 0x2d00, 1);
	must_hold("read from the pipe", 0);
}

/* Pages that hold what they did, or zeroes, as each may. */
static size_t zeroes(const char *when, const char *p, uint64_t id)
{
	size_t i, zero = 0;

	for (i = 0; i < npages; i++) {
		if (page_zero(p + i * PAGE))
			zero++;
		else if (page_check(p + i * PAGE, id + i, 1) >= 0)
			violated("%s: page %zu is neither as it was nor zero", when, i);
	}
	return zero;
}

/* What is free by advice goes back at once, as what is swapped out does. */
static void t_free(void)
{
	uint64_t end = now_ms() + WAIT_MS;
	long long others, used, least;
	struct baton b;
	size_t zero;
	int fd[2];
	pid_t pid;
	char *p;

	npages = 256;
	p = in_place(0x2f00);
	least = (npages - npages / 16) * (PAGE / 1024) / 2;
	others = window("in_place") - npages;
	used = swap_used();
	if (madvise(p, len(), MADV_FREE))
		violated("MADV_FREE: %s", strerror(errno));
	if (!wait_in_place(others + npages / 16))
		violated("%lld pages are in place", window("in_place") - others);
	/* Processors keep some slots back. */
	while (used - swap_used() < least)
		if (now_ms() > end)
			violated("%lld KiB of swap are used, %lld before", swap_used(), used);
	zero = zeroes("free", p, 0x2f00);
	if (zero < npages - npages / 16)
		violated("%zu of %zu pages have gone", zero, npages);
	fill(p, 0x2f00, 2);
	must_page_out(p);
	verify("used again", p, 0x2f00, 2);
	munmap(p, len());

	/* Not what others have mapped. */
	p = in_place(0x3000);
	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("child", p, 0x3000, 1);
		_exit(TEST_OK);
	}
	if (madvise(p, len(), MADV_FREE))
		violated("MADV_FREE beside a child: %s", strerror(errno));
	baton_pass(&b, 0);
	join_child(pid);
	zeroes("a child has it, too", p, 0x3000);
	munmap(p, len());

	/* A pipe keeps what it was given. */
	p = in_place(0x3100);
	into_pipe(fd, p);
	if (madvise(p, len(), MADV_FREE))
		violated("MADV_FREE beside a pipe: %s", strerror(errno));
	zeroes("in a pipe", p, 0x3100);
	fill(p, 0x3100, 2);
	out_of_pipe(fd, 0x3100, 1);
	verify("beside the pipe", p, 0x3100, 2);
	must_hold("read from the pipe", 0);
}

/* Cold by advice: it goes first, though it was used as lately as the rest. */
static void t_cold(void)
{
	size_t i, went = 0, hot_went = 0, round, half, share;

	npages = 1024;
	half = npages / 2;
	share = npages / 4;
	for (round = 0; round < 8; round++) {
		char *p = in_place(0x2e00);

		mprotect(p, len(), PROT_READ);
		mprotect(p, len(), PROT_READ | PROT_WRITE);
		verify("used", p, 0x2e00, 1);
		if (madvise(p, half * PAGE, MADV_COLD))
			violated("MADV_COLD: %s", strerror(errno));
		set_grant(window("in_place") - share);
		for (i = 0; i < npages; i++) {
			went += page_swapped(p + i * PAGE);
			hot_went += i >= half && page_swapped(p + i * PAGE);
		}
		set_grant(all_pages);
		verify("all", p, 0x2e00, 1);
		munmap(p, len());
	}
	if (went < round * share)
		violated("%zu pages went, not %zu", went, round * share);
	if (hot_went * 8 > went)
		violated("%zu of %zu pages that went were not cold", hot_went, went);
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
			violated("%zu of %zu cold pages made room, %zu of the others wait",
				 pages_swapped(cold, len()), npages,
				 pages_swapped(hot, len()));
		verify("hot", hot, 0xe00, 1);
		/* What got memory, and no place, asks again. */
		empty_batches();
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

/*
 * Signals end swapoff, each time a bit later: among pages that move, that are in a
 * pipe, that are swapped out. The window is in use again then, with all that was in it.
 */
static void t_swapoff_signal(void)
{
	unsigned int us = 200, ended = 0;
	char *p, *dev = device();
	int fd[2], err;

	npages = 256;
	p = in_place(0x1400);
	npages /= 2;
	into_pipe(fd, p);
	npages *= 2;
	for (; (err = swapoff_for(dev, us)) == EINTR; us += us / 2) {
		ended++;
		verify("after a signal", p, 0x1400, 1);
		/* What has moved is swapped out again. */
		madvise(p, len(), MADV_PAGEOUT);
	}
	if (err)
		violated("swapoff after %u signals: %s", ended, strerror(err));
	if (!ended)
		setup_error("swapoff has ended before a signal");
	verify("after swapoff", p, 0x1400, 1);
	must_hold("after swapoff", npages / 2);

	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	npages /= 2;
	out_of_pipe(fd, 0x1400, 1);
	npages *= 2;
	set_grant(all_pages);
	must_hold("read from the pipe", 0);
	fill(p, 0x1400, 2);
	if (swapoff_within(dev, 20) || swapon(dev, 0))
		violated("swapoff, swapon: %s", strerror(errno));
	must_page_out(p);
	verify("swapped out to the new area", p, 0x1400, 2);
}

const struct test_case in_place_grant[] = {
	{ "declined", "faults that find no grant", t_declined },
	{ "grant", "a grant that is lowered", t_grant },
	{ "hot", "what is used stays, with MGLRU and without", t_hot },
	{ "page_out", "MADV_PAGEOUT, also another process's", t_page_out },
	{ "free", "MADV_FREE: what goes back", t_free },
	{ "cold", "MADV_COLD: what goes first", t_cold },
	{ "aging", "cold pages make room", t_aging },
	{ "swapoff", "swapoff and swapon", t_swapoff },
	{ "held", "pages in a pipe: grant, swapoff, swapon", t_held },
	{ "swapoff_signal", "swapoff that signals end", t_swapoff_signal },
	{ "only_ram", "a device that reaches only RAM, for good", t_only_ram, .special = true },
	{ "host_grant", "the VMM's grant", t_host_grant, .special = true },
	{ 0 }
};
