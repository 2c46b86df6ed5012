/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fuzzers have in common. The input is a list of choices; where it has ended, all
 * are 0, which each fuzzer takes for "all is well". So short inputs are short lies.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *fuzz_data;
static size_t fuzz_left;

__attribute__((unused))
static void fuzz_begin(const uint8_t *data, size_t size)
{
	fuzz_data = data;
	fuzz_left = size;
}

__attribute__((unused))
static uint8_t fuzz_byte(void)
{
	if (!fuzz_left)
		return 0;
	fuzz_left--;
	return *fuzz_data++;
}

/* Little endian; @n up to 8. */
__attribute__((unused))
static uint64_t fuzz_bytes(unsigned int n)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)fuzz_byte() << 8 * i;
	return v;
}

/* Another value than @v of @n bytes: one bit or all of them are different. */
__attribute__((unused))
static uint64_t fuzz_other(uint64_t v, unsigned int n)
{
	uint8_t how = fuzz_byte();

	return how < 64 ? v ^ 1ULL << how % (8 * n) : fuzz_bytes(n);
}

/* The oracle: what must hold. */
#define MUST(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();					\
		}							\
	} while (0)

#endif /* FUZZ_H */
