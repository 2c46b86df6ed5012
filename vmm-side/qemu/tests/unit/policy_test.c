// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of target/i386/kvm/symbiotic-policy.c: guests that do this and that, a
 * tenth of a second at a time, on a machine that does what the policy says.
 */
#include <ktap.h>
#include <stdio.h>
#include <string.h>
#include <symbiotic/abi.h>

#include "symbiotic-policy.h"

#define NESTED		SYMB_PAGING_NESTED
#define SHADOW		SYMB_PAGING_SHADOW

/* What happens in a second of processor time. */
struct load {
	unsigned int busy;		/* percent of a processor */
	unsigned int faults, forks, switches, swap_ins;
	unsigned int tlb_misses;
};

static const struct load rest = { 100, 20, 0, 50, 0, 0 };
static const struct load forking = { 100, 30000, 200, 1000, 0, 0 };
static const struct load filling = { 100, 50000, 0, 100, 0, 0 };
static const struct load thrashing = { 100, 30000, 0, 100, 30000, 0 };
static const struct load idle = { 1, 100, 10, 50, 0, 0 };
static const struct load alone = { 100, 0, 0, 0, 0, 0 };
static const struct load between = { 100, 3000, 0, 100, 0, 0 };

static struct {
	PagingPolicy policy;
	PagingSample s;
	unsigned int changes;
	bool stuck;			/* KVM cannot change it */
} vm;

static void start(unsigned int mode)
{
	memset(&vm, 0, sizeof(vm));
	paging_policy_init(&vm.policy);
	vm.s.mode = mode;
	vm.s.told = true;
	vm.s.now_ms = 1000;
	paging_policy_decide(&vm.policy, &vm.s);
}

static void change(unsigned int mode)
{
	vm.s.mode = mode;
	vm.changes++;
	paging_policy_changed(&vm.policy, vm.s.now_ms, mode);
}

/* One sample; an event of shadow paging takes 5 us. */
static unsigned int step(const struct load *l)
{
	uint64_t cpu = PAGING_SAMPLE_MS * 10000ULL * l->busy;
	unsigned int want;

	vm.s.now_ms += PAGING_SAMPLE_MS;
	vm.s.cpu_ns += cpu;
	vm.s.faults += l->faults / 10;
	vm.s.forks += l->forks / 10;
	vm.s.switches += l->switches / 10;
	vm.s.tlb_misses += l->tlb_misses / 10;
	if (vm.s.mode == SHADOW) {
		uint64_t events = (l->faults * 2 + l->forks * 80) / 10;

		vm.s.events += events;
		vm.s.exits += events;
		vm.s.kernel_ns += events * 5000;
		vm.s.bypassed += l->swap_ins / 10;
	} else {
		vm.s.swap_ins += l->swap_ins / 10;
	}
	want = paging_policy_decide(&vm.policy, &vm.s);
	if (want != vm.s.mode && !vm.stuck)
		change(want);
	return vm.s.mode;
}

/* Milliseconds until it has that mode, at most a minute. */
static unsigned int until(const struct load *l, unsigned int mode)
{
	unsigned int ms;

	for (ms = PAGING_SAMPLE_MS; ms < 60000; ms += PAGING_SAMPLE_MS)
		if (step(l) == mode)
			return ms;
	return ms;
}

static void run(const struct load *l, unsigned int ms)
{
	for (; ms; ms -= PAGING_SAMPLE_MS)
		step(l);
}

static void settles(void)
{
	static const struct {
		const char *name;
		const struct load *load;
		unsigned int mode;
	} rows[] = {
		{ "page tables that rest", &rest, SHADOW },
		{ "fork and exec", &forking, NESTED },
		{ "a guest that fills its memory", &filling, NESTED },
		{ "thrashing", &thrashing, SHADOW },
	};
	unsigned int i, first;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (first = NESTED; first <= SHADOW; first++) {
			start(first);
			run(rows[i].load, 10000);
			ktap(vm.s.mode == rows[i].mode && vm.changes == (first != rows[i].mode),
			     "%s, from %s", rows[i].name, first == NESTED ? "nested" : "shadow");
		}
	}
}

static void fast(void)
{
	start(NESTED);
	ktap(until(&rest, SHADOW) <= 500, "page tables rest: within half a second");
	run(&rest, 3000);
	ktap(until(&forking, NESTED) <= 200, "they do not any more: within a fifth");
}

