// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the symbiotic extension at KVM's user interface, with a tiny guest
 * of its own (guest.S): the capability, the MSRs and what they refuse, the
 * hypercalls, and every rule of SymCall, with guests that lie and misbehave.
 *
 * usage: symbiotic_test [-v] [-b calls] [name...]
 *	-b	benchmark: null hypercall against null symcall, not tests
 *
 * Prints "ok <name>" or "not ok <name>" per test; exits 0 if all passed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <symbiotic/abi.h>

/* What include/uapi/linux/kvm.h of the patched kernel adds. */
#include "../../qemu/overlay/target/i386/kvm/symbiotic-kvm.h"
#include "guest.h"

#define GLOBAL_GPA	0x10000000ULL
#define LOCAL_GPA	0x10001000ULL
#define RFLAGS_FIXED	0x2ULL
#define RFLAGS_DF	0x400ULL
#define RFLAGS_IF	0x200ULL

#define CODE(label)	(GUEST_CODE + (__u64)((label) - guest_start))

static int kvm, vm, vcpu, verbose;
static struct kvm_run *run;
static __u8 *ram, *page[2];	/* page: global, local */
static __u64 page_gpa[2];
static unsigned int page_exits, dma_exits, call_ports;
static __u64 dma_ack;
static bool refuse_pages;
static jmp_buf failed;

#define fail(...) do {							\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	printf("\n");							\
	longjmp(failed, 1);						\
} while (0)

#define expect(what, want) do {						\
	__u64 _got = (what), _want = (want);				\
	if (_got != _want)						\
		fail("%s is 0x%llx, not 0x%llx", #what,			\
		     (unsigned long long)_got, (unsigned long long)_want); \
} while (0)

static int xioctl(int fd, unsigned long nr, void *arg, const char *name)
{
	int r = ioctl(fd, nr, arg);

	if (r < 0)
		fail("%s: %s", name, strerror(errno));
	return r;
}

#define IOCTL(fd, nr, arg)	xioctl(fd, nr, (void *)(unsigned long)(arg), #nr)

static __u32 *data32(unsigned int offset)
{
	return (__u32 *)(ram + GUEST_DATA + offset);
}

static __u64 data64(unsigned int offset)
{
	__u64 val;

	memcpy(&val, ram + GUEST_DATA + offset, sizeof(val));
	return val;
}

static void set_slot(unsigned int slot, __u64 gpa, void *mem, __u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (unsigned long)mem,
	};

	IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void *alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return p;
}

static __u64 segment(int type, int dpl, bool code)
{
	return 0x000f00000000ffffULL | (__u64)type << 40 | 1ULL << 44 |
	       (__u64)dpl << 45 | 1ULL << 47 |
	       (code ? 1ULL << 53 : 1ULL << 54) | 1ULL << 55;
}

static void set_gate(unsigned int vector, const char *label)
{
	__u64 *idt = (__u64 *)(ram + GUEST_IDT) + 2 * vector;
	__u64 addr = CODE(label);

	idt[0] = (addr & 0xffff) | SEL_CODE << 16 | 0x8e00ULL << 32 |
		 (addr >> 16 & 0xffff) << 48;
	idt[1] = addr >> 32;
}

static void build_guest(void)
{
	__u64 *gdt = (__u64 *)(ram + GUEST_GDT);
	__u64 i, *pte;
	__u8 *p;
	FILE *f;
	char line[256];
	bool intel = false;

	memset(ram, 0, GUEST_RAM);
	memcpy(ram + GUEST_CODE, guest_start, guest_end - guest_start);

	/* The code is written for AMD; Intel's instruction differs. */
	f = fopen("/proc/cpuinfo", "r");
	while (f && fgets(line, sizeof(line), f))
		intel |= !!strstr(line, "GenuineIntel");
	if (f)
		fclose(f);
	for (p = ram + GUEST_CODE; intel && p < ram + GUEST_STACK - 3; p++)
		if (!memcmp(p, "\x0f\x01\xd9", 3))
			p[2] = 0xc1;

	for (i = 0; i < 2; i++) {
		pte = (__u64 *)(ram + (i ? GUEST_PML4_2 : GUEST_PML4));
		pte[0] = GUEST_PDPT | 7;
	}
	for (i = 0; i < 4; i++)
		((__u64 *)(ram + GUEST_PDPT))[i] = (GUEST_PD + (i << 12)) | 7;
	for (i = 0; i < 2048; i++)
		((__u64 *)(ram + GUEST_PD))[i] =
			i << 21 == GUEST_UNMAPPED ? 0 : i << 21 | 0x87;

	gdt[SEL_CODE / 8] = segment(11, 0, true);
	gdt[SEL_DATA / 8] = segment(3, 0, false);
	gdt[SEL_USER_DATA / 8] = segment(3, 3, false);
	gdt[SEL_USER_CODE / 8] = segment(11, 3, true);
	gdt[SEL_CALL_CODE / 8] = segment(11, 0, true);
	gdt[SEL_CALL_DATA / 8] = segment(3, 0, false);
	gdt[SEL_OTHER_CODE / 8] = segment(11, 0, true);
	gdt[SEL_OTHER_DATA / 8] = segment(3, 0, false);

	set_gate(2, g_nmi);
	set_gate(6, g_ud);
	set_gate(13, g_gp);
	set_gate(14, g_pf);
	set_gate(0x40, g_irq);
}

