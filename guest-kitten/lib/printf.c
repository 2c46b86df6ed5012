// SPDX-License-Identifier: GPL-2.0
/*
 * Formatted output: what a kernel log needs of C's printf.
 */
#include <kitten/lib.h>

struct out {
	char *at;
	char *end;
};

struct spec {
	unsigned int width;
	unsigned int longs;
	bool zero;
	bool alt;
	bool left;
};

static void put(struct out *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

static void pad(struct out *o, unsigned int have, unsigned int want, char c)
{
	for (; have < want; have++)
		put(o, c);
}

static void put_text(struct out *o, const char *s, const struct spec *spec)
{
	unsigned int n;

	if (!s)
		s = "(null)";
	n = strlen(s);
	if (!spec->left)
		pad(o, n, spec->width, ' ');
	while (*s)
		put(o, *s++);
	if (spec->left)
		pad(o, n, spec->width, ' ');
}

static void put_number(struct out *o, u64 v, unsigned int base, bool minus,
		       const struct spec *spec)
{
	const char *prefix = minus ? "-" : spec->alt && base == 16 ? "0x" : "";
	unsigned int plen = strlen(prefix);
	char digits[24];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);

	if (!spec->left && !spec->zero)
		pad(o, n + plen, spec->width, ' ');
	while (*prefix)
		put(o, *prefix++);
	if (!spec->left && spec->zero)
		pad(o, n + plen, spec->width, '0');
	for (unsigned int i = n; i--; )
		put(o, digits[i]);
	if (spec->left)
		pad(o, n + plen, spec->width, ' ');
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	for (;; fmt++) {
		if (*fmt == '#')
			spec->alt = true;
		else if (*fmt == '0')
			spec->zero = true;
		else if (*fmt == '-')
			spec->left = true;
		else
			break;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		spec->width = spec->width * 10 + (*fmt - '0');
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		spec->longs++;
	return fmt;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .at = buf, .end = size ? buf + size - 1 : buf };
	struct spec spec;
	s64 v;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec);
		switch (*fmt) {
		case 'd':
			v = spec.longs ? va_arg(args, s64) : va_arg(args, s32);
			put_number(&o, v < 0 ? -(u64)v : (u64)v, 10, v < 0,
				   &spec);
			break;
		case 'p':
			spec.alt = true;
			spec.longs = 1;
			fallthrough;
		case 'u':
		case 'x':
			put_number(&o, spec.longs ? va_arg(args, u64) :
				   va_arg(args, u32), *fmt == 'u' ? 10 : 16,
				   false, &spec);
			break;
		case 'c':
			put(&o, (char)va_arg(args, int));
			break;
		case 's':
			put_text(&o, va_arg(args, const char *), &spec);
			break;
		case '\0':
			/* A lone % at the end. */
			fmt--;
			break;
		default:
			put(&o, *fmt);
		}
	}

	if (size)
		*o.at = '\0';
	return o.at - buf;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
