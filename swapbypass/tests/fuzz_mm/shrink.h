/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: makes a program that finds something smaller.
 */
#ifndef FUZZ_MM_SHRINK_H
#define FUZZ_MM_SHRINK_H

#include "run.h"

/*
 * @p finds something, at @find. @known: what earlier attempts have come to, a letter for
 * each, from another boot that did not survive the last one: `y` it still finds
 * something, `n` it does not. Until @end_ms, or until an attempt leaves a machine in
 * which nothing more can be tried.
 */
void shrink(struct program *p, struct find *find, const char *known, uint64_t end_ms);

#endif /* FUZZ_MM_SHRINK_H */
