// SPDX-License-Identifier: GPL-2.0
/*
 * The device: full, asleep, removed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_place.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101	/* the C library has but MADV_HWPOISON */
#endif

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

/* Another device gets the number that the window had, and the window another one. */
static void t_type_again(void)
{
	char *dev = device(), *p;

	if (swapoff_within(dev, 60))
		violated("swapoff: %s", strerror(errno));
	write_file("/sys/block/zram0/reset", "1");
	shell("echo 32M >/sys/block/zram0/disksize");
	shell("mkswap /dev/zram0 >/dev/null");
	if (swapon("/dev/zram0", SWAP_FLAG_PREFER | 9) || swapon(dev, 0))
		violated("swapon: %s", strerror(errno));
	p = swapped_out(0x10c0);
	verify("swapped out to zram", p, 0x10c0, 1);
	if (window("in_place"))
		violated("%lld pages in place, and all are zram's", window("in_place"));
	shell("swapoff /dev/zram0");
	verify("after swapoff of zram", p, 0x10c0, 1);
}

/* Memory under a page goes bad, or is about to: the page stays where it is. */
static void t_bad_memory(void)
{
	char *p = in_place(0x1100);

	if (!madvise(p, PAGE, MADV_SOFT_OFFLINE) || (errno != EIO && errno != EINVAL))
		violated("MADV_SOFT_OFFLINE: %s", strerror(errno));
	if (errno == EINVAL)
		setup_error("a kernel without CONFIG_MEMORY_FAILURE");
	if (!madvise(p, PAGE, MADV_HWPOISON) || errno != ENXIO)
		violated("MADV_HWPOISON: %s", strerror(errno));
	verify("after that", p, 0x1100, 1);
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
	by_faults();
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
	shell("cd /sys/bus/pci/devices; d=$(grep -l 5359 */subsystem_d*); echo 1 >${d%%/*}/remove");
	shell("echo 1 >/sys/bus/pci/rescan");
	if (swapon(dev, 0))
		violated("swapon %s: %s", dev, strerror(errno));
	by_faults();
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

int leave_removal(void)
{
	char *dev, *p;
	int fd[2];

	dev = device();
	by_faults();
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

const struct test_case in_place_device[] = {
	{ "full", "the window is full", t_full },
	{ "type_again", "another device gets the window's number", t_type_again },
	{ "bad_memory", "their memory is lost, says somebody", t_bad_memory, .special = true },
	{ "hibernation", "hibernation", t_hibernation },
	{ "suspend", "asleep, and woken by the host", t_suspend, .special = true },
	{ "remove", "the device goes and comes back", t_remove },
	{ "add", "the device's disk cannot be added", t_add },
	{ "remove_pipe", "the device goes when a pipe lets go", t_remove_pipe },
	{ 0 }
};
