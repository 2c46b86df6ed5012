/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to arch/x86/symbiotic: modules that the VMM brings, see modules.c.
 */
#ifndef _X86_SYMBIOTIC_MODULES_H
#define _X86_SYMBIOTIC_MODULES_H

#include <linux/types.h>

#include <symbiotic/abi.h>

/**
 * struct symb_module_request - what a symcall has said of an offer
 * @cookie: the VMM's name for it
 * @gpa: where it is
 * @size: of that memory
 */
struct symb_module_request {
	u64 cookie;
	u64 gpa;
	u64 size;
};

/*
 * What becomes of offers, one at a time. Any number above 0: one is queued, by the CPU
 * with the number below.
 */
#define SYMB_LANE_IDLE		0
#define SYMB_LANE_RUNNING	-1	/* a thread is at it */
#define SYMB_LANE_OVERDUE	-2	/* ... for too long, which the VMM was told */

/**
 * struct symb_lane - the state of the only offer
 * @state: SYMB_LANE_*
 */
struct symb_lane {
	int state;
};

/* offer.c */
bool symb_lane_queue(struct symb_lane *lane, unsigned int cpu);
bool symb_lane_start(struct symb_lane *lane, unsigned int cpu);
bool symb_lane_overdue(struct symb_lane *lane);
int symb_lane_end(struct symb_lane *lane);
bool symb_lane_awake(struct symb_lane *lane);
int symb_offer_place(const struct symb_module_request *req, u64 limit,
		     unsigned int phys_bits);
int symb_offer_check(const struct symb_module_offer *offer,
		     const struct symb_module_request *req, u64 limit);

#ifdef CONFIG_SYMBIOTIC_MODULES

/* modules.c */
bool symb_modules_wanted(void);
void symb_modules_on(void);

#else

static inline bool symb_modules_wanted(void)
{
	return false;
}

static inline void symb_modules_on(void) { }

#endif /* CONFIG_SYMBIOTIC_MODULES */

#endif /* _X86_SYMBIOTIC_MODULES_H */
