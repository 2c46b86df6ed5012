// SPDX-License-Identifier: GPL-2.0
/*
 * VMs that switch between nested and shadow paging. What the guest has written must
 * be there, whatever happens meanwhile; KVM must have the mode that it says; and it
 * must refuse what cannot be.
 *
 * Which mode a vCPU has is seen from outside: INVLPG is an exit under shadow paging
 * alone.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"
#include "rules.h"	/* KVM's */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define NESTED		KVM_SYMB_PAGING_NESTED
#define SHADOW		KVM_SYMB_PAGING_SHADOW

#define DATA_GPA	0x20000000ULL
#define DATA_SIZE	0x400000ULL
#define DATA_SLOT	3
#define OTHER_GPA	0x30000000ULL
#define OTHER_SIZE	0x4000ULL
#define OTHER_SLOT	4
/* Page tables, and what they map, or others do. */
#define MANY		512
#define MANY_GPA	0x38000000ULL
#define MANY_SLOT	5
#define MANY_AT		0x80000000ULL

/* klogctl(): from which level on messages come on the console */
#define SYSLOG_CONSOLE_LEVEL	8

#define CR4_PKE		(1ULL << 22)
#define CR4_VMXE	(1ULL << 13)
#define CR4_PAE		0x20ULL

static __u8 *data, *other;

/* Bits that enter() does not set. */
static __u64 more_efer, more_cr4;

/* ---- A VM that may switch ------------------------------------------------- */

static bool can_switch(void)
{
	return ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING) > 0;
}

static void need_switch(void)
{
	if (!can_switch())
		skip("this host has one paging mode");
}

/* In place of the one that there is. 4 MiB at DATA_GPA, new, in huge pages if there are any. */
static void make_switching_vm(unsigned int mode, __u32 features)
{
	need_switch();
	drop_vm();
	vm_paging = mode;
	make_vm(features);
	more_efer = 0;
	more_cr4 = 0;
	if (!data) {
		data = alloc(2 * DATA_SIZE);
		data = (__u8 *)(((unsigned long)data + 0x1fffff) & ~0x1fffffUL);
		other = alloc(OTHER_SIZE);
	}
	if (mmap(data, DATA_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != data)
		fail("mmap: %s", strerror(errno));
	madvise(data, DATA_SIZE, MADV_HUGEPAGE);
	memset(data, 0, DATA_SIZE);
	set_slot(DATA_SLOT, DATA_GPA, data, DATA_SIZE);
}

static bool has_smm(void)
{
	return ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) > 0;
}

static struct kvm_symb_paging get_mode(void)
{
	struct kvm_symb_paging get;

	memset(&get, 0xff, sizeof(get));
	IOCTL(vm, KVM_SYMB_GET_PAGING, &get);
	expect(get.pad[0] || get.pad[1], 0);
	return get;
}

static void expect_mode(unsigned int mode, unsigned int flags, __u64 generation)
{
	struct kvm_symb_paging get = get_mode();

	expect(get.mode, mode);
	expect(get.flags, flags);
	expect(get.generation, generation);
	expect(vm_stat("paging_switches"), generation);
	expect(vm_stat("paging_shadow"), mode == SHADOW);
}

/* By the VM's file; returns errno, or 0. */
static int try_file(const char *mode)
{
	char name[64];
	int fd, r;

	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-%d/paging_mode", getpid(), vm);
	fd = open(name, O_WRONLY);
	if (fd < 0)
		fail("%s: %s", name, strerror(errno));
	r = write(fd, mode, strlen(mode)) < 0 ? errno : 0;
	close(fd);
	return r;
}

static void begin_more(const char *how, struct kvm_regs *regs)
{
	struct kvm_sregs s;

	begin_step(how, 0, regs);
	if (!more_efer && !more_cr4)
		return;
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.efer |= more_efer;
	s.cr4 |= more_cr4;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
}

static __u64 step(const char *how, __u64 addr, __u64 val)
{
	struct kvm_regs regs = { .rax = addr, .rbx = val };

	begin_more(how, &regs);
	expect(run_vcpu(), PORT_DONE);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	return regs.rbx;
}

/* The mode that the vCPU has, as it shows. */
static unsigned int seen_mode(void)
{
	__u64 before = vcpu_stat("invlpg");

	step(g_invlpg_load, DATA_GPA, 0);
	return vcpu_stat("invlpg") == before ? NESTED : SHADOW;
}

/* ---- What is said is what is ------------------------------------------------ */

static void test_basic(void)
{
	unsigned int i, mode = SHADOW;
	__u64 count;
	int fd;

	need_switch();
	fd = eventfd(0, EFD_NONBLOCK);
	vm_eventfd = fd;
	make_switching_vm(SHADOW, 0);
	expect_mode(SHADOW, 0, 0);
	expect(seen_mode(), SHADOW);

	for (i = 1; i <= 20; i++) {
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		/* Again is nothing. */
		set_paging(mode);
		expect_mode(mode, 0, i);
		expect(read(fd, &count, sizeof(count)), sizeof(count));
		expect(count, 1);
		step(g_store, DATA_GPA + i * 8, i);
		expect(seen_mode(), mode);
		expect(vcpu_stat("paging_follows"), i + 1);
		expect(*(__u64 *)(data + i * 8), i);
	}
	/* There and back: it need not follow. */
	set_paging(mode ^ (NESTED | SHADOW));
	set_paging(mode);
	expect_mode(mode, 0, 22);
	expect(seen_mode(), mode);
	expect(vcpu_stat("paging_follows"), 21);
	close(fd);
}

static void test_debugfs(void)
{
	char name[64], buf[64];
	struct {
		const char *write;
		int r;
		const char *read;
	} steps[] = {
		{ "shadow\n", 7, "shadow\n" }, { "nested", 6, "nested\n" },
		{ "none", -1, "nested\n" }, { "", -1, "nested\n" },
		{ "shadow and much more than that", -1, "nested\n" },
	};
	unsigned int i;
	int fd, r;

	make_switching_vm(NESTED, 0);
	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-%d/paging_mode", getpid(), vm);
	fd = open(name, O_RDWR);
	if (fd < 0)
		fail("%s: %s", name, strerror(errno));
	for (i = 0; i < NR(steps); i++) {
		r = write(fd, steps[i].write, strlen(steps[i].write));
		if (*steps[i].write)
			expect(r, steps[i].r);
		memset(buf, 0, sizeof(buf));
		expect(pread(fd, buf, sizeof(buf) - 1, 0) > 0, true);
		if (strcmp(buf, steps[i].read))
			fail("after %s: %s", steps[i].write, buf);
	}
	close(fd);
	expect_mode(NESTED, 0, 2);
}

/* ---- What cannot be ---------------------------------------------------------- */

static int try_enable(int of, __u64 a0, __u64 a1, __u64 a2, __u64 a3)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_SYMBIOTIC_PAGING, .args = { a0, a1, a2, a3 },
	};

	return ioctl(of, KVM_ENABLE_CAP, &cap) ? errno : 0;
}

