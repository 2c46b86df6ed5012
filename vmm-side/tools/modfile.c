// SPDX-License-Identifier: GPL-2.0
/*
 * Files of kernel modules; modfile.h has the contract.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modfile.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

__attribute__((format(printf, 2, 3)))
static bool fail(char error[MODFILE_ERROR], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, MODFILE_ERROR, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- What a module says of itself ----------------------------------------- */

static bool within(uint64_t offset, uint64_t size, uint64_t all)
{
	return offset <= all && size <= all - offset;
}

/* A copy: nothing in a file need be aligned. */
static bool section(const struct modfile *mod, const Elf64_Ehdr *eh, unsigned int i,
		    Elf64_Shdr *sh)
{
	if (i >= eh->e_shnum)
		return false;
	memcpy(sh, mod->data + eh->e_shoff + (uint64_t)i * sizeof(*sh), sizeof(*sh));
	return sh->sh_type == SHT_NOBITS || within(sh->sh_offset, sh->sh_size, mod->size);
}

/* The section of a name; @names is the section that has the names. */
static bool find_section(const struct modfile *mod, const Elf64_Ehdr *eh,
			 const Elf64_Shdr *names, const char *name, Elf64_Shdr *sh)
{
	size_t len = strlen(name) + 1;
	unsigned int i;

	for (i = 1; i < eh->e_shnum; i++) {
		if (section(mod, eh, i, sh) && sh->sh_type != SHT_NOBITS &&
		    within(sh->sh_name, len, names->sh_size) &&
		    !memcmp(mod->data + names->sh_offset + sh->sh_name, name, len))
			return true;
	}
	return false;
}

/* The text behind "key=" in .modinfo; false if there is none, or no room for it. */
static bool modinfo(const struct modfile *mod, const Elf64_Shdr *sh, const char *key,
		    char *value, size_t room)
{
	const char *at = (const char *)mod->data + sh->sh_offset, *end = at + sh->sh_size;
	size_t len = strlen(key), n;
	const char *nul;

	for (; at < end; at = nul + 1) {
		nul = memchr(at, '\0', end - at);
		if (!nul)
			return false;
		n = nul - at;
		if (n <= len || memcmp(at, key, len) || at[len] != '=')
			continue;
		n -= len + 1;
		if (n >= room)
			return false;
		memcpy(value, at + len + 1, n + 1);
		return true;
	}
	return false;
}

static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '-';
}

static bool valid_name(const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < len; i++)
		if (!name_char(name[i]))
			return false;
	return len && len < SYMB_MODULE_NAME;
}

bool modfile_parse(struct modfile *mod, char error[MODFILE_ERROR])
{
	Elf64_Shdr names, info;
	Elf64_Ehdr eh;
	const char *c;

	if (mod->size < sizeof(eh))
		return fail(error, "is too short for a module");
	memcpy(&eh, mod->data, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return fail(error, "is no ELF file");
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_type != ET_REL || eh.e_machine != EM_X86_64)
		return fail(error, "is no module for x86-64");
	if (eh.e_shentsize != sizeof(Elf64_Shdr) || !eh.e_shnum ||
	    !within(eh.e_shoff, (uint64_t)eh.e_shnum * sizeof(Elf64_Shdr), mod->size))
		return fail(error, "is cut off, or its section headers are wrong");
	if (!section(mod, &eh, eh.e_shstrndx, &names) || names.sh_type != SHT_STRTAB ||
	    !find_section(mod, &eh, &names, ".modinfo", &info))
		return fail(error, "is no module: it has no .modinfo");
	if (!modinfo(mod, &info, "name", mod->name, sizeof(mod->name)) ||
	    !valid_name(mod->name))
		return fail(error, "has no name, or one that cannot be");
	if (!modinfo(mod, &info, "vermagic", mod->vermagic, sizeof(mod->vermagic)))
		return fail(error, "does not say for which kernel it is");
	if (!modinfo(mod, &info, "depends", mod->depends, sizeof(mod->depends)))
		mod->depends[0] = '\0';
	for (c = mod->depends; *c; c++)
		if (!name_char(*c) && *c != ',')
			return fail(error, "needs modules with names that cannot be");
	return true;
}

/* ---- Reading and unpacking ------------------------------------------------ */

static const struct packer {
	const char *magic;
	size_t len;
	const char *program;
} packers[] = {
	{ "\3757zXZ\0", 6, "xz" },
	{ "\x28\xb5\x2f\xfd", 4, "zstd" },
	{ "\x1f\x8b", 2, "gzip" },
};

/* All of a descriptor, up to @limit bytes and no more. */
static bool read_all(int fd, size_t limit, struct modfile *mod, char error[MODFILE_ERROR])
{
	size_t room = 0;
	uint8_t *more;
	ssize_t n;

	mod->data = NULL;
	mod->size = 0;
	for (;;) {
		if (mod->size == room) {
			room = room ? 2 * room : 1 << 16;
			if (room > limit + 1)
				room = limit + 1;
			more = realloc(mod->data, room);
			if (!more) {
				fail(error, "does not fit into memory");
				break;
			}
			mod->data = more;
		}
		n = read(fd, mod->data + mod->size, room - mod->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(error, "cannot be read: %s", strerror(errno));
			break;
		}
		if (!n)
			return true;
		mod->size += n;
		if (mod->size > limit) {
			fail(error, "has more than %zu bytes", limit);
			break;
		}
	}
	free(mod->data);
	mod->data = NULL;
	return false;
}

