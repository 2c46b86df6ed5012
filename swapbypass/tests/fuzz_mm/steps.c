// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps by which a process changes its memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "crew.h"
#include "model.h"
#include "steps.h"

const char *step_map(const struct step *s)
{
	const int *a = s->arg;
	long ret;
	const char *text = ask(s, &ret) ?: failed(s, ret);

	if (!text)
		model_map(a[0], a[1], a[2], a[3], a[4]);
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

const char *written(int proc, int page, int count, int fill)
{
	const char *text = NULL;
	struct content content;
	int i;

	for (i = 0; !text && i < count; i++) {
		const struct page_seen *seen = &mail->box[proc][0].page[i];

		text = model_check_access(proc, page + i, true, seen);
		if (seen->what == SEEN_FAULT)
			continue;
		stamp(proc, page + i, fill, model.seq, i, &content.id, &content.seq);
		model_write(proc, page + i, &content);
	}
	model.seq += count;
	return text;
}

const char *step_write(const struct step *s)
{
	const int *a = s->arg;
	long ret;

	return ask(s, &ret) ?: written(a[0], a[1], a[2], a[3]);
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

const char *step_read(const struct step *s)
{
	return look(s->arg[0], s->arg[1], s->arg[2]);
}

const char *step_churn(const struct step *s)
{
	return meanwhile(s);
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
	case ADV_DONTDUMP:
	case ADV_DODUMP:
	case ADV_REMOVE:
		return false;
	default:
		return true;
	}
}

/* From the file, if there is one. */
static const char *remove_pages(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	bool shared = model_shared(a[0], a[1], a[2]);
	long ret;
	int i;

	for (i = 0; shared && i < a[2]; i++)
		if (!model.proc[a[0]].page[a[1] + i].share)
			return left_out;
	if (shared && model_locked(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret);
	if (!text && !shared)
		return ret == -EINVAL ? NULL : say("remove: %s", strerror(-ret));
	text = text ?: failed(s, ret);
	if (!text)
		model_remove(a[0], a[1], a[2]);
	return text;
}

const char *step_advise(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	/* The memory that it was in is not used again: that must be the fuzzer's. */
	if (a[3] == ADV_SOFT_OFFLINE && !inventory.nr_devices)
		return left_out;
	/* Of those that are mapped. */
	if (a[3] == ADV_MERGEABLE)
		model_mergeable(a[0], a[1], a[2]);
	if (neutral(a[3]))
		return s->bg ? meanwhile(s) : ask(s, &ret);
	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	if ((a[3] == ADV_DONTNEED || a[3] == ADV_FREE) && model_locked(a[0], a[1], a[2]))
		return left_out;
	if ((a[3] == ADV_FREE || a[3] == ADV_WIPEONFORK) && model_shared(a[0], a[1], a[2]))
		return left_out;
	if (a[3] == ADV_REMOVE)
		return remove_pages(s);
	text = ask(s, &ret);
	text = text ?: failed(s, ret);
	if (!text)
		model_advise(a[0], a[1], a[2], a[3]);
	return text;
}

const char *step_numa(const struct step *s)
{
	const char *text;
	long ret;

	if (s->bg)
		return meanwhile(s);
	text = ask(s, &ret);
	return text ?: failed(s, ret);
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

const char *step_resize(const struct step *s)
{
	const int *a = s->arg;
	int i, more = a[3] - a[2];
	const char *text;
	bool room = true;
	long ret;

	if (!model_mapped(a[0], a[1], a[2]) || !model_in_arena(a[1], a[3]))
		return left_out;
	/* What is shared has a length of its own. */
	if (more > 0 && model_shared(a[0], a[1], a[2]))
		return left_out;
	for (i = a[2]; i < a[3]; i++)
		room &= !model.proc[a[0]].page[a[1] + i].mapped;
	text = ask(s, &ret);
	if (text)
		return text;
	/* It is more than one VMA, there is no room, or no more may be locked. */
	if (ret == -EFAULT || (more > 0 && (ret == -ENOMEM || ret == -EAGAIN)))
		return NULL;
	if (ret)
		return failed(s, ret);
	if (!room)
		return say("process %d has grown over what it had", a[0]);
	if (more > 0)
		model_grow(a[0], a[1] + a[2] - 1, more);
	else
		model_unmap(a[0], a[1] + a[3], -more);
	return NULL;
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
