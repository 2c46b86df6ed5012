// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: free slots that each CPU has ahead, for first touches.
 *
 * They have SWAP_HAS_CACHE and nothing else, so that nobody else gets them, and
 * count as slots in use. Those that are not used for a while go back; all of them
 * do when the window is no longer for first touches, and during a swapoff. Who puts
 * some into a stock looks at that under the stock's lock, and who empties the
 * stocks has said so before he takes it.
 */

#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/swap_slots.h>
#include <linux/swapops.h>
#include <linux/symswap.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "slots.h"

/* A stock that was not used for so long is given back. */
#define SYMSWAP_STOCK_IDLE	HZ

/* ---- One stock ---------------------------------------------------------- */

void symswap_stock_init(struct symswap_stock *stock)
{
	spin_lock_init(&stock->lock);
	stock->nr = 0;
	stock->used = false;
}

/* The slot that was put in last. False if there is none. */
bool symswap_stock_pop(struct symswap_stock *stock, unsigned int *slot)
{
	if (!stock->nr)
		return false;
	*slot = stock->slots[--stock->nr];
	stock->used = true;
	return true;
}

/* So that the first of @nr slots comes out first. False if there is no room for all. */
bool symswap_stock_push(struct symswap_stock *stock, const unsigned int *slots,
			unsigned int nr)
{
	if (nr > SYMSWAP_STOCK - stock->nr)
		return false;
	while (nr)
		stock->slots[stock->nr++] = slots[--nr];
	return true;
}

/* Returns how many there were. */
unsigned int symswap_stock_empty(struct symswap_stock *stock, unsigned int *slots)
{
	unsigned int nr = stock->nr;

	memcpy(slots, stock->slots, nr * sizeof(*slots));
	stock->nr = 0;
	return nr;
}

/* ---- Those of a window -------------------------------------------------- */

/*
 * As the kernel's own caches of slots, stocks are empty during a swapoff, of any swap
 * device: shmem's read-ahead then waits for each slot to be used or freed.
 */
static bool symswap_stocks_up(const struct symswap_window *win,
			      const struct swap_info_struct *si)
{
	return READ_ONCE(swap_slot_cache_enabled) && READ_ONCE(win->active) &&
	       READ_ONCE(win->touch) != SYMSWAP_TOUCH_OFF && READ_ONCE(win->si) == si;
}

static void symswap_stock_free(const struct symswap_window *win,
			       const unsigned int *slots, unsigned int nr)
{
	swp_entry_t entries[SYMSWAP_STOCK];
	unsigned int i;

	if (!nr)
		return;
	for (i = 0; i < nr; i++)
		entries[i] = swp_entry(win->type, slots[i]);
	symswap_slots_free(entries, nr);
}

/**
 * symswap_stock_get() - take a slot of this CPU's stock
 * @win: the window
 * @slot: where to put it
 *
 * Context: any but interrupts. An RCU read-side critical section of the caller
 * keeps the window.
 * Return: false if the stock is empty.
 */
bool symswap_stock_get(struct symswap_window *win, unsigned int *slot)
{
	struct symswap_stock *stock = raw_cpu_ptr(win->stock);
	bool got;

	spin_lock(&stock->lock);
	got = symswap_stock_pop(stock, slot);
	spin_unlock(&stock->lock);
	return got;
}

/**
 * symswap_stock_put() - a slot of the stock is not needed after all
 * @win: the window
 * @slot: the slot
 *
 * Context: as symswap_stock_get(). Takes and releases the locks of slots if it
 * cannot go back into the stock.
 */
void symswap_stock_put(struct symswap_window *win, unsigned int slot)
{
	struct symswap_stock *stock = raw_cpu_ptr(win->stock);
	bool put;

	spin_lock(&stock->lock);
	put = symswap_stocks_up(win, READ_ONCE(win->si)) &&
	      symswap_stock_push(stock, &slot, 1);
	spin_unlock(&stock->lock);
	if (!put)
		symswap_stock_free(win, &slot, 1);
}

/**
 * symswap_stock_refill() - get free slots for this CPU's stock
 * @win: the window
 * @si: its swap device, with a reference to it
 *
 * Context: may sleep.
 * Return: false if there are none, or none are wanted any more.
 */
bool symswap_stock_refill(struct symswap_window *win, struct swap_info_struct *si)
{
	swp_entry_t entries[SYMSWAP_STOCK];
	unsigned int slots[SYMSWAP_STOCK];
	struct symswap_stock *stock;
	bool put;
	int i, nr;

	if (!symswap_stocks_up(win, si))
		return false;
	nr = symswap_slots_alloc(si, entries, SYMSWAP_STOCK);
	if (!nr)
		return false;
	for (i = 0; i < nr; i++)
		slots[i] = swp_offset(entries[i]);

	stock = raw_cpu_ptr(win->stock);
	spin_lock(&stock->lock);
	put = symswap_stocks_up(win, si) && symswap_stock_push(stock, slots, nr);
	spin_unlock(&stock->lock);
	if (!put) {
		symswap_slots_free(entries, nr);
		/* Somebody else may have filled it. */
		return symswap_stocks_up(win, si);
	}
	queue_delayed_work(symswap_wq, &win->stock_work, SYMSWAP_STOCK_IDLE);
	return true;
}

/* Give back what is in the stocks, or in those alone that were not used of late. */
static bool symswap_stock_give_back(struct symswap_window *win, bool all)
{
	unsigned int slots[SYMSWAP_STOCK], nr;
	struct symswap_stock *stock;
	bool left = false;
	int cpu;

	for_each_possible_cpu(cpu) {
		stock = per_cpu_ptr(win->stock, cpu);
		nr = 0;
		spin_lock(&stock->lock);
		if (all || !stock->used)
			nr = symswap_stock_empty(stock, slots);
		stock->used = false;
		left |= stock->nr;
		spin_unlock(&stock->lock);
		symswap_stock_free(win, slots, nr);
		cond_resched();
	}
	return left;
}

static bool symswap_stock_drains(void)
{
	return !symswap_skip(SYMSWAP_RULE_STOCK);
}

/**
 * symswap_stock_drain() - give all slots back
 * @win: the window; that it is for first touches no more has been said before
 *
 * Context: may sleep.
 */
void symswap_stock_drain(struct symswap_window *win)
{
	if (symswap_stock_drains())
		symswap_stock_give_back(win, true);
}

void symswap_stock_work(struct work_struct *work)
{
	struct symswap_window *win = container_of(to_delayed_work(work),
						  struct symswap_window, stock_work);

	if (symswap_stock_drains() && symswap_stock_give_back(win, false))
		queue_delayed_work(symswap_wq, &win->stock_work, SYMSWAP_STOCK_IDLE);
}

/* How many slots are in stock. */
unsigned long symswap_stocked(const struct symswap_window *win)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(win->stock, cpu)->nr);
	return sum;
}
