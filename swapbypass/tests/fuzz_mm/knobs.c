// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: files of sysfs and procfs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "knobs.h"

bool put(const char *value, const char *fmt, ...)
{
	char path[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return write_file(path, value);
}

bool put_number(long value, const char *path)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	return write_file(path, text);
}

void get_word(char *word, size_t size, const char *path)
{
	char line[128] = "", *start, *end;
	FILE *f = fopen(path, "re");

	*word = 0;
	if (!f)
		return;
	if (fgets(line, sizeof(line), f)) {
		start = strchr(line, '[');
		end = start ? strchr(start, ']') : strchr(line, '\n');
		start = start ? start + 1 : line;
		if (end)
			*end = 0;
		snprintf(word, size, "%s", start);
	}
	fclose(f);
}
