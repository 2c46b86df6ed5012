// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what the kernel says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "machine.h"

static int log_fd = -1;

/* What the kernel says when it is unwell. */
static const char *const trouble[] = {
	"BUG:", "WARNING:", "Oops", "KASAN", "general protection fault", "detected stall",
	"soft lockup", "hung task", "possible recursive locking", "possible circular locking",
	"suspicious RCU", "inconsistent lock state", "Bad rss-counter",
	"Bad page", "Bad swap", "Unused swap", "swap_free", "swap_dup", "drop of",
	"I/O error", "Read-error", "Write-error",
};

void log_open(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd >= 0)
		lseek(log_fd, 0, SEEK_END);
}

const char *machine_log(void)
{
	static char line[512];
	static char record[4096];
	const char *found = NULL, *text;
	unsigned int i;
	ssize_t n;

	if (machine_told(LIE_LOG, 0))
		return "the kernel says nothing, but that is how it would be found";
	while (log_fd >= 0) {
		n = read(log_fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		text = strchr(record, ';');
		for (i = 0; !found && text && i < sizeof(trouble) / sizeof(*trouble); i++) {
			if (strstr(text, trouble[i])) {
				snprintf(line, sizeof(line), "the kernel says: %.*s",
					 (int)strcspn(text + 1, "\n"), text + 1);
				found = line;
			}
		}
	}
	return found;
}
