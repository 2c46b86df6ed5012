// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: which swap areas the swap window's modes are for, what they take for a
 * page of the window, and when and how a first touch takes one.
 */
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
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

/* What a fault has taken, and not mapped yet, is not what others find. */
static void symswap_test_new(struct kunit *test)
{
	static const struct {
		void *before, *after;
	} cases[] = {
		{ SYMSWAP_NEW, SYMSWAP_KEPT },
		/* Swapoff has taken its slot meanwhile. */
		{ SYMSWAP_HELD_NEW, SYMSWAP_HELD },
		/* Has been known before. */
		{ SYMSWAP_KEPT, SYMSWAP_KEPT },
		{ SYMSWAP_CACHED, SYMSWAP_CACHED },
		{ SYMSWAP_HELD, SYMSWAP_HELD },
	};
	struct symswap_window *win = kunit_kzalloc(test, sizeof(*win), GFP_KERNEL);
	struct page *page = alloc_page(GFP_KERNEL);
	void *link;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, win);
	KUNIT_ASSERT_NOT_NULL(test, page);
	win->first_pfn = page_to_pfn(page) - 1;
	link = page->zone_device_data;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool is_new = cases[i].before != cases[i].after;
		bool held = cases[i].after == SYMSWAP_HELD;
		struct folio *folio;

		page->zone_device_data = cases[i].before;
		KUNIT_EXPECT_NULL(test, symswap_get(win, 1, !held));
		folio = symswap_get(win, 1, held);
		KUNIT_EXPECT_EQ_MSG(test, !folio, is_new, "case %zu", i);
		if (folio)
			folio_put(folio);
		KUNIT_EXPECT_EQ(test, page_count(page), 1);

		__symswap_known(page_folio(page));
		KUNIT_EXPECT_PTR_EQ(test, page->zone_device_data, cases[i].after);
		folio = symswap_get(win, 1, held);
		KUNIT_EXPECT_NOT_NULL(test, folio);
		if (folio)
			folio_put(folio);
	}
	page->zone_device_data = link;
	__free_page(page);
}

/* ---- First touch ---------------------------------------------------------- */

struct touch_row {
	const char *what;
	struct symswap_touch_facts facts;
	enum symswap_touch_verdict want;
};

#define TOUCH(_mode, _short, _in_place, _grant, _used)			\
	{ .mode = SYMSWAP_TOUCH_##_mode, .is_short = _short, .in_place = _in_place, \
	  .grant = _grant, .slots = 800, .used = _used, .left = 100 }

static const struct touch_row touch_rows[] = {
	{ "off", TOUCH(OFF, true, 0, 400, 0), SYMSWAP_TOUCH_NO_NEED },
	{ "auto, memory is free", TOUCH(AUTO, false, 0, 400, 0), SYMSWAP_TOUCH_NO_NEED },
	{ "auto, memory is short", TOUCH(AUTO, true, 0, 400, 0), SYMSWAP_TOUCH_TAKE },
	{ "always", TOUCH(ALWAYS, false, 0, 400, 0), SYMSWAP_TOUCH_TAKE },
	{ "the last one", TOUCH(AUTO, true, 374, 400, 0), SYMSWAP_TOUCH_TAKE },
	{ "but for a sixteenth", TOUCH(AUTO, true, 375, 400, 0), SYMSWAP_TOUCH_NO_GRANT },
	{ "no grant", TOUCH(ALWAYS, true, 0, 0, 0), SYMSWAP_TOUCH_NO_GRANT },
	{ "lowered grant", TOUCH(AUTO, true, 300, 40, 0), SYMSWAP_TOUCH_NO_GRANT },
	{ "a small grant", TOUCH(AUTO, true, 0, 1, 0), SYMSWAP_TOUCH_TAKE },
	{ "all is granted", TOUCH(AUTO, true, 0, ULONG_MAX, 0), SYMSWAP_TOUCH_TAKE },
	{ "the last slot", TOUCH(AUTO, true, 0, 400, 699), SYMSWAP_TOUCH_TAKE },
	{ "no slots", TOUCH(AUTO, true, 0, 400, 700), SYMSWAP_TOUCH_NO_SLOTS },
	/* What the VMM is told of. */
	{ "neither", TOUCH(AUTO, true, 375, 400, 700), SYMSWAP_TOUCH_NO_GRANT },
};

