/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: what must be. For each process, what each page of its arena is, and what it
 * holds; for each pipe, what is in it. A step changes the model when it has been done,
 * and what a step has seen is compared with the model.
 */
#ifndef FUZZ_MM_MODEL_H
#define FUZZ_MM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

struct content {
	uint64_t id, seq;	/* both 0: zeroes */
};

struct mpage {
	bool mapped;
	uint8_t prot;
	bool maybe_zero;	/* MADV_FREE: what it holds, or zeroes */
	bool locked, dontfork, wipeonfork, dontdump;
	bool mergeable;		/* it has been, so KSM may have taken its soft-dirty bit */
	bool written;		/* since soft-dirty bits were cleared last */
	bool fresh;		/* its VMA is newer than that */
	bool pinned;		/* is page number @pin of the fixed buffer */
	uint16_t pin;
	uint32_t share;		/* not 0: all that have the same are one page */
	uint32_t line;		/* of descent: pages that may be the same one */
	struct content now;
};

struct mproc {
	bool alive;
	int group;		/* memory cgroup, -1: the base */
	unsigned int pins;	/* pages of its fixed buffer, and their lines */
	uint32_t pin_line[MAX_COUNT], pin_share[MAX_COUNT];
	struct mpage page[ARENA_PAGES];
};

#define PIPE_PAGES	64

struct mpipe {
	unsigned int nr;
	struct {
		struct content was;
		bool maybe_zero;
		uint32_t line;
		uint64_t when;
	} page[PIPE_PAGES];
};

struct model {
	struct mproc proc[NR_PROCS];
	struct mpipe pipe[NR_PIPES];
	uint64_t seq;		/* age of the next page that is written */
	uint32_t lines, shares;
	uint64_t *changed;	/* by line: when it was written last */
	uint64_t clock;
};

#define MAX_LINES	(1U << 17)

extern struct model model;

void model_reset(void);

/*
 * Of a range: are all pages mapped; with that access; is any locked; is any shared; may any
 * go at any time?
 */
bool model_mapped(int proc, int page, int count);
bool model_allows(int proc, int page, int count, enum prot prot);
bool model_locked(int proc, int page, int count);
bool model_shared(int proc, int page, int count);
bool model_free(int proc, int page, int count);
bool model_in_arena(int page, int count);

void model_map(int proc, int page, int count, enum prot prot, enum map_how how);
void model_unmap(int proc, int page, int count);
void model_grow(int proc, int page, int count);
void model_write(int proc, int page, const struct content *content);
/* I/O has written to a page of the fixed buffer, whether that is mapped or not. */
void model_pin_write(int proc, unsigned int pin, const struct content *content);
/* Shared pages are taken from their file: zeroes, whoever has them. */
void model_remove(int proc, int page, int count);
void model_discard(int proc, int page, int count);
void model_mergeable(int proc, int page, int count);
void model_advise(int proc, int page, int count, enum advice advice);
void model_move(int proc, int from, int count, int to, enum move_how how);
void model_uffd_move(int proc, int from, int count, int to);
void model_copy(int proc, int from, int count, int to);
void model_fork(int parent, int child);
void model_exec(int proc);
void model_clean(int proc);

/* NULL, or what is wrong with what was seen of a page. The text is static. */
const char *model_check_access(int proc, int page, bool write, const struct page_seen *seen);
const char *model_check(int proc, int page, const struct page_seen *seen);

void pipe_put(int pipe, int proc, int page);
const char *pipe_check(int pipe, unsigned int i, const struct page_seen *seen);
void pipe_drop(int pipe, unsigned int nr);
void pipe_tee(int from, int to, unsigned int nr);

#endif /* FUZZ_MM_MODEL_H */
