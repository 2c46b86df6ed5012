// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests: what the guest makes of the VMM's word on paging, and what it tells.
 */
#include <kunit/test.h>
#include <linux/sched.h>
#include <linux/symbiotic.h>

#include "../paging.h"

static const struct word {
	const char *name;
	u64 state;
	unsigned int mode;
} words[] = {
	{ "nothing", 0, SYMB_PAGING_UNKNOWN },
	{ "nested", 1, SYMB_PAGING_NESTED },
	{ "shadow, may switch", SYMSPY_PAGING_MAY_SWITCH | 2, SYMB_PAGING_SHADOW },
	{ "after many switches", 0xffffffff00000101, SYMB_PAGING_NESTED },
	{ "a mode of the future", 3, SYMB_PAGING_UNKNOWN },
	{ "all bits", ~0ULL, SYMB_PAGING_UNKNOWN },
};

KUNIT_ARRAY_PARAM_DESC(word, words, name);

static void paging_test_mode(struct kunit *test)
{
	const struct word *w = test->param_value;

	KUNIT_EXPECT_EQ(test, paging_mode_of(w->state), w->mode);
}

/* The VMM's word is not touched, and the counters go up. */
static void paging_test_report(struct kunit *test)
{
	struct symspy_paging *spy = kunit_kzalloc(test, sizeof(*spy), GFP_KERNEL);
	u64 first, second;

	KUNIT_ASSERT_NOT_NULL(test, spy);
	spy->state = 0x1234;
	symbiotic_count_window_reads(0);
	first = paging_report(spy);
	KUNIT_EXPECT_EQ(test, spy->state, 0x1234);
	KUNIT_EXPECT_LE(test, spy->wish, SYMB_PAGING_SHADOW);
	KUNIT_EXPECT_GT(test, spy->forks, 0);
	KUNIT_EXPECT_GT(test, spy->switches, 0);
	KUNIT_EXPECT_EQ(test, first, spy->swap_ins + spy->faults + spy->forks + spy->switches);

	symbiotic_count_window_reads(3);
	schedule_timeout_uninterruptible(1);
	second = paging_report(spy);
	KUNIT_EXPECT_GE(test, second, first + 4);
	KUNIT_EXPECT_GE(test, spy->swap_ins, 3);
}

static struct kunit_case paging_cases[] = {
	KUNIT_CASE_PARAM(paging_test_mode, word_gen_params),
	KUNIT_CASE(paging_test_report),
	{ }
};

static struct kunit_suite paging_suite = {
	.name = "symbiotic-paging",
	.test_cases = paging_cases,
};

kunit_test_suite(paging_suite);

MODULE_DESCRIPTION("KUnit tests of what guest and VMM say of paging");
MODULE_LICENSE("GPL");
