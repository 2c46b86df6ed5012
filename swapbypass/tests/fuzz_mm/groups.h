/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: memory cgroups, and what is charged to them.
 */
#ifndef FUZZ_MM_GROUPS_H
#define FUZZ_MM_GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "program.h"

void groups_open(void);
bool machine_has_groups(void);
/* A process that is new is in the group of its parent, or, by -1, at home. */
bool machine_group_join(int group, pid_t pid);

long group_set(const struct step *s);
long group_reclaim(const struct step *s);
long group_remove(const struct step *s);

/* No limits any more. */
void groups_back(void);
/* With no process left: NULL, or what is still charged. */
const char *groups_memory_left(void);
const char *groups_swap_left(void);
/* It has been told, so that it is not told of every program from now on. */
void groups_forgive(void);

#endif /* FUZZ_MM_GROUPS_H */
