// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables of four levels.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

#define ENTRIES		512
#define TOP_SHIFT	39
#define LARGE_SHIFT	21

static unsigned int slot_of(u64 va, unsigned int shift)
{
	return va >> shift & (ENTRIES - 1);
}

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & PT_ADDR);
}

/* The table below an entry, made if it is not there. */
static u64 *get_table(u64 *entry, u64 flags)
{
	u64 *table;

	if (*entry & PT_PRESENT) {
		/* Not below a large page. */
		return *entry & PT_LARGE ? NULL : table_of(*entry);
	}
	table = kpage_alloc();
	if (table)
		*entry = virt_to_phys(table) | PT_PRESENT | PT_WRITE |
			 (flags & PT_USER);
	return table;
}

static int map_one(u64 *root, u64 va, u64 pa, u64 flags, unsigned int shift)
{
	u64 *table = root, *entry;

	for (unsigned int s = TOP_SHIFT; s > shift; s -= 9) {
		entry = &table[slot_of(va, s)];
		if (*entry & PT_PRESENT && *entry & PT_LARGE)
			return -EEXIST;
		table = get_table(entry, flags);
		if (!table)
			return -ENOMEM;
	}
	entry = &table[slot_of(va, shift)];
	if (*entry)
		return -EEXIST;
	*entry = pa | flags | PT_PRESENT | (shift > PAGE_SHIFT ? PT_LARGE : 0);
	return 0;
}

int pt_map(u64 *root, u64 va, u64 pa, u64 size, u64 flags, u64 max_page)
{
	if (!IS_ALIGNED(va | pa | size, PAGE_SIZE) || va + size < va ||
	    pa + size < pa || (pa + size) & ~(PT_ADDR | (PAGE_SIZE - 1)))
		return -EINVAL;

	while (size) {
		unsigned int shift = 30;
		int ret;

		while (shift > PAGE_SHIFT &&
		       ((1ULL << shift) > max_page || (1ULL << shift) > size ||
			!IS_ALIGNED(va | pa, 1ULL << shift)))
			shift -= 9;
		ret = map_one(root, va, pa, flags, shift);
		if (ret)
			return ret;
		va += 1ULL << shift;
		pa += 1ULL << shift;
		size -= 1ULL << shift;
	}
	return 0;
}

u64 pt_walk(const u64 *root, u64 va, u64 *page)
{
	const u64 *table = root;

	for (unsigned int s = TOP_SHIFT; ; s -= 9) {
		u64 entry = table[slot_of(va, s)];
		u64 mask = (1ULL << s) - 1;

		if (!(entry & PT_PRESENT))
			return 0;
		if (s == PAGE_SHIFT || (s < TOP_SHIFT && entry & PT_LARGE)) {
			if (page)
				*page = 1ULL << s;
			return (entry & ~(PT_ADDR & mask)) |
			       (va & mask & PAGE_MASK);
		}
		table = table_of(entry);
	}
}

static void free_table(u64 *table, unsigned int shift)
{
	for (unsigned int i = 0; shift > PAGE_SHIFT && i < ENTRIES; i++) {
		if (table[i] & PT_PRESENT && !(table[i] & PT_LARGE))
			free_table(table_of(table[i]), shift - 9);
	}
	kpage_free(table);
}

void pt_free(u64 *root, unsigned int slot)
{
	if (root[slot] & PT_PRESENT)
		free_table(table_of(root[slot]), TOP_SHIFT - 9);
	root[slot] = 0;
}

void pt_unmap_page(u64 *root, u64 va)
{
	u64 *table = root;

	for (unsigned int s = TOP_SHIFT; s > PAGE_SHIFT; s -= 9) {
		u64 entry = table[slot_of(va, s)];

		if (!(entry & PT_PRESENT) || entry & PT_LARGE)
			return;
		table = table_of(entry);
	}
	table[slot_of(va, PAGE_SHIFT)] = 0;
}

/* An entry for 2 MiB whose table is out of use, and still to be given back. */
#define PT_CUT		(1ULL << 9)

static bool is_empty(const u64 *table)
{
	for (u32 i = 0; i < ENTRIES; i++) {
		if (table[i])
			return false;
	}
	return true;
}

static void cut_empty(u64 *entry)
{
	if (*entry & PT_PRESENT && !(*entry & PT_LARGE) &&
	    is_empty(table_of(*entry)))
		*entry = (*entry & PT_ADDR) | PT_CUT;
}

static void free_cut(u64 *entry)
{
	if (!(*entry & PT_CUT) || *entry & PT_PRESENT)
		return;
	kpage_free(table_of(*entry));
	*entry = 0;
}

/* Calls @fn for the entry of each 2 MiB that there is. */
static void for_each_2m(u64 *root, u64 start, u64 end, void (*fn)(u64 *entry))
{
	for (u64 va = ALIGN_DOWN(start, SZ_2M); va < end; ) {
		u64 *table = root;
		unsigned int s = TOP_SHIFT;

		for (; s > LARGE_SHIFT; s -= 9) {
			u64 entry = table[slot_of(va, s)];

			if (!(entry & PT_PRESENT) || entry & PT_LARGE)
				break;
			table = table_of(entry);
		}
		if (s == LARGE_SHIFT)
			fn(&table[slot_of(va, s)]);
		/* What is not there is passed over as a whole. */
		va = ALIGN_DOWN(va, 1ULL << s) + (1ULL << s);
	}
}

void pt_cut_empty(u64 *root, u64 start, u64 end)
{
	for_each_2m(root, start, end, cut_empty);
}

void pt_free_cut(u64 *root, u64 start, u64 end)
{
	for_each_2m(root, start, end, free_cut);
}
