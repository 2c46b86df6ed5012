// SPDX-License-Identifier: GPL-2.0
/* Texts of others, and numbers for people. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

void text_escape(char *to, size_t size, const char *from, size_t len)
{
	size_t pos = 0, i, n;
	char one[8];

	for (i = 0; i < len; i++) {
		unsigned char c = from[i];

		if (c == '\n')
			snprintf(one, sizeof(one), "\\n");
		else if (c == '\\')
			snprintf(one, sizeof(one), "\\\\");
		else if (c < ' ' || c > '~')
			snprintf(one, sizeof(one), "\\x%02x", c);
		else
			snprintf(one, sizeof(one), "%c", c);
		n = strlen(one);
		if (pos + n >= size)
			break;
		memcpy(to + pos, one, n);
		pos += n;
	}
	to[pos] = '\0';
}

bool text_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	double number;
	char *end;
	const char *unit;

	/* No sign, no space, no hex, no "inf". */
	if (text[0] < '0' || text[0] > '9' || strspn(text, "0123456789.KMGT") != strlen(text))
		return false;
	errno = 0;
	number = strtod(text, &end);
	if (errno || end == text)
		return false;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		for (; unit >= units; unit--)
			number *= 1024;
	}
	if (number >= 1ULL << 62)
		return false;
	*bytes = number;
	return true;
}

char *text_size(char *to, size_t size, uint64_t pages)
{
	static const char units[] = "KMGT";
	double number = pages * 4.0;
	unsigned int unit = 0;

	if (pages > 1ULL << 50) {
		snprintf(to, size, "all");
		return to;
	}
	while (number >= 1024 && unit < 3) {
		number /= 1024;
		unit++;
	}
	if (!pages)
		snprintf(to, size, "0");
	else
		snprintf(to, size, "%.*f%c", number != (uint64_t)number && number < 100, number,
			 units[unit]);
	return to;
}
