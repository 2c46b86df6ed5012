/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lack of memory in the host of kvm_fuzz.
 */
#ifndef PRESSURE_H
#define PRESSURE_H

#include <stdbool.h>

/* This process's memory is its own memory cgroup's from now on; false if there are none. */
bool pressure_begin(void);
/* Some of that is taken; @size: 0 to 4. */
bool reclaim(unsigned int size);

#endif /* PRESSURE_H */
