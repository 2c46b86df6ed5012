// SPDX-License-Identifier: GPL-2.0
/*
 * DMA of passthrough devices: what the VMM publishes, agreed to once, and the
 * addresses that follow from it.
 */
#include <kitten/arch.h>
#include <kitten/dma.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

#include <symbiotic/dma_offset.h>
#include "internal.h"

/* The VMM may publish again while we acknowledge. */
#define ACK_TRIES	16

/* Empty without the feature; does not change while devices are used. */
static struct symspy_dma table;
static bool acked;

/**
 * symb_dma_on() - let passthrough devices master the bus
 *
 * The features are on, the global page has its extension. Where anything is
 * wrong nothing is acknowledged, and the devices do nothing.
 */
void symb_dma_on(void)
{
	struct symspy_global *global = symb_global.va;

	for (u32 i = 0; i < ACK_TRIES; i++) {
		int ret = dma_offset_read(&table, &global->dma);

		if (ret == -EBUSY)
			continue;
		if (ret)
			return;
		acked = !symb_port_wrmsr(SYMB_MSR_DMA_ACK, table.generation);
		if (acked)
			return;
	}
	symb_warn("VMM does not let us use its DMA ranges, not used\n");
}

/* No passthrough device may master the bus any more. */
void symb_dma_off(void)
{
	if (acked)
		symb_port_wrmsr(SYMB_MSR_DMA_ACK, 0);
	acked = false;
}

static bool is_passthrough(const struct pci_device *dev)
{
	return dma_offset_has_device(&table,
				     SYMSPY_DMA_DEVICE(0, dev->bus,
						       dev->slot << 3 | dev->fn));
}

dma_addr_t dma_map_single(const struct pci_device *dev, const void *va,
			  u64 size, enum dma_data_direction dir)
{
	u64 pa = virt_to_phys(va), addr;

	(void)dir;
	if (!size || pa + size < pa || !linear_covers(pa, size))
		goto refused;
	if (!is_passthrough(dev))
		return pa;
	if (dma_offset_to_dma(&table, pa, size, &addr))
		return addr;
refused:
	kprintf("PCI %02x:%02x.%u: no DMA to %#llx+%#llx\n", dev->bus, dev->slot,
		dev->fn, pa, size);
	return DMA_MAPPING_ERROR;
}

void *dma_alloc_coherent(const struct pci_device *dev, u64 size,
			 dma_addr_t *addr)
{
	void *va;
	u64 pa;

	size = ALIGN_UP(size, PAGE_SIZE);
	if (pmem_alloc(size, PAGE_SIZE, PMEM_KERNEL, &pa))
		return NULL;
	va = phys_to_virt(pa);
	memset(va, 0, size);
	*addr = dma_map_single(dev, va, size, DMA_BIDIRECTIONAL);
	if (!dma_mapping_error(dev, *addr))
		return va;
	pmem_free(pa, size, PMEM_KERNEL);
	return NULL;
}

void dma_free_coherent(const struct pci_device *dev, u64 size, void *va,
		       dma_addr_t addr)
{
	dma_unmap_single(dev, addr, size, DMA_BIDIRECTIONAL);
	pmem_free(virt_to_phys(va), ALIGN_UP(size, PAGE_SIZE), PMEM_KERNEL);
}
