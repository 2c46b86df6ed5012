/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The OS-neutral core's view of Linux; <symbiotic/port.h> says what it needs.
 */
#ifndef _SYMBIOTIC_OS_H
#define _SYMBIOTIC_OS_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/nospec.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/types.h>

#include <asm/barrier.h>

#define symb_info(fmt, ...)		pr_info("symbiotic: " fmt, ##__VA_ARGS__)
#define symb_warn(fmt, ...)		pr_warn("symbiotic: " fmt, ##__VA_ARGS__)
#define symb_cmpxchg(ptr, old, new)	cmpxchg(ptr, old, new)
#define symb_index_nospec(i, n)		array_index_nospec(i, n)
/* Pairs with whoever writes the page, as each use says. */
#define symb_rmb()			smp_rmb()

#endif /* _SYMBIOTIC_OS_H */
