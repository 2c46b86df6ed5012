/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of the host's memory the windows may have, by what is free and by how long
 * tasks wait for memory (PSI): a function of samples, without side effects.
 *
 * The budget is what the windows use and what is free beyond a reserve. It shrinks
 * faster than it grows: at once by up to a quarter for lack of memory, by an eighth when
 * tasks wait; by an eighth of the way up, and not within 10 s of such a wait.
 */
#ifndef SYMBIOTICD_BUDGET_H
#define SYMBIOTICD_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* No growth for so long after tasks have waited for memory. */
#define BUDGET_QUIET_MS		10000

/**
 * struct budget_limits - what the user has said
 * @min: pages that the windows may have in any case
 * @max: pages that they never have more than
 * @reserve: pages of the host that shall stay available
 * @pressure: percent of the time that tasks wait for memory, from which it is too much
 */
struct budget_limits {
	uint64_t min;
	uint64_t max;
	uint64_t reserve;
	unsigned int pressure;
};

/**
 * struct budget_sample - the host now
 * @now_ms: the time, from any start
 * @available: pages that could be had without swapping (MemAvailable)
 * @stall_us: time so far in which some task waited for memory (PSI, some, total)
 * @used: pages of their windows that guests say to use, and may, or could until lately
 * @granted: pages that they may use, as far as there is a limit to it
 * @found: of these, what is there already and was not known before
 */
struct budget_sample {
	int64_t now_ms;
	uint64_t available;
	uint64_t stall_us;
	uint64_t used;
	uint64_t granted;
	uint64_t found;
};

/**
 * struct budget - what is remembered; all zero at first
 * @pages: the budget
 * @percent: of the time between the last two samples, some task waited
 */
struct budget {
	bool started;
	bool waited;
	uint64_t pages;
	unsigned int percent;
	int64_t last_ms;
	int64_t waited_ms;
	uint64_t last_stall_us;
};

/**
 * budget_next - the budget from now on
 * @b: the budget
 * @l: the limits; @min is taken for @max if it is larger
 * @s: the sample
 *
 * The first budget is no less than what is granted, within the limits: whoever starts
 * again takes over what there is. What is found later has been taken long since: the
 * budget grows by that at once, as far as the host has it.
 *
 * Returns: pages
 */
uint64_t budget_next(struct budget *b, const struct budget_limits *l,
		     const struct budget_sample *s);

#endif /* SYMBIOTICD_BUDGET_H */