KUNIT_ARRAY_PARAM_DESC(touch, touch_rows, what);

static void symswap_test_touch(struct kunit *test)
{
	const struct touch_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, symswap_touch_decide(&row->facts), row->want);
}

static void symswap_test_touch_swap_max(struct kunit *test)
{
	struct symswap_touch_facts facts = TOUCH(ALWAYS, true, 0, 400, 0);

	KUNIT_EXPECT_EQ(test, symswap_touch_decide(&facts), SYMSWAP_TOUCH_TAKE);
	facts.left = 0;
	KUNIT_EXPECT_EQ(test, symswap_touch_decide(&facts), SYMSWAP_TOUCH_NO_SLOTS);
}

/* As many as were used in a row, and a little of what is left. */
static void symswap_test_touch_ahead(struct kunit *test)
{
	const struct symswap_touch_facts much = {
		.in_place = 1000, .grant = 8000, .slots = 8000, .used = 2000, .left = ULONG_MAX,
	};
	struct symswap_touch_facts facts = much;

	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 0), 0);
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 1), 1);
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 7);
	facts.left = 3 * 64;
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 3);
	facts.left = 63;
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 0);
	facts = much;
	/* The grant but for a sixteenth, seven eighths of the slots. */
	facts.in_place = 7500 - 2 * 64;
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 2);
	facts = much;
	facts.used = 7000 - 64;
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 1);
	facts = much;
	facts.grant = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, symswap_touch_ahead_nr(&facts, 7), 7);
}

/* Slots come out in the order in which they were given, all of them once. */
static void symswap_test_stock(struct kunit *test)
{
	struct symswap_stock *stock = kunit_kzalloc(test, sizeof(*stock), GFP_KERNEL);
	unsigned int slots[SYMSWAP_STOCK], rest[SYMSWAP_STOCK], slot, i;

	KUNIT_ASSERT_NOT_NULL(test, stock);
	symswap_stock_init(stock);
	KUNIT_EXPECT_FALSE(test, symswap_stock_pop(stock, &slot));
	KUNIT_EXPECT_FALSE(test, stock->used);

	for (i = 0; i < SYMSWAP_STOCK; i++)
		slots[i] = 1000 + i;
	KUNIT_EXPECT_TRUE(test, symswap_stock_push(stock, slots, SYMSWAP_STOCK));
	KUNIT_EXPECT_FALSE(test, symswap_stock_push(stock, slots, 1));
	for (i = 0; i < SYMSWAP_STOCK - 2; i++) {
		KUNIT_ASSERT_TRUE(test, symswap_stock_pop(stock, &slot));
		KUNIT_EXPECT_EQ(test, slot, slots[i]);
	}
	KUNIT_EXPECT_TRUE(test, stock->used);

	/* What is put back is the next. Too many are refused as a whole. */
	KUNIT_EXPECT_FALSE(test, symswap_stock_push(stock, slots, SYMSWAP_STOCK - 1));
	KUNIT_EXPECT_TRUE(test, symswap_stock_push(stock, slots, 1));
	KUNIT_EXPECT_TRUE(test, symswap_stock_pop(stock, &slot));
	KUNIT_EXPECT_EQ(test, slot, slots[0]);
	KUNIT_EXPECT_EQ(test, symswap_stock_empty(stock, rest), 2);
	KUNIT_EXPECT_EQ(test, rest[0] + rest[1], 2 * 1000 + 2 * SYMSWAP_STOCK - 3);
	KUNIT_EXPECT_FALSE(test, symswap_stock_pop(stock, &slot));
}

