// SPDX-License-Identifier: GPL-2.0
/*
 * One test per safety rule of SwapBypass, in the guest.
 *
 *   bypass_rules [-b 0|1] [-s mask] [-n pages] [-l] [-T] [name...]
 *
 *   -b  bypass must (1) or must not (0) happen; default: 1 if attached
 *   -s  symbiotic.skip_hooks for the run: break the guest on purpose
 *   -n  pages per test, default 64
 *   -l  list the tests
 *   -T  test the tests: run them with their rule's line removed; they must fail
 *
 * Each test swaps pages out by MADV_PAGEOUT, uses them through the bypass, makes
 * the change that the rule is about, and looks whether something of the old
 * mapping is left. Exit status: 0 all rules hold, 1 one is violated, 2 a test
 * could not be made. With -T: 0 all removed hooks were noticed, 1 not all.
 * Some tests fill the swap device: use a small one, of 32 MiB or so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "bypass_rules.h"

bool expect_bypass;

/* Bits of symbiotic.skip_hooks; see linux/symbiotic_bypass.h. */
#define SKIP_VMA	(1U << 0)
#define SKIP_ZAP	(1U << 1)
#define SKIP_FREE	(1U << 2)
#define SKIP_MOVE	(1U << 3)
#define SKIP_READ	(1U << 4)
#define SKIP_WRITE	(1U << 5)
#define SKIP_SWAPOFF	(1U << 6)
#define SKIP_VMA_KIND	(1U << 8)
#define SKIP_ACCESS	(1U << 9)
#define SKIP_VMA_LOCKED	(1U << 10)
#define SKIP_ZAPPING	(1U << 11)
#define SKIP_SWAPCACHE	(1U << 12)
#define SKIP_ZEROMAP	(1U << 13)
#define SKIP_SHARED	(1U << 14)

static const struct removal removals[] = {
	{ SKIP_VMA, "the drop in vma_start_write()", "mprotect", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mprotect_smp", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mremap", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "munmap", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "uffd", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mlock", TEST_VIOLATED },
	{ SKIP_VMA_KIND, "the check for special VMAs", "mlock", TEST_VIOLATED },
	{ SKIP_ACCESS, "the check of VM_READ and VM_WRITE", "access", TEST_VIOLATED },
	/*
	 * Two locks on this door: the VMM refuses a writable answer for a PTE
	 * without the exclusive bit, so that nothing is bypassed at all.
	 */
	{ SKIP_SHARED, "the check of the count", "shared", TEST_SETUP },
	{ SKIP_ZAP, "the drop in unmap_page_range()", "dontneed", TEST_VIOLATED },
	{ SKIP_ZAP | SKIP_WRITE, "the drops at zap and at write", "slot_reuse",
	  TEST_VIOLATED },
	/* The second line of defence: the write drop alone saves the others. */
	{ SKIP_ZAP, "the drop in unmap_page_range()", "slot_reuse", TEST_OK },
	{ SKIP_FREE, "the drop in MADV_FREE", "free", TEST_VIOLATED },
	{ SKIP_MOVE, "the drop in UFFDIO_MOVE", "uffd_move", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "read_back", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "willneed", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "race", TEST_VIOLATED },
	{ SKIP_SWAPCACHE, "the check of SWAP_HAS_CACHE", "read_back", TEST_VIOLATED },
	{ SKIP_SWAPCACHE, "the check of SWAP_HAS_CACHE", "willneed", TEST_VIOLATED },
	{ SKIP_ZEROMAP, "the check of the zero map", "zeromap", TEST_VIOLATED },
	{ SKIP_VMA_LOCKED, "the check of the VMA lock", "vma_locked", TEST_VIOLATED },
	{ SKIP_ZAPPING, "the check for a zap under way", "zapping", TEST_VIOLATED },
	/* Last, as all that is left over is dropped by the next swapoff. */
	{ SKIP_SWAPOFF, "the detach at swapoff", "swapoff", TEST_VIOLATED },
	{ 0 }
};

static void options_off(void)
{
	test_option("stall_hooks", 0);
	test_option("keep_zeromap", 0);
}

static void skip(unsigned int hooks)
{
	test_option("skip_hooks", hooks);
}

/*
 * Drops every mapping, also those that a removed hook has left. A case that is
 * violated can end between its own swapoff and swapon.
 */
static void clean_slate(void)
{
	static char dev[128];

	if (!*dev && !swap_device(dev, sizeof(dev)))
		setup_error("no swap device");
	if ((swapoff(dev) && errno != EINVAL) || swapon(dev, 0))
		setup_error("swapoff and swapon: %s", strerror(errno));
}

static const struct test_case *const tables[] = {
	bypass_rules_vma, bypass_rules_zap, bypass_rules_read, bypass_rules_race,
	bypass_rules_step, NULL
};

/*
 * The VMM may drop a mapping on its own account before a case looks, and so hide
 * a missing hook. That is chance, hence the tries.
 */
static const struct suite suite = {
	.tables = tables,
	.after = options_off,
	.seconds = 120,
	.skip = skip,
	.clean = clean_slate,
	.patience = 120,
	.tries = 5,
};

int main(int argc, char **argv)
{
	unsigned long hooks = 0;
	bool removal = false;
	int opt, ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	expect_bypass = bypass_attached();
	while ((opt = getopt(argc, argv, "b:s:n:lT")) != -1) {
		switch (opt) {
		case 'b':
			expect_bypass = atoi(optarg);
			break;
		case 's':
			hooks = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			npages = strtoul(optarg, NULL, 0);
			break;
		case 'T':
			removal = true;
			break;
		case 'l':
			return suite_list(&suite);
		default:
			return TEST_SETUP;
		}
	}
	if (expect_bypass && !bypass_attached())
		setup_error("SwapBypass is not attached");
	/* What a case executes is that process itself, not a child of it. */
	if (getenv("BYPASS_NESTED")) {
		suite_find(&suite, argv[optind])->fn();
		return TEST_OK;
	}
	setenv("BYPASS_NESTED", "1", 1);

	if (removal) {
		if (!expect_bypass || !test_option("skip_hooks", 0))
			setup_error("no bypass, or no test options in this kernel");
		return suite_test(&suite, removals, argv + optind);
	}
	if (hooks && !test_option("skip_hooks", hooks))
		setup_error("no test options in this kernel");
	ret = suite_run(&suite, argv + optind);
	if (hooks)
		skip(0);
	return ret;
}