static void put_segment(struct kvm_segment *s, __u16 selector, bool code,
			int dpl)
{
	*s = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = selector | dpl,
		.type = code ? 11 : 3, .present = 1, .dpl = dpl, .s = 1,
		.l = code, .db = !code, .g = 1,
	};
}

/* Ready to run @label in ring @cpl. */
static void enter(const char *label, int cpl)
{
	struct kvm_regs regs = {
		.rip = CODE(label), .rsp = GUEST_STACK, .rflags = RFLAGS_FIXED,
	};
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs s;

	IOCTL(vcpu, KVM_SET_MP_STATE, &mp);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.cr0 = 0x80050033;
	s.cr3 = GUEST_PML4;
	s.cr4 = 0x620;
	s.efer = 0xd00;
	s.gdt.base = GUEST_GDT;
	s.gdt.limit = 0x7f;
	s.idt.base = GUEST_IDT;
	s.idt.limit = 0xfff;
	put_segment(&s.cs, cpl ? SEL_USER_CODE : SEL_CODE, true, cpl);
	put_segment(&s.ss, cpl ? SEL_USER_DATA : SEL_DATA, false, cpl);
	s.ds = s.ss;
	s.es = s.ss;
	s.fs = s.ss;
	s.gs = s.ss;
	s.fs.base = 0x222000;
	s.gs.base = 0x333000;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
}

/*
 * What KVM must offer: everything, but for what needs shadow paging. Asked of
 * KVM's parameters, not of the capability that is being tested.
 */
static __u32 all_features(void)
{
	static const char * const paging[] = {
		"/sys/module/kvm_amd/parameters/npt",
		"/sys/module/kvm_intel/parameters/ept",
	};
	char on = 'N';
	FILE *f;
	int i;

	for (i = 0; i < 2; i++) {
		f = fopen(paging[i], "r");
		if (!f)
			continue;
		on = fgetc(f);
		fclose(f);
	}
	return on == 'Y' || on == '1' ? SYMB_FEAT_ALL & ~SYMB_FEAT_SWAPBYPASS :
	       SYMB_FEAT_ALL;
}

static void make_vm(__u32 features)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_SYMBIOTIC, .args = { features & all_features() },
	};
	struct kvm_lapic_state lapic;
	__u32 svr = 0x1ff;

	vm = IOCTL(kvm, KVM_CREATE_VM, 0);
	IOCTL(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	IOCTL(vm, KVM_CREATE_IRQCHIP, 0);
	if (features)
		IOCTL(vm, KVM_ENABLE_CAP, &cap);

	vcpu = IOCTL(vm, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	cpuid.head.nent = 128;
	IOCTL(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	IOCTL(vcpu, KVM_SET_CPUID2, &cpuid);
	IOCTL(vcpu, KVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + 0xf0, &svr, sizeof(svr));
	IOCTL(vcpu, KVM_SET_LAPIC, &lapic);

	build_guest();
	memset(page[0], 0, 4096);
	memset(page[1], 0, 4096);
	memset(page_gpa, 0, sizeof(page_gpa));
	page_exits = 0;
	dma_exits = 0;
	dma_ack = 0;
	call_ports = 0;
	refuse_pages = false;
	set_slot(0, 0, ram, GUEST_RAM);
}

static void drop_vm(void)
{
	munmap(run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu);
	close(vm);
}

static void page_exit(void)
{
	unsigned int n = run->msr.index - SYMB_MSR_GLOBAL_PAGE;

	if (run->msr.index == SYMB_MSR_DMA_ACK) {
		dma_exits++;
		run->msr.error = refuse_pages;
		if (!refuse_pages)
			dma_ack = run->msr.data;
		return;
	}
	if (n > 1)
		fail("exit for MSR 0x%x", run->msr.index);
	page_exits++;
	run->msr.error = refuse_pages;
	if (refuse_pages)
		return;
	if (page_gpa[n])
		set_slot(1 + n, page_gpa[n], page[n], 0);
	page_gpa[n] = run->msr.data;
	if (page_gpa[n])
		set_slot(1 + n, page_gpa[n], page[n], 4096);
}

/*
 * Handles what user space handles: port I/O inside calls and SymSpy pages.
 * Returns true for those.
 */
static bool service_exit(void)
{
	if (run->exit_reason == KVM_EXIT_X86_WRMSR) {
		page_exit();
		return true;
	}
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_CALL) {
		__u8 *data = (__u8 *)run + run->io.data_offset;

		if (run->io.direction == KVM_EXIT_IO_IN)
			*data = 0xa5;
		else if (*data != 0x5a)
			fail("a call wrote 0x%x", *data);
		call_ports++;
		return true;
	}
	return false;
}

/* Runs the guest to the end of a step; returns its port, 0 if interrupted. */
static unsigned int run_vcpu(void)
{
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				return 0;
			fail("KVM_RUN: %s", strerror(errno));
		}
		if (service_exit())
			continue;
		if (run->exit_reason != KVM_EXIT_IO)
			fail("exit reason %u", run->exit_reason);
		return run->io.port;
	}
}

/* Completes the OUT that ended a step. */
static void settle(void)
{
	run->immediate_exit = 1;
	ioctl(vcpu, KVM_RUN, 0);
	run->immediate_exit = 0;
}

static void on_alarm(int sig)
{
	/* Only interrupts KVM_RUN. */
}

