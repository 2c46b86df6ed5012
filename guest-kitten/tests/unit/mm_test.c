// SPDX-License-Identifier: GPL-2.0
/*
 * Physical memory, page tables and address spaces.
 */
#include "fake.h"

extern unsigned int fake_flushes;

#define RW	(ASPACE_READ | ASPACE_WRITE)

/* A bit of page-table entries that the processor sets. */
#define ACCESSED	(1ULL << 5)

static void pmem_bad_arguments(void)
{
	u64 pa;

	fake_reset();
	EXPECT(pmem_alloc(0, PAGE_SIZE, PMEM_USER, &pa) == -EINVAL);
	EXPECT(pmem_alloc(~0ULL, PAGE_SIZE, PMEM_USER, &pa) == -EINVAL);
	EXPECT(pmem_alloc(PAGE_SIZE, 0, PMEM_USER, &pa) == -EINVAL);
	EXPECT(pmem_alloc(PAGE_SIZE, 1, PMEM_USER, &pa) == -EINVAL);
	EXPECT(pmem_alloc(PAGE_SIZE, 3 * PAGE_SIZE, PMEM_USER, &pa) == -EINVAL);
	EXPECT(pmem_alloc(FAKE_SIZE + 1, PAGE_SIZE, PMEM_USER, &pa) == -ENOMEM);
	EXPECT(pmem_alloc(PAGE_SIZE, 1ULL << 63, PMEM_USER, &pa) == -ENOMEM);
	EXPECT(pmem_add(1, PAGE_SIZE, PMEM_FREE) == -EINVAL);
	EXPECT(pmem_add(PAGE_SIZE, PAGE_SIZE, PMEM_FREE) == -EINVAL);
	EXPECT(pmem_free(0, PAGE_SIZE, PMEM_USER) == -EINVAL);
	EXPECT(pmem_free(FAKE_START + 1, PAGE_SIZE, PMEM_FREE) == -EINVAL);
	EXPECT(pmem_free(FAKE_START, ~0ULL, PMEM_FREE) == -EINVAL);
}

/* Random use: what is given out never overlaps and comes back whole. */
static void pmem_random(void)
{
	struct {
		u64 pa, size;
		enum pmem_type type;
	} held[40] = { 0 };
	u64 before;

	fake_reset();
	before = pmem_total(PMEM_FREE);
	for (u32 step = 0; step < 5000; step++) {
		u32 i = fake_random() % ARRAY_SIZE(held);
		u64 align = PAGE_SIZE << fake_random() % 10;

		if (held[i].size) {
			EXPECT(!pmem_free(held[i].pa, held[i].size,
					  held[i].type));
			held[i].size = 0;
			continue;
		}
		held[i].type = fake_random() & 1 ? PMEM_USER : PMEM_KERNEL;
		held[i].size = 1 + fake_random() % (1 << 20);
		if (pmem_alloc(held[i].size, align, held[i].type,
			       &held[i].pa)) {
			held[i].size = 0;
			continue;
		}
		EXPECT(IS_ALIGNED(held[i].pa, align));
		for (u32 k = 0; k < ARRAY_SIZE(held); k++) {
			if (k == i || !held[k].size)
				continue;
			EXPECT(held[k].pa >= held[i].pa + held[i].size ||
			       held[i].pa >= held[k].pa + held[k].size);
		}
	}
	for (u32 i = 0; i < ARRAY_SIZE(held); i++) {
		if (held[i].size)
			EXPECT(!pmem_free(held[i].pa, held[i].size,
					  held[i].type));
	}
	EXPECT(pmem_total(PMEM_FREE) == before);
}

