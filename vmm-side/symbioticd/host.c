// SPDX-License-Identifier: GPL-2.0
/* What the host's kernel says of its memory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "host.h"

/* Two seconds: all that is allowed without a capability. */
#define TRIGGER_WINDOW_US	2000000

static int open_proc(const char *proc, const char *name, int flags)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", proc, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_proc(const char *proc, const char *name, char *text, size_t size)
{
	int fd = open_proc(proc, name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	text[n] = '\0';
	return 0;
}

/* The number behind @key, in any line. */
static bool number_after(const char *text, const char *key, uint64_t *number)
{
	const char *found = strstr(text, key);

	return found && sscanf(found + strlen(key), "%" SCNu64, number) == 1;
}

int host_read(const char *proc, struct host_memory *m)
{
	uint64_t total, available;	/* KiB */
	char text[4096];
	int ret;

	ret = read_proc(proc, "meminfo", text, sizeof(text));
	if (ret)
		return ret;
	if (!number_after(text, "MemTotal:", &total) ||
	    !number_after(text, "MemAvailable:", &available))
		return -EBADMSG;
	m->total = total / 4;
	m->available = available / 4;

	/* Kernels without PSI, or with psi=0. The line "some" comes first. */
	m->stall_us = 0;
	if (!read_proc(proc, "pressure/memory", text, sizeof(text)))
		number_after(text, "total=", &m->stall_us);
	return 0;
}

int host_trigger(const char *proc, unsigned int percent)
{
	int fd = open_proc(proc, "pressure/memory", O_RDWR | O_NONBLOCK);
	struct statfs fs;
	char text[64];
	int len;

	if (fd < 0)
		return fd;
	/* Of a test: a file that should stay as it is. */
	if (fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC) {
		close(fd);
		return -EOPNOTSUPP;
	}
	len = snprintf(text, sizeof(text), "some %u %u", percent * (TRIGGER_WINDOW_US / 100),
		       TRIGGER_WINDOW_US);
	/* With the terminating zero, for which it looks. */
	if (write(fd, text, len + 1) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}