/* Lets the guest run for a while, then interrupts it. */
static void run_for(unsigned int ms)
{
	struct itimerval t = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
		.it_interval = { 0, 10000 },
	};
	unsigned int port;

	setitimer(ITIMER_REAL, &t, NULL);
	port = run_vcpu();
	memset(&t, 0, sizeof(t));
	setitimer(ITIMER_REAL, &t, NULL);
	if (port)
		fail("port 0x%x instead of a signal", port);
}

/* WRMSR in the guest; true if it went well, false after #GP. */
static bool wrmsr(__u32 msr, __u64 val)
{
	struct kvm_regs regs;
	unsigned int port;

	enter(g_wrmsr, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rcx = msr;
	regs.rax = (__u32)val;
	regs.rdx = val >> 32;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	port = run_vcpu();
	settle();
	return port == PORT_DONE;
}

static bool rdmsr(__u32 msr, __u64 *val)
{
	struct kvm_regs regs;
	unsigned int port;

	enter(g_rdmsr, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rcx = msr;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	port = run_vcpu();
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	*val = regs.rdx << 32 | (__u32)regs.rax;
	return port == PORT_DONE;
}

static __u64 msr_value(__u32 msr)
{
	__u64 val;

	if (!rdmsr(msr, &val))
		fail("#GP reading MSR 0x%x", msr);
	return val;
}

static void must_wrmsr(__u32 msr, __u64 val)
{
	if (!wrmsr(msr, val))
		fail("#GP writing 0x%llx to MSR 0x%x", (unsigned long long)val, msr);
}

static __s64 hypercall_from(int cpl, __u64 nr, __u64 a0, __u64 a1,
			    __u64 a2, __u64 a3)
{
	struct kvm_regs regs;

	enter(g_hypercall, cpl);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rax = nr;
	regs.rbx = a0;
	regs.rcx = a1;
	regs.rdx = a2;
	regs.rsi = a3;
	/* IOPL 3, for the OUT. */
	regs.rflags |= 0x3000;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	expect(run_vcpu(), PORT_DONE);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	return regs.rax;
}

static __s64 hypercall(__u64 nr, __u64 a0, __u64 a1, __u64 a2, __u64 a3)
{
	return hypercall_from(0, nr, a0, a1, a2, a3);
}

static int host_msr(unsigned long nr, __u32 msr, __u64 *val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { { .nmsrs = 1 }, { .index = msr, .data = *val } };
	int r = IOCTL(vcpu, nr, &m);

	*val = m.entry.data;
	return r;
}

static void register_call(const char *entry)
{
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL);
	must_wrmsr(SYMB_MSR_SYMCALL_RSP, GUEST_CALL_STACK);
	must_wrmsr(SYMB_MSR_SYMCALL_CS, SEL_CALL_CODE);
	must_wrmsr(SYMB_MSR_SYMCALL_GS, 0x444000);
	must_wrmsr(SYMB_MSR_SYMCALL_FS, 0x555000);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, CODE(entry));
}

/* A symcall from user space; signals every 10 ms in between if @kick. */
static struct kvm_symcall symcall_kick(__u64 nr, __u64 arg0, bool kick)
{
	struct itimerval t = { { 0, 10000 }, { 0, 10000 } };
	struct kvm_symcall call = {
		.nr = nr, .args = { arg0, 0xc0, 0xd0, 0x51, 0xd1 },
	};

	if (kick)
		setitimer(ITIMER_REAL, &t, NULL);
	for (;;) {
		if (ioctl(vcpu, KVM_SYMCALL, &call) < 0) {
			if (errno == EINTR)
				continue;
			fail("KVM_SYMCALL: %s", strerror(errno));
		}
		if (run->exit_reason == KVM_EXIT_SYMCALL)
			break;
		if (!service_exit())
			fail("exit reason %u in a symcall", run->exit_reason);
	}
	memset(&t, 0, sizeof(t));
	setitimer(ITIMER_REAL, &t, NULL);
	return call;
}

static struct kvm_symcall symcall(__u64 nr, __u64 arg0)
{
	return symcall_kick(nr, arg0, false);
}

static void send_irq(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };

	IOCTL(vm, KVM_SIGNAL_MSI, &msi);
}

/* A stat of the vCPU by name. */
static __u64 stat(const char *name)
{
	struct kvm_stats_header head;
	__u64 val = ~0ULL;
	char desc[256];
	__u32 i;
	size_t size;
	int fd = ioctl(vcpu, _IO(KVMIO, 0xce), 0);

	if (fd < 0)
		fail("KVM_GET_STATS_FD: %s", strerror(errno));
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		fail("statistics");
	size = 16 + head.name_size;
	for (i = 0; i < head.num_desc && size <= sizeof(desc); i++) {
		__u32 offset;

		pread(fd, desc, size, head.desc_offset + i * size);
		if (strcmp(desc + 16, name))
			continue;
		memcpy(&offset, desc + 8, sizeof(offset));
		pread(fd, &val, sizeof(val), head.data_offset + offset);
	}
	close(fd);
	return val;
}

/* ---- tests: discovery and MSRs ------------------------------------------- */

