// SPDX-License-Identifier: GPL-2.0
/*
 * modfile.c and a hostile file: a good module's headers and .modinfo, of which the input
 * changes any fields, and how much of it is there.
 *
 * The oracle: the sanitizers see no byte read that is not the file's; what comes of a file
 * that is taken is a name, a vermagic and a list of names, each of which ends.
 */
#include <fuzz.h>

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

#include <modfile.h>

#define NAMES	"\0.modinfo\0.shstrtab\0"
#define INFO	"license=GPL\0depends=a,b-c\0name=nvme\0vermagic=6.12 SMP \0"

struct file {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[3];
	char names[sizeof(NAMES)];
	char info[sizeof(INFO)];
};

static const struct file good = {
	.eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_REL, .e_machine = EM_X86_64, .e_shoff = offsetof(struct file, sh),
		.e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3, .e_shstrndx = 2,
	},
	.sh = {
		[1] = { .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_size = sizeof(INFO),
			.sh_offset = offsetof(struct file, info) },
		[2] = { .sh_name = 10, .sh_type = SHT_STRTAB, .sh_size = sizeof(NAMES),
			.sh_offset = offsetof(struct file, names) },
	},
	.names = NAMES,
	.info = INFO,
};

/* A field of @size bytes becomes another one. */
static void change(struct file *file, size_t at, size_t size)
{
	uint64_t value = 0;

	if (at > sizeof(*file) - size)
		return;
	memcpy(&value, (char *)file + at, size);
	value = fuzz_other(value, size);
	memcpy((char *)file + at, &value, size);
}

static bool name_good(const char *name, const char *more)
{
	static const char common[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	for (; *name; name++)
		if (!strchr(common, *name) && !strchr(more, *name))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct modfile mod = { .size = sizeof(struct file) };
	char error[MODFILE_ERROR] = "";
	struct file file = good;
	unsigned int n;
	bool ok;

	fuzz_begin(data, size);
	n = fuzz_byte() % 8;
	if (fuzz_byte())
		mod.size = fuzz_bytes(2) % (sizeof(file) + 1);
	while (n--) {
		size_t at = fuzz_bytes(2) % sizeof(file);

		change(&file, at, 1 << fuzz_byte() % 4);
	}

	mod.data = malloc(mod.size);
	memcpy(mod.data, &file, mod.size);
	ok = modfile_parse(&mod, error);
	free(mod.data);

	MUST(memchr(error, '\0', sizeof(error)) && ok == !error[0]);
	if (!ok)
		return 0;
	MUST(memchr(mod.name, '\0', sizeof(mod.name)) && mod.name[0] && name_good(mod.name, ""));
	MUST(memchr(mod.vermagic, '\0', sizeof(mod.vermagic)));
	MUST(memchr(mod.depends, '\0', sizeof(mod.depends)) && name_good(mod.depends, ","));
	return 0;
}
