/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A conversation with a QEMU by QMP, as a state machine without a socket: bytes that
 * have come go in, bytes to send come out. QEMU may be compromised: whatever it says, a
 * conversation ends by a result, by an error, or waits, for whoever has the clock.
 */
#ifndef SYMBIOTICD_QMP_H
#define SYMBIOTICD_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* In all, from one connection: events can come between answers, but not for ever. */
#define QMP_MAX_BYTES		(4 << 20)

/* struct qmp_info.grant: as much as there is, what a new QEMU begins with */
#define QMP_GRANT_ALL		UINT64_MAX

/**
 * struct qmp_info - what a QEMU says of its guest, in pages
 * @has_grants: the VM takes part
 * @grant: what it may use in place
 * @in_place: what the guest says to use so
 * @hot: of that, what it says to have used lately
 * @wanted: faults so far for which it says to have had no grant
 * @held: pages that it says it could not give back
 */
struct qmp_info {
	bool has_grants;
	uint64_t grant;
	uint64_t in_place;
	uint64_t hot;
	uint64_t wanted;
	uint64_t held;
};

enum qmp_state {
	QMP_GREETING,		/* QEMU speaks first */
	QMP_CAPABILITIES,	/* and wants this before all else */
	QMP_IDLE,		/* nothing is asked */
	QMP_ASKED,		/* for the guest's numbers */
	QMP_GRANTING,
	QMP_PAGING_OUT,
	QMP_BROKEN,		/* nothing more comes of this connection */
};

enum qmp_event {
	QMP_NOTHING,		/* more bytes are needed */
	QMP_READY,		/* it is idle for the first time */
	QMP_INFO,		/* @info is new */
	QMP_GRANTED,		/* the grant is in force */
	QMP_PAGED_OUT,		/* it looks for cold pages, @cold tells what it has found */
	QMP_REFUSED,		/* QEMU has said no, @error tells what */
	QMP_ERROR,		/* it is broken, @error tells why */
};

/**
 * struct qmp - a conversation
 * @state: where it is
 * @info: the last answer
 * @cold: pages that it has told the host so far to page out
 * @error: what was wrong, printable
 * @out: bytes to send, from @out_pos to @out_len
 */
struct qmp {
	enum qmp_state state;
	struct qmp_info info;
	uint64_t cold;
	char error[160];
	char out[160];
	size_t out_pos, out_len;
	struct frame frame;
	size_t received;
	int64_t id;		/* of the last command, which its answer has, too */
};

/**
 * qmp_start - begin a conversation
 * @q: the conversation
 */
void qmp_start(struct qmp *q);

/**
 * qmp_end - free what it holds
 * @q: the conversation; it can be started again
 */
void qmp_end(struct qmp *q);

/**
 * qmp_ask - ask for the guest's numbers
 * @q: the conversation, which must be idle
 */
void qmp_ask(struct qmp *q);

/**
 * qmp_grant - let the guest use pages in place
 * @q: the conversation, which must be idle
 * @pages: how many
 */
void qmp_grant(struct qmp *q, uint64_t pages);

/**
 * qmp_page_out - have pages of the window paged out that nobody uses
 * @q: the conversation, which must be idle
 * @pages: how many are enough
 */
void qmp_page_out(struct qmp *q, uint64_t pages);

/**
 * qmp_feed - take bytes that have come, up to the first event
 * @q: the conversation
 * @data: the bytes
 * @len: how many
 * @used: how many of them have been taken
 *
 * Returns: what has happened; QMP_NOTHING if all have been taken, to no effect
 */
enum qmp_event qmp_feed(struct qmp *q, const char *data, size_t len, size_t *used);

#endif /* SYMBIOTICD_QMP_H */
