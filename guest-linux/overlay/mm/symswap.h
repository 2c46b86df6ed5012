/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the modes of the swap window share.
 */
#ifndef _MM_SYMSWAP_H
#define _MM_SYMSWAP_H

#include <linux/blkdev.h>
#include <linux/rbtree.h>
#include <linux/swap.h>

/* Is a swap area a whole disk, so that a swap offset is a page number on it? */
static inline bool symswap_whole_disk(struct swap_info_struct *si)
{
	struct rb_node *node = rb_first(&si->swap_extent_root);
	struct swap_extent *se;

	if (!(si->flags & SWP_BLKDEV) || bdev_is_partition(si->bdev) || !node)
		return false;
	se = rb_entry(node, struct swap_extent, rb_node);
	return se->start_page == 0 && se->start_block == 0 &&
	       se->nr_pages >= si->max;
}

#endif /* _MM_SYMSWAP_H */
