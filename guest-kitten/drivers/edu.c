// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's teaching device: memory of its own, and a DMA engine to copy into it
 * and out of it. Polled. It knows nothing of passthrough.
 */
#include <kitten/arch.h>
#include <kitten/dma.h>
#include <kitten/edu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

#define EDU_ID			0x00
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98

#define EDU_DMA_START		1
#define EDU_DMA_FROM_DEVICE	2

#define EDU_BUFFER		0x40000
/* The device takes a tenth of a second for a transfer. */
#define EDU_TIMEOUT_US		5000000
#define EDU_POLL_US		1000

static void write(struct edu *edu, u32 reg, u64 v)
{
	*(volatile u64 *)(edu->regs + reg) = v;
}

static u64 read(struct edu *edu, u32 reg)
{
	return *(volatile u64 *)(edu->regs + reg);
}

int edu_init(struct edu *edu)
{
	edu->dev = pci_find(0x1234, 0x11e8);
	if (!edu->dev || !edu->dev->bar[0])
		return -ENODEV;
	edu->regs = vmap(edu->dev->bar[0], PT_UNCACHED);
	if (!edu->regs)
		return -ENOMEM;
	pci_enable(edu->dev);
	if ((*(volatile u32 *)(edu->regs + EDU_ID) & 0xffff) != 0x00ed) {
		edu_exit(edu);
		return -ENODEV;
	}
	return 0;
}

void edu_exit(struct edu *edu)
{
	pci_disable(edu->dev);
	vunmap((void *)edu->regs);
}

int edu_copy(struct edu *edu, void *va, u64 size, enum dma_data_direction dir)
{
	bool from = dir == DMA_FROM_DEVICE;
	dma_addr_t addr;
	int ret = 0;
	u32 us;

	if (!size || size > EDU_SIZE)
		return -EINVAL;
	addr = dma_map_single(edu->dev, va, size, dir);
	if (dma_mapping_error(edu->dev, addr))
		return -EIO;

	write(edu, EDU_DMA_SRC, from ? EDU_BUFFER : addr);
	write(edu, EDU_DMA_DST, from ? addr : EDU_BUFFER);
	write(edu, EDU_DMA_COUNT, size);
	write(edu, EDU_DMA_CMD, EDU_DMA_START | (from ? EDU_DMA_FROM_DEVICE : 0));
	for (us = 0; read(edu, EDU_DMA_CMD) & EDU_DMA_START; us += EDU_POLL_US) {
		if (us >= EDU_TIMEOUT_US) {
			ret = -ETIMEDOUT;
			break;
		}
		clock_delay_us(EDU_POLL_US);
	}
	dma_unmap_single(edu->dev, addr, size, dir);
	return ret;
}
