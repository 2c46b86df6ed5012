/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon: guests, the host's memory, and rounds. In a round
 *
 *	all guests are asked for their numbers	(ROUND_ASK)
 *	grants become smaller			(ROUND_LOWER)
 *	grants become larger, by what is free	(ROUND_RAISE)
 *	cold pages go, if the host lacks memory	(ROUND_PAGE_OUT)
 *
 * and each step ends when all have done theirs, or their time is up. A guest that was
 * silent in the last round is asked, but not waited for. While somebody waits for what
 * others are giving back, and when somebody comes or goes, short rounds come in between,
 * which take in who is new, and raise grants to what the last whole round has planned. So
 * what grants become smaller by goes by the clock, and nobody else can make it faster.
 */
#ifndef SYMBIOTICD_DAEMON_H
#define SYMBIOTICD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "budget.h"
#include "config.h"
#include "guest.h"
#include "host.h"

enum round_step {
	ROUND_REST,
	ROUND_ASK,
	ROUND_LOWER,
	ROUND_RAISE,
	ROUND_PAGE_OUT,
};

/**
 * struct daemon - all of it
 * @config: what the user has said
 * @guests: who is on the list, present or not
 * @notify_fd: of inotify, or -1
 * @passed_over: sockets of the directory that have had their turn
 * @directory_said: what was last said of the directory, so that it is said once
 * @pages: the budget
 * @memory: of the host, at the last whole round
 * @lacking: pages that it has less than it should
 * @step: where the round is
 * @found: pages that guests were found with in short rounds since then
 * @brief: this round is a short one
 * @look: guests have come or gone since this round began
 * @round_start, @next_round: by daemon_now()
 * @next_plan: when a whole round is due
 * @unknown: guests that have not answered yet
 * @rounds: so far
 */
struct daemon {
	struct config config;
	struct guest *guests[POLICY_MAX_GUESTS];
	size_t nr_guests;
	int notify_fd;
	size_t passed_over;
	const char *directory_said;

	struct budget budget;
	uint64_t pages;
	struct host_memory memory;
	uint64_t lacking;
	bool lacking_said;
	bool memory_failed;
	uint64_t found;

	enum round_step step;
	bool brief, look;
	int64_t round_start, next_round, next_plan;
	unsigned int unknown;
	bool full_said;
	uint64_t rounds;
};

/**
 * daemon_now - milliseconds from some start
 */
int64_t daemon_now(void);

/**
 * daemon_init - a daemon with its configuration, and no guests yet
 * @d: the daemon; its @config is taken as it is
 */
void daemon_init(struct daemon *d);

/**
 * daemon_exit - close and free all; grants stay as they are
 * @d: the daemon
 */
void daemon_exit(struct daemon *d);

/**
 * daemon_look - guests may have come or gone: a round comes soon, if only a short one
 * @d: the daemon
 * @now: the time
 */
void daemon_look(struct daemon *d, int64_t now);

/**
 * daemon_wake - the host's memory is short: the next whole round comes soon
 * @d: the daemon
 * @now: the time
 */
void daemon_wake(struct daemon *d, int64_t now);

/**
 * daemon_timeout - when something is due
 * @d: the daemon
 * @now: the time
 *
 * Returns: milliseconds from now
 */
int64_t daemon_timeout(const struct daemon *d, int64_t now);

/**
 * daemon_guest_io - a guest's connection is ready
 * @d: the daemon
 * @g: the guest, which may have lost it meanwhile
 * @now: the time
 */
void daemon_guest_io(struct daemon *d, struct guest *g, int64_t now);

/**
 * daemon_work - do what is due
 * @d: the daemon
 * @now: the time
 *
 * Returns: whether a round has ended
 */
bool daemon_work(struct daemon *d, int64_t now);

/**
 * discover - bring the list of guests up to date
 * @d: the daemon
 */
void discover(struct daemon *d);

/**
 * discover_changed - read what inotify has to say
 * @d: the daemon
 */
void discover_changed(struct daemon *d);

/**
 * daemon_policy - what is known of all guests that take part
 * @d: the daemon
 * @p: filled in
 * @of: whose each is
 *
 * Returns: how many
 */
size_t daemon_policy(const struct daemon *d, struct policy_guest *p, struct guest **of);

/**
 * daemon_limits - what there is to divide
 * @d: the daemon
 */
struct policy_limits daemon_limits(const struct daemon *d);

#endif /* SYMBIOTICD_DAEMON_H */