static void pages_of_all_sizes(void)
{
	u64 *root, page, before;

	fake_reset();
	before = pmem_total(PMEM_FREE);
	root = kpage_alloc();
	/* 4 KiB short of a GiB, one GiB, 2 MiB and 4 KiB. */
	EXPECT(!pt_map(root, SZ_1G - PAGE_SIZE, 5 * SZ_1G - PAGE_SIZE,
		       PAGE_SIZE + SZ_1G + SZ_2M + PAGE_SIZE, PT_WRITE, SZ_1G));
	EXPECT(pt_walk(root, SZ_1G - PAGE_SIZE, &page) && page == PAGE_SIZE);
	EXPECT((pt_walk(root, SZ_1G + 0x12345678, &page) & PT_ADDR) ==
	       5 * SZ_1G + 0x12345000 && page == SZ_1G);
	EXPECT((pt_walk(root, 2 * SZ_1G + 0x3000, &page) & PT_ADDR) ==
	       6 * SZ_1G + 0x3000 && page == SZ_2M);
	EXPECT(pt_walk(root, 2 * SZ_1G + SZ_2M, &page) && page == PAGE_SIZE);
	EXPECT(!pt_walk(root, 2 * SZ_1G + SZ_2M + PAGE_SIZE, NULL));
	EXPECT(!pt_walk(root, 0, NULL) && !pt_walk(root, ~0ULL, NULL));

	/* Both addresses have to be aligned for a large page. */
	EXPECT(!pt_map(root, 8 * SZ_1G, SZ_1G + SZ_2M, SZ_1G, 0, SZ_1G));
	EXPECT((pt_walk(root, 8 * SZ_1G + SZ_2M, &page) & PT_ADDR) ==
	       SZ_1G + 2 * SZ_2M && page == SZ_2M);
	EXPECT(!pt_map(root, 16 * SZ_1G, PAGE_SIZE, SZ_2M, 0, SZ_1G));
	EXPECT((pt_walk(root, 16 * SZ_1G, &page) & PT_ADDR) == PAGE_SIZE &&
	       page == PAGE_SIZE);

	/* Over, under and beside what is there. */
	EXPECT(pt_map(root, SZ_1G, 0, PAGE_SIZE, 0, SZ_1G) == -EEXIST);
	EXPECT(pt_map(root, SZ_1G, 0, SZ_1G, 0, SZ_1G) == -EEXIST);
	EXPECT(pt_map(root, 2 * SZ_1G, 0, SZ_1G, 0, SZ_1G) == -EEXIST);
	EXPECT(pt_map(root, 1, 0, PAGE_SIZE, 0, SZ_1G) == -EINVAL);
	EXPECT(pt_map(root, 0, 1, PAGE_SIZE, 0, SZ_1G) == -EINVAL);
	EXPECT(pt_map(root, 0, 0, 1, 0, SZ_1G) == -EINVAL);
	EXPECT(pt_map(root, -PAGE_SIZE, 0, 2 * PAGE_SIZE, 0, SZ_1G) == -EINVAL);
	EXPECT(pt_map(root, 0, 1ULL << 52, PAGE_SIZE, 0, SZ_1G) == -EINVAL);

	pt_unmap_page(root, 2 * SZ_1G + SZ_2M);
	EXPECT(!pt_walk(root, 2 * SZ_1G + SZ_2M, NULL));
	/* Not a small page: it stays. */
	pt_unmap_page(root, SZ_1G);
	EXPECT(pt_walk(root, SZ_1G, NULL));

	pt_free(root, 0);
	kpage_free(root);
	EXPECT(pmem_total(PMEM_FREE) == before);
}

static void smaller_pages_only(void)
{
	u64 *root, page;

	fake_reset();
	root = kpage_alloc();
	EXPECT(!pt_map(root, SZ_1G, 0, SZ_1G, 0, SZ_2M));
	EXPECT(pt_walk(root, SZ_1G, &page) && page == SZ_2M);
	EXPECT(!pt_map(root, 4 * SZ_1G, SZ_2M, SZ_2M, 0, PAGE_SIZE));
	EXPECT(pt_walk(root, 4 * SZ_1G, &page) && page == PAGE_SIZE);
}

static void out_of_memory(void)
{
	struct aspace *as;
	void *page;

	fake_reset();
	while ((page = kpage_alloc()))
		;
	EXPECT(aspace_create("x", &as) == -ENOMEM);
}

