/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The OS-neutral core's view of a fuzzer: as in unit tests, but before each read of
 * memory that somebody else writes, the fuzzer can change it. So a second read is
 * never sure to bring what the first one has.
 */
#include "../unit/symbiotic_os.h"

void fuzz_before_read(const volatile void *field, size_t size);

#undef READ_ONCE
#define READ_ONCE(x)							\
	({								\
		fuzz_before_read(&(x), sizeof(x));			\
		*(const volatile __typeof__(x) *)&(x);			\
	})
