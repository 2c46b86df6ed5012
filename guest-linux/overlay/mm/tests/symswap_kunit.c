// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: which swap areas the swap window's modes are for, and what they take
 * for a page of the window.
 */
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/symswap.h>

#include "../symswap/internal.h"
#include "../symswap/slots.h"

/* A swap area on a whole disk. */
struct area {
	struct swap_info_struct si;
	struct swap_extent extent;
	struct block_device bdev;
};

static struct area *whole_disk(struct kunit *test)
{
	struct area *area = kunit_kzalloc(test, sizeof(*area), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, area);
	area->si.flags = SWP_BLKDEV;
	area->si.bdev = &area->bdev;
	area->si.max = 1000;
	area->extent.nr_pages = 1000;
	area->si.swap_extent_root = RB_ROOT;
	rb_link_node(&area->extent.rb_node, NULL,
		     &area->si.swap_extent_root.rb_node);
	return area;
}

static void symswap_test_whole_disk(struct kunit *test)
{
	struct area *area = whole_disk(test);

	KUNIT_EXPECT_TRUE(test, symswap_whole_disk(&area->si));
	/* A shorter area on a larger disk has the same places. */
	area->si.max = 10;
	KUNIT_EXPECT_TRUE(test, symswap_whole_disk(&area->si));
}

/* Where the number of a slot is not the number of a page on the disk. */
static void symswap_test_elsewhere(struct kunit *test)
{
	struct area *area = whole_disk(test);

	area->si.flags = SWP_FS_OPS;
	KUNIT_EXPECT_FALSE(test, symswap_whole_disk(&area->si));

	area = whole_disk(test);
	atomic_set(&area->bdev.__bd_flags, 1);
	KUNIT_EXPECT_FALSE(test, symswap_whole_disk(&area->si));

	area = whole_disk(test);
	area->extent.start_block = 8;
	KUNIT_EXPECT_FALSE(test, symswap_whole_disk(&area->si));

	area = whole_disk(test);
	area->extent.nr_pages = 999;
	KUNIT_EXPECT_FALSE(test, symswap_whole_disk(&area->si));

	area = whole_disk(test);
	area->si.swap_extent_root = RB_ROOT;
	KUNIT_EXPECT_FALSE(test, symswap_whole_disk(&area->si));
}

static void symswap_test_ordinary_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_FALSE(test, symswap_folio(page_folio(page)));
	KUNIT_EXPECT_FALSE(test, symswap_may_stay(page_folio(page)));
	__free_page(page);
}

/* A swap device that is no window: nothing is in place, nothing is kept. */
static void symswap_test_other_device(struct kunit *test)
{
	struct area *area = whole_disk(test);

	area->si.type = MAX_SWAPFILES - 1;
	KUNIT_EXPECT_FALSE(test, symswap_in_place(&area->si));
	KUNIT_EXPECT_FALSE(test, symswap_slot_kept(&area->si, 1));
	KUNIT_EXPECT_EQ(test, symswap_next_held(&area->si, 0), 0);
}

/*
 * The count comes last: before it, nobody can have the page, so that flags and lock
 * may be set without atomics.
 */
static void symswap_test_publication(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct folio *folio;
	void *link;

	KUNIT_ASSERT_NOT_NULL(test, page);
	/* As a page of a window that is not in use. */
	link = page->zone_device_data;
	set_page_count(page, 0);

	folio = symswap_page_init(page, test);
	KUNIT_EXPECT_FALSE(test, get_page_unless_zero(page));
	KUNIT_EXPECT_PTR_EQ(test, page->zone_device_data, (void *)test);
	KUNIT_EXPECT_TRUE(test, folio_test_swapbacked(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));

	symswap_publish(folio);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);

	set_page_count(page, 1);
	folio_clear_uptodate(folio);
	__folio_clear_swapbacked(folio);
	page->zone_device_data = link;
	__free_page(page);
}

/* In a window, the cluster that became free last is the next one; not elsewhere. */
static void symswap_test_clusters(struct kunit *test)
{
	struct area *area = whole_disk(test);
	struct swap_info_struct *si = &area->si;
	struct swap_cluster_info *ci;
	struct symswap_window *win;
	int i;

	win = kunit_kzalloc(test, sizeof(*win), GFP_KERNEL);
	ci = kunit_kcalloc(test, 3, sizeof(*ci), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, win);
	KUNIT_ASSERT_NOT_NULL(test, ci);
	si->type = MAX_SWAPFILES - 1;
	KUNIT_ASSERT_NULL(test, symswap_of(si));
	INIT_LIST_HEAD(&si->free_clusters);
	for (i = 0; i < 3; i++)
		list_add_tail(&ci[i].list, &si->free_clusters);

	__symswap_cluster_freed(si, &ci[2]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[0].list);

	WRITE_ONCE(symswap_by_type[si->type], win);
	__symswap_cluster_freed(si, &ci[2]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[2].list);
	__symswap_cluster_freed(si, &ci[1]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[1].list);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.prev, &ci[0].list);
	WRITE_ONCE(symswap_by_type[si->type], NULL);
}

/* What cannot have struct pages is refused, before anything is changed. */
static void symswap_test_bad_window(struct kunit *test)
{
	const phys_addr_t start = 1ULL << 40;

	KUNIT_EXPECT_TRUE(test, IS_ERR(symswap_window_create(NUMA_NO_NODE, start, SZ_1M)));
	KUNIT_EXPECT_TRUE(test, IS_ERR(symswap_window_create(NUMA_NO_NODE, start + SZ_1M,
							     SZ_16M)));
}

static struct kunit_case symswap_cases[] = {
	KUNIT_CASE(symswap_test_whole_disk),
	KUNIT_CASE(symswap_test_elsewhere),
	KUNIT_CASE(symswap_test_ordinary_page),
	KUNIT_CASE(symswap_test_other_device),
	KUNIT_CASE(symswap_test_publication),
	KUNIT_CASE(symswap_test_clusters),
	KUNIT_CASE(symswap_test_bad_window),
	{ }
};

static struct kunit_suite symswap_suite = {
	.name = "symswap",
	.test_cases = symswap_cases,
};

kunit_test_suite(symswap_suite);

MODULE_DESCRIPTION("KUnit tests of the swap window's modes");
MODULE_LICENSE("GPL");
