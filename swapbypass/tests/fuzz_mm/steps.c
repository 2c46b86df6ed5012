// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps that a process does itself, and what /proc says of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "machine.h"
#include "model.h"
#include "steps.h"

#define PM_PRESENT	(1ULL << 63)
#define PM_SWAP		(1ULL << 62)

bool soft_dirty;

/* ---- Steps: memory --------------------------------------------------------- */

const char *step_map(const struct step *s)
{
	const int *a = s->arg;
	long ret;
	const char *text = ask(s, &ret) ?: failed(s, ret);

	if (!text)
		model_map(a[0], a[1], a[2], a[3]);
	return text;
}

const char *step_unmap(const struct step *s)
{
	long ret;
	const char *text = ask(s, &ret) ?: failed(s, ret);

	if (!text)
		model_unmap(s->arg[0], s->arg[1], s->arg[2]);
	return text;
}

const char *step_write(const struct step *s)
{
	const int *a = s->arg;
	struct content content;
	const char *text;
	long ret;
	int i;

	text = ask(s, &ret);
	for (i = 0; !text && i < a[2]; i++) {
		const struct page_seen *seen = &mail->box[a[0]][0].page[i];

		text = model_check_access(a[0], a[1] + i, true, seen);
		if (seen->what == SEEN_FAULT)
			continue;
		stamp(a[0], a[1] + i, a[3], model.seq, i, &content.id, &content.seq);
		model_write(a[0], a[1] + i, &content);
	}
	model.seq += a[2];
	return text;
}

const char *look(int proc, int page, int count)
{
	const struct step s = { .op = OP_READ, .arg = { proc, page, count } };
	const char *text;
	long ret;
	int i;

	text = ask(&s, &ret);
	for (i = 0; !text && i < count; i++) {
		const struct page_seen *seen = &mail->box[proc][0].page[i];

		text = model_check_access(proc, page + i, false, seen);
		if (!text && seen->what != SEEN_FAULT)
			text = model_check(proc, page + i, seen);
	}
	return text;
}

const char *step_protect(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].prot = a[3];
	return text;
}

static bool neutral(enum advice advice)
{
	switch (advice) {
	case ADV_DONTNEED:
	case ADV_DONTNEED_LOCKED:
	case ADV_FREE:
	case ADV_DONTFORK:
	case ADV_DOFORK:
	case ADV_WIPEONFORK:
	case ADV_KEEPONFORK:
		return false;
	default:
		return true;
	}
}

const char *step_advise(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (neutral(a[3]))
		return s->bg ? meanwhile(s) : ask(s, &ret);
	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	if ((a[3] == ADV_DONTNEED || a[3] == ADV_FREE) && model_locked(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	if (!text)
		model_advise(a[0], a[1], a[2], a[3]);
	return text;
}

bool overlap(int a, int b, int count)
{
	return a < b + count && b < a + count;
}

const char *step_move(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	if (!ret) {
		model_move(a[0], a[1], a[2], a[3], a[4]);
		return NULL;
	}
	model_unmap(a[0], a[1], a[2]);
	model_unmap(a[0], a[3], a[2]);
	/* More than one VMA, or one that cannot. */
	return ret == -EFAULT || ret == -EINVAL ? NULL : failed(s, ret);
}

const char *step_lock(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_allows(a[0], a[1], a[2], P_R))
		return left_out;
	text = ask(s, &ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].locked = true;
	return text ?: ret == -ENOMEM || ret == -EAGAIN ? NULL : failed(s, ret);
}

const char *step_unlock(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].locked = false;
	return text;
}

/* ---- Steps: processes ------------------------------------------------------ */

const char *step_fork(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (model.proc[a[1]].alive)
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	if (ret < 0)
		return ret == -ENOMEM || ret == -EAGAIN ? left_out : failed(s, ret);
	pids[a[1]] = ret;
	model_fork(a[0], a[1]);
	return NULL;
}