/* A VM that has not asked has the module's mode, and keeps it. */
static void test_fixed(void)
{
	struct kvm_symb_paging get;
	unsigned int mode = host_nested() ? NESTED : SHADOW;

	drop_vm();
	vm_paging = 0;
	make_vm(0);
	get = get_mode();
	expect(get.mode, mode);
	expect(get.generation, 0);
	expect(try_paging(NESTED, 0), EOPNOTSUPP);
	expect(try_paging(SHADOW, KVM_SYMB_PAGING_WAIT), EOPNOTSUPP);
	expect(try_file("nested"), EOPNOTSUPP);
	expect(try_file("shadow"), EOPNOTSUPP);
	/* There is a vCPU. */
	expect(try_enable(vm, NESTED, 0, 0, 0), can_switch() ? EBUSY : EOPNOTSUPP);
	set_slot(DATA_SLOT, DATA_GPA, alloc(4096), 4096);
	expect(seen_mode(), mode);
}

static int console_level(void)
{
	FILE *f = fopen("/proc/sys/kernel/printk", "r");
	int level = 0;

	if (f) {
		if (fscanf(f, "%d", &level) != 1)
			level = 0;
		fclose(f);
	}
	return level ?: 7;
}

/*
 * No memory for what shadow paging needs, 8 bytes for each page of a slot that is so large
 * that this is more than what the host has. The VM is as it was. The kernel says so, with a
 * trace: in its log, which is right, but not on the console, where it would be trouble.
 */
static void test_no_memory(void)
{
	unsigned long host = sysconf(_SC_PHYS_PAGES), pages = host * (4096UL / 8) / 8 * 9, most;
	__u32 bits, unused;
	int level = console_level(), errors[2], v;
	void *mem;

	make_switching_vm(NESTED, 0);
	__cpuid(0x80000008, bits, unused, unused, unused);
	/* To the end of what can be addressed: an emulated host has 40 bits. */
	most = ((1ULL << (bits & 0xff)) - (1ULL << 32)) >> 12;
	if (most >= 1UL << 31)
		most = (1UL << 31) - 1;
	if (pages > most)
		pages = most;
	if (pages / (4096UL / 8) <= host)
		skip("this host has memory for any slot");
	mem = mmap(NULL, pages * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (mem == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	set_slot(OTHER_SLOT, 1ULL << 32, mem, pages * 4096);
	klogctl(SYSLOG_CONSOLE_LEVEL, NULL, 1);
	errors[0] = try_paging(SHADOW, 0);
	errors[1] = try_file("shadow");
	klogctl(SYSLOG_CONSOLE_LEVEL, NULL, level);
	expect(errors[0], ENOMEM);
	expect(errors[1], ENOMEM);
	expect_mode(NESTED, 0, 0);
	expect(seen_mode(), NESTED);
	set_slot(OTHER_SLOT, 1ULL << 32, mem, 0);
	set_paging(SHADOW);
	expect(seen_mode(), SHADOW);
	expect_mode(SHADOW, 0, 1);

	/* The same at the start, after which the VM may still ask for nested paging. */
	v = vm;
	vm = IOCTL(kvm, KVM_CREATE_VM, 0);
	set_slot(OTHER_SLOT, 1ULL << 32, mem, pages * 4096);
	klogctl(SYSLOG_CONSOLE_LEVEL, NULL, 1);
	errors[0] = try_enable(vm, SHADOW, 0, 0, 0);
	klogctl(SYSLOG_CONSOLE_LEVEL, NULL, level);
	errors[1] = try_enable(vm, NESTED, 0, 0, 0);
	close(vm);
	vm = v;
	munmap(mem, pages * 4096);
	expect(errors[0], ENOMEM);
	expect(errors[1], 0);
}

static void test_enable(void)
{
	int v = IOCTL(kvm, KVM_CREATE_VM, 0), fd = eventfd(0, 0), types, i;

	expect(try_enable(v, 0, 0, 0, 0), EINVAL);
	expect(try_enable(v, NESTED | SHADOW, 0, 0, 0), EINVAL);
	expect(try_enable(v, 1ULL << 32 | NESTED, 0, 0, 0), EINVAL);
	expect(try_enable(v, NESTED, 2, 0, 0), EINVAL);
	expect(try_enable(v, NESTED, 0, 1, 0), EINVAL);
	expect(try_enable(v, NESTED, 0, 0, 1), EINVAL);
	expect(try_enable(v, NESTED, KVM_SYMB_PAGING_EVENTFD, 9999, 0), EBADF);
	expect(try_enable(v, NESTED, KVM_SYMB_PAGING_EVENTFD, 1ULL << 32 | fd, 0), EBADF);
	expect(try_enable(v, NESTED, KVM_SYMB_PAGING_EVENTFD, v, 0), EINVAL);
	if (!can_switch()) {
		expect(ioctl(v, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING), 0);
		expect(try_enable(v, SHADOW, 0, 0, 0), EOPNOTSUPP);
		close(fd);
		close(v);
		skip("the rest: this host has one paging mode");
	}

	expect(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING), NESTED | SHADOW);
	expect(ioctl(v, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING), NESTED | SHADOW);
	/* What shadow paging makes possible is offered to it, and to no other. */
	expect(ioctl(v, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC) & SYMB_FEAT_SWAPBYPASS, 0);
	expect(try_enable(v, SHADOW, KVM_SYMB_PAGING_EVENTFD, fd, 0), 0);
	expect(ioctl(v, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC), SYMB_FEAT_ALL);
	expect(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC) & SYMB_FEAT_SWAPBYPASS, 0);
	expect(try_enable(v, SHADOW, 0, 0, 0), EBUSY);
	close(v);
	close(fd);

	/* VMs of other types have what only nested paging has. */
	types = ioctl(kvm, KVM_CHECK_EXTENSION, 235 /* KVM_CAP_VM_TYPES */);
	for (i = 1; i < 8; i++) {
		if (types < 0 || !(types & 1 << i))
			continue;
		v = IOCTL(kvm, KVM_CREATE_VM, i);
		expect(ioctl(v, KVM_CHECK_EXTENSION, KVM_CAP_SYMBIOTIC_PAGING), 0);
		expect(try_enable(v, NESTED, 0, 0, 0), EOPNOTSUPP);
		close(v);
	}
}

static void test_set(void)
{
	static const struct kvm_symb_paging bad[] = {
		{ .mode = 0 }, { .mode = NESTED | SHADOW }, { .mode = 4 },
		{ .mode = SHADOW, .flags = 2 }, { .mode = SHADOW, .flags = ~0U },
		{ .mode = SHADOW, .generation = 1 }, { .mode = SHADOW, .pad[0] = 1 },
		{ .mode = SHADOW, .pad[1] = 1 },
	};
	unsigned int i;

	make_switching_vm(NESTED, 0);
	for (i = 0; i < NR(bad); i++) {
		expect(ioctl(vm, KVM_SYMB_SET_PAGING, &bad[i]), -1ULL);
		expect(errno, EINVAL);
	}
	expect(ioctl(vm, KVM_SYMB_SET_PAGING, NULL), -1ULL);
	expect(errno, EFAULT);
	expect(ioctl(vm, KVM_SYMB_GET_PAGING, NULL), -1ULL);
	expect(errno, EFAULT);
	expect_mode(NESTED, 0, 0);
}

/* The guest has it, or has it no more; it executes something with it. */
static void take(__u64 efer, __u64 cr4)
{
	more_efer = efer;
	more_cr4 = cr4;
	step(g_load, DATA_GPA, 0);
}

