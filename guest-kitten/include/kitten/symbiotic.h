/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The symbiotic part, seen from the rest of the kernel.
 */
#ifndef KITTEN_SYMBIOTIC_H
#define KITTEN_SYMBIOTIC_H

#include <kitten/types.h>

struct lwk_machine;

/* Looks for the VMM; without one, nothing changes. The CPUs are idle. */
void symbiotic_init(void);

/* Takes everything back before the machine ends. */
void symbiotic_exit(void);

/* Fills in the symbiotic fields. */
void symbiotic_info(struct lwk_machine *m);

#endif /* KITTEN_SYMBIOTIC_H */
