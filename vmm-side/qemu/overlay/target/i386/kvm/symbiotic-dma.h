/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Passthrough without an IOMMU: what symbiotic.c and symbiotic-dma.c share.
 */
#ifndef TARGET_I386_KVM_SYMBIOTIC_DMA_H
#define TARGET_I386_KVM_SYMBIOTIC_DMA_H

#include "symbiotic/abi.h"

/* symbiotic.c: SYMB_FEAT_* offered; the global page, NULL if not mapped. */
uint32_t symbiotic_offered(void);
struct symspy_global *symbiotic_global_page(void);

/**
 * symbiotic_dma_publish: write all there is into the global page
 * @global: the page, or NULL
 */
void symbiotic_dma_publish(struct symspy_global *global);

/**
 * symbiotic_dma_ack: the guest has written SYMB_MSR_DMA_ACK
 * @generation: what it has written
 *
 * Returns: false if that is not the present generation
 */
bool symbiotic_dma_ack(uint64_t generation);

/**
 * symbiotic_dma_stop: no device may master the bus until the next
 * acknowledgement
 */
void symbiotic_dma_stop(void);

#endif /* TARGET_I386_KVM_SYMBIOTIC_DMA_H */
