/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the host's kernel says, and what it has in use.
 */
#ifndef KERNEL_H
#define KERNEL_H

/* With no VM: pages of all, objects of KVM's. */
struct in_use {
	long pages;
	long objects;
};

void kernel_begin(void);
/* The first line of trouble in what it has said since the last time; NULL if none. */
const char *kernel_trouble(void);
void kernel_in_use(struct in_use *used);
/* Text into a file, if that can be. */
void write_to(const char *file, const char *text);

#endif /* KERNEL_H */
