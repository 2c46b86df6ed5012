// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the symcall dispatcher.
 */
#include <pthread.h>
#include <stdio.h>

#include <symbiotic/symcall.h>

#include "fake_vmm.h"

#define NR	0x123

static int call(struct symcall_regs *r, __u64 nr)
{
	*r = (struct symcall_regs){ nr, 11, 12, 13, 14, 15 };
	return symcall_dispatch(r);
}

static void test_builtin(void)
{
	struct symcall_regs r;
	char comm[17] = "";

	test_begin("TEST gives the arguments back, the first plus one");
	CHECK_EQ(call(&r, SYMCALL_TEST), 0);
	CHECK_EQ(r.rbx, 12);
	CHECK_EQ(r.rcx, 12);
	CHECK_EQ(r.rdx, 13);
	CHECK_EQ(r.rsi, 14);
	CHECK_EQ(r.rdi, 15);
	test_end();

	test_begin("NULL does nothing");
	CHECK_EQ(call(&r, SYMCALL_NULL), 0);
	CHECK_EQ(r.rbx, 11);
	CHECK_EQ(r.rdi, 15);
	test_end();

	test_begin("WHO");
	memset(&fake, 0, sizeof(fake));
	fake.who.pid = 4711;
	memcpy(fake.who.comm, "sixteen chars ok", 16);
	CHECK_EQ(call(&r, SYMCALL_WHO), 0);
	CHECK_EQ(r.rbx, 4711);
	memcpy(comm, &r.rcx, 8);
	memcpy(comm + 8, &r.rdx, 8);
	CHECK(!strcmp(comm, "sixteen chars ok"));
	CHECK_EQ(r.rsi, 0);
	CHECK_EQ(r.rdi, 0);
	fake.who.idle = true;
	CHECK_EQ(call(&r, SYMCALL_WHO), 0);
	CHECK_EQ(r.rsi, SYMCALL_WHO_IDLE);
	test_end();
}

static void test_unknown(void)
{
	static const __u64 nrs[] = {
		0, 2, SYMCALL_MEM_LOOKUP, SYMCALL_QUERY_BATCH, SYMCALL_SELFTEST,
		SYMCALL_NR_MAX - 1, SYMCALL_NR_MAX, SYMCALL_NR_MAX + 1,
		0xffffffff, 0x100000001ULL, 1ULL << 63, ~0ULL,
	};
	unsigned int i;

	test_begin("unknown numbers get an error");
	for (i = 0; i < ARRAY_SIZE(nrs); i++) {
		struct symcall_regs r;

		CHECK_EQ(call(&r, nrs[i]), SYMCALL_ERR_NOSYS);
	}
	test_end();
}

static int handler(struct symcall_regs *regs)
{
	regs->rbx = 0x5359;
	return 0;
}

static int failing(struct symcall_regs *regs)
{
	return SYMCALL_ERR_BUSY;
}

static void test_register(void)
{
	struct symcall_regs r;

	test_begin("register and unregister");
	fake.syncs = 0;
	CHECK_EQ(symcall_register(NR, handler), 0);
	CHECK_EQ(call(&r, NR), 0);
	CHECK_EQ(r.rbx, 0x5359);
	CHECK_EQ(symcall_register(NR, failing), -EBUSY);
	CHECK_EQ(call(&r, NR), 0);
	symcall_unregister(NR);
	CHECK_EQ(fake.syncs, 1);
	CHECK_EQ(call(&r, NR), SYMCALL_ERR_NOSYS);
	test_end();

	test_begin("the handler's error is passed on");
	CHECK_EQ(symcall_register(NR, failing), 0);
	CHECK_EQ(call(&r, NR), SYMCALL_ERR_BUSY);
	symcall_unregister(NR);
	test_end();

	test_begin("bad registrations");
	CHECK_EQ(symcall_register(SYMCALL_NR_MAX, handler), -EINVAL);
	CHECK_EQ(symcall_register(0xffffffff, handler), -EINVAL);
	CHECK_EQ(symcall_register(NR, NULL), -EINVAL);
	CHECK_EQ(symcall_register(SYMCALL_TEST, handler), -EBUSY);
	fake.syncs = 0;
	symcall_unregister(SYMCALL_NR_MAX);
	symcall_unregister(0xffffffff);
	CHECK_EQ(fake.syncs, 0);
	test_end();

	test_begin("the last number");
	CHECK_EQ(symcall_register(SYMCALL_NR_MAX - 1, handler), 0);
	CHECK_EQ(call(&r, SYMCALL_NR_MAX - 1), 0);
	symcall_unregister(SYMCALL_NR_MAX - 1);
	test_end();
}

/* Calls on one CPU while handlers come and go on another. */
static bool stop;

static void *caller(void *bad)
{
	while (!READ_ONCE(stop)) {
		struct symcall_regs r;
		int ret = call(&r, NR);

		if (!(ret == 0 && r.rbx == 0x5359) && ret != SYMCALL_ERR_NOSYS)
			*(int *)bad = 1;
	}
	return NULL;
}

static void test_concurrent(void)
{
	pthread_t thread;
	int bad = 0, i;

	test_begin("calls while handlers come and go");
	CHECK_EQ(pthread_create(&thread, NULL, caller, &bad), 0);
	for (i = 0; i < 100000; i++) {
		CHECK_EQ(symcall_register(NR, handler), 0);
		symcall_unregister(NR);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	CHECK_EQ(bad, 0);
	test_end();
}

int main(void)
{
	test_builtin();
	test_unknown();
	test_register();
	test_concurrent();
	return test_report();
}
