// SPDX-License-Identifier: GPL-2.0
/*
 * SwapBypass with a guest that lies: in the description of its swap device, in
 * its page tables, and in its answers. The guest's code answers a question with
 * what these tests have put into its local page, which is their memory.
 *
 * What is mapped must always be a page of the window, and what KVM remembers of
 * it must be right: it warns otherwise, and that fails a test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm.h"

#define WINDOW_GPA	0x20000000ULL
#define WINDOW_PAGES	64
#define NOTHING_GPA	0x30000000ULL
#define WINDOW_SLOT	3
#define CONTENT(slot)	(0x5eed000000000000ULL + (slot))

/* The guest's swap entries. The page tables have one for each slot. */
#define SWAP_MASK	0xc01ULL
#define SWAP_MATCH	0x400ULL
#define SWAP_EXCLUSIVE	0x8ULL
#define SWAP_PTE(slot)	((__u64)(slot) << 12 | SWAP_MATCH | SWAP_EXCLUSIVE)
#define SHARED_PTE(slot) ((__u64)(slot) << 12 | SWAP_MATCH)

#define ADDR(n)		(GUEST_UNMAPPED + (__u64)(n) * 4096)
#define PAGES		512	/* that GUEST_PT maps */
#define FAULT		(~0ULL)

static const struct symb_swap_desc good_desc = {
	.window_gpa = WINDOW_GPA,
	.nr_pages = WINDOW_PAGES,
	.pte_mask = SWAP_MASK,
	.pte_match = SWAP_MATCH,
	.pte_exclusive = SWAP_EXCLUSIVE,
};

static __u8 *window;

/* Where the answer to page n is: not page n of the window. */
static unsigned int slot_of(unsigned int n)
{
	return (n + 5) % WINDOW_PAGES;
}

static __u64 *pte(unsigned int n)
{
	return (__u64 *)(ram + GUEST_PT) + n;
}

static void set_mode(const char *mode, char *old, size_t size)
{
	FILE *f = fopen("/sys/module/kvm/parameters/swapbypass", "r+");

	if (!f || (old && !fgets(old, size, f)))
		fail("swapbypass parameter");
	rewind(f);
	fputs(mode, f);
	if (fclose(f))
		fail("swapbypass=%s", mode);
}

/* A VM that bypasses from the first fault. */
static void make_bypass_vm(void)
{
	char old[16];
	unsigned int i;

	if (vm_paging ? vm_paging != KVM_SYMB_PAGING_SHADOW : host_nested())
		skip("no SwapBypass without shadow paging");

	/* The parameter is for new VMs, so this is the only one that has it. */
	set_mode("always", old, sizeof(old));
	drop_vm();
	make_vm(SYMB_FEAT_ALL);
	set_mode(old, NULL, 0);

	register_call(g_symcall);
	must_wrmsr(SYMB_MSR_FEATURES,
		   SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);

	if (!window)
		window = alloc(WINDOW_PAGES * 4096);
	for (i = 0; i < WINDOW_PAGES; i++)
		*(__u64 *)(window + i * 4096) = CONTENT(i);
	set_slot(WINDOW_SLOT, WINDOW_GPA, window, WINDOW_PAGES * 4096);

	for (i = 0; i < PAGES; i++)
		*pte(i) = SWAP_PTE(i);
	((__u64 *)(ram + GUEST_PD))[GUEST_UNMAPPED >> 21] = GUEST_PT | 7;
	*data32(DATA_ANSWERS) = 1;
}

static __s64 attach(const struct symb_swap_desc *desc)
{
	memcpy(ram + GUEST_DESC, desc, sizeof(*desc));
	return hypercall(SYMB_HC_SWAP_ATTACH, GUEST_DESC, 0, 0, 0);
}

/* The truth: pages @first to @first + @nr - 1 may be used, and written. */
static void answer(unsigned int first, unsigned int nr)
{
	struct symspy_local *l = local_page();
	unsigned int i;

	memset(l->lookup, 0, sizeof(l->lookup));
	l->lookup_base = ADDR(first);
	l->lookup_nr = nr;
	for (i = 0; i < nr && i < SYMB_LOOKUP_MAX; i++) {
		l->lookup[i].pte = *pte((first + i) % PAGES);
		l->lookup[i].slot = slot_of(first + i);
		l->lookup[i].flags = SYMB_LOOKUP_WRITABLE;
	}
}

/* One access of the guest; FAULT if it takes a page fault. */
static __u64 access_page(const char *how, __u64 addr, __u64 val)
{
	struct kvm_regs regs = { .rax = addr, .rbx = val };
	unsigned int port = run_step(how, 0, &regs);

	if (port == PORT_PF)
		return FAULT;
	expect(port, PORT_DONE);
	return regs.rbx;
}

static __u64 load(unsigned int n)
{
	return access_page(g_load, ADDR(n), 0);
}

/* A load in the shadow of a MOV SS. */
static __u64 load_in_shadow(unsigned int n)
{
	return access_page(g_ss_load, ADDR(n), 0);
}

/*
 * Whether the processor still knows of a MOV SS when the next instruction has
 * faulted: here, where there is nothing. Bochs does not.
 */
static bool shadow_survives(void)
{
	struct kvm_regs regs = { .rax = NOTHING_GPA };
	struct kvm_vcpu_events events;

	begin_step(g_ss_load, 0, &regs);
	expect(run_to_exit_in_time(), KVM_EXIT_MMIO);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	settle();
	return events.interrupt.shadow;
}

static __u64 store(unsigned int n, __u64 val)
{
	return access_page(g_store, ADDR(n), val);
}

/* ---- The description ----------------------------------------------------- */

