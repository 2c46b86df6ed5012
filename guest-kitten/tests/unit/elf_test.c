// SPDX-License-Identifier: GPL-2.0
/*
 * The ELF loader: a good program, every way to be a bad one, and noise.
 */
#include "fake.h"

#include "elf_file.h"

static struct elf_headers *elf;
static u8 *file;

static int from_memory(const struct elf_source *src, u64 offset, void *dst,
		       u64 n)
{
	if (offset > FILE_SIZE || n > FILE_SIZE - offset)
		abort();
	memcpy(dst, (u8 *)src->base + offset, n);
	return 0;
}

static int fails(const struct elf_source *src, u64 offset, void *dst, u64 n)
{
	(void)src;
	(void)dst;
	return offset + n > 0x1800 ? -EFAULT : from_memory(src, offset, dst, n);
}

static void make_good(void)
{
	elf_file_make(file, false, 0x5000);
}

static int load(u64 size, struct elf_info *info, struct aspace **as)
{
	struct elf_source src = {
		.read = from_memory, .base = (u64)file, .size = size,
	};

	EXPECT(!aspace_create("elf", as));
	return elf_load(*as, &src, info);
}

/* Loads and takes apart again: nothing may be left. */
static int try(u64 size)
{
	u64 before = pmem_total(PMEM_FREE);
	struct elf_info info;
	struct aspace *as;
	int ret = load(size, &info, &as);

	EXPECT(!aspace_destroy(as));
	EXPECT(pmem_total(PMEM_FREE) == before);
	return ret;
}

static void good(void)
{
	struct elf_info info;
	struct aspace *as;
	u8 *p;

	fake_reset();
	make_good();
	EXPECT(!load(FILE_SIZE, &info, &as));
	EXPECT(info.entry == TEXT + 0x500 && info.phnum == 3);
	EXPECT(info.phdr == TEXT + sizeof(elf->head));
	EXPECT(info.end == DATA + 0x5200);
	EXPECT(!memcmp(phys_to_virt(aspace_translate(as, TEXT)), file, 0x1000));
	EXPECT(!(pt_walk(as->root, TEXT, NULL) & (PT_WRITE | PT_NX)));
	EXPECT(pt_walk(as->root, DATA, NULL) & PT_WRITE);
	EXPECT(pt_walk(as->root, DATA, NULL) & PT_NX);
	p = phys_to_virt(aspace_translate(as, DATA));
	EXPECT(!p[0x1ff] && p[0x200] == 0xab && p[0xaff] == 0xab && !p[0xb00]);
	EXPECT(!*(u8 *)phys_to_virt(aspace_translate(as, DATA + 0x5fff)));
	EXPECT(!aspace_translate(as, DATA + 0x6000));
}

/* One that relocates itself: linked for address 0, and loaded elsewhere. */
static void make_pie(void)
{
	elf_file_make(file, true, 0x5000);
	elf->phdr[2].p_type = PT_DYNAMIC;
}

static void pie(void)
{
	struct elf_info info;
	struct aspace *as;
	u8 *p;

	fake_reset();
	make_pie();
	EXPECT(!load(FILE_SIZE, &info, &as));
	EXPECT(info.entry == PIE_BASE + 0x500 && info.phnum == 3);
	EXPECT(info.phdr == PIE_BASE + sizeof(elf->head));
	EXPECT(info.end == PIE_BASE + DATA - TEXT + 0x5200);
	EXPECT(!memcmp(phys_to_virt(aspace_translate(as, PIE_BASE)), file,
		       0x1000));
	p = phys_to_virt(aspace_translate(as, PIE_BASE + DATA - TEXT));
	EXPECT(!p[0x1ff] && p[0x200] == 0xab && !p[0xb00]);
	EXPECT(!aspace_translate(as, TEXT));
}

static void bad_pie(void)
{
	fake_reset();
	make_pie();
	elf->phdr[2].p_type = PT_INTERP;
	EXPECT(try(FILE_SIZE) == -ELIBACC);
	make_pie();
	elf->head.e_entry = PIE_BASE + 0x500;
	EXPECT(try(FILE_SIZE) == -ENOEXEC);
	make_pie();
	elf->phdr[1].p_vaddr = -PIE_BASE + TEXT;
	EXPECT(try(FILE_SIZE) == -ENOEXEC);
	make_pie();
	elf->phdr[1].p_memsz = USER_SLOT_SIZE - PIE_BASE;
	EXPECT(try(FILE_SIZE) == -ENOEXEC);
	make_pie();
	elf->phdr[1].p_vaddr = USER_SLOT_SIZE - PIE_BASE + 0x200;
	EXPECT(try(FILE_SIZE) == -ENOEXEC);
	/* One for a fixed address may have that, too: nobody needs it. */
	make_good();
	elf->phdr[2].p_type = PT_DYNAMIC;
	EXPECT(!try(FILE_SIZE));
}