/* A window, and @nr clusters of free slots on @si. */
static struct symswap_window *window_of_clusters(struct kunit *test,
						 struct swap_info_struct *si, unsigned long nr)
{
	struct symswap_window *win = kunit_kzalloc(test, sizeof(*win), GFP_KERNEL);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, win);
	KUNIT_ASSERT_EQ(test, symswap_give_init(win, nr * SWAPFILE_CLUSTER), 0);
	INIT_DELAYED_WORK(&win->give_work, symswap_give_work);
	si->max = nr * SWAPFILE_CLUSTER;
	si->pages = si->max;
	si->cluster_info = kunit_kcalloc(test, nr, sizeof(*si->cluster_info), GFP_KERNEL);
	si->swap_map = kunit_kzalloc(test, nr * SWAPFILE_CLUSTER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si->cluster_info);
	KUNIT_ASSERT_NOT_NULL(test, si->swap_map);
	spin_lock_init(&si->lock);
	INIT_LIST_HEAD(&si->free_clusters);
	for (i = 0; i < nr; i++) {
		spin_lock_init(&si->cluster_info[i].lock);
		si->cluster_info[i].flags = CLUSTER_FLAG_FREE;
		list_add_tail(&si->cluster_info[i].list, &si->free_clusters);
	}
	return win;
}

static void end_of_clusters(struct symswap_window *win)
{
	/* It finds no swap device. */
	cancel_delayed_work_sync(&win->give_work);
	symswap_give_free(win);
}

/* In a window, the cluster that became free last is the next one; not elsewhere. */
static void symswap_test_clusters(struct kunit *test)
{
	struct area *area = whole_disk(test);
	struct swap_info_struct *si = &area->si;
	struct swap_cluster_info *ci;
	struct symswap_window *win;

	win = window_of_clusters(test, si, 3);
	ci = si->cluster_info;
	si->type = MAX_SWAPFILES - 1;
	KUNIT_ASSERT_NULL(test, symswap_of(si));

	__symswap_cluster_freed(si, &ci[2]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[0].list);

	WRITE_ONCE(symswap_by_type[si->type], win);
	__symswap_cluster_freed(si, &ci[2]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[2].list);
	__symswap_cluster_freed(si, &ci[1]);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.next, &ci[1].list);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.prev, &ci[0].list);
	WRITE_ONCE(symswap_by_type[si->type], NULL);
	KUNIT_EXPECT_FALSE(test, test_bit(0, win->backed));
	KUNIT_EXPECT_TRUE(test, test_bit(1, win->backed));
	KUNIT_EXPECT_TRUE(test, test_bit(2, win->backed));
	end_of_clusters(win);
}

static bool cluster_is(const struct swap_info_struct *si, unsigned long nr, unsigned char state)
{
	return !memchr_inv(&si->swap_map[nr * SWAPFILE_CLUSTER], state, SWAPFILE_CLUSTER);
}

