/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver of QEMU's teaching device, the smallest that masters the bus.
 */
#ifndef KITTEN_EDU_H
#define KITTEN_EDU_H

#include <kitten/dma.h>

/* Half of the device's memory: some versions refuse its last byte. */
#define EDU_SIZE	2048

struct edu {
	const struct pci_device *dev;
	volatile u8 *regs;
};

/* Finds and starts the device: 0, -ENODEV, -ENOMEM. */
int edu_init(struct edu *edu);
void edu_exit(struct edu *edu);

/**
 * edu_copy() - memory to the device's own, or back; waits for it
 * @edu: the device
 * @va: in the linear mapping
 * @size: bytes, at most EDU_SIZE
 * @dir: DMA_TO_DEVICE or DMA_FROM_DEVICE
 *
 * Return: 0, -EINVAL, -EIO if the device cannot reach the memory, -ETIMEDOUT.
 */
int edu_copy(struct edu *edu, void *va, u64 size, enum dma_data_direction dir);

#endif /* KITTEN_EDU_H */