static const __u32 all_msrs[] = {
	SYMB_MSR_GLOBAL_PAGE, SYMB_MSR_LOCAL_PAGE, SYMB_MSR_SYMCALL_RIP,
	SYMB_MSR_SYMCALL_RSP, SYMB_MSR_SYMCALL_CS, SYMB_MSR_SYMCALL_GS,
	SYMB_MSR_SYMCALL_FS, SYMB_MSR_FEATURES, SYMB_MSR_ALIAS_GLOBAL_PAGE,
	SYMB_MSR_ALIAS_LOCAL_PAGE, SYMB_MSR_ALIAS_SYMCALL_RIP,
	SYMB_MSR_ALIAS_SYMCALL_RSP, SYMB_MSR_ALIAS_SYMCALL_CS,
	SYMB_MSR_ALIAS_SYMCALL_GS, SYMB_MSR_ALIAS_SYMCALL_FS,
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static void test_off(void)
{
	struct kvm_symcall call = { .nr = CALL_NULL };
	__u64 val, nr;
	unsigned int i;

	for (i = 0; i < NR(all_msrs); i++) {
		if (rdmsr(all_msrs[i], &val))
			fail("MSR 0x%x exists", all_msrs[i]);
		if (wrmsr(all_msrs[i], 0))
			fail("MSR 0x%x can be written", all_msrs[i]);
	}
	for (nr = SYMB_HC_SYMCALL_RET; nr <= SYMB_HC_DROP_RANGE; nr++)
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
	cap.args[0] = SYMB_FEAT_SYMSPY;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), 0);
	cap.args[0] = 0;
	expect(ioctl(v, KVM_ENABLE_CAP, &cap), 0);
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
	struct kvm_symb_extent extents[64];
	char *mem = alloc(pages * 4096);
	struct kvm_symb_pin pin = {
		.addr = (unsigned long)mem,
		.size = pages * 4096,
		.extents = (unsigned long)extents,
		.nr = 64,
	}, bad;
	unsigned int i, n, ext = 0;
	__u64 done = 0;

	IOCTL(vm, KVM_SYMB_PIN, &pin);
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

	bad = pin;
	bad.addr++;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);
	bad = pin;
	bad.size = 0;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);
	bad = pin;
	bad.nr = 0;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);
	bad = pin;
	bad.pad = 1;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);
	bad = pin;
	bad.extents = 1;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);
	bad = pin;
	bad.addr = ~0ULL << 12;
	expect(ioctl(vm, KVM_SYMB_PIN, &bad), -1);

	/* Not mapped in the middle. */
	munmap(mem + 5 * 4096, 4096);
	expect(ioctl(vm, KVM_SYMB_PIN, &pin), -1);
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
			IOCTL(vm, KVM_SYMB_PIN, &pin);
		else
			expect(ioctl(vm, KVM_SYMB_PIN, &pin), -1);
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
	__u64 val;

	/* Only SymSpy is offered to this VM. */
	expect(msr_value(SYMB_MSR_GLOBAL_PAGE), 0);
	expect(rdmsr(SYMB_MSR_SYMCALL_RIP, &val), false);
	expect(wrmsr(SYMB_MSR_SYMCALL_RIP, 0), false);
	expect(wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMCALL), false);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1, CALL_NULL, 0, 0),
	       -SYMB_HC_ENOSYS);
	expect(hypercall(SYMB_HC_SWAP_DETACH, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
}

/* ---- tests: symcalls ----------------------------------------------------- */

static void check_entry_state(void)
{
	expect(data64(DATA_RFLAGS), RFLAGS_FIXED);
	expect(data64(DATA_RSP), GUEST_CALL_STACK);
	expect(*data32(DATA_CS), SEL_CALL_CODE);
	expect(*data32(DATA_SS), SEL_CALL_DATA);
	expect(*data32(DATA_GS), 0x444000);
	expect(*data32(DATA_FS), 0x555000);
	expect(data64(DATA_DR7), 0x400);
}

static void test_user_call(void)
{
	struct kvm_symcall c;

	enter(g_spin, 0);
	c = symcall(CALL_INC, 41);
	expect(c.status, -ENXIO);

	register_call(g_symcall);
	enter(g_spin, 0);
	run_for(20);
	c = symcall(CALL_INC, 41);
	expect(c.status, 0);
	expect(c.ret[0], 42);
	expect(c.ret[3], 0x51);
	expect(c.ret[4], 0xd1);
	check_entry_state();

	c = symcall(CALL_ERROR, 7);
	expect(c.status, 7);
	c = symcall(CALL_ERROR, 0);
	expect(c.status, SYMCALL_ERR_INVAL);
	c = symcall(CALL_ERROR, 1ULL << 40);
	expect(c.status, SYMCALL_ERR_INVAL);
	expect(stat("symcalls"), 4);
	expect(stat("symcall_aborts"), 0);
	run_for(20);

	/* Withdrawn. */
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY);
	enter(g_spin, 0);
	c = symcall(CALL_INC, 1);
	expect(c.status, -ENXIO);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, 0);
	enter(g_spin, 0);
	c = symcall(CALL_INC, 1);
	expect(c.status, -ENXIO);
}

struct context {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs dr;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
};

static void get_context(struct context *c)
{
	memset(c, 0, sizeof(*c));
	IOCTL(vcpu, KVM_GET_REGS, &c->regs);
	IOCTL(vcpu, KVM_GET_SREGS, &c->sregs);
	IOCTL(vcpu, KVM_GET_DEBUGREGS, &c->dr);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &c->events);
	IOCTL(vcpu, KVM_GET_MP_STATE, &c->mp);
}

