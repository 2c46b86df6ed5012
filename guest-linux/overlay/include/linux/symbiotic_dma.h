/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic guest: what the kernel's DMA code asks about a passthrough device.
 */
#ifndef _LINUX_SYMBIOTIC_DMA_H
#define _LINUX_SYMBIOTIC_DMA_H

#include <linux/types.h>

struct device;

#ifdef CONFIG_SYMBIOTIC_DMA_OFFSET

bool __symbiotic_dma_refuse(struct device *dev, phys_addr_t phys, size_t size,
			    bool is_ram);

/**
 * symbiotic_dma_refuse() - whether a mapping must fail
 * @dev: any device
 * @phys: what is to be mapped
 * @size: bytes
 * @is_ram: false for registers of other devices, which have no translation
 *
 * Says so in the log, at a limited rate.
 *
 * Context: any.
 */
static inline bool symbiotic_dma_refuse(struct device *dev, phys_addr_t phys,
					size_t size, bool is_ram)
{
	return __symbiotic_dma_refuse(dev, phys, size, is_ram);
}

#else

static inline bool symbiotic_dma_refuse(struct device *dev, phys_addr_t phys,
					size_t size, bool is_ram)
{
	return false;
}

#endif /* CONFIG_SYMBIOTIC_DMA_OFFSET */

#endif /* _LINUX_SYMBIOTIC_DMA_H */
