/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the boot loader has told, kept after its memory is used for other
 * things.
 */
#ifndef KITTEN_BOOT_H
#define KITTEN_BOOT_H

#include <kitten/types.h>

#define MAX_MEMMAP	64

struct memmap_entry {
	u64 start;
	u64 end;
	bool ram;
};

/**
 * struct boot_info - from the PVH start information
 * @cmdline: command line
 * @rsdp: physical address of the ACPI tables, or 0
 * @archive: physical address of the initial archive
 * @archive_size: its size, 0 if there is none
 * @nr_memmap: entries in @memmap
 * @memmap: physical memory
 */
struct boot_info {
	char cmdline[512];
	u64 rsdp;
	u64 archive;
	u64 archive_size;
	u32 nr_memmap;
	struct memmap_entry memmap[MAX_MEMMAP];
};

extern struct boot_info boot_info;

/* Does the command line have this word? */
bool boot_option(const char *word);

#endif /* KITTEN_BOOT_H */
