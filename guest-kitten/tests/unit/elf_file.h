/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A good program for the tests and the fuzzer of the ELF loader, which spoil it.
 */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <kitten/lib.h>

#include <linux/elf.h>

#define FILE_SIZE	0x3000
#define TEXT		0x400000
#define DATA		0x402000

/* The start of the file. */
struct elf_headers {
	Elf64_Ehdr head;
	Elf64_Phdr phdr[4];
};

/*
 * A text segment, and a data segment that is longer in memory: @memsz. For the
 * addresses above, or linked for address 0 if @pie.
 */
static inline void elf_file_make(u8 *file, bool pie, u64 memsz)
{
	struct elf_headers *elf = (void *)file;
	u64 base = pie ? 0 : TEXT;

	memset(file, 0xab, FILE_SIZE);
	memset(elf, 0, sizeof(*elf));
	memcpy(elf->head.e_ident, ELFMAG, SELFMAG);
	elf->head.e_ident[EI_CLASS] = ELFCLASS64;
	elf->head.e_ident[EI_DATA] = ELFDATA2LSB;
	elf->head.e_type = pie ? ET_DYN : ET_EXEC;
	elf->head.e_machine = EM_X86_64;
	elf->head.e_entry = base + 0x500;
	elf->head.e_phoff = sizeof(elf->head);
	elf->head.e_phentsize = sizeof(Elf64_Phdr);
	elf->head.e_phnum = 3;
	elf->phdr[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = base,
		.p_filesz = 0x1100, .p_memsz = 0x1100,
	};
	elf->phdr[1] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1200,
		.p_vaddr = base + DATA - TEXT + 0x200, .p_filesz = 0x900, .p_memsz = memsz,
	};
	elf->phdr[2].p_type = PT_NOTE;
}

#endif /* ELF_FILE_H */
