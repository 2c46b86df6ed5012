/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Strings, formatted output, the end of the machine.
 */
#ifndef KITTEN_LIB_H
#define KITTEN_LIB_H

#include <stdarg.h>
#include <kitten/types.h>

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/**
 * copy_name() - copy text into a field of fixed size, always NUL terminated
 * @dst: the field
 * @src: the text
 * @size: of the field
 */
void copy_name(char *dst, const char *src, size_t size);

/**
 * vscnprintf() - format text into a buffer
 * @buf: NUL terminated if @size is not 0
 * @size: of @buf
 * @fmt: as in C, with d u x c s p and the flags # 0 - l ll z and a width
 * @args: for @fmt
 *
 * Return: characters written without the NUL.
 */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list args);

/* The same with the arguments behind it. */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/**
 * kprintf() - one message to the console, with the time in front of each line
 * @fmt: as for vscnprintf()
 *
 * Context: any but a symcall; the console is locked while a line goes out.
 */
void kprintf(const char *fmt, ...) __printf(1, 2);

/**
 * panic() - report and end the machine
 * @fmt: what is wrong
 */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

#define BUG_ON(cond)							\
	do {								\
		if (__builtin_expect(!!(cond), 0))			\
			panic("%s:%d: %s", __FILE__, __LINE__, #cond);	\
	} while (0)

#endif /* KITTEN_LIB_H */