/* What holds a VM in nested paging, and how it gets out of it. */
static void holds(__u64 efer, __u64 cr4)
{
	struct kvm_mp_state waits = { KVM_MP_STATE_UNINITIALIZED };

	/* It has it before shadow paging is asked for. */
	make_switching_vm(NESTED, 0);
	take(efer, cr4);
	expect(try_paging(SHADOW, 0), EBUSY);
	expect(try_file("shadow"), EBUSY);
	expect_mode(NESTED, 0, 0);
	set_paging(NESTED);
	expect(try_paging(SHADOW, KVM_SYMB_PAGING_WAIT), 0);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 0);
	expect(seen_mode(), NESTED);
	/* Not wanted any more. */
	set_paging(NESTED);
	expect_mode(NESTED, 0, 0);
	expect(try_paging(SHADOW, KVM_SYMB_PAGING_WAIT), 0);
	take(0, 0);
	expect(seen_mode(), SHADOW);
	expect_mode(SHADOW, 0, 1);

	/* It takes it, under shadow paging. */
	take(efer, cr4);
	expect(seen_mode(), NESTED);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 2);
	expect(try_paging(SHADOW, 0), EBUSY);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 2);
	take(0, 0);
	expect(seen_mode(), SHADOW);
	expect_mode(SHADOW, 0, 3);

	/* One of two is enough. */
	add_vcpu();
	take(efer, cr4);
	swap_vcpus();
	take(efer, cr4);
	expect(seen_mode(), NESTED);
	take(0, 0);
	expect(seen_mode(), NESTED);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 4);
	swap_vcpus();
	take(0, 0);
	expect(seen_mode(), SHADOW);
	swap_vcpus();
	expect(seen_mode(), SHADOW);
	swap_vcpus();
	expect_mode(SHADOW, 0, 5);

	/* It is reset by user space, and waits to be started. */
	take(efer, cr4);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 6);
	enter(g_load, 0);
	IOCTL(vcpu, KVM_SET_MP_STATE, &waits);
	to_the_entry(KVM_RUN, NULL);
	expect_mode(SHADOW, 0, 7);
	more_efer = 0;
	more_cr4 = 0;
}

/* Whether the vCPU can have that: EFER.SVME, without which there is no nested SVM. */
static bool nested_svm(void)
{
	__u64 efer = EFER_LONG_MODE | EFER_SVME;

	return host_msr(KVM_SET_MSRS, MSR_EFER, &efer) == 1;
}

static void test_svme(void)
{
	need_switch();
	if (!nested_svm())
		skip("no nested SVM in this KVM");
	holds(EFER_SVME, 0);

	/* By the guest's own instruction; then a reset takes it away. */
	must_wrmsr(MSR_EFER, EFER_LONG_MODE | EFER_SVME);
	expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 8);
	expect(seen_mode(), SHADOW);
	expect_mode(SHADOW, 0, 9);
}

static void test_cr4(__u64 bit)
{
	struct kvm_sregs s;

	need_switch();
	enter(g_load, 0);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.cr4 |= bit;
	if (ioctl(vcpu, KVM_SET_SREGS, &s))
		skip("no such bit of CR4 here");
	holds(0, bit);
}

static void test_pke(void)
{
	test_cr4(CR4_PKE);
}

static void test_vmxe(void)
{
	test_cr4(CR4_VMXE);
}

/* A step that the vCPU is ready for; whether it is one of nested paging. */
static void expect_nested_step(void)
{
	__u64 before = vcpu_stat("invlpg");

	expect(run_vcpu(), PORT_DONE);
	settle();
	expect(vcpu_stat("invlpg"), before);
}

/* SMM that begins by user space, as after a migration, not by an interrupt. */
static void test_smm(void)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs = { .rax = GUEST_DATA };

	make_switching_vm(SHADOW, 0);
	if (!has_smm())
		skip("no SMM in this KVM");
	set_slot(1 << 16, 0, ram, GUEST_RAM);	/* as SMM sees it */
	expect(seen_mode(), SHADOW);
	begin_step(g_invlpg_load, 0, &regs);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags |= KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
	expect_nested_step();
}

/* VMX operation without CR4.VMXE, which is user space's to set. */
static void test_vmxon(void)
{
	struct kvm_nested_state state = {
		.size = sizeof(state), .format = KVM_STATE_NESTED_FORMAT_VMX,
		.hdr.vmx = { .vmxon_pa = DATA_GPA, .vmcs12_pa = -1ULL },
	};
	struct kvm_regs regs = { .rax = DATA_GPA };

	make_switching_vm(SHADOW, 0);
	expect(seen_mode(), SHADOW);
	begin_step(g_invlpg_load, 0, &regs);
	if (ioctl(vcpu, KVM_SET_NESTED_STATE, &state))
		skip("no nested VMX in this KVM");
	expect_nested_step();
}

/* A nested guest that runs, and one that comes from another VM. */
static void test_nested(void)
{
	static struct {
		struct kvm_nested_state head;
		__u8 data[2 * 4096];
	} nested;
	static __u8 saved[GUEST_RAM];
	struct kvm_regs regs = { 0 };
	struct kvm_sregs s;
	unsigned int i, mode;

	need_switch();
	for (i = 0; i < 2; i++) {
		mode = i ? SHADOW : NESTED;
		make_switching_vm(mode, 0);
		enter(g_load, 0);
		if (!build_vmcb(g_nested_out))
			skip("no nested SVM in this KVM");
		more_efer = EFER_SVME;
		begin_more(g_vmrun, &regs);
		expect(run_vcpu(), PORT_DONE);
		expect(try_paging(SHADOW, 0), EBUSY);
		expect_mode(NESTED, i ? KVM_SYMB_PAGING_PENDING : 0, i);
		expect(run_vcpu(), PORT_DONE);
		settle();

		/* As migration does it, into a VM that begins in shadow mode. */
		nested.head.size = sizeof(nested);
		IOCTL(vcpu, KVM_GET_NESTED_STATE, &nested);
		expect(!(nested.head.flags & KVM_STATE_NESTED_GUEST_MODE), false);
		IOCTL(vcpu, KVM_GET_SREGS, &s);
		IOCTL(vcpu, KVM_GET_REGS, &regs);
		memcpy(saved, ram, GUEST_RAM);
		make_switching_vm(SHADOW, 0);
		memcpy(ram, saved, GUEST_RAM);
		IOCTL(vcpu, KVM_SET_SREGS, &s);
		IOCTL(vcpu, KVM_SET_REGS, &regs);
		IOCTL(vcpu, KVM_SET_NESTED_STATE, &nested);
		expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 1);
		expect(run_vcpu(), PORT_DONE);
		expect(run_vcpu(), PORT_DONE);
		settle();
		expect_mode(NESTED, KVM_SYMB_PAGING_PENDING, 1);
		memset(&regs, 0, sizeof(regs));
	}
}

/* ---- What the guest sees ------------------------------------------------------ */

/* With a stale data segment, as real mode can leave one. */
static void begin_stale(const char *how, __u64 addr)
{
	struct kvm_regs regs = { .rax = addr, .rdx = DATA_GPA };
	struct kvm_sregs s;

	begin_step(how, 0, &regs);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.ds.selector |= 3;
	s.ds.dpl = 0;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
}

/*
 * Segments with which VT-x enters no guest without EPT, so that KVM's emulator would run
 * it: that delivers no exceptions, and knows not all instructions. So the vCPU comes to
 * have shadow paging when it has loaded others.
 */