/* What @program makes of the file, which is at its start. */
static bool unpack(int fd, const char *program, size_t limit, struct modfile *mod,
		   char error[MODFILE_ERROR])
{
	int pipes[2], status;
	pid_t pid;
	bool ok;

	if (pipe2(pipes, O_CLOEXEC))
		return fail(error, "cannot be unpacked: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		if (dup2(fd, STDIN_FILENO) >= 0 && dup2(pipes[1], STDOUT_FILENO) >= 0)
			execlp(program, program, "-d", "-c", (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return fail(error, "cannot be unpacked: %s", strerror(errno));
	}
	ok = read_all(pipes[0], limit, mod, error);
	close(pipes[0]);
	/* It may still have much to write, to nobody. */
	if (!ok)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ok)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		free(mod->data);
		mod->data = NULL;
		return fail(error, status >> 8 == 127 ? "needs %s to be unpacked" :
			    "cannot be unpacked by %s", program);
	}
	return true;
}

static bool read_file(int fd, size_t limit, struct modfile *mod, char error[MODFILE_ERROR])
{
	char magic[8] = "";
	struct stat st;
	ssize_t n;
	size_t i;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return fail(error, "is not a regular file");
	n = pread(fd, magic, sizeof(magic), 0);
	for (i = 0; i < ARRAY_SIZE(packers); i++)
		if (n >= (ssize_t)packers[i].len &&
		    !memcmp(magic, packers[i].magic, packers[i].len))
			return unpack(fd, packers[i].program, limit, mod, error);
	return read_all(fd, limit, mod, error);
}

bool modfile_read_raw(const char *path, size_t limit, struct modfile *mod,
		      char error[MODFILE_ERROR])
{
	/* Not to wait for whoever writes to a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok;

	if (fd < 0)
		return fail(error, "cannot be opened: %s", strerror(errno));
	ok = read_file(fd, limit, mod, error);
	close(fd);
	return ok;
}

bool modfile_read(const char *path, size_t limit, struct modfile *mod,
		  char error[MODFILE_ERROR])
{
	if (!modfile_read_raw(path, limit, mod, error))
		return false;
	if (modfile_parse(mod, error))
		return true;
	free(mod->data);
	mod->data = NULL;
	return false;
}

/* ---- What a module needs -------------------------------------------------- */

bool modfile_same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("_-", *a) && strchr("_-", *b)))
			return false;
	return !*a && !*b;
}

/* The modules that are being looked at, each because of the one before it. */
struct chain {
	const char *name;
	const struct chain *because;
	size_t length;
};

static bool resolve(struct modfile_set *set, const struct chain *chain, modfile_find_fn *find,
		    void *ctx, char error[MODFILE_ERROR])
{
	char depends[MODFILE_DEPENDS], *name, *more = NULL;
	const struct chain *c;
	struct modfile mod = { };
	size_t i;

	for (i = 0; i < set->nr; i++)
		if (modfile_same_name(set->mods[i].name, chain->name))
			return true;
	for (c = chain->because; c; c = c->because)
		if (modfile_same_name(c->name, chain->name))
			return fail(error, "%s needs itself", chain->name);
	if (chain->length > MODFILE_SET_MAX)
		return fail(error, "%s: too many modules", chain->name);
	if (!find(ctx, chain->name, &mod, error))
		return false;

	memcpy(depends, mod.depends, sizeof(depends));
	for (name = strtok_r(depends, ",", &more); name; name = strtok_r(NULL, ",", &more)) {
		struct chain next = { name, chain, chain->length + 1 };

		if (!resolve(set, &next, find, ctx, error)) {
			free(mod.data);
			return false;
		}
	}
	if (set->nr == MODFILE_SET_MAX) {
		free(mod.data);
		return fail(error, "%s: too many modules", chain->name);
	}
	set->mods[set->nr++] = mod;
	return true;
}

bool modfile_resolve(struct modfile_set *set, const char *name, modfile_find_fn *find,
		     void *ctx, char error[MODFILE_ERROR])
{
	struct chain chain = { name, NULL, 1 };

	return resolve(set, &chain, find, ctx, error);
}

void modfile_free(struct modfile_set *set)
{
	while (set->nr)
		free(set->mods[--set->nr].data);
}

/* ---- Where modules are ---------------------------------------------------- */

/* Also if it is called by the other of '-' and '_'. */
static bool find_path(const struct modfile_dir *dir, const char *name, char path[PATH_MAX])
{
	static const char * const ends[] = { "", ".xz", ".zst", ".gz" };
	char file[SYMB_MODULE_NAME], *c;
	unsigned int i, form;
	int n;

	for (form = 0; form < 3; form++) {
		snprintf(file, sizeof(file), "%s", name);
		for (c = file; form && *c; c++)
			if (strchr("_-", *c))
				*c = form == 1 ? '-' : '_';
		for (i = 0; i < ARRAY_SIZE(ends); i++) {
			n = snprintf(path, PATH_MAX, "%s/%s.ko%s", dir->path, file, ends[i]);
			if (n > 0 && n < PATH_MAX && !access(path, F_OK))
				return true;
		}
	}
	return false;
}

bool modfile_find(void *ctx, const char *name, struct modfile *mod,
		  char error[MODFILE_ERROR])
{
	const struct modfile_dir *dir = ctx;
	char path[PATH_MAX], why[MODFILE_ERROR];

	if (!valid_name(name))
		return fail(error, "there is no module of such a name");
	if (!find_path(dir, name, path))
		return fail(error, "there is no %s.ko in %s", name, dir->path);
	if (!modfile_read(path, dir->limit, mod, why))
		return fail(error, "%s %s", path, why);
	if (dir->vermagic && strcmp(mod->vermagic, dir->vermagic)) {
		fail(error, "%s is for %s, the guest is %s", name, mod->vermagic,
		     dir->vermagic);
	} else if (!modfile_same_name(mod->name, name)) {
		fail(error, "%s is the module %s", path, mod->name);
	} else {
		return true;
	}
	free(mod->data);
	mod->data = NULL;
	return false;
}
