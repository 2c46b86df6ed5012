// SPDX-License-Identifier: GPL-2.0
/*
 * The ELF loader. The input chooses what is wrong with the headers of a good program, and
 * what changes in the file between two reads of it, which another thread can do.
 *
 * The oracle: the loader says yes or no, and gives all memory back; what it has loaded is
 * inside of the program's part of the address space, not to write and execute at once,
 * starts at an executable address, and is 0 where the file has nothing.
 */
#include <fuzz.h>

#include "fake.h"

#include "elf_file.h"

#define OLD	0x55	/* what memory has before the program, and no file has */

static u8 *file;
static bool read_fails;

static void spoil(void)
{
	struct elf_headers *elf = (void *)file;
	u8 at = fuzz_byte(), size = 1 << fuzz_byte() % 4;
	u64 v;

	/* Aligned, and mostly a whole field. */
	at = (u64)at * sizeof(*elf) / 256 / size * size;
	memcpy(&v, file + at, size);
	v = fuzz_other(v, size);
	memcpy(file + at, &v, size);
	for (u8 *p = file; p < file + sizeof(*elf); p++)
		if (*p == OLD)
			*p = 0;
}

static int read_file(const struct elf_source *src, u64 offset, void *dst, u64 n)
{
	u8 what = fuzz_byte();

	MUST(offset <= src->size && n <= src->size - offset);
	if (what == 1) {
		spoil();
	} else if (what == 2) {
		read_fails = true;
		return -EFAULT;
	}
	memcpy(dst, (u8 *)src->base + offset, n);
	return 0;
}

static void check_page(struct aspace *as, u64 va)
{
	u64 pte = pt_walk(as->root, va, NULL);

	MUST(!(pte & PT_WRITE) || pte & PT_NX);
	for (const u8 *p = phys_to_virt(aspace_translate(as, va)), *end = p + PAGE_SIZE;
	     p < end; p++)
		MUST(*p != OLD);
}

static void check_loaded(struct aspace *as, const struct elf_info *info)
{
	MUST(info->entry >= USER_MIN && info->entry < USER_SLOT_SIZE);
	MUST(info->end > info->entry && info->end <= USER_SLOT_SIZE);
	MUST(info->phnum && info->phnum <= 16);
	MUST(aspace_translate(as, info->entry));
	MUST(!(pt_walk(as->root, info->entry, NULL) & PT_NX));
	if (info->phdr)
		MUST(aspace_translate(as, info->phdr));
	for (u64 va = TEXT; va < TEXT + 16 * PAGE_SIZE; va += PAGE_SIZE)
		if (aspace_translate(as, va))
			check_page(as, va);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_source src = { .read = read_file, .size = FILE_SIZE };
	struct elf_info info;
	struct aspace *as;
	u64 before, pa;
	int ret;

	if (!file) {
		fake_reset();
		file = malloc(FILE_SIZE);
	}
	fuzz_begin(data, size);
	elf_file_make(file, fuzz_byte() & 1, 0x1100);
	src.base = (u64)file;
	src.size -= fuzz_bytes(2) % FILE_SIZE;
	read_fails = false;
	for (u8 n = fuzz_byte() % 8; n; n--)
		spoil();

	before = pmem_total(PMEM_FREE);
	/* The first that is free is the first to be given out. */
	MUST(!pmem_alloc(64 * PAGE_SIZE, PAGE_SIZE, PMEM_USER, &pa));
	memset(phys_to_virt(pa), OLD, 64 * PAGE_SIZE);
	pmem_free(pa, 64 * PAGE_SIZE, PMEM_USER);
	MUST(!aspace_create("elf", &as));
	ret = elf_load(as, &src, &info);
	if (!ret)
		check_loaded(as, &info);
	else
		MUST(ret == -ELIBACC || ret == -ENOEXEC || ret == -ENOMEM ||
		     (ret == -EFAULT && read_fails));
	MUST(!aspace_destroy(as));
	MUST(pmem_total(PMEM_FREE) == before);
	return 0;
}
