// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what must be.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model.h"

struct model model;

void model_reset(void)
{
	uint64_t *changed = model.changed ?: anon_map(MAX_LINES * sizeof(*changed));

	/* Processes have no use for it. */
	madvise(changed, MAX_LINES * sizeof(*changed), MADV_DONTFORK);
	memset(&model, 0, sizeof(model));
	model.changed = changed;
	model.seq = 1;
}

static uint32_t new_line(void)
{
	if (++model.lines == MAX_LINES)
		setup_error("too many pages for the model");
	model.changed[model.lines] = 0;
	return model.lines;
}

static struct mpage *page_of(int proc, int page)
{
	return &model.proc[proc].page[page];
}

bool model_in_arena(int page, int count)
{
	return page + count <= ARENA_PAGES;
}

bool model_mapped(int proc, int page, int count)
{
	for (; count--; page++)
		if (!page_of(proc, page)->mapped)
			return false;
	return true;
}

bool model_allows(int proc, int page, int count, enum prot prot)
{
	for (; count--; page++)
		if (!page_of(proc, page)->mapped || page_of(proc, page)->prot < prot)
			return false;
	return true;
}

bool model_shared(int proc, int page, int count)
{
	for (; count--; page++)
		if (page_of(proc, page)->share)
			return true;
	return false;
}

bool model_free(int proc, int page, int count)
{
	for (; count--; page++)
		if (page_of(proc, page)->maybe_zero)
			return true;
	return false;
}

bool model_locked(int proc, int page, int count)
{
	for (; count--; page++)
		if (page_of(proc, page)->locked)
			return true;
	return false;
}

/* ---- What steps do --------------------------------------------------------- */

/* As it was when it was mapped; what is shared is no less for that. */
static void fresh(struct mpage *m)
{
	if (m->share)
		return;
	m->maybe_zero = false;
	m->pinned = false;
	/* Its page-table entry has gone, and the bits in it. */
	m->written = false;
	m->now = (struct content) { 0, 0 };
	m->line = new_line();
}

void model_map(int proc, int page, int count, enum prot prot, enum map_how how)
{
	for (; count--; page++) {
		struct mpage *m = page_of(proc, page);

		memset(m, 0, sizeof(*m));
		m->mapped = true;
		m->prot = prot;
		m->fresh = true;
		fresh(m);
		if (how == MAP_SHARE)
			m->share = ++model.shares;
	}
}

/* The next page that is the same as a shared one; the first after NULL. */
static struct mpage *alias(uint32_t share, struct mpage *after)
{
	struct mpage *m = after ? after + 1 : model.proc[0].page;
	int proc, i;

	for (proc = 0; proc < NR_PROCS; proc++) {
		struct mpage *pages = model.proc[proc].page;

		if (!model.proc[proc].alive || m >= pages + ARENA_PAGES)
			continue;
		for (i = m > pages ? m - pages : 0; i < ARENA_PAGES; i++)
			if (pages[i].mapped && pages[i].share == share)
				return &pages[i];
	}
	return NULL;
}

void model_unmap(int proc, int page, int count)
{
	memset(page_of(proc, page), 0, count * sizeof(struct mpage));
}

/* @count pages more after @page, of the same VMA. */
void model_grow(int proc, int page, int count)
{
	const struct mpage *last = page_of(proc, page);
	struct mpage *m;

	for (m = page_of(proc, page + 1); count--; m++) {
		model_map(proc, ++page, 1, last->prot, MAP_LATER);
		m->locked = last->locked;
		m->dontfork = last->dontfork;
		m->wipeonfork = last->wipeonfork;
		m->dontdump = last->dontdump;
		m->mergeable = last->mergeable;
	}
}

static void write_aliases(uint32_t share, const struct content *content)
{
	struct mpage *m;

	for (m = alias(share, NULL); m; m = alias(share, m))
		m->now = *content;
}

void model_write(int proc, int page, const struct content *content)
{
	struct mpage *m = page_of(proc, page);

	m->now = *content;
	m->maybe_zero = false;
	m->written = true;
	model.changed[m->line] = ++model.clock;
	if (m->share)
		write_aliases(m->share, content);
}

void model_pin_write(int proc, unsigned int pin, const struct content *content)
{
	const struct mproc *p = &model.proc[proc];

	model.changed[p->pin_line[pin]] = ++model.clock;
	if (p->pin_share[pin])
		write_aliases(p->pin_share[pin], content);
}

