/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: what this machine has not got. A kind of step that needs it is left out, and
 * that is said.
 */
#ifndef FUZZ_MM_FACILITY_H
#define FUZZ_MM_FACILITY_H

#include <stdbool.h>

#include "program.h"

/* Such steps are left out, whatever there is. */
void facility_leave_out(enum op op);
/* Looks for all of it. After machine_open(). */
void facility_open(bool disk);
/* Why a kind of step is not possible here, or NULL. */
const char *facility_lacks(enum op op);

#endif /* FUZZ_MM_FACILITY_H */