static void test_segments(void)
{
	unsigned int i, mode;
	__u64 before;

	for (i = 0; i < 2; i++) {
		mode = i ? SHADOW : NESTED;
		make_switching_vm(mode, 0);
		expect(seen_mode(), mode);

		/* An exception waits. */
		begin_stale(g_spin, 0);
		inject_exception(6);
		set_paging(SHADOW);
		expect(run_vcpu(), PORT_UD);
		settle();
		expect_mode(SHADOW, 0, !i);

		/* One comes. */
		begin_stale(g_load, GUEST_UNMAPPED);
		expect(run_vcpu(), PORT_PF);
		settle();
		begin_stale(g_paddd, 0);
		expect(run_vcpu(), PORT_DONE);
		settle();
		set_paging(NESTED);

		begin_stale(g_ds_invlpg, 0);
		set_paging(SHADOW);
		before = vcpu_stat("invlpg");
		expect(run_vcpu(), PORT_DONE);
		settle();
		expect(vcpu_stat("invlpg"), before + 1);
		expect(seen_mode(), SHADOW);
	}
}

/* The host exchanges memory under either mode; the other must not have the old. */
static void test_invalidated(void)
{
	unsigned int i, mode = NESTED;
	__u64 addr;

	make_switching_vm(NESTED, 0);
	for (i = 0; i < 64; i++) {
		addr = DATA_GPA + i % 4 * 4096;
		expect(step(g_load, addr, 0), i < 4 ? 0 : i);
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		expect(step(g_load, addr, 0), i < 4 ? 0 : i);
		if (madvise(data + i % 4 * 4096, 4096, MADV_DONTNEED))
			fail("madvise: %s", strerror(errno));
		*(__u64 *)(data + i % 4 * 4096) = i + 4;
		/* Half of the time the mode that had it comes next. */
		if (i & 4) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
		}
		expect(step(g_load, addr, 0), i + 4);
	}
}

/* How much of the slot's memory is, by /proc/self/smaps, such as "Swap:", in KiB. */
static unsigned long how_much(const char *field)
{
	unsigned long from, to, kb, at = (unsigned long)data, sum = 0;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool ours = false;
	char line[256];

	if (!f)
		fail("smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = from < at + DATA_SIZE && to > at;
		else if (ours && !strncmp(line, field, strlen(field)) &&
			 sscanf(line + strlen(field), "%lu", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return sum;
}

/* Whether this kernel makes huge pages, and whether it has where to swap to. */
static bool has_huge(void)
{
	return !access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK);
}

static bool has_swap(void)
{
	FILE *f = fopen("/proc/swaps", "r");
	unsigned int lines = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		lines++;
	if (f)
		fclose(f);
	return lines > 1;
}

/* All of the slot's memory is another mapping's from now on, as mremap() can make it. */
static void exchange(__u8 *with)
{
	__u8 *aside = alloc(DATA_SIZE);
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (mremap(data, DATA_SIZE, DATA_SIZE, flags, aside) != aside ||
	    mremap(with, DATA_SIZE, DATA_SIZE, flags, data) != data ||
	    mremap(aside, DATA_SIZE, DATA_SIZE, flags, with) != with)
		fail("mremap: %s", strerror(errno));
}

/* Both vCPUs see what is there now, at both places. */
static void both_see(__u64 a, __u64 b)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		expect(step(g_load, a, 0), *(__u64 *)(data + (a - DATA_GPA)));
		expect(step(g_load, b, 0), *(__u64 *)(data + (b - DATA_GPA)));
		swap_vcpus();
	}
}

/*
 * Whatever the host does to the guest's memory under either mode, a page of the one and a
 * page of the other have what is there now.
 */
static void test_host_memory(void)
{
	static const int advice[] = {
		MADV_PAGEOUT, MADV_COLLAPSE, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_COLD,
	};
	unsigned int i, what, mode = NESTED, swapped = 0, collapsed = 0;
	__u64 a, b, *at_a, *at_b;
	static __u8 *with;

	make_switching_vm(NESTED, 0);
	add_vcpu();
	if (!with)
		with = alloc(DATA_SIZE);
	memset(with, 0xee, DATA_SIZE);
	for (i = 0; i < 72; i++) {
		a = DATA_GPA + i * 7 % 1024 * 4096;
		b = DATA_GPA + (i * 7 + 512) % 1024 * 4096;
		at_a = (__u64 *)(data + (a - DATA_GPA));
		at_b = (__u64 *)(data + (b - DATA_GPA));
		step(g_store, a, 2 * i);
		swap_vcpus();
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		step(g_store, b, 2 * i + 1);
		expect(*at_a, 2 * i);
		expect(*at_b, 2 * i + 1);

		/* Not all of it works everywhere, and none of it changes contents. */
		what = i % (NR(advice) + 1);
		if (!what) {
			exchange(with);
		} else if (!madvise(data, DATA_SIZE, advice[what - 1])) {
			swapped += advice[what - 1] == MADV_PAGEOUT && how_much("Swap:");
			collapsed += advice[what - 1] == MADV_COLLAPSE;
		}
		both_see(a, b);
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		both_see(a, b);
		/* One more time than back: which of both begins changes, too. */
		if (i % 3) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
		}
	}
	printf("# of 12 times, swapped out %u, made huge %u\n", swapped, collapsed);
	expect(swapped > 0, has_swap());
	if (has_huge())
		expect(collapsed > 0, true);
}

/* What the vCPU reads there is for user space to say. */
static void expect_mmio(__u64 addr)
{
	struct kvm_regs regs = { .rax = addr };
	__u64 answer = ~addr;

	begin_step(g_load, 0, &regs);
	expect(run_to_exit_in_time(), KVM_EXIT_MMIO);
	expect(run->mmio.phys_addr, addr);
	expect(run->mmio.len, sizeof(answer));
	expect(run->mmio.is_write, 0);
	memcpy(run->mmio.data, &answer, sizeof(answer));
	expect(run_vcpu(), PORT_DONE);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	settle();
	expect(regs.rbx, answer);
}

/* A slot that is in use moves, before, after and between changes. */
static void test_slot_moves(void)
{
	unsigned int i, mode = NESTED;
	__u64 at = OTHER_GPA, offset, was;

	make_switching_vm(NESTED, 0);
	add_vcpu();
	memset(other, 0, OTHER_SIZE);
	set_slot(OTHER_SLOT, at, other, OTHER_SIZE);
	for (i = 0; i < 24; i++) {
		offset = i % 4 * 4096 + i * 8;
		step(g_store, at + offset, i + 1);
		expect(*(__u64 *)(other + offset), i + 1);
		if (i % 3) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
			expect(step(g_load, at + offset, 0), i + 1);
		}
		/* The other vCPU may have followed, or not. */
		if (i & 4)
			swap_vcpus();
		was = at;
		at ^= 0x10000;
		set_slot(OTHER_SLOT, at, other, OTHER_SIZE);
		if (i & 1) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
		}
		expect_mmio(was + offset);
		expect(step(g_load, at + offset, 0), i + 1);
		expect(seen_mode(), mode);
		swap_vcpus();
		expect_mmio(was + offset);
		expect(step(g_load, at + offset, 0), i + 1);
	}
	/* No slot: there is nothing in either mode. */
	set_slot(OTHER_SLOT, at, other, 0);
	for (i = 0; i < 2; i++) {
		expect_mmio(at);
		mode ^= NESTED | SHADOW;
		set_paging(mode);
	}
}