static void check_context(const struct context *was)
{
	struct context is;

	get_context(&is);
	if (memcmp(&is.regs, &was->regs, sizeof(is.regs)))
		fail("registers differ: rip %llx/%llx rflags %llx/%llx rsp %llx/%llx",
		     is.regs.rip, was->regs.rip, is.regs.rflags,
		     was->regs.rflags, is.regs.rsp, was->regs.rsp);
	if (memcmp(&is.sregs.cs, &was->sregs.cs, sizeof(is.sregs.cs)))
		fail("CS differs");
	if (memcmp(&is.sregs.ss, &was->sregs.ss, sizeof(is.sregs.ss)))
		fail("SS differs");
	if (memcmp(&is.sregs.fs, &was->sregs.fs, sizeof(is.sregs.fs)))
		fail("FS differs");
	if (memcmp(&is.sregs.gs, &was->sregs.gs, sizeof(is.sregs.gs)))
		fail("GS differs");
	expect(is.sregs.cr3, was->sregs.cr3);
	expect(is.sregs.cr2, was->sregs.cr2);
	if (memcmp(&is.dr, &was->dr, sizeof(is.dr)))
		fail("debug registers differ");
	expect(is.events.interrupt.shadow, was->events.interrupt.shadow);
	expect(is.events.nmi.masked, was->events.nmi.masked);
	expect(is.mp.mp_state, was->mp.mp_state);
}

/* A context unlike the entry state in everything that can differ. */
static void strange_context(int cpl)
{
	struct kvm_vcpu_events events;
	struct kvm_debugregs dr;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	__u64 *r;

	enter(g_spin, cpl);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	for (r = &regs.rax; r <= &regs.r15; r++)
		if (r != &regs.rsp)
			*r = 0x1111111111111111ULL * (1 + (r - &regs.rax) % 15);
	regs.rflags = RFLAGS_FIXED | RFLAGS_DF | 0x8d5 | 0x40000;	/* AC */
	IOCTL(vcpu, KVM_SET_REGS, &regs);

	IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr2 = 0x123456;
	sregs.fs.selector = SEL_USER_DATA | 3;
	IOCTL(vcpu, KVM_SET_SREGS, &sregs);

	IOCTL(vcpu, KVM_GET_DEBUGREGS, &dr);
	dr.db[0] = 0x7fff0000;
	dr.dr7 = 0x403;
	IOCTL(vcpu, KVM_SET_DEBUGREGS, &dr);

	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	events.nmi.masked = 1;
	events.interrupt.shadow = cpl ? 0 : KVM_X86_SHADOW_INT_MOV_SS;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

static void check_restore(int cpl, __u64 nr)
{
	struct context was;
	struct kvm_symcall c;

	strange_context(cpl);
	get_context(&was);
	c = symcall(nr, 3);
	expect(c.status, 0);
	check_context(&was);
	check_entry_state();
}

static void test_restore_kernel(void)
{
	register_call(g_symcall);
	check_restore(0, CALL_NULL);
	check_restore(0, CALL_CLOBBER);
	check_restore(0, CALL_EXITS);
	/* With page-table isolation or not, with PCIDs or not: CR4 is ours. */
	run_for(20);
}

static void test_restore_user(void)
{
	register_call(g_symcall);
	check_restore(3, CALL_NULL);
	check_restore(3, CALL_CLOBBER);
	check_restore(3, CALL_EXITS);
	run_for(20);
}

static void test_halted(void)
{
	struct kvm_mp_state mp;
	struct kvm_symcall c;
	struct context was;

	register_call(g_symcall);
	enter(g_hlt, 0);
	run_for(30);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_HALTED);
	get_context(&was);
	c = symcall(CALL_INC, 1);
	expect(c.status, 0);
	expect(c.ret[0], 2);
	check_context(&was);
	run_for(30);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_HALTED);

	/* An interrupt during the call wakes it up afterwards. */
	send_irq();
	c = symcall(CALL_EXITS, 1);
	expect(c.status, 0);
	expect(run_vcpu(), PORT_DONE);
	expect(*data32(DATA_IRQS), 1);
	expect(*data32(DATA_BROKEN), 0);
	settle();
}

static void test_exits(void)
{
	struct kvm_symcall c;

	register_call(g_symcall);
	enter(g_spin, 0);
	run_for(20);
	c = symcall_kick(CALL_EXITS, 5, true);
	expect(c.status, 0);
	expect(c.ret[0] != 5, true);
	expect(c.ret[3], CODE(g_symcall));
	expect(c.ret[4], 0xa5);
	expect(call_ports, 2);
}

static void test_signals(void)
{
	struct kvm_symcall c;
	int i;

	register_call(g_symcall);
	enter(g_sti_spin, 0);
	for (i = 0; i < 50; i++) {
		if (i % 5 == 0)
			send_irq();
		c = symcall_kick(i & 1 ? CALL_STI : CALL_INC, i, true);
		expect(c.status, 0);
	}
	run_for(20);
	expect(*data32(DATA_BROKEN), 0);
	expect(*data32(DATA_IRQS) > 0, true);
}

