// SPDX-License-Identifier: GPL-2.0
/*
 * Every rule of SymCall, with guests that lie and misbehave.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vm.h"

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
	expect(vcpu_stat("symcalls"), 4);
	expect(vcpu_stat("symcall_aborts"), 0);
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

/* Whether the vCPU runs a guest of the guest's. */
static bool in_nested_guest(void)
{
	static struct {
		struct kvm_nested_state head;
		__u8 data[2 * 4096];
	} nested;

	nested.head.size = sizeof(nested);
	IOCTL(vcpu, KVM_GET_NESTED_STATE, &nested);
	return nested.head.flags & KVM_STATE_NESTED_GUEST_MODE;
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
	expect(in_nested_guest(), false);
	expect(vcpu_stat("symcall_aborts"), 1);

	/* Off, until the guest registers again. */
	c = symcall(CALL_INC, 0);
	expect(c.status, -ENXIO);
	expect(local_page()->flags, 0);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, CODE(g_symcall));
	expect(local_page()->flags,
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

/* A segment of a VMCB's state. */
struct vmcb_seg {
	__u16 selector;
	__u16 attrib;
	__u32 limit;
	__u64 base;
};

static void vmcb64(unsigned int offset, __u64 val)
{
	memcpy(ram + GUEST_VMCB + offset, &val, sizeof(val));
}

/* A nested guest that shares everything with the guest. */
static void build_vmcb(void)
{
	struct vmcb_seg *seg = (struct vmcb_seg *)(ram + GUEST_VMCB + 0x400);
	const struct vmcb_seg data = { SEL_CALL_DATA, 0xc93, ~0U, 0 };
	struct kvm_sregs s;

	IOCTL(vcpu, KVM_GET_SREGS, &s);
	vmcb64(0x010, 1);		/* intercepts VMRUN, as it must */
	vmcb64(0x058, 1);		/* ASID */
	seg[0] = data;			/* ES, CS, SS, DS, FS, GS */
	seg[1] = data;
	seg[1].selector = SEL_CALL_CODE;
	seg[1].attrib = 0xa9b;
	seg[2] = data;
	seg[3] = data;
	seg[4] = data;
	seg[5] = data;
	seg[6].base = s.gdt.base;
	seg[6].limit = s.gdt.limit;
	seg[8].base = s.idt.base;
	seg[8].limit = s.idt.limit;
	vmcb64(0x4d0, s.efer | EFER_SVME);
	vmcb64(0x548, s.cr4);
	vmcb64(0x550, s.cr3);
	vmcb64(0x558, s.cr0);
	vmcb64(0x560, 0x400);		/* DR7 */
	vmcb64(0x568, 0xffff0ff0);	/* DR6 */
	vmcb64(0x570, RFLAGS_FIXED);
	vmcb64(0x578, CODE(g_nested));
	vmcb64(0x5d8, GUEST_CALL_STACK);
}

/* A call may not go on in a guest of the guest's, nor end there. */
static void test_abort_vmrun(void)
{
	__u64 efer = EFER_LONG_MODE | EFER_SVME;

	if (host_msr(KVM_SET_MSRS, MSR_EFER, &efer) != 1)
		skip("no nested SVM in this KVM");
	build_vmcb();
	check_abort(CALL_VMRUN, -EIO);
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
	expect(vcpu_stat("symcall_aborts"), 1);
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
	struct symspy_local *local = local_page();
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

const struct test symcall_tests[] = {
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
	{ "abort-vmrun", test_abort_vmrun, SYMB_FEAT_ALL },
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
	{ }
};
