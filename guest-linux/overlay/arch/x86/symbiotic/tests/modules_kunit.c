// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests: the states of an offer, and what the guest makes of a VMM's words. They
 * need no symbiotic VMM.
 */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "../modules.h"

#define COOKIE	0x1234567890abcdefULL
#define GPA	0x8000000000ULL
#define LIMIT	SZ_1M
#define BITS	40

/* ---- States --------------------------------------------------------------- */

static void modules_test_lane(struct kunit *test)
{
	struct symb_lane lane = { };

	/* Nothing to start, to end, or to be late with. */
	KUNIT_EXPECT_FALSE(test, symb_lane_start(&lane, 0));
	KUNIT_EXPECT_FALSE(test, symb_lane_overdue(&lane));
	KUNIT_EXPECT_FALSE(test, symb_lane_awake(&lane));

	/* One at a time, whoever queues it. */
	KUNIT_EXPECT_TRUE(test, symb_lane_queue(&lane, 3));
	KUNIT_EXPECT_FALSE(test, symb_lane_queue(&lane, 3));
	KUNIT_EXPECT_FALSE(test, symb_lane_queue(&lane, 0));
	KUNIT_EXPECT_TRUE(test, symb_lane_awake(&lane));
	KUNIT_EXPECT_FALSE(test, symb_lane_overdue(&lane));

	/* Started once, and as it was queued. */
	KUNIT_EXPECT_FALSE(test, symb_lane_start(&lane, 0));
	KUNIT_EXPECT_TRUE(test, symb_lane_start(&lane, 3));
	KUNIT_EXPECT_FALSE(test, symb_lane_start(&lane, 3));
	KUNIT_EXPECT_FALSE(test, symb_lane_queue(&lane, 3));
	KUNIT_EXPECT_TRUE(test, symb_lane_awake(&lane));

	/* Late once; the machine may sleep then, but nobody else has a turn. */
	KUNIT_EXPECT_TRUE(test, symb_lane_overdue(&lane));
	KUNIT_EXPECT_FALSE(test, symb_lane_overdue(&lane));
	KUNIT_EXPECT_FALSE(test, symb_lane_awake(&lane));
	KUNIT_EXPECT_FALSE(test, symb_lane_queue(&lane, 1));
	KUNIT_EXPECT_FALSE(test, symb_lane_start(&lane, 3));
	KUNIT_EXPECT_EQ(test, symb_lane_end(&lane), SYMB_LANE_OVERDUE);

	/* Over: the next one. */
	KUNIT_EXPECT_FALSE(test, symb_lane_overdue(&lane));
	KUNIT_EXPECT_TRUE(test, symb_lane_queue(&lane, 0));
	KUNIT_EXPECT_TRUE(test, symb_lane_start(&lane, 0));
	KUNIT_EXPECT_EQ(test, symb_lane_end(&lane), SYMB_LANE_RUNNING);
	KUNIT_EXPECT_EQ(test, symb_lane_end(&lane), SYMB_LANE_IDLE);
}

/* ---- Places --------------------------------------------------------------- */

