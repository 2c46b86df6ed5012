// SPDX-License-Identifier: GPL-2.0
/*
 * The capability, the MSRs and what they refuse, the SymSpy pages, and the
 * pinning of memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

static const struct {
	__u32 nr, features;
} msrs[] = {
#define MSR(name, features)	{ SYMB_MSR_##name, features },
	SYMB_MSRS_WITH_ALIAS(MSR)
	SYMB_MSRS_WITHOUT_ALIAS(MSR)
#undef MSR
#define MSR(name, features)	{ SYMB_MSR_ALIAS_##name, features },
	SYMB_MSRS_WITH_ALIAS(MSR)
#undef MSR
};

static void check_msr(__u32 nr, __u32 offered)
{
	bool exists = false;
	unsigned int i;
	__u64 val;

	for (i = 0; i < NR(msrs); i++)
		exists |= msrs[i].nr == nr && msrs[i].features & offered;

	if (rdmsr(nr, &val) != exists)
		fail("MSR 0x%x %s", nr, exists ? "is missing" : "exists");
	if (exists)
		expect(val, 0);
	else if (wrmsr(nr, 0))
		fail("MSR 0x%x can be written", nr);
}

/* Those that come with what is offered, and no others in their neighbourhood. */
static void check_msrs(__u32 offered)
{
	__u32 nr;

	for (nr = 0x530; nr < 0x550; nr++)
		check_msr(nr, offered);
	for (nr = 0x400000d0; nr < 0x400000e0; nr++)
		check_msr(nr, offered);
	for (nr = 0; nr < NR(msrs); nr++)
		check_msr(msrs[nr].nr, offered);
}

static void test_msrs(void)
{
	check_msrs(all_features());
}

static void test_off(void)
{
	struct kvm_symcall call = { .nr = CALL_NULL };
	__u64 nr;

	check_msrs(0);
	for (nr = SYMB_HC_SYMCALL_RET; nr <= SYMB_HC_LAST; nr++)
		expect(hypercall(nr, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), -1);
	expect(errno, EINVAL);
}

static void test_cap(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SYMBIOTIC };
	int v;

	expect(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC), all_features());
	/* Too late: there is a vCPU. */
	cap.args[0] = all_features();
	expect(ioctl(vm, KVM_ENABLE_CAP, &cap), -1);

	v = IOCTL(kvm, KVM_CREATE_VM, 0);
	cap.args[0] = all_features() + 1;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), -1);
	cap.args[0] = 0;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), 0);
	cap.args[0] = SYMB_FEAT_SYMSPY;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), 0);
	/* For good: others use what the first one has made. */
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), -1);
	expect(errno, EBUSY);
	cap.args[0] = 0;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), -1);
	expect(errno, EBUSY);
	close(v);
}

static void test_features(void)
{
	__u64 val;

	expect(msr_value(SYMB_MSR_FEATURES), 0);
	expect(hypercall(SYMB_HC_NULL, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	expect(msr_value(SYMB_MSR_FEATURES), SYMB_FEAT_SYMSPY);
	expect(hypercall(SYMB_HC_NULL, 0, 0, 0, 0), 0);
	expect(hypercall_from(3, SYMB_HC_NULL, 0, 0, 0, 0), -SYMB_HC_EPERM);
	/* Reserved bits and bits that are not offered. */
	expect(wrmsr(SYMB_MSR_FEATURES, 1 << 31), false);
	expect(wrmsr(SYMB_MSR_FEATURES, 1ULL << 32), false);
	expect(msr_value(SYMB_MSR_FEATURES), SYMB_FEAT_SYMSPY);
	/* User space resets. */
	val = 1;
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &val), 0);
	val = 0;
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &val), 1);
	expect(msr_value(SYMB_MSR_FEATURES), 0);
}

