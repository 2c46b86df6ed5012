/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the cases of bypass_rules share: pages that were used through the bypass,
 * what may be done to them, and the kernel's options for tests.
 */
#ifndef BYPASS_RULES_TEST_H
#define BYPASS_RULES_TEST_H

#include "case.h"
#include "common.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25	/* newer than Debian 12's headers */
#endif

/* Bits of stall_hooks; enum symbiotic_bypass_hook in the guest kernel. */
#define STALL_VMA	(1U << 0)
#define STALL_ZAP	(1U << 1)
#define STALL_READ	(1U << 4)
#define STALL_MS	300

extern bool expect_bypass;

void verify_zero(const char *what, const char *p);
/* All pages were just touched: are they still swapped out for the kernel? */
void must_be_bypassed(const char *what, const char *p);
/* Pages with content (@id, 2), swapped out, and written through the bypass. */
char *bypassed(uint64_t id);

/* Only one thread of a case uses these. */
bool can_write(volatile uint64_t *p, uint64_t val);
void no_write(const char *what, char *p);
void no_read(const char *what, char *p);

/* The kernel waits in these hooks when this process comes by. */
void stall(unsigned int hooks);

/* Nearly all that is free, but not for hours: use a small device. */
size_t swap_free_pages(void);
void fill_and_page_out(char *p, size_t pages, uint64_t id, uint64_t seq);

extern const struct test_case bypass_rules_vma[], bypass_rules_zap[], bypass_rules_read[];
extern const struct test_case bypass_rules_race[], bypass_rules_step[];

#endif /* BYPASS_RULES_TEST_H */
