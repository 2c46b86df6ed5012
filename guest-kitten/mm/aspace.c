// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces. A region says what addresses are for, physical memory is
 * bound to the whole of it at once, and the page tables stay as they are until
 * the address space goes: brk() and mmap() hand out parts of the heap region
 * that have been mapped all the time.
 *
 * C libraries also want addresses without memory, for later. These come from a
 * region that has none; what becomes memory there is lent by the heap, which
 * shows it as before but hands it out no more.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

#define TABLE_ENTRIES	512
#define KERNEL_HALF	256

/* Types in the heap's range set. */
#define HEAP_FREE	1
#define HEAP_BRK	2
#define HEAP_MMAP	3
#define HEAP_LENT	4

/* Types in the set of addresses without memory. */
#define RESERVE_FREE	1
#define RESERVE_TAKEN	2
#define RESERVE_MEMORY	3

/* Parts of work: memory to clear, and pages to unmap. */
#define COMMIT_STEP	(256ULL << 10)
#define DECOMMIT_STEP	(4ULL << 20)

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
			/* The processor marks each as used, for itself. */
			if ((other->root[n] ^ as->root[0]) & PT_ADDR)
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
	kpages_settle();
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
	if (flags & ASPACE_HEAP && flags & ASPACE_RESERVE)
		return -EINVAL;
	if ((flags & ASPACE_HEAP && as->heap_end) ||
	    (flags & ASPACE_RESERVE && as->reserve_end))
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
	if (flags & ASPACE_RESERVE) {
		if (rangeset_set(&as->reserve, start, end, RESERVE_FREE))
			return -ENOSPC;
		as->reserve_start = start;
		as->reserve_end = end;
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

	if (!r || r->flags & ASPACE_RESERVE || !IS_ALIGNED(pa, PAGE_SIZE))
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
	if (r->flags & ASPACE_HEAP)
		as->heap_pa = pa;
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

bool aspace_in_heap(const struct aspace *as, u64 start, u64 end)
{
	return rangeset_all(&as->heap, start, end, HEAP_MMAP) ||
	       rangeset_all(&as->heap, start, end, HEAP_BRK);
}

u64 aspace_free(const struct aspace *as)
{
	u64 sum = 0, at = as->brk_start, start, end;

	for (; rangeset_next(&as->heap, at, as->heap_end, HEAP_FREE, &start,
			     &end); at = end)
		sum += end - start;
	return sum;
}

u64 aspace_used(const struct aspace *as)
{
	u64 sum = 0;

	for (u32 i = 0; i < as->nr_regions; i++) {
		if (as->region[i].mapped)
			sum += as->region[i].end - as->region[i].start;
	}
	return sum - aspace_free(as);
}

/* ---- addresses without memory ---- */

s64 aspace_reserve(struct aspace *as, u64 size)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE), start;

	if (!size || rounded < size)
		return -EINVAL;
	if (rangeset_find(&as->reserve, rounded, PAGE_SIZE, RESERVE_FREE,
			  false, &start) ||
	    rangeset_set(&as->reserve, start, start + rounded, RESERVE_TAKEN))
		return -ENOMEM;
	return start;
}

bool aspace_in_reserve(const struct aspace *as, u64 start, u64 end)
{
	return start < end && start >= as->reserve_start &&
	       end <= as->reserve_end;
}

bool aspace_reserved(const struct aspace *as, u64 start, u64 end)
{
	u64 a, b;

	return aspace_in_reserve(as, start, end) &&
	       !rangeset_next(&as->reserve, start, end, RESERVE_FREE, &a, &b);
}

bool aspace_committed(const struct aspace *as, u64 at, u64 limit, u64 *start,
		      u64 *end)
{
	return rangeset_next(&as->reserve, at, limit, RESERVE_MEMORY, start,
			     end);
}