/* A cluster goes to the host when it stays free; not what is used, or the next to be. */
static void symswap_test_give(struct kunit *test)
{
	struct swap_info_struct *si = &whole_disk(test)->si;
	struct symswap_gift gift = { };
	struct swap_cluster_info *ci;
	struct symswap_window *win;
	unsigned long nr;

	win = window_of_clusters(test, si, 4);
	ci = si->cluster_info;
	for (nr = 0; nr < 4; nr++)
		symswap_give_note(win, nr);

	/* All have just become free. */
	KUNIT_EXPECT_TRUE(test, symswap_give_pick(win, si, &gift, false));
	KUNIT_EXPECT_EQ(test, gift.nr, 0);
	KUNIT_EXPECT_GE(test, gift.next, 4UL);

	/* 1 has been used meanwhile, 2 is, and 0 is the next one to be. */
	symswap_give_note(win, 1);
	list_del(&ci[2].list);
	ci[2].flags = CLUSTER_FLAG_FULL;
	gift.next = 0;
	KUNIT_EXPECT_TRUE(test, symswap_give_pick(win, si, &gift, false));
	KUNIT_ASSERT_EQ(test, gift.nr, 1);
	KUNIT_EXPECT_EQ(test, gift.clusters[0], 3);
	KUNIT_EXPECT_TRUE(test, cluster_is(si, 3, SWAP_MAP_BAD));
	KUNIT_EXPECT_NE(test, ci[3].flags, CLUSTER_FLAG_FREE);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.prev, &ci[1].list);
	KUNIT_EXPECT_EQ(test, win->backed[0], BIT(0) | BIT(1));

	/* What has been given is the last one to be used. */
	symswap_cluster_put(si, 3);
	KUNIT_EXPECT_TRUE(test, cluster_is(si, 3, 0));
	KUNIT_EXPECT_EQ(test, ci[3].flags, CLUSTER_FLAG_FREE);
	KUNIT_EXPECT_PTR_EQ(test, si->free_clusters.prev, &ci[3].list);

	gift.next = 0;
	KUNIT_EXPECT_FALSE(test, symswap_give_pick(win, si, &gift, false));
	KUNIT_ASSERT_EQ(test, gift.nr, 1);
	KUNIT_EXPECT_EQ(test, gift.clusters[0], 1);
	symswap_cluster_put(si, 1);

	/* Nobody uses any. */
	gift.next = 0;
	KUNIT_EXPECT_FALSE(test, symswap_give_pick(win, si, &gift, true));
	KUNIT_ASSERT_EQ(test, gift.nr, 1);
	KUNIT_EXPECT_EQ(test, gift.clusters[0], 0);
	KUNIT_EXPECT_EQ(test, win->backed[0], 0);
	end_of_clusters(win);
}

/* No more than a few are on their way, and the next look goes on behind them. */
static void symswap_test_give_few(struct kunit *test)
{
	struct swap_info_struct *si = &whole_disk(test)->si;
	const unsigned long clusters = 2 * SYMSWAP_GIVE_BATCH;
	struct symswap_gift gift = { };
	struct symswap_window *win = window_of_clusters(test, si, clusters);
	unsigned long nr, given = 0;

	for (nr = 0; nr < clusters; nr++)
		symswap_give_note(win, nr);
	while (gift.next < clusters) {
		symswap_give_pick(win, si, &gift, true);
		KUNIT_EXPECT_LE(test, gift.nr, SYMSWAP_GIVE_BATCH);
		KUNIT_ASSERT_NE(test, gift.nr, 0);
		for (nr = 0; nr < gift.nr; nr++)
			KUNIT_EXPECT_EQ(test, gift.clusters[nr], given++);
	}
	KUNIT_EXPECT_EQ(test, given, clusters);

	/* A smaller swap area has no more than it has. */
	symswap_give_note(win, 0);
	symswap_give_note(win, clusters - 1);
	si->max = SWAPFILE_CLUSTER;
	symswap_cluster_put(si, 0);
	gift.next = 0;
	symswap_give_pick(win, si, &gift, true);
	KUNIT_EXPECT_EQ(test, gift.nr, 1);
	KUNIT_EXPECT_EQ(test, gift.clusters[0], 0);
	symswap_cluster_put(si, 0);

	/* And one on a disk that is said to rotate has none, whatever was free before. */
	symswap_give_note(win, 0);
	si->cluster_info = NULL;
	gift.next = 0;
	KUNIT_EXPECT_FALSE(test, symswap_give_pick(win, si, &gift, true));
	KUNIT_EXPECT_EQ(test, gift.nr, 0);
	end_of_clusters(win);
}

