/* SPDX-License-Identifier: GPL-2.0 */
/*
 * json-c (0.16) does not survive a lack of memory: it looks at the name of a member before
 * it knows that it has one. So before it begins, there is enough.
 */
#ifndef SYMBIOTICD_MEMORY_H
#define SYMBIOTICD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * memory_keep - from now on, what is freed stays ours
 */
void memory_keep(void);

/**
 * memory_has - is there so much, for what follows?
 * @bytes: in all, many allocations together; at most 32 MiB are sure to stay ours
 */
bool memory_has(size_t bytes);

#endif /* SYMBIOTICD_MEMORY_H */