static void regions(void)
{
	struct aspace *as;

	fake_reset();
	EXPECT(!aspace_create("a name that is too long", &as));
	EXPECT(strlen(as->name) == 15);
	EXPECT(as->root[300] == (300U << 12 | PT_PRESENT));
	EXPECT(aspace_add_region(as, 0, PAGE_SIZE, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, 0, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, 1, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G + 1, PAGE_SIZE, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, -SZ_1G, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, USER_SLOT_SIZE, RW, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, PAGE_SIZE, 0x20, "") == -EINVAL);
	EXPECT(aspace_add_region(as, SZ_1G, PAGE_SIZE,
				 RW | ASPACE_EXEC, "") == -EINVAL);
	EXPECT(!aspace_add_region(as, SZ_1G, 2 * PAGE_SIZE, RW, "one"));
	EXPECT(aspace_add_region(as, SZ_1G + PAGE_SIZE, PAGE_SIZE, RW, "") ==
	       -EEXIST);
	EXPECT(aspace_add_region(as, SZ_1G - PAGE_SIZE, 4 * PAGE_SIZE, RW, "")
	       == -EEXIST);
	EXPECT(!aspace_add_region(as, USER_SLOT_SIZE - PAGE_SIZE, PAGE_SIZE,
				  RW, "last"));
	for (u32 i = as->nr_regions; i < ASPACE_REGIONS; i++)
		EXPECT(!aspace_add_region(as, (2 + i) * SZ_1G, PAGE_SIZE, RW,
					  ""));
	EXPECT(aspace_add_region(as, 100 * SZ_1G, PAGE_SIZE, RW, "") ==
	       -ENOSPC);
}

static void binding(void)
{
	u64 user, kernel;
	struct aspace *as;

	fake_reset();
	EXPECT(!aspace_create("a", &as));
	EXPECT(!pmem_alloc(SZ_2M, SZ_2M, PMEM_USER, &user));
	EXPECT(!pmem_alloc(SZ_2M, SZ_2M, PMEM_KERNEL, &kernel));
	EXPECT(!aspace_add_region(as, SZ_1G, SZ_2M, RW, "rw"));
	EXPECT(!aspace_add_region(as, 2 * SZ_1G, SZ_2M, ASPACE_READ, "r"));
	EXPECT(aspace_map_pmem(as, kernel, SZ_1G, SZ_2M) == -EPERM);
	EXPECT(aspace_map_pmem(as, user, SZ_1G, SZ_2M / 2) == -EINVAL);
	EXPECT(aspace_map_pmem(as, user + 1, SZ_1G, SZ_2M) == -EINVAL);
	EXPECT(aspace_map_pmem(as, user + PAGE_SIZE, SZ_1G, SZ_2M) == -EPERM);
	EXPECT(aspace_map_pmem(as, -PAGE_SIZE, SZ_1G, SZ_2M) == -EPERM);
	EXPECT(!aspace_map_pmem(as, user, SZ_1G, SZ_2M));
	EXPECT(aspace_map_pmem(as, user, SZ_1G, SZ_2M) == -EBUSY);
	EXPECT(!aspace_map_pmem(as, user, 2 * SZ_1G, SZ_2M));
	EXPECT(pt_walk(as->root, SZ_1G, NULL) & PT_WRITE);
	EXPECT(!(pt_walk(as->root, 2 * SZ_1G, NULL) & PT_WRITE));
	EXPECT(pt_walk(as->root, SZ_1G, NULL) & PT_NX);
	EXPECT(aspace_translate(as, SZ_1G + 77) == user + 77);
	EXPECT(!aspace_translate(as, 3 * SZ_1G));
	EXPECT(!aspace_translate(as, 1ULL << 47));
	EXPECT(aspace_uses_pmem(user + SZ_2M - 1, 1));
	EXPECT(!aspace_uses_pmem(user + SZ_2M, 1));
	as->nr_tasks = 1;
	EXPECT(aspace_destroy(as) == -EBUSY);
	as->nr_tasks = 0;
	EXPECT(!aspace_destroy(as) && !aspace_uses_pmem(user, SZ_2M));
}

static void smartmap(void)
{
	struct aspace *a, *b;
	u64 pa;

	fake_reset();
	EXPECT(!aspace_create("a", &a) && !aspace_create("b", &b));
	EXPECT(aspace_smartmap(a, b, 0) == -EINVAL);	/* nothing there yet */
	EXPECT(!pmem_alloc(PAGE_SIZE, PAGE_SIZE, PMEM_USER, &pa));
	EXPECT(!aspace_add_region(a, SZ_1G, PAGE_SIZE, RW, "x"));
	EXPECT(!aspace_map_pmem(a, pa, SZ_1G, PAGE_SIZE));
	EXPECT(aspace_smartmap(a, b, 255) == -EINVAL);
	EXPECT(aspace_smartmap(a, b, ~0U) == -EINVAL);
	EXPECT(!aspace_smartmap(a, b, 3));
	EXPECT(aspace_smartmap(a, b, 3) == -EEXIST);
	EXPECT(aspace_translate(b, 4ULL << 39 | (SZ_1G + 5)) == pa + 5);
	EXPECT(!aspace_translate(b, SZ_1G));
	fake_flushes = 0;
	EXPECT(!aspace_destroy(a));
	EXPECT(fake_flushes == 1 && !b->root[4]);
	EXPECT(!aspace_destroy(b) && fake_flushes == 1);
}