static void test_desc(void)
{
	static const struct {
		const char *what;
		size_t field;
		__u64 val;
	} bad[] = {
#define BAD(field, val)	{ #field " = " #val, offsetof(struct symb_swap_desc, field), val }
		BAD(window_gpa, WINDOW_GPA + 8),
		BAD(window_gpa, WINDOW_GPA + 4096),	/* ends behind the slot */
		BAD(window_gpa, WINDOW_GPA - 4096),
		BAD(window_gpa, ~0xfffULL),
		BAD(nr_pages, 0),
		BAD(nr_pages, WINDOW_PAGES + 1),
		BAD(nr_pages, 1ULL << 32),
		BAD(nr_pages, ~0ULL),
		BAD(pte_mask, SWAP_MASK & ~1ULL),	/* could be present */
		BAD(pte_mask, 1),			/* not all of the match */
		BAD(pte_mask, SWAP_MASK | SWAP_EXCLUSIVE),
		BAD(pte_match, SWAP_MATCH | 1),
		BAD(pte_match, 0),			/* an empty entry */
		BAD(pte_exclusive, 0),
		BAD(pte_exclusive, 0x18),
#undef BAD
	};
	struct symb_swap_desc desc;
	unsigned int i;

	make_bypass_vm();

	for (i = 0; i < NR(bad); i++) {
		desc = good_desc;
		memcpy((char *)&desc + bad[i].field, &bad[i].val, 8);
		if (attach(&desc) != -SYMB_HC_EINVAL)
			fail("attached with %s", bad[i].what);
	}
	expect(hypercall(SYMB_HC_SWAP_ATTACH, 0x80000000, 0, 0, 0),
	       -SYMB_HC_EINVAL);
	for (i = SYMB_HC_SWAP_DETACH; i <= SYMB_HC_DROP_RANGE; i++)
		expect(hypercall(i, 0, 1, 0, 0), -SYMB_HC_EINVAL);

	expect(attach(&good_desc), 0);
	expect(attach(&good_desc), -SYMB_HC_EBUSY);
	expect(hypercall(SYMB_HC_DROP_SLOTS, 0, 0, 0, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_SLOTS, 1, WINDOW_PAGES, 0, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_SLOTS, 1, ~0ULL, 0, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_SLOTS, WINDOW_PAGES, 1, 0, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_SLOTS, 0, WINDOW_PAGES, 0, 0), 0);
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 4096, 4096, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 0, 4097, 0), -SYMB_HC_EINVAL);
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 0, ~0xfffULL, 0), 0);
	expect(hypercall(SYMB_HC_DROP_RANGE, ~0ULL, 0, 4096, 0), 0);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), -SYMB_HC_EINVAL);
}

/* ---- The truth ------------------------------------------------------------ */

static void test_map(void)
{
	unsigned int i;

	make_bypass_vm();

	/* Not attached: the guest's own fault, and no question. */
	answer(0, 8);
	expect(load(0), FAULT);
	expect(vcpu_stat("bypass_faults"), 0);
	expect(attach(&good_desc), 0);

	/* One question maps what it answers for. */
	for (i = 0; i < 8; i++)
		expect(load(i), CONTENT(slot_of(i)));
	expect(vcpu_stat("bypass_faults"), 1);
	expect(vcpu_stat("bypass_maps"), 8);
	expect(store(3, 77), 77);
	expect(*(__u64 *)(window + slot_of(3) * 4096), 77);
	expect(vcpu_stat("bypass_faults"), 1);

	/* No call begins between two instructions that belong together. */
	answer(16, 1);
	if (shadow_survives()) {
		expect(load_in_shadow(16), FAULT);
		expect(vcpu_stat("bypass_refused"), 1);
	}
	expect(load(16), CONTENT(slot_of(16)));
	expect(load_in_shadow(16), CONTENT(slot_of(16)));

	/* Read-only for the asking; then the guest's own fault on a write. */
	answer(8, 1);
	local_page()->lookup[0].flags = 0;
	expect(load(8), CONTENT(slot_of(8)));
	expect(store(8, 1), FAULT);
	expect(*(__u64 *)(window + slot_of(8) * 4096), CONTENT(slot_of(8)));

	/* Dropped by slot, by range, by a change of the entry, and altogether. */
	*data32(DATA_ANSWERS) = 0;
	expect(hypercall(SYMB_HC_DROP_SLOTS, slot_of(1), 1, 0, 0), 0);
	expect(load(1), FAULT);
	expect(load(0), CONTENT(slot_of(0)));
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4 | 0xfff, ADDR(2), ADDR(4), 0), 0);
	expect(load(2), FAULT);
	expect(load(3), FAULT);
	expect(load(4), CONTENT(slot_of(4)));
	*data32(DATA_STORE_AT) = GUEST_PT + 4 * 8;
	*data32(DATA_STORE) = SWAP_PTE(9);
	symcall(SYMCALL_QUERY_BATCH, 0);
	*data32(DATA_STORE_AT) = 0;
	expect(access_page(g_invlpg_load, ADDR(4), 0), FAULT);
	expect(load(5), CONTENT(slot_of(5)));
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
	expect(load(5), FAULT);
}

/* ---- Lies ------------------------------------------------------------------ */

/* Answers for pages 0 to 7, of which the guest has touched page 2. */
#define TOUCHED		2

static void nr_is_0(struct symspy_local *l)
{
	l->lookup_nr = 0;
}

static void pte_empty(struct symspy_local *l)
{
	l->lookup[TOUCHED].pte = 0;
}

