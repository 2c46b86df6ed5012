/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lack of memory in the host of kvm_fuzz, and what is left of it.
 */
#ifndef PRESSURE_H
#define PRESSURE_H

#include <stdbool.h>

/* Bytes: of the kernel's, and of all. */
struct kept {
	long kernel;
	long all;
};

/* This process's memory is its own memory cgroup's from now on; false if there are none. */
bool pressure_begin(void);
/* Some of that is taken; @size: 0 to 4. */
bool reclaim(unsigned int size);
/* What that cgroup has, but for what caches hold; false if nobody tells. */
bool memory_kept(struct kept *kept);

#endif /* PRESSURE_H */
