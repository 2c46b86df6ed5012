// SPDX-License-Identifier: GPL-2.0
/*
 * Symbiotic guest: DMA of passthrough devices on a host without an IOMMU.
 *
 * Such a device needs host-physical addresses. The kernel's DMA code knows how
 * to do that (dma_range_map); this fills the map in, from what the VMM
 * publishes in the global page, for the devices that the VMM names there and
 * no other. The driver core frees the map whenever a driver leaves or fails to
 * probe, so it is made anew each time one is bound.
 *
 * The VMM keeps all passthrough devices from mastering the bus until the guest
 * has acknowledged what is published, and that is written last: after every
 * device that has a driver has its map. Where anything is wrong, nothing is
 * acknowledged, so the worst that can happen is a device that does nothing.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/bug.h>
#include <linux/dma-direct.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include <linux/symbiotic_dma.h>
#include <linux/symswap.h>
#include <linux/sysfs.h>

#include "dma.h"
#include "symbiotic.h"

/* The VMM may publish again while we acknowledge. */
#define ACK_TRIES		16

/**
 * struct dma_state - what is agreed with the VMM
 * @lock: protects the rest but @listening; but see symb_dma_on()
 * @table: what was read last; stays when the feature goes off, so that the
 *	devices in it never get a driver without a map
 * @acked: the VMM lets the devices master the bus
 * @failed: the VMM has published nonsense, the feature is off for good
 * @listening: the notifiers are registered; symb_start()'s alone
 */
static struct {
	struct mutex lock;	/* see above */
	struct symspy_dma table;
	bool acked;
	bool failed;
	bool listening;
} dma_state = {
	.lock = __MUTEX_INITIALIZER(dma_state.lock),
};

/* For the tests of the tests: do everything right, but do not translate. */
static bool raw __read_mostly;

#ifdef CONFIG_SYMBIOTIC_TEST
static int __init parse_symbiotic_dma(char *arg)
{
	raw = !strcmp(arg, "raw");
	return 0;
}
early_param("symbiotic_dma", parse_symbiotic_dma);
#endif

static u32 device_id(struct pci_dev *pdev)
{
	return SYMSPY_DMA_DEVICE(pci_domain_nr(pdev->bus), pdev->bus->number,
				 pdev->devfn);
}

/**
 * symb_dma_make_map() - the kernel's form of the VMM's ranges
 * @table: from dma_offset_read(); with no ranges nothing can be mapped
 *
 * Context: process.
 * Return: to be freed with kfree(), never NULL.
 */
struct bus_dma_region *symb_dma_make_map(const struct symspy_dma *table)
{
	struct bus_dma_region *map;
	u32 i;

	/*
	 * The caller cannot stop the driver, and no map means no translation:
	 * this must not fail, and it is small.
	 */
	map = kcalloc(table->nr_ranges + 1, sizeof(*map),
		      GFP_KERNEL | __GFP_NOFAIL);
	for (i = 0; i < table->nr_ranges; i++) {
		const struct symspy_dma_range *r = &table->ranges[i];

		map[i].cpu_start = r->start;
		map[i].dma_start = r->start + r->offset;
		map[i].size = r->size;
	}
	return map;
}

static void set_map(struct device *dev, const struct symspy_dma *table)
{
	static const struct symspy_dma nothing;

	if (raw)
		return;
	if (dev->dma_range_map) {
		dev_warn(dev, "has DMA ranges already, DMA is off\n");
		kfree(dev->dma_range_map);
		table = &nothing;
	}
	dev->dma_range_map = symb_dma_make_map(table);
}

static int has_driver_without_map(struct device *dev, void *table)
{
	if (!READ_ONCE(dev->driver) || dev->dma_range_map || raw)
		return 0;
	if (!dma_offset_has_device(table, device_id(to_pci_dev(dev))))
		return 0;
	dev_warn(dev, "has got its driver before the VMM's DMA ranges\n");
	return -EBUSY;
}

static void dma_off(void)
{
	dma_state.acked = false;
	symb_port_wrmsr(SYMB_MSR_DMA_ACK, 0);
}

/*
 * Read what is published and acknowledge it; @binding gets its map in between.
 */
static int dma_sync(struct pci_dev *binding)
{
	struct symspy_global *global = symspy_global_page();
	struct symspy_dma table;
	unsigned int tries;
	int ret;

	if (!global || !symb_state.global.ext)
		return -ENODEV;

	for (tries = 0; tries < ACK_TRIES; tries++) {
		ret = dma_offset_read(&table, &global->dma);
		if (ret == -EBUSY)
			continue;
		if (ret)
			return ret;
		if (!dma_offset_extends(&table, &dma_state.table)) {
			pr_warn("DMA ranges of the VMM have changed, not used\n");
			return -EPROTO;
		}
		dma_state.table = table;

		if (binding && dma_offset_has_device(&table, device_id(binding))) {
			/* It reaches RAM, and with bounce buffers the rest. */
			if (!is_swiotlb_allocated())
				symswap_stay_in_ram();
			set_map(&binding->dev, &table);
			binding = NULL;
		}
		/* Where interrupts are off no driver has come or gone. */
		if (!irqs_disabled() &&
		    bus_for_each_dev(&pci_bus_type, NULL, &table,
				     has_driver_without_map))
			return -EBUSY;

		if (!symb_port_wrmsr(SYMB_MSR_DMA_ACK, table.generation)) {
			dma_state.acked = true;
			return 0;
		}
	}
	pr_warn("VMM does not let us use its DMA ranges, not used\n");
	return -EPROTO;
}

