// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: is the guest's own memory short?
 */

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/swap.h>
#include <linux/topology.h>
#include <linux/vmstat.h>

#include "internal.h"

/* Short begins so many pages before the watermark at which reclaim ends. */
#define SYMSWAP_MARGIN		256UL
/* What a CPU takes from a zone at once, about. */
#define SYMSWAP_CPU_BATCH	64UL

/**
 * symswap_ram_margin() - how long before reclaim begins memory is short
 *
 * At the watermark itself half of the pages would come too late: CPUs take pages
 * in batches, and the count of free ones is late by as much.
 *
 * Context: any.
 * Return: pages.
 */
unsigned long symswap_ram_margin(void)
{
	return max(SYMSWAP_MARGIN, SYMSWAP_CPU_BATCH * num_online_cpus());
}

/**
 * symswap_ram_short() - would the next pages soon have to be reclaimed?
 *
 * Not if there is much page cache that nobody has used twice: it goes first, and
 * costs no swapping. Memory that is full of that is not short.
 *
 * Context: any.
 * Return: true if no zone has more than the margin.
 */
bool symswap_ram_short(void)
{
	const enum zone_type highest = gfp_zone(GFP_HIGHUSER_MOVABLE);
	struct zonelist *zonelist = node_zonelist(numa_node_id(), GFP_HIGHUSER_MOVABLE);
	unsigned long margin = symswap_ram_margin();
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist(zone, z, zonelist, highest)
		if (zone_watermark_ok(zone, 0, high_wmark_pages(zone) + margin,
				      highest, 0))
			return false;
	return global_node_page_state(NR_INACTIVE_FILE) <=
	       totalram_pages() / SYMSWAP_CACHE_SHARE;
}