#define BAD(change)							\
	do {								\
		make_good();						\
		change;							\
		EXPECT(try(FILE_SIZE));					\
	} while (0)

static void bad_headers(void)
{
	fake_reset();
	BAD(elf->head.e_ident[0] = 0);
	BAD(elf->head.e_ident[EI_CLASS] = ELFCLASS32);
	BAD(elf->head.e_ident[EI_DATA] = ELFDATA2MSB);
	BAD(elf->head.e_type = ET_CORE);
	BAD(elf->head.e_type = ET_REL);
	BAD(elf->head.e_machine = EM_386);
	BAD(elf->head.e_phentsize = 0);
	BAD(elf->head.e_phnum = 0);
	BAD(elf->head.e_phnum = 17);
	BAD(elf->head.e_phnum = 0xffff);
	BAD(elf->head.e_phoff = FILE_SIZE);
	BAD(elf->head.e_phoff = ~0ULL);
	BAD(elf->head.e_phoff = FILE_SIZE - 10);
	BAD(elf->head.e_entry = 0);
	BAD(elf->head.e_entry = DATA + 0x200);
	BAD(elf->head.e_entry = LINEAR_BASE);
	BAD(elf->head.e_entry = TEXT + 0x1100);
}

static void bad_segments(void)
{
	fake_reset();
	BAD(elf->phdr[0].p_vaddr = 0);
	BAD(elf->phdr[0].p_vaddr = LINEAR_BASE);
	BAD(elf->phdr[0].p_vaddr = ~0ULL << 12);
	BAD(elf->phdr[0].p_vaddr = USER_SLOT_SIZE);
	BAD(elf->phdr[0].p_vaddr = USER_SLOT_SIZE - PAGE_SIZE);
	BAD(elf->phdr[0].p_vaddr += 0x10);		/* not like the offset */
	BAD(elf->phdr[0].p_memsz = 0x1000);		/* less than in the file */
	BAD(elf->phdr[0].p_memsz = ~0ULL);
	BAD(elf->phdr[0].p_memsz = USER_SLOT_SIZE - TEXT);
	BAD(elf->phdr[0].p_filesz = ~0ULL);
	BAD(elf->phdr[0].p_filesz = FILE_SIZE + 1;
	    elf->phdr[0].p_memsz = FILE_SIZE + 1);
	BAD(elf->phdr[1].p_offset = ~0xfffULL + 0x200);
	BAD(elf->phdr[1].p_offset = FILE_SIZE + 0x200);
	BAD(elf->phdr[1].p_vaddr = TEXT + 0x200);	/* overlaps */
	BAD(elf->phdr[1].p_vaddr = TEXT + 0x1200);	/* on the same page */
	BAD(elf->phdr[1].p_flags |= PF_X);		/* to write and execute */
	BAD(elf->phdr[0].p_flags = PF_R);		/* entry not executable */
	BAD(elf->phdr[2].p_type = PT_INTERP);
	BAD(elf->phdr[0].p_type = PT_NULL);
	BAD(elf->phdr[1].p_memsz = 1ULL << 38);		/* more than there is */
}

static void truncated(void)
{
	fake_reset();
	make_good();
	for (u64 size = 0; size < 0x1b00; size++)
		EXPECT(try(size));
	EXPECT(!try(0x1b00));
}

static void unreadable(void)
{
	struct elf_source src = {
		.read = fails, .base = (u64)file, .size = FILE_SIZE,
	};
	u64 before;
	struct elf_info info;
	struct aspace *as;

	fake_reset();
	make_good();
	before = pmem_total(PMEM_FREE);
	EXPECT(!aspace_create("elf", &as));
	EXPECT(elf_load(as, &src, &info) == -EFAULT);
	EXPECT(!aspace_destroy(as));
	EXPECT(pmem_total(PMEM_FREE) == before);
}

/* Whatever the headers say, the loader says yes or no. */
static void noise(void)
{
	u32 loaded = 0;

	fake_reset();
	for (u32 i = 0; i < 30000; i++) {
		u32 changes = 1 + fake_random() % 3;

		make_good();
		while (changes--)
			((u8 *)elf)[fake_random() % sizeof(*elf)] =
				fake_random();
		loaded += !try(FILE_SIZE);
		if (fake_failures)
			break;
	}
	EXPECT(loaded > 100 && loaded < 29000);
}

int main(void)
{
	file = aligned_alloc(8, FILE_SIZE);
	if (!file)
		return 1;
	elf = (void *)file;
	RUN(good);
	RUN(pie);
	RUN(bad_pie);
	RUN(bad_headers);
	RUN(bad_segments);
	RUN(truncated);
	RUN(unreadable);
	RUN(noise);
	free(file);
	return fake_end();
}