static const struct place {
	const char *name;
	u64 cookie, gpa, size;
	int ret;
} places[] = {
	{ "right", COOKIE, GPA, 2 * SZ_4K, 0 },
	{ "header alone", COOKIE, GPA, SZ_4K, 0 },
	{ "as big as may be", COOKIE, GPA, SZ_1M + SZ_4K, 0 },
	{ "a page too big", COOKIE, GPA, SZ_1M + 2 * SZ_4K, -EFBIG },
	{ "nearly all there is", COOKIE, SZ_4K, -8192ULL, -EFBIG },
	{ "up to the end", COOKIE, (1ULL << BITS) - SZ_1M, SZ_1M, 0 },
	{ "beyond the end", COOKIE, (1ULL << BITS) - SZ_4K, SZ_1M, -EINVAL },
	{ "behind the end", COOKIE, 1ULL << BITS, SZ_4K, -EINVAL },
	{ "at the very top", COOKIE, -4096ULL, SZ_4K, -EINVAL },
	{ "no cookie", 0, GPA, SZ_4K, -EINVAL },
	{ "at 0", COOKIE, 0, SZ_4K, -EINVAL },
	{ "nothing", COOKIE, GPA, 0, -EINVAL },
	{ "less than a page", COOKIE, GPA, 4095, -EINVAL },
	{ "not whole pages", COOKIE, GPA, 4097, -EINVAL },
	{ "not at a page", COOKIE, GPA + 8, SZ_4K, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(place, places, name);

static void modules_test_place(struct kunit *test)
{
	const struct place *p = test->param_value;
	struct symb_module_request req = {
		.cookie = p->cookie, .gpa = p->gpa, .size = p->size,
	};

	KUNIT_EXPECT_EQ(test, symb_offer_place(&req, LIMIT, BITS), p->ret);
}

/* ---- Headers -------------------------------------------------------------- */

#define SPOIL(name, code) static void name(struct symb_module_offer *o) { code; }

SPOIL(nothing, (void)o)
SPOIL(magic, o->magic++)
SPOIL(ones, memset(o, 0xff, sizeof(*o)))
SPOIL(cookie, o->cookie++)
SPOIL(op, o->op = 3)
SPOIL(op0, o->op = 0)
SPOIL(reserved, o->reserved = 1)
SPOIL(pad, o->pad[sizeof(o->pad) - 1] = 1)
SPOIL(size0, o->size = 0)
SPOIL(size_more, o->size = SZ_4K + 1)
SPOIL(size_limit, o->size = LIMIT + 1)
SPOIL(size_huge, o->size = ~0ULL)
SPOIL(no_name, memset(o->name, 0, sizeof(o->name)))
SPOIL(name_open, memset(o->name, 'x', sizeof(o->name)))
SPOIL(name_long, memset(o->name, 'x', sizeof(o->name) - 1))
SPOIL(name_slash, o->name[1] = '/')
SPOIL(name_latin, o->name[1] = 0xe4)
SPOIL(name_tail, o->name[20] = 'x')
SPOIL(args_none, { memset(o->args, 0, sizeof(o->args)); o->args_len = 0; })
SPOIL(args_full, { memset(o->args, 'a', 1023); o->args_len = 1023; })
SPOIL(args_open, { memset(o->args, 'a', 1024); o->args_len = 1024; })
SPOIL(args_long, o->args_len = ~0U)
SPOIL(args_nul, o->args[1] = 0)
SPOIL(args_tail, o->args[100] = 'x')
SPOIL(args_short, o->args_len--)
SPOIL(unload_size, o->op = SYMB_MODULE_UNLOAD)

static const struct header {
	const char *name;
	void (*spoil)(struct symb_module_offer *o);
	int ret;
} headers[] = {
	{ "right", nothing, 0 },
	{ "gone", magic, -ENODATA },
	{ "unmapped", ones, -ENODATA },
	{ "another offer", cookie, -EINVAL },
	{ "operation of the future", op, -EOPNOTSUPP },
	{ "no operation", op0, -EOPNOTSUPP },
	{ "reserved field", reserved, -EINVAL },
	{ "last byte of the page", pad, -EINVAL },
	{ "size 0", size0, -EINVAL },
	{ "more than its memory", size_more, -EINVAL },
	{ "over the limit", size_limit, -EFBIG },
	{ "size of all ones", size_huge, -EFBIG },
	{ "no name", no_name, -EINVAL },
	{ "name without an end", name_open, -EINVAL },
	{ "longest name", name_long, 0 },
	{ "path for a name", name_slash, -EINVAL },
	{ "name that is not ASCII", name_latin, -EINVAL },
	{ "something behind the name", name_tail, -EINVAL },
	{ "no arguments", args_none, 0 },
	{ "longest arguments", args_full, 0 },
	{ "arguments without an end", args_open, -EINVAL },
	{ "arguments of 4 GiB", args_long, -EINVAL },
	{ "NUL in the arguments", args_nul, -EINVAL },
	{ "something behind the arguments", args_tail, -EINVAL },
	{ "arguments longer than they say", args_short, -EINVAL },
	{ "unloading with a module", unload_size, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(header, headers, name);

static void modules_test_header(struct kunit *test)
{
	const struct header *h = test->param_value;
	struct symb_module_request req = {
		.cookie = COOKIE, .gpa = GPA, .size = SYMB_MODULE_DATA + SZ_4K,
	};
	struct symb_module_offer *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, o);
	o->magic = SYMB_MODULE_MAGIC;
	o->op = SYMB_MODULE_LOAD;
	o->cookie = COOKIE;
	o->size = 100;
	strscpy(o->name, "nvme-core_2");
	strscpy(o->args, "a=1 b=\"x y\"");
	o->args_len = strlen(o->args);
	h->spoil(o);
	KUNIT_EXPECT_EQ(test, symb_offer_check(o, &req, LIMIT), h->ret);
}

static void modules_test_unload(struct kunit *test)
{
	struct symb_module_request req = {
		.cookie = COOKIE, .gpa = GPA, .size = SYMB_MODULE_DATA,
	};
	struct symb_module_offer *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, o);
	o->magic = SYMB_MODULE_MAGIC;
	o->op = SYMB_MODULE_UNLOAD;
	o->cookie = COOKIE;
	strscpy(o->name, "nvme");
	KUNIT_EXPECT_EQ(test, symb_offer_check(o, &req, LIMIT), 0);
	o->args[0] = 'f';
	o->args_len = 1;
	KUNIT_EXPECT_EQ(test, symb_offer_check(o, &req, LIMIT), -EINVAL);
	o->args[0] = 0;
	o->args_len = 0;
	req.size += SZ_4K;
	KUNIT_EXPECT_EQ(test, symb_offer_check(o, &req, LIMIT), -EINVAL);
}

static struct kunit_case modules_cases[] = {
	KUNIT_CASE(modules_test_lane),
	KUNIT_CASE_PARAM(modules_test_place, place_gen_params),
	KUNIT_CASE_PARAM(modules_test_header, header_gen_params),
	KUNIT_CASE(modules_test_unload),
	{ }
};

static struct kunit_suite modules_suite = {
	.name = "symbiotic-modules",
	.test_cases = modules_cases,
};

kunit_test_suite(modules_suite);

MODULE_DESCRIPTION("KUnit tests of offers of modules");
MODULE_LICENSE("GPL");