static void test_dma_ack(void)
{
	__u64 val = 4;

	/* Not before the feature is accepted; withdrawing is always right. */
	expect(msr_value(SYMB_MSR_DMA_ACK), 0);
	expect(wrmsr(SYMB_MSR_DMA_ACK, 2), false);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	expect(wrmsr(SYMB_MSR_DMA_ACK, 2), false);
	expect(dma_exits, 0);
	must_wrmsr(SYMB_MSR_DMA_ACK, 0);
	expect(dma_exits, 1);

	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_DMA_OFFSET);
	expect(wrmsr(SYMB_MSR_DMA_ACK, 1ULL << 32), false);
	refuse_pages = true;
	expect(wrmsr(SYMB_MSR_DMA_ACK, 2), false);
	refuse_pages = false;
	expect(msr_value(SYMB_MSR_DMA_ACK), 0);
	must_wrmsr(SYMB_MSR_DMA_ACK, 6);
	expect(msr_value(SYMB_MSR_DMA_ACK), 6);
	expect(dma_ack, 6);

	/* Keeps other features; user space hears of the end of this one. */
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_DMA_OFFSET);
	expect(dma_ack, 6);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	expect(dma_ack, 0);
	expect(msr_value(SYMB_MSR_DMA_ACK), 0);

	/* User space resets, and needs not be told. */
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_DMA_OFFSET);
	must_wrmsr(SYMB_MSR_DMA_ACK, 8);
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_DMA_ACK, &val), 0);
	val = 0;
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &val), 1);
	dma_exits = 0;
	expect(msr_value(SYMB_MSR_DMA_ACK), 0);
	expect(dma_exits, 0);
}

#define ACCEPT_DMA	(SYMB_FEAT_SYMSPY | SYMB_FEAT_DMA_OFFSET)

/* The write that user space was asked about comes to its end in vain. */
static void finish_stale(void)
{
	expect(run_vcpu_in_time(), PORT_GP);
	settle();
	expect(dma_ack, 0);
	expect(msr_value(SYMB_MSR_DMA_ACK), 0);
}

/*
 * One vCPU acknowledges, the other withdraws, in all orders that user space can
 * see. What it has heard last is what KVM knows.
 */
static void test_dma_race(void)
{
	unsigned int user_first, again;

	add_vcpu();
	must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
	for (user_first = 0; user_first < 2; user_first++) {
		for (again = 0; again < 2; again++) {
			begin_wrmsr(SYMB_MSR_DMA_ACK, 2);
			if (user_first)
				page_exit();
			swap_vcpus();
			must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
			/* It was not asked with this acceptance. */
			if (again)
				must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
			swap_vcpus();
			if (!user_first)
				page_exit();
			finish_stale();
			must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
			must_wrmsr(SYMB_MSR_DMA_ACK, 4);
			expect(dma_ack, 4);
			must_wrmsr(SYMB_MSR_DMA_ACK, 0);
			expect(dma_ack, 0);
		}
	}

	/* By the acknowledgement's own MSR. */
	begin_wrmsr(SYMB_MSR_DMA_ACK, 2);
	swap_vcpus();
	must_wrmsr(SYMB_MSR_DMA_ACK, 0);
	swap_vcpus();
	page_exit();
	finish_stale();
}

/* HLT or, from the reset vector, OUT and HLT. */
static __u8 *make_rom(void)
{
	__u8 *rom = alloc(4096);

	memset(rom, 0xf4, 4096);
	rom[0xff0] = 0xe6;
	rom[0xff1] = PORT_DONE;
	set_slot(3, 0xfffff000, rom, 4096);
	return rom;
}

/* An exit that tells user space something; a vCPU that waits for SIPI makes no other. */
static void run_to_service(void)
{
	int r;

	set_limit(true);
	r = ioctl(vcpu, KVM_RUN, 0);
	set_limit(false);
	expect(r, 0);
	expect(service_exit(), true);
}

