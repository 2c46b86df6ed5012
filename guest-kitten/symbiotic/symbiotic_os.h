/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The OS-neutral core's view of this kernel; <symbiotic/port.h> says what it
 * needs.
 */
#ifndef SYMBIOTIC_OS_H
#define SYMBIOTIC_OS_H

#include <kitten/lib.h>
#include <kitten/types.h>

#define symb_info(fmt, ...)	kprintf("symbiotic: " fmt, ##__VA_ARGS__)
#define symb_warn(fmt, ...)	kprintf("symbiotic: " fmt, ##__VA_ARGS__)

#define symb_cmpxchg(ptr, old, new)					\
	__sync_val_compare_and_swap(ptr, (__typeof__(*(ptr)))(old), new)

/* i if it is below n, else 0; by arithmetic that no speculation gets past. */
static inline u64 symb_index_nospec(u64 i, u64 n)
{
	u64 mask;

	asm volatile("cmpq %1, %2\n\tsbbq %0, %0"
		     : "=r" (mask) : "r" (n), "r" (i) : "cc");
	return i & mask;
}

#endif /* SYMBIOTIC_OS_H */
