// SPDX-License-Identifier: GPL-2.0
/*
 * Memory, as it is on this machine.
 */
#include <kitten/boot.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include "selftest.h"

extern char image_start[], rodata_start[], data_start[], image_end[];

static const char *alloc_and_free(void)
{
	u64 before = pmem_total(PMEM_FREE), a, b;

	EXPECT(!pmem_alloc(SZ_2M, SZ_2M, PMEM_USER, &a));
	EXPECT(!pmem_alloc(1, PAGE_SIZE, PMEM_KERNEL, &b));
	EXPECT(IS_ALIGNED(a, SZ_2M) && a > b);
	EXPECT(pmem_total(PMEM_FREE) == before - SZ_2M - PAGE_SIZE);
	/* The wrong type, a part that is not ours. */
	EXPECT(pmem_free(a, SZ_2M, PMEM_KERNEL) == -EINVAL);
	EXPECT(pmem_free(a, 2 * SZ_2M, PMEM_USER) == -EINVAL);
	EXPECT(!pmem_free(a, SZ_2M, PMEM_USER));
	EXPECT(!pmem_free(b, PAGE_SIZE, PMEM_KERNEL));
	EXPECT(pmem_total(PMEM_FREE) == before);
	return NULL;
}

static const char *regions_in_order(void)
{
	struct pmem_region p;
	u64 end = 0;
	u32 i;

	for (i = 0; !pmem_query(i, &p); i++) {
		EXPECT(p.start >= end && p.end > p.start && p.type);
		end = p.end;
	}
	EXPECT(i > 1);
	EXPECT(pmem_is((u64)image_start - IMAGE_BASE, PAGE_SIZE, PMEM_KERNEL));
	return NULL;
}

static const char *linear_is_large(void)
{
	const u64 *root = phys_to_virt(kernel_root());
	u64 page, entry = pt_walk(root, LINEAR_BASE + SZ_2M, &page);

	EXPECT(entry & PT_PRESENT && page >= SZ_2M);
	EXPECT((entry & PT_ADDR) == SZ_2M);
	EXPECT(entry & PT_NX && !(entry & PT_USER));
	return NULL;
}

/* Text cannot be written, data cannot be executed, and nothing is at 0. */
static const char *image_rights(void)
{
	const u64 *root = phys_to_virt(kernel_root());
	u64 text = pt_walk(root, (u64)image_start, NULL);
	u64 rodata = pt_walk(root, (u64)rodata_start, NULL);
	u64 data = pt_walk(root, (u64)data_start, NULL);

	EXPECT(!(text & (PT_WRITE | PT_NX)));
	EXPECT(!(rodata & PT_WRITE) && rodata & PT_NX);
	EXPECT(data & PT_WRITE && data & PT_NX);
	EXPECT(!pt_walk(root, 0, NULL));
	EXPECT(!pt_walk(root, (u64)image_end, NULL));
	return NULL;
}

static const char *aspace_life(void)
{
	u64 before = pmem_total(PMEM_FREE), start = SZ_1G, page, pa;
	struct aspace *as;

	EXPECT(!aspace_create("test", &as));
	EXPECT(!pmem_alloc(2 * SZ_2M, SZ_2M, PMEM_USER, &pa));
	EXPECT(!aspace_add_region(as, start, 2 * SZ_2M,
				  ASPACE_READ | ASPACE_WRITE, "a"));
	EXPECT(aspace_add_region(as, start + SZ_2M, SZ_2M, ASPACE_READ, "b") ==
	       -EEXIST);
	EXPECT(!aspace_map_pmem(as, pa, start, 2 * SZ_2M));
	EXPECT(aspace_map_pmem(as, pa, start, 2 * SZ_2M) == -EBUSY);
	EXPECT(pt_walk(as->root, start, &page) & PT_USER && page == SZ_2M);
	EXPECT(aspace_translate(as, start + SZ_2M + 5) == pa + SZ_2M + 5);
	EXPECT(!aspace_destroy(as));
	EXPECT(!pmem_free(pa, 2 * SZ_2M, PMEM_USER));
	EXPECT(pmem_total(PMEM_FREE) == before);
	return NULL;
}

/* A task must not get the kernel's memory. */
static const char *kernel_memory_refused(void)
{
	u64 kernel = (u64)image_start - IMAGE_BASE;
	struct aspace *as;

	EXPECT(!aspace_create("test", &as));
	EXPECT(!aspace_add_region(as, SZ_1G, PAGE_SIZE, ASPACE_READ, "a"));
	EXPECT(aspace_map_pmem(as, kernel, SZ_1G, PAGE_SIZE) == -EPERM);
	EXPECT(aspace_map_pmem(as, 0xfee00000, SZ_1G, PAGE_SIZE) == -EPERM);
	EXPECT(aspace_add_region(as, USER_SLOT_SIZE, PAGE_SIZE, ASPACE_READ,
				 "b") == -EINVAL);
	EXPECT(aspace_add_region(as, LINEAR_BASE, PAGE_SIZE, ASPACE_READ,
				 "c") == -EINVAL);
	EXPECT(!aspace_destroy(as));
	return NULL;
}

static const char *user_copies(void)
{
	u64 v = 1;

	EXPECT(copy_from_user(&v, 0, sizeof(v)) == -EFAULT);
	EXPECT(copy_from_user(&v, LINEAR_BASE, sizeof(v)) == -EFAULT);
	EXPECT(copy_from_user(&v, (u64)image_start, sizeof(v)) == -EFAULT);
	EXPECT(copy_from_user(&v, 0x800000000000, sizeof(v)) == -EFAULT);
	EXPECT(copy_from_user(&v, ~0ULL - 3, sizeof(v)) == -EFAULT);
	EXPECT(copy_to_user((u64)&v, &v, sizeof(v)) == -EFAULT);
	EXPECT(clear_user(0x7fffffffe000, PAGE_SIZE) == -EFAULT);
	EXPECT(v == 1);
	return NULL;
}

static const struct test_case tests[] = {
	{ "alloc_and_free", alloc_and_free },
	{ "regions_in_order", regions_in_order },
	{ "linear_is_large", linear_is_large },
	{ "image_rights", image_rights },
	{ "aspace_life", aspace_life },
	{ "kernel_memory_refused", kernel_memory_refused },
	{ "user_copies", user_copies },
};

const struct test_suite test_mm = { .name = "mm", SUITE(tests) };