/* The processor marks the entries that it has used: in one table, not in all. */
static void smartmap_used(void)
{
	struct aspace *a, *b;
	u64 pa;

	fake_reset();
	EXPECT(!aspace_create("a", &a) && !aspace_create("b", &b));
	EXPECT(!pmem_alloc(PAGE_SIZE, PAGE_SIZE, PMEM_USER, &pa));
	EXPECT(!aspace_add_region(a, SZ_1G, PAGE_SIZE, RW, "x"));
	EXPECT(!aspace_map_pmem(a, pa, SZ_1G, PAGE_SIZE));
	EXPECT(!aspace_smartmap(a, b, 3));
	a->root[0] |= ACCESSED;
	EXPECT(!aspace_destroy(a));
	EXPECT(!b->root[4]);
	EXPECT(!aspace_destroy(b));
}

/* What two tasks have in turns goes when one of them goes: each second page. */
static void page_tables_in_turns(void)
{
	enum { TABLES = 700 };
	struct aspace *as[2];
	u64 before;

	fake_reset();
	before = pmem_total(PMEM_FREE);
	EXPECT(!aspace_create("a", &as[0]) && !aspace_create("b", &as[1]));
	for (u32 i = 0; i < TABLES; i++) {
		for (u32 k = 0; k < 2; k++)
			EXPECT(!pt_map(as[k]->root, SZ_1G + i * SZ_2M, FAKE_START,
				       PAGE_SIZE, 0, PAGE_SIZE));
	}
	EXPECT(!aspace_destroy(as[0]));
	/* There is memory, and it can be described. */
	for (u32 i = 0; i < 2; i++) {
		EXPECT(!aspace_create("c", &as[0]));
		EXPECT(!aspace_destroy(as[0]));
	}
	EXPECT(!aspace_destroy(as[1]));
	EXPECT(pmem_total(PMEM_FREE) == before);
}

static void heap(void)
{
	u64 start = 4 * SZ_1G, size = 64 * PAGE_SIZE;
	struct aspace *as;
	s64 a, b, c;

	fake_reset();
	EXPECT(!aspace_create("a", &as));
	EXPECT(aspace_mmap(as, 1) == -ENOMEM);
	EXPECT(aspace_brk(as, 5) == 0);
	EXPECT(!aspace_add_region(as, start, size, RW | ASPACE_HEAP, "heap"));
	EXPECT(aspace_add_region(as, 8 * SZ_1G, size, RW | ASPACE_HEAP, "") ==
	       -EEXIST);
	EXPECT(aspace_brk(as, 0) == start);
	EXPECT(aspace_brk(as, start + 100) == start + 100);
	EXPECT(aspace_brk(as, start + size + 1) == start + 100);
	a = aspace_mmap(as, 10 * PAGE_SIZE);
	EXPECT((u64)a == start + size - 10 * PAGE_SIZE);
	b = aspace_mmap(as, 1);
	EXPECT(b == a - (s64)PAGE_SIZE);
	EXPECT(aspace_mmap(as, 0) == -EINVAL);
	EXPECT(aspace_mmap(as, ~0ULL) == -EINVAL);
	EXPECT(aspace_mmap(as, size) == -ENOMEM);
	/* brk ends at what mmap has taken. */
	EXPECT(aspace_brk(as, b + 1) == start + 100);
	EXPECT(aspace_brk(as, b) == (u64)b);
	EXPECT(aspace_brk(as, start + 1) == start + 1);
	EXPECT(aspace_munmap(as, a + 1, PAGE_SIZE) == -EINVAL);
	EXPECT(aspace_munmap(as, start, PAGE_SIZE) == -EINVAL);
	EXPECT(aspace_munmap(as, a, ~0ULL) == -EINVAL);
	EXPECT(aspace_munmap(as, a, 11 * PAGE_SIZE) == -EINVAL);
	EXPECT(!aspace_munmap(as, a + PAGE_SIZE, PAGE_SIZE));
	EXPECT(aspace_munmap(as, a, 3 * PAGE_SIZE) == -EINVAL);
	c = aspace_mmap(as, PAGE_SIZE);
	EXPECT(c == a + (s64)PAGE_SIZE);
	EXPECT(!aspace_munmap(as, a, 10 * PAGE_SIZE));
	EXPECT(!aspace_munmap(as, b, 1));
	EXPECT(aspace_brk(as, start + size) == start + size);
}

