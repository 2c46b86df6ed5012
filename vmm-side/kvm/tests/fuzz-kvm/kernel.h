/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the host's kernel says.
 */
#ifndef KERNEL_H
#define KERNEL_H

void kernel_begin(void);
/* The first line of trouble in what it has said since the last time; NULL if none. */
const char *kernel_trouble(void);
/* Text into a file, if that can be. */
void write_to(const char *file, const char *text);

#endif /* KERNEL_H */
