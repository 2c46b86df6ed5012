// SPDX-License-Identifier: GPL-2.0
/*
 * Physical memory: who has which part of it.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

static struct rangeset pmem;

int pmem_add(u64 start, u64 end, enum pmem_type type)
{
	if (!IS_ALIGNED(start, PAGE_SIZE) || !IS_ALIGNED(end, PAGE_SIZE))
		return -EINVAL;
	return rangeset_set(&pmem, start, end, type);
}

int pmem_alloc(u64 size, u64 align, enum pmem_type type, u64 *pa)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE);
	int ret;

	if (!size || rounded < size || align < PAGE_SIZE ||
	    align & (align - 1))
		return -EINVAL;
	/* From both ends, so that the large part in between stays whole. */
	ret = rangeset_find(&pmem, rounded, align, PMEM_FREE,
			    type == PMEM_USER, pa);
	if (ret)
		return ret;
	return rangeset_set(&pmem, *pa, *pa + rounded, type) ? -ENOMEM : 0;
}

bool pmem_is(u64 pa, u64 size, enum pmem_type type)
{
	return pa + size > pa && rangeset_all(&pmem, pa, pa + size, type);
}

int pmem_free(u64 pa, u64 size, enum pmem_type type)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE);

	if (!IS_ALIGNED(pa, PAGE_SIZE) || rounded < size ||
	    !pmem_is(pa, rounded, type))
		return -EINVAL;
	return rangeset_set(&pmem, pa, pa + rounded, PMEM_FREE);
}

int pmem_query(u32 nr, struct pmem_region *region)
{
	if (nr >= pmem.nr)
		return -ENOENT;
	*region = (struct pmem_region){
		.start = pmem.r[nr].start,
		.end = pmem.r[nr].end,
		.type = pmem.r[nr].type,
	};
	return 0;
}

u64 pmem_total(enum pmem_type type)
{
	u64 sum = 0;

	for (u32 i = 0; i < pmem.nr; i++) {
		if (pmem.r[i].type == type)
			sum += pmem.r[i].end - pmem.r[i].start;
	}
	return sum;
}

void *kpage_alloc(void)
{
	void *page;
	u64 pa;

	if (pmem_alloc(PAGE_SIZE, PAGE_SIZE, PMEM_KERNEL, &pa))
		return NULL;
	page = phys_to_virt(pa);
	memset(page, 0, PAGE_SIZE);
	return page;
}

void kpage_free(void *page)
{
	BUG_ON(pmem_free(virt_to_phys(page), PAGE_SIZE, PMEM_KERNEL));
}