/* Holes in every second page, as many as can be, and then all of the rest goes. */
static void heap_of_holes(void)
{
	u64 start = 4 * SZ_1G, size = 2048 * PAGE_SIZE;
	struct aspace *as;
	u32 holes = 0;
	u64 at;
	s64 a;

	fake_reset();
	EXPECT(!aspace_create("a", &as));
	EXPECT(!aspace_add_region(as, start, size, RW | ASPACE_HEAP, "heap"));
	a = aspace_mmap(as, size);
	EXPECT(a == (s64)start);
	for (at = start; !aspace_munmap(as, at, PAGE_SIZE); at += 2 * PAGE_SIZE)
		holes++;
	EXPECT(holes > 200 && holes < 1024);
	/* This needs no more room than there is, but less. */
	for (at = start + PAGE_SIZE; holes--; at += 2 * PAGE_SIZE)
		EXPECT(!holes || !aspace_munmap(as, at, PAGE_SIZE));
	EXPECT(!aspace_munmap(as, at - 2 * PAGE_SIZE, start + size - at + 2 * PAGE_SIZE));
	EXPECT(aspace_free(as) == size);
}

#define RESERVE		(16 * SZ_1G)
#define RESERVE_SIZE	(4 * SZ_1G)
#define HEAP		(4 * SZ_1G)
#define HEAP_PAGES	2048

static struct aspace *with_reserve(void)
{
	u64 size = HEAP_PAGES * PAGE_SIZE, pa;
	struct aspace *as;

	fake_reset();
	fake_flushes = 0;
	EXPECT(!aspace_create("a", &as));
	EXPECT(!pmem_alloc(size, SZ_2M, PMEM_USER, &pa));
	EXPECT(!aspace_add_region(as, HEAP, size, RW | ASPACE_HEAP, "heap"));
	EXPECT(!aspace_map_pmem(as, pa, HEAP, size));
	EXPECT(!aspace_add_region(as, RESERVE, RESERVE_SIZE,
				  RW | ASPACE_RESERVE, "reserve"));
	return as;
}

static int commit_all(struct aspace *as, u64 start, u64 end)
{
	int ret;

	while ((ret = aspace_commit(as, start, end)) > 0)
		;
	return ret;
}

static void decommit_all(struct aspace *as, u64 start, u64 end, bool release)
{
	while (start < end) {
		s64 n = aspace_decommit(as, start, end, release);

		EXPECT(n > 0);
		if (n <= 0)
			break;
		start += n;
	}
}

