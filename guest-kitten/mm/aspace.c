// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces. A region says what addresses are for, physical memory is
 * bound to the whole of it at once, and the page tables stay as they are until
 * the address space goes: brk() and mmap() hand out parts of the heap region
 * that have been mapped all the time.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

#define TABLE_ENTRIES	512
#define KERNEL_HALF	256

/* Types in the heap's range set. */
#define HEAP_FREE	1
#define HEAP_BRK	2
#define HEAP_MMAP	3

static struct aspace aspaces[MAX_ASPACES];

struct aspace *aspace_find(u32 id)
{
	if (!id || id > MAX_ASPACES || !aspaces[id - 1].id)
		return NULL;
	return &aspaces[id - 1];
}

int aspace_create(const char *name, struct aspace **result)
{
	const u64 *kernel = phys_to_virt(kernel_root());
	struct aspace *as;
	u32 i = 0;

	while (i < MAX_ASPACES && aspaces[i].id)
		i++;
	if (i == MAX_ASPACES)
		return -ENOSPC;

	as = &aspaces[i];
	memset(as, 0, sizeof(*as));
	as->root = kpage_alloc();
	if (!as->root)
		return -ENOMEM;
	for (u32 n = KERNEL_HALF; n < TABLE_ENTRIES; n++)
		as->root[n] = kernel[n];
	copy_name(as->name, name, sizeof(as->name));
	as->id = i + 1;
	*result = as;
	return 0;
}

/* Nobody may look at memory that is about to belong to others. */
static void hide_from_others(const struct aspace *as)
{
	bool shown = false;

	for (u32 i = 0; i < MAX_ASPACES; i++) {
		struct aspace *other = &aspaces[i];

		if (!other->id || other == as || !as->root[0])
			continue;
		for (u32 n = 1; n < KERNEL_HALF; n++) {
			if (other->root[n] != as->root[0])
				continue;
			other->root[n] = 0;
			shown = true;
		}
	}
	if (shown)
		flush_all_cpus();
}

int aspace_destroy(struct aspace *as)
{
	if (as->nr_tasks)
		return -EBUSY;

	hide_from_others(as);
	pt_free(as->root, 0);
	for (u32 i = 0; i < as->nr_regions; i++) {
		const struct aspace_region *r = &as->region[i];

		if (r->flags & ASPACE_OWNED && r->mapped)
			BUG_ON(pmem_free(r->pa, r->end - r->start, PMEM_USER));
	}
	kpage_free(as->root);
	as->id = 0;
	return 0;
}

int aspace_add_region(struct aspace *as, u64 start, u64 size, u32 flags,
		      const char *name)
{
	struct aspace_region *r;
	u64 end = start + size;

	if (!size || !IS_ALIGNED(start | size, PAGE_SIZE) || end < start ||
	    start < USER_MIN || end > USER_SLOT_SIZE ||
	    flags & ~(ASPACE_FLAGS | ASPACE_OWNED))
		return -EINVAL;
	/* Memory that can be written and executed is nobody's wish here. */
	if (flags & ASPACE_WRITE && flags & ASPACE_EXEC)
		return -EINVAL;
	if (flags & ASPACE_HEAP && as->heap_end)
		return -EEXIST;
	for (u32 i = 0; i < as->nr_regions; i++) {
		if (start < as->region[i].end && as->region[i].start < end)
			return -EEXIST;
	}
	if (as->nr_regions == ASPACE_REGIONS)
		return -ENOSPC;

	if (flags & ASPACE_HEAP) {
		if (rangeset_set(&as->heap, start, end, HEAP_FREE))
			return -ENOSPC;
		as->brk_start = start;
		as->brk = start;
		as->heap_end = end;
	}
	r = &as->region[as->nr_regions++];
	memset(r, 0, sizeof(*r));
	r->start = start;
	r->end = end;
	r->flags = flags;
	copy_name(r->name, name, sizeof(r->name));
	return 0;
}

