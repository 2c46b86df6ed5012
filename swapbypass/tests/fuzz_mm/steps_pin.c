// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps of a process with a fixed buffer.
 */
#define _GNU_SOURCE

#include "crew.h"
#include "model.h"
#include "steps.h"

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
		p->pin_line[i] = p->page[a[1] + i].line;
		p->pin_share[i] = p->page[a[1] + i].share;
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
	for (i = 0; !text && i < (int)p->pins; i++) {
		content.id = mail->box[proc][0].page[i].id;
		content.seq = mail->box[proc][0].page[i].seq;
		model_pin_write(proc, i, &content);
	}
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