/* Most of what is free stays for who needs slots while the host takes its time. */
static void symswap_test_give_share(struct kunit *test)
{
	struct swap_info_struct *si = &whole_disk(test)->si;
	struct symswap_window *win = window_of_clusters(test, si, 12);
	struct symswap_gift gift = { };
	unsigned long nr;

	for (nr = 0; nr < 12; nr++)
		symswap_give_note(win, nr);
	bitmap_zero(win->fresh, 12);

	/* The next one to be used stays in any case. */
	KUNIT_EXPECT_FALSE(test, symswap_give_pick(win, si, &gift, false));
	KUNIT_ASSERT_EQ(test, gift.nr, 3);
	KUNIT_EXPECT_EQ(test, gift.clusters[2], 3);
	KUNIT_EXPECT_TRUE(test, gift.more);
	for (nr = 0; nr < gift.nr; nr++)
		symswap_cluster_put(si, gift.clusters[nr]);

	/* With three that are free none goes, and nobody waits for that. */
	si->inuse_pages = 9 * SWAPFILE_CLUSTER - 1;
	KUNIT_EXPECT_FALSE(test, symswap_give_pick(win, si, &gift, false));
	KUNIT_EXPECT_EQ(test, gift.nr, 0);
	KUNIT_EXPECT_FALSE(test, gift.more);
	KUNIT_EXPECT_TRUE(test, test_bit(4, win->backed));

	/* Without a user they all do. */
	symswap_give_pick(win, si, &gift, true);
	KUNIT_EXPECT_EQ(test, gift.nr, SYMSWAP_GIVE_BATCH);
	end_of_clusters(win);
}

/* Half a huge page would be ignored, and count as given. */
static void symswap_test_give_whole(struct kunit *test)
{
	struct symswap_window *win = kunit_kzalloc(test, sizeof(*win), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, win);
	win->first_pfn = 7 * SYMSWAP_HUGE;
	KUNIT_EXPECT_EQ(test, symswap_give_whole(win), IS_ENABLED(CONFIG_THP_SWAP));
	win->first_pfn += SYMSWAP_HUGE / 2;
	KUNIT_EXPECT_FALSE(test, symswap_give_whole(win));
}

/* Where somebody has swapped before, any free cluster may have memory behind it. */
static void symswap_test_give_old(struct kunit *test)
{
	struct swap_info_struct *si = &whole_disk(test)->si;
	struct symswap_window *win = window_of_clusters(test, si, 12);
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	char *header;

	KUNIT_ASSERT_NOT_NULL(test, page);
	header = page_address(page);
	win->first_pfn = page_to_pfn(page);
	symswap_give_old(win);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(win->backed, 12));
	header[PAGE_SIZE - 1] = '2';
	symswap_give_old(win);
	KUNIT_EXPECT_TRUE(test, bitmap_full(win->backed, 12));
	KUNIT_EXPECT_TRUE(test, bitmap_empty(win->fresh, 12));
	__free_page(page);
	end_of_clusters(win);
}

/* Few pages at first; more if they stay away, few and seldom if they come back. */
static void symswap_test_exchange(struct kunit *test)
{
	struct symswap_exchange x;
	unsigned long first, i;

	symswap_exchange_init(&x);
	first = x.budget;
	KUNIT_EXPECT_EQ(test, x.left, first);

	/* Not tried: nothing is known. */
	symswap_exchange_judge(&x, 1000, 0);
	KUNIT_EXPECT_EQ(test, x.budget, first);
	KUNIT_EXPECT_EQ(test, x.period, HZ);

	for (i = 1; i < 10; i++) {
		x.out = x.budget;
		x.left = 0;
		symswap_exchange_judge(&x, x.out / 2, x.out / 4);
		KUNIT_EXPECT_EQ(test, x.budget, min(first << i, 10 * first));
		KUNIT_EXPECT_EQ(test, x.left, x.budget);
		KUNIT_EXPECT_EQ(test, x.out, 0);
		KUNIT_EXPECT_EQ(test, x.period, HZ);
	}
	for (i = 1; i < 10; i++) {
		x.out = x.budget;
		x.left = 0;
		symswap_exchange_judge(&x, x.out / 2 + 1, x.out);
		KUNIT_EXPECT_EQ(test, x.budget, first);
		KUNIT_EXPECT_EQ(test, x.period, min(HZ << i, 16 * HZ));
	}
	/* One good time is enough. */
	x.out = first;
	x.left = 0;
	symswap_exchange_judge(&x, 0, first);
	KUNIT_EXPECT_EQ(test, x.budget, 2 * first);
	KUNIT_EXPECT_EQ(test, x.period, HZ);

	/* Room that was not used. */
	x.out = first;
	x.left = 0;
	symswap_exchange_judge(&x, 0, first / 4 - 1);
	KUNIT_EXPECT_EQ(test, x.budget, first);
	KUNIT_EXPECT_EQ(test, x.period, 2 * HZ);

	/* Reclaim found nothing. */
	x.left = 0;
	symswap_exchange_judge(&x, 0, 0);
	KUNIT_EXPECT_EQ(test, x.budget, first);
	KUNIT_EXPECT_EQ(test, x.period, 4 * HZ);
}

