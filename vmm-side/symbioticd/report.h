/* SPDX-License-Identifier: GPL-2.0 */
/* What the daemon knows, for people and for Prometheus. */
#ifndef SYMBIOTICD_REPORT_H
#define SYMBIOTICD_REPORT_H

#include "daemon.h"

/**
 * report_status - all of it, as JSON
 * @d: the daemon
 *
 * Returns: a text for the caller to free, or NULL if there is no memory
 */
char *report_status(const struct daemon *d);

/**
 * report_metrics - numbers in Prometheus' text exposition format
 * @d: the daemon
 *
 * Returns: a text for the caller to free, or NULL if there is no memory
 */
char *report_metrics(const struct daemon *d);

/**
 * report_write_metrics - the same to a file, which is complete whenever it is read
 * @d: the daemon, whose configuration names the file
 *
 * Returns: 0 or -errno
 */
int report_write_metrics(const struct daemon *d);

/**
 * report_state - what is known of a guest, in a word
 * @g: the guest
 */
const char *report_state(const struct guest *g);

#endif /* SYMBIOTICD_REPORT_H */
