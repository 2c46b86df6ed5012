// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what /proc says of a process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "crew.h"
#include "machine.h"
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

/* ---- Sums -------------------------------------------------------------------- */

#define NR_SUMS	3

/* What is counted, and what is there when somebody goes and looks. */
static const char *const counted[NR_SUMS] = { "VmRSS:", "RssAnon:", "VmSwap:" };
static const char *const walked[NR_SUMS] = { "Rss:", "Anonymous:", "Swap:" };

/* KiB by which the counts of this kernel may be wrong for good. */
static long slack;

static bool read_sums(pid_t pid, const char *name, const char *const names[], long sums[])
{
	char path[48], line[128];
	unsigned int i, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		for (i = 0; i < NR_SUMS; i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				found += sscanf(line + strlen(names[i]), "%ld", &sums[i]) == 1;
	if (f)
		fclose(f);
	return found == NR_SUMS;
}

/*
 * Some kernels tell of pages in batches, one of each CPU and thread: what is touched one
 * by one is not counted one by one then.
 */
bool sums_open(void)
{
	const long cpus = sysconf(_SC_NPROCESSORS_CONF), pages = 16;
	long before[NR_SUMS], after[NR_SUMS], i;
	char *p = anon_map(pages * PAGE);

	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < pages && !slack; i++) {
		if (!read_sums(getpid(), "status", counted, before) ||
		    !read_sums(getpid(), "smaps_rollup", walked, after))
			return false;
		p[i * PAGE] = 1;
		read_sums(getpid(), "status", counted, after);
		if (after[1] != before[1] + (long)(PAGE >> 10))
			/* A batch of each CPU, of each of the three that VmRSS is made of. */
			slack = 3 * cpus * (cpus > 16 ? 2 * cpus : 32) * (PAGE >> 10);
	}
	munmap(p, pages * PAGE);
	return true;
}

const char *sums_check(int proc)
{
	uint64_t end = now_ms() + machine_limit_ms / 4;
	/* The walk also counts what is swapped out of shared memory; the count is by process. */
	unsigned int nr = model_shared(proc, 0, ARENA_PAGES) ? NR_SUMS - 1 : NR_SUMS, i;
	long is[NR_SUMS], should[NR_SUMS];

	for (;;) {
		if (!read_sums(pids[proc], "status", counted, is) ||
		    !read_sums(pids[proc], "smaps_rollup", walked, should))
			return machine_kills() != kills ? give_up :
			       say("process %d has no sums", proc);
		is[0] = machine_told(LIE_SUMS, is[0]);
		for (i = 0; i < nr && labs(is[i] - should[i]) <= slack; i++)
			;
		if (i == nr)
			return NULL;
		/* Others may reclaim pages, merge, or move them; but not for ever. */
		if (now_ms() >= end)
			return say("process %d: %s %ld kB, and there are %ld", proc, counted[i],
				   is[i], should[i]);
		usleep(2000);
	}
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
	return text ?: sums_check(s->arg[0]);
}
