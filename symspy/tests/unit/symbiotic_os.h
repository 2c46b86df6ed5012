/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The OS-neutral core's view of the host program that tests it.
 */
#ifndef SYMBIOTIC_OS_H
#define SYMBIOTIC_OS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))

__attribute__((format(printf, 1, 2)))
void fake_log(const char *fmt, ...);

#define symb_info(...)		fake_log(__VA_ARGS__)
#define symb_warn(...)		fake_log(__VA_ARGS__)

#define symb_cmpxchg(ptr, old, new)					\
	__sync_val_compare_and_swap(ptr, (__typeof__(*(ptr)))(old), new)
#define symb_index_nospec(i, n)	(i)
#define symb_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)

#endif /* SYMBIOTIC_OS_H */
