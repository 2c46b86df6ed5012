/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DMA without an IOMMU: what a passthrough device must be told to reach guest
 * memory.
 *
 * OS-neutral guest core. The VMM publishes ranges of guest memory, each of
 * which is contiguous in host memory, and the devices that need them. An
 * address that is not wholly inside one range has no translation: the caller
 * must fail the mapping, as anything else would be somebody else's memory.
 */
#ifndef SYMBIOTIC_DMA_OFFSET_H
#define SYMBIOTIC_DMA_OFFSET_H

#include <symbiotic/port.h>

/* No machine has physical addresses of more bits. */
#define DMA_OFFSET_PHYS_BITS	52

/**
 * dma_offset_read() - copy what the VMM publishes, if it makes sense
 * @table: takes the copy; zeroed unless 0 is returned
 * @page: part of the global SymSpy page
 *
 * The copy is of one generation, and checked; @page may change meanwhile.
 *
 * Context: any.
 * Return: 0, -ENODEV if nothing was published, -EBUSY if the VMM keeps
 * changing it, -EPROTO for nonsense (said in the log).
 */
int dma_offset_read(struct symspy_dma *table, const struct symspy_dma *page);

/**
 * dma_offset_has_device() - whether a device needs translated addresses
 * @table: from dma_offset_read()
 * @device: SYMSPY_DMA_DEVICE()
 */
bool dma_offset_has_device(const struct symspy_dma *table, __u32 device);

/**
 * dma_offset_to_dma() - translate for the device
 * @table: from dma_offset_read()
 * @gpa: guest-physical address
 * @size: bytes, at least one
 * @dma: takes the address for the device, if true is returned
 *
 * Return: false if the memory is not wholly in one range.
 */
bool dma_offset_to_dma(const struct symspy_dma *table, __u64 gpa, __u64 size,
		       __u64 *dma);

/**
 * dma_offset_to_gpa() - translate what a device uses
 * @table: from dma_offset_read()
 * @dma: address that a device uses
 * @size: bytes, at least one
 * @gpa: takes the guest-physical address, if true is returned
 *
 * Return: false if the memory is not wholly in one range.
 */
bool dma_offset_to_gpa(const struct symspy_dma *table, __u64 dma, __u64 size,
		       __u64 *gpa);

/**
 * dma_offset_extends() - whether all that an older table says still holds
 * @table: from dma_offset_read()
 * @old: same, an earlier one; all ranges of it must still be there
 *
 * Devices come and go; ranges that a driver may have used for mappings that
 * are still in use must not change.
 */
bool dma_offset_extends(const struct symspy_dma *table,
			const struct symspy_dma *old);

#endif /* SYMBIOTIC_DMA_OFFSET_H */
