/* SPDX-License-Identifier: GPL-2.0 */
/* What noiommu.h has of QEMU. The build machine is little endian. */
#ifndef FAKE_BSWAP_H
#define FAKE_BSWAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

static inline uint16_t cpu_to_le16(uint16_t val)
{
	return val;
}

#endif /* FAKE_BSWAP_H */
