// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: windows, their modes, and what the driver calls.
 */

#define pr_fmt(fmt) "symswap: " fmt

#include <linux/blkdev.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/symbiotic.h>
#include <linux/symbiotic_bypass.h>
#include <linux/symswap.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "../symbiotic_bypass.h"
#include "internal.h"
#include "slots.h"

/* What may be spent for slots that lie in huge pages of the host's. */
#define SYMSWAP_ALIGN_SHARE	32

struct static_key_false symswap_key = STATIC_KEY_FALSE_INIT;

/* Windows, their modes, which swap device each has. */
DEFINE_MUTEX(symswap_mutex);
static LIST_HEAD(symswap_windows);
struct symswap_window *symswap_by_type[MAX_SWAPFILES];
struct workqueue_struct *symswap_wq;
bool symswap_only_ram;
/* Windows with struct pages, listed or not yet. No hibernation if there is one. */
static unsigned int symswap_nr_windows;
/* Is under way, without a window: none may come. */
static bool symswap_hibernating;

const char * const symswap_mode_names[SYMSWAP_MODE_NR] = {
	[SYMSWAP_MODE_COPY]		= "copy",
	[SYMSWAP_MODE_SHADOW_BYPASS]	= "shadow-bypass",
	[SYMSWAP_MODE_IN_PLACE]		= "in-place",
	[SYMSWAP_MODE_AUTO]		= "auto",
};

const char * const symswap_touch_names[SYMSWAP_TOUCH_NR] = {
	[SYMSWAP_TOUCH_OFF]	= "off",
	[SYMSWAP_TOUCH_AUTO]	= "auto",
	[SYMSWAP_TOUCH_ALWAYS]	= "always",
};

static int default_mode = SYMSWAP_MODE_AUTO;

static int default_mode_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(symswap_mode_names, val);

	if (mode < 0)
		return mode;
	default_mode = mode;
	return 0;
}

static int default_mode_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", symswap_mode_names[default_mode]);
}

static const struct kernel_param_ops default_mode_ops = {
	.set = default_mode_set,
	.get = default_mode_get,
};

module_param_cb(mode, &default_mode_ops, NULL, 0444);
MODULE_PARM_DESC(mode, "Mode of windows at first: copy, shadow-bypass, in-place or auto");

static int default_touch = SYMSWAP_TOUCH_AUTO;

static int default_touch_set(const char *val, const struct kernel_param *kp)
{
	int touch = sysfs_match_string(symswap_touch_names, val);

	if (touch < 0)
		return touch;
	default_touch = touch;
	return 0;
}

static int default_touch_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", symswap_touch_names[default_touch]);
}

static const struct kernel_param_ops default_touch_ops = {
	.set = default_touch_set,
	.get = default_touch_get,
};

module_param_cb(first_touch, &default_touch_ops, NULL, 0444);
MODULE_PARM_DESC(first_touch, "When new memory is a window's page: off, auto (memory is short) or always");

static unsigned long default_limit = ULONG_MAX;
module_param_named(limit, default_limit, ulong, 0444);
MODULE_PARM_DESC(limit, "Pages of a window that may be in place, however many the VMM grants");

#ifdef CONFIG_SYMBIOTIC_TEST
unsigned int symswap_skipped;
module_param_named(skip, symswap_skipped, uint, 0600);
MODULE_PARM_DESC(skip, "Test only, corrupts data: leave out rules");
#endif

struct symswap_window *symswap_window_on(const struct gendisk *disk)
{
	struct symswap_window *win;

	lockdep_assert_held(&symswap_mutex);
	list_for_each_entry(win, &symswap_windows, list)
		if (win->disk == disk)
			return win;
	return NULL;
}

/* ---- Modes -------------------------------------------------------------- */

/* Under nested paging the VMM sees no fault that it could handle. */
static bool symswap_wants_bypass(const struct symswap_window *win)
{
	return win->mode == SYMSWAP_MODE_SHADOW_BYPASS ||
	       (win->mode == SYMSWAP_MODE_AUTO && symbiotic_paging() != SYMB_PAGING_NESTED);
}

