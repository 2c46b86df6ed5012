/* SPDX-License-Identifier: GPL-2.0 */
/* What symbiotic-policy.c has of QEMU. */
#ifndef FAKE_OSDEP_H
#define FAKE_OSDEP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

#endif /* FAKE_OSDEP_H */
