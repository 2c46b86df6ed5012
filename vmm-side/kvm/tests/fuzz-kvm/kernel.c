// SPDX-License-Identifier: GPL-2.0
/*
 * What the host's kernel says, and what it has in use, while kvm_fuzz is running.
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

/* In pages: what is neither free nor can be had at once. */
static long used_memory(void)
{
	char line[128];
	long total = 0, available = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemTotal: %ld", &total) != 1 &&
		    sscanf(line, "MemAvailable: %ld", &available) == 1)
			break;
	}
	if (f)
		fclose(f);
	return (total - available) / 4;
}

/* Objects of KVM's in all slabs; 0 if nobody tells. */
static long used_objects(void)
{
	static const char * const names[] = {
		"kvm_", "pte_list_desc ", "x86_emulator ", "kvm ",
	};
	long objects = 0, n;
	unsigned int i;
	char line[512];
	FILE *f = fopen("/proc/slabinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (!strncmp(line, names[i], strlen(names[i])) &&
			    sscanf(line, "%*s %ld", &n) == 1)
				objects += n;
	if (f)
		fclose(f);
	return objects;
}

void kernel_in_use(struct in_use *used)
{
	used->pages = used_memory();
	used->objects = used_objects();
}
