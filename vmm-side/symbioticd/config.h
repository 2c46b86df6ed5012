/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the user has said: lines "key = value" in a file, and the same on the command
 * line. docs/userspace.md tells what the keys mean.
 */
#ifndef SYMBIOTICD_CONFIG_H
#define SYMBIOTICD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All amounts of memory are in pages, all times in milliseconds. */
struct config {
	bool budget_set;
	bool automatic;		/* the budget follows the host's memory */
	uint64_t budget;	/* 0: automatic */
	uint64_t budget_min;
	uint64_t budget_max;	/* 0: no limit */
	uint64_t reserve;	/* 0: an eighth of the host's memory */
	unsigned int pressure;	/* percent */
	bool page_out;
	uint64_t floor;
	uint64_t guest_max;
	int64_t interval;
	int64_t patience;
	char *directory;
	char *pattern;
	char **sockets;
	size_t nr_sockets;
	char *control;
	char *metrics;
	char *proc;
};

/**
 * config_init - the defaults
 * @c: the configuration
 *
 * Returns: 0 or -ENOMEM
 */
int config_init(struct config *c);

/**
 * config_set - take one line
 * @c: the configuration
 * @line: "key = value"; empty lines and comments are none
 * @error: what is wrong, in words
 * @size: bytes of @error
 *
 * Returns: 0, -EINVAL or -ENOMEM
 */
int config_set(struct config *c, const char *line, char *error, size_t size);

/**
 * config_read - take all lines of a file
 * @c: the configuration
 * @path: the file
 * @error: what is wrong, in words
 * @size: bytes of @error
 *
 * Returns: 0 or -errno
 */
int config_read(struct config *c, const char *path, char *error, size_t size);

/**
 * config_add_socket - name a QEMU
 * @c: the configuration
 * @path: its QMP socket; any bytes
 *
 * Returns: 0 or -ENOMEM
 */
int config_add_socket(struct config *c, const char *path);

/**
 * config_check - do the values go together?
 * @c: the configuration
 *
 * Returns: NULL, or what is wrong
 */
const char *config_check(const struct config *c);

/**
 * config_free - free what it holds
 * @c: the configuration
 */
void config_free(struct config *c);

#endif /* SYMBIOTICD_CONFIG_H */
