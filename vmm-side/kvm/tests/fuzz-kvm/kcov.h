/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where KVM has been while kvm_fuzz is running.
 */
#ifndef KCOV_H
#define KCOV_H

#include <stdbool.h>

extern bool kcov_wanted;

/* From now on, for this thread; nothing if there is no KCOV. */
void kcov_begin(void);
/* What was new since the last time is counted in shared->news. */
void kcov_collect(void);

#endif /* KCOV_H */
