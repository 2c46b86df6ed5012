// SPDX-License-Identifier: GPL-2.0
/* Lines for the journal, or for a terminal. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

static int last_level = LOG_INFO;
static uint64_t dropped;

void log_set_level(int level)
{
	last_level = level;
}

uint64_t log_dropped(void)
{
	return dropped;
}

void log_line(int level, const char *fmt, ...)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	/* A pipe that takes any takes a page. */
	char line[4096];
	int len, more;
	va_list ap;

	if (level > last_level)
		return;
	/* The journal knows levels by this, terminals do not. */
	len = getenv("JOURNAL_STREAM") ? snprintf(line, sizeof(line), "<%d>", level) :
					 snprintf(line, sizeof(line), "symbioticd: ");
	va_start(ap, fmt);
	more = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (more < 0)
		more = 0;
	if (more > (int)sizeof(line) - len - 2)
		more = sizeof(line) - len - 2;
	len += more;
	line[len++] = '\n';
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, len) != len)
		dropped++;
}
