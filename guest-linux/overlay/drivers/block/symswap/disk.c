// SPDX-License-Identifier: GPL-2.0
/*
 * symswap: a block device whose store is a window of host memory. Meant for swap:
 * I/O is a copy, and mostly the copy is not needed: mm/symswap/page.c and
 * mm/symbiotic_bypass.c.
 *
 * What brings the memory is in files of its own: pci.c, virtio.c. Memory that is
 * meant for something else is taken only if symswap.device= names its device.
 */

#define pr_fmt(fmt) "symswap: " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/symbiotic.h>
#include <linux/symbiotic_bypass.h>
#include <linux/symswap.h>

#include "symswap.h"

#define SYMSWAP_BLOCK_SHIFT	12

static char *symswap_devices[8];
static unsigned int symswap_nr_devices;
/* Which of them have been there. */
static unsigned long symswap_found;
module_param_array_named(device, symswap_devices, charp, &symswap_nr_devices, 0444);
MODULE_PARM_DESC(device, "Devices whose memory is a window: ivshmem or virtio-pmem, by address or name");

static DEFINE_IDA(symswap_ida);

/*
 * Who removes a device waits here. Woken when a disk is closed, when no page of a
 * window is in use any more, and when the machine goes down.
 */
static DECLARE_WAIT_QUEUE_HEAD(symswap_unused);
static bool symswap_going_down;

/**
 * struct symswap - one device
 * @disk: its disk; holds the reference that keeps this structure
 * @pages: its struct pages, or NULL
 * @window: the store, mapped cached
 * @size: its size in bytes
 * @index: number in the disk's name
 */
struct symswap {
	struct gendisk *disk;
	struct symswap_window *pages;
	void *window;
	u64 size;
	int index;
};

static void symswap_copy(struct symswap *dev, struct bio_vec *bvec, u64 pos,
			 bool write)
{
	void *buf = bvec_kmap_local(bvec);

	if (write) {
		memcpy(dev->window + pos, buf, bvec->bv_len);
	} else {
		memcpy(buf, dev->window + pos, bvec->bv_len);
		flush_dcache_page(bvec->bv_page);
	}
	kunmap_local(buf);
}

/*
 * Any number of requests run at the same time, each in its submitter: there is
 * no shared state but the window, and no two requests of the swap code are for
 * one slot at a time.
 */
static void symswap_submit_bio(struct bio *bio)
{
	struct symswap *dev = bio->bi_bdev->bd_disk->private_data;
	u64 pos = bio->bi_iter.bi_sector << SECTOR_SHIFT;
	enum symbiotic_bypass_hook hook;
	struct bvec_iter iter;
	struct bio_vec bvec;
	unsigned long start;
	u64 first, end;
	bool write;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		write = false;
		hook = BYPASS_HOOK_READ;
		break;
	case REQ_OP_WRITE:
		write = true;
		hook = BYPASS_HOOK_WRITE;
		break;
	default:
		bio->bi_status = BLK_STS_NOTSUPP;
		bio_endio(bio);
		return;
	}

	/* The block layer checks this too, but not against a changed window. */
	if (pos > dev->size || bio->bi_iter.bi_size > dev->size - pos) {
		bio_io_error(bio);
		return;
	}

	/* Pages that outlived their swap area. */
	first = pos >> SYMSWAP_BLOCK_SHIFT;
	end = DIV_ROUND_UP_ULL(pos + bio->bi_iter.bi_size,
			       1 << SYMSWAP_BLOCK_SHIFT);
	if (write && symswap_window_held(dev->pages, first, end - first)) {
		bio_io_error(bio);
		return;
	}

	/*
	 * Pages that the VMM had mapped are read as soon as its paging has changed,
	 * until that is followed. This one is: the swap code has a page for it, which
	 * is locked, charged, and can only be filled, or fail. The next one need not.
	 */
	if (!write)
		symbiotic_paging_catch_up();

	/*
	 * Rule "drop the mapping before the guest reads the slot back, and
	 * before the slot is reused": the swap code has set SWAP_HAS_CACHE, so
	 * no new mapping is made, and this is the last moment before the copy.
	 */
	symbiotic_bypass_drop_slots(bio->bi_bdev->bd_disk, first, end - first,
				    hook);

	if (!write)
		symbiotic_count_window_reads(end - first);
	start = bio_start_io_acct(bio);
	bio_for_each_segment(bvec, bio, iter) {
		symswap_copy(dev, &bvec, pos, write);
		pos += bvec.bv_len;
	}
	symbiotic_bypass_stall(hook);
	bio_end_io_acct(bio, start);
	bio_endio(bio);
}