/* Hot for a second; the hand may pass cold ones in between. */
static void symswap_test_exchange_pays(struct kunit *test)
{
	struct symswap_exchange x;

	symswap_exchange_init(&x);
	KUNIT_EXPECT_FALSE(test, symswap_exchange_pays(&x));
	symswap_exchange_note(&x, 5);
	KUNIT_EXPECT_FALSE(test, symswap_exchange_pays(&x));

	x.hot_since -= HZ;
	x.hot_last -= HZ / 2;
	KUNIT_EXPECT_TRUE(test, symswap_exchange_pays(&x));
	symswap_exchange_note(&x, 0);
	KUNIT_EXPECT_FALSE(test, symswap_exchange_pays(&x));
	symswap_exchange_note(&x, 1);
	KUNIT_EXPECT_TRUE(test, symswap_exchange_pays(&x));

	/* Nothing for longer: it begins anew. */
	x.hot_last -= 2 * HZ;
	symswap_exchange_note(&x, 0);
	symswap_exchange_note(&x, 1);
	KUNIT_EXPECT_FALSE(test, symswap_exchange_pays(&x));
}

/* What cannot have struct pages is refused, before anything is changed. */
static void symswap_test_bad_window(struct kunit *test)
{
	const phys_addr_t start = 1ULL << 40;

	KUNIT_EXPECT_TRUE(test, IS_ERR(symswap_window_create(NUMA_NO_NODE, start, SZ_1M)));
	KUNIT_EXPECT_TRUE(test, IS_ERR(symswap_window_create(NUMA_NO_NODE, start + SZ_1M,
							     SZ_16M)));
	/* Nor is one that is larger than memory can be, and that without a warning. */
	KUNIT_EXPECT_TRUE(test, IS_ERR(symswap_window_create(NUMA_NO_NODE, start,
							     1ULL << 62)));
}

static struct kunit_case symswap_cases[] = {
	KUNIT_CASE(symswap_test_whole_disk),
	KUNIT_CASE(symswap_test_elsewhere),
	KUNIT_CASE(symswap_test_ordinary_page),
	KUNIT_CASE(symswap_test_other_device),
	KUNIT_CASE(symswap_test_publication),
	KUNIT_CASE(symswap_test_new),
	KUNIT_CASE_PARAM(symswap_test_touch, touch_gen_params),
	KUNIT_CASE(symswap_test_touch_swap_max),
	KUNIT_CASE(symswap_test_touch_ahead),
	KUNIT_CASE(symswap_test_stock),
	KUNIT_CASE(symswap_test_clusters),
	KUNIT_CASE(symswap_test_give),
	KUNIT_CASE(symswap_test_give_few),
	KUNIT_CASE(symswap_test_give_share),
	KUNIT_CASE(symswap_test_give_whole),
	KUNIT_CASE(symswap_test_give_old),
	KUNIT_CASE(symswap_test_exchange),
	KUNIT_CASE(symswap_test_exchange_pays),
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
