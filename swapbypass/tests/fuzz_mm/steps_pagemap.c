// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what /proc says of a process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "crew.h"
#include "model.h"
#include "steps.h"

#define PM_PRESENT	(1ULL << 63)
#define PM_SWAP		(1ULL << 62)

const char *step_clean(const struct step *s)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pids[s->arg[0]]);
	if (!write_file(path, "4"))
		return say("clear_refs: %s", strerror(errno));
	model_clean(s->arg[0]);
	return NULL;
}

static const char *page_map(int proc, int page, int count, uint64_t *entries)
{
	char path[48];
	size_t size = count * sizeof(*entries);
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pids[proc]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say("pagemap: %s", strerror(errno));
	ret = pread(fd, entries, size, (uintptr_t)page_at(page) / PAGE * sizeof(*entries));
	close(fd);
	return ret == (ssize_t)size ? NULL : say("pagemap: %zd bytes", ret);
}

const char *step_dirty(const struct step *s)
{
	static uint64_t entries[MAX_COUNT];
	const int *a = s->arg;
	const struct mpage *m = &model.proc[a[0]].page[a[1]];
	const char *text = page_map(a[0], a[1], a[2], entries);
	int i;

	for (i = 0; !text && i < a[2]; i++)
		/* Page tables of what is shared come and go; what is free to go takes its bit. */
		if (m[i].mapped && !m[i].share && !m[i].maybe_zero && !m[i].mergeable &&
		    m[i].written && !(entries[i] & PM_SOFT_DIRTY))
			text = say("page %d of process %d was written, and is not soft-dirty",
				   a[1] + i, a[0]);
	return text;
}

/* Is there anything where nothing is mapped? */
const char *step_rss(const struct step *s)
{
	static uint64_t entries[ARENA_PAGES];
	const struct mpage *m = model.proc[s->arg[0]].page;
	const char *text = page_map(s->arg[0], 0, ARENA_PAGES, entries);
	int i;

	for (i = 0; !text && i < ARENA_PAGES; i++)
		if (!m[i].mapped && entries[i] & (PM_PRESENT | PM_SWAP))
			text = say("page %d of process %d is not mapped, and has %lx", i,
				   s->arg[0], entries[i]);
	return text;
}
