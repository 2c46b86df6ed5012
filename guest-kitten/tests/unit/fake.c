// SPDX-License-Identifier: GPL-2.0
/*
 * What the tested files need from the rest of the kernel.
 */
#include "fake.h"

#include <ktap.h>

unsigned int fake_failures;
unsigned int fake_flushes;
struct boot_info boot_info;

static u8 *memory;
static u64 *kernel_table;
static u64 seed = 88172645463325252ULL;

void *phys_to_virt(u64 pa)
{
	if (pa < FAKE_START || pa >= FAKE_START + FAKE_SIZE) {
		printf("# physical address %#llx\n", (unsigned long long)pa);
		abort();
	}
	return memory + (pa - FAKE_START);
}

u64 virt_to_phys(const void *va)
{
	return (u64)((const u8 *)va - memory) + FAKE_START;
}

bool linear_covers(u64 pa, u64 size)
{
	return pa >= FAKE_START && pa + size >= pa &&
	       pa + size <= FAKE_START + FAKE_SIZE;
}

u64 kernel_root(void)
{
	return virt_to_phys(kernel_table);
}

u64 pt_max_page(void)
{
	return SZ_1G;
}

/* The scheduler has its own. */
__attribute__((weak)) void flush_all_cpus(void)
{
	fake_flushes++;
}

void panic(const char *fmt, ...)
{
	printf("# panic: %s\n", fmt);
	abort();
}

void copy_name(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size - 1);

	memset(dst, 0, size);
	memcpy(dst, src, n);
}

void fake_reset(void)
{
	for (u32 i = 1; i <= MAX_ASPACES; i++) {
		struct aspace *as = aspace_find(i);

		if (as) {
			as->nr_tasks = 0;
			aspace_destroy(as);
		}
	}
	if (!memory)
		memory = aligned_alloc(SZ_2M, FAKE_SIZE);
	if (!memory || pmem_add(FAKE_START, FAKE_START + FAKE_SIZE, PMEM_FREE))
		abort();
	kernel_table = kpage_alloc();
	for (u32 i = 256; i < 512; i++)
		kernel_table[i] = i << 12 | PT_PRESENT;
}

u64 fake_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

void fake_result(const char *name)
{
	ktap(!fake_failures, "%s", name);
	fake_failures = 0;
}

int fake_end(void)
{
	free(memory);
	return ktap_end();
}