static bool symswap_touches(const struct symswap_window *win)
{
	return win->active && win->touch != SYMSWAP_TOUCH_OFF;
}

/* First touches take pages of the first window that is for them, if there is one. */
void symswap_touch_choose(void)
{
	struct symswap_window *win, *chosen = NULL;

	lockdep_assert_held(&symswap_mutex);
	list_for_each_entry(win, &symswap_windows, list)
		if (!chosen && symswap_touches(win))
			chosen = win;
	symswap_touch_set(chosen);
	/* It was said that they are for it no more; now the stocks can be emptied. */
	list_for_each_entry(win, &symswap_windows, list)
		if (!symswap_touches(win))
			symswap_stock_drain(win);
}

/*
 * Make the mode what is done, as far as the VMM and the swap area allow. Pages stay
 * where they are: those in place are mapped as ever, and what the VMM had mapped is
 * in the window still, where the next fault finds it.
 */
void symswap_apply(struct symswap_window *win)
{
	bool in_place = win->mode == SYMSWAP_MODE_IN_PLACE;

	lockdep_assert_held(&symswap_mutex);
	if (symswap_wants_bypass(win)) {
		if (win->active) {
			WRITE_ONCE(win->active, false);
			/*
			 * A page must not come in place where the VMM has just
			 * mapped it: faults look at @active with the page-table
			 * lock held, see symswap_map_around(), and in an RCU
			 * read-side critical section, __symswap_first_touch().
			 */
			synchronize_rcu();
		}
		symbiotic_bypass_swapon(win->si);
	} else {
		/* Nothing is mapped by the VMM when this returns. */
		symbiotic_bypass_swapoff(win->si);
	}
	if (win->mode == SYMSWAP_MODE_AUTO)
		in_place = !symbiotic_bypass_attached(win->si);
	WRITE_ONCE(win->active, in_place && !symswap_only_ram);
	symswap_touch_choose();
	if (win->active || atomic_long_read(&win->in_place))
		mod_delayed_work(symswap_wq, &win->age_work, 0);
}

/* The VMM has changed how it maps our memory. */
static int symswap_paging_event(struct notifier_block *nb, unsigned long mode,
				void *unused)
{
	struct symswap_window *win;

	mutex_lock(&symswap_mutex);
	list_for_each_entry(win, &symswap_windows, list) {
		if (!win->si || win->mode != SYMSWAP_MODE_AUTO)
			continue;
		symswap_apply(win);
		win->followed++;
	}
	mutex_unlock(&symswap_mutex);
	return NOTIFY_OK;
}

static struct notifier_block symswap_paging_nb = {
	.notifier_call = symswap_paging_event,
};

/**
 * symswap_stay_in_ram() - a device is here that cannot reach the window
 *
 * A passthrough device without an IOMMU reaches what the VMM has pinned for it,
 * which is RAM, and where the kernel has no bounce buffers, nothing else. From
 * now on no page comes in place. Those that are leave, before this returns or, if
 * somebody holds them, as soon as they can.
 *
 * Context: may sleep.
 */
void symswap_stay_in_ram(void)
{
	struct symswap_window *win;

	mutex_lock(&symswap_mutex);
	/* A second device has waited until the pages had left for the first. */
	if (symswap_only_ram)
		goto unlock;
	pr_info("a device reaches RAM alone, no pages in place (swiotlb=force would help)\n");
	symswap_only_ram = true;
	list_for_each_entry(win, &symswap_windows, list) {
		if (!win->si)
			continue;
		symswap_apply(win);
		mod_delayed_work(symswap_wq, &win->age_work, 0);
		flush_delayed_work(&win->age_work);
		if (atomic_long_read(&win->in_place))
			pr_info("%s: %ld pages are held in place\n", win->disk->disk_name,
				atomic_long_read(&win->in_place));
	}
unlock:
	mutex_unlock(&symswap_mutex);
}

#ifdef CONFIG_SYMBIOTIC_TEST
static int only_ram_set(const char *val, const struct kernel_param *kp)
{
	symswap_stay_in_ram();
	return 0;
}

static const struct kernel_param_ops only_ram_ops = {
	.set = only_ram_set,
	.get = param_get_bool,
};