/* User space hears of all that INIT has ended before the guest's first step. */
static void test_dma_init(void)
{
	struct kvm_mp_state mp;
	__u8 *rom = make_rom();
	unsigned int i;
	__u64 val;

	add_vcpu();
	/* The first time it is late because of page faults. */
	for (i = 0; i < 3; i++) {
		must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
		must_wrmsr(SYMB_MSR_GLOBAL_PAGE, GLOBAL_GPA);
		must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
		must_wrmsr(SYMB_MSR_DMA_ACK, 2);
		enter(g_spin, 0);
		send_init(0);
		expect(run_vcpu_in_time(), PORT_DONE);
		expect(dma_ack, 0);
		expect(page_gpa[0], 0);
		expect(page_gpa[1], 0);
		settle();
	}

	/* INIT of the boot processor, while another one acknowledges. */
	must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
	swap_vcpus();
	begin_wrmsr(SYMB_MSR_DMA_ACK, 2);
	swap_vcpus();
	enter(g_spin, 0);
	send_init(0);
	expect(run_vcpu_in_time(), PORT_DONE);
	settle();
	swap_vcpus();
	page_exit();
	finish_stale();

	/* INIT has withdrawn, and user space agrees again before it hears of that. */
	swap_vcpus();
	must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
	enter(g_spin, 0);
	send_init(0);
	to_the_entry(KVM_RUN, NULL);
	swap_vcpus();
	must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
	begin_wrmsr(SYMB_MSR_DMA_ACK, 2);
	page_exit();
	expect(dma_ack, 2);
	swap_vcpus();
	expect(run_vcpu_in_time(), PORT_DONE);
	expect(dma_ack, 0);
	settle();
	swap_vcpus();
	finish_stale();

	/* INIT of the one that acknowledges, or maps its page. */
	must_wrmsr(SYMB_MSR_FEATURES, ACCEPT_DMA);
	begin_wrmsr(SYMB_MSR_DMA_ACK, 2);
	page_exit();
	expect(dma_ack, 2);
	send_init(1);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_INIT_RECEIVED);
	run_to_service();
	expect(dma_ack, 0);

	begin_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	page_exit();
	expect(page_gpa[1], LOCAL_GPA);
	send_init(1);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_INIT_RECEIVED);
	run_to_service();
	expect(page_gpa[1], 0);
	expect(host_msr(KVM_GET_MSRS, SYMB_MSR_LOCAL_PAGE, &val), 1);
	expect(val, 0);
	munmap(rom, 4096);
}

/* The page that an address of ours has, from another source than KVM. */
static __u64 page_phys(const void *mem)
{
	__u64 entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (unsigned long)mem / 4096 * 8) != 8)
		fail("pagemap");
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * 4096;
}

static void test_pin(void)
{
	const unsigned int pages = 48;
	struct kvm_symdma_extent extents[64];
	char *mem = alloc(pages * 4096);
	struct kvm_symdma_pin pin = {
		.addr = (unsigned long)mem,
		.size = pages * 4096,
		.extents = (unsigned long)extents,
		.nr = 64,
	}, bad[6];
	unsigned int i, n, ext = 0;
	__u64 done = 0;

	IOCTL(vm, KVM_SYMDMA_PIN, &pin);
	for (i = 0, n = 0; i < pages; i++) {
		expect(extents[ext].phys + done, page_phys(mem + i * 4096));
		done += 4096;
		n++;
		if (done == extents[ext].size) {
			ext++;
			done = 0;
		}
	}
	expect(n, pages);
	expect(ext, pin.nr);

	for (i = 0; i < NR(bad); i++)
		bad[i] = pin;
	bad[0].addr++;
	bad[1].size = 0;
	bad[2].nr = 0;
	bad[3].pad = 1;
	bad[4].extents = 1;
	bad[5].addr = ~0ULL << 12;
	for (i = 0; i < NR(bad); i++)
		expect(ioctl(vm, KVM_SYMDMA_PIN, &bad[i]), -1);

	/* Not mapped in the middle. */
	munmap(mem + 5 * 4096, 4096);
	expect(ioctl(vm, KVM_SYMDMA_PIN, &pin), -1);
	expect(errno, EFAULT);

	/* The same page everywhere is in as many pieces. */
	for (i = 0; i < 2; i++) {
		int fd = memfd_create("pin", 0);

		expect(ftruncate(fd, 8192), 0);
		munmap(mem, pages * 4096);
		if (mmap(mem, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) != mem ||
		    mmap(mem + 4096, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) != mem + 4096)
			fail("mmap");
		pin.size = 8192;
		pin.nr = 1 + i;
		if (i)
			IOCTL(vm, KVM_SYMDMA_PIN, &pin);
		else
			expect(ioctl(vm, KVM_SYMDMA_PIN, &pin), -1);
		if (!i)
			expect(errno, E2BIG);
		close(fd);
	}
	munmap(mem, pages * 4096);
}

