/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: accesses that may fail.
 */
#ifndef FUZZ_MM_PROBE_H
#define FUZZ_MM_PROBE_H

#include <stdint.h>

#include "worker.h"

/* From now on signals of accesses are expected; others are a find, and the end. */
void probe_open(void);

/* 0, or 1 if there was a signal. */
int probe_read(const void *p, uint64_t *val);
int probe_write(void *p, uint64_t val);

/* A whole page, as it is. */
void look_at(const void *page, struct page_seen *seen);

#endif /* FUZZ_MM_PROBE_H */