module_param_cb(only_ram, &only_ram_ops, &symswap_only_ram, 0600);
MODULE_PARM_DESC(only_ram, "Test only: as if a device were here that reaches RAM alone");
#endif

/**
 * symswap_swapon() - a swap device is in use (again)
 * @si: the device
 *
 * Context: may sleep.
 */
void symswap_swapon(struct swap_info_struct *si)
{
	struct symswap_window *win;

	if (!static_branch_unlikely(&symswap_key)) {
		symbiotic_bypass_swapon(si);
		return;
	}

	mutex_lock(&symswap_mutex);
	win = si->bdev ? symswap_window_on(si->bdev->bd_disk) : NULL;
	if (!win) {
		symbiotic_bypass_swapon(si);
	} else if ((READ_ONCE(si->flags) & SWP_WRITEOK) && symswap_whole_disk(si)) {
		/* A swapoff that was faster has cleared SWP_WRITEOK. */
		WRITE_ONCE(win->si, si);
		win->type = si->type;
		WRITE_ONCE(symswap_by_type[si->type], win);
		symswap_apply(win);
		/* What was free already, or an earlier system has left. */
		symswap_give_later(win);
	}
	mutex_unlock(&symswap_mutex);
}

/**
 * symswap_swapoff() - a swap device is about to be emptied
 * @si: the device
 *
 * No fault that begins later is served in place.
 *
 * Context: may sleep.
 */
void symswap_swapoff(struct swap_info_struct *si)
{
	struct symswap_window *win;

	symbiotic_bypass_swapoff(si);
	if (!static_branch_unlikely(&symswap_key))
		return;

	mutex_lock(&symswap_mutex);
	/* No CPU is to have slots ahead, which disable_swap_slots_cache_lock() has said. */
	list_for_each_entry(win, &symswap_windows, list)
		symswap_stock_drain(win);
	win = si->bdev ? symswap_window_on(si->bdev->bd_disk) : NULL;
	if (win && win->si == si) {
		WRITE_ONCE(win->active, false);
		WRITE_ONCE(win->si, NULL);
		cancel_delayed_work_sync(&win->age_work);
		/* It may have slots in its hands. */
		cancel_delayed_work_sync(&win->stock_work);
		cancel_delayed_work_sync(&win->give_work);
		symswap_touch_choose();
		symswap_report(win, NULL);
	}
	mutex_unlock(&symswap_mutex);
}

static bool symswap_type_is_over(void)
{
	return !symswap_skip(SYMSWAP_RULE_TYPE);
}

/**
 * symswap_swapoff_done() - a swap device is empty, and nobody uses it any more
 * @si: the device; its type is about to be free for another one
 *
 * Context: may sleep.
 */
void symswap_swapoff_done(struct swap_info_struct *si)
{
	struct symswap_window *win;

	if (!static_branch_unlikely(&symswap_key))
		return;

	win = symswap_of(si);
	if (win)
		symswap_give_all(win, si);
	mutex_lock(&symswap_mutex);
	if (symswap_type_is_over())
		WRITE_ONCE(symswap_by_type[si->type], NULL);
	mutex_unlock(&symswap_mutex);
}

/**
 * __symswap_cluster_freed() - a cluster of slots has become free
 * @si: the swap device, locked
 * @ci: the cluster, locked, on its list of free clusters
 *
 * The next one to be taken: behind slots that were never used there may be no
 * memory of the host's yet, so they cost an exit each.
 */
void __symswap_cluster_freed(struct swap_info_struct *si, struct swap_cluster_info *ci)
{
	struct symswap_window *win = symswap_of(si);

	if (!win)
		return;
	list_move(&ci->list, &si->free_clusters);
	symswap_give_note(win, ci - si->cluster_info);
}

/*
 * A hibernated system cannot have windows with struct pages. They, and the pages,
 * lie outside RAM: the image lacks them, and the kernel that reads the image back
 * writes its own in their place. Whether a page is in place, or comes in place
 * while memory is made free for the image, makes no difference.
 */
