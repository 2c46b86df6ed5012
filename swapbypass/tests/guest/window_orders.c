// SPDX-License-Identifier: GPL-2.0
/*
 * Several swap devices that are swapped on and off in every order: a window is
 * never taken for another device, nor another device for a window.
 *
 *   window_orders [-m mode] [-n pages] device...
 *
 * The numbers that the kernel gives to swap devices are used again, so all orders
 * bring all devices to all numbers. Meanwhile each device gets pages, by
 * different priorities, and what comes back must be what went out; another
 * process keeps swapping. All devices are made anew; those that are swapped on are
 * swapped off first.
 * Exit status: 0 all right, 1 wrong data, 2 could not be tried.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <ktap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "common.h"

#define MAX_DEVICES	5
#define LOAD_PAGES	48UL

struct device {
	const char *path;
	const char *window;	/* its name if it is one */
	char *data;		/* pages that went out when it was swapped on last */
	uint64_t seq;
	long long mapped;
};

static struct device devices[MAX_DEVICES];
static unsigned int nr_devices;

static long long mapped_pages(const struct device *dev)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "/sys/block/%s/symswap/", dev->window);
	return must_read(folder, "mapped_pages");
}

static void prepare(struct device *dev, const char *mode)
{
	char folder[64];

	if (swapoff(dev->path) && errno != EINVAL)
		setup_error("swapoff %s: %s", dev->path, strerror(errno));
	if (strstr(dev->path, "zram"))
		shell("echo 32M >/sys/block/%s/disksize", strrchr(dev->path, '/') + 1);
	shell("mkswap %s >/dev/null", dev->path);
	if (strstr(dev->path, "symswap")) {
		dev->window = strrchr(dev->path, '/') + 1;
		dev->mapped = mapped_pages(dev);
		snprintf(folder, sizeof(folder), "/sys/block/%s/symswap/", dev->window);
		must_write(folder, "mode", mode);
	}
}

/* What went out comes back, from wherever it is now. */
static void check(struct device *dev)
{
	verify(dev->path, dev->data, (dev - devices) << 16, dev->seq);
}

static void on(struct device *dev, unsigned int prio)
{
	if (swapon(dev->path, SWAP_FLAG_PREFER | prio))
		setup_error("swapon %s: %s", dev->path, strerror(errno));
	must_page_out(dev->data);
	check(dev);
	fill(dev->data, (dev - devices) << 16, ++dev->seq);
	must_page_out(dev->data);
}

static void off(struct device *dev)
{
	unsigned int i;

	if (swapoff(dev->path))
		violated("swapoff %s: %s", dev->path, strerror(errno));
	for (i = 0; i < nr_devices; i++)
		check(&devices[i]);
}

/* Permutation number @n of the devices. */
static void permutation(unsigned int n, unsigned int *order)
{
	unsigned int i, j, used = 0, take;

	for (i = 0; i < nr_devices; i++) {
		take = n % (nr_devices - i);
		n /= nr_devices - i;
		for (j = 0; used & 1U << j || take--; j++)
			;
		order[i] = j;
		used |= 1U << j;
	}
}

/* Swaps for as long as it may, with whatever there is to swap to. */
static void load(volatile bool *stop)
{
	char *p = anon_map(LOAD_PAGES * PAGE);
	uint64_t seq, i;

	for (seq = 1; !*stop; seq++) {
		for (i = 0; i < LOAD_PAGES; i++)
			page_fill(p + i * PAGE, i, seq);
		madvise(p, LOAD_PAGES * PAGE, MADV_PAGEOUT);
		for (i = 0; i < LOAD_PAGES; i++)
			if (page_check(p + i * PAGE, i, seq) >= 0)
				violated("page %lu of the load is wrong", i);
	}
	_exit(TEST_OK);
}

int main(int argc, char **argv)
{
	unsigned int first[MAX_DEVICES], last[MAX_DEVICES], all = 1, n, i, prio;
	const char *mode = "in-place";
	volatile bool *stop;
	bool used = true;
	pid_t pid;
	int opt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "m:n:")) != -1) {
		switch (opt) {
		case 'm':
			mode = optarg;
			break;
		case 'n':
			npages = strtoul(optarg, NULL, 0);
			break;
		default:
			return TEST_SETUP;
		}
	}
	nr_devices = argc - optind;
	if (!nr_devices || nr_devices > MAX_DEVICES)
		setup_error("1 to %d devices", MAX_DEVICES);
	for (i = 0; i < nr_devices; i++) {
		devices[i].path = argv[optind + i];
		prepare(&devices[i], mode);
		all *= i + 1;
	}

	stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stop == MAP_FAILED)
		setup_error("mmap: %s", strerror(errno));
	pid = must_fork();
	if (!pid)
		load(stop);
	/* Not before: what two processes share is not swapped out on demand. */
	for (i = 0; i < nr_devices; i++) {
		devices[i].data = anon_map(len());
		fill(devices[i].data, i << 16, ++devices[i].seq);
	}

	for (n = 0; n < all; n++) {
		permutation(n, first);
		permutation((n * 5 + 3) % all, last);
		for (i = 0; i < nr_devices; i++) {
			/* The newest is the first, or the last, or takes turns. */
			prio = n % 3 == 0 ? i : n % 3 == 1 ? nr_devices - i : 1;
			on(&devices[first[i]], prio);
		}
		for (i = 0; i < nr_devices; i++)
			off(&devices[last[i]]);
	}

	*stop = true;
	join_child(pid);
	for (i = 0; i < nr_devices; i++) {
		if (!devices[i].window)
			continue;
		devices[i].mapped = mapped_pages(&devices[i]) - devices[i].mapped;
		printf("# %s: %lld pages in place\n", devices[i].window, devices[i].mapped);
		used &= devices[i].mapped > 0;
	}
	if (!strcmp(mode, "in-place") && !used)
		setup_error("a window was not used in place");
	ktap(true, "%u orders of %u devices", all, nr_devices);
	return ktap_end();
}