static void nr_too_big(struct symspy_local *l) { l->lookup_nr = SYMB_LOOKUP_MAX + 1; }
static void nr_is_max(struct symspy_local *l) { l->lookup_nr = ~0U; }
static void nr_before(struct symspy_local *l) { l->lookup_nr = TOUCHED; }
static void base_odd(struct symspy_local *l) { l->lookup_base++; }
static void base_behind(struct symspy_local *l) { l->lookup_base = ADDR(TOUCHED + 1); }
static void base_far(struct symspy_local *l) { l->lookup_base = ADDR(-1 - SYMB_LOOKUP_MAX); }
static void base_last(struct symspy_local *l) { l->lookup_base = ~0xfffULL; }
static void pte_other(struct symspy_local *l) { l->lookup[TOUCHED].pte = SWAP_PTE(TOUCHED + 1); }
static void pte_present(struct symspy_local *l) { l->lookup[TOUCHED].pte = 1; }
static void slot_behind(struct symspy_local *l) { l->lookup[TOUCHED].slot = WINDOW_PAGES; }
static void slot_max(struct symspy_local *l) { l->lookup[TOUCHED].slot = ~0U; }

static void not_exclusive(struct symspy_local *l)
{
	l->lookup[TOUCHED].pte = SHARED_PTE(TOUCHED);
	*pte(TOUCHED) = SHARED_PTE(TOUCHED);
}

static void pte_changes(struct symspy_local *l)
{
	*data32(DATA_STORE_AT) = GUEST_PT + TOUCHED * 8;
	*data32(DATA_STORE) = SWAP_PTE(TOUCHED + 1);
}

static void no_answers(struct symspy_local *l)
{
	*data32(DATA_ANSWERS) = 0;
	*data32(DATA_REASON) = SYMB_DECLINE_NR + 5;
}

static void test_lies(void)
{
	static void (* const lies[])(struct symspy_local *l) = {
		nr_is_0, nr_too_big, nr_is_max, nr_before, base_odd, base_behind,
		base_far, base_last, pte_empty, pte_other, pte_present,
		slot_behind, slot_max, not_exclusive, pte_changes, no_answers,
	};
	unsigned int i;

	make_bypass_vm();
	expect(attach(&good_desc), 0);

	for (i = 0; i < NR(lies); i++) {
		answer(0, 8);
		lies[i](local_page());
		if (load(TOUCHED) != FAULT)
			fail("lie %u is believed", i);
		expect(vcpu_stat("bypass_faults"), i + 1);
		expect(vcpu_stat("bypass_maps"), 0);
		*pte(TOUCHED) = SWAP_PTE(TOUCHED);
		*data32(DATA_STORE_AT) = 0;
		*data32(DATA_ANSWERS) = 1;
	}

	/* May be read; but this is a write. */
	answer(0, 8);
	local_page()->lookup[TOUCHED].flags = ~SYMB_LOOKUP_WRITABLE;
	expect(store(TOUCHED, 1), FAULT);
	/* Nothing is there to be read. */
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, 0);
	expect(load(TOUCHED), FAULT);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	expect(vcpu_stat("bypass_maps"), 0);

	answer(0, 8);
	expect(load(TOUCHED), CONTENT(slot_of(TOUCHED)));
}

/* An answer that is true for the page that was touched, and for no other. */
static void test_neighbours(void)
{
	struct symspy_local *l = local_page();
	unsigned int i;

	make_bypass_vm();
	expect(attach(&good_desc), 0);

	answer(0, 8);
	l->lookup[1].slot = WINDOW_PAGES;
	l->lookup[2].pte = SWAP_PTE(3);
	l->lookup[3].pte = 1;
	l->lookup[4].pte = SHARED_PTE(4);
	*pte(4) = SHARED_PTE(4);
	l->lookup[5].slot = ~0U;
	l->lookup[6].pte = 0;
	expect(load(0), CONTENT(slot_of(0)));
	expect(vcpu_stat("bypass_maps"), 2);
	*data32(DATA_ANSWERS) = 0;
	for (i = 1; i < 7; i++)
		expect(load(i), FAULT);
	expect(load(7), CONTENT(slot_of(7)));

	/* Beyond the page-table page. */
	*data32(DATA_ANSWERS) = 1;
	answer(PAGES - 2, 4);
	expect(load(PAGES - 1), CONTENT(slot_of(PAGES - 1)));
	expect(vcpu_stat("bypass_maps"), 4);
}

/* One page-table page in two places, and one that lies in the window. */
static void test_page_tables(void)
{
	__u64 *pd = (__u64 *)(ram + GUEST_PD) + (GUEST_UNMAPPED >> 21);
	unsigned int i, pages[16];
	__u64 val;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	pd[1] = GUEST_PT | 7;

	for (i = 0; i < NR(pages); i++) {
		pages[i] = i % 2 ? PAGES + i : i;
		answer(pages[i], 1);
		expect(load(pages[i]), CONTENT(slot_of(pages[i])));
	}
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 0, 0x80000000, 0), 0);
	*data32(DATA_ANSWERS) = 0;
	for (i = 0; i < NR(pages); i++)
		expect(load(pages[i]), FAULT);
	*data32(DATA_ANSWERS) = 1;

	/* The page table is a page of the window, and maps itself. */
	memcpy(window + 9 * 4096, ram + GUEST_PT, 4096);
	pd[0] = (WINDOW_GPA + 9 * 4096) | 7;
	answer(0, 2);
	local_page()->lookup[1].slot = 9;
	expect(load(0), CONTENT(slot_of(0)));
	val = load(1);
	if (val != FAULT)
		expect(val, *(__u64 *)(window + 9 * 4096));
	for (i = 0; i < 8; i++) {
		answer(1, 1);
		local_page()->lookup[0].slot = 9;
		store(1, SWAP_PTE(i));
		load(0);
	}
}

