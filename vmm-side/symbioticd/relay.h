/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QMP as the daemon speaks it, by somebody who can only ask one question at a time and has
 * ids of his own: libvirt. Without a socket, and without libvirt.
 */
#ifndef SYMBIOTICD_RELAY_H
#define SYMBIOTICD_RELAY_H

/* What a QEMU says first. */
#define RELAY_GREETING	"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n"
/* Bytes of a command at the most. */
#define RELAY_MAX_BYTES	4096

/**
 * relay_ask - who asks the QEMU
 * @opaque: from relay_answer()
 * @command: JSON without an id
 *
 * Returns: its answer, to be freed, or NULL if there is none
 */
typedef char *relay_ask(void *opaque, const char *command);

/**
 * relay_answer - what is answered to a command
 * @line: the command
 * @ask: for the commands of the daemon's; nobody gets others
 * @opaque: for @ask
 *
 * Returns: the answer, a line, to be freed; NULL if the connection should end
 */
char *relay_answer(const char *line, relay_ask *ask, void *opaque);

#endif /* SYMBIOTICD_RELAY_H */
