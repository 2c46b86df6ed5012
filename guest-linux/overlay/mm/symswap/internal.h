/* SPDX-License-Identifier: GPL-2.0 */
/*
 * symswap in place: what its files share. How it works is at the top of page.c.
 *
 *	page.c		a page's life, and faults
 *	leave.c		how a page leaves its slot, or its slot leaves it
 *	age.c		the VMM's grant, and which pages go when it is short
 *	touch.c		a first touch takes a page of the window
 *	stock.c		free slots for that, by CPU
 *	group.c		what it means to a memory cgroup
 *	ram.c		is memory short, or free for pages that are hot?
 *	give.c		memory behind free slots goes back to the host
 *	window.c	windows, their modes, and the driver's functions
 *	sysfs.c		/sys/block/symswap<n>/symswap
 */
#ifndef _MM_SYMSWAP_INTERNAL_H
#define _MM_SYMSWAP_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/*
 * page->zone_device_data: NULL for a page that is not in use. Between the last
 * reference to a page that was kept and the freeing of its slot, the link in
 * symswap_window.freed.
 */
#define SYMSWAP_KEPT		((void *)1)
#define SYMSWAP_CACHED		((void *)2)
#define SYMSWAP_HELD		((void *)3)
/* First touch: referenced, and known to nobody but the fault. See touch.c. */
#define SYMSWAP_NEW		((void *)4)
#define SYMSWAP_HELD_NEW	((void *)5)

/* Pages of a huge page. */
#define SYMSWAP_HUGE		(PMD_SIZE >> PAGE_SHIFT)

enum symswap_stat {
	SYMSWAP_FAULTS,		/* faults served in place */
	SYMSWAP_PAGES,		/* pages mapped by them */
	SYMSWAP_SHARED,		/* of these, put into the swap cache */
	SYMSWAP_DECLINED_GRANT,	/* left to the copy: no grant */
	SYMSWAP_MIGRATED,	/* moved to memory of the guest */
	SYMSWAP_PUSHED,		/* unmapped again, left in the slot */
	SYMSWAP_SEARCHES,	/* looks at all pages, to give some back */
	SYMSWAP_TOUCHED,	/* pages taken by a first touch */
	SYMSWAP_TOUCH_DECLINED,	/* first touches left to memory: no grant */
	SYMSWAP_AHEAD,		/* pages mapped next to one that was touched */
	SYMSWAP_LIFTED,		/* of the migrated: hot, while memory was free */
	SYMSWAP_EXCHANGED,	/* pages reclaimed to make room for those */
	SYMSWAP_GIVEN,		/* free ones, whose memory went back to the host */
	SYMSWAP_NR_STATS
};

/**
 * enum symswap_touch - when a first touch takes a page of the window
 * @SYMSWAP_TOUCH_OFF: never
 * @SYMSWAP_TOUCH_AUTO: when memory is short, of the guest or of the memory cgroup
 * @SYMSWAP_TOUCH_ALWAYS: whenever grant and slots have room
 * @SYMSWAP_TOUCH_NR: how many there are
 */
enum symswap_touch {
	SYMSWAP_TOUCH_OFF,
	SYMSWAP_TOUCH_AUTO,
	SYMSWAP_TOUCH_ALWAYS,
	SYMSWAP_TOUCH_NR
};

/* What others hold up is tried again after 0.1 s, then less and less often. */
#define SYMSWAP_RETRY_FIRST	(HZ / 10)
#define SYMSWAP_RETRY_LAST	(64 * HZ)

struct symswap_backoff {
	unsigned long next;	/* jiffies */
	unsigned long pause;
};

static inline void symswap_backoff_reset(struct symswap_backoff *b)
{
	b->pause = 0;
}

/* Returns the pause. */
static inline unsigned long symswap_backoff(struct symswap_backoff *b)
{
	b->pause = clamp(2 * b->pause, (unsigned long)SYMSWAP_RETRY_FIRST,
			 (unsigned long)SYMSWAP_RETRY_LAST);
	b->next = jiffies + b->pause;
	return b->pause;
}

/**
 * struct symswap_exchange - cold pages of memory for hot ones of the window
 * @hot: pages of the window that the last look found in use
 * @hot_since: when looks began to find some, in jiffies
 * @hot_last: when one did at last, in jiffies
 * @out: how many went in this period to make room
 * @left: how many more may
 * @budget: of a period
 * @period: its length, in jiffies
 * @end: of this one
 * @came: count of pages that came back, when it began
 * @lifted: count of those that moved to memory
 */
struct symswap_exchange {
	unsigned long hot;
	unsigned long hot_since;
	unsigned long hot_last;
	unsigned long out;
	unsigned long left;
	unsigned long budget;
	unsigned long period;
	unsigned long end;
	unsigned long came;
	unsigned long lifted;
};

