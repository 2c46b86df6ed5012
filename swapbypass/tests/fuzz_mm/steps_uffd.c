// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps by which a process watches its own faults.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "crew.h"
#include "model.h"
#include "steps.h"

const char *step_uffd_move(const struct step *s)
{
	const int *a = s->arg;
	struct step first = *s;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_allows(a[0], a[1], a[2], P_RW) || !model_allows(a[0], a[3], a[2], P_RW) ||
	    model_locked(a[0], a[1], a[2]) || model_locked(a[0], a[3], a[2]) ||
	    model_shared(a[0], a[1], a[2]) || model_shared(a[0], a[3], a[2]))
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
	if (text || ret >= 0)
		return text;
	switch (ret) {
	case -EBUSY:	/* others have the page, too, */
	case -EEXIST:	/* another thread has been there, */
	case -EINVAL:	/* or the VMAs are of two kinds. */
	case -ENOENT:
		return NULL;
	default:
		return failed(s, ret);
	}
}

const char *step_uffd_wp(const struct step *s)
{
	const char *text;
	long ret;

	if (!model_mapped(s->arg[0], s->arg[1], s->arg[2]) ||
	    model_shared(s->arg[0], s->arg[1], s->arg[2]))
		return left_out;
	text = ask(s, &ret);
	/* A child that has just begun may still have it watched. */
	return text ?: ret == -EBUSY ? NULL : failed(s, ret);
}

const char *step_uffd_missing(const struct step *s)
{
	const int *a = s->arg;
	const struct mailbox *box = &mail->box[a[0]][0];
	struct content content;
	const char *text;
	long ret;
	int i;

	if (!model_allows(a[0], a[1], a[2], P_R) || model_locked(a[0], a[1], a[2]) ||
	    model_shared(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret);
	if (text || ret == -EBUSY)
		return text;
	if (ret)
		return failed(s, ret);
	model_discard(a[0], a[1], a[2]);
	for (i = 0; !text && i < a[2]; i++) {
		stamp(a[0], a[1] + i, FILL_EACH, model.seq, i, &content.id, &content.seq);
		if (a[3] == ANSWER_COPY)
			model_write(a[0], a[1] + i, &content);
		text = model_check_access(a[0], a[1] + i, false, &box->page[i]) ?:
		       model_check(a[0], a[1] + i, &box->page[i]);
	}
	model.seq += a[2];
	return text;
}

const char *step_uffd_wait(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	/* What MADV_FREE lets go meanwhile is not watched any more. */
	if (!model_allows(a[0], a[1], a[2], P_RW) || model_shared(a[0], a[1], a[2]) ||
	    model_free(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret);
	if (text || ret == -EBUSY)
		return text;
	if (ret < 0)
		return failed(s, ret);
	text = written(a[0], a[1], a[2], FILL_EACH);
	if (!text && ret != a[2])
		text = say("writes to %ld of %d watched pages have been noticed", ret, a[2]);
	return text;
}
