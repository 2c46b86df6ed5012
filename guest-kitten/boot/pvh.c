// SPDX-License-Identifier: GPL-2.0
/*
 * The start information of the PVH boot protocol.
 */
#include <kitten/boot.h>
#include <kitten/lib.h>
#include "boot.h"

#define START_MAGIC	0x336ec578
#define MEMMAP_RAM	1

struct start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modlist;
	u64 cmdline;
	u64 rsdp;
	u64 memmap;
	u32 memmap_entries;
	u32 reserved;
};

struct module {
	u64 start;
	u64 size;
	u64 cmdline;
	u64 reserved;
};

struct memmap {
	u64 start;
	u64 size;
	u32 type;
	u32 reserved;
};

struct boot_info boot_info;

/* The page tables of start.S reach this far; loaders put nothing higher. */
#define EARLY_LIMIT	(4ULL << 30)

static const void *early(u64 pa)
{
	if (!pa || pa >= EARLY_LIMIT)
		return NULL;
	return (const void *)(LINEAR_BASE + pa);
}

void pvh_read(u32 start_info_pa)
{
	const struct start_info *s = early(start_info_pa);
	const struct memmap *m;
	const struct module *mod;
	const char *cmdline;

	if (!s || s->magic != START_MAGIC || s->version < 1)
		panic("no PVH start information with a memory map");

	cmdline = early(s->cmdline);
	if (cmdline)
		copy_name(boot_info.cmdline, cmdline,
			  sizeof(boot_info.cmdline));
	boot_info.rsdp = s->rsdp;

	mod = early(s->modlist);
	if (s->nr_modules && mod) {
		boot_info.archive = mod->start;
		boot_info.archive_size = mod->size;
	}

	m = early(s->memmap);
	for (u32 i = 0; m && i < s->memmap_entries && i < MAX_MEMMAP; i++) {
		struct memmap_entry *e =
			&boot_info.memmap[boot_info.nr_memmap];

		if (!m[i].size || m[i].start + m[i].size < m[i].start)
			continue;
		e->start = m[i].start;
		e->end = m[i].start + m[i].size;
		e->ram = m[i].type == MEMMAP_RAM;
		boot_info.nr_memmap++;
	}
}

bool boot_option(const char *word)
{
	const char *at = boot_info.cmdline;
	size_t n = strlen(word);

	while (*at) {
		size_t len = 0;

		while (*at == ' ')
			at++;
		while (at[len] && at[len] != ' ')
			len++;
		if (len == n && !strncmp(at, word, n))
			return true;
		at += len;
	}
	return false;
}
