// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of modfile.c: modules that say the truth, or lie; what they need; packed
 * files. Hostile files are all prefixes of a good one, and it with any byte changed: what
 * is wrong with them the sanitizers must not have to say.
 */
#include <elf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktap.h>
#include <modfile.h>

#define VERMAGIC	"6.12.0 SMP preempt mod_unload "
#define NAMES		"\0.modinfo\0.shstrtab\0"

/* A module that has nothing but its headers and .modinfo. */
struct file {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[3];
	char names[sizeof(NAMES)];
	char info[512];
};

static struct file file;
static size_t info_len;

static void say(const char *key, const char *value)
{
	info_len += snprintf(file.info + info_len, sizeof(file.info) - info_len, "%s=%s",
			     key, value) + 1;
	file.sh[1].sh_size = info_len;
}

static void good_file(const char *name, const char *depends)
{
	memset(&file, 0, sizeof(file));
	info_len = 0;
	memcpy(file.eh.e_ident, ELFMAG, SELFMAG);
	file.eh.e_ident[EI_CLASS] = ELFCLASS64;
	file.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	file.eh.e_type = ET_REL;
	file.eh.e_machine = EM_X86_64;
	file.eh.e_shoff = offsetof(struct file, sh);
	file.eh.e_shentsize = sizeof(Elf64_Shdr);
	file.eh.e_shnum = 3;
	file.eh.e_shstrndx = 2;
	file.sh[1].sh_name = 1;
	file.sh[1].sh_type = SHT_PROGBITS;
	file.sh[1].sh_offset = offsetof(struct file, info);
	file.sh[2].sh_name = 10;
	file.sh[2].sh_type = SHT_STRTAB;
	file.sh[2].sh_offset = offsetof(struct file, names);
	file.sh[2].sh_size = sizeof(NAMES);
	memcpy(file.names, NAMES, sizeof(NAMES));
	say("license", "GPL");
	say("depends", depends);
	say("name", name);
	say("vermagic", VERMAGIC);
}

/* In memory that ends where it ends, so that a byte too far is seen. */
static bool parse(size_t size, struct modfile *mod, char *error)
{
	bool ok;

	memset(mod, 0, sizeof(*mod));
	mod->data = malloc(size);
	mod->size = size;
	memcpy(mod->data, &file, size);
	ok = modfile_parse(mod, error);
	free(mod->data);
	mod->data = NULL;
	return ok;
}

/* ---- What a module says --------------------------------------------------- */

#define SPOIL(name, code) static void name(void) { code; }

SPOIL(nothing, )
SPOIL(magic, file.eh.e_ident[0] = 0)
SPOIL(class32, file.eh.e_ident[EI_CLASS] = ELFCLASS32)
SPOIL(big_endian, file.eh.e_ident[EI_DATA] = ELFDATA2MSB)
SPOIL(executable, file.eh.e_type = ET_EXEC)
SPOIL(arm, file.eh.e_machine = EM_AARCH64)
SPOIL(entsize, file.eh.e_shentsize = 1)
SPOIL(no_sections, file.eh.e_shnum = 0)
SPOIL(many_sections, file.eh.e_shnum = 0xffff)
SPOIL(shoff_huge, file.eh.e_shoff = ~0ULL - 10)
SPOIL(names_index, file.eh.e_shstrndx = 3)
SPOIL(names_huge, file.sh[2].sh_size = ~0ULL)
SPOIL(names_outside, file.sh[2].sh_offset = sizeof(file) + 1)
SPOIL(names_nobits, file.sh[2].sh_type = SHT_NOBITS)
SPOIL(info_name, file.sh[1].sh_name = ~0U)
SPOIL(info_huge, file.sh[1].sh_size = ~0ULL - file.sh[1].sh_offset + 2)
SPOIL(info_nobits, file.sh[1].sh_type = SHT_NOBITS)
SPOIL(info_open, { memset(file.info, 'x', sizeof(file.info)); file.sh[1].sh_size = 512; })
SPOIL(info_empty, file.sh[1].sh_size = 0)
SPOIL(name_path, { good_file("../x", ""); })
SPOIL(name_empty, { good_file("", ""); })
SPOIL(name_long, { good_file("a23456789012345678901234567890123456789012345678901234567", ""); })
SPOIL(depends_path, { good_file("x", "a,../b"); })