static void reserve(void)
{
	struct aspace *as = with_reserve();
	u64 free = aspace_free(as), used = aspace_used(as), a, b;

	EXPECT(free == HEAP_PAGES * PAGE_SIZE && !used);
	EXPECT(aspace_add_region(as, 100 * SZ_1G, SZ_1G, RW | ASPACE_RESERVE,
				 "") == -EEXIST);
	EXPECT(aspace_add_region(as, 100 * SZ_1G, SZ_1G, RW | ASPACE_RESERVE |
				 ASPACE_HEAP, "") == -EINVAL);
	EXPECT(aspace_map_pmem(as, FAKE_START, RESERVE, RESERVE_SIZE) ==
	       -EINVAL);
	a = aspace_reserve(as, SZ_1G);
	EXPECT(a == RESERVE && aspace_free(as) == free);
	EXPECT(aspace_reserve(as, 0) == -EINVAL);
	EXPECT(aspace_reserve(as, ~0ULL) == -EINVAL);
	EXPECT(aspace_reserve(as, RESERVE_SIZE) == -ENOMEM);
	EXPECT(aspace_reserved(as, a, a + SZ_1G));
	EXPECT(!aspace_reserved(as, a, a + SZ_1G + PAGE_SIZE));
	EXPECT(aspace_in_reserve(as, a + SZ_1G, a + 2 * SZ_1G));
	EXPECT(!aspace_in_reserve(as, a, a));
	EXPECT(!aspace_in_reserve(as, a + SZ_1G, a));
	EXPECT(!aspace_in_reserve(as, a - PAGE_SIZE, a + PAGE_SIZE));
	EXPECT(!aspace_translate(as, a));

	/* A part gets memory, clear, small pages, once. */
	memset(phys_to_virt(aspace_translate(as, HEAP)), 0xff,
	       HEAP_PAGES * PAGE_SIZE);
	EXPECT(!commit_all(as, a + SZ_2M, a + 2 * SZ_2M));
	EXPECT(aspace_free(as) == free - SZ_2M && aspace_used(as) == SZ_2M);
	for (b = a + SZ_2M; b < a + 2 * SZ_2M; b += PAGE_SIZE) {
		u64 page, entry = pt_walk(as->root, b, &page);
		u8 *p = phys_to_virt(entry & PT_ADDR);

		EXPECT(page == PAGE_SIZE && entry & PT_WRITE &&
		       entry & PT_USER && entry & PT_NX);
		EXPECT(!p[0] && !memcmp(p, p + 1, PAGE_SIZE - 1));
	}
	EXPECT(!aspace_translate(as, a + SZ_2M - 1));
	EXPECT(!aspace_translate(as, a + 2 * SZ_2M));
	EXPECT(!aspace_commit(as, a + SZ_2M, a + 2 * SZ_2M));
	EXPECT(!fake_flushes);
	/* The heap does not hand it out a second time. */
	EXPECT(aspace_mmap(as, free - SZ_2M + PAGE_SIZE) == -ENOMEM);

	decommit_all(as, a, a + SZ_1G / 2, false);
	EXPECT(aspace_free(as) == free && fake_flushes == 1);
	EXPECT(!aspace_translate(as, a + SZ_2M));
	decommit_all(as, a, a + SZ_1G, true);
	EXPECT(fake_flushes == 1 && !aspace_reserved(as, a, a + PAGE_SIZE));
	EXPECT((u64)aspace_reserve(as, PAGE_SIZE) == a);
}

/* A page in each of many places, one after the other: the tables go with it. */
static void reserve_sparse(void)
{
	struct aspace *as = with_reserve();
	u64 a = aspace_reserve(as, RESERVE_SIZE), at, before;

	EXPECT(!commit_all(as, a, a + PAGE_SIZE));
	EXPECT(!commit_all(as, a + SZ_1G, a + SZ_1G + PAGE_SIZE));
	before = pmem_total(PMEM_KERNEL);
	for (at = a + SZ_2M; at < a + 2 * SZ_1G; at += SZ_2M) {
		if (at == a + SZ_1G)
			continue;
		EXPECT(!commit_all(as, at, at + PAGE_SIZE));
		fake_flushes = 0;
		decommit_all(as, at, at + PAGE_SIZE, false);
		EXPECT(fake_flushes == 1);
	}
	EXPECT(pmem_total(PMEM_KERNEL) == before);
	/* Who is left has its own. */
	EXPECT(aspace_translate(as, a) && aspace_translate(as, a + SZ_1G));
	/* Many at once. */
	for (at = a + SZ_2M; at < a + 200 * SZ_2M; at += SZ_2M)
		EXPECT(!commit_all(as, at, at + 2 * PAGE_SIZE));
	EXPECT(pmem_total(PMEM_KERNEL) == before + 199 * PAGE_SIZE);
	decommit_all(as, a + PAGE_SIZE, a + RESERVE_SIZE, true);
	EXPECT(pmem_total(PMEM_KERNEL) < before);
	EXPECT(aspace_translate(as, a) && !aspace_translate(as, a + SZ_1G));
}

/* What is not there is said, and nothing is lost. */
static void reserve_too_much(void)
{
	struct aspace *as = with_reserve();
	u64 free = aspace_free(as), a = aspace_reserve(as, SZ_1G);

	EXPECT(commit_all(as, a, a + free + PAGE_SIZE) == -ENOMEM);
	EXPECT(!aspace_free(as));
	decommit_all(as, a, a + SZ_1G, false);
	EXPECT(aspace_free(as) == free);
	/* No room for page tables. */
	while (kpage_alloc())
		;
	a += SZ_1G / 2;
	EXPECT(commit_all(as, a, a + PAGE_SIZE) == -ENOMEM);
	EXPECT(aspace_free(as) == free && !aspace_translate(as, a));
}