void model_remove(int proc, int page, int count)
{
	static const struct content zero;
	uint32_t share, line;
	struct mpage *m;
	unsigned int i;
	int j;

	for (; count--; page++) {
		share = page_of(proc, page)->share;
		line = new_line();
		write_aliases(share, &zero);
		for (m = alias(share, NULL); m; m = alias(share, m)) {
			m->line = line;
			m->pinned = false;
		}
		/* A buffer keeps the page, which is nobody's now. */
		for (j = 0; j < NR_PROCS; j++)
			for (i = 0; i < model.proc[j].pins; i++)
				if (model.proc[j].pin_share[i] == share)
					model.proc[j].pin_share[i] = 0;
	}
}

void model_discard(int proc, int page, int count)
{
	for (; count--; page++)
		fresh(page_of(proc, page));
}

void model_mergeable(int proc, int page, int count)
{
	for (; count--; page++)
		page_of(proc, page)->mergeable = true;
}

void model_advise(int proc, int page, int count, enum advice advice)
{
	if (advice == ADV_DONTNEED || advice == ADV_DONTNEED_LOCKED) {
		model_discard(proc, page, count);
		return;
	}
	for (; count--; page++) {
		struct mpage *m = page_of(proc, page);

		switch (advice) {
		case ADV_FREE:
			/* The page goes, or is the same as before; pinned, it goes later. */
			m->maybe_zero = true;
			break;
		case ADV_DONTFORK:
		case ADV_DOFORK:
			m->dontfork = advice == ADV_DONTFORK;
			break;
		case ADV_WIPEONFORK:
		case ADV_KEEPONFORK:
			m->wipeonfork = advice == ADV_WIPEONFORK;
			break;
		case ADV_DONTDUMP:
		case ADV_DODUMP:
			m->dontdump = advice == ADV_DONTDUMP;
			break;
		default:
			break;
		}
	}
}

void model_move(int proc, int from, int count, int to, enum move_how how)
{
	for (; count--; from++, to++) {
		struct mpage *src = page_of(proc, from), *dst = page_of(proc, to);

		*dst = *src;
		/* The buffer has the page, wherever it is mapped. */
		dst->fresh = true;
		if (how == MOVE_KEEP) {
			src->locked = false;
			src->fresh = true;
			fresh(src);
		} else {
			memset(src, 0, sizeof(*src));
		}
	}
}

void model_uffd_move(int proc, int from, int count, int to)
{
	for (; count--; from++, to++) {
		struct mpage *src = page_of(proc, from), *dst = page_of(proc, to);

		dst->now = src->now;
		dst->maybe_zero = src->maybe_zero;
		dst->line = src->line;
		dst->pinned = false;
		dst->written = false;
		dst->fresh = true;
		fresh(src);
		src->written = false;
		src->fresh = true;
	}
}

/* I/O has written to the pages at @to what those at @from held. */
void model_copy(int proc, int from, int count, int to)
{
	for (; count--; from++, to++) {
		bool maybe_zero = page_of(proc, from)->maybe_zero;

		model_write(proc, to, &page_of(proc, from)->now);
		page_of(proc, to)->maybe_zero = maybe_zero;
	}
}

void model_fork(int parent, int child)
{
	struct mproc *p = &model.proc[parent], *c = &model.proc[child];
	int i;

	*c = *p;
	c->alive = true;
	c->pins = 0;
	for (i = 0; i < ARENA_PAGES; i++) {
		struct mpage *m = &c->page[i];

		m->locked = false;
		m->fresh = true;
		if (m->dontfork)
			memset(m, 0, sizeof(*m));
		else if (m->mapped && m->wipeonfork)
			fresh(m);
		/* A pinned page stays the parent's, and the child has a copy. */
		if (m->pinned) {
			m->pinned = false;
			if (!m->share)
				m->line = new_line();
		}
	}
}

void model_exec(int proc)
{
	struct mproc *p = &model.proc[proc];

	memset(p->page, 0, sizeof(p->page));
	p->pins = 0;
}

/* Soft-dirty bits are cleared. */
void model_clean(int proc)
{
	int i;

	for (i = 0; i < ARENA_PAGES; i++) {
		page_of(proc, i)->written = false;
		page_of(proc, i)->fresh = false;
	}
}

