// SPDX-License-Identifier: GPL-2.0
/*
 * The symbiotic part: against the VMM if there is one, and silence if not.
 */
#include <kitten/boot.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/task.h>
#include "../symbiotic/internal.h"
#include "selftest.h"

#define SKIP_NO_VMM	"no symbiotic VMM"

static bool on(void)
{
	return symb_features & SYMB_FEAT_SYMCALL;
}

/* The dispatcher alone, as the entry code calls it. */
static int call(u64 nr, u64 a, u64 b, struct symcall_regs *r)
{
	*r = (struct symcall_regs){ .rax = nr, .rbx = a, .rcx = b };
	return symcall_dispatch(r);
}

static const char *dispatch(void)
{
	struct symcall_regs r;

	EXPECT(!call(SYMCALL_TEST, 41, 7, &r) && r.rbx == 42 && r.rcx == 7);
	EXPECT(!call(SYMCALL_NULL, 0, 0, &r));
	EXPECT(call(0, 0, 0, &r) == SYMCALL_ERR_NOSYS);
	EXPECT(call(~0ULL, 0, 0, &r) == SYMCALL_ERR_NOSYS);
	EXPECT(call(SYMCALL_NR_MAX, 0, 0, &r) == SYMCALL_ERR_NOSYS);
	EXPECT(call(SYMCALL_MODULE, 1, 4096, &r) == SYMCALL_ERR_NOSYS);
	return NULL;
}

static const char *who(void)
{
	struct symcall_regs r;

	EXPECT(!call(SYMCALL_WHO, 0, 0, &r));
	EXPECT(r.rbx == INIT_TASK && !memcmp(&r.rcx, "init_tas", 8));
	EXPECT(!(r.rsi & SYMCALL_WHO_IDLE));
	return NULL;
}

/* Off, the features change nothing: no MSR was written, no page is there. */
static const char *off_is_off(void)
{
	if (symb_found != -ENODEV && !boot_option("nosymbiotic"))
		return "there is a symbiotic VMM";
	EXPECT(!symb_features && !symb_global.va && !symb_global.gpa);
	for (u32 i = 0; i < nr_cpus; i++)
		EXPECT(!symb_cpus[i].enabled && !symb_cpus[i].local.va);
	return NULL;
}

static const char *pages(void)
{
	struct symspy_global *g = symb_global.va;

	if (!on())
		return SKIP_NO_VMM;
	EXPECT(g->magic == SYMSPY_GLOBAL_MAGIC && symb_global.ext);
	WRITE_ONCE(g->guest_word, 0x1234);
	EXPECT(READ_ONCE(g->guest_word) == 0x1234);
	for (u32 i = 0; i < nr_cpus; i++) {
		const struct symspy_local *l = symb_cpus[i].local.va;

		EXPECT(symb_cpus[i].local.live && symb_cpus[i].local.ext);
		EXPECT(l->flags & SYMSPY_LOCAL_SYMCALL_ENABLED);
		EXPECT(!(l->flags & SYMSPY_LOCAL_SYMCALL_ACTIVE));
	}
	return NULL;
}

static u32 bad_loops;

/* The VMM makes as many calls as asked for, on the CPU that asks. */
static void loop(struct cpu *cpu)
{
	struct symb_cpu *sc = &symb_cpus[cpu->id];
	u64 before = sc->calls;

	if (symb_hypercall(SYMB_HC_SYMCALL_LOOP, 100, SYMCALL_TEST, 1, 2) ||
	    sc->calls != before + 100)
		__atomic_fetch_add(&bad_loops, 1, __ATOMIC_RELAXED);
	/* An answer with an error is one, too. */
	if (symb_hypercall(SYMB_HC_SYMCALL_LOOP, 1, 0x1ff, 0, 0) !=
	    SYMCALL_ERR_NOSYS || sc->errors != 1)
		__atomic_fetch_add(&bad_loops, 1, __ATOMIC_RELAXED);
	sc->errors = 0;
}

static const char *calls_on_each_cpu(void)
{
	if (!on())
		return SKIP_NO_VMM;
	bad_loops = 0;
	kunlock();
	on_each_cpu(loop);
	klock();
	EXPECT(!bad_loops);
	return NULL;
}

static const char *call_state(void)
{
	if (!on())
		return SKIP_NO_VMM;
	if (!boot_option("symcalltest"))
		return "boot with symcalltest";
	EXPECT(!symb_hypercall(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_SELFTEST,
			       SYMCALL_SELFTEST_STATE, 0));
	EXPECT(!symb_hypercall(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_SELFTEST,
			       SYMCALL_SELFTEST_EXITS, 0));
	EXPECT(!symb_hypercall(SYMB_HC_SYMCALL_LOOP, 1, SYMCALL_SELFTEST,
			       SYMCALL_SELFTEST_NESTED, 0));
	return NULL;
}

static const char *nothing_is_swapped(void)
{
	struct symcall_regs r;

	if (!on())
		return SKIP_NO_VMM;
	EXPECT(!call(SYMCALL_QUERY_BATCH, 0x400000, 0x1000, &r));
	EXPECT(!r.rbx && r.rcx == SYMB_DECLINE_NOT_SWAP);
	EXPECT(!call(SYMCALL_MEM_LOOKUP, 0x400000, 0x1000, &r) && !r.rbx);
	EXPECT(!symb_hypercall(SYMB_HC_SYMCALL_LOOP, 10, SYMCALL_QUERY_BATCH,
			       0x400000, 0x1000));
	return NULL;
}

static const char *refused_values(void)
{
	u64 gpa = symb_global.gpa;

	if (!on())
		return SKIP_NO_VMM;
	EXPECT(!wrmsr_safe(SYMB_MSR_GLOBAL_PAGE, gpa + 1));
	EXPECT(!wrmsr_safe(SYMB_MSR_GLOBAL_PAGE, 0x200000));
	EXPECT(!wrmsr_safe(SYMB_MSR_SYMCALL_RIP, 0x800000000000));
	EXPECT(!wrmsr_safe(SYMB_MSR_SYMCALL_CS, SEL_USER_CS));
	/* Outside a call there is nothing to return from. */
	EXPECT(symb_hypercall(SYMB_HC_SYMCALL_RET, 0, 0, 0, 0) ==
	       -SYMB_HC_ENOSYS);
	return NULL;
}

static const struct test_case tests[] = {
	{ "dispatch", dispatch },
	{ "who", who },
	{ "off_is_off", off_is_off },
	{ "pages", pages },
	{ "calls_on_each_cpu", calls_on_each_cpu },
	{ "call_state", call_state },
	{ "nothing_is_swapped", nothing_is_swapped },
	{ "refused_values", refused_values },
};

const struct test_suite test_symbiotic = {
	.name = "symbiotic", SUITE(tests)
};
