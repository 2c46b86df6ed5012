// SPDX-License-Identifier: GPL-2.0
/*
 * symswap: a window that is the memory of a virtio-pmem device, of QEMU, Firecracker
 * or another VMM.
 *
 * Only devices that symswap.device= names; all others are left to the kernel's driver
 * for persistent memory. Nothing here is to persist, so nothing is ever flushed, and
 * no queue is used.
 */

#include <linux/err.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/virtio_pmem.h>

#include "symswap.h"

/**
 * struct symswap_virtio - one device
 * @dev: the swap device
 * @start: guest-physical address of its memory
 * @size: its size in bytes
 */
struct symswap_virtio {
	struct symswap *dev;
	u64 start;
	u64 size;
};

static int symswap_virtio_find(struct virtio_device *vdev, struct symswap_virtio *own)
{
	struct virtio_shm_region region;

	if (virtio_has_feature(vdev, VIRTIO_PMEM_F_SHMEM_REGION)) {
		if (!virtio_get_shm_region(vdev, &region, VIRTIO_PMEM_SHMEM_REGION_ID))
			return dev_err_probe(&vdev->dev, -ENODEV,
					     "its shared memory region is missing\n");
		own->start = region.addr;
		own->size = region.len;
	} else {
		virtio_cread_le(vdev, struct virtio_pmem_config, start, &own->start);
		virtio_cread_le(vdev, struct virtio_pmem_config, size, &own->size);
	}
	/* Whatever the VMM says there. */
	if (!own->size || own->start + own->size < own->start ||
	    !PAGE_ALIGNED(own->start) || !PAGE_ALIGNED(own->size))
		return dev_err_probe(&vdev->dev, -EINVAL,
				     "%#llx bytes at %#llx are no memory for a window\n",
				     own->size, own->start);
	if (region_intersects(own->start, own->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return dev_err_probe(&vdev->dev, -EBUSY,
				     "its memory at %#llx is this machine's already\n",
				     own->start);
	return 0;
}

static int symswap_virtio_probe(struct virtio_device *vdev)
{
	struct symswap_virtio *own;
	int ret;

	/* It is known by the address of its PCI function as well. */
	if (!symswap_named(&vdev->dev) && !symswap_named(vdev->dev.parent))
		return -ENODEV;
	if (!vdev->config->get)
		return dev_err_probe(&vdev->dev, -EINVAL, "its configuration cannot be read\n");
	own = kzalloc(sizeof(*own), GFP_KERNEL);
	if (!own)
		return -ENOMEM;
	ret = symswap_virtio_find(vdev, own);
	if (ret)
		goto free;
	if (!request_mem_region(own->start, own->size, "symswap")) {
		ret = dev_err_probe(&vdev->dev, -EBUSY, "its memory is in use by another driver\n");
		goto free;
	}
	/* The memory need not be there before. */
	virtio_device_ready(vdev);
	own->dev = symswap_create(&vdev->dev, own->start, own->size, false);
	if (IS_ERR(own->dev)) {
		ret = PTR_ERR(own->dev);
		goto release;
	}
	vdev->priv = own;
	return 0;

release:
	virtio_reset_device(vdev);
	release_mem_region(own->start, own->size);
free:
	kfree(own);
	return ret;
}

static void symswap_virtio_remove(struct virtio_device *vdev)
{
	struct symswap_virtio *own = vdev->priv;

	bool removed = symswap_remove(own->dev, &vdev->dev, NULL);

	/* Of which the memory knows nothing. */
	virtio_reset_device(vdev);
	if (!removed)
		return;
	release_mem_region(own->start, own->size);
	kfree(own);
}

static unsigned int symswap_virtio_features[] = {
	VIRTIO_PMEM_F_SHMEM_REGION,
};

static const struct virtio_device_id symswap_virtio_ids[] = {
	{ VIRTIO_ID_PMEM, VIRTIO_DEV_ANY_ID },
	{ }
};

/*
 * Suspend: the window is host memory, and the device has no state of its own; the
 * virtio core makes it ready again.
 */
static struct virtio_driver symswap_virtio_driver = {
	.feature_table = symswap_virtio_features,
	.feature_table_size = ARRAY_SIZE(symswap_virtio_features),
	.id_table = symswap_virtio_ids,
	.probe = symswap_virtio_probe,
	.remove = symswap_virtio_remove,
	.driver = {
		.name = "symswap",
		/* See pci.c. */
		.suppress_bind_attrs = true,
	},
};

/**
 * symswap_virtio_register() - look for windows among virtio devices
 *
 * Context: may sleep.
 * Return: 0 or an error.
 */
int symswap_virtio_register(void)
{
	return register_virtio_driver(&symswap_virtio_driver);
}

/**
 * symswap_virtio_unregister() - the module goes
 *
 * Context: may sleep.
 */
void symswap_virtio_unregister(void)
{
	unregister_virtio_driver(&symswap_virtio_driver);
}