static struct aspace_region *find_region(struct aspace *as, u64 start, u64 end)
{
	for (u32 i = 0; i < as->nr_regions; i++) {
		if (as->region[i].start == start && as->region[i].end == end)
			return &as->region[i];
	}
	return NULL;
}

int aspace_map_pmem(struct aspace *as, u64 pa, u64 start, u64 size)
{
	struct aspace_region *r = find_region(as, start, start + size);
	u64 flags = PT_USER;
	int ret;

	if (!r || !IS_ALIGNED(pa, PAGE_SIZE))
		return -EINVAL;
	if (r->mapped)
		return -EBUSY;
	if (!pmem_is(pa, size, PMEM_USER) &&
	    (!pmem_is(pa, size, PMEM_ARCHIVE) || r->flags & ASPACE_WRITE))
		return -EPERM;

	if (r->flags & ASPACE_WRITE)
		flags |= PT_WRITE;
	if (!(r->flags & ASPACE_EXEC))
		flags |= PT_NX;
	ret = pt_map(as->root, start, pa, size, flags, pt_max_page());
	if (ret)
		return ret;
	r->pa = pa;
	r->mapped = true;
	return 0;
}

bool aspace_uses_pmem(u64 pa, u64 size)
{
	for (u32 i = 0; i < MAX_ASPACES; i++) {
		struct aspace *as = &aspaces[i];

		for (u32 n = 0; as->id && n < as->nr_regions; n++) {
			const struct aspace_region *r = &as->region[n];
			u64 end = r->pa + (r->end - r->start);

			if (r->mapped && pa < end && r->pa < pa + size)
				return true;
		}
	}
	return false;
}

int aspace_smartmap(struct aspace *src, struct aspace *dst, u32 rank)
{
	u32 slot = rank + 1;

	if (rank >= KERNEL_HALF - 1 || !src->root[0])
		return -EINVAL;
	if (dst->root[slot])
		return -EEXIST;
	dst->root[slot] = src->root[0];
	return 0;
}

u64 aspace_brk(struct aspace *as, u64 brk)
{
	u64 old = ALIGN_UP(as->brk, PAGE_SIZE);
	u64 new = ALIGN_UP(brk, PAGE_SIZE);
	int ret = 0;

	if (brk < as->brk_start || brk > as->heap_end)
		return as->brk;
	if (new > old) {
		if (!rangeset_all(&as->heap, old, new, HEAP_FREE))
			return as->brk;
		ret = rangeset_set(&as->heap, old, new, HEAP_BRK);
	} else if (new < old) {
		ret = rangeset_set(&as->heap, new, old, HEAP_FREE);
	}
	if (!ret)
		as->brk = brk;
	return as->brk;
}

s64 aspace_mmap(struct aspace *as, u64 size)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE), start;

	if (!size || rounded < size)
		return -EINVAL;
	if (rangeset_find(&as->heap, rounded, PAGE_SIZE, HEAP_FREE, true,
			  &start) ||
	    rangeset_set(&as->heap, start, start + rounded, HEAP_MMAP))
		return -ENOMEM;
	return start;
}

int aspace_munmap(struct aspace *as, u64 start, u64 size)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE);

	if (!IS_ALIGNED(start, PAGE_SIZE) || rounded < size ||
	    start + rounded < start ||
	    !rangeset_all(&as->heap, start, start + rounded, HEAP_MMAP))
		return -EINVAL;
	return rangeset_set(&as->heap, start, start + rounded, HEAP_FREE) ?
	       -ENOMEM : 0;
}

u64 aspace_translate(struct aspace *as, u64 va)
{
	u64 entry;

	if (va >> 47)
		return 0;
	entry = pt_walk(as->root, va, NULL);
	return entry & PT_PRESENT ?
	       (entry & PT_ADDR) | (va & (PAGE_SIZE - 1)) : 0;
}
