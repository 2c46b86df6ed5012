// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps by which a process ends in the middle of something, or leaves a core.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "crew.h"
#include "facility.h"
#include "machine.h"
#include "model.h"
#include "probe.h"
#include "steps.h"

/* ---- In the middle ----------------------------------------------------------- */

static bool in_pipes(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR_PIPES; i++)
		nr += model.pipe[i].nr;
	return nr;
}

/* It is told to do something, and killed while it does. */
const char *step_kill_in(const struct step *s)
{
	static const struct {
		enum op op;
		int arg;
	} what[DOOM_NR] = {
		[DOOM_PAGEOUT] = { OP_ADVISE, ADV_PAGEOUT },
		[DOOM_WILLNEED] = { OP_ADVISE, ADV_WILLNEED },
		[DOOM_COLLAPSE] = { OP_ADVISE, ADV_COLLAPSE },
		[DOOM_DONTNEED] = { OP_ADVISE, ADV_DONTNEED },
		[DOOM_POPULATE] = { OP_ADVISE, ADV_POPULATE_WRITE },
		[DOOM_READ] = { OP_READ, 0 },
		[DOOM_WRITE] = { OP_WRITE, FILL_EACH },
		[DOOM_UNMAP] = { OP_UNMAP, 0 },
		[DOOM_PROTECT] = { OP_PROTECT, P_R },
		[DOOM_LOCK] = { OP_LOCK, LOCK_NOW },
		[DOOM_EXEC] = { OP_EXEC, 0 },
		[DOOM_VFORK] = { OP_VFORK, 0 },
		[DOOM_UFFD] = { OP_UFFD_WAIT, 0 },
	};
	const int *a = s->arg;
	int arg[MAX_ARGS] = { a[0], a[1], a[2], what[a[3]].arg };

	/* Whoever has a page of it, too, would have half of what it was writing. */
	if ((a[3] == DOOM_WRITE || a[3] == DOOM_UFFD) &&
	    (in_pipes() || model_shared(a[0], a[1], a[2])))
		return left_out;
	if (facility_lacks(what[a[3]].op))
		return left_out;
	order(a[0], 0, what[a[3]].op, arg);
	model.seq += a[2];
	usleep(a[4]);
	kill(pids[a[0]], SIGKILL);
	return bury(a[0]);
}

/* ---- Cores --------------------------------------------------------------------- */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE		"/dev/shm/fuzz_mm.core"
#define MAX_SEGMENTS	4096

static const char *read_core(int fd, Elf64_Phdr *segments, unsigned int *nr)
{
	Elf64_Ehdr head;
	ssize_t size;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_type != ET_CORE)
		return "a core is none";
	*nr = head.e_phnum;
	size = *nr * sizeof(*segments);
	if (*nr > MAX_SEGMENTS || pread(fd, segments, size, head.e_phoff) != size)
		return "a core has no segments";
	return NULL;
}

/* What a core says of a page. */
static const char *page_of_core(int fd, const Elf64_Phdr *segment, int proc, int page)
{
	const struct mpage *m = &model.proc[proc].page[page];
	uint64_t at = (uintptr_t)page_at(page);
	struct page_seen seen = { .what = SEEN_ZERO };

	if (!segment)
		return m->mapped ? say("page %d of process %d is not in its core", page, proc) :
				   NULL;
	if (!m->mapped)
		return say("page %d of process %d is not mapped, but in its core", page, proc);
	if (at - segment->p_vaddr < segment->p_filesz) {
		if (pread(fd, buffer, PAGE, segment->p_offset + at - segment->p_vaddr) !=
		    (ssize_t)PAGE)
			return machine_tight() ? give_up : "a core is too short";
		look_at(buffer, &seen);
	} else if (m->dontdump) {
		return NULL;
	}
	/* What has never been written is left out as well, and zero. */
	return model_check(proc, page, &seen);
}

static const char *check_core(int proc)
{
	static Elf64_Phdr segments[MAX_SEGMENTS];
	unsigned int nr = 0, i;
	const char *text;
	uint64_t at;
	int fd, page;

	fd = open(CORE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return machine_tight() ? give_up : say("no core: %s", strerror(errno));
	text = read_core(fd, segments, &nr);
	for (page = 0; !text && page < ARENA_PAGES; page++) {
		at = (uintptr_t)page_at(page);
		for (i = 0; i < nr; i++)
			if (segments[i].p_type == PT_LOAD && at >= segments[i].p_vaddr &&
			    at - segments[i].p_vaddr < segments[i].p_memsz)
				break;
		text = page_of_core(fd, i < nr ? &segments[i] : NULL, proc, page);
	}
	close(fd);
	return text;
}

/* It dies and leaves a core, in which each page is what it was. */
const char *step_core(const struct step *s)
{
	char before[128] = "";
	const char *text;
	ssize_t n;
	int fd = open(CORE_PATTERN, O_RDONLY | O_CLOEXEC);

	n = fd >= 0 ? read(fd, before, sizeof(before) - 1) : -1;
	close(fd);
	if (n <= 0 || !write_file(CORE_PATTERN, CORE))
		return say("core_pattern: %s", strerror(errno));
	order(s->arg[0], 0, OP_CORE, s->arg);
	text = wait_for_end(s->arg[0]);
	if (!text && machine_kills() != kills)
		text = give_up;
	text = text ?: check_core(s->arg[0]);
	unlink(CORE);
	write_file(CORE_PATTERN, before);
	if (!hopeless)
		gone(s->arg[0]);
	return text;
}