/* The guest writes page @n's entry, as it would: not behind KVM's back. */
static void guest_sets_pte(unsigned int n, __u64 val)
{
	*data32(DATA_STORE_AT) = GUEST_PT + n * 8;
	*data32(DATA_STORE) = val;
	symcall(SYMCALL_QUERY_BATCH, 0);
	*data32(DATA_STORE_AT) = 0;
}

/* What KVM counts; and of @nr pages there is none that it has lost count of. */
static void expect_none_left(unsigned int nr)
{
	unsigned int i;

	expect(vm_stat("bypass_pages"), 0);
	*data32(DATA_ANSWERS) = 0;
	for (i = 0; i < nr; i++)
		expect(load(i), FAULT);
	*data32(DATA_ANSWERS) = 1;
}

/*
 * One page-table page at two places, in all orders of what makes its record
 * empty, full, and another's.
 */
static void test_twice(void)
{
	__u64 *pd = (__u64 *)(ram + GUEST_PD) + (GUEST_UNMAPPED >> 21);
	unsigned int i, j, n;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	pd[1] = GUEST_PT | 7;
	srandom(1);

	/* The same entry at the other place, and then more. */
	answer(5, 1);
	expect(load(5), CONTENT(slot_of(5)));
	answer(PAGES + 5, 1);
	expect(load(PAGES + 5), CONTENT(slot_of(PAGES + 5)));
	answer(PAGES + 6, 1);
	expect(load(PAGES + 6), CONTENT(slot_of(PAGES + 6)));
	expect(vm_stat("bypass_pages"), 2);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
	expect_none_left(8);

	for (i = 0; i < 100; i++) {
		expect(attach(&good_desc), 0);
		for (j = random() % 8; j; j--) {
			n = random() % 2 * PAGES + random() % 4;
			answer(n & ~3, random() % 2 ? 4 : 1);
			load(n);
			if (!(random() % 4))
				hypercall(SYMB_HC_DROP_SLOTS, slot_of(n), 1, 0, 0);
			if (!(random() % 8))
				hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, ADDR(n & ~3),
					  ADDR((n & ~3) + 4), 0);
			/* Its shadow page is freed, and what is remembered of it. */
			if (!(random() % 8)) {
				set_slot(WINDOW_SLOT, WINDOW_GPA, window, 0);
				set_slot(WINDOW_SLOT, WINDOW_GPA, window,
					 WINDOW_PAGES * 4096);
			}
		}
		expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
		expect_none_left(8);
	}
}

/*
 * The guest maps the page itself, where it was bypassed, and then swaps it out
 * again: no access is left of either.
 */
static void test_present(void)
{
	__u64 present = (WINDOW_GPA + slot_of(3) * 4096) | 0x67;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	answer(3, 1);
	local_page()->lookup[0].flags = 0;
	expect(load(3), CONTENT(slot_of(3)));
	expect(vm_stat("bypass_pages"), 1);

	guest_sets_pte(3, present);
	expect(store(3, 33), 33);
	expect(vm_stat("bypass_pages"), 0);

	guest_sets_pte(3, SWAP_PTE(3));
	expect(access_page(g_invlpg_load, ADDR(3), 0), 33);
	expect(store(3, 34), FAULT);
	expect(*(__u64 *)(window + slot_of(3) * 4096), 33);
	expect(vm_stat("bypass_pages"), 1);

	/* Nor is a bypass entry made of a mapping of the guest's. */
	*data32(DATA_ANSWERS) = 0;
	guest_sets_pte(4, present & ~2ULL);
	expect(load(4), 33);
	guest_sets_pte(4, SWAP_PTE(4));
	*data32(DATA_ANSWERS) = 1;
	answer(4, 1);
	local_page()->lookup[0].slot = slot_of(3);
	expect(store(4, 44), 44);
	expect(vm_stat("bypass_pages"), 2);
	expect(hypercall(SYMB_HC_DROP_SLOTS, slot_of(3), 1, 0, 0), 0);
	expect_none_left(8);
}

/* ---- The host takes pages away ----------------------------------------------- */

static _Atomic int dropping;	/* 1: drop now; 2: end */

static void *drop_pages(void *arg)
{
	for (;;) {
		while (!dropping)
			sched_yield();
		if (dropping == 2)
			return arg;
		/* All but slot 0. */
		madvise(window + 4096, (WINDOW_PAGES - 1) * 4096, MADV_DONTNEED);
		dropping = 0;
	}
}

/* Meanwhile the guest maps them, as neighbours of a page that is not concerned. */
static void test_invalidate(void)
{
	unsigned int round, i, stale = 0, mapped = 0;
	pthread_t thread;
	__u64 val;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	dropping = 0;
	pthread_create(&thread, NULL, drop_pages, NULL);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < WINDOW_PAGES; i++)
			*(volatile __u64 *)(window + i * 4096) = 0xaaaa0000 + round;
		expect(hypercall(SYMB_HC_DROP_SLOTS, 0, WINDOW_PAGES, 0, 0), 0);
		answer(0, WINDOW_PAGES);
		dropping = 1;
		load(WINDOW_PAGES - 5);	/* in slot 0 */
		while (dropping)
			sched_yield();
		for (i = 0; i < WINDOW_PAGES; i++)
			*(volatile __u64 *)(window + i * 4096) = 0xbbbb0000 + round;
		*data32(DATA_ANSWERS) = 0;
		for (i = round % 8; i < WINDOW_PAGES; i += 8) {
			val = load(i);
			mapped += val != FAULT;
			stale += val != FAULT && val != 0xbbbb0000 + round;
		}
		*data32(DATA_ANSWERS) = 1;
	}
	dropping = 2;
	pthread_join(thread, NULL);
	/* Or else this has tested nothing. */
	expect(mapped > 0, true);
	expect(stale, 0);
}

