// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the symcall dispatcher and of the handler behind the entry
 * code. They need no VMM: the handler is called like any function, which is
 * as good a context to interrupt as any other.
 */
#include <kunit/test.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include <symbiotic/port.h>
#include <symbiotic/symcall.h>

#include "../symbiotic.h"

/* A number that nobody uses. */
#define TEST_NR		0x1f0

struct dispatch_case {
	const char *name;
	u64 nr;
	int ret;
	u64 rbx;
};

static const struct dispatch_case dispatch_cases[] = {
	{ "test", SYMCALL_TEST, 0, 12 },
	{ "null", SYMCALL_NULL, 0, 11 },
	{ "zero", 0, SYMCALL_ERR_NOSYS, 11 },
	{ "free number", TEST_NR, SYMCALL_ERR_NOSYS, 11 },
	{ "last number", SYMCALL_NR_MAX - 1, SYMCALL_ERR_NOSYS, 11 },
	{ "too big", SYMCALL_NR_MAX, SYMCALL_ERR_NOSYS, 11 },
	{ "only the low half is known", 1ULL << 32 | SYMCALL_TEST,
	  SYMCALL_ERR_NOSYS, 11 },
	{ "negative", ~0ULL, SYMCALL_ERR_NOSYS, 11 },
};

static void dispatch_desc(const struct dispatch_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(dispatch, dispatch_cases, dispatch_desc);

static void dispatch_test(struct kunit *test)
{
	const struct dispatch_case *c = test->param_value;
	struct symcall_regs regs = { c->nr, 11, 12, 13, 14, 15 };

	KUNIT_EXPECT_EQ(test, symcall_dispatch(&regs), c->ret);
	KUNIT_EXPECT_EQ(test, regs.rbx, c->rbx);
	KUNIT_EXPECT_EQ(test, regs.rcx, 12);
	KUNIT_EXPECT_EQ(test, regs.rdx, 13);
	KUNIT_EXPECT_EQ(test, regs.rsi, 14);
	KUNIT_EXPECT_EQ(test, regs.rdi, 15);
}

static void who_test(struct kunit *test)
{
	struct symcall_regs regs = { SYMCALL_WHO };
	char comm[16];

	KUNIT_EXPECT_EQ(test, symcall_dispatch(&regs), 0);
	KUNIT_EXPECT_EQ(test, regs.rbx, (u64)task_pid_nr(current));
	memcpy(comm, &regs.rcx, 8);
	memcpy(comm + 8, &regs.rdx, 8);
	KUNIT_EXPECT_EQ(test, memcmp(comm, current->comm, sizeof(comm)), 0);
	KUNIT_EXPECT_EQ(test, regs.rsi, 0);
}

static int context;

static int context_handler(struct symcall_regs *regs)
{
	context = (in_nmi() ? 1 : 0) | (irqs_disabled() ? 2 : 0) |
		  (this_cpu_read(symb_cpu.active) ? 4 : 0);
	regs->rbx = 0x5359;
	return regs->rcx;
}

static void register_test(struct kunit *test)
{
	struct symcall_regs regs = { TEST_NR };

	KUNIT_ASSERT_EQ(test, symcall_register(TEST_NR, context_handler), 0);
	KUNIT_EXPECT_EQ(test, symcall_register(TEST_NR, context_handler),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, symcall_dispatch(&regs), 0);
	KUNIT_EXPECT_EQ(test, regs.rbx, 0x5359);
	symcall_unregister(TEST_NR);
	KUNIT_EXPECT_EQ(test, symcall_dispatch(&regs), SYMCALL_ERR_NOSYS);

	KUNIT_EXPECT_EQ(test, symcall_register(SYMCALL_NR_MAX,
					       context_handler), -EINVAL);
	KUNIT_EXPECT_EQ(test, symcall_register(TEST_NR, NULL), -EINVAL);
}

/* What the entry code calls: context, counters and error codes. */
static void handler_test(struct kunit *test)
{
	struct symcall_regs regs = { TEST_NR };
	unsigned long calls, errors, flags;
	int ret_ok, ret_err, ret_unknown;

	KUNIT_ASSERT_EQ(test, symcall_register(TEST_NR, context_handler), 0);

	local_irq_save(flags);
	calls = this_cpu_read(symb_cpu.calls);
	errors = this_cpu_read(symb_cpu.errors);
	regs.rcx = 0;
	ret_ok = symb_symcall(&regs);
	regs.rcx = SYMCALL_ERR_BUSY;
	ret_err = symb_symcall(&regs);
	regs.rax = TEST_NR + 1;
	ret_unknown = symb_symcall(&regs);
	calls = this_cpu_read(symb_cpu.calls) - calls;
	errors = this_cpu_read(symb_cpu.errors) - errors;
	local_irq_restore(flags);

	symcall_unregister(TEST_NR);

	KUNIT_EXPECT_EQ(test, ret_ok, 0);
	KUNIT_EXPECT_EQ(test, ret_err, SYMCALL_ERR_BUSY);
	KUNIT_EXPECT_EQ(test, ret_unknown, SYMCALL_ERR_NOSYS);
	KUNIT_EXPECT_EQ(test, context, 7);
	KUNIT_EXPECT_GE(test, calls, 3);
	KUNIT_EXPECT_EQ(test, errors, 2);
	KUNIT_EXPECT_FALSE(test, in_nmi());
}

/* An abort could not be told there: nothing is done, and nothing is to be undone. */
static void nmi_test(struct kunit *test)
{
	struct symcall_regs regs = { SYMCALL_TEST, 11 };
	unsigned long calls, flags;
	bool active;
	int ret;

	local_irq_save(flags);
	calls = this_cpu_read(symb_cpu.calls);
	__preempt_count_add(NMI_OFFSET);
	ret = symb_symcall(&regs);
	__preempt_count_sub(NMI_OFFSET);
	calls = this_cpu_read(symb_cpu.calls) - calls;
	active = this_cpu_read(symb_cpu.active);
	local_irq_restore(flags);

	KUNIT_EXPECT_EQ(test, ret, SYMCALL_ERR_BUSY);
	KUNIT_EXPECT_EQ(test, regs.rbx, 11);
	KUNIT_EXPECT_EQ(test, calls, 0);
	KUNIT_EXPECT_FALSE(test, active);
	KUNIT_EXPECT_FALSE(test, in_nmi());
}

/* Features that no VMM has agreed to are off. */
static void features_test(struct kunit *test)
{
	u32 f = symbiotic_features();

	KUNIT_EXPECT_EQ(test, f & ~symb_state.vmm.offered, 0);
	if (symb_state.found) {
		KUNIT_EXPECT_EQ(test, f, 0);
		KUNIT_EXPECT_NULL(test, symspy_global_page());
		KUNIT_EXPECT_FALSE(test, symb_state.global.live);
	}
}

static struct kunit_case symcall_test_cases[] = {
	KUNIT_CASE_PARAM(dispatch_test, dispatch_gen_params),
	KUNIT_CASE(who_test),
	KUNIT_CASE(register_test),
	KUNIT_CASE(handler_test),
	KUNIT_CASE(nmi_test),
	KUNIT_CASE(features_test),
	{}
};

static struct kunit_suite symcall_test_suite = {
	.name = "symcall",
	.test_cases = symcall_test_cases,
};

kunit_test_suite(symcall_test_suite);
