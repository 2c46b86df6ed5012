// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of arch/x86/symbiotic/dma.c and of the kernel's DMA code with the
 * maps that it makes. They need no VMM and no device.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/symbiotic_dma.h>

#include "../dma.h"
#include "../symbiotic.h"

static const struct symspy_dma two = {
	.generation = 2,
	.nr_ranges = 2,
	.ranges = {
		{ 0, SZ_64M, 0x140000000ULL },
		{ 0x100000000ULL, SZ_32M, -0xc0000000ULL },
	},
};

static struct device *make_device(struct kunit *test,
				  const struct symspy_dma *table)
{
	struct device *dev = kunit_device_register(test, "dma");

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	dev->dma_mask = &dev->coherent_dma_mask;
	dev->coherent_dma_mask = DMA_BIT_MASK(64);
	/* Freed by the driver core, as in earnest. */
	kfree(dev->dma_range_map);
	dev->dma_range_map = symb_dma_make_map(table);
	return dev;
}

static void test_map(struct kunit *test)
{
	static const struct symspy_dma nothing;
	struct bus_dma_region *map = symb_dma_make_map(&two);

	KUNIT_EXPECT_EQ(test, map[0].cpu_start, 0);
	KUNIT_EXPECT_EQ(test, map[0].dma_start, 0x140000000ULL);
	KUNIT_EXPECT_EQ(test, map[0].size, SZ_64M);
	KUNIT_EXPECT_EQ(test, map[1].cpu_start, 0x100000000ULL);
	KUNIT_EXPECT_EQ(test, map[1].dma_start, 0x40000000ULL);
	KUNIT_EXPECT_EQ(test, map[1].size, SZ_32M);
	KUNIT_EXPECT_EQ(test, map[2].size, 0);
	kfree(map);

	map = symb_dma_make_map(&nothing);
	KUNIT_ASSERT_NOT_NULL(test, map);
	KUNIT_EXPECT_EQ(test, map[0].size, 0);
	kfree(map);
}

struct capable_row {
	const char *name;
	phys_addr_t phys;
	size_t size;
	bool ok;
	u64 mask;
};

static const struct capable_row capable_rows[] = {
	{ "first page", 0, SZ_4K, true },
	{ "last page", SZ_64M - SZ_4K, SZ_4K, true },
	{ "whole range", 0, SZ_64M, true },
	{ "one byte behind", SZ_64M - SZ_4K, SZ_4K + 1 },
	{ "behind", SZ_64M, 1 },
	{ "second range", 0x100000000ULL, SZ_32M, true },
	{ "before the second", 0x100000000ULL - 1, 1 },
	{ "into the second", 0x100000000ULL - 1, 2 },
	{ "behind the second", 0x100000000ULL + SZ_32M, SZ_4K },
	{ "device of 32 bits, high", 0, SZ_4K, false, DMA_BIT_MASK(32) },
	{ "device of 32 bits, low", 0x100000000ULL, SZ_4K, true, DMA_BIT_MASK(32) },
};

KUNIT_ARRAY_PARAM_DESC(capable, capable_rows, name);

static void test_capable(struct kunit *test)
{
	const struct capable_row *row = test->param_value;
	struct device *dev = make_device(test, &two);
	dma_addr_t addr;

	if (row->mask)
		dev->coherent_dma_mask = row->mask;
	addr = phys_to_dma(dev, row->phys);
	KUNIT_EXPECT_EQ(test, dma_capable(dev, addr, row->size, true), row->ok);
	if (row->ok)
		KUNIT_EXPECT_EQ(test, dma_to_phys(dev, addr), row->phys);
	else
		KUNIT_EXPECT_TRUE(test, symbiotic_dma_refuse(dev, row->phys,
							     row->size, true));
}

static void test_buffers(struct kunit *test)
{
	void *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct symspy_dma all = {
		.generation = 2,
		.nr_ranges = 1,
		.ranges = { { 0, 1ULL << 40, 1ULL << 41 } },
	};
	struct device *dev = make_device(test, &all);
	dma_addr_t addr;
	void *va;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, addr, virt_to_phys(buf) + (1ULL << 41));
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);

	va = dma_alloc_coherent(dev, SZ_16K, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	KUNIT_EXPECT_EQ(test, addr, virt_to_phys(va) + (1ULL << 41));
	dma_free_coherent(dev, SZ_16K, va, addr);

	/* Registers of a device are never translated, so never reached. */
	addr = dma_map_resource(dev, 0xfee00000, PAGE_SIZE, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(dev, addr));
}

static void test_nothing(struct kunit *test)
{
	void *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct symspy_dma nothing = {};
	struct device *dev = make_device(test, &nothing);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(dev, addr));
	buf = dma_alloc_coherent(dev, PAGE_SIZE, &addr,
				 GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NULL(test, buf);
}

static void test_other_device(struct kunit *test)
{
	struct device *dev = make_device(test, &two);
	void *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	dma_addr_t addr;

	kfree(dev->dma_range_map);
	dev->dma_range_map = NULL;
	KUNIT_ASSERT_NOT_NULL(test, buf);
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, addr, virt_to_phys(buf));
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, symbiotic_dma_refuse(dev, 0, 1, true));
}

static struct kunit_case dma_cases[] = {
	KUNIT_CASE(test_map),
	KUNIT_CASE_PARAM(test_capable, capable_gen_params),
	KUNIT_CASE(test_buffers),
	KUNIT_CASE(test_nothing),
	KUNIT_CASE(test_other_device),
	{}
};

static struct kunit_suite dma_suite = {
	.name = "symbiotic-dma",
	.test_cases = dma_cases,
};

kunit_test_suite(dma_suite);