/* Much page cache that reclaim frees without swapping: a sixteenth of memory. */
#define SYMSWAP_CACHE_SHARE	16
/* Aging keeps a sixteenth of the grant free, for faults; first touches end there. */
#define SYMSWAP_AGE_ROOM	16
/* First touches of a process on a CPU for which "memory is not short" holds. */
#define SYMSWAP_TOUCH_ASKS	32
/* Slots that a CPU has ahead. */
#define SYMSWAP_STOCK	64

/**
 * struct symswap_stock - free slots that are reserved for a CPU's first touches
 * @lock: of the others; others than the CPU's take it to empty the stock
 * @nr: how many
 * @used: since symswap_stock_work() looked
 * @slots: the next one last
 */
struct symswap_stock {
	spinlock_t lock;	/* of this structure */
	unsigned int nr;
	bool used;
	unsigned int slots[SYMSWAP_STOCK];
};

/**
 * struct symswap_window - a swap window with struct pages
 * @pgmap: its struct pages
 * @disk: the disk on it
 * @first_pfn: page of slot 0; before it lie the struct pages
 * @nr_pages: number of slots
 * @reserved: pages in front of @first_pfn
 * @mode: what was asked for
 * @touch: when a first touch takes a page here
 * @si: its swap device, or NULL. Under symswap_mutex
 * @type: its swap type, while it has an entry in symswap_by_type
 * @active: new pages may be mapped
 * @vmm: the VMM's grant is for this one
 * @ours: its device is the symbiotic VMM's own
 * @followed: changes of the VMM's paging that it has followed
 * @in_place: pages in use, at most @grant but for the moment of a change, and
 *	for what cannot be given back
 * @held: pages of these without a slot
 * @unused: woken when no page is in use
 * @grant: how many may be: the smaller of @limit and the VMM's grant
 * @limit: what the guest's administrator allows
 * @freed: pages whose slot is to be freed, linked by zone_device_data
 * @free_work: frees them
 * @retry: slots whose pages may be in the swap cache with no swap entry left
 * @retry_work: takes them out of it
 * @age_work: pushes cold pages out, or any above a lowered @grant
 * @hand: the slot where it goes on
 * @declined: faults that found no grant left, when it ran last
 * @touch_declined: first touches that did
 * @tried: the grant that it has tried to get below
 * @stuck: it could not
 * @age_backoff: when it tries again
 * @held_work: moves held pages to memory when they can
 * @held_backoff: when it tries again
 * @stock: free slots for first touches
 * @stock_work: gives back those that nobody uses
 * @backed: clusters that may have memory of the host's behind them, and were free
 * @fresh: those of them that have become free since the last look
 * @nr_clusters: bits of these
 * @give_work: gives that memory back
 * @exchange: what memory is reclaimed for them
 * @lifter: who moves pages to memory that is free, and reclaims none for it
 * @stats: counters
 * @list: in symswap_windows, under symswap_mutex
 */
struct symswap_window {
	struct dev_pagemap pgmap;
	struct gendisk *disk;
	unsigned long first_pfn;
	unsigned long nr_pages;
	unsigned long reserved;
	enum symswap_mode mode;
	enum symswap_touch touch;
	struct swap_info_struct *si;
	unsigned int type;
	bool active;
	bool vmm;
	bool ours;
	unsigned long followed;
	atomic_long_t in_place;
	atomic_long_t held;
	wait_queue_head_t *unused;
	unsigned long grant;
	unsigned long limit;
	struct llist_head freed;
	struct delayed_work free_work;
	unsigned long *retry;
	struct work_struct retry_work;
	struct delayed_work age_work;
	unsigned long hand;
	unsigned long declined;
	unsigned long touch_declined;
	unsigned long tried;
	bool stuck;
	struct symswap_backoff age_backoff;
	struct delayed_work held_work;
	struct symswap_backoff held_backoff;
	struct symswap_stock __percpu *stock;
	struct delayed_work stock_work;
	unsigned long *backed;
	unsigned long *fresh;
	unsigned long nr_clusters;
	struct delayed_work give_work;
	struct symswap_exchange exchange;
	struct task_struct *lifter;
	unsigned long __percpu *stats;
	struct list_head list;
};

/* What one look round has found. */
struct symswap_round {
	unsigned long used;
	unsigned long hot;
	unsigned long pushed;
	unsigned long tried;	/* to move to memory */
};