static int symswap_pm_event(struct notifier_block *nb, unsigned long event,
			    void *unused)
{
	int ret = NOTIFY_OK;

	mutex_lock(&symswap_mutex);
	switch (event) {
	case PM_HIBERNATION_PREPARE:
		if (symswap_nr_windows) {
			pr_err("no hibernation: an image cannot hold the swap window; remove its device first\n");
			ret = notifier_from_errno(-EBUSY);
		} else {
			symswap_hibernating = true;
		}
		break;
	case PM_POST_HIBERNATION:
		symswap_hibernating = false;
		break;
	default:
		ret = NOTIFY_DONE;
	}
	mutex_unlock(&symswap_mutex);
	return ret;
}

static struct notifier_block symswap_pm_nb = {
	.notifier_call = symswap_pm_event,
};

/* ---- For the driver ----------------------------------------------------- */

static int symswap_count_window(void)
{
	int ret = 0;

	mutex_lock(&symswap_mutex);
	if (symswap_hibernating)
		ret = -EBUSY;
	else
		symswap_nr_windows++;
	mutex_unlock(&symswap_mutex);
	return ret;
}

static void symswap_uncount_window(void)
{
	mutex_lock(&symswap_mutex);
	symswap_nr_windows--;
	mutex_unlock(&symswap_mutex);
}

/*
 * Pages in front of the slots, for struct pages. Such that a cluster of slots is a huge
 * page of the host's, if that costs no more than a thirty-second part: only whole ones
 * can be given back to it.
 */
static unsigned long symswap_reserved(unsigned long pages)
{
	unsigned long reserved = DIV_ROUND_UP(pages * sizeof(struct page), PAGE_SIZE);

	if (pages / SYMSWAP_ALIGN_SHARE >= SYMSWAP_HUGE)
		reserved = ALIGN(reserved, SYMSWAP_HUGE);
	return reserved;
}

/**
 * symswap_window_create() - give the pages of a window struct pages
 * @nid: its node
 * @start: guest-physical address
 * @size: its size in bytes
 *
 * The struct pages lie in the first pages of the window, so what is left for
 * slots is smaller; see symswap_window_store().
 *
 * Context: may sleep.
 * Return: the window, or an error: use it without in-place mode.
 */
struct symswap_window *symswap_window_create(int nid, phys_addr_t start, u64 size)
{
	unsigned long pages = size >> PAGE_SHIFT;
	unsigned long reserved = symswap_reserved(pages);
	struct vmem_altmap altmap = {
		.base_pfn = PHYS_PFN(start),
		.end_pfn = PHYS_PFN(start + size - 1),
		.free = reserved,
	};
	struct symswap_window *win;
	void *addr;
	int ret, cpu;

	/* What sections can be added in. */
	if (!IS_ALIGNED(start, SUBSECTION_SIZE) || !IS_ALIGNED(size, SUBSECTION_SIZE))
		return ERR_PTR(-EINVAL);

	ret = symswap_count_window();
	if (ret)
		return ERR_PTR(ret);
	ret = -ENOMEM;
	win = kzalloc(sizeof(*win), GFP_KERNEL);
	if (!win)
		goto uncount;
	win->stats = __alloc_percpu(SYMSWAP_NR_STATS * sizeof(*win->stats),
				    sizeof(*win->stats));
	if (!win->stats)
		goto free;
	win->stock = alloc_percpu(struct symswap_stock);
	if (!win->stock)
		goto free;
	for_each_possible_cpu(cpu)
		symswap_stock_init(per_cpu_ptr(win->stock, cpu));
	/* The VMM's number may be any; then there is no such memory. */
	win->retry = kvcalloc(BITS_TO_LONGS(pages - reserved), sizeof(long),
			      GFP_KERNEL | __GFP_NOWARN);
	if (!win->retry)
		goto free;

	ret = symswap_give_init(win, pages - reserved);
	if (ret)
		goto free;

	win->pgmap.type = MEMORY_DEVICE_COHERENT;
	win->pgmap.ops = &symswap_pgmap_ops;
	win->pgmap.owner = win;
	win->pgmap.flags = PGMAP_ALTMAP_VALID;
	memcpy(&win->pgmap.altmap, &altmap, sizeof(altmap));
	win->pgmap.nr_range = 1;
	win->pgmap.range.start = start;
	win->pgmap.range.end = start + size - 1;
	addr = memremap_pages(&win->pgmap, nid);
	if (IS_ERR(addr)) {
		ret = PTR_ERR(addr);
		goto free;
	}

