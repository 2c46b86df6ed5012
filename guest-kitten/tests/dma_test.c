// SPDX-License-Identifier: GPL-2.0
/*
 * DMA: addresses for devices, and a device that uses them.
 */
#include <kitten/arch.h>
#include <kitten/dma.h>
#include <kitten/edu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include "../symbiotic/internal.h"
#include "selftest.h"

#define SKIP_NO_DEVICE	"the machine has no edu"

/* No device of ours is in the VMM's table at this place. */
static const struct pci_device nobody = { .bus = 0xff, .slot = 31, .fn = 7 };

static const char *own_addresses(void)
{
	u8 *page = kpage_alloc();

	EXPECT(dma_map_single(&nobody, page + 8, 16, DMA_TO_DEVICE) ==
	       virt_to_phys(page + 8));
	kpage_free(page);
	return NULL;
}

static u64 end_of_memory(void)
{
	struct pmem_region r;
	u64 end = 0;

	for (u32 i = 0; !pmem_query(i, &r); i++)
		end = r.end;
	return end;
}

static const char *not_our_memory(void)
{
	u8 *end = phys_to_virt(end_of_memory());

	EXPECT(dma_map_single(&nobody, end - 16, 16, DMA_TO_DEVICE) !=
	       DMA_MAPPING_ERROR);
	EXPECT(dma_map_single(&nobody, end - 16, 2 * SZ_1G, DMA_TO_DEVICE) ==
	       DMA_MAPPING_ERROR);
	EXPECT(dma_map_single(&nobody, end - 16, ~0ULL, DMA_TO_DEVICE) ==
	       DMA_MAPPING_ERROR);
	EXPECT(dma_map_single(&nobody, end, 0, DMA_TO_DEVICE) ==
	       DMA_MAPPING_ERROR);
	return NULL;
}

static const char *coherent(void)
{
	dma_addr_t addr;
	u64 *va = dma_alloc_coherent(&nobody, 3 * PAGE_SIZE - 1, &addr);

	EXPECT(va && addr == virt_to_phys(va) && !va[0] &&
	       !va[3 * PAGE_SIZE / 8 - 1]);
	EXPECT(pmem_is(virt_to_phys(va), 3 * PAGE_SIZE, PMEM_KERNEL));
	dma_free_coherent(&nobody, 3 * PAGE_SIZE - 1, va, addr);
	EXPECT(pmem_is(virt_to_phys(va), 3 * PAGE_SIZE, PMEM_FREE));
	return NULL;
}

/* There and back, to another page: what comes is what went. */
static const char *device_copies(void)
{
	u8 *from, *to;
	struct edu edu;

	if (edu_init(&edu))
		return SKIP_NO_DEVICE;
	from = kpage_alloc();
	to = kpage_alloc();
	for (u32 i = 0; i < EDU_SIZE; i++)
		from[i] = i * 7 + (i >> 8);
	EXPECT(!edu_copy(&edu, from, EDU_SIZE, DMA_TO_DEVICE));
	EXPECT(!edu_copy(&edu, to, EDU_SIZE, DMA_FROM_DEVICE));
	EXPECT(!memcmp(from, to, EDU_SIZE));
	EXPECT(!to[EDU_SIZE] && !to[PAGE_SIZE - 1]);
	kpage_free(from);
	kpage_free(to);
	edu_exit(&edu);
	return NULL;
}

/* With the offset the device has other addresses; without, our own. */
static const char *device_addresses(void)
{
	/* Memory that the firmware keeps ends there at the latest. */
	u8 *page, *end = phys_to_virt(ALIGN_UP(end_of_memory(), SZ_1G));
	dma_addr_t addr;
	struct edu edu;
	bool moved;

	if (edu_init(&edu))
		return SKIP_NO_DEVICE;
	page = kpage_alloc();
	addr = dma_map_single(edu.dev, page, PAGE_SIZE, DMA_TO_DEVICE);
	moved = addr != virt_to_phys(page);
	EXPECT(moved == !!(symb_features & SYMB_FEAT_DMA_OFFSET));
	EXPECT(edu_copy(&edu, end - 8, EDU_SIZE, DMA_TO_DEVICE) == -EIO);
	kpage_free(page);
	edu_exit(&edu);
	return NULL;
}

static const struct test_case tests[] = {
	{ "own_addresses", own_addresses },
	{ "not_our_memory", not_our_memory },
	{ "coherent", coherent },
	{ "device_copies", device_copies },
	{ "device_addresses", device_addresses },
};

const struct test_suite test_dma = {
	.name = "dma", SUITE(tests)
};
