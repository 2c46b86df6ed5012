/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: what the kernel says.
 */
#ifndef FUZZ_MM_LOG_H
#define FUZZ_MM_LOG_H

/* From now on. */
void log_open(void);
/* NULL, or a line of it since the last call that says that the kernel is unwell. */
const char *machine_log(void);

#endif /* FUZZ_MM_LOG_H */
