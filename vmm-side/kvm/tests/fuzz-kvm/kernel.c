// SPDX-License-Identifier: GPL-2.0
/*
 * What the host's kernel says while kvm_fuzz is running.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

static int kmsg = -1;

void write_to(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

const char *kernel_trouble(void)
{
	static const char * const signs[] = {
		"BUG:", "WARNING:", "KASAN", "Oops", "general protection", "Call Trace",
		"list_add corruption", "list_del corruption", "stall", "soft lockup",
		"bad page", "Bad page", "Bad rss", "suspicious", "inconsistent lock",
	};
	static char line[512];
	char record[4096], *text;
	const char *trouble = NULL;
	unsigned int i;
	ssize_t n;

	while (kmsg >= 0) {
		n = read(kmsg, record, sizeof(record) - 1);
		/* Some of it has been overwritten; the rest is there. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		text = strchr(record, ';');
		for (i = 0; text && !trouble && i < sizeof(signs) / sizeof(*signs); i++)
			if (strstr(text, signs[i])) {
				snprintf(line, sizeof(line), "%s", text + 1);
				line[strcspn(line, "\n")] = 0;
				trouble = line;
			}
	}
	return trouble;
}

void kernel_begin(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	/* VMs come and go often. */
	write_to("/sys/kernel/rcu_expedited", "1");
}