/* Ordinary memory of the host, so mapped cached like ours. */
static int symswap_map(struct symswap *dev, struct device *parent, phys_addr_t *start)
{
	dev->pages = symswap_window_create(dev_to_node(parent), *start, dev->size);
	if (!IS_ERR(dev->pages)) {
		dev->window = symswap_window_store(dev->pages, start, &dev->size);
		return 0;
	}

	if (PTR_ERR(dev->pages) != -EOPNOTSUPP)
		dev_info(parent, "no struct pages for the window (%ld), no in-place mode\n",
			 PTR_ERR(dev->pages));
	dev->pages = NULL;
	dev->window = memremap(*start, dev->size, MEMREMAP_WB);
	return dev->window ? 0 : -ENOMEM;
}

static void symswap_unmap(struct symswap *dev)
{
	if (dev->pages)
		symswap_window_destroy(dev->pages);
	else
		memunmap(dev->window);
}

static void symswap_release(struct gendisk *disk)
{
	wake_up_all(&symswap_unused);
}

static void symswap_free_disk(struct gendisk *disk)
{
	struct symswap *dev = disk->private_data;

	symswap_unmap(dev);
	ida_free(&symswap_ida, dev->index);
	kfree(dev);
}

static const struct block_device_operations symswap_fops = {
	.owner = THIS_MODULE,
	.submit_bio = symswap_submit_bio,
	.release = symswap_release,
	.free_disk = symswap_free_disk,
};

static const struct attribute_group *symswap_groups[] = {
#ifdef CONFIG_SYMSWAP_IN_PLACE
	&symswap_group,
#endif
	NULL
};

#ifdef CONFIG_SYMBIOTIC_TEST
static bool fail_add;
module_param(fail_add, bool, 0600);
MODULE_PARM_DESC(fail_add, "Test only: the disk cannot be added");
#else
static const bool fail_add;
#endif

static int symswap_add_disk(struct device *parent, struct gendisk *disk)
{
	if (READ_ONCE(fail_add))
		return -ENOMEM;
	return device_add_disk(parent, disk, symswap_groups);
}

/**
 * symswap_named() - shall a device's memory be a window, whatever it is meant for?
 * @device: the device
 *
 * Context: any.
 * Return: true if symswap.device= names it.
 */
bool symswap_named(const struct device *device)
{
	unsigned int i;

	for (i = 0; i < symswap_nr_devices; i++) {
		if (strcmp(symswap_devices[i], dev_name(device)))
			continue;
		set_bit(i, &symswap_found);
		return true;
	}
	return false;
}

/**
 * symswap_create() - make a swap device of memory
 * @parent: the device that brings it
 * @start: guest-physical address, which the caller has reserved
 * @size: in bytes
 * @ours: it is the symbiotic VMM's own device
 *
 * Context: may sleep.
 * Return: the swap device, for symswap_remove(), or an error.
 */
struct symswap *symswap_create(struct device *parent, phys_addr_t start, u64 size,
			       bool ours)
{
	struct queue_limits lim = {
		.logical_block_size	= 1 << SYMSWAP_BLOCK_SHIFT,
		.physical_block_size	= 1 << SYMSWAP_BLOCK_SHIFT,
		/*
		 * Synchronous: the swap code then reads without read-ahead and
		 * without leaving a page in the swap cache, which would keep
		 * the slot from being mapped.
		 */
		.features		= BLK_FEAT_SYNCHRONOUS,
	};
	struct gendisk *disk;
	struct symswap *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->size = round_down(size, 1 << SYMSWAP_BLOCK_SHIFT);
	if (!dev->size) {
		ret = dev_err_probe(parent, -ENODEV, "no memory for a swap window\n");
		goto free;
	}

	dev->index = ida_alloc(&symswap_ida, GFP_KERNEL);
	if (dev->index < 0) {
		ret = dev->index;
		goto free;
	}

	ret = symswap_map(dev, parent, &start);
	if (ret)
		goto free_index;

	disk = blk_alloc_disk(&lim, dev_to_node(parent));
	if (IS_ERR(disk)) {
		ret = PTR_ERR(disk);
		goto unmap;
	}
	dev->disk = disk;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "symswap%d", dev->index);
	disk->fops = &symswap_fops;
	disk->private_data = dev;
	/* A swap offset must be a page number in the window. */
	disk->flags |= GENHD_FL_NO_PART;
	set_capacity(disk, dev->size >> SECTOR_SHIFT);

	if (dev->pages)
		symswap_window_add(dev->pages, disk, &symswap_unused, ours);
	ret = symbiotic_bypass_register(disk, start, dev->size >> PAGE_SHIFT);
	if (ret)
		dev_info(parent, "not bypassed, another window is\n");

	ret = symswap_add_disk(parent, disk);
	if (ret) {
		symbiotic_bypass_unregister(disk);
		/* It was never live, so the last put_disk() does not call this. */
		symswap_free_disk(disk);
		put_disk(disk);
		return ERR_PTR(ret);
	}
	dev_info(parent, "%s: %llu MiB\n", disk->disk_name, dev->size >> 20);
	return dev;