/* ---- Much of it ---------------------------------------------------------------- */

/*
 * What takes time grows with the square of the aliases of a slot if it grows with more
 * than the pages, which one test shows; the others need but several holds of the lock.
 */
#define MANY_PAGES	200000U
#define SOME_PAGES	32768U
#define BIG_SLOTS	256		/* as guest.S takes from a swap entry */
#define TABLES_GPA	0x30000000ULL
#define TABLES_SLOT	4
#define ROM_SLOT	5
#define NR_TABLES(pages) (((pages) + PAGES - 1) / PAGES + 1)
#define OWN_ALIASES	200		/* in the last table, of slot 0 */

/*
 * vmm-side/kvm/overlay: SWAPBYPASS_HOLD, and all aliases of a page, of which KVM
 * allows 1000.
 */
#define MOST_PER_HOLD	(1024 + 1001)

static const struct symb_swap_desc big_desc = {
	.window_gpa = WINDOW_GPA,
	.nr_pages = BIG_SLOTS,
	.pte_mask = SWAP_MASK,
	.pte_match = SWAP_MATCH,
	.pte_exclusive = SWAP_EXCLUSIVE,
};

static unsigned int big_pages;	/* of the VM that there is */
static __u64 *tables;		/* its page tables */

#define OWN_ADDR	(ADDR(0) + (NR_TABLES(big_pages) - 1ULL) * PAGES * 4096)

static void make_big_vm(unsigned int pages)
{
	__u64 *pd = (__u64 *)(ram + GUEST_PD) + (GUEST_UNMAPPED >> 21);
	unsigned int nr_tables = NR_TABLES(pages), i;
	static __u8 *big_window;

	make_bypass_vm();
	if (!big_window) {
		big_window = alloc(BIG_SLOTS * 4096);
		tables = alloc(NR_TABLES(MANY_PAGES) * 4096);
		/* Neighbours are mapped if they are in memory. */
		memset(big_window, 1, BIG_SLOTS * 4096);
	}
	big_pages = pages;
	memset(tables, 0, nr_tables * 4096);
	for (i = 0; i < pages; i++)
		tables[i] = SWAP_PTE(i);
	for (i = 0; i < OWN_ALIASES; i++)
		tables[(nr_tables - 1) * PAGES + i] = WINDOW_GPA | 0x67;
	set_slot(WINDOW_SLOT, WINDOW_GPA, window, 0);
	set_slot(WINDOW_SLOT, WINDOW_GPA, big_window, BIG_SLOTS * 4096);
	set_slot(TABLES_SLOT, TABLES_GPA, tables, nr_tables * 4096);
	IOCTL(vm, KVM_SET_NR_MMU_PAGES, 4000);
	for (i = 0; i < nr_tables; i++)
		pd[i] = (TABLES_GPA + i * 4096) | 7;
	*data32(DATA_TABLE) = TABLES_GPA;
	add_vcpu();
}

static void touch(__u64 addr, __u64 step, __u64 nr)
{
	struct kvm_regs regs = { .rax = addr, .rcx = step, .rbp = nr };

	expect(run_step(g_touch, 0, &regs), PORT_DONE);
}

/* Map all there is; and then the guest's own aliases, which are found first. */
static void fill(void)
{
	touch(ADDR(0), 64 * 4096, big_pages / 64);
	touch(OWN_ADDR, 4096, OWN_ALIASES);
	expect(vm_stat("bypass_pages"), big_pages);
}

/* No hold was too long, nor so short that it is not what is counted. */
static void expect_short_holds(void)
{
	__u64 most = vm_stat("bypass_hold_max");

	printf("# at most %llu at a time\n", (unsigned long long)most);
	expect(most <= MOST_PER_HOLD, true);
	expect(most > 256, true);
}

static void test_hold_slots(void)
{
	make_big_vm(MANY_PAGES);
	expect(attach(&big_desc), 0);
	fill();
	expect(hypercall(SYMB_HC_DROP_SLOTS, 0, BIG_SLOTS, 0, 0), 0);
	expect(vm_stat("bypass_pages"), 0);
	expect(vm_stat("bypass_drop_slots"), big_pages);
	expect_short_holds();
}

static void test_hold_range(void)
{
	make_big_vm(SOME_PAGES);
	expect(attach(&big_desc), 0);
	fill();
	/* All but the first page and the last. */
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, ADDR(1), ADDR(big_pages - 1), 0), 0);
	expect(vm_stat("bypass_pages"), 2);
	expect(vm_stat("bypass_drop_range"), big_pages - 2);
	expect_short_holds();
}

/* One entry in each page table, the last: what is searched is counted as well. */
static void test_hold_sparse(void)
{
	const unsigned int nr = MANY_PAGES / PAGES;
	__u64 left, zero = 0;
	unsigned int i;

	make_big_vm(MANY_PAGES);
	for (i = 0; i < MANY_PAGES; i++)
		if (i % PAGES != PAGES - 1)
			tables[i] = 0;
	expect(attach(&big_desc), 0);
	touch(ADDR(PAGES - 1), PAGES * 4096, nr);
	expect(vm_stat("bypass_pages"), nr);

	/* The first hold, by a vCPU that goes no further. */
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &zero), 1);
	expect(vm_stat("bypass_pages"), nr);
	to_the_entry(KVM_RUN, NULL);
	left = vm_stat("bypass_pages");
	printf("# %u of %u records in one hold\n", (unsigned int)(nr - left), nr);
	expect(left < nr, true);
	expect(nr - left <= 1024 / 8, true);

	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS);
	expect(vm_stat("bypass_pages"), 0);
	expect(vm_stat("bypass_drop_off"), nr);
	expect_short_holds();
}

