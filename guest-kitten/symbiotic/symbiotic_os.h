/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The OS-neutral core's view of this kernel; <symbiotic/port.h> says what it
 * needs.
 */
#ifndef SYMBIOTIC_OS_H
#define SYMBIOTIC_OS_H

#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/types.h>

#define symb_info(fmt, ...)	kprintf("symbiotic: " fmt, ##__VA_ARGS__)
#define symb_warn(fmt, ...)	kprintf("symbiotic: " fmt, ##__VA_ARGS__)

#define symb_cmpxchg(ptr, old, new)					\
	__sync_val_compare_and_swap(ptr, (__typeof__(*(ptr)))(old), new)

#define symb_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)

#define symb_index_nospec(i, n)	index_nospec(i, n)

#endif /* SYMBIOTIC_OS_H */
