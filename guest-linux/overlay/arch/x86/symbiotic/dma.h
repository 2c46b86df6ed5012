/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to arch/x86/symbiotic: DMA of passthrough devices, see dma.c.
 */
#ifndef _X86_SYMBIOTIC_DMA_H
#define _X86_SYMBIOTIC_DMA_H

#include <linux/types.h>

#include <symbiotic/dma_offset.h>

struct bus_dma_region;

#ifdef CONFIG_SYMBIOTIC_DMA_OFFSET

void symb_dma_on(void);
void symb_dma_off(void);
bool symb_dma_active(void);
ssize_t symb_dma_show(char *buf);
struct bus_dma_region *symb_dma_make_map(const struct symspy_dma *table);

#else

static inline void symb_dma_on(void) { }
static inline void symb_dma_off(void) { }

static inline bool symb_dma_active(void)
{
	return false;
}

#endif /* CONFIG_SYMBIOTIC_DMA_OFFSET */

#endif /* _X86_SYMBIOTIC_DMA_H */