static void dma_update(struct pci_dev *binding)
{
	int ret;

	if (symbiotic_has(SYMB_FEAT_DMA_OFFSET) && !dma_state.failed) {
		ret = dma_sync(binding);
		/* A global page that is gone for a reboot is no failure. */
		if (ret && ret != -ENODEV) {
			dma_state.failed = true;
			dma_off();
		}
	}

	/* In any case: no driver of such a device without a map. */
	if (binding && !binding->dev.dma_range_map &&
	    dma_offset_has_device(&dma_state.table, device_id(binding)))
		set_map(&binding->dev, &dma_state.table);
}

static int bus_notify(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	struct device *dev = data;

	if (action != BUS_NOTIFY_BIND_DRIVER)
		return NOTIFY_DONE;

	mutex_lock(&dma_state.lock);
	dma_update(to_pci_dev(dev));
	mutex_unlock(&dma_state.lock);
	return NOTIFY_OK;
}

static struct notifier_block bus_nb = {
	.notifier_call = bus_notify,
};

/* Nobody is left who would use what the devices write. */
static int panic_notify(struct notifier_block *nb, unsigned long action,
			void *data)
{
	if (dma_state.acked)
		dma_off();
	return NOTIFY_DONE;
}

static struct notifier_block panic_nb = {
	.notifier_call = panic_notify,
};

/**
 * symb_dma_on() - the features are on: let passthrough devices run
 *
 * Context: process, or CPU alone with interrupts off (resume): then nobody
 * holds the lock, since drivers are neither bound nor unbound in suspend.
 */
void symb_dma_on(void)
{
	if (!symbiotic_has(SYMB_FEAT_DMA_OFFSET))
		return;

	if (irqs_disabled()) {
		dma_update(NULL);
		return;
	}

	/* The notifier takes the lock, so this must come before it. */
	if (!dma_state.listening) {
		dma_state.listening = true;
		bus_register_notifier(&pci_bus_type, &bus_nb);
		atomic_notifier_chain_register(&panic_notifier_list, &panic_nb);
	}
	mutex_lock(&dma_state.lock);
	dma_update(NULL);
	mutex_unlock(&dma_state.lock);
}

/**
 * symb_dma_off() - no passthrough device may master the bus any more
 *
 * Context: any.
 */
void symb_dma_off(void)
{
	if (dma_state.acked)
		dma_off();
}

/**
 * symb_dma_active() - whether passthrough devices can master the bus
 *
 * Context: any.
 */
bool symb_dma_active(void)
{
	return dma_state.acked;
}

/**
 * symb_dma_show() - for /sys/kernel/symbiotic/dma
 * @buf: a page
 *
 * Return: bytes written.
 */
ssize_t symb_dma_show(char *buf)
{
	const struct symspy_dma *t = &dma_state.table;
	int n;
	u32 i;

	mutex_lock(&dma_state.lock);
	n = sysfs_emit(buf, "generation %u acknowledged %d\n", t->generation,
		       dma_state.acked);
	for (i = 0; i < t->nr_ranges; i++)
		n += sysfs_emit_at(buf, n, "range %#llx size %#llx offset %#llx\n",
				   t->ranges[i].start, t->ranges[i].size,
				   t->ranges[i].offset);
	for (i = 0; i < t->nr_devices; i++)
		n += sysfs_emit_at(buf, n, "device %04x:%02x:%02x.%u\n",
				   t->devices[i] >> 16, t->devices[i] >> 8 & 0xff,
				   PCI_SLOT(t->devices[i] & 0xff),
				   PCI_FUNC(t->devices[i] & 0xff));
	mutex_unlock(&dma_state.lock);
	return n;
}

static bool in_one_range(const struct device *dev, phys_addr_t phys,
			 size_t size)
{
	const struct bus_dma_region *m;

	for (m = dev->dma_range_map; m->size; m++) {
		u64 offset = phys - m->cpu_start;

		if (phys >= m->cpu_start && offset < m->size)
			return size <= m->size - offset;
	}
	return false;
}

/* A page of the swap window, which the guest uses like RAM. */
static bool in_swap_window(phys_addr_t phys)
{
	return pfn_valid(PHYS_PFN(phys)) &&
	       symswap_folio(pfn_folio(PHYS_PFN(phys)));
}

/* See symbiotic_dma_refuse(). The caller knows that it cannot be mapped. */
bool __symbiotic_dma_refuse(struct device *dev, phys_addr_t phys, size_t size,
			    bool is_ram)
{
	/* Nothing else on this architecture has a map. */
	if (!dev->dma_range_map)
		return false;

	if (!is_ram || !(in_one_range(dev, phys, size) || in_swap_window(phys))) {
		dev_warn_ratelimited(dev, "no DMA to %pap+%#zx: the VMM gives this device no access\n",
				     &phys, size);
		return true;
	}
	/* A buffer in between may lie where the device can reach it. */
	if (is_swiotlb_active(dev))
		return false;
	dev_warn_ratelimited(dev, "no DMA to %pap+%#zx without bounce buffers: the device's mask is %#llx\n",
			     &phys, size, *dev->dma_mask);
	return true;
}
