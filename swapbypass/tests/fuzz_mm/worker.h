/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: a process whose memory is the matter. It does what it is told through a
 * mailbox, in one of two threads, and says what it has seen. What is right it does not
 * know.
 */
#ifndef FUZZ_MM_WORKER_H
#define FUZZ_MM_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common.h"
#include "program.h"

#define ARENA		0x10000000000UL	/* the same in all of them */
#define MAIL_FD		60		/* the mailboxes */
#define PIPE_FD		70		/* NR_PIPES pairs */
#define DISK_FD		80		/* for direct I/O, if there is one */
#define FILE_FD		81		/* for I/O with fixed buffers */

#define NR_THREADS	2

/* What a worker can be told besides steps. */
enum {
	ORDER_HELPER = OP_NR + 1,	/* start the second thread */
};

enum seen { SEEN_FAULT, SEEN_ZERO, SEEN_PATTERN, SEEN_TORN };

/* One page, as it was found. */
struct page_seen {
	uint8_t what;
	uint16_t wrong;			/* SEEN_TORN: the first byte that does not fit */
	uint64_t id, seq;
};

enum { MAIL_IDLE, MAIL_ORDER, MAIL_DONE };

struct mailbox {
	_Atomic uint32_t state;
	int order;
	int arg[MAX_ARGS];
	uint64_t seq;			/* of the first page that is written */
	long ret;			/* or -errno */
	struct page_seen page[MAX_COUNT];
};

/* Shared by all. */
struct mail {
	struct mailbox box[NR_PROCS][NR_THREADS];
};

static inline char *page_at(int page)
{
	return (char *)ARENA + page * PAGE;
}

/* What OP_WRITE puts into page number @i of a range: its name and its age. */
static inline void stamp(int proc, int page, int fill, uint64_t seq, int i, uint64_t *id,
			 uint64_t *age)
{
	*id = fill == FILL_SAME ? 0x5a5a : (uint64_t)proc << 16 | page;
	*age = fill == FILL_SAME ? seq : seq + i;
}

/* Futex on a mailbox's state: true unless @ms have passed. */
bool mail_wait(struct mailbox *box, uint32_t while_state, unsigned int ms);
void mail_wake(struct mailbox *box);

/* A kind of step that workers only say they have done, to test who judges them; or OP_NR. */
extern enum op worker_forgets;

/* Never returns. */
void worker(struct mail *mail, int proc) __attribute__((noreturn));
/* What a worker executes when it is told to. */
void worker_exec(int proc, enum op forgets) __attribute__((noreturn));

#endif /* FUZZ_MM_WORKER_H */