static void stays(void)
{
	start(SHADOW);
	run(&rest, 5000);
	run(&between, 20000);
	ktap(!vm.changes, "between the thresholds: stays in shadow paging");
	start(NESTED);
	run(&forking, 1000);
	run(&between, 20000);
	ktap(!vm.changes, "... and in nested paging");
	start(SHADOW);
	run(&idle, 60000);
	ktap(!vm.changes, "an idle guest: stays");
	start(NESTED);
	run(&idle, 60000);
	ktap(!vm.changes, "... in either mode");
}

/* Mistakes get rarer, and no minute has more changes than the limit. */
static void alternates(void)
{
	unsigned int i, first, last, most = 0, recent;

	start(NESTED);
	for (i = 0; i < 100; i++) {
		run(&rest, 600);
		run(&forking, 600);
	}
	first = vm.changes;
	for (i = 0; i < 100; i++) {
		run(&rest, 600);
		run(&forking, 600);
	}
	last = vm.changes - first;
	ktap(last == 0 && first <= 12, "a guest that alternates quickly (%u, %u)", first, last);

	start(NESTED);
	for (i = 0; i < 300; i++) {
		run(&rest, 2500);
		run(&forking, 500);
		recent = paging_policy_recent(&vm.policy, vm.s.now_ms);
		if (recent > most)
			most = recent;
	}
	ktap(most <= PAGING_PER_MINUTE && vm.policy.held_back, "no more than %u a minute (%u)",
	     PAGING_PER_MINUTE, most);
	start(NESTED);
	for (i = 0; i < 100; i++)
		run(i & 1 ? &rest : &forking, 12000);
	ktap(vm.changes >= 95 && vm.changes <= 100, "long phases: each has its mode (%u)",
	     vm.changes);
}

/* The limit never leaves a VM in the mode that is dear. */
static void limited(void)
{
	unsigned int i;

	start(NESTED);
	for (i = 0; i < PAGING_PER_MINUTE - 1; i++)
		change(i & 1 ? NESTED : SHADOW);
	vm.s.mode = SHADOW;
	paging_policy_decide(&vm.policy, &vm.s);
	vm.s.now_ms += 1000;
	paging_policy_decide(&vm.policy, &vm.s);
	ktap(until(&forking, NESTED) <= 500, "the last change of a minute is the way back");
	run(&rest, 20000);
	ktap(vm.s.mode == NESTED && vm.policy.held_back &&
	     !strcmp(vm.policy.reason, "too many changes in a minute"), "then it says why");
	ktap(until(&rest, SHADOW) <= 60000, "and goes on when the minute is over");

	start(SHADOW);
	for (i = 0; i < PAGING_PER_MINUTE - 1; i++)
		change(i & 1 ? SHADOW : NESTED);
	vm.changes = 0;
	run(&rest, 20000);
	ktap(!vm.changes && vm.policy.held_back, "which nothing else takes");
}

static void wishes(void)
{
	unsigned int i;

	start(NESTED);
	vm.s.wish = SHADOW;
	ktap(until(&forking, SHADOW) <= 1000, "a wish against the counters");
	run(&forking, 30000);
	ktap(vm.changes == 1, "lasts");
	start(NESTED);
	vm.s.wish = SHADOW;
	until(&rest, SHADOW);
	vm.s.wish = NESTED;
	ktap(until(&rest, NESTED) >= 900, "a change of mind takes its time");
	start(NESTED);
	vm.s.wish = SHADOW;
	until(&forking, SHADOW);
	vm.s.wish = 17;
	ktap(until(&forking, NESTED) <= 1000, "nonsense is none");

	start(NESTED);
	for (i = 0; i < 600; i++) {
		vm.s.wish = i & 1 ? NESTED : SHADOW;
		step(&rest);
	}
	ktap(vm.changes <= PAGING_PER_MINUTE, "one that cannot decide (%u)", vm.changes);
	start(NESTED);
	vm.s.wish = SHADOW;
	run(&idle, 3000);
	ktap(vm.s.mode == SHADOW, "also of an idle guest");
}

static void says_nothing(void)
{
	start(NESTED);
	vm.s.told = false;
	vm.s.wish = SHADOW;
	run(&rest, 60000);
	ktap(!vm.changes, "a guest that says nothing: nested");
	start(SHADOW);
	vm.s.told = false;
	ktap(until(&forking, NESTED) <= 500, "KVM sees enough to leave shadow paging");
}