/*
 * A detach that signals interrupt. It goes on where it was, and no other vCPU
 * takes it for done before: @other is what that does meanwhile.
 */
static void interrupted_detach(void (*other)(void))
{
	struct kvm_regs regs = { .rax = SYMB_HC_SWAP_DETACH };
	unsigned int i, us;
	__u64 left;

	make_big_vm(SOME_PAGES);
	expect(attach(&big_desc), 0);
	fill();

	begin_step(g_hypercall, 0, &regs);
	left = big_pages;
	for (us = 50; left == big_pages; us += us / 8) {
		set_ticks(us);
		expect(run_vcpu(), 0);
		left = vm_stat("bypass_pages");
	}
	set_ticks(0);
	/* Each time it gets further. */
	for (i = 0; i < 3; i++) {
		to_the_entry(KVM_RUN, NULL);
		expect(vm_stat("bypass_pages") < left, true);
		left = vm_stat("bypass_pages");
	}
	expect(left > 0, true);

	swap_vcpus();
	other();
	expect(vm_stat("bypass_pages"), 0);
	swap_vcpus();
	expect(run_vcpu(), PORT_DONE);
	settle();
	expect(vm_stat("bypass_pages"), 0);
	expect_short_holds();
}

static void drop_meanwhile(void)
{
	expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 0, 0x80000000, 0), 0);
	expect(vm_stat("bypass_pages"), 0);
	expect(hypercall(SYMB_HC_DROP_SLOTS, 0, 1, 0, 0), -SYMB_HC_EINVAL);
}

static void attach_meanwhile(void)
{
	expect(attach(&big_desc), 0);
}

static void test_hold_detach(void)
{
	interrupted_detach(drop_meanwhile);
	expect(attach(&big_desc), 0);
}

static void test_hold_attach(void)
{
	interrupted_detach(attach_meanwhile);
	expect(attach(&big_desc), -SYMB_HC_EBUSY);
}

/* User space resets the machine; or the guest withdraws, which is the same. */
static void test_hold_reset(void)
{
	__u64 zero = 0;

	make_big_vm(SOME_PAGES);
	expect(attach(&big_desc), 0);
	fill();
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &zero), 1);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS);
	expect(vm_stat("bypass_pages"), 0);

	expect(attach(&big_desc), 0);
	fill();
	must_wrmsr(SYMB_MSR_FEATURES, 0);
	expect(vm_stat("bypass_pages"), 0);
	expect(attach(&big_desc), -SYMB_HC_ENOSYS);
	expect(vm_stat("bypass_drop_off"), 2 * big_pages);
	expect_short_holds();
}

/* INIT of the boot processor: nothing is left when it executes the first byte. */
static void test_hold_init(void)
{
	static const __u8 out[] = { 0xe6, PORT_DONE };
	struct kvm_msi init = { .address_lo = 0xfee00000, .data = 0x500 };
	__u8 *rom = alloc(4096);

	make_big_vm(SOME_PAGES);
	memcpy(rom + 0xff0, out, sizeof(out));
	set_slot(ROM_SLOT, 0xfffff000, rom, 4096);
	expect(attach(&big_desc), 0);
	fill();
	IOCTL(vm, KVM_SIGNAL_MSI, &init);
	expect(run_vcpu(), PORT_DONE);
	expect(vm_stat("bypass_pages"), 0);
	expect(vm_stat("bypass_drop_off"), big_pages);
	expect_short_holds();
	settle();
}

/* ---- The host's own switch ------------------------------------------------------ */

static int open_mode(int of)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-%d/bypass_mode",
		 getpid(), of);
	fd = open(name, O_RDWR);
	if (fd < 0)
		fail("%s: %s", name, strerror(errno));
	return fd;
}

static void test_hold_mode(void)
{
	int fd;

	make_big_vm(SOME_PAGES);
	fd = open_mode(vm);
	expect(attach(&big_desc), 0);
	fill();
	expect(write(fd, "off", 3), 3);
	expect(vm_stat("bypass_pages"), 0);
	expect(write(fd, "always", 6), 6);
	fill();
	close(fd);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
	expect_short_holds();
}

static void *enable_again(void *arg)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SYMBIOTIC };
	unsigned int i;

	for (i = 0; i < 64; i++) {
		cap.args[0] = i % 2 ? 0 : SYMB_FEAT_ALL & ~SYMB_FEAT_SWAPBYPASS;
		ioctl(*(int *)arg, KVM_ENABLE_CAP, &cap);
	}
	return NULL;
}

/* The file is used while VMs become symbiotic, or try to once more. */
static void test_mode_race(void)
{
	unsigned int i, j, off = 0;
	pthread_t thread;
	char buf[32];
	int v, fd;

	for (i = 0; i < 200; i++) {
		v = IOCTL(kvm, KVM_CREATE_VM, 0);
		fd = open_mode(v);
		pthread_create(&thread, NULL, enable_again, &v);
		for (j = 0; j < 32; j++) {
			off += write(fd, "off", 3) == 3;
			expect(pread(fd, buf, sizeof(buf), 0) > 0, true);
		}
		pthread_join(thread, NULL);
		close(fd);
		close(v);
	}
	/* Or else this has tested nothing. */
	expect(off > 0, true);
}

/* ---- Attach against withdrawal --------------------------------------------------- */