const char *step_exec(const struct step *s)
{
	const char *text = join_helper(s->arg[0]);
	long ret;

	text = text ?: ask(s, &ret) ?: failed(s, ret);
	if (text)
		return text;
	helpers[s->arg[0]] = false;
	atomic_store(&mail->box[s->arg[0]][1].state, MAIL_IDLE);
	model_exec(s->arg[0]);
	return NULL;
}

const char *step_exit(const struct step *s)
{
	int proc = s->arg[0];

	if (s->op == OP_KILL)
		kill(pids[proc], SIGKILL);
	else
		order(proc, 0, OP_EXIT, s->arg);
	return bury(proc);
}

/* ---- Steps: fixed buffers -------------------------------------------------- */

const char *step_pin(const struct step *s)
{
	const int *a = s->arg;
	struct mproc *p = &model.proc[a[0]];
	const char *text;
	long ret;
	int i;

	if (!model_allows(a[0], a[1], a[2], P_RW))
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	for (i = 0; i < ARENA_PAGES; i++)
		p->page[i].pinned = false;
	p->pins = 0;
	/* Not every kernel lets everybody have a ring. */
	if (ret > 0)
		return left_out;
	if (ret)
		return failed(s, ret);
	p->pins = a[2];
	for (i = 0; i < a[2]; i++) {
		p->page[a[1] + i].pinned = true;
		p->page[a[1] + i].pin = i;
	}
	return NULL;
}

const char *step_pin_out(const struct step *s)
{
	int proc = s->arg[0], i;
	struct mproc *p = &model.proc[proc];
	const char *text;
	long ret;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < ARENA_PAGES; i++)
		if (p->page[i].pinned)
			text = model_check(proc, i, &mail->box[proc][0].page[p->page[i].pin]);
	return text;
}

const char *step_pin_in(const struct step *s)
{
	int proc = s->arg[0], i;
	struct mproc *p = &model.proc[proc];
	struct content content;
	const char *text;
	bool written, maybe_zero;
	long ret;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < ARENA_PAGES; i++) {
		struct mpage *m = &p->page[i];

		if (!m->pinned)
			continue;
		content.id = mail->box[proc][0].page[m->pin].id;
		content.seq = mail->box[proc][0].page[m->pin].seq;
		/* No page table knows of it: not soft-dirty, and free to go as before. */
		written = m->written;
		maybe_zero = m->maybe_zero;
		model_write(proc, i, &content);
		m->written = written;
		m->maybe_zero = maybe_zero;
	}
	model.seq += p->pins;
	return text;
}

const char *step_unpin(const struct step *s)
{
	struct mproc *p = &model.proc[s->arg[0]];
	const char *text;
	long ret;
	int i;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret);
	p->pins = 0;
	for (i = 0; i < ARENA_PAGES; i++)
		p->page[i].pinned = false;
	return text;
}

/* ---- Steps: userfaultfd, soft-dirty, pagemap -------------------------------- */

const char *step_uffd_move(const struct step *s)
{
	const int *a = s->arg;
	struct step first = *s;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_allows(a[0], a[1], a[2], P_RW) || !model_allows(a[0], a[3], a[2], P_RW) ||
	    model_locked(a[0], a[1], a[2]) || model_locked(a[0], a[3], a[2]))
		return left_out;
	/* It moves to where nothing is. */
	first.op = OP_ADVISE;
	first.arg[1] = a[3];
	first.arg[3] = ADV_DONTNEED;
	text = ask(&first, &ret) ?: failed(&first, ret);
	if (text)
		return text;
	model_discard(a[0], a[3], a[2]);
	text = ask(s, &ret);
	if (!text && ret > 0)
		model_uffd_move(a[0], a[1], ret, a[3]);
	return text;
}

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

	for (i = 0; !text && soft_dirty && i < a[2]; i++)
		if (m[i].mapped && m[i].written && !(entries[i] & PM_SOFT_DIRTY))
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
