// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a program: 64-bit ELF, statically linked, at the addresses that it
 * was linked for; or one that relocates itself (static-pie), at PIE_BASE.
 *
 * The headers are copied once and then checked, so that nobody changes them
 * in between.
 */
#include <kitten/lib.h>
#include <kitten/task.h>

#include <linux/elf.h>

#define MAX_PHDRS	16
#define CHUNK		65536ULL

struct image {
	Elf64_Ehdr head;
	Elf64_Phdr phdr[MAX_PHDRS];
};

static int read_at(const struct elf_source *src, u64 offset, void *dst, u64 n)
{
	if (offset > src->size || n > src->size - offset)
		return -ENOEXEC;
	return src->read(src, offset, dst, n);
}

static int read_headers(const struct elf_source *src, struct image *im)
{
	const Elf64_Ehdr *h = &im->head;
	int ret;

	ret = read_at(src, 0, &im->head, sizeof(im->head));
	if (ret)
		return ret;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (h->e_type != ET_EXEC && h->e_type != ET_DYN) || h->e_machine != EM_X86_64 ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum ||
	    h->e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	return read_at(src, h->e_phoff, im->phdr,
		       h->e_phnum * sizeof(im->phdr[0]));
}

/* Where a program is that does not mind. Its own addresses start at 0. */
static u64 base_of(const struct image *im)
{
	return im->head.e_type == ET_DYN ? PIE_BASE : 0;
}

static bool segment_ok(const Elf64_Phdr *p, u64 base, u64 file_size)
{
	return p->p_filesz <= p->p_memsz && p->p_memsz &&
	       p->p_offset <= file_size &&
	       p->p_filesz <= file_size - p->p_offset &&
	       base + p->p_vaddr >= USER_MIN && p->p_vaddr < USER_SLOT_SIZE &&
	       p->p_memsz <= USER_SLOT_SIZE - p->p_vaddr - base &&
	       p->p_vaddr % PAGE_SIZE == p->p_offset % PAGE_SIZE;
}

static u32 region_flags(const Elf64_Phdr *p)
{
	return ASPACE_OWNED | (p->p_flags & PF_R ? ASPACE_READ : 0) |
	       (p->p_flags & PF_W ? ASPACE_WRITE : 0) |
	       (p->p_flags & PF_X ? ASPACE_EXEC : 0);
}

/* The memory is new: through the linear mapping it can be written. */
static int fill(const struct elf_source *src, const Elf64_Phdr *p, u8 *dst,
		u64 size)
{
	u64 lead = p->p_vaddr % PAGE_SIZE;
	int ret;

	memset(dst, 0, lead);
	for (u64 at = 0, n; at < p->p_filesz; at += n) {
		n = min_u64(CHUNK, p->p_filesz - at);
		ret = read_at(src, p->p_offset + at, dst + lead + at, n);
		if (ret)
			return ret;
	}
	memset(dst + lead + p->p_filesz, 0, size - lead - p->p_filesz);
	return 0;
}

static int load_segment(struct aspace *as, const struct elf_source *src,
			const Elf64_Phdr *p, u64 base)
{
	u64 start = base + ALIGN_DOWN(p->p_vaddr, PAGE_SIZE);
	u64 end = ALIGN_UP(base + p->p_vaddr + p->p_memsz, PAGE_SIZE);
	u64 size = end - start, pa;
	int ret;

	ret = aspace_add_region(as, start, size, region_flags(p), "image");
	if (ret)
		return -ENOEXEC;
	ret = pmem_alloc(size, PAGE_SIZE, PMEM_USER, &pa);
	if (ret)
		return -ENOMEM;
	ret = fill(src, p, phys_to_virt(pa), size);
	if (!ret)
		ret = aspace_map_pmem(as, pa, start, size);
	if (ret)
		pmem_free(pa, size, PMEM_USER);
	return ret;
}

static bool inside(const Elf64_Phdr *p, u64 va)
{
	return va >= p->p_vaddr && va - p->p_vaddr < p->p_memsz;
}

static int load_all(struct aspace *as, const struct elf_source *src,
		    const struct image *im, struct elf_info *info)
{
	u64 base = base_of(im);
	bool entry_ok = false;
	int ret;

	for (u32 i = 0; i < im->head.e_phnum; i++) {
		const Elf64_Phdr *p = &im->phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (!segment_ok(p, base, src->size))
			return -ENOEXEC;
		ret = load_segment(as, src, p, base);
		if (ret)
			return ret;
		info->end = max_u64(info->end,
				    base + p->p_vaddr + p->p_memsz);
		if (p->p_flags & PF_X && inside(p, im->head.e_entry))
			entry_ok = true;
		if (im->head.e_phoff >= p->p_offset &&
		    im->head.e_phoff - p->p_offset < p->p_filesz)
			info->phdr = base + p->p_vaddr +
				     (im->head.e_phoff - p->p_offset);
	}
	if (!entry_ok)
		return -ENOEXEC;
	info->entry = base + im->head.e_entry;
	info->phnum = im->head.e_phnum;
	return 0;
}

int elf_load(struct aspace *as, const struct elf_source *src,
	     struct elf_info *info)
{
	struct image im;
	int ret;

	memset(info, 0, sizeof(*info));
	ret = read_headers(src, &im);
	if (ret)
		return ret;
	/* Nobody is here who would link it. */
	for (u32 i = 0; i < im.head.e_phnum; i++) {
		if (im.phdr[i].p_type == PT_INTERP)
			return -ELIBACC;
	}
	return load_all(as, src, &im, info);
}
