/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: CPUs come and go, and the machine goes to sleep, as far as the kernel's tests
 * of that go: it wakes by itself.
 */
#ifndef FUZZ_MM_POWER_H
#define FUZZ_MM_POWER_H

#include <stdbool.h>

#define PM_TEST		"/sys/power/pm_test"

void power_open(void);
/* 0 or -errno. @nr: from 1 on, whatever CPUs there are. */
long power_cpu(int nr, bool online);
/* Down to that level and back: a word of PM_TEST. */
long power_suspend(const char *level);
/* The same for an image, down to where that would be made; there is memory for it then. */
long power_hibernate(void);
/* As at the start. */
void power_back(void);

#endif /* FUZZ_MM_POWER_H */
