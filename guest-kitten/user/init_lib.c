// SPDX-License-Identifier: GPL-2.0
/*
 * What init_task has in place of a C library.
 */
#include "init_task.h"

#include <stdarg.h>

#define HEADER_SIZE	110

static const unsigned char *archive;
static u64 archive_size;

/* The compiler makes calls of these. */
void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	asm volatile("rep stosb" : "+D" (d), "+c" (n) : "a" (c) : "memory");
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	asm volatile("rep movsb" : "+D" (d), "+S" (src), "+c" (n)
		     :: "memory");
	return dst;
}

size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* ---- output, a line at a time ---- */

struct out {
	char text[256];
	size_t n;
};

static void put(struct out *o, char c)
{
	if (o->n < sizeof(o->text))
		o->text[o->n++] = c;
}

static void put_number(struct out *o, u64 v, u32 base)
{
	char digits[24];
	size_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(o, digits[--n]);
}

void print(int fd, const char *fmt, ...)
{
	struct out o = { .n = 0 };
	const char *s;
	va_list args;
	int d;

	va_start(args, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put(&o, *s);
			break;
		case 'd':
			d = va_arg(args, int);
			if (d < 0)
				put(&o, '-');
			put_number(&o, d < 0 ? -(s64)d : d, 10);
			break;
		case 'u':
			put_number(&o, va_arg(args, u64), 10);
			break;
		case 'x':
			put_number(&o, va_arg(args, u64), 16);
			break;
		}
	}
	va_end(args);
	write_out(fd, o.text, o.n);
}

/* ---- the archive; the kernel has found init_task in it, so it is one ---- */

void set_archive(const unsigned char *data, u64 size)
{
	archive = data;
	archive_size = size;
}

static u64 field(const unsigned char *header, u32 nr)
{
	const unsigned char *s = header + 6 + nr * 8;
	u64 v = 0;

	for (u32 i = 0; i < 8; i++)
		v = v << 4 | (s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
	return v;
}

/* The last file of a name counts: it may replace an earlier one. */
bool find_file(const char *name, struct archive_entry *file)
{
	bool found = false;
	u64 at = 0;

	while (at + HEADER_SIZE <= archive_size) {
		const unsigned char *h = archive + at;
		u64 size, data;

		if (!h[0]) {
			at += 4;
			continue;
		}
		size = field(h, 6);
		data = (HEADER_SIZE + field(h, 11) + 3) & ~3ULL;
		if (at + data + size > archive_size)
			break;
		if (same((const char *)h + HEADER_SIZE, name)) {
			file->data = h + data;
			file->size = size;
			found = true;
		}
		at += (data + size + 3) & ~3ULL;
	}
	return found;
}
