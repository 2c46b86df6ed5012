// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: how SwapBypass reads Linux's swap PTEs and swap map, what it tells the
 * VMM about them, and the decision as compiled into the kernel.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <symbiotic/query.h>

#include "../symbiotic_bypass.h"

#define TEST_TYPE	3
#define TEST_PAGES	1000

/* ---- PTEs -------------------------------------------------------------- */

static pte_t pte_ours(void)
{
	return swp_entry_to_pte(swp_entry(TEST_TYPE, 7));
}

static pte_t pte_last(void)
{
	return swp_entry_to_pte(swp_entry(TEST_TYPE, TEST_PAGES - 1));
}

static pte_t pte_exclusive(void)
{
	return pte_swp_mkexclusive(pte_ours());
}

static pte_t pte_watched(void)
{
	return pte_swp_mkuffd_wp(pte_ours());
}

static pte_t pte_soft_dirtied(void)
{
	return pte_swp_mksoft_dirty(pte_ours());
}

static pte_t pte_other_type(void)
{
	return swp_entry_to_pte(swp_entry(TEST_TYPE + 1, 7));
}

static pte_t pte_header(void)
{
	return swp_entry_to_pte(swp_entry(TEST_TYPE, 0));
}

static pte_t pte_beyond(void)
{
	return swp_entry_to_pte(swp_entry(TEST_TYPE, TEST_PAGES));
}

static pte_t pte_empty(void)
{
	return __pte(0);
}

static pte_t pte_mapped(void)
{
	return pfn_pte(7, PAGE_SHARED);
}

static pte_t pte_no_access(void)
{
	return pfn_pte(7, PAGE_NONE);
}

static pte_t pte_migration(void)
{
	return swp_entry_to_pte(make_writable_migration_entry(7));
}

static pte_t pte_poisoned(void)
{
	return make_pte_marker(PTE_MARKER_POISONED);
}

struct pte_case {
	const char *name;
	pte_t (*make)(void);
	u32 facts;
	unsigned long slot;
	bool vmm_asks;
};

static const struct pte_case pte_cases[] = {
	{ "ours", pte_ours, SYMB_FACT_PTE_OURS, 7, true },
	{ "last slot", pte_last, SYMB_FACT_PTE_OURS, TEST_PAGES - 1, true },
	{ "exclusive", pte_exclusive,
	  SYMB_FACT_PTE_OURS | SYMB_FACT_PTE_EXCLUSIVE, 7, true },
	{ "soft dirty", pte_soft_dirtied, SYMB_FACT_PTE_OURS, 7, true },
	{ "other device", pte_other_type, 0, 0, false },
	/* Within the mask's power of two: only the guest can tell. */
	{ "header", pte_header, 0, 0, true },
	{ "beyond the end", pte_beyond, 0, 0, true },
	{ "none", pte_empty, 0, 0, false },
	{ "present", pte_mapped, 0, 0, false },
	{ "PROT_NONE", pte_no_access, 0, 0, false },
	{ "migration", pte_migration, 0, 0, false },
	{ "marker", pte_poisoned, 0, 0, false },
};

static void pte_case_name(const struct pte_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pte, pte_cases, pte_case_name);

static void pte_test(struct kunit *test)
{
	const struct pte_case *c = test->param_value;
	struct bypass_dev dev = { .type = TEST_TYPE, .nr_pages = TEST_PAGES };
	unsigned long slot = 99;
	u64 pte = pte_val(c->make());

	KUNIT_EXPECT_EQ(test, bypass_facts_pte(&dev, c->make(), &slot), c->facts);
	KUNIT_EXPECT_EQ(test, slot, c->slot);

	bypass_describe(&dev);
	KUNIT_EXPECT_EQ(test, (pte & dev.desc.pte_mask) == dev.desc.pte_match,
			c->vmm_asks);
	KUNIT_EXPECT_EQ(test, c->vmm_asks && (pte & dev.desc.pte_exclusive),
			!!(c->facts & SYMB_FACT_PTE_EXCLUSIVE));
}