static void check_page(__u32 msr, unsigned int n, __u64 gpa)
{
	static const __u64 bad[] = {
		1, 0xfff, GLOBAL_GPA + 8,	/* unaligned */
		0, 0x1000, GUEST_RAM - 4096,	/* RAM */
		1ULL << 52, 1ULL << 63, ~0xfffULL,	/* beyond the bus */
	};
	__u64 val;
	unsigned int i;

	must_wrmsr(msr, gpa);
	expect(page_gpa[n], gpa);
	expect(msr_value(msr), gpa);
	/* The guest may write what is there. */
	must_wrmsr(msr, gpa);

	for (i = 0; i < NR(bad); i++) {
		if (!bad[i])
			continue;
		if (wrmsr(msr, bad[i]))
			fail("MSR 0x%x takes 0x%llx", msr,
			     (unsigned long long)bad[i]);
		expect(msr_value(msr), gpa);
		expect(page_gpa[n], gpa);
	}
	/* User space says no. */
	refuse_pages = true;
	expect(wrmsr(msr, gpa + 0x10000), false);
	refuse_pages = false;
	expect(msr_value(msr), gpa);

	/* Move, unmap. */
	must_wrmsr(msr, gpa + 0x10000);
	expect(msr_value(msr), gpa + 0x10000);
	must_wrmsr(msr, 0);
	expect(page_gpa[n], 0);
	expect(msr_value(msr), 0);

	must_wrmsr(msr, gpa);
	val = 5;
	expect(host_msr(KVM_SET_MSRS, msr, &val), 0);
	expect(host_msr(KVM_GET_MSRS, msr, &val), 1);
	expect(val, gpa);
}

static void test_pages(void)
{
	check_page(SYMB_MSR_GLOBAL_PAGE, 0, GLOBAL_GPA);
	check_page(SYMB_MSR_LOCAL_PAGE, 1, LOCAL_GPA);
	/* Not over the other page. */
	expect(wrmsr(SYMB_MSR_LOCAL_PAGE, GLOBAL_GPA), false);
	expect(wrmsr(SYMB_MSR_GLOBAL_PAGE, LOCAL_GPA), false);
}

static void test_pages_alias(void)
{
	check_page(SYMB_MSR_ALIAS_GLOBAL_PAGE, 0, GLOBAL_GPA);
	check_page(SYMB_MSR_ALIAS_LOCAL_PAGE, 1, LOCAL_GPA);
	expect(msr_value(SYMB_MSR_GLOBAL_PAGE), GLOBAL_GPA);
	expect(msr_value(SYMB_MSR_LOCAL_PAGE), LOCAL_GPA);
}

static void test_call_msrs(void)
{
	static const struct {
		__u32 msr, alias;
	} addr[] = {
		{ SYMB_MSR_SYMCALL_RIP, SYMB_MSR_ALIAS_SYMCALL_RIP },
		{ SYMB_MSR_SYMCALL_RSP, SYMB_MSR_ALIAS_SYMCALL_RSP },
		{ SYMB_MSR_SYMCALL_GS, SYMB_MSR_ALIAS_SYMCALL_GS },
		{ SYMB_MSR_SYMCALL_FS, SYMB_MSR_ALIAS_SYMCALL_FS },
	};
	static const __u64 bad_cs[] = {
		0, 1, 2, 3, 4, SEL_CODE | 3, SEL_CODE | 4, 0xfff8, 0x10008,
		1ULL << 32 | SEL_CODE,
	};
	unsigned int i;

	for (i = 0; i < NR(addr); i++) {
		must_wrmsr(addr[i].msr, 0xffff800000001230);
		expect(wrmsr(addr[i].msr, 0x0000800000000000), false);
		expect(wrmsr(addr[i].msr, 0xffff700000000000), false);
		expect(wrmsr(addr[i].msr, 1ULL << 63), false);
		expect(msr_value(addr[i].alias), 0xffff800000001230);
		must_wrmsr(addr[i].alias, 0x7654321);
		expect(msr_value(addr[i].msr), 0x7654321);
		must_wrmsr(addr[i].msr, 0);
	}
	must_wrmsr(SYMB_MSR_SYMCALL_CS, SEL_CALL_CODE);
	for (i = 0; i < NR(bad_cs); i++) {
		if (wrmsr(SYMB_MSR_SYMCALL_CS, bad_cs[i]))
			fail("CS takes 0x%llx", (unsigned long long)bad_cs[i]);
		expect(msr_value(SYMB_MSR_SYMCALL_CS), SEL_CALL_CODE);
	}
	expect(msr_value(SYMB_MSR_ALIAS_SYMCALL_CS), SEL_CALL_CODE);
}