/* Against a model: page by page, who has memory, and all of it is different. */
static void reserve_random(void)
{
	enum { PAGES = 600 };
	struct aspace *as = with_reserve();
	u64 free = aspace_free(as), a = aspace_reserve(as, PAGES * PAGE_SIZE);
	u64 held[8] = { 0 };
	u8 has[PAGES] = { 0 };
	u64 pages = 0, in_heap = 0;

	for (u32 step = 0; step < 2000; step++) {
		u64 from = fake_random() % PAGES;
		u64 to = from + 1 + fake_random() % (PAGES - from);
		bool more = fake_random() & 1;
		u64 *h = &held[fake_random() % 8];

		if (more)
			EXPECT(!commit_all(as, a + from * PAGE_SIZE,
					   a + to * PAGE_SIZE));
		else
			decommit_all(as, a + from * PAGE_SIZE,
				     a + to * PAGE_SIZE, false);
		for (u64 i = from; i < to; i++) {
			u32 *p;

			pages += more - has[i];
			has[i] = more;
			EXPECT(!aspace_translate(as, a + i * PAGE_SIZE) == !more);
			if (!more)
				continue;
			p = phys_to_virt(aspace_translate(as, a + i * PAGE_SIZE));
			EXPECT(!*p || *p == i + 1);
			*p = i + 1;
		}
		/* The heap has users of its own. */
		if (*h) {
			EXPECT(!aspace_munmap(as, *h, 3 * PAGE_SIZE));
			*h = 0;
			in_heap -= 3;
		} else {
			*h = aspace_mmap(as, 3 * PAGE_SIZE);
			in_heap += 3;
			*(u32 *)phys_to_virt(aspace_translate(as, *h)) = 9999;
		}
		EXPECT(aspace_free(as) == free - (pages + in_heap) * PAGE_SIZE);
	}
	for (u64 i = 0; i < PAGES; i++) {
		u64 pa = aspace_translate(as, a + i * PAGE_SIZE);

		if (has[i])
			EXPECT(*(u32 *)phys_to_virt(pa) == i + 1);
	}
}

static void rights(void)
{
	struct aspace *as = with_reserve();
	u64 pa;

	EXPECT(!pmem_alloc(2 * SZ_2M, SZ_2M, PMEM_USER, &pa));
	EXPECT(!aspace_add_region(as, SZ_1G, SZ_2M, ASPACE_READ | ASPACE_EXEC,
				  "text"));
	EXPECT(!aspace_map_pmem(as, pa, SZ_1G, SZ_2M));
	EXPECT(!aspace_add_region(as, SZ_1G + SZ_2M, SZ_2M, RW, "data"));
	EXPECT(aspace_rights(as, SZ_1G, SZ_1G + 2 * SZ_2M, 0) == -ENOMEM);
	EXPECT(!aspace_map_pmem(as, pa + SZ_2M, SZ_1G + SZ_2M, SZ_2M));
	EXPECT(!aspace_rights(as, SZ_1G, SZ_1G + 2 * SZ_2M, 0));
	EXPECT(!aspace_rights(as, SZ_1G + SZ_2M, SZ_1G + 2 * SZ_2M,
			      ASPACE_WRITE));
	EXPECT(aspace_rights(as, SZ_1G, SZ_1G + 2 * SZ_2M, ASPACE_WRITE) ==
	       -EACCES);
	EXPECT(aspace_rights(as, SZ_1G + SZ_2M, SZ_1G + 2 * SZ_2M,
			     ASPACE_EXEC) == -EACCES);
	EXPECT(aspace_rights(as, SZ_1G, SZ_1G + 3 * SZ_2M, 0) == -ENOMEM);
	EXPECT(aspace_rights(as, 0, PAGE_SIZE, 0) == -ENOMEM);
}

int main(void)
{
	RUN(pmem_bad_arguments);
	RUN(pmem_random);
	RUN(pages_of_all_sizes);
	RUN(smaller_pages_only);
	RUN(regions);
	RUN(binding);
	RUN(smartmap);
	RUN(smartmap_used);
	RUN(heap);
	RUN(heap_of_holes);
	RUN(reserve);
	RUN(reserve_sparse);
	RUN(reserve_too_much);
	RUN(reserve_random);
	RUN(rights);
	RUN(out_of_memory);
	RUN(page_tables_in_turns);
	return fake_end();
}
