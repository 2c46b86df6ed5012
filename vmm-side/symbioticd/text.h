/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of others, who may mean harm, and numbers for people. */
#ifndef SYMBIOTICD_TEXT_H
#define SYMBIOTICD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES	4096ULL

/**
 * text_escape - make a text printable ASCII: \n, \\, \x1b
 * @to: the result, always terminated; what has no room is left out
 * @size: bytes of @to, at least 1
 * @from: the text, which may have any bytes
 * @len: bytes of it
 */
void text_escape(char *to, size_t size, const char *from, size_t len);

/**
 * text_bytes - a number of bytes from text: 4096, 64K, 1.5G, 2T
 * @text: the text
 * @bytes: the number
 *
 * Returns: whether it is one, below 2^62
 */
bool text_bytes(const char *text, uint64_t *bytes);

/**
 * text_size - pages as people read them: 0, 64M, 1.5G, "all"
 * @to: the result
 * @size: bytes of @to
 * @pages: how many; beyond 2^50 it is "all"
 *
 * Returns: @to
 */
char *text_size(char *to, size_t size, uint64_t pages);

#endif /* SYMBIOTICD_TEXT_H */