static const struct {
	const char *name;
	void (*spoil)(void);
	bool good;
} files[] = {
	{ "right", nothing, true },
	{ "no ELF file", magic },
	{ "32 bit", class32 },
	{ "big endian", big_endian },
	{ "a program", executable },
	{ "another processor's", arm },
	{ "section headers of another size", entsize },
	{ "no sections", no_sections },
	{ "more sections than there is room for", many_sections },
	{ "section headers at the end of all addresses", shoff_huge },
	{ "names in a section that is not there", names_index },
	{ "huge names", names_huge },
	{ "names outside", names_outside },
	{ "names without content", names_nobits },
	{ "a name outside of the names", info_name },
	{ "huge .modinfo", info_huge },
	{ ".modinfo without content", info_nobits },
	{ ".modinfo without an end", info_open },
	{ "empty .modinfo", info_empty },
	{ "a path for a name", name_path },
	{ "an empty name", name_empty },
	{ "a name that is too long", name_long },
	{ "a path in what it needs", depends_path },
};

static void test_files(void)
{
	char error[MODFILE_ERROR];
	struct modfile mod;
	unsigned int i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		good_file("nvme_core", "a,b-c");
		files[i].spoil();
		error[0] = '\0';
		ktap(parse(sizeof(file), &mod, error) == files[i].good &&
		     !files[i].good == !!error[0], "%s", files[i].name);
	}
	good_file("nvme_core", "a,b-c");
	parse(sizeof(file), &mod, error);
	ktap(!strcmp(mod.name, "nvme_core") && !strcmp(mod.vermagic, VERMAGIC) &&
	     !strcmp(mod.depends, "a,b-c"), "what it says");
}

static void test_hostile(void)
{
	static const unsigned char bytes[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t size, at, end = offsetof(struct file, info) + info_len;
	char error[MODFILE_ERROR];
	struct modfile mod;
	unsigned int i, good = 0;

	good_file("nvme_core", "a,b-c");
	for (size = 1; size < end; size++)
		good += parse(size, &mod, error);
	ktap(!good, "cut off anywhere");
	for (at = 0; at < end; at++) {
		for (i = 0; i < sizeof(bytes); i++) {
			good_file("nvme_core", "a,b-c");
			((unsigned char *)&file)[at] = bytes[i];
			good += parse(sizeof(file), &mod, error);
		}
	}
	ktap(good, "any byte changed");
}

/* ---- What modules need ---------------------------------------------------- */

static const char * const needs[][2] = {
	{ "alone", "" },
	{ "a", "b" }, { "b", "c-d" }, { "c_d", "" },
	{ "left", "c_d" }, { "right", "b,c-d" }, { "top", "left,right" },
	{ "self", "self" }, { "loop1", "loop2" }, { "loop2", "loop1" },
	{ "lost", "b,nobody" },
};

static unsigned int found;

static bool fake_find(void *ctx, const char *name, struct modfile *mod, char *error)
{
	unsigned int i, nr = 0;

	found++;
	if (sscanf(name, "chain%u", &nr) == 1) {
		snprintf(mod->name, sizeof(mod->name), "%s", name);
		if (nr)
			snprintf(mod->depends, sizeof(mod->depends), "chain%u", nr - 1);
		mod->data = malloc(1);
		return true;
	}
	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (!modfile_same_name(needs[i][0], name))
			continue;
		snprintf(mod->name, sizeof(mod->name), "%s", needs[i][0]);
		snprintf(mod->depends, sizeof(mod->depends), "%s", needs[i][1]);
		mod->data = malloc(1);
		return true;
	}
	snprintf(error, MODFILE_ERROR, "no %s in %s", name, (char *)ctx);
	return false;
}

/* The order, or "" if there is none. */
static void expect_order(const char *name, const char *order)
{
	char got[256] = "", error[MODFILE_ERROR] = "";
	struct modfile_set set = { };
	size_t i;
	bool ok;

	ok = modfile_resolve(&set, name, fake_find, "here", error);
	for (i = 0; ok && i < set.nr; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "",
			 set.mods[i].name);
	modfile_free(&set);
	ktap(!strcmp(got, order) && ok == !error[0], "order of %s: %s%s", name, got, error);
}