extern struct mutex symswap_mutex;
extern struct workqueue_struct *symswap_wq;
/* See symswap_stay_in_ram(). */
extern bool symswap_only_ram;
extern const char * const symswap_mode_names[SYMSWAP_MODE_NR];
extern const char * const symswap_touch_names[SYMSWAP_TOUCH_NR];
/*
 * By swap type, which is a number that the next swapon gives to another device.
 * So an entry lives as long as the number is this window's: from the swapon to
 * the end of its swapoff, when nobody has a reference to the swap device, and no
 * slot is in use. Who has one of the two may look up; see symswap_of().
 */
extern struct symswap_window *symswap_by_type[MAX_SWAPFILES];

/*
 * Bits of symswap.skip=, a test option that breaks the guest on purpose: each
 * leaves out one rule. The tests of the tests set them while they run. Each is
 * looked at in a predicate that says what the rule is about, and nowhere else.
 */
enum symswap_rule {
	SYMSWAP_RULE_KEEP,	/* the slot of a page in use is not free */
	SYMSWAP_RULE_SHARED,	/* a slot with several users is shared */
	SYMSWAP_RULE_ZEROMAP,	/* the content is in the slot */
	SYMSWAP_RULE_VMA,	/* mlock, shadow stacks */
	SYMSWAP_RULE_UFFD,	/* userfaultfd sees each page */
	SYMSWAP_RULE_EVICT,	/* swapoff moves pages */
	SYMSWAP_RULE_GRANT,	/* no more than granted */
	SYMSWAP_RULE_AGE,	/* cold pages make room */
	SYMSWAP_RULE_HOT,	/* hot is what has been used itself */
	SYMSWAP_RULE_TYPE,	/* the slot's number is not its identity */
	SYMSWAP_RULE_PUBLISH,	/* the count comes last */
	SYMSWAP_RULE_ANON_VMA,	/* who migrates a page holds its anon_vma */
	SYMSWAP_RULE_CLEAR,	/* a first touch sees zeroes */
	SYMSWAP_RULE_CHARGE,	/* and is charged as swap */
	SYMSWAP_RULE_STOCK,	/* swapoff gets the slots that are reserved */
};

#ifdef CONFIG_SYMBIOTIC_TEST
extern unsigned int symswap_skipped;

static inline bool symswap_skip(enum symswap_rule rule)
{
	return READ_ONCE(symswap_skipped) & BIT(rule);
}
#else
static inline bool symswap_skip(enum symswap_rule rule)
{
	return false;
}
#endif

static inline void symswap_count(struct symswap_window *win,
				 enum symswap_stat stat, unsigned long nr)
{
	this_cpu_add(win->stats[stat], nr);
}

static inline struct symswap_window *symswap_window_of(const struct folio *folio)
{
	return container_of(folio->page.pgmap, struct symswap_window, pgmap);
}

static inline struct page *symswap_page(const struct symswap_window *win,
					unsigned long offset)
{
	return pfn_to_page(win->first_pfn + offset);
}

/* The slot where a page of the window lies. */
static inline swp_entry_t symswap_entry(const struct symswap_window *win,
					struct folio *folio)
{
	return swp_entry(win->type, folio_pfn(folio) - win->first_pfn);
}

/*
 * The window of a swap device, also while it is swapped off, or NULL: it is
 * another device. The caller holds a reference to @si, or a slot of it.
 */
static inline struct symswap_window *symswap_of(const struct swap_info_struct *si)
{
	return READ_ONCE(symswap_by_type[si->type]);
}

/* page.c */
extern const struct dev_pagemap_ops symswap_pgmap_ops;
void symswap_free_work(struct work_struct *work);
struct folio *symswap_page_init(struct page *page, void *state);
void symswap_publish(struct folio *folio);
bool symswap_vma_ok(const struct vm_area_struct *vma);
bool symswap_slot_ok(const struct symswap_window *win,
		     const struct swap_info_struct *si, unsigned long offset);
unsigned long symswap_reserve(struct symswap_window *win, unsigned long nr);

/* leave.c */
struct folio *symswap_get(struct symswap_window *win, unsigned long offset,
			  bool held);
int symswap_move_one(struct symswap_window *win, struct folio *folio);
void symswap_retry_work(struct work_struct *work);
bool symswap_unmap(struct symswap_window *win, struct folio *folio);
bool symswap_let_go(struct symswap_window *win, struct folio *folio);
long symswap_move(struct symswap_window *win, bool held, unsigned long nr);
void symswap_held_work(struct work_struct *work);

/* age.c */
unsigned long symswap_stat_sum(const struct symswap_window *win,
			       enum symswap_stat stat);
unsigned long symswap_unreturned(const struct symswap_window *win);
void symswap_update_grant(struct symswap_window *win);
void symswap_report(struct symswap_window *win, const struct symswap_round *round);
void symswap_age_work(struct work_struct *work);

/* touch.c */

