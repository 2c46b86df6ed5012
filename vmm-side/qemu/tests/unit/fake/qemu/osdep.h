/* SPDX-License-Identifier: GPL-2.0 */
/* What our files without side effects on QEMU have of it. */
#ifndef FAKE_OSDEP_H
#define FAKE_OSDEP_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

#endif /* FAKE_OSDEP_H */
