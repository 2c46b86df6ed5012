/* SPDX-License-Identifier: GPL-2.0 */
/* What the host's kernel says of its memory. */
#ifndef SYMBIOTICD_HOST_H
#define SYMBIOTICD_HOST_H

#include <stdint.h>

/**
 * struct host_memory - the host now
 * @total: pages
 * @available: pages that could be had without swapping
 * @stall_us: time so far in which some task waited for memory; 0 where that is not counted
 */
struct host_memory {
	uint64_t total;
	uint64_t available;
	uint64_t stall_us;
};

/**
 * host_read - ask the kernel
 * @proc: where procfs is
 * @m: the answer
 *
 * Returns: 0, -errno, or -EBADMSG if it says something else
 */
int host_read(const char *proc, struct host_memory *m);

/**
 * host_trigger - have the kernel wake us when tasks wait for memory
 * @proc: where procfs is
 * @percent: of two seconds, from which on
 *
 * It takes CAP_SYS_RESOURCE before Linux 6.4. Whoever has it only hears of it sooner:
 * the amount is in host_read().
 *
 * Returns: a descriptor to be polled for POLLPRI, or -errno
 */
int host_trigger(const char *proc, unsigned int percent);

#endif /* SYMBIOTICD_HOST_H */
