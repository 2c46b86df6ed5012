/* SPDX-License-Identifier: GPL-2.0 */
/* Lines for the journal, or for a terminal: one for each decision. */
#ifndef SYMBIOTICD_LOG_H
#define SYMBIOTICD_LOG_H

#include <stdint.h>
#include <syslog.h>

/**
 * log_line - a line on stderr
 * @level: LOG_ERR, LOG_WARNING, LOG_INFO or LOG_DEBUG
 * @fmt: without a newline
 *
 * Never waits: a line that nobody takes is dropped and counted. Texts of others are the
 * caller's to escape.
 */
__attribute__((format(printf, 2, 3)))
void log_line(int level, const char *fmt, ...);

/**
 * log_set_level - how much is said
 * @level: the last level that is
 */
void log_set_level(int level);

/**
 * log_dropped - lines that nobody has taken
 */
uint64_t log_dropped(void);

#endif /* SYMBIOTICD_LOG_H */
