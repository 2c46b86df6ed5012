/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory for devices that master the bus. A passthrough device on a host
 * without an IOMMU is told where in host memory a piece of guest memory lies;
 * every other device has the same addresses as we.
 *
 * Names and order of arguments are Linux's.
 */
#ifndef KITTEN_DMA_H
#define KITTEN_DMA_H

#include <kitten/types.h>

struct pci_device;

typedef u64 dma_addr_t;

#define DMA_MAPPING_ERROR	(~(dma_addr_t)0)

enum dma_data_direction {
	DMA_BIDIRECTIONAL,
	DMA_TO_DEVICE,
	DMA_FROM_DEVICE,
};

/**
 * dma_map_single() - the address that a device has for memory of ours
 * @dev: the device
 * @va: in the linear mapping
 * @size: bytes, not 0
 * @dir: who writes
 *
 * Caches are coherent, so this only translates and there is nothing to undo.
 *
 * Return: the address, or DMA_MAPPING_ERROR with a line in the log if the
 * device cannot reach all of it.
 */
dma_addr_t dma_map_single(const struct pci_device *dev, const void *va,
			  u64 size, enum dma_data_direction dir);

static inline void dma_unmap_single(const struct pci_device *dev,
				    dma_addr_t addr, u64 size,
				    enum dma_data_direction dir)
{
	(void)dev;
	(void)addr;
	(void)size;
	(void)dir;
}

static inline bool dma_mapping_error(const struct pci_device *dev,
				     dma_addr_t addr)
{
	(void)dev;
	return addr == DMA_MAPPING_ERROR;
}

/**
 * dma_alloc_coherent() - zeroed memory that we and a device both use
 * @dev: the device
 * @size: bytes, rounded up to pages
 * @addr: set to the address that the device has for it
 *
 * Return: the memory; NULL if there is none that the device can reach.
 */
void *dma_alloc_coherent(const struct pci_device *dev, u64 size,
			 dma_addr_t *addr);
void dma_free_coherent(const struct pci_device *dev, u64 size, void *va,
		       dma_addr_t addr);

#endif /* KITTEN_DMA_H */
