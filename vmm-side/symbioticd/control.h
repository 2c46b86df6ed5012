/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket: who connects sends one line, "status" or "metrics", and gets an
 * answer. Nothing can be changed there. Only the daemon's user and group may connect.
 */
#ifndef SYMBIOTICD_CONTROL_H
#define SYMBIOTICD_CONTROL_H

#include <poll.h>

#include "daemon.h"

#define CONTROL_CLIENTS		16

/**
 * struct control - the socket and who is there
 * @lock: a file that is locked, so that there is one daemon
 * @fd: the socket, or -1
 * @closed_until: nobody is let in before
 */
struct control {
	int lock;
	int fd;
	int64_t closed_until;
	struct control_client {
		int fd;
		char line[16];
		size_t len;
		char *answer;
		size_t pos, size;
		int64_t deadline;
	} clients[CONTROL_CLIENTS];
};

/**
 * control_open - make the socket
 * @c: the control
 * @path: where; the file PATH.lock says that a daemon runs
 *
 * Returns: 0; -EBUSY if there is such a daemon; -errno
 */
int control_open(struct control *c, const char *path);

/**
 * control_close - remove the socket
 * @c: the control
 * @path: where it is
 */
void control_close(struct control *c, const char *path);

/**
 * control_poll - what to wait for
 * @c: the control
 * @fds: room for 1 + CONTROL_CLIENTS
 * @now: the time
 *
 * Returns: how many
 */
size_t control_poll(const struct control *c, struct pollfd *fds, int64_t now);

/**
 * control_work - serve who is there
 * @c: the control
 * @d: the daemon
 * @now: the time
 */
void control_work(struct control *c, const struct daemon *d, int64_t now);

/**
 * control_timeout - when somebody's time is up
 * @c: the control
 * @now: the time
 *
 * Returns: milliseconds from now, or INT64_MAX
 */
int64_t control_timeout(const struct control *c, int64_t now);

#endif /* SYMBIOTICD_CONTROL_H */