static int slow_page(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (unsigned long)page, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		skip("no userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		fail("userfaultfd: %s", strerror(errno));
	return fd;
}

static void *withdraw(void *arg)
{
	struct uffdio_copy copy = { .len = 4096 };
	struct uffd_msg msg;
	__u64 zero = 0;
	int fd = *(int *)arg;
	static __u8 page[4096] __attribute__((aligned(4096)));
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { { .nmsrs = 1 }, { .index = SYMB_MSR_FEATURES } };

	/* The other vCPU is in its hypercall now, and waits for this page. */
	if (read(fd, &msg, sizeof(msg)) != sizeof(msg))
		return NULL;
	m.entry.data = zero;
	ioctl(*((int *)arg + 1), KVM_SET_MSRS, &m);
	memcpy(page, &good_desc, sizeof(good_desc));
	copy.src = (unsigned long)page;
	copy.dst = msg.arg.pagefault.address & ~0xfffULL;
	ioctl(fd, UFFDIO_COPY, &copy);
	return NULL;
}

static void test_attach_race(void)
{
	int fds[2];
	pthread_t thread;
	void *page;

	make_bypass_vm();
	add_vcpu();
	page = alloc(4096);
	fds[0] = slow_page(page);
	set_slot(TABLES_SLOT, TABLES_GPA, page, 4096);
	swap_vcpus();
	fds[1] = vcpu;
	swap_vcpus();
	pthread_create(&thread, NULL, withdraw, fds);
	expect(hypercall(SYMB_HC_SWAP_ATTACH, TABLES_GPA, 0, 0, 0), -SYMB_HC_ENOSYS);
	pthread_join(thread, NULL);
	close(fds[0]);

	/* Nothing is attached when the feature comes back, either. */
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL | SYMB_FEAT_SWAPBYPASS);
	answer(0, 1);
	expect(load(0), FAULT);
	expect(vcpu_stat("bypass_faults"), 0);
	expect(attach(&good_desc), 0);
	expect(load(0), CONTENT(slot_of(0)));
}

/* Anything at all. */
static void test_random(void)
{
	static const __u64 bases[] = { 0, 0, 0, 0, 1, 4096, ~0ULL, ~0xfffULL, 1ULL << 47 };
	static const __u32 nrs[] = { 0, 1, 2, 8, 8, 8, 63, 64, 65, ~0U };
	static const __u32 slots[] = { 0, 1, 62, 63, 64, ~0U };
	struct symspy_local *l = local_page();
	unsigned int i, j, n, mapped = 0;
	__u64 val;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	srandom(1);

	for (i = 0; i < 4000; i++) {
		n = random() % 32;
		answer(random() % 8 ? n & ~7 : random() % PAGES, 8);
		l->lookup_base += bases[random() % NR(bases)];
		l->lookup_nr = nrs[random() % NR(nrs)];
		for (j = 0; j < 4; j++)
			l->lookup[random() % 8].slot = slots[random() % NR(slots)];
		for (j = 0; j < 2; j++)
			l->lookup[random() % 8].pte = random() % 2 ? random() : 0;
		l->lookup[random() % 8].flags = random();
		*pte(random() % 32) = random() % 2 ? SWAP_PTE(random() % 64) : SHARED_PTE(n);
		*data32(DATA_STORE_AT) = random() % 8 ? 0 : GUEST_PT + n * 8;
		*data32(DATA_STORE) = random() % 2 ? SWAP_PTE(random() % 64) : 0;

		val = access_page(random() % 2 ? g_load : g_invlpg_load, ADDR(n), 0);
		if (val != FAULT) {
			mapped++;
			if (val - CONTENT(0) >= WINDOW_PAGES)
				fail("0x%llx is not in the window", (unsigned long long)val);
		}
		if (!(random() % 16))
			hypercall(SYMB_HC_DROP_SLOTS, random() % 64, 1, 0, 0);
		if (!(random() % 16))
			hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, ADDR(random() % 32),
				  ADDR(32), 0);
	}
	/* Or else this has tested nothing. */
	expect(mapped > 100 && mapped < 3900, true);
}

/* What user space injects during a question is delivered, whatever the answer. */
static void test_events(void)
{
	struct kvm_regs regs;
	unsigned int i;

	make_bypass_vm();
	expect(attach(&good_desc), 0);
	answer(0, 1);
	for (i = 0; i < 2; i++) {
		*data32(DATA_EXIT) = 1;
		*data32(DATA_ANSWERS) = i;
		memset(&regs, 0, sizeof(regs));
		regs.rax = ADDR(0);
		begin_step(g_load, 0, &regs);
		IOCTL(vcpu, KVM_RUN, 0);
		expect(run->exit_reason, KVM_EXIT_IO);
		expect(service_exit(), true);
		inject_exception(6);
		expect(run_vcpu_in_time(), PORT_UD);
		settle();
		*data32(DATA_EXIT) = 0;
		expect(load(0), i ? CONTENT(slot_of(0)) : FAULT);
	}
	expect(vcpu_stat("symcall_aborts"), 0);
}

/* ---- A VM that switches to nested paging and back ------------------------------- */

static void make_switching_bypass_vm(void)
{
	if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING) <= 0)
		skip("this host has one paging mode");
	vm_paging = KVM_SYMB_PAGING_SHADOW;
	make_bypass_vm();
	expect(attach(&good_desc), 0);
}

