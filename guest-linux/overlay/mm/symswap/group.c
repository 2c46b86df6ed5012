// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: what a first touch means to the memory cgroup.
 *
 * A page in place is charged as swap until its slot is free (page.c), whichever
 * way it came there. So memory.max and memory.high do not count it, swap.max limits
 * it, and swap.high ends it: who is above that shall be slowed down, which the
 * charge of memory sees to. Where swap counts as memory too (memory.memsw, version
 * 1), nothing would be gained.
 */

#include <linux/memcontrol.h>
#include <linux/mmzone.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/swap.h>
#include <linux/swap_cgroup.h>
#include <linux/swapops.h>
#include <linux/vmstat.h>

#include "../memcontrol-v1.h"
#include "internal.h"

/* The group that the pages of a process are charged to. RCU keeps it. */
static struct mem_cgroup *symswap_group_of(struct mm_struct *mm)
{
	struct mem_cgroup *memcg = mem_cgroup_from_task(rcu_dereference(mm->owner));

	return memcg ?: root_mem_cgroup;
}

/* Would it soon have to reclaim, and not only page cache? */
static bool symswap_near_limit(struct mem_cgroup *memcg, unsigned long more)
{
	unsigned long limit, used;

	for (; memcg && !mem_cgroup_is_root(memcg); memcg = parent_mem_cgroup(memcg)) {
		limit = min(READ_ONCE(memcg->memory.high), READ_ONCE(memcg->memory.max));
		used = page_counter_read(&memcg->memory);
		if (used + MEMCG_CHARGE_BATCH + more >= limit &&
		    memcg_page_state(memcg, NR_INACTIVE_FILE) <=
		    limit / SYMSWAP_CACHE_SHARE)
			return true;
	}
	return false;
}

/**
 * symswap_group_short() - is memory short for a process by its memory cgroup?
 * @mm: of the process
 * @more: pages that are taken at once, besides the first
 *
 * Context: any. In an RCU read-side critical section.
 * Return: true if its next pages would be reclaimed from the group.
 */
bool symswap_group_short(struct mm_struct *mm, unsigned long more)
{
	return !mem_cgroup_disabled() && symswap_near_limit(symswap_group_of(mm), more);
}

/**
 * symswap_group_swap_left() - how much swap may a process have, without being throttled?
 * @mm: of the process
 *
 * Context: any. In an RCU read-side critical section.
 * Return: pages up to swap.high or swap.max of one of its groups; 0 if they have no
 * such limits.
 */
unsigned long symswap_group_swap_left(struct mm_struct *mm)
{
	unsigned long left = PAGE_COUNTER_MAX, limit;
	struct mem_cgroup *memcg;

	if (mem_cgroup_disabled())
		return left;
	if (do_memsw_account())
		return 0;
	for (memcg = symswap_group_of(mm); memcg && !mem_cgroup_is_root(memcg);
	     memcg = parent_mem_cgroup(memcg)) {
		limit = min(READ_ONCE(memcg->swap.high), READ_ONCE(memcg->swap.max));
		left = min(left, limit - min(limit, page_counter_read(&memcg->swap)));
	}
	return left;
}

/**
 * symswap_group_charge() - charge a slot to a process
 * @mm: of the process
 * @entry: the slot, charged to nobody
 *
 * As __mem_cgroup_try_charge_swap(), with no page that is charged. Freeing the slot
 * takes it back.
 *
 * Context: any but interrupts. In an RCU read-side critical section.
 * Return: false if swap.max does not allow it.
 */
bool symswap_group_charge(struct mm_struct *mm, swp_entry_t entry)
{
	struct page_counter *over;
	struct mem_cgroup *memcg;
	unsigned short old;

	if (mem_cgroup_disabled())
		return true;
	/* Its reference goes with the slot. */
	memcg = mem_cgroup_id_get_online(symswap_group_of(mm));
	if (!mem_cgroup_is_root(memcg) &&
	    !page_counter_try_charge(&memcg->swap, 1, &over)) {
		mem_cgroup_id_put_many(memcg, 1);
		return false;
	}
	old = swap_cgroup_record(entry, mem_cgroup_id(memcg), 1);
	VM_WARN_ON_ONCE(old);
	mod_memcg_state(memcg, MEMCG_SWAP, 1);
	return true;
}

/**
 * symswap_group_of_slot_short() - is memory short where a slot is charged?
 * @entry: the slot, in use
 *
 * Context: any.
 * Return: true if its page had better not become memory.
 */
bool symswap_group_of_slot_short(swp_entry_t entry)
{
	struct mem_cgroup *memcg;
	bool is_short = false;

	if (mem_cgroup_disabled())
		return false;
	rcu_read_lock();
	memcg = mem_cgroup_from_id(lookup_swap_cgroup_id(entry));
	if (memcg)
		is_short = symswap_near_limit(memcg, 0);
	rcu_read_unlock();
	return is_short;
}