static void test_order(void)
{
	char error[MODFILE_ERROR];
	struct modfile_set set = { };

	expect_order("alone", "alone");
	expect_order("a", "c_d b a");
	expect_order("c-d", "c_d");
	expect_order("top", "c_d left b right top");
	expect_order("self", "");
	expect_order("loop1", "");
	expect_order("lost", "");
	expect_order("nobody", "");
	expect_order("chain2", "chain0 chain1 chain2");
	found = 0;
	ktap(modfile_resolve(&set, "chain31", fake_find, "", error) && set.nr == 32 &&
	     found == 32, "as many as may be");
	modfile_free(&set);
	ktap(!modfile_resolve(&set, "chain32", fake_find, "", error), "one too many");
	modfile_free(&set);
	ktap(!modfile_resolve(&set, "chain4000000000", fake_find, "", error), "far too many");
	modfile_free(&set);
}

/* ---- Files ---------------------------------------------------------------- */

static char dir[64];

static void write_file(const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		exit(1);
}

static bool run(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return !system(command);
}

static bool find(const char *name, size_t limit, const char *vermagic, char *error)
{
	struct modfile_dir where = { dir, limit, vermagic };
	struct modfile mod = { };
	bool ok;

	error[0] = '\0';
	ok = modfile_find(&where, name, &mod, error);
	if (ok)
		ok = mod.size == sizeof(file) && modfile_same_name(mod.name, name);
	free(mod.data);
	return ok;
}

static void test_packed(const char *program, const char *end)
{
	char error[MODFILE_ERROR];

	if (!run("command -v %s >/dev/null", program)) {
		ktap(1, "%s # SKIP there is none", program);
		return;
	}
	good_file("packed", "");
	write_file("packed.ko", &file, sizeof(file));
	run("cd %s && %s -q -c packed.ko >packed.ko.%s && rm packed.ko", dir, program, end);
	ktap(find("packed", 1 << 20, VERMAGIC, error), "%s %s", program, error);
	ktap(!find("packed", 100, VERMAGIC, error) && strstr(error, "more than 100"),
	     "%s: more than the guest takes", program);
	run("cd %s && truncate -s -9 packed.ko.%s", dir, end);
	ktap(!find("packed", 1 << 20, VERMAGIC, error), "%s: cut off: %s", program, error);
	/* A little file that is a gigabyte, or would be. */
	run("cd %s && head -c 64M /dev/zero | %s -q -c >packed.ko.%s", dir, program, end);
	ktap(!find("packed", 1 << 20, VERMAGIC, error) && strstr(error, "more than"),
	     "%s: blown up", program);
	run("rm %s/packed.ko.%s", dir, end);
}

static void test_find(void)
{
	char error[MODFILE_ERROR];

	snprintf(dir, sizeof(dir), "/tmp/modfile-test-XXXXXX");
	if (!mkdtemp(dir))
		exit(1);
	good_file("nvme_core", "");
	write_file("nvme-core.ko", &file, sizeof(file));
	write_file("other.ko", &file, sizeof(file));
	ktap(find("nvme_core", 1 << 20, VERMAGIC, error), "by its name %s", error);
	ktap(find("nvme-core", 1 << 20, NULL, error), "by its file's");
	ktap(!find("nvme", 1 << 20, NULL, error) && strstr(error, "no nvme.ko"), "no such file");
	ktap(!find("other", 1 << 20, NULL, error) && strstr(error, "is the module"),
	     "under another name");
	ktap(!find("nvme_core", 1 << 20, "6.1.0 SMP", error) && strstr(error, "the guest is"),
	     "for another kernel");
	ktap(!find("nvme_core", sizeof(file) - 1, VERMAGIC, error), "a byte too big");
	ktap(find("nvme_core", sizeof(file), VERMAGIC, error), "as big as may be");
	ktap(!find("../nvme_core", 1 << 20, NULL, error), "a path");
	ktap(!find("", 1 << 20, NULL, error), "no name");
	run("mkfifo %s/pipe.ko; mkdir %s/folder.ko; ln -s nobody %s/link.ko", dir, dir, dir);
	ktap(!find("pipe", 1 << 20, NULL, error) && strstr(error, "regular"), "a pipe");
	ktap(!find("folder", 1 << 20, NULL, error) && strstr(error, "regular"), "a directory");
	ktap(!find("link", 1 << 20, NULL, error), "a link to nothing");
	write_file("empty.ko", "", 0);
	ktap(!find("empty", 1 << 20, NULL, error) && strstr(error, "too short"), "empty");
	test_packed("xz", "xz");
	test_packed("zstd", "zst");
	test_packed("gzip", "gz");
	run("rm -r %s", dir);
}

int main(void)
{
	test_files();
	test_hostile();
	test_order();
	test_find();
	return ktap_end();
}