/* Needs userfaultfd in the kernel, so it is no row of the table. */
static void pte_watched_test(struct kunit *test)
{
	struct bypass_dev dev = { .type = TEST_TYPE, .nr_pages = TEST_PAGES };
	unsigned long slot;
	u64 pte = pte_val(pte_watched());

	if (!IS_ENABLED(CONFIG_HAVE_ARCH_USERFAULTFD_WP) ||
	    !pte_swp_uffd_wp(pte_watched()))
		kunit_skip(test, "no userfaultfd write protection");

	KUNIT_EXPECT_EQ(test, bypass_facts_pte(&dev, pte_watched(), &slot),
			SYMB_FACT_PTE_OURS | SYMB_FACT_PTE_WATCHED);
	bypass_describe(&dev);
	KUNIT_EXPECT_NE(test, pte & dev.desc.pte_mask, dev.desc.pte_match);
}

/* Every slot of windows of awkward sizes must match what the VMM is told. */
static void describe_test(struct kunit *test)
{
	static const unsigned long sizes[] = { 2, 3, 4096, 4097, 131072, 1000000 };
	unsigned int i, type;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (type = 0; type < MAX_SWAPFILES; type++) {
			struct bypass_dev dev = {
				.type = type,
				.nr_pages = sizes[i],
			};
			u64 first, last;

			bypass_describe(&dev);
			first = pte_val(swp_entry_to_pte(swp_entry(type, 1)));
			last = pte_val(swp_entry_to_pte(swp_entry(type, sizes[i] - 1)));
			KUNIT_EXPECT_EQ(test, first & dev.desc.pte_mask,
					dev.desc.pte_match);
			KUNIT_EXPECT_EQ(test, last & dev.desc.pte_mask,
					dev.desc.pte_match);
			/* An empty PTE is never asked about, whatever the type. */
			KUNIT_EXPECT_NE(test, 0ULL, dev.desc.pte_match);
			KUNIT_EXPECT_EQ(test, dev.desc.pte_mask & _PAGE_PRESENT,
					_PAGE_PRESENT);
		}
	}
}

/* ---- Slots ------------------------------------------------------------- */

struct slot_case {
	const char *name;
	unsigned char map;
	bool zero;
	u32 facts;
};

static const struct slot_case slot_cases[] = {
	{ "free", 0, false, 0 },
	{ "one user", 1, false, SYMB_FACT_SLOT_USED | SYMB_FACT_SLOT_SINGLE },
	{ "two users", 2, false, SYMB_FACT_SLOT_USED },
	{ "many users", SWAP_MAP_MAX, false, SYMB_FACT_SLOT_USED },
	{ "count continued", SWAP_MAP_MAX | COUNT_CONTINUED, false, 0 },
	{ "one, continued", 1 | COUNT_CONTINUED, false, 0 },
	{ "bad", SWAP_MAP_BAD, false, 0 },
	{ "shmem", SWAP_MAP_SHMEM, false, 0 },
	{ "cached", 1 | SWAP_HAS_CACHE, false,
	  SYMB_FACT_SLOT_USED | SYMB_FACT_SLOT_SINGLE | SYMB_FACT_SLOT_CACHE },
	{ "cache only", SWAP_HAS_CACHE, false, SYMB_FACT_SLOT_CACHE },
	{ "zero", 1, true,
	  SYMB_FACT_SLOT_USED | SYMB_FACT_SLOT_SINGLE | SYMB_FACT_SLOT_ELSEWHERE },
};

static void slot_case_name(const struct slot_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(slot, slot_cases, slot_case_name);

static void slot_test(struct kunit *test)
{
	const struct slot_case *c = test->param_value;
	unsigned char map[64] = { };
	DECLARE_BITMAP(zero, 64) = { };
	struct bypass_dev dev = {
		.nr_pages = 64,
		.slots = { .map = map, .zeromap = zero },
	};

	/* The neighbours are different, so that an index error shows. */
	memset(map, c->map ? 0 : 1, sizeof(map));
	bitmap_fill(zero, 64);
	map[9] = c->map;
	if (!c->zero)
		__clear_bit(9, zero);

	KUNIT_EXPECT_EQ(test, bypass_facts_slot(&dev, 9), c->facts);
}

/* ---- Decision ---------------------------------------------------------- */

#define GOOD (SYMB_FACT_ON | SYMB_FACT_MM | SYMB_FACT_PTE_OURS |	\
	      SYMB_FACT_PTE_SAME | SYMB_FACT_PTE_EXCLUSIVE |		\
	      SYMB_FACT_VMA | SYMB_FACT_VMA_ANON | SYMB_FACT_VMA_READ |	\
	      SYMB_FACT_VMA_WRITE | SYMB_FACT_SLOT_USED | SYMB_FACT_SLOT_SINGLE)

