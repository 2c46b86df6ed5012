// SPDX-License-Identifier: GPL-2.0
/*
 * What a change of the paging mode costs a guest, by the size of what it works on: the
 * call, and that its next pass over all pages takes longer than the one after that.
 * Nothing of what it has written may be lost; how much it costs is not judged.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "vm.h"

#define COST_GPA	0x50000000ULL
#define COST_SLOT	3
#define COST_MAX	256ULL	/* MiB, whose page tables GUEST_MIX has room for */
#define ROUNDS		5

unsigned int cost_mib = 4;

struct cost {
	__s64 ns, call, exits;	/* of a change; of that, the call */
	__s64 pass;		/* ns of a pass without one */
};

static __u8 *mem;
static __u64 passes;

static __s64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A guest with small pages; the host's are huge, if there are any. */
static void make_cost_vm(__u64 mib)
{
	__u64 *pd, *pt, i, pages = mib << 8;

	drop_vm();
	vm_paging = KVM_SYMB_PAGING_NESTED;
	make_vm(0);
	if (!mem) {
		mem = alloc((COST_MAX + 2) << 20);
		mem = (__u8 *)(((unsigned long)mem + 0x1fffff) & ~0x1fffffUL);
		madvise(mem, COST_MAX << 20, MADV_HUGEPAGE);
	}
	set_slot(COST_SLOT, COST_GPA, mem, mib << 20);

	pd = (__u64 *)(ram + GUEST_PD) + (COST_GPA >> 21);
	pt = (__u64 *)(ram + GUEST_MIX);
	for (i = 0; i < pages; i++) {
		pt[i] = (COST_GPA + (i << 12)) | 7;
		pd[i / 512] = (GUEST_MIX + (i / 512 << 12)) | 7;
		memset(mem + (i << 12), i, 4096);
		*(__u64 *)(mem + (i << 12)) = i;
	}
	passes = 0;
}

static void pass(__u64 mib, __s64 *ns, __s64 *exits)
{
	struct kvm_regs regs = { .rax = COST_GPA, .rbp = mib << 8, .rcx = 4096 };
	__s64 exited, began;

	begin_step(g_count, 0, &regs);
	exited = vcpu_stat("exits");
	began = now();
	expect(run_vcpu(), PORT_DONE);
	*ns = now() - began;
	*exits = vcpu_stat("exits") - exited;
	settle();
	passes++;
}

static struct cost change(__u64 mib, unsigned int mode)
{
	__s64 began = now(), exits;
	struct cost cost;

	set_paging(mode);
	cost.call = now() - began;
	pass(mib, &cost.ns, &cost.exits);
	pass(mib, &cost.pass, &exits);
	cost.ns += cost.call - cost.pass;
	cost.exits -= exits;
	return cost;
}

static void check_memory(__u64 mib)
{
	static __u8 want[4096];
	__u64 i;

	for (i = 0; i < mib << 8; i++) {
		memset(want, i, sizeof(want));
		*(__u64 *)want = i + passes;
		expect(memcmp(mem + (i << 12), want, sizeof(want)), 0);
	}
}

/* There and back, a few times; what is told is the round with the least noise. */
static void measure(__u64 mib)
{
	static const unsigned int modes[] = { KVM_SYMB_PAGING_SHADOW, KVM_SYMB_PAGING_NESTED };
	static const char * const names[] = { "shadow", "nested" };
	struct cost cost, best[NR(modes)];
	unsigned int round, i;
	__s64 ns, exits;

	make_cost_vm(mib);
	pass(mib, &ns, &exits);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR(modes); i++) {
			cost = change(mib, modes[i]);
			if (!round || cost.ns < best[i].ns)
				best[i] = cost;
			/* Shadow pages do not map themselves. */
			if (modes[i] == KVM_SYMB_PAGING_SHADOW)
				expect(cost.exits > 0, true);
		}
	}
	check_memory(mib);
	expect(vm_stat("paging_switches"), ROUNDS * NR(modes));
	for (i = 0; i < NR(modes); i++)
		printf("# cost mib=%llu to=%s ns=%lld call=%lld exits=%lld pass=%lld\n",
		       (unsigned long long)mib, names[i], (long long)best[i].ns,
		       (long long)best[i].call, (long long)best[i].exits,
		       (long long)best[i].pass);
}

static void test_cost(void)
{
	__u64 mib;

	if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING) <= 0)
		skip("this host has one paging mode");
	for (mib = 1; mib <= cost_mib && mib <= COST_MAX; mib *= 4)
		measure(mib);
}

const struct test paging_cost_tests[] = {
	{ "paging-cost", test_cost, 0 },
	{ }
};