/* Pages that are written are in the log, and no others, whoever writes and when. */
static void test_dirty(void)
{
	struct kvm_userspace_memory_region region = {
		.slot = DATA_SLOT, .guest_phys_addr = DATA_GPA, .memory_size = DATA_SIZE,
		.userspace_addr = (unsigned long)data,
	};
	static __u64 log[DATA_SIZE / 4096 / 64], want[NR(log)];
	struct kvm_dirty_log get = { .slot = DATA_SLOT, .dirty_bitmap = log };
	unsigned int i, j, mode = NESTED, logging = 0;
	long n;

	make_switching_vm(NESTED, 0);
	region.userspace_addr = (unsigned long)data;
	srandom(1);
	for (i = 0; i < 600; i++) {
		if (!(random() % 4)) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
		}
		if (!(random() % 50)) {
			logging = !logging;
			region.flags = logging ? KVM_MEM_LOG_DIRTY_PAGES : 0;
			IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
			memset(want, 0, sizeof(want));
		}
		n = random() % 4 ? random() % 16 : random() % (long)(DATA_SIZE / 4096);
		step(g_store, DATA_GPA + n * 4096, i);
		expect(*(__u64 *)(data + n * 4096), i);
		want[n / 64] |= 1ULL << n % 64;
		if (!logging || random() % 8)
			continue;
		IOCTL(vm, KVM_GET_DIRTY_LOG, &get);
		for (j = 0; j < NR(log); j++)
			expect(log[j], want[j]);
		memset(want, 0, sizeof(want));
	}
}

/* Huge pages of the host's, in both modes, split by dirty logging and back. */
static void test_huge(void)
{
	struct kvm_userspace_memory_region region = {
		.slot = DATA_SLOT, .guest_phys_addr = DATA_GPA, .memory_size = DATA_SIZE,
	};
	unsigned int i, mode = NESTED, huge[4] = { 0 };
	__u64 addr, before;

	make_switching_vm(NESTED, 0);
	if (!how_much("AnonHugePages:"))
		skip("the host gives no huge pages");
	region.userspace_addr = (unsigned long)data;
	for (i = 0; i < 40; i++) {
		/* For four rounds of eight, each mode having two of them. */
		if (i % 4 == 0) {
			region.flags = i & 4 ? KVM_MEM_LOG_DIRTY_PAGES : 0;
			IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
		}
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		/* Shadow pages have gone by now: these are of nested paging. */
		before = mode == SHADOW ? vm_stat("pages_2m") : 0;
		addr = DATA_GPA + i / 2 % 2 * 0x200000 + i * 4096 + i * 8;
		step(g_store, addr, i);
		expect(step(g_load, addr, 0), i);
		expect(*(__u64 *)(data + (addr - DATA_GPA)), i);
		if (!region.flags)
			huge[mode] += vm_stat("pages_2m") > before;
	}
	printf("# of 10 rounds each without a log, huge pages in %u nested, %u shadow\n",
	       huge[NESTED], huge[SHADOW]);
	expect(huge[NESTED] > 0 && huge[SHADOW] > 0, true);
}