/* Interrupts and NMIs that are pending all the time of a call with STI. */
static void test_no_injection(void)
{
	struct kvm_symcall c;

	register_call(g_symcall);
	enter(g_sti_spin, 0);
	run_for(20);
	send_irq();
	IOCTL(vcpu, KVM_NMI, 0);
	c = symcall(CALL_STI, 0);
	expect(c.status, 0);
	expect(*data32(DATA_BROKEN), 0);
	expect(*data32(DATA_IRQS), 0);
	expect(*data32(DATA_NMIS), 0);
	run_for(30);
	expect(*data32(DATA_IRQS), 1);
	expect(*data32(DATA_NMIS), 1);
	expect(*data32(DATA_BROKEN), 0);
}

/* An SMI that comes before the call is taken after it. */
static void test_smi(void)
{
	/* incl GUEST_DATA + DATA_IRQS, in 16-bit mode; RSM */
	static const __u8 handler[] = {
		0x67, 0x66, 0xff, 0x05, DATA_IRQS, GUEST_DATA >> 8, 0, 0,
		0x0f, 0xaa,
	};
	struct kvm_symcall c;

	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0) {
		printf("# no SMM in this KVM\n");
		return;
	}
	/* The other address space is the one that SMM sees. */
	set_slot(1 << 16, 0, ram, GUEST_RAM);
	memcpy(ram + 0x38000, handler, sizeof(handler));

	register_call(g_symcall);
	enter(g_spin, 0);
	run_for(20);
	IOCTL(vcpu, KVM_SMI, 0);
	c = symcall(CALL_STI, 0);
	expect(c.status, 0);
	expect(*data32(DATA_IRQS), 0);
	run_for(20);
	expect(*data32(DATA_IRQS), 1);
	c = symcall(CALL_INC, 4);
	expect(c.status, 0);
	expect(c.ret[0], 5);
}

static void check_abort(__u64 nr, int status)
{
	struct context was;
	struct kvm_symcall c;

	register_call(g_symcall);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	strange_context(0);
	get_context(&was);
	c = symcall_kick(nr, 0, true);
	expect(c.status, status);
	check_context(&was);
	expect(stat("symcall_aborts"), 1);

	/* Off, until the guest registers again. */
	c = symcall(CALL_INC, 0);
	expect(c.status, -ENXIO);
	expect(((struct symspy_local *)page[1])->flags, 0);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, CODE(g_symcall));
	expect(((struct symspy_local *)page[1])->flags,
	       SYMSPY_LOCAL_SYMCALL_ENABLED);
	enter(g_spin, 0);
	c = symcall(CALL_INC, 0);
	expect(c.status, 0);
	run_for(20);
}

static void test_abort_spin(void)
{
	check_abort(CALL_SPIN, -ETIMEDOUT);
}

static void test_abort_hlt(void)
{
	check_abort(CALL_HLT, -EIO);
}

static void test_abort_ud(void)
{
	check_abort(CALL_UD, -EIO);
}

static void test_abort_gp(void)
{
	check_abort(CALL_BAD_MSR, -EIO);
}

static void test_bad_entry(void)
{
	static const __u64 bad[] = {
		GUEST_UNMAPPED, 0xffff800000000000, 0x7fffffffffff,
	};
	struct kvm_symcall c;
	unsigned int i, exits;

	/* An entry point or stack that does not exist hurts only the guest. */
	for (i = 0; i < NR(bad); i++) {
		register_call(g_symcall);
		must_wrmsr(SYMB_MSR_SYMCALL_RIP, bad[i]);
		enter(g_spin, 0);
		memset(&c, 0, sizeof(c));
		c.nr = CALL_INC;
		c.args[0] = i;
		for (exits = 0; exits < 100; exits++) {
			if (ioctl(vcpu, KVM_SYMCALL, &c) < 0 && errno != EINTR)
				fail("KVM_SYMCALL: %s", strerror(errno));
			if (run->exit_reason == KVM_EXIT_SYMCALL)
				break;
			/* Nested paging: the guest has its own #PF handler. */
			if (run->exit_reason == KVM_EXIT_IO &&
			    (run->io.port == PORT_PF || run->io.port == PORT_GP)) {
				settle();
				break;
			}
			fail("exit reason %u", run->exit_reason);
		}
		if (run->exit_reason == KVM_EXIT_SYMCALL)
			expect(c.status, -EIO);
		drop_vm();
		make_vm(SYMB_FEAT_ALL);
	}
}

static void test_nested(void)
{
	struct kvm_symcall c;

	register_call(g_symcall);
	enter(g_spin, 0);
	c = symcall(CALL_NESTED, 0);
	expect(c.status, 0);
	expect(c.ret[0], -SYMB_HC_EBUSY);
	expect(c.ret[1], 0);
}

static void test_hypercalls(void)
{
	register_call(g_symcall);
	expect(hypercall(SYMB_HC_SYMCALL_RET, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
	expect(hypercall(SYMB_HC_SYMCALL_ERR, 0, 0, 0, 0), -SYMB_HC_ENOSYS);
	expect(hypercall(SYMB_HC_NULL, 0, 0, 0, 0), 0);
	expect(hypercall(1ULL << 32 | SYMB_HC_NULL, 0, 0, 0, 0),
	       -SYMB_HC_ENOSYS);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP + 100, 0, 0, 0, 0),
	       -SYMB_HC_ENOSYS);
	expect(hypercall_from(3, SYMB_HC_SYMCALL_LOOP, 1, CALL_NULL, 0, 0),
	       -SYMB_HC_EPERM);
}