unmap:
	symswap_unmap(dev);
free_index:
	ida_free(&symswap_ida, dev->index);
free:
	kfree(dev);
	return ERR_PTR(ret);
}

/* What must happen before the device may go, or NULL. */
static const char *symswap_in_use(struct symswap *dev)
{
	if (disk_openers(dev->disk))
		return "swapoff";
	if (symswap_window_in_use(dev->pages))
		return "processes that have its pages in pipes, sockets or I/O";
	return NULL;
}

/**
 * symswap_remove() - the device that brings the memory goes away
 * @dev: the swap device
 * @parent: the device
 * @is_gone: can tell that it is gone already, so that waiting is in vain, or NULL
 *
 * Only then: unbinding is not offered, and the VMM does not unplug it. Memory of
 * processes is in the window, so this waits until nobody uses it, as VFIO's drivers
 * do, and says what for. Who opens the disk from now on gets I/O errors; the window
 * stays mapped until the last one is gone.
 *
 * Context: may sleep, for long.
 * Return: false if the machine goes down: all stays usable till the end.
 */
bool symswap_remove(struct symswap *dev, struct device *parent,
		    bool (*is_gone)(struct device *parent))
{
	struct gendisk *disk = dev->disk;
	const char *why, *told = NULL;

	while ((why = symswap_in_use(dev)) && !(is_gone && is_gone(parent))) {
		/* device_shutdown() waits for us. */
		if (READ_ONCE(symswap_going_down))
			return false;
		if (why != told)
			dev_info(parent, "in use, removal waits for %s\n", why);
		told = why;
		/* Nobody tells us that it is disconnected. */
		wait_event_timeout(symswap_unused, symswap_in_use(dev) != why ||
				   READ_ONCE(symswap_going_down), 10 * HZ);
	}

	symbiotic_bypass_unregister(disk);
	blk_mark_disk_dead(disk);
	del_gendisk(disk);
	put_disk(disk);
	return true;
}

static int symswap_reboot(struct notifier_block *nb, unsigned long event,
			  void *unused)
{
	WRITE_ONCE(symswap_going_down, true);
	wake_up_all(&symswap_unused);
	return NOTIFY_DONE;
}

static struct notifier_block symswap_reboot_nb = {
	.notifier_call = symswap_reboot,
};

/* Names that nobody has come for. A device may come later, so it is no error. */
static void symswap_tell_unfound(void)
{
	unsigned int i;

	for (i = 0; i < symswap_nr_devices; i++)
		if (!test_bit(i, &symswap_found))
			pr_warn("device=%s: no ivshmem or virtio-pmem device of that name so far\n",
				symswap_devices[i]);
}

static int __init symswap_driver_init(void)
{
	int ret = register_reboot_notifier(&symswap_reboot_nb);

	if (ret)
		return ret;
	ret = symswap_pci_register();
	if (ret)
		goto unregister_reboot;
	ret = symswap_virtio_register();
	if (ret)
		goto unregister_pci;
	symswap_tell_unfound();
	return 0;

unregister_pci:
	symswap_pci_unregister();
unregister_reboot:
	unregister_reboot_notifier(&symswap_reboot_nb);
	return ret;
}
module_init(symswap_driver_init);

static void __exit symswap_driver_exit(void)
{
	symswap_virtio_unregister();
	symswap_pci_unregister();
	unregister_reboot_notifier(&symswap_reboot_nb);
}
module_exit(symswap_driver_exit);

MODULE_DESCRIPTION("Swap on a window of host memory");
MODULE_LICENSE("GPL");