/* The guest's pages of 1 GiB, which CPUID offers in either mode if the hardware has them. */
static void test_gigabytes(void)
{
	__u64 *pdpt = (__u64 *)(ram + GUEST_PDPT);
	unsigned int i, mode = NESTED;
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid = { .head.nent = 128 };
	bool offered = false;

	make_switching_vm(NESTED, 0);
	IOCTL(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (i = 0; i < cpuid.head.nent; i++)
		offered |= cpuid.entries[i].function == 0x80000001 &&
			   cpuid.entries[i].edx & 1 << 26;
	if (!offered)
		skip("no pages of 1 GiB here");
	pdpt[2] = 0x87;
	for (i = 0; i < 10; i++) {
		step(g_store, MANY_AT + DATA_GPA + i * 8, i + 1);
		expect(*(__u64 *)(data + i * 8), i + 1);
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		expect(step(g_load, MANY_AT + DATA_GPA + i * 8, 0), i + 1);
	}
}

/* A symcall that goes through several modes. */
static void test_symcall(void)
{
	struct kvm_symcall call = { .nr = CALL_EXITS };
	unsigned int i, mode = NESTED, exits = 0;

	make_switching_vm(NESTED, SYMB_FEAT_ALL);
	register_call(g_symcall);
	enter(g_spin, 0);
	for (i = 0; i < 100; i++) {
		do {
			IOCTL(vcpu, KVM_SYMCALL, &call);
			if (run->exit_reason == KVM_EXIT_SYMCALL)
				break;
			mode ^= NESTED | SHADOW;
			set_paging(mode);
			exits++;
		} while (service_exit());
		expect(run->exit_reason, KVM_EXIT_SYMCALL);
		expect(call.status, 0);
		expect(call.ret[3], CODE(g_symcall));
		expect(call.ret[4], 0xa5);
	}
	expect(exits, 200);
	expect(vcpu_stat("symcall_aborts"), 0);
	run_on();
}

/* ---- vCPUs that come while it switches ------------------------------------------ */

static _Atomic bool switching;

static void *switch_always(void *arg)
{
	int v = *(int *)arg;
	struct kvm_symb_paging set = { .mode = NESTED };

	while (switching) {
		ioctl(v, KVM_SYMB_SET_PAGING, &set);
		set.mode ^= NESTED | SHADOW;
	}
	return NULL;
}

static void test_late(void)
{
	unsigned int i, mode;
	pthread_t thread;

	for (i = 0; i < 50; i++) {
		make_switching_vm(i % 2 ? NESTED : SHADOW, 0);
		switching = true;
		pthread_create(&thread, NULL, switch_always, &vm);
		add_vcpu();
		step(g_store, DATA_GPA, i);
		swap_vcpus();
		expect(step(g_load, DATA_GPA, 0), i);
		switching = false;
		pthread_join(thread, NULL);
		mode = get_mode().mode;
		expect(seen_mode(), mode);
		swap_vcpus();
		expect(seen_mode(), mode);
	}
}

/* ---- Many switches, while vCPUs of all kinds run --------------------------------- */

#define MAX_CPUS	5

unsigned int switches = 200;

enum kind { LONG, PAE, LEGACY, FLAT, REAL };

struct cpu {
	enum kind kind;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	unsigned int port;	/* that it ended with */
	bool ended;		/* read without a lock */
};

static struct cpu cpus[MAX_CPUS];
static unsigned int mixing;	/* how many of them run, in threads */

/* Its page tables, and where its pages are, for itself and for everybody. */
static __u64 tables(unsigned int nr)
{
	return GUEST_MIX + nr * 0x4000;
}

static __u64 pages(unsigned int nr)
{
	return DATA_GPA + nr * MIX_PAGES * 4096;
}

static void segment(struct kvm_segment *s, __u16 selector, __u64 base, int type, bool wide)
{
	*s = (struct kvm_segment) {
		.base = base, .limit = wide ? 0xffffffff : 0xffff, .selector = selector,
		.type = type, .present = 1, .s = 1, .db = wide, .g = wide,
	};
}

/* What g_mix32 runs on: page tables that map its pages in reverse, or none. */
static __u64 map_32(enum kind kind, unsigned int nr)
{
	__u64 *pdpt = (__u64 *)(ram + tables(nr)), *pd = pdpt + 512, *pt = pd + 512;
	__u32 *pd32 = (__u32 *)(ram + tables(nr)), *pt32 = pd32 + 1024;
	unsigned int i;

	if (kind == PAE) {
		pdpt[0] = (tables(nr) + 0x1000) | 1;
		pdpt[1] = (tables(nr) + 0x1000) | 1;
		pd[0] = 0x87;				/* as at GUEST_UNMAPPED */
		pd[1] = (tables(nr) + 0x2000) | 7;
		for (i = 0; i < MIX_PAGES; i++)
			pt[i] = (pages(nr) + (MIX_PAGES - 1 - i) * 4096) | 7;
	} else {
		pd32[0] = 0x87;				/* CR4.PSE */
		pd32[GUEST_UNMAPPED >> 22] = (tables(nr) + 0x1000) | 7;
		for (i = 0; i < MIX_PAGES; i++)
			pt32[512 + i] = (pages(nr) + (MIX_PAGES - 1 - i) * 4096) | 7;
	}
	return GUEST_UNMAPPED + 0x200000;
}

static void begin_mix(unsigned int nr)
{
	enum kind kind = cpus[nr].kind;
	/* Bochs has no interrupt of the host exit while IF is 0. */
	struct kvm_regs regs = {
		.rbp = GUEST_DATA + DATA_ROUNDS + 4 * nr, .rflags = RFLAGS_FIXED | RFLAGS_IF,
	};
	__u64 *pd = (__u64 *)(ram + GUEST_PD) + (GUEST_UNMAPPED >> 21);
	struct kvm_sregs s;

	if (kind == LONG) {
		regs.rdi = GUEST_UNMAPPED + nr * 0x200000;
		regs.rsi = tables(nr);
		regs.rdx = pages(nr);
		pd[nr] = tables(nr) | 7;
		begin_step(g_mix, 0, &regs);
		regs.rsp = GUEST_STACK - nr * 4096;
		IOCTL(vcpu, KVM_SET_REGS, &regs);
		return;
	}

	enter(g_mix32, 0);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.efer = 0;
	s.cr3 = 0;
	s.cr4 = 0;
	s.cr0 = 0x11;
	if (kind == REAL) {
		s.cr0 = 0x10;
		segment(&s.cs, GUEST_CODE >> 4, GUEST_CODE, 11, false);
		segment(&s.ds, GUEST_REAL >> 4, GUEST_REAL, 3, false);
		segment(&s.es, 0, 0, 3, false);
		s.ss = s.es;
		s.fs = s.es;
		s.gs = s.es;
		regs.rip = g_mix16 - guest_start;
		regs.rdi = GUEST_DATA + DATA_ROUNDS + 4 * nr;
	} else {
		segment(&s.cs, SEL_CODE, 0, 11, true);
		segment(&s.ds, SEL_DATA, 0, 3, true);
		s.ss = s.ds;
		s.es = s.ds;
		s.fs = s.ds;
		s.gs = s.ds;
		regs.rip = CODE(g_mix32);
		regs.rdi = pages(nr);
		if (kind != FLAT) {
			regs.rdi = map_32(kind, nr);
			regs.rsi = tables(nr);
			s.cr0 = 0x80000011;
			s.cr3 = tables(nr);
			s.cr4 = kind == PAE ? CR4_PAE : 0x10;
		}
	}
	IOCTL(vcpu, KVM_SET_SREGS, &s);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
}

static void *run_mix(void *arg)
{
	struct cpu *cpu = arg;
	int r;

	do {
		r = ioctl(cpu->fd, KVM_RUN, 0);
	} while (r < 0 && errno == EINTR && !cpu->run->immediate_exit);
	if (r)
		cpu->port = 0x1000 + errno;
	else if (cpu->run->exit_reason == KVM_EXIT_IO)
		cpu->port = cpu->run->io.port;
	else
		cpu->port = 0x2000 + cpu->run->exit_reason;
	__atomic_store_n(&cpu->ended, true, __ATOMIC_RELAXED);
	return NULL;
}

/* Until it has got on; a vCPU that has ended is a failure that is found later. */
static void await_round(unsigned int nr)
{
	volatile __u32 *rounds = data32(DATA_ROUNDS + 4 * nr);
	__u32 was = *rounds;
	unsigned int ms = 0;

	while (*rounds == was && ms++ < 60000 &&
	       !__atomic_load_n(&cpus[nr].ended, __ATOMIC_RELAXED))
		usleep(1000);
}

/* From outside: the last round's words are where they belong. */
static void check_pages(unsigned int nr)
{
	__u32 round = *data32(DATA_ROUNDS + 4 * nr);
	enum kind kind = cpus[nr].kind;
	__u8 *mem = data + (pages(nr) - DATA_GPA);
	unsigned int i;
	__u64 va;

	for (i = 0; i < MIX_PAGES; i++) {
		switch (kind) {
		case LONG:
			va = GUEST_UNMAPPED + nr * 0x200000 + i * 4096;
			expect(*(__u64 *)(mem + (i + round) % MIX_PAGES * 4096 + i * 8),
			       (__u64)round << 32 | va);
			break;
		case PAE:
		case LEGACY:
			va = GUEST_UNMAPPED + 0x200000 + i * 4096;
			expect(*(__u32 *)(mem + (MIX_PAGES - 1 - i) * 4096 + i * 4), round ^ va);
			break;
		case FLAT:
			va = pages(nr) + i * 4096;
			expect(*(__u32 *)(mem + i * 4096 + i * 4), round ^ va);
			break;
		case REAL:
			va = i * 0x1002;
			expect(*(__u16 *)(ram + GUEST_REAL + va), (round ^ va) & 0xffff);
			break;
		}
	}
}

/* What else may happen meanwhile. */
static void disturb(unsigned int i)
{
	static __u64 log[DATA_SIZE / 4096 / 64];
	struct kvm_dirty_log get = { .slot = DATA_SLOT, .dirty_bitmap = log };
	struct kvm_userspace_memory_region region = {
		.slot = DATA_SLOT, .guest_phys_addr = DATA_GPA, .memory_size = DATA_SIZE,
		.userspace_addr = (unsigned long)data,
	};
	/* One vCPU alone: they all have the same SMBASE. */
	struct kvm_msi smi = { .address_lo = 0xfee00000, .data = 2 << 8 };
	pid_t pid;

	switch (i % 10) {
	case 0:
		region.flags = KVM_MEM_LOG_DIRTY_PAGES;
		IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
		break;
	case 1:
	case 3:
		IOCTL(vm, KVM_GET_DIRTY_LOG, &get);
		break;
	case 2:
		/* Where it is not: it moves. */
		set_slot(OTHER_SLOT, OTHER_GPA + i / 10 % 2 * 0x10000, other, OTHER_SIZE);
		break;
	case 4:
		IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
		break;
	case 5:
	case 6:
		if (has_smm())
			IOCTL(vm, KVM_SIGNAL_MSI, &smi);
		break;
	case 7:
		/* All pages are taken away, and copied when they are written. */
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
		break;
	case 8:
		madvise(data, DATA_SIZE, MADV_PAGEOUT);
		break;
	case 9:
		madvise(data, DATA_SIZE, MADV_COLLAPSE);
		break;
	}
}

/* A VM with vCPUs of these kinds, which run from now on. */
static void start_mix(const enum kind *kinds, unsigned int n)
{
	unsigned int i;

	make_switching_vm(NESTED, 0);
	memcpy(ram + GUEST_SMM, g_smm, g_smm_end - g_smm);
	if (has_smm())
		set_slot(1 << 16, 0, ram, GUEST_RAM);	/* as SMM sees it */
	for (i = 0; i < n; i++) {
		if (i)
			make_vcpu(i);
		cpus[i] = (struct cpu) { .kind = kinds[i], .fd = vcpu, .run = run };
		begin_mix(i);
	}
	vcpu = cpus[0].fd;
	run = cpus[0].run;
	for (i = 0; i < n; i++)
		pthread_create(&cpus[i].thread, NULL, run_mix, &cpus[i]);
	mixing = n;
}

/* Those that do not end within 20 s are stopped, and have failed. */
static void stop_mix(void)
{
	unsigned int ms = 0;
	struct cpu *cpu;

	*data32(DATA_STOP) = 1;
	while (mixing) {
		cpu = &cpus[--mixing];
		while (!__atomic_load_n(&cpu->ended, __ATOMIC_RELAXED)) {
			if (ms++ > 20000) {
				cpu->run->immediate_exit = 1;
				pthread_kill(cpu->thread, SIGALRM);
			}
			usleep(1000);
		}
		pthread_join(cpu->thread, NULL);
	}
}

/* They have lost nothing. */
static void end_mix(unsigned int n)
{
	__u64 follows[MAX_CPUS];
	unsigned int i;

	stop_mix();
	for (i = n; i--;) {
		vcpu = cpus[i].fd;
		run = cpus[i].run;
		follows[i] = vcpu_stat("paging_follows");
		if (i) {
			munmap(run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
			close(vcpu);
		}
	}

	for (i = 0; i < n; i++) {
		if (cpus[i].port != PORT_DONE)
			printf("# vCPU %u, of kind %u\n", i, cpus[i].kind);
		expect(cpus[i].port, PORT_DONE);
		check_pages(i);
		/* VT-x: without paging a vCPU stays as it is. */
		if (cpus[i].kind != FLAT && cpus[i].kind != REAL)
			expect(follows[i] > 0, true);
	}
}

static void mix(const enum kind *kinds, unsigned int n, unsigned int nr, bool busy)
{
	unsigned int i, mode = NESTED;
	__u32 rounds[2] = { 0 }, was;

	start_mix(kinds, n);
	for (i = 0; i < nr; i++) {
		mode ^= NESTED | SHADOW;
		set_paging(mode);
		if (busy)
			disturb(i);
		was = *data32(DATA_ROUNDS + i / 2 % n * 4);
		await_round(i / 2 % n);
		rounds[mode == SHADOW] += *data32(DATA_ROUNDS + i / 2 % n * 4) - was;
	}
	end_mix(n);
	expect(get_mode().generation, nr);
	printf("# rounds seen: %u nested, %u shadow; %u SMIs\n", rounds[0], rounds[1],
	       *data32(DATA_SMIS));
	/* Or else this has tested nothing. */
	expect(rounds[0] >= nr / 4 && rounds[1] >= nr / 4, true);
	expect(*data32(DATA_SMIS) > 0, busy && has_smm());
}

/*
 * The way to nested paging takes so long that the vCPU of g_mix walks page tables that
 * still are shadowed. Which those are: shadow pages go in the order in which they came, so
 * the second vCPU has a lot of them made, and then the tables at the top made anew.
 */
static void walk(unsigned int nr)
{
	struct kvm_regs regs;
	__u64 *pd, *pt;
	unsigned int i;
	static __u8 *many;

	if (!many)
		many = alloc(MANY * 4096UL);
	start_mix((const enum kind []) { LONG }, 1);
	set_slot(MANY_SLOT, MANY_GPA, many, MANY * 4096UL);
	add_vcpu();
	pd = (__u64 *)(ram + GUEST_PD) + (MANY_AT >> 21);
	for (i = 0; i < MANY; i++) {
		pt = (__u64 *)(many + i * 4096UL);
		pt[0] = pages(MAX_CPUS) | 7;
		pd[i] = (MANY_GPA + i * 4096UL) | 7;
	}
	for (i = 0; i < nr && !__atomic_load_n(&cpus[0].ended, __ATOMIC_RELAXED); i++) {
		set_paging(SHADOW);
		swap_vcpus();
		regs = (struct kvm_regs) { .rax = MANY_AT, .rcx = 0x200000, .rbp = MANY };
		expect(run_step(g_touch, 0, &regs), PORT_DONE);
		/* Over two entries: KVM does not take them for page tables any more. */
		step(g_store, GUEST_PDPT + 300 * 8 + 4, 0);
		step(g_store, GUEST_PML4 + 300 * 8 + 4, 0);
		swap_vcpus();
		await_round(0);
		set_paging(NESTED);
		await_round(0);
	}
	end_mix(1);
}

static void test_walk(void)
{
	walk(4);
}

/*
 * PAE's PDPTRs come from memory when shadow paging begins. QEMU's emulation of nested
 * paging sets accessed bits there, where they are reserved; they are cleared again.
 */
static void test_pae(void)
{
	unsigned int i, mode = NESTED;
	struct kvm_regs regs;
	__u64 *pdpt;

	make_switching_vm(NESTED, 0);
	cpus[0].kind = PAE;
	begin_mix(0);
	pdpt = (__u64 *)(ram + tables(0));
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rsi = 0;	/* CR3 stays */
	*data32(DATA_STOP) = 1;
	for (i = 0; i < 100; i++) {
		*data32(DATA_ROUNDS) = 0;
		IOCTL(vcpu, KVM_SET_REGS, &regs);
		expect(run_vcpu(), PORT_DONE);
		check_pages(0);
		settle();
		pdpt[0] &= ~0x20ULL;
		pdpt[1] &= ~0x20ULL;
		if (i % 3) {
			mode ^= NESTED | SHADOW;
			set_paging(mode);
		}
	}
	expect(vcpu_stat("paging_follows") > 60, true);
}

static void run_32(const char *how, __u64 cr3, struct kvm_regs *regs)
{
	regs->rip = CODE(how);
	regs->rsi = cr3;
	IOCTL(vcpu, KVM_SET_REGS, regs);
	expect(run_vcpu(), PORT_DONE);
	settle();
}

/* They are those that the guest has loaded under nested paging, which KVM has not seen. */
static void test_pdptrs(void)
{
	__u64 *pdpt, *pd, *pt, va;
	struct kvm_regs regs;
	unsigned int i, nr;

	make_switching_vm(NESTED, 0);
	cpus[0].kind = PAE;
	begin_mix(0);
	pdpt = (__u64 *)(ram + tables(0));
	/* Another page directory, for what would be another vCPU's pages. */
	pd = (__u64 *)(ram + tables(1));
	pt = pd + 512;
	pd[1] = (tables(1) + 0x1000) | 7;
	for (i = 0; i < MIX_PAGES; i++)
		pt[i] = (pages(1) + i * 4096) | 7;
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	*data32(DATA_STOP) = 1;
	for (i = 0; i < 10; i++) {
		nr = i & 1;
		pdpt[1] = (nr ? tables(1) : tables(0) + 0x1000) | 1;
		run_32(g_cr3, tables(0), &regs);
		pdpt[0] &= ~0x20ULL;
		pdpt[1] &= ~0x20ULL;

		set_paging(SHADOW);
		memset(data, 0, 2 * MIX_PAGES * 4096);
		*data32(DATA_ROUNDS) = 0;
		run_32(g_mix32, 0, &regs);
		va = GUEST_UNMAPPED + 0x200000;
		expect(*(__u32 *)(data + (nr ? MIX_PAGES : MIX_PAGES - 1) * 4096), 1 ^ va);
		set_paging(NESTED);
	}
}

/* INVPCID is KVM's business under shadow paging alone. Few emulated processors have it. */
static void test_invpcid(void)
{
	__u64 *pd = (__u64 *)(ram + GUEST_PD) + (GUEST_UNMAPPED >> 21);
	__u64 *pt = (__u64 *)(ram + tables(0));
	unsigned int i, mode = NESTED, port;
	struct kvm_regs regs;

	make_switching_vm(NESTED, 0);
	pd[0] = tables(0) | 7;
	for (i = 0; i < 16; i++) {
		pt[i] = (DATA_GPA + i * 4096) | 7;
		*(__u64 *)(data + i * 4096) = 0x100 + i;
		*(__u64 *)(data + (i + 16) * 4096) = 0x200 + i;
	}
	for (i = 0; i < 16; i++) {
		regs = (struct kvm_regs) {
			.rdi = GUEST_UNMAPPED + i * 4096, .rsi = tables(0) + i * 8,
			.rdx = (DATA_GPA + (i + 16) * 4096) | 7,
		};
		begin_step(g_remap, 0, &regs);
		port = run_vcpu();
		if (port == PORT_UD)
			skip("no INVPCID here");
		expect(port, PORT_DONE);
		IOCTL(vcpu, KVM_GET_REGS, &regs);
		settle();
		expect(regs.rbx, 0x200 + i);
		mode ^= NESTED | SHADOW;
		set_paging(mode);
	}
}

static const enum kind all_long[] = { LONG, LONG, LONG, LONG };
static const enum kind all_kinds[] = { LONG, LEGACY, FLAT, REAL };
static const enum kind smm_kinds[] = { LEGACY, LONG, FLAT };

static void test_mix_1(void)
{
	mix(all_long, 1, switches, false);
}

static void test_mix_2(void)
{
	mix(all_long, 2, switches, false);
}

static void test_mix_4(void)
{
	mix(all_long, 4, switches, false);
}

static void test_mix_kinds(void)
{
	mix(all_kinds, NR(all_kinds), switches, false);
}

static void test_mix_busy(void)
{
	mix(all_kinds, NR(all_kinds), switches, true);
}

static void test_mix_smm(void)
{
	mix(smm_kinds, NR(smm_kinds), switches, true);
}

/* ---- Tests of these tests ----------------------------------------------------------- */

#define RULES	"/sys/module/kvm/parameters/without_rules"

static bool write_rules(unsigned int bits)
{
	FILE *f = fopen(RULES, "w");

	return f && fprintf(f, "%u", bits) > 0 && !fclose(f);
}

static void restore_rules(void)
{
	write_rules(0);
}

static void walk_longer(void)
{
	walk(100);
}

static void created(void)
{
	make_switching_vm(SHADOW, 0);
	expect(seen_mode(), SHADOW);
}

/* How a test ends, with rules left out that hold again afterwards: 0, FAILED or SKIPPED. */
static int how_ends(void (*test)(void))
{
	static jmp_buf outer;
	static int how;

	memcpy(outer, ended, sizeof(outer));
	how = 0;
	switch (setjmp(ended)) {
	case 0:
		test();
		break;
	case SKIPPED:
		how = SKIPPED;
		break;
	default:
		how = FAILED;
	}
	memcpy(ended, outer, sizeof(outer));
	restore_rules();
	stop_mix();
	return how;
}

/* Without one rule of KVM's at a time, a test of the above fails. */
static void test_rules_removed(void)
{
	static const struct {
		enum kvm_symbiotic_rule rule;
		const char *name;
		void (*test)(void);
	} rules[] = {
		{ KVM_PAGING_RULE_LATE, "late", created },
		{ KVM_PAGING_RULE_SMM, "smm", test_smm },
		{ KVM_PAGING_RULE_PDPTR, "pdptr", test_pdptrs },
		{ KVM_PAGING_RULE_WALK, "walk", walk_longer },
	};
	static unsigned int i, tried;

	if (access(RULES, F_OK))
		skip("not in this kernel");
	need_switch();
	atexit(restore_rules);
	for (i = 0; i < NR(rules); i++) {
		/* VT-x looks at the mode whenever segments are set, which all tests do. */
		if (rules[i].rule == KVM_PAGING_RULE_LATE && !access("/sys/module/kvm_intel", F_OK))
			continue;
		printf("# without %s:\n", rules[i].name);
		if (!write_rules(1U << rules[i].rule))
			fail("%s: %s", RULES, strerror(errno));
		switch (how_ends(rules[i].test)) {
		case FAILED:
			tried++;
			break;
		case SKIPPED:
			printf("# it cannot be tried here\n");
			break;
		default:
			fail("nothing fails");
		}
	}
	if (!tried)
		skip("none can be tried here");
}

const struct test paging_tests[] = {
	{ "paging-basic", test_basic, 0 },
	{ "paging-debugfs", test_debugfs, 0 },
	{ "paging-fixed", test_fixed, 0 },
	{ "paging-no-memory", test_no_memory, 0 },
	{ "paging-enable", test_enable, 0 },
	{ "paging-set", test_set, 0 },
	{ "paging-svme", test_svme, 0 },
	{ "paging-pke", test_pke, 0 },
	{ "paging-vmxe", test_vmxe, 0 },
	{ "paging-smm", test_smm, 0 },
	{ "paging-vmxon", test_vmxon, 0 },
	{ "paging-nested", test_nested, 0 },
	{ "paging-segments", test_segments, 0 },
	{ "paging-invalidated", test_invalidated, 0 },
	{ "paging-host-memory", test_host_memory, 0 },
	{ "paging-slot-moves", test_slot_moves, 0 },
	{ "paging-dirty", test_dirty, 0 },
	{ "paging-huge", test_huge, 0 },
	{ "paging-gigabytes", test_gigabytes, 0 },
	{ "paging-symcall", test_symcall, 0 },
	{ "paging-late", test_late, 0 },
	{ "paging-pae", test_pae, 0 },
	{ "paging-pdptrs", test_pdptrs, 0 },
	{ "paging-invpcid", test_invpcid, 0 },
	{ "paging-mix-1", test_mix_1, 0 },
	{ "paging-mix-2", test_mix_2, 0 },
	{ "paging-mix-4", test_mix_4, 0 },
	{ "paging-mix-kinds", test_mix_kinds, 0 },
	{ "paging-mix-busy", test_mix_busy, 0 },
	{ "paging-mix-smm", test_mix_smm, 0 },
	{ "paging-walk", test_walk, 0 },
	{ "paging-rules-removed", test_rules_removed, 0 },
	{ }
};
