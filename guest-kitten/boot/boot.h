/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to boot/.
 */
#ifndef BOOT_H
#define BOOT_H

#include <kitten/asm.h>
#include <kitten/types.h>

void pvh_read(u32 start_info_pa);

#endif /* BOOT_H */