/* Nothing is bypassed under nested paging, and nothing is left of what was before. */
static void test_switch(void)
{
	unsigned int i, n;

	make_switching_bypass_vm();
	for (i = 1; i <= 20; i++) {
		answer(0, 8);
		for (n = 0; n < 8; n++)
			expect(load(n), CONTENT(slot_of(n)));
		expect(vcpu_stat("bypass_faults"), i);
		expect(vm_stat("bypass_pages"), 8);

		set_paging(KVM_SYMB_PAGING_NESTED);
		expect(vm_stat("bypass_pages"), 0);
		for (n = 0; n < 8; n++)
			expect(load(n), FAULT);
		/* Drops are as good as ever; so is another window. */
		expect(hypercall(SYMB_HC_DROP_SLOTS, 0, 8, 0, 0), 0);
		expect(hypercall(SYMB_HC_DROP_RANGE, GUEST_PML4, 0, 0x80000000, 0), 0);
		expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), 0);
		expect(attach(&good_desc), 0);
		expect(vcpu_stat("bypass_faults"), i);
		set_paging(KVM_SYMB_PAGING_SHADOW);
	}
	/* None but those, by what KVM's MMU does. */
	expect(vm_stat("bypass_drop_mmu"), 20 * 8);
}

/*
 * While the guest is being asked. What it has answered is for the fault that KVM
 * sees under shadow paging, by its address: under nested paging that would be taken
 * for a guest-physical one.
 */
static void test_switch_asked(void)
{
	struct kvm_regs regs;
	unsigned int i;

	make_switching_bypass_vm();
	answer(0, 8);
	*data32(DATA_EXIT) = 1;
	for (i = 0; i < 20; i++) {
		memset(&regs, 0, sizeof(regs));
		regs.rax = ADDR(i % 8);
		begin_step(g_load, 0, &regs);
		IOCTL(vcpu, KVM_RUN, 0);
		expect(run->exit_reason, KVM_EXIT_IO);
		expect(service_exit(), true);
		set_paging(KVM_SYMB_PAGING_NESTED);
		/* Half of the time it is back before the vCPU is. */
		if (i % 2)
			set_paging(KVM_SYMB_PAGING_SHADOW);
		expect(run_vcpu(), i % 2 ? PORT_DONE : PORT_PF);
		IOCTL(vcpu, KVM_GET_REGS, &regs);
		settle();
		if (i % 2)
			expect(regs.rbx, CONTENT(slot_of(i % 8)));
		expect(hypercall(SYMB_HC_DROP_SLOTS, 0, WINDOW_PAGES, 0, 0), 0);
		expect(vm_stat("bypass_pages"), 0);
		expect(vcpu_stat("bypass_faults"), i + 1);
		set_paging(KVM_SYMB_PAGING_SHADOW);
	}
	expect(vcpu_stat("symcall_aborts"), 0);
}

/* And back and forth, while it is. */
static void test_switch_always(void)
{
	unsigned int i, n, mapped = 0, mode = KVM_SYMB_PAGING_SHADOW;
	struct kvm_regs regs;

	make_switching_bypass_vm();
	*data32(DATA_EXIT) = 1;
	srandom(2);
	for (i = 0; i < 500; i++) {
		n = random() % 8;
		answer(n, 1);
		memset(&regs, 0, sizeof(regs));
		regs.rax = ADDR(n);
		begin_step(g_load, 0, &regs);
		for (;;) {
			if (random() % 2) {
				mode ^= KVM_SYMB_PAGING_NESTED | KVM_SYMB_PAGING_SHADOW;
				set_paging(mode);
			}
			IOCTL(vcpu, KVM_RUN, 0);
			expect(run->exit_reason, KVM_EXIT_IO);
			if (!service_exit())
				break;
		}
		IOCTL(vcpu, KVM_GET_REGS, &regs);
		if (run->io.port == PORT_DONE) {
			mapped++;
			expect(regs.rbx, CONTENT(slot_of(n)));
		} else {
			expect(run->io.port, PORT_PF);
		}
		settle();
	}
	expect(mapped > 50 && mapped < 450, true);
	expect(vcpu_stat("symcall_aborts"), 0);
}

const struct test swapbypass_tests[] = {
	{ "swap-desc", test_desc, SYMB_FEAT_ALL },
	{ "swap-map", test_map, SYMB_FEAT_ALL },
	{ "swap-lies", test_lies, SYMB_FEAT_ALL },
	{ "swap-neighbours", test_neighbours, SYMB_FEAT_ALL },
	{ "swap-page-tables", test_page_tables, SYMB_FEAT_ALL },
	{ "swap-twice", test_twice, SYMB_FEAT_ALL },
	{ "swap-present", test_present, SYMB_FEAT_ALL },
	{ "swap-invalidate", test_invalidate, SYMB_FEAT_ALL },
	{ "swap-hold-slots", test_hold_slots, SYMB_FEAT_ALL },
	{ "swap-hold-range", test_hold_range, SYMB_FEAT_ALL },
	{ "swap-hold-sparse", test_hold_sparse, SYMB_FEAT_ALL },
	{ "swap-hold-detach", test_hold_detach, SYMB_FEAT_ALL },
	{ "swap-hold-attach", test_hold_attach, SYMB_FEAT_ALL },
	{ "swap-hold-reset", test_hold_reset, SYMB_FEAT_ALL },
	{ "swap-hold-init", test_hold_init, SYMB_FEAT_ALL },
	{ "swap-hold-mode", test_hold_mode, SYMB_FEAT_ALL },
	{ "swap-mode-race", test_mode_race, SYMB_FEAT_ALL },
	{ "swap-attach-race", test_attach_race, SYMB_FEAT_ALL },
	{ "swap-random", test_random, SYMB_FEAT_ALL },
	{ "swap-events", test_events, SYMB_FEAT_ALL },
	{ "swap-switch", test_switch, SYMB_FEAT_ALL },
	{ "swap-switch-asked", test_switch_asked, SYMB_FEAT_ALL },
	{ "swap-switch-always", test_switch_always, SYMB_FEAT_ALL },
	{ }
};