static void test_partial_offer(void)
{
	/* Only SymSpy is offered to this VM. */
	check_msrs(SYMB_FEAT_SYMSPY);
	expect(wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMCALL), false);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1, CALL_NULL, 0, 0),
	       -SYMB_HC_ENOSYS);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
}

/* The guest tells of a module, up to the exit by which user space hears of it. */
static void begin_module(void)
{
	struct kvm_regs regs = {
		.rax = SYMB_HC_MODULE, .rbx = 0x1122334455667788, .rcx = ~0ULL, .rdx = 7,
	};

	begin_step(g_hypercall, 0, &regs);
	IOCTL(vcpu, KVM_RUN, 0);
	expect(run->exit_reason, KVM_EXIT_HYPERCALL);
	expect(run->hypercall.nr, SYMB_HC_MODULE);
	expect(run->hypercall.args[0], 0x1122334455667788);
	expect(run->hypercall.args[1], ~0ULL);
	expect(run->hypercall.args[2], 7);
}

/* Only guests that have accepted modules, and from ring 0 alone. */
static void test_module(void)
{
	struct kvm_regs regs;
	__u64 zero = 0;

	must_wrmsr(SYMB_MSR_FEATURES, all_features() & ~SYMB_FEAT_MODULES);
	expect(hypercall(SYMB_HC_MODULE, 1, 2, 3, 0), -SYMB_HC_ENOSYS);
	must_wrmsr(SYMB_MSR_FEATURES, all_features());
	expect(hypercall_from(3, SYMB_HC_MODULE, 1, 2, 3, 0), -SYMB_HC_EPERM);
	expect(hypercall(1ULL << 32 | SYMB_HC_MODULE, 1, 2, 3, 0), -SYMB_HC_ENOSYS);

	/* Who says nothing has not heard it. */
	begin_module();
	expect(run_vcpu(), PORT_DONE);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	expect((__s64)regs.rax, -SYMB_HC_ENOSYS);

	begin_module();
	run->hypercall.ret = -SYMB_HC_EINVAL;
	expect(run_vcpu(), PORT_DONE);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	expect((__s64)regs.rax, -SYMB_HC_EINVAL);

	/* A reset comes before the answer, which is for nobody then. */
	begin_module();
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_SYMCALL_RIP, &zero), 1);
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &zero), 1);
	enter(g_spin, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rax = 0x5555;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	run_on();
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	expect(regs.rax, 0x5555);
	expect(hypercall(SYMB_HC_MODULE, 1, 2, 3, 0), -SYMB_HC_ENOSYS);
}

const struct test msr_tests[] = {
	{ "off", test_off, 0 },
	{ "cap", test_cap, SYMB_FEAT_ALL },
	{ "msrs", test_msrs, SYMB_FEAT_ALL },
	{ "features", test_features, SYMB_FEAT_ALL },
	{ "dma-ack", test_dma_ack, SYMB_FEAT_ALL },
	{ "dma-race", test_dma_race, SYMB_FEAT_ALL },
	{ "dma-init", test_dma_init, SYMB_FEAT_ALL },
	{ "pin", test_pin, SYMB_FEAT_ALL },
	{ "pages", test_pages, SYMB_FEAT_ALL },
	{ "pages-alias", test_pages_alias, SYMB_FEAT_ALL },
	{ "call-msrs", test_call_msrs, SYMB_FEAT_ALL },
	{ "module", test_module, SYMB_FEAT_ALL },
	{ "partial-offer", test_partial_offer, SYMB_FEAT_SYMSPY },
	{ }
};
