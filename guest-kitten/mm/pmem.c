// SPDX-License-Identifier: GPL-2.0
/*
 * Physical memory: who has which part of it.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

static struct rangeset pmem;

/*
 * Pages of the kernel's may become free in any pattern, and a range set does not
 * hold any pattern. What would fill more than a half of it waits in a list, each
 * page with the address of the next one in its first word.
 */
#define ROOM_FOR_OTHERS	(RANGESET_MAX / 4)

static void *spare_pages;

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

	if (spare_pages) {
		page = spare_pages;
		spare_pages = *(void **)page;
	} else {
		if (pmem_alloc(PAGE_SIZE, PAGE_SIZE, PMEM_KERNEL, &pa))
			return NULL;
		page = phys_to_virt(pa);
	}
	memset(page, 0, PAGE_SIZE);
	return page;
}

void kpage_free(void *page)
{
	u64 pa = virt_to_phys(page);

	/* Beside a free one it makes no more ranges. */
	if (rangeset_room(&pmem, ROOM_FOR_OTHERS) ||
	    rangeset_get(&pmem, pa - PAGE_SIZE) == PMEM_FREE ||
	    rangeset_get(&pmem, pa + PAGE_SIZE) == PMEM_FREE) {
		BUG_ON(pmem_free(pa, PAGE_SIZE, PMEM_KERNEL));
		return;
	}
	*(void **)page = spare_pages;
	spare_pages = page;
}

void kpages_settle(void)
{
	u64 before;

	do {
		void *list = spare_pages, *page;

		before = pmem_total(PMEM_FREE);
		/* What stays is in the opposite order the next time. */
		for (spare_pages = NULL; (page = list); ) {
			list = *(void **)page;
			kpage_free(page);
		}
	} while (spare_pages && pmem_total(PMEM_FREE) > before);
}
