// SPDX-License-Identifier: GPL-2.0
/*
 * symswap: a window that is BAR 2 of an ivshmem device, of QEMU, Cloud Hypervisor or
 * another VMM.
 *
 * The `symswap` device of the symbiotic VMM is QEMU's ivshmem-plain with a subsystem
 * ID of its own, so that other shared memory is left alone. Elsewhere symswap.device=
 * names a device, or symswap.any_ivshmem=1 takes all of them.
 */

#include <linux/err.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "symswap.h"

#define SYMSWAP_PCI_DEVICE	0x1110	/* ivshmem, below PCI_VENDOR_ID_REDHAT_QUMRANET */
#define SYMSWAP_PCI_SUBDEVICE	0x5359
#define SYMSWAP_BAR		2

static bool any_ivshmem;
module_param(any_ivshmem, bool, 0444);
MODULE_PARM_DESC(any_ivshmem, "Also use shared-memory devices not meant for swap");

/* The device of the symbiotic VMM. */
static bool symswap_is_ours(struct pci_dev *pdev)
{
	return pdev->subsystem_vendor == PCI_VENDOR_ID_REDHAT_QUMRANET &&
	       pdev->subsystem_device == SYMSWAP_PCI_SUBDEVICE;
}

static bool symswap_is_window(struct pci_dev *pdev)
{
	return symswap_named(&pdev->dev) || any_ivshmem || symswap_is_ours(pdev);
}

/*
 * The PCI core forgets all of a BAR that it found no address for. The register still
 * says what it is; one that is not there is 0, and memory of this size is 64-bit.
 */
static bool symswap_has_bar(struct pci_dev *pdev)
{
	u32 reg = 0;

	pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * SYMSWAP_BAR, &reg);
	return (reg & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_MEMORY &&
	       (reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
}

/* What is wrong with the BAR, which the PCI core has said in its own words. */
static int symswap_check_bar(struct pci_dev *pdev)
{
	const struct resource *bar = &pdev->resource[SYMSWAP_BAR];
	bool is_memory = bar->flags & IORESOURCE_MEM;

	if (!is_memory && !symswap_has_bar(pdev))
		return dev_err_probe(&pdev->dev, -ENODEV,
				     "BAR %d is no memory: the VMM shares none by this device\n",
				     SYMSWAP_BAR);
	if (!is_memory || (bar->flags & IORESOURCE_UNSET) || !bar->start)
		return dev_err_probe(&pdev->dev, -ENOSPC,
				     "no address for the window: the VMM's PCI hole is too small for it\n");
	return 0;
}

static int symswap_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct symswap *dev;
	int ret;

	if (!symswap_is_window(pdev))
		return -ENODEV;
	ret = symswap_check_bar(pdev);
	if (ret)
		return ret;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return ret;
	ret = pci_request_region(pdev, SYMSWAP_BAR, "symswap");
	if (ret)
		goto disable;
	dev = symswap_create(&pdev->dev, pci_resource_start(pdev, SYMSWAP_BAR),
			     pci_resource_len(pdev, SYMSWAP_BAR), symswap_is_ours(pdev));
	if (IS_ERR(dev)) {
		ret = PTR_ERR(dev);
		goto release;
	}
	pci_set_drvdata(pdev, dev);
	return 0;

release:
	pci_release_region(pdev, SYMSWAP_BAR);
disable:
	pci_disable_device(pdev);
	return ret;
}

static bool symswap_pci_is_gone(struct device *parent)
{
	return pci_dev_is_disconnected(to_pci_dev(parent));
}

static void symswap_pci_remove(struct pci_dev *pdev)
{
	if (!symswap_remove(pci_get_drvdata(pdev), &pdev->dev, symswap_pci_is_gone))
		return;
	pci_release_region(pdev, SYMSWAP_BAR);
	pci_disable_device(pdev);
}

static const struct pci_device_id symswap_pci_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, SYMSWAP_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, symswap_pci_ids);

/*
 * Suspend needs nothing from the driver: the window is host memory, and the PCI
 * core restores the BAR. The attachment is mm/symbiotic_bypass.c's business.
 */
static struct pci_driver symswap_pci_driver = {
	.name = "symswap",
	.id_table = symswap_pci_ids,
	.probe = symswap_pci_probe,
	.remove = symswap_pci_remove,
	/*
	 * remove() can not refuse, and a swap device in use must not be pulled
	 * away by a write to sysfs: there is no unbind (and no bind) file.
	 */
	.driver = {
		.suppress_bind_attrs = true,
	},
};

/**
 * symswap_pci_register() - look for windows among PCI devices
 *
 * Context: may sleep.
 * Return: 0 or an error.
 */
int symswap_pci_register(void)
{
	return pci_register_driver(&symswap_pci_driver);
}

/**
 * symswap_pci_unregister() - the module goes
 *
 * Context: may sleep.
 */
void symswap_pci_unregister(void)
{
	pci_unregister_driver(&symswap_pci_driver);
}
