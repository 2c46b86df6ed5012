/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of kernel modules, on the host: which one, what it says of itself, what it needs.
 *
 * Nothing here decides whether a guest may run a module; the guest does. It is to find
 * the right one, and to say what is wrong before the guest is asked. The files may be
 * anybody's, so nothing in them is believed.
 */
#ifndef TOOLS_MODFILE_H
#define TOOLS_MODFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <symbiotic/abi.h>

#define MODFILE_DEPENDS		1024
/* A module and all that it needs. */
#define MODFILE_SET_MAX		32
#define MODFILE_ERROR		256

/**
 * struct modfile - a module
 * @data: its bytes, unpacked, from malloc()
 * @size: of @data
 * @name: as the kernel will call it
 * @vermagic: which kernels it fits
 * @depends: names of modules that must be there before it, with commas between
 */
struct modfile {
	uint8_t *data;
	size_t size;
	char name[SYMB_MODULE_NAME];
	char vermagic[SYMB_MODULES_VERMAGIC];
	char depends[MODFILE_DEPENDS];
};

/**
 * struct modfile_set - modules in the order in which they have to be loaded
 * @mods: the modules
 * @nr: how many
 */
struct modfile_set {
	struct modfile mods[MODFILE_SET_MAX];
	size_t nr;
};

/**
 * typedef modfile_find_fn - find a module by its name
 * @ctx: the caller's
 * @name: of the module; '-' and '_' are the same
 * @mod: gets it
 * @error: gets what is wrong
 *
 * Return: false with @error set.
 */
typedef bool modfile_find_fn(void *ctx, const char *name, struct modfile *mod,
			     char error[MODFILE_ERROR]);

/**
 * modfile_same_name() - whether two names are a module's
 * @a: one
 * @b: the other
 */
bool modfile_same_name(const char *a, const char *b);

/**
 * modfile_parse() - read what a module says of itself
 * @mod: @data and @size are set; gets the rest
 * @error: gets what is wrong
 *
 * Return: false with @error set if that is no module for x86-64.
 */
bool modfile_parse(struct modfile *mod, char error[MODFILE_ERROR]);

/**
 * modfile_read() - read a module's file, and unpack it if need be
 * @path: of a regular file; packed by xz, zstd or gzip, or not
 * @limit: most bytes that the module may have
 * @mod: gets all of it
 * @error: gets what is wrong
 *
 * Return: false with @error set, and nothing allocated.
 */
bool modfile_read(const char *path, size_t limit, struct modfile *mod,
		  char error[MODFILE_ERROR]);

/**
 * modfile_read_raw() - read any file, and unpack it if need be
 * @path: see modfile_read()
 * @limit: most bytes that come of it
 * @mod: gets @data and @size, and nothing else
 * @error: gets what is wrong
 *
 * Return: false with @error set, and nothing allocated.
 */
bool modfile_read_raw(const char *path, size_t limit, struct modfile *mod,
		      char error[MODFILE_ERROR]);

/**
 * modfile_resolve() - add a module to a set, and before it all that it needs
 * @set: what is there already is not looked for again
 * @name: of the module
 * @find: finds each
 * @ctx: for @find
 * @error: gets what is wrong
 *
 * Return: false with @error set: one is missing, they need each other, or too many.
 */
bool modfile_resolve(struct modfile_set *set, const char *name, modfile_find_fn *find,
		     void *ctx, char error[MODFILE_ERROR]);

/**
 * modfile_free() - free what belongs to a set
 * @set: which is empty then
 */
void modfile_free(struct modfile_set *set);

/**
 * struct modfile_dir - where modfile_find() looks
 * @path: a directory
 * @limit: most bytes that a module may have
 * @vermagic: what its modules must say of themselves; NULL: anything
 */
struct modfile_dir {
	const char *path;
	size_t limit;
	const char *vermagic;
};

/**
 * modfile_find() - a modfile_find_fn: NAME.ko in a directory, or NAME.ko.xz and others
 * @ctx: struct modfile_dir
 * @name: see there
 * @mod: see there
 * @error: see there
 *
 * Return: see there.
 */
bool modfile_find(void *ctx, const char *name, struct modfile *mod,
		  char error[MODFILE_ERROR]);

#endif /* TOOLS_MODFILE_H */
