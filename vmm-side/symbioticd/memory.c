// SPDX-License-Identifier: GPL-2.0
/* Is there enough memory for what follows? */
#include <malloc.h>
#include <stdlib.h>

#include "memory.h"

void memory_keep(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

bool memory_has(size_t bytes)
{
	/* A compiler leaves out what it sees to be without effect. */
	void *volatile all = malloc(bytes);

	if (!all)
		return false;
	free(all);
	return true;
}
