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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "in_place.h"

/*
 * Twice SWAP_SLOTS_CACHE_SIZE of the kernel: free ones, and ones to be freed; and
 * those that are reserved for first touches.
 */
#define CACHED_SLOTS	(3 * 64)

const char *disk = "/dev/vda";
long long all_pages;
static long long used_before;

/* What a case is about comes in place by faults, unless it says so. Of a new window, too. */
void by_faults(void)
{
	set_window("mode", "in-place");
	set_window("first_touch", "off");
}

static void before(void)
{
	by_faults();
	set_grant(all_pages);
	used_before = swap_used();
}

/*
 * What others have touched for the first time meanwhile, this process among them,
 * is theirs, and leaves.
 */
static void others_leave(void)
{
	char mode[64] = "";
	FILE *f = fopen("/sys/block/symswap0/symswap/first_touch", "re");

	if (!f)
		return;
	if (!fgets(mode, sizeof(mode), f) || strstr(mode, "[off]")) {
		fclose(f);
		return;
	}
	fclose(f);
	set_window("first_touch", "off");
	set_grant(0);
	set_grant(all_pages);
}

/*
 * Nothing is left: slots are freed behind the pages' backs, and each CPU caches
 * some that are free.
 */
static bool nothing_left(void)
{
	long long most = used_before +
			 sysconf(_SC_NPROCESSORS_CONF) * CACHED_SLOTS * (PAGE >> 10);
	uint64_t end = now_ms() + WAIT_MS;

	others_leave();
	/* munlock() lets go of pages in batches, per CPU; this drains them. */
	write_file("/proc/sys/vm/compact_memory", "1");
	for (; window("in_place") || swap_used() > most; usleep(1000)) {
		if (now_ms() < end)
			continue;
		printf("# left over: %lld pages in place, %lld KiB of swap instead of %lld\n",
		       window("in_place"), swap_used(), most);
		return false;
	}
	return true;
}

/* A slot that is never freed keeps swapoff from ending. */
static void last_swapoff(void)
{
	char *dev = device();
	int err = swapoff_within(dev, 60);

	if (err || swapon(dev, 0))
		violated("the last swapoff: %s", strerror(err ? err : errno));
}

static void skip(unsigned int rules)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", rules);
	must_write("/sys/module/symswap/parameters/", "skip", text);
}

static const struct test_case *const tables[] = {
	in_place_faults, in_place_space, in_place_others, in_place_grant, in_place_memcg,
	in_place_device, in_place_touch, in_place_large, NULL
};

static const struct test_case last = { "swapoff_last", "no slot is left", last_swapoff, false };

static const struct suite suite = {
	.tables = tables,
	.before = before,
	.clear = nothing_left,
	.seconds = 300,
	.last = &last,
	.skip = skip,
	.patience = 12,
	.tries = 1,
};

/*
 * Bits in the order of enum symswap_rule; those of 10 and 11 are about races that take the
 * debug kernel to see: make fuzz-mm-faults. The number comes last: zram keeps slots for good.
 */
static const struct removal removals[] = {
	{ 1 << 0, "\"the slot of a page in use is not free\"", "hold", NOTICED },
	{ 1 << 1, "\"a slot with several users is shared\"", "fork_before", NOTICED },
	{ 1 << 2, "\"the content is in the slot\"", "zeromap", NOTICED },
	{ 1 << 3, "\"mlock gets memory of the guest's\"", "mlock_first", NOTICED },
	{ 1 << 4, "\"userfaultfd sees each page\"", "uffd_wp", NOTICED },
	{ 1 << 5, "\"swapoff moves pages\"", "swapoff", NOTICED },
	{ 1 << 6, "\"no more than granted\"", "grant", NOTICED },
	{ 1 << 7, "\"cold pages make room\"", "aging", NOTICED },
	{ 1 << 8, "\"hot is what has been used itself\"", "hot", TEST_VIOLATED },
	{ 1 << 12, "\"a first touch sees zeroes\"", "touch", TEST_VIOLATED },
	{ 1 << 13, "\"and is charged as swap\"", "touch_charge", TEST_VIOLATED },
	{ 1 << 14, "\"swapoff gets the slots that are reserved\"", "touch_swapoff", NOTICED },
	{ 1 << 9, "\"the slot's number is not its identity\"", "type_again", TEST_VIOLATED },
	{ 0 }
};

int main(int argc, char **argv)
{
	int opt;

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
			return suite_test(&suite, removals, argv + optind);
		case 'l':
			return suite_list(&suite);
		default:
			return TEST_SETUP;
		}
	}
	all_pages = window("limit");
	return suite_run(&suite, argv + optind);
}