static void test_loop(void)
{
	register_call(g_symcall);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 0, CALL_NULL, 0, 0), 0);
	expect(*data32(DATA_CALLS), 0);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1, CALL_NULL, 0, 0), 0);
	expect(*data32(DATA_CALLS), 1);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1000, CALL_INC, 3, 4), 0);
	expect(*data32(DATA_CALLS), 1001);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 3, CALL_ERROR, 9, 4), 9);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, (1 << 20) + 1, CALL_NULL, 0, 0),
	       -SYMB_HC_EINVAL);
	expect(hypercall(2ULL << 32 | SYMB_HC_SYMCALL_LOOP, 1, CALL_NULL, 0, 0),
	       -SYMB_HC_EINVAL);
	expect(*data32(DATA_CALLS), 1004);
	/* An abort ends the loop. */
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 10, CALL_HLT, 0, 0),
	       -SYMB_HC_EIO);
	expect(stat("symcall_aborts"), 1);
	/* The guest gets a chance to clean up. */
	expect(*data32(DATA_NMIS), 1);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 10, CALL_NULL, 0, 0),
	       -SYMB_HC_EIO);
}

/* A long loop lets interrupts in, and signals out; registers survive. */
static void test_loop_interrupted(void)
{
	struct kvm_regs regs, before;

	register_call(g_symcall);
	enter(g_hypercall, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rax = SYMB_HC_SYMCALL_LOOP;
	regs.rbx = 1 << 20;
	regs.rcx = CALL_NULL;
	regs.rbp = 0x77;
	regs.rflags |= RFLAGS_IF;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	before = regs;
	send_irq();
	run_for(200);
	send_irq();
	run_for(200);
	expect(*data32(DATA_BROKEN), 0);
	expect(*data32(DATA_IRQS), 2);
	/* The rest is shorter. */
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	if (regs.rip == before.rip) {
		expect((__u32)regs.rax, SYMB_HC_SYMCALL_LOOP);
		expect(regs.rax >> 32 < regs.rbx, true);
		expect(regs.rbx, before.rbx);
		expect(regs.rbp, before.rbp);
	}
}

static void test_flags(void)
{
	struct symspy_local *local = (struct symspy_local *)page[1];
	struct kvm_symcall call = { .nr = CALL_EXITS };

	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	expect(local->flags, 0);
	register_call(g_symcall);
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	expect(local->flags,
	       SYMSPY_LOCAL_SYMCALL_ENABLED | SYMSPY_LOCAL_SYMCALL_ACTIVE);
	/* A second request while the first runs. */
	call.args[0] = 99;
	expect(ioctl(vcpu, KVM_SYMCALL, &call), -1);
	expect(errno, EBUSY);
	call.args[0] = 0;
	do {
		expect(service_exit(), true);
		expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	} while (run->exit_reason != KVM_EXIT_SYMCALL);
	expect(call.status, 0);
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, 0);
	expect(local->flags, 0);
}

/* The call ends in KVM_RUN; the result is fetched afterwards. */
static void test_finish_in_run(void)
{
	struct kvm_symcall call = { .nr = CALL_EXITS, .args = { 7 } };

	register_call(g_symcall);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	while (service_exit())
		expect(ioctl(vcpu, KVM_RUN, 0), 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(call.ret[4], 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(call.ret[4], 0xa5);
	run_for(20);
}

/* User space resets the machine in the middle of a call. */
static void test_reset(void)
{
	static const __u32 msrs[] = {
		SYMB_MSR_SYMCALL_RIP, SYMB_MSR_SYMCALL_CS, SYMB_MSR_LOCAL_PAGE,
		SYMB_MSR_FEATURES,
	};
	struct kvm_symcall call = { .nr = CALL_EXITS };
	__u64 val;
	unsigned int i;

	register_call(g_symcall);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	settle();
	enter(g_spin, 0);
	for (i = 0; i < NR(msrs); i++) {
		val = 0;
		expect(host_msr(KVM_SET_MSRS, msrs[i], &val), 1);
	}
	run_for(20);
	expect(msr_value(SYMB_MSR_SYMCALL_RIP), 0);
	expect(msr_value(SYMB_MSR_FEATURES), 0);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(call.status, -ENXIO);
	register_call(g_symcall);
	enter(g_spin, 0);
	expect(symcall(CALL_INC, 3).ret[0], 4);
}

/* INIT in the middle of a call: the machine's own reset. */
static void test_init(void)
{
	struct kvm_msi init = { .address_lo = 0xfee00000, .data = 5 << 8 };
	struct kvm_symcall call = { .nr = CALL_EXITS };
	struct kvm_mp_state mp;
	unsigned int exits;
	__u8 *rom;
	__u64 val = 0;

	rom = alloc(4096);
	memset(rom, 0xf4, 4096);	/* HLT at the reset vector */
	set_slot(3, 0xfffff000, rom, 4096);

	register_call(g_symcall);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	must_wrmsr(SYMB_MSR_GLOBAL_PAGE, GLOBAL_GPA);
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL |
		   SYMB_FEAT_DMA_OFFSET);
	must_wrmsr(SYMB_MSR_DMA_ACK, 2);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	expect(service_exit(), true);
	exits = page_exits;
	IOCTL(vm, KVM_SIGNAL_MSI, &init);
	run_for(50);

	/* KVM has told user space that the pages are gone. */
	expect(page_exits, exits + 2);
	expect(page_gpa[0], 0);
	expect(page_gpa[1], 0);
	expect(dma_ack, 0);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_HALTED);
	expect(host_msr(KVM_GET_MSRS, SYMB_MSR_FEATURES, &val), 1);
	expect(val, 0);
	expect(host_msr(KVM_GET_MSRS, SYMB_MSR_SYMCALL_RIP, &val), 1);
	expect(val, 0);

	/* The result of the lost call, then a new one. */
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(call.status, -EIO);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(call.status, -ENXIO);
	munmap(rom, 4096);
}

