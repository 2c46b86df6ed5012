// SPDX-License-Identifier: GPL-2.0
/*
 * Memory and strings. The string instructions do the work, in words of eight
 * bytes: real processors do not care, emulated ones are much faster.
 */
#include <kitten/lib.h>

void *memset(void *dst, int c, size_t n)
{
	u64 word = (u8)c * 0x0101010101010101ULL, words = n / 8;
	void *d = dst;

	n %= 8;
	asm volatile("rep stosq" : "+D" (d), "+c" (words) : "a" (word)
		     : "memory");
	asm volatile("rep stosb" : "+D" (d), "+c" (n) : "a" (word) : "memory");
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;
	u64 words = n / 8;

	n %= 8;
	asm volatile("rep movsq" : "+D" (d), "+S" (src), "+c" (words)
		     :: "memory");
	asm volatile("rep movsb" : "+D" (d), "+S" (src), "+c" (n)
		     :: "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, ~0UL);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~0UL);
}

void copy_name(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size - 1);

	memcpy(dst, src, n);
	memset(dst + n, 0, size - n);
}