	win->reserved = reserved;
	win->first_pfn = PHYS_PFN(start) + reserved;
	win->nr_pages = pages - reserved;
	symswap_give_old(win);
	win->mode = default_mode;
	win->touch = default_touch;
	win->limit = min(default_limit, win->nr_pages);
	win->grant = win->limit;
	init_llist_head(&win->freed);
	INIT_DELAYED_WORK(&win->free_work, symswap_free_work);
	INIT_WORK(&win->retry_work, symswap_retry_work);
	INIT_DELAYED_WORK(&win->age_work, symswap_age_work);
	INIT_DELAYED_WORK(&win->held_work, symswap_held_work);
	INIT_DELAYED_WORK(&win->stock_work, symswap_stock_work);
	INIT_DELAYED_WORK(&win->give_work, symswap_give_work);
	symswap_exchange_init(&win->exchange);
	INIT_LIST_HEAD(&win->list);
	return win;

free:
	symswap_give_free(win);
	kvfree(win->retry);
	free_percpu(win->stock);
	free_percpu(win->stats);
	kfree(win);
uncount:
	symswap_uncount_window();
	return ERR_PTR(ret);
}

/**
 * symswap_window_store() - the part of a window that holds slots
 * @win: the window
 * @start: its guest-physical address
 * @size: its size in bytes
 *
 * Return: where it is mapped.
 */
void *symswap_window_store(const struct symswap_window *win, phys_addr_t *start,
			   u64 *size)
{
	*start = PFN_PHYS(win->first_pfn);
	*size = (u64)win->nr_pages << PAGE_SHIFT;
	return __va(*start);
}

/**
 * symswap_window_add() - a window has its disk, and may be swapped on
 * @win: the window
 * @disk: the disk, not added yet
 * @unused: to be woken when no page is in use any more
 * @ours: it is of the symbiotic VMM, as is the balloon
 *
 * Context: may sleep.
 */
void symswap_window_add(struct symswap_window *win, struct gendisk *disk,
			wait_queue_head_t *unused, bool ours)
{
	mutex_lock(&symswap_mutex);
	win->ours = ours;
	win->disk = disk;
	win->unused = unused;
	win->vmm = list_empty(&symswap_windows);
	list_add_tail(&win->list, &symswap_windows);
	static_branch_enable(&symswap_key);
	mutex_unlock(&symswap_mutex);
}

/**
 * symswap_window_destroy() - the disk is gone, and with it the last user
 * @win: the window
 *
 * Context: may sleep.
 */
void symswap_window_destroy(struct symswap_window *win)
{
	/* The disk was open while it was swapped on, so no entry is left. */
	mutex_lock(&symswap_mutex);
	list_del_init(&win->list);
	symswap_touch_choose();
	mutex_unlock(&symswap_mutex);
	/* First touches that have found the window. */
	synchronize_rcu();
	cancel_delayed_work_sync(&win->stock_work);
	cancel_delayed_work_sync(&win->give_work);
	cancel_delayed_work_sync(&win->held_work);
	flush_work(&win->retry_work);
	flush_delayed_work(&win->free_work);
	memunmap_pages(&win->pgmap);
	symswap_give_free(win);
	kvfree(win->retry);
	symswap_uncount_window();
	free_percpu(win->stock);
	free_percpu(win->stats);
	kfree(win);
}

static int __init symswap_init(void)
{
	int ret;

	/* Freezable: while the machine suspends, the window may be out of reach. */
	symswap_wq = alloc_workqueue("symswap", WQ_MEM_RECLAIM | WQ_UNBOUND |
				     WQ_HIGHPRI | WQ_FREEZABLE, 0);
	if (!symswap_wq)
		return -ENOMEM;
	ret = symbiotic_paging_notify(&symswap_paging_nb);
	if (ret)
		return ret;
	return register_pm_notifier(&symswap_pm_nb);
}
subsys_initcall(symswap_init);