/* Where the processor counts its TLB misses, rest alone is no reason. */
static void counts_tlb(void)
{
	struct load missing = rest;

	start(NESTED);
	vm.s.has_tlb = true;
	run(&rest, 20000);
	ktap(!vm.changes, "TLB misses are counted, and there are none");
	missing.tlb_misses = 4000000;
	ktap(until(&missing, SHADOW) <= 500, "there are many");
}

static void broken(void)
{
	unsigned int i;

	start(NESTED);
	for (i = 0; i < 50; i++) {
		step(&rest);
		vm.s.faults = 0;
		vm.s.forks = 1ULL << 63;
		step(&rest);
		vm.s.forks = 0;
	}
	ktap(!vm.changes, "counters that jump");
	start(NESTED);
	for (i = 0; i < 50; i++) {
		vm.s.swap_ins = 1000 - i;
		step(&forking);
	}
	ktap(!vm.changes, "one that goes backwards");
	start(NESTED);
	for (i = 0; i < 50; i++) {
		vm.s.faults += ~0ULL >> 1;
		vm.s.swap_ins = 0;
		step(&rest);
		vm.s.faults = 0;
		vm.s.swap_ins += ~0ULL >> 1;
		step(&rest);
	}
	ktap(vm.policy.cost >= -100000 && vm.policy.cost <= 100000, "and do not overflow");

	start(NESTED);
	vm.stuck = true;
	run(&rest, 60000);
	ktap(!vm.changes && !vm.policy.held_back, "KVM cannot: asked again");
	vm.stuck = false;
	ktap(until(&rest, SHADOW) <= 500, "and it can");

	/* Somebody else changes it. */
	start(NESTED);
	run(&forking, 1000);
	change(SHADOW);
	ktap(until(&forking, NESTED) <= 1000, "somebody else chose badly");
}

/* What an event takes: the time in the kernel, as far as it is theirs. */
static void learns(void)
{
	static const struct {
		const char *name;
		/* In a sample, a tenth of a second of a busy processor. */
		unsigned int events, exits, kernel_us, poll_us;
		unsigned int least, most;
		unsigned int mode;
	} rows[] = {
		{ "events and hardly anything else", 100, 100, 4000, 0, 35000, 40000, SHADOW },
		{ "two in an exit", 200, 100, 4000, 0, 15000, 20000, SHADOW },
		{ "as many other exits", 100, 200, 4000, 0, 15000, 20000, SHADOW },
		{ "few, and I/O", 60, 2000, 20000, 0, 5000, 5000, SHADOW },
		{ "few, and a guest that sleeps and wakes up", 60, 120, 20000, 19700, 2400, 2600,
		  SHADOW },
		{ "waiting seems more than all", 100, 100, 4000, 5000, 500, 510, SHADOW },
		{ "none", 0, 50, 20000, 0, 5000, 5000, SHADOW },
		{ "dear ones", 1000, 1100, 50000, 0, 5000, 46000, NESTED },
	};
	unsigned int i, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(SHADOW);
		for (n = 0; n < 100 && vm.s.mode == SHADOW; n++) {
			vm.s.exits += rows[i].exits;
			vm.s.kernel_ns += rows[i].kernel_us * 1000ULL;
			vm.s.poll_ns += rows[i].poll_us * 1000ULL;
			vm.s.events += rows[i].events;
			step(&alone);
		}
		ktap(vm.policy.event_ns >= rows[i].least && vm.policy.event_ns <= rows[i].most &&
		     vm.s.mode == rows[i].mode, "an event's time: %s (%u)", rows[i].name,
		     vm.policy.event_ns);
	}
}

/* A VM that does I/O is not kept from shadow paging by what that takes. */
static void does_io(void)
{
	unsigned int i;

	start(SHADOW);
	for (i = 0; i < 600; i++) {
		vm.s.exits += 2000;
		vm.s.kernel_ns += 20000000;
		vm.s.events += 60;
		step(&rest);
	}
	ktap(!vm.changes, "I/O, and page tables that rest: stays in shadow paging");
	until(&forking, NESTED);
	ktap(until(&rest, SHADOW) <= 2000, "and comes back to it");
}

int main(void)
{
	settles();
	fast();
	stays();
	alternates();
	limited();
	wishes();
	says_nothing();
	counts_tlb();
	broken();
	learns();
	does_io();
	return ktap_end();
}