/* A shutdown in a call is one of the machine, as outside of calls. */
static void test_shutdown(void)
{
	struct kvm_symcall call = { .nr = CALL_SHUTDOWN };
	__u64 val = 0;

	register_call(g_symcall);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_SHUTDOWN);
	/* What user space does then. */
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_SYMCALL_RIP, &val), 1);
	expect(host_msr(KVM_SET_MSRS, SYMB_MSR_FEATURES, &val), 1);
	register_call(g_symcall);
	enter(g_spin, 0);
	expect(symcall(CALL_INC, 3).ret[0], 4);
}

/* ---- benchmark ----------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void benchmark(unsigned long n)
{
	double start, hypercalls, calls;
	struct kvm_regs regs;

	register_call(g_symcall_fast);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	enter(g_hypercall_loop, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rbp = n;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	start = now();
	expect(run_vcpu(), PORT_DONE);
	hypercalls = now() - start;
	settle();

	start = now();
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, n, CALL_NULL, 0, 0), 0);
	calls = now() - start;
	printf("hypercall %.0f ns, symcall %.0f ns, ratio %.3f\n",
	       hypercalls / n * 1e9, calls / n * 1e9, calls / hypercalls);
}

/* -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*fn)(void);
	__u32 features;
} tests[] = {
	{ "off", test_off, 0 },
	{ "cap", test_cap, SYMB_FEAT_ALL },
	{ "features", test_features, SYMB_FEAT_ALL },
	{ "dma-ack", test_dma_ack, SYMB_FEAT_ALL },
	{ "pin", test_pin, SYMB_FEAT_ALL },
	{ "pages", test_pages, SYMB_FEAT_ALL },
	{ "pages-alias", test_pages_alias, SYMB_FEAT_ALL },
	{ "call-msrs", test_call_msrs, SYMB_FEAT_ALL },
	{ "partial-offer", test_partial_offer, SYMB_FEAT_SYMSPY },
	{ "user-call", test_user_call, SYMB_FEAT_ALL },
	{ "restore-kernel", test_restore_kernel, SYMB_FEAT_ALL },
	{ "restore-user", test_restore_user, SYMB_FEAT_ALL },
	{ "halted", test_halted, SYMB_FEAT_ALL },
	{ "exits", test_exits, SYMB_FEAT_ALL },
	{ "signals", test_signals, SYMB_FEAT_ALL },
	{ "no-injection", test_no_injection, SYMB_FEAT_ALL },
	{ "smi", test_smi, SYMB_FEAT_ALL },
	{ "abort-spin", test_abort_spin, SYMB_FEAT_ALL },
	{ "abort-hlt", test_abort_hlt, SYMB_FEAT_ALL },
	{ "abort-ud", test_abort_ud, SYMB_FEAT_ALL },
	{ "abort-gp", test_abort_gp, SYMB_FEAT_ALL },
	{ "bad-entry", test_bad_entry, SYMB_FEAT_ALL },
	{ "nested", test_nested, SYMB_FEAT_ALL },
	{ "hypercalls", test_hypercalls, SYMB_FEAT_ALL },
	{ "loop", test_loop, SYMB_FEAT_ALL },
	{ "loop-interrupted", test_loop_interrupted, SYMB_FEAT_ALL },
	{ "flags", test_flags, SYMB_FEAT_ALL },
	{ "finish-in-run", test_finish_in_run, SYMB_FEAT_ALL },
	{ "reset", test_reset, SYMB_FEAT_ALL },
	{ "init", test_init, SYMB_FEAT_ALL },
	{ "shutdown", test_shutdown, SYMB_FEAT_ALL },
};

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned long bench = 0;
	unsigned int i;
	int bad = 0, opt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "vb:")) != -1) {
		switch (opt) {
		case 'v':
			verbose = 1;
			break;
		case 'b':
			bench = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}

	sigaction(SIGALRM, &action, NULL);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0) {
		perror("/dev/kvm");
		return 2;
	}
	if (setjmp(failed))
		return 2;
	ram = alloc(GUEST_RAM);
	page[0] = alloc(4096);
	page[1] = alloc(4096);

	if (bench) {
		make_vm(SYMB_FEAT_ALL);
		benchmark(bench);
		return 0;
	}

	for (i = 0; i < NR(tests); i++) {
		if (!wanted(tests[i].name, argv + optind))
			continue;
		if (verbose)
			printf("# %s\n", tests[i].name);
		if (setjmp(failed)) {
			bad++;
			printf("not ok %s\n", tests[i].name);
		} else {
			make_vm(tests[i].features);
			tests[i].fn();
			printf("ok %s\n", tests[i].name);
		}
		drop_vm();
	}
	printf("%d failed\n", bad);
	return bad != 0;
}
