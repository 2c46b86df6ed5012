/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest: a QMP socket, the conversation there, and what is known of who answers.
 *
 * A connection lasts for a round at most, so that others can use the socket, too: a QEMU
 * serves one at a time. Nothing here waits; whoever polls looks at the deadline.
 */
#ifndef SYMBIOTICD_GUEST_H
#define SYMBIOTICD_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy.h"
#include "qmp.h"

enum guest_task {
	GUEST_NO_TASK,
	GUEST_ASK,		/* for its numbers */
	GUEST_GRANT,		/* it is told a new grant */
	GUEST_PAGE_OUT,		/* for pages that nobody uses */
};

/* See @keeps_cold. */
#define GUEST_ROUNDS_COLD	20

enum guest_found {
	GUEST_OPEN,		/* there is a connection */
	GUEST_GONE,		/* nobody listens there */
	GUEST_DEAF,		/* somebody may, and cannot be reached */
};

/**
 * struct guest - one that takes part
 * @path: of its socket; any bytes
 * @name: the same, printable, and different for different paths
 * @named: by the user, so it stays on the list whether it is there or not
 * @listed: it was in the directory at the last look
 *
 * @device, @inode, @pid: which socket it was at the last connection, and who listened there
 *
 * @fd: the connection, or -1
 * @task: what it is asked to do
 * @asked, @deadline: since when and until when, by the caller's clock
 * @asked_grant: the grant that it is told
 *
 * @looked: whether one is there has been looked at
 * @present: a QEMU is there
 * @answered: in this round
 * @silent: it did not do what it was asked last; not waited for
 * @late: it took long for what it was asked last; not waited for
 * @no_grants: it says that it takes no part
 * @ours: @grant was granted by us, so it is within our budget
 * @counted: @wanted is known, so the next one can be compared
 * @info: what it said last
 * @grant: what it may use, or may take itself to be allowed to
 * @peak: what it can have in place if it keeps to the rules: what it was found with, or
 *	the largest grant that it has not given back from yet. What it says beyond that
 *	others do not pay for
 * @given: the largest of our grants, or of those it was found with, that it has not given
 *	back from yet: what the host can be short of for it
 * @want: faults without a grant since the last plan that they were a part of
 * @want_used: they were, and others begin with the next answer
 * @growth, @grows: what policy_grows() has said when the last whole round began
 * @planned: it takes part in this round
 * @keeps_cold: rounds for which it is not asked to have cold pages paged out, as it has
 *	said that it could not
 * @target: what policy_plan() has said last
 *
 * @refused: since when nobody listens at its socket; 0: somebody does
 * @skip: rounds for which it is left alone
 * @over_since: it uses more than its grant, as far as is known; 0: it does not
 * @over_from: the most that it has used since then
 * @stubborn: for longer than that can take
 * @changes: grants that it was told
 * @failures: times that it has not answered
 * @reason: of the last change
 * @cold: pages that its QEMU says to have had paged out
 * @error: why it did not answer, printable; "" if it did
 */
struct guest {
	char *path;
	char *name;
	bool named, listed;

	dev_t device;
	ino_t inode;
	pid_t pid;

	int fd;
	struct qmp qmp;
	enum guest_task task;
	int64_t asked, deadline;
	uint64_t asked_grant;

	bool looked, present, answered, silent, late, no_grants, ours, counted;
	struct qmp_info info;
	uint64_t grant, peak, given, want, wanted;
	bool want_used, planned, grows;
	struct policy_growth growth;
	uint64_t target;

	int64_t refused, over_since;
	uint64_t over_from;
	bool stubborn;
	unsigned int skip, keeps_cold;
	uint64_t changes, failures, cold;
	enum policy_reason reason;
	char error[160];
};

/**
 * guest_new - a guest that nothing is known of
 * @path: of its socket
 *
 * Returns: the guest, or NULL if there is no memory
 */
struct guest *guest_new(const char *path);

/**
 * guest_free - and what it holds
 * @g: the guest, or NULL
 */
void guest_free(struct guest *g);

/**
 * guest_open - connect, to ask for its numbers
 * @g: the guest, without a connection
 * @now: the time
 * @patience: that it may take in all, to its answer
 *
 * Another QEMU than at the last time begins anew, as after guest_forget().
 */
enum guest_found guest_open(struct guest *g, int64_t now, int64_t patience);

/**
 * guest_send_grant - tell it a grant
 * @g: the guest, with an idle connection
 * @pages: how many
 * @now: the time
 * @patience: that it may take
 */
void guest_send_grant(struct guest *g, uint64_t pages, int64_t now, int64_t patience);

/**
 * guest_send_page_out - have its QEMU look for pages that nobody uses
 * @g: the guest, with an idle connection
 * @pages: how many are enough
 * @now: the time
 * @patience: that it may take for the answer, which does not wait for the look
 */
void guest_send_page_out(struct guest *g, uint64_t pages, int64_t now, int64_t patience);

/**
 * guest_events - what to poll its connection for
 * @g: the guest, with a connection
 */
short guest_events(const struct guest *g);

/**
 * guest_io - go on with the conversation
 * @g: the guest, with a connection
 *
 * Reads a bounded amount, so that one who talks much does not hold up others.
 *
 * Returns: QMP_NOTHING, or what has happened: QMP_INFO, QMP_GRANTED, QMP_PAGED_OUT (also
 * if it cannot), QMP_REFUSED: the task is done; QMP_ERROR: the connection is closed,
 * @error tells why
 */
enum qmp_event guest_io(struct guest *g);

/**
 * guest_close - end the conversation, whatever was asked
 * @g: the guest
 */
void guest_close(struct guest *g);

/**
 * guest_failed - it has not done what it was asked
 * @g: the guest; a grant that it was told may be in force by now, or not
 * @error: why, printable
 */
void guest_failed(struct guest *g, const char *error);

/**
 * guest_forget - who was there is gone; who comes there begins anew
 * @g: the guest
 */
void guest_forget(struct guest *g);

/**
 * guest_keeps_to_grant - it does not use more than its grant
 * @g: the guest
 */
void guest_keeps_to_grant(struct guest *g);

/**
 * guest_for_policy - what is known of it, for a decision
 * @g: the guest
 * @p: filled in
 *
 * Returns: whether it takes part
 */
bool guest_for_policy(const struct guest *g, struct policy_guest *p);

#endif /* SYMBIOTICD_GUEST_H */