/* ---- What was seen --------------------------------------------------------- */

static const char *seen_text(const struct page_seen *seen)
{
	static char text[96];

	switch (seen->what) {
	case SEEN_FAULT:
		return "a fault";
	case SEEN_ZERO:
		return "zeroes";
	case SEEN_PATTERN:
		snprintf(text, sizeof(text), "id %lx seq %lu", seen->id, seen->seq);
		return text;
	default:
		snprintf(text, sizeof(text), "id %lx seq %lu, and something else from byte %u on",
			 seen->id, seen->seq, seen->wrong);
		return text;
	}
}

static bool is_zero(const struct content *c)
{
	return !c->id && !c->seq;
}

static bool same(const struct content *c, const struct page_seen *seen)
{
	if (is_zero(c))
		return seen->what == SEEN_ZERO;
	return seen->what == SEEN_PATTERN && seen->id == c->id && seen->seq == c->seq;
}

static const char *not_right(int proc, int page, const struct mpage *m,
			     const struct page_seen *seen)
{
	if (is_zero(&m->now))
		return say("page %d of process %d has %s, should have zeroes", page, proc,
			   seen_text(seen));
	return say("page %d of process %d has %s, should have id %lx seq %lu%s", page, proc,
		   seen_text(seen), m->now.id, m->now.seq, m->maybe_zero ? " or zeroes" : "");
}

/* Content alone, of a page that can be seen. */
const char *model_check(int proc, int page, const struct page_seen *seen)
{
	struct mpage *m = page_of(proc, page);

	if (same(&m->now, seen))
		return NULL;
	if (m->maybe_zero && seen->what == SEEN_ZERO) {
		/* And so it stays. It has gone before it was pinned, if it is. */
		if (m->pinned) {
			m->maybe_zero = false;
			m->now = (struct content) { 0, 0 };
		} else {
			fresh(m);
		}
		return NULL;
	}
	return not_right(proc, page, m, seen);
}

const char *model_check_access(int proc, int page, bool write, const struct page_seen *seen)
{
	const struct mpage *m = page_of(proc, page);
	bool allowed = m->mapped && m->prot >= (write ? P_RW : P_R);

	if (seen->what == SEEN_FAULT ? allowed : !allowed)
		return say("page %d of process %d, %s: %s is %s", page, proc,
			   !m->mapped ? "not mapped" : m->prot == P_NONE ? "no access" :
			   m->prot == P_R ? "read-only" : "writable",
			   write ? "a write" : "a read", allowed ? "a fault" : "possible");
	return NULL;
}

/* ---- Pipes ----------------------------------------------------------------- */

void pipe_put(int pipe, int proc, int page)
{
	struct mpipe *p = &model.pipe[pipe];
	const struct mpage *m = page_of(proc, page);

	p->page[p->nr].was = m->now;
	p->page[p->nr].maybe_zero = m->maybe_zero;
	p->page[p->nr].line = m->line;
	p->page[p->nr++].when = model.clock;
}

/*
 * A page in a pipe is the process's page, so it may have been written since. Then it is
 * one of its contents, which are many; that it is whole is what can be said.
 */
const char *pipe_check(int pipe, unsigned int i, const struct page_seen *seen)
{
	struct mpipe *p = &model.pipe[pipe];

	if (same(&p->page[i].was, seen) ||
	    (p->page[i].maybe_zero && seen->what == SEEN_ZERO))
		return NULL;
	if (model.changed[p->page[i].line] > p->page[i].when && seen->what != SEEN_TORN)
		return NULL;
	return say("page %u of pipe %d has %s, should have id %lx seq %lu", i, pipe,
		   seen_text(seen), p->page[i].was.id, p->page[i].was.seq);
}

void pipe_drop(int pipe, unsigned int nr)
{
	struct mpipe *p = &model.pipe[pipe];

	p->nr -= nr;
	memmove(p->page, p->page + nr, p->nr * sizeof(*p->page));
}

void pipe_tee(int from, int to, unsigned int nr)
{
	struct mpipe *f = &model.pipe[from], *t = &model.pipe[to];

	memcpy(t->page + t->nr, f->page, nr * sizeof(*f->page));
	t->nr += nr;
}