struct decide_case {
	const char *name;
	u32 flip;
	enum symb_decline read;
	enum symb_decline write;
};

static const struct decide_case decide_cases[] = {
	{ "all good", 0, SYMB_DECLINE_NONE, SYMB_DECLINE_NONE },
	{ "rule 1: not ours", SYMB_FACT_PTE_OURS, SYMB_DECLINE_NOT_SWAP,
	  SYMB_DECLINE_NOT_SWAP },
	{ "rule 1: changed", SYMB_FACT_PTE_SAME, SYMB_DECLINE_PTE_CHANGED,
	  SYMB_DECLINE_PTE_CHANGED },
	{ "rule 2: no VMA", SYMB_FACT_VMA, SYMB_DECLINE_VMA, SYMB_DECLINE_VMA },
	{ "rule 2: not anonymous", SYMB_FACT_VMA_ANON, SYMB_DECLINE_VMA,
	  SYMB_DECLINE_VMA },
	{ "rule 2: special", SYMB_FACT_VMA_SPECIAL, SYMB_DECLINE_VMA,
	  SYMB_DECLINE_VMA },
	{ "rule 2: locked", SYMB_FACT_VMA_LOCKED, SYMB_DECLINE_VMA_LOCKED,
	  SYMB_DECLINE_VMA_LOCKED },
	{ "rule 2: read-only", SYMB_FACT_VMA_WRITE, SYMB_DECLINE_NONE,
	  SYMB_DECLINE_ACCESS },
	{ "rule 3: swap cache", SYMB_FACT_SLOT_CACHE, SYMB_DECLINE_SWAPCACHE,
	  SYMB_DECLINE_SWAPCACHE },
	{ "rule 3: elsewhere", SYMB_FACT_SLOT_ELSEWHERE, SYMB_DECLINE_ZEROMAP,
	  SYMB_DECLINE_ZEROMAP },
	{ "rule 4: not exclusive", SYMB_FACT_PTE_EXCLUSIVE, SYMB_DECLINE_NONE,
	  SYMB_DECLINE_SHARED },
	{ "rule 4: two users", SYMB_FACT_SLOT_SINGLE, SYMB_DECLINE_NONE,
	  SYMB_DECLINE_SHARED },
};

static void decide_case_name(const struct decide_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(decide, decide_cases, decide_case_name);

static void decide_test(struct kunit *test)
{
	const struct decide_case *c = test->param_value;
	u32 flags;

	KUNIT_EXPECT_EQ(test, symb_query_decide(GOOD ^ c->flip, 0, &flags), c->read);
	KUNIT_EXPECT_EQ(test, !!(flags & SYMB_LOOKUP_WRITABLE),
			c->write == SYMB_DECLINE_NONE);
	KUNIT_EXPECT_EQ(test, symb_query_decide(GOOD ^ c->flip, SYMB_ACCESS_WRITE,
						&flags), c->write);
	KUNIT_EXPECT_EQ(test, !!(flags & SYMB_LOOKUP_WRITABLE),
			c->write == SYMB_DECLINE_NONE);
}

static struct kunit_case symbiotic_bypass_cases[] = {
	KUNIT_CASE_PARAM(pte_test, pte_gen_params),
	KUNIT_CASE(pte_watched_test),
	KUNIT_CASE(describe_test),
	KUNIT_CASE_PARAM(slot_test, slot_gen_params),
	KUNIT_CASE_PARAM(decide_test, decide_gen_params),
	{ }
};

static struct kunit_suite symbiotic_bypass_suite = {
	.name = "symbiotic_bypass",
	.test_cases = symbiotic_bypass_cases,
};

kunit_test_suite(symbiotic_bypass_suite);

MODULE_DESCRIPTION("KUnit tests of SwapBypass in the guest");
MODULE_LICENSE("GPL");