/* The heap's memory need not be in one piece: less than @size will do. */
static u64 borrow(struct aspace *as, u64 size, u64 *pa)
{
	u64 start;

	while (rangeset_find(&as->heap, size, PAGE_SIZE, HEAP_FREE, true,
			     &start)) {
		if (size == PAGE_SIZE)
			return 0;
		size = ALIGN_UP(size / 2, PAGE_SIZE);
	}
	if (rangeset_set(&as->heap, start, start + size, HEAP_LENT))
		return 0;
	*pa = as->heap_pa + (start - as->brk_start);
	return size;
}

static void give_back(struct aspace *as, u64 pa, u64 size)
{
	u64 start = as->brk_start + (pa - as->heap_pa);

	BUG_ON(!rangeset_all(&as->heap, start, start + size, HEAP_LENT) ||
	       rangeset_set(&as->heap, start, start + size, HEAP_FREE));
}

/*
 * Unmaps and gives back what is one piece in the heap. Others may still see it
 * until they have flushed, but nobody gets it before the lock is free.
 */
static u64 unmap_piece(struct aspace *as, u64 start, u64 end)
{
	u64 pa = aspace_translate(as, start), at = start;

	while (at < end && aspace_translate(as, at) == pa + (at - start)) {
		pt_unmap_page(as->root, at);
		at += PAGE_SIZE;
	}
	give_back(as, pa, at - start);
	return at;
}

int aspace_commit(struct aspace *as, u64 start, u64 end)
{
	u64 size, pa, at;
	int ret;

	if (!rangeset_next(&as->reserve, start, end, RESERVE_TAKEN, &start,
			   &end))
		return 0;
	/* So that nothing below fails half way, or cannot be undone. */
	if (!rangeset_room(&as->heap, 2) || !rangeset_room(&as->reserve, 1))
		return -ENOMEM;
	size = borrow(as, min_u64(end - start, COMMIT_STEP), &pa);
	if (!size)
		return -ENOMEM;
	memset(phys_to_virt(pa), 0, size);
	ret = pt_map(as->root, start, pa, size, PT_USER | PT_WRITE | PT_NX,
		     PAGE_SIZE);
	if (ret) {
		for (at = start; at < start + size; at += PAGE_SIZE)
			pt_unmap_page(as->root, at);
		give_back(as, pa, size);
		return ret;
	}
	rangeset_set(&as->reserve, start, start + size, RESERVE_MEMORY);
	return 1;
}

s64 aspace_decommit(struct aspace *as, u64 start, u64 end, bool release)
{
	u64 at = start, left = DECOMMIT_STEP, from, to, stop = end;
	bool shown = false;

	if (!rangeset_room(&as->reserve, 1))
		return -ENOMEM;
	while (aspace_committed(as, at, end, &from, &to)) {
		/* A page may be a piece of its own in the heap. */
		if (!left || !rangeset_room(&as->heap, 1)) {
			stop = from;
			break;
		}
		at = unmap_piece(as, from, min_u64(to, from + left));
		left -= at - from;
		shown = true;
	}
	if (stop == start)
		return -ENOMEM;
	rangeset_set(&as->reserve, start, stop,
		     release ? RESERVE_FREE : RESERVE_TAKEN);
	if (shown) {
		/* A processor may know an empty table until it has flushed. */
		pt_cut_empty(as->root, start, stop);
		flush_all_cpus();
		pt_free_cut(as->root, start, stop);
	}
	return stop - start;
}

int aspace_rights(const struct aspace *as, u64 start, u64 end, u32 flags)
{
	while (start < end) {
		const struct aspace_region *r = as->region;
		u32 i = 0;

		while (i < as->nr_regions &&
		       (start < r[i].start || start >= r[i].end))
			i++;
		if (i == as->nr_regions || !r[i].mapped)
			return -ENOMEM;
		if (flags & ~r[i].flags)
			return -EACCES;
		start = r[i].end;
	}
	return 0;
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
