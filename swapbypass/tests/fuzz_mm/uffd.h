/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: userfaultfd, and what is newer than the headers of the C library.
 */
#ifndef FUZZ_MM_UFFD_H
#define FUZZ_MM_UFFD_H

#include <linux/userfaultfd.h>
#include <stdint.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE	(1 << 16)
#endif
#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffd_move)

struct uffd_move {
	uint64_t dst, src, len, mode;
	int64_t move;
};
#else
#define uffd_move uffdio_move
#endif

/* Why a process cannot have these features: an errno, or 0. */
int uffd_lacks(uint64_t features);

#endif /* FUZZ_MM_UFFD_H */
