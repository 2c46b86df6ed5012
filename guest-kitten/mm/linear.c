// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own addresses: all memory linear, the image with its rights,
 * and single pages of devices.
 */
#include <kitten/boot.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

#define LOW_MEMORY	0x100000ULL
#define FOUR_GB		(4ULL << 30)
#define VMAP_PAGES	128

extern char image_start[], rodata_start[], data_start[], image_end[];
extern u64 boot_pml4[];

/* The two parts of RAM: below the devices and above 4 GiB. */
static u64 low_end, high_end;
static u64 *root;
static bool vmap_used[VMAP_PAGES];

u64 pt_max_page(void)
{
	return cpu_has.pdpe1gb ? SZ_1G : SZ_2M;
}

u64 kernel_root(void)
{
	return virt_to_phys(root);
}

bool linear_covers(u64 pa, u64 size)
{
	u64 end = pa + size;

	if (end < pa)
		return false;
	return end <= low_end || (pa >= FOUR_GB && end <= high_end);
}

static u64 image_pa(const char *symbol)
{
	return (u64)symbol - IMAGE_BASE;
}

/*
 * Large pages for what the boot loader calls RAM, and what lies between and
 * up to the next 2 MiB: there firmware keeps its tables.
 */
static void find_ram(void)
{
	for (u32 i = 0; i < boot_info.nr_memmap; i++) {
		const struct memmap_entry *m = &boot_info.memmap[i];

		if (!m->ram)
			continue;
		kprintf("memory %#011llx-%#011llx\n", m->start, m->end);
		if (m->start < FOUR_GB)
			low_end = max_u64(low_end, min_u64(m->end, FOUR_GB));
		if (m->end > FOUR_GB)
			high_end = max_u64(high_end, m->end);
	}
	low_end = ALIGN_UP(low_end, SZ_2M);
	high_end = ALIGN_UP(high_end, SZ_2M);
}

/* All but low memory, the image and the archive is free. */
static void add_pmem(void)
{
	u64 archive_end = ALIGN_UP(boot_info.archive + boot_info.archive_size,
				   PAGE_SIZE);
	int ret = 0;

	for (u32 i = 0; i < boot_info.nr_memmap; i++) {
		const struct memmap_entry *m = &boot_info.memmap[i];
		u64 start = ALIGN_UP(max_u64(m->start, LOW_MEMORY), PAGE_SIZE);
		u64 end = ALIGN_DOWN(m->end, PAGE_SIZE);

		/* The linear mapping has LINEAR_SLOTS, far more than exists. */
		if (m->ram && start < end)
			ret |= pmem_add(start, end, PMEM_FREE);
	}
	ret |= pmem_add(image_pa(image_start), image_pa(image_end),
			PMEM_KERNEL);
	if (boot_info.archive_size)
		ret |= pmem_add(ALIGN_DOWN(boot_info.archive, PAGE_SIZE),
				archive_end, PMEM_ARCHIVE);
	if (ret)
		panic("memory map with too many parts");
}

static void map_image(const char *from, const char *to, u64 flags)
{
	BUG_ON(pt_map(root, (u64)from, image_pa(from), to - from, flags,
		      PAGE_SIZE));
}

static void map_linear(u64 from, u64 to)
{
	BUG_ON(pt_map(root, LINEAR_BASE + from, from, to - from,
		      PT_WRITE | PT_NX | PT_GLOBAL,
		      pt_max_page()));
}

void mm_init(void)
{
	find_ram();
	add_pmem();

	root = kpage_alloc();
	BUG_ON(!root);
	map_linear(0, low_end);
	if (high_end)
		map_linear(FOUR_GB, high_end);
	map_image(image_start, rodata_start, PT_GLOBAL);
	map_image(rodata_start, data_start, PT_GLOBAL | PT_NX);
	map_image(data_start, image_end, PT_GLOBAL | PT_NX | PT_WRITE);
	/*
	 * Address spaces copy the upper half of this table: every entry that
	 * will ever be used is made now.
	 */
	root[VMAP_SLOT] = virt_to_phys(kpage_alloc()) | PT_PRESENT | PT_WRITE;
	write_cr3(kernel_root());
	kprintf("%llu MiB free, linear in pages of %s\n",
		pmem_total(PMEM_FREE) >> 20, cpu_has.pdpe1gb ? "1 GiB" :
		"2 MiB");
}

void *vmap(u64 pa, u64 flags)
{
	u64 va;

	for (u32 i = 0; i < VMAP_PAGES; i++) {
		if (vmap_used[i])
			continue;
		va = VMAP_BASE + i * PAGE_SIZE;
		if (pt_map(root, va, ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE,
			   flags | PT_WRITE | PT_NX, PAGE_SIZE))
			return NULL;
		vmap_used[i] = true;
		return (void *)(va + (pa & (PAGE_SIZE - 1)));
	}
	return NULL;
}

void vunmap(void *va)
{
	u64 page = ALIGN_DOWN((u64)va, PAGE_SIZE);

	pt_unmap_page(root, page);
	asm volatile("invlpg (%0)" :: "r" (page) : "memory");
	/* Used by nobody else: another CPU can have it cached, not use it. */
	vmap_used[(page - VMAP_BASE) / PAGE_SIZE] = false;
}