/**
 * struct symswap_touch_facts - by what a first touch is decided
 * @more: pages that would be taken at once, besides the first
 * @mode: when to
 * @is_short: memory is, of the guest or of the memory cgroup
 * @in_place: pages in place
 * @grant: how many may be
 * @slots: slots of the swap device
 * @used: of these, in use
 * @left: pages of swap that the memory cgroup may have besides
 */
struct symswap_touch_facts {
	unsigned long more;
	enum symswap_touch mode;
	bool is_short;
	unsigned long in_place;
	unsigned long grant;
	unsigned long slots;
	unsigned long used;
	unsigned long left;
};

/* What comes of it. */
enum symswap_touch_verdict {
	SYMSWAP_TOUCH_TAKE,
	SYMSWAP_TOUCH_NO_NEED,
	SYMSWAP_TOUCH_NO_GRANT,
	SYMSWAP_TOUCH_NO_SLOTS,
};

enum symswap_touch_verdict symswap_touch_decide(const struct symswap_touch_facts *f);
unsigned long symswap_touch_limit(unsigned long grant);
unsigned int symswap_touch_ahead_nr(const struct symswap_touch_facts *f, unsigned int run);
void symswap_touch_set(struct symswap_window *win);

/* stock.c */
void symswap_stock_init(struct symswap_stock *stock);
bool symswap_stock_pop(struct symswap_stock *stock, unsigned int *slot);
bool symswap_stock_push(struct symswap_stock *stock, const unsigned int *slots,
			unsigned int nr);
unsigned int symswap_stock_empty(struct symswap_stock *stock, unsigned int *slots);
bool symswap_stock_get(struct symswap_window *win, unsigned int *slot);
void symswap_stock_put(struct symswap_window *win, unsigned int slot);
bool symswap_stock_refill(struct symswap_window *win, struct swap_info_struct *si);
void symswap_stock_drain(struct symswap_window *win);
unsigned long symswap_stocked(const struct symswap_window *win);
void symswap_stock_work(struct work_struct *work);

/* ram.c */
unsigned long symswap_ram_margin(void);
bool symswap_ram_short(unsigned long more);
unsigned long symswap_ram_spare(void);
void symswap_exchange_init(struct symswap_exchange *x);
void symswap_exchange_note(struct symswap_exchange *x, unsigned long hot);
bool symswap_exchange_pays(const struct symswap_exchange *x);
void symswap_exchange_judge(struct symswap_exchange *x, unsigned long came,
			    unsigned long lifted);
unsigned long symswap_make_room(struct symswap_window *win, unsigned long nr);
bool symswap_may_lift(struct symswap_window *win, struct folio *folio);
bool symswap_lift(struct symswap_window *win, struct folio *folio);
unsigned long symswap_lift_any(struct symswap_window *win, unsigned long nr);

/* give.c */

/* On their way at a time: 16 MiB on x86. */
#define SYMSWAP_GIVE_BATCH	8UL

/* Clusters that are out of use, to be given to the host. */
struct symswap_gift {
	unsigned long clusters[SYMSWAP_GIVE_BATCH];
	unsigned int nr;
	unsigned long next;	/* where to look next */
	bool more;		/* there may be some from there on */
};

int symswap_give_init(struct symswap_window *win, unsigned long nr_pages);
bool symswap_give_whole(const struct symswap_window *win);
void symswap_give_old(struct symswap_window *win);
void symswap_give_free(struct symswap_window *win);
void symswap_give_later(struct symswap_window *win);
void symswap_give_note(struct symswap_window *win, unsigned long nr);
bool symswap_give_pick(struct symswap_window *win, struct swap_info_struct *si,
		       struct symswap_gift *gift, bool now);
void symswap_give_all(struct symswap_window *win, struct swap_info_struct *si);
void symswap_give_work(struct work_struct *work);

/* group.c */
#ifdef CONFIG_MEMCG
bool symswap_group_short(struct mm_struct *mm, unsigned long more);
unsigned long symswap_group_swap_left(struct mm_struct *mm);
bool symswap_group_charge(struct mm_struct *mm, swp_entry_t entry);
bool symswap_group_of_slot_short(swp_entry_t entry);
#else
static inline bool symswap_group_short(struct mm_struct *mm, unsigned long more)
{
	return false;
}

static inline unsigned long symswap_group_swap_left(struct mm_struct *mm)
{
	return ULONG_MAX;
}

static inline bool symswap_group_charge(struct mm_struct *mm, swp_entry_t entry)
{
	return true;
}

static inline bool symswap_group_of_slot_short(swp_entry_t entry)
{
	return false;
}
#endif

/* window.c */
struct symswap_window *symswap_window_on(const struct gendisk *disk);
void symswap_apply(struct symswap_window *win);
void symswap_touch_choose(void);

#endif /* _MM_SYMSWAP_INTERNAL_H */
