// SPDX-License-Identifier: GPL-2.0
/*
 * Every rule of SymCall, with guests that lie and misbehave.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
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
	run_on();
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
	run_on();

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
	expect(is.events.interrupt.shadow, 0);
	expect(is.events.nmi.masked, was->events.nmi.masked);
	expect(is.mp.mp_state, was->mp.mp_state);
}

/* What else its segments may be. */
typedef void alter_fn(struct kvm_sregs *sregs);

static void compat_mode(struct kvm_sregs *sregs)
{
	sregs->cs.l = 0;
	sregs->cs.db = 1;
	sregs->cs.limit = 0xfffff;
}

static void no_stack(struct kvm_sregs *sregs)
{
	sregs->ss = (struct kvm_segment) { .unusable = 1 };
}

/* A context unlike the entry state in everything that can differ. */
static void strange_context(int cpl, alter_fn *alter)
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
	regs.rflags = RFLAGS_FIXED | RFLAGS_DF | RFLAGS_ARITH | 0x40000;	/* AC */
	/* As in all programs. Without, some emulators never leave one that spins. */
	if (cpl)
		regs.rflags |= RFLAGS_IF;
	IOCTL(vcpu, KVM_SET_REGS, &regs);

	IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr2 = 0x123456;
	/* VT-x may want DPL and RPL to go together. */
	sregs.fs.selector = SEL_USER_DATA | 3;
	sregs.fs.dpl = 3;
	if (alter)
		alter(&sregs);
	IOCTL(vcpu, KVM_SET_SREGS, &sregs);

	IOCTL(vcpu, KVM_GET_DEBUGREGS, &dr);
	dr.db[0] = 0x7fff0000;
	dr.dr7 = 0x403;
	IOCTL(vcpu, KVM_SET_DEBUGREGS, &dr);

	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags = 0;
	events.nmi.masked = 1;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

/* A call to its first exit. */
static void begin_call(struct kvm_symcall *call, __u64 nr)
{
	memset(call, 0, sizeof(*call));
	call->nr = nr;
	expect(ioctl(vcpu, KVM_SYMCALL, call), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	expect(service_exit(), true);
}

/* And to its end. */
static void finish_call(struct kvm_symcall *call)
{
	for (;;) {
		expect(ioctl(vcpu, KVM_SYMCALL, call), 0);
		if (run->exit_reason == KVM_EXIT_SYMCALL)
			return;
		if (!service_exit())
			fail("exit reason %u in a symcall", run->exit_reason);
	}
}

static void check_restore_of(int cpl, alter_fn *alter, __u64 nr)
{
	struct context was;
	struct kvm_symcall c;

	strange_context(cpl, alter);
	get_context(&was);
	c = symcall(nr, 3);
	expect(c.status, 0);
	check_context(&was);
	check_entry_state();
}

static void check_restore(int cpl, __u64 nr)
{
	check_restore_of(cpl, NULL, nr);
}

/* The guest's own IRET ends what strange_context() has begun. */
static void unmask_nmis(void)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs = { 0 };

	expect(run_step(g_iret, 0, &regs), PORT_DONE);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	expect(events.nmi.masked, 0);
}

static void test_restore_kernel(void)
{
	register_call(g_symcall);
	check_restore(0, CALL_NULL);
	check_restore(0, CALL_CLOBBER);
	check_restore(0, CALL_EXITS);
	check_restore(0, CALL_IRET);
	check_restore(0, CALL_IRET);
	/* With page-table isolation or not, with PCIDs or not: CR4 is ours. */
	run_on();
	unmask_nmis();
}

static void test_restore_user(void)
{
	register_call(g_symcall);
	check_restore(3, CALL_NULL);
	check_restore(3, CALL_CLOBBER);
	check_restore(3, CALL_EXITS);
	run_on();
	unmask_nmis();
}

/* A program of 32 bits, and a kernel between two stacks. */
static void test_restore_segments(void)
{
	register_call(g_symcall);
	check_restore_of(3, compat_mode, CALL_NULL);
	check_restore_of(3, compat_mode, CALL_CLOBBER);
	check_restore_of(0, no_stack, CALL_NULL);
	check_restore_of(0, no_stack, CALL_CLOBBER);
	run_on();
	unmask_nmis();
}

/*
 * Segments with which VT-x enters no guest, unless it can run all guests: only
 * KVM's emulator runs it then, and a call would leave them as they are.
 */
static void test_bad_segments(void)
{
	struct kvm_sregs sregs;
	struct kvm_symcall c;

	register_call(g_symcall);
	enter(g_spin, 0);
	IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.ds.selector |= 3;
	sregs.ds.dpl = 0;
	IOCTL(vcpu, KVM_SET_SREGS, &sregs);
	c = symcall(CALL_INC, 1);
	expect(c.status, restricted_guest() ? -EBUSY : 0);
	run_on();

	/*
	 * User space may set them in the middle of a call, and they stay as they are at
	 * its end. KVM's emulator executes no hypercall, so there the call gets no
	 * further.
	 */
	set_budget(200);
	enter(g_spin, 0);
	begin_call(&c, CALL_EXITS);
	IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.ds.selector |= 3;
	sregs.ds.dpl = 0;
	IOCTL(vcpu, KVM_SET_SREGS, &sregs);
	finish_call(&c);
	expect(c.status, restricted_guest() ? -ETIMEDOUT : 0);
	run_on();
}

/* HLT does not exit: that the guest has halted is in hardware alone. */
static void test_halted_inside(void)
{
	struct kvm_symcall c;

	drop_vm();
	halt_inside = true;
	make_vm(SYMB_FEAT_ALL);
	halt_inside = false;
	register_call(g_symcall);
	enter(g_hlt, 0);
	if (run_some(50))
		skip("an exit loses activity state HLT here, as in Bochs and QEMU");
	c = symcall(CALL_EXITS, 1);
	expect(c.status, 0);
	run_for(50);
	send_irq();
	expect(run_vcpu_in_time(), PORT_DONE);
	expect(*data32(DATA_IRQS), 1);
	expect(*data32(DATA_BROKEN), 0);
	settle();
}

static void test_halted(void)
{
	struct kvm_mp_state mp;
	struct kvm_symcall c;
	struct context was;

	register_call(g_symcall);
	enter(g_hlt, 0);
	run_until_halted();
	get_context(&was);
	c = symcall(CALL_INC, 1);
	expect(c.status, 0);
	expect(c.ret[0], 2);
	check_context(&was);
	/* The call has not woken it up. */
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
	run_on();
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
	run_until(DATA_IRQS, 1);
	run_on();
	expect(*data32(DATA_BROKEN), 0);
}

/* Interrupts and NMIs that are pending all the time of a call with STI. */
static void test_no_injection(void)
{
	struct kvm_symcall c;

	register_call(g_symcall);
	enter(g_sti_spin, 0);
	run_on();
	send_irq();
	IOCTL(vcpu, KVM_NMI, 0);
	c = symcall(CALL_STI, 0);
	expect(c.status, 0);
	expect(*data32(DATA_BROKEN), 0);
	expect(*data32(DATA_IRQS), 0);
	expect(*data32(DATA_NMIS), 0);
	wait_for(DATA_IRQS, 1);
	wait_for(DATA_NMIS, 1);
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

	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		skip("no SMM in this KVM");
	/* The other address space is the one that SMM sees. */
	set_slot(1 << 16, 0, ram, GUEST_RAM);
	memcpy(ram + 0x38000, handler, sizeof(handler));

	register_call(g_symcall);
	enter(g_spin, 0);
	run_on();
	IOCTL(vcpu, KVM_SMI, 0);
	c = symcall(CALL_STI, 0);
	expect(c.status, 0);
	expect(*data32(DATA_IRQS), 0);
	wait_for(DATA_IRQS, 1);
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
	strange_context(0, NULL);
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
	run_on();
}

static void test_abort_spin(void)
{
	set_budget(200);
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

/* Only the guest's kernel can end a call; its results are not for programs. */
static void test_return_user(void)
{
	check_abort(CALL_USER, -EIO);
	expect(data64(DATA_USER_RAX), -SYMB_HC_EPERM);
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

/*
 * A nested guest that shares everything with the guest, but executes @label. False
 * if there is none.
 */
bool build_vmcb(const char *label)
{
	struct vmcb_seg *seg = (struct vmcb_seg *)(ram + GUEST_VMCB + 0x400);
	const struct vmcb_seg data = { SEL_CALL_DATA, 0xc93, ~0U, 0 };
	__u64 efer = EFER_LONG_MODE | EFER_SVME;
	struct kvm_sregs s;

	if (host_msr(KVM_SET_MSRS, MSR_EFER, &efer) != 1)
		return false;

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
	vmcb64(0x578, CODE(label));
	vmcb64(0x5d8, GUEST_CALL_STACK);
	return true;
}

/* A call may not go on in a guest of the guest's, nor end there. */
static void test_abort_vmrun(void)
{
	if (!build_vmcb(g_nested))
		skip("no nested SVM in this KVM");
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
	run_until(DATA_IRQS, 1);
	send_irq();
	run_until(DATA_IRQS, 2);
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
	struct kvm_symcall call = { .nr = CALL_EXITS }, second = call;

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
	second.args[0] = 99;
	expect(ioctl(vcpu, KVM_SYMCALL, &second), -1);
	expect(errno, EBUSY);
	do {
		expect(service_exit(), true);
		expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	} while (run->exit_reason != KVM_EXIT_SYMCALL);
	expect(call.status, 0);
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, 0);
	expect(local->flags, 0);
}

/* Calls one right after the other: each is told to the guest, and so is their end. */
static void test_flags_loop(void)
{
	const __u32 in_call = SYMSPY_LOCAL_SYMCALL_ENABLED | SYMSPY_LOCAL_SYMCALL_ACTIVE;
	struct symspy_local *local = local_page();

	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	register_call(g_symcall);
	*data32(DATA_FLAGS) = ~0;
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 200, CALL_FLAGS, 0, 0), 0);
	expect(*data32(DATA_CALLS), 200);
	expect(*data32(DATA_FLAGS), in_call);
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);

	/* After an abort there is no call until the guest writes the entry. */
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 2, CALL_UD, 0, 0), -SYMB_HC_EIO);
	expect(local->flags, 0);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, CODE(g_symcall));
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);
	*data32(DATA_FLAGS) = ~0;
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1, CALL_FLAGS, 0, 0), 0);
	expect(*data32(DATA_FLAGS), in_call);
	expect(local->flags, SYMSPY_LOCAL_SYMCALL_ENABLED);
}

/*
 * The NMI that follows an abort finds the page in order: that calls are off tells
 * the guest what the NMI is for.
 */
static void test_flags_abort(void)
{
	static const __u64 fatal[] = { CALL_HLT, CALL_UD, CALL_SPIN };
	unsigned int i;

	set_budget(50);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	set_gate(2, CODE(g_nmi_flags), 0);
	for (i = 0; i < sizeof(fatal) / sizeof(*fatal); i++) {
		register_call(g_symcall);
		*data32(DATA_NMIS) = 0;
		*data32(DATA_NMI_FLAGS) = 0;
		expect(hypercall(SYMB_HC_SYMCALL_LOOP, 1, fatal[i], 0, 0), -SYMB_HC_EIO);
		expect(*data32(DATA_NMIS), 1);
		expect(*data32(DATA_NMI_FLAGS), 0);
		/* The call has left it set. */
		*data32(DATA_IN_CALL) = 0;
	}
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
	run_on();
}

/* Of two equal requests, each gets a call, and a result, of its own. */
static void test_result_owner(void)
{
	struct kvm_symcall first = { .nr = CALL_EXITS, .args = { 7 } };
	struct kvm_symcall second = first, stranger = { .nr = CALL_EXITS };

	register_call(g_symcall);
	enter(g_spin, 0);
	expect(ioctl(vcpu, KVM_SYMCALL, &first), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	while (service_exit())
		expect(ioctl(vcpu, KVM_RUN, 0), 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(*data32(DATA_CALLS), 1);

	/* Who asked has gone. */
	expect(ioctl(vcpu, KVM_SYMCALL, &second), 0);
	expect(run->exit_reason, KVM_EXIT_IO);
	expect(*data32(DATA_CALLS), 2);
	stranger.id = first.id;
	expect(ioctl(vcpu, KVM_SYMCALL, &stranger), -1);
	expect(errno, ENOENT);
	while (service_exit())
		expect(ioctl(vcpu, KVM_SYMCALL, &second), 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(second.ret[4], 0xa5);
	expect(second.id, 0);
	expect(*data32(DATA_CALLS), 2);
}

static volatile bool hammer;

static void *write_exit_reason(void *page)
{
	volatile __u32 *reason = &((struct kvm_run *)page)->exit_reason;

	while (hammer)
		*reason = KVM_EXIT_SYMCALL;
	return NULL;
}

/* Whether the call is over is not for the shared page to say. */
static void test_exit_reason(void)
{
	struct kvm_symcall call;
	pthread_t thread;
	unsigned int i;

	register_call(g_symcall);
	enter(g_spin, 0);
	hammer = true;
	expect(pthread_create(&thread, NULL, write_exit_reason, run), 0);
	for (i = 0; i < 500; i++) {
		memset(&call, 0, sizeof(call));
		call.nr = CALL_EXITS;
		call.args[0] = i;
		/* Without a look at the exit: two ports, then the end. */
		if (ioctl(vcpu, KVM_SYMCALL, &call) || call.status ||
		    !call.id || ioctl(vcpu, KVM_SYMCALL, &call) || !call.id ||
		    ioctl(vcpu, KVM_SYMCALL, &call) || call.id)
			break;
	}
	hammer = false;
	pthread_join(thread, NULL);
	expect(i, 500);
	expect(vcpu_stat("symcalls"), 500);
}

/* ---- What user space queues during a call is not the call's -------------- */

static void enable_mce(void)
{
	__u64 cap = 1 | 1 << 8;		/* a bank, and MCG_CTL */
	struct kvm_sregs sregs;

	IOCTL(vcpu, KVM_X86_SETUP_MCE, &cap);
	IOCTL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr4 |= 1 << 6;
	IOCTL(vcpu, KVM_SET_SREGS, &sregs);
}

static void inject_mce(void)
{
	struct kvm_x86_mce mce = {
		.status = 1ULL << 63 | 1ULL << 61 | 1ULL << 60,	/* uncorrected */
		.mcg_status = 1 << 2,
	};

	IOCTL(vcpu, KVM_X86_SET_MCE, &mce);
}

static void check_events_after(__u64 nr, int status)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 },
	};
	struct kvm_vcpu_events events;
	struct kvm_symcall call;
	struct kvm_mp_state mp;

	/* A machine check. */
	register_call(g_symcall);
	enter(g_spin, 0);
	enable_mce();
	begin_call(&call, nr);
	inject_mce();
	finish_call(&call);
	expect(call.status, status);
	expect(run_vcpu_in_time(), PORT_MC);
	settle();

	/* Any exception. */
	register_call(g_symcall);
	enter(g_spin, 0);
	begin_call(&call, nr);
	inject_exception(6);
	finish_call(&call);
	expect(call.status, status);
	expect(run_vcpu_in_time(), PORT_UD);
	settle();

	/* An interrupt, with RFLAGS.IF set, and an NMI on their way in. */
	register_call(g_symcall);
	enter(g_sti_spin, 0);
	wait_for(DATA_NMIS, status ? 2 : 0);
	*data32(DATA_NMIS) = 0;
	begin_call(&call, nr);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x40;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
	finish_call(&call);
	expect(call.status, status);
	wait_for(DATA_IRQS, 1);
	wait_for(DATA_NMIS, status ? 1 : 0);

	register_call(g_symcall);
	enter(g_spin, 0);
	*data32(DATA_NMIS) = 0;
	begin_call(&call, nr);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.nmi.injected = 1;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
	finish_call(&call);
	expect(call.status, status);
	wait_for(DATA_NMIS, status ? 2 : 1);
	/* A call that was aborted leaves its mark behind. */
	if (!status)
		expect(*data32(DATA_BROKEN), 0);

	/* It waits for an interrupt from now on. */
	register_call(g_symcall);
	enter(g_spin, 0);
	begin_call(&call, nr);
	mp.mp_state = KVM_MP_STATE_HALTED;
	IOCTL(vcpu, KVM_SET_MP_STATE, &mp);
	finish_call(&call);
	expect(call.status, status);
	IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
	expect(mp.mp_state, KVM_MP_STATE_HALTED);

	/* The end of the machine. */
	register_call(g_symcall);
	enter(g_spin, 0);
	IOCTL(vm, KVM_ENABLE_CAP, &cap);
	begin_call(&call, nr);
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	events.triple_fault.pending = 1;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
	finish_call(&call);
	expect(call.status, status);
	expect(run_to_exit_in_time(), KVM_EXIT_SHUTDOWN);
}

static void test_events_in_call(void)
{
	check_events_after(CALL_EXITS, 0);
}

static void test_events_in_abort(void)
{
	check_events_after(CALL_EXIT_UD, -EIO);
}

/* What the call itself has raised is none of user space's business. */
static void test_own_exception(void)
{
	struct kvm_vcpu_events events;
	struct kvm_symcall call = { .nr = CALL_PAGE };

	register_call(g_symcall);
	enter(g_spin, 0);
	call.args[0] = LOCAL_GPA;
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_X86_WRMSR);
	run->msr.error = 1;
	/* The call takes #GP, and user space saves and restores everything. */
	settle();
	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	expect(events.exception.injected, 0);
	expect(events.exception.pending, 0);
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(call.status, -EIO);
	run_on();
}

/* Steps that are asked for during a call go on after it. */
static void test_single_step(void)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	unsigned int steps = 0, limit;
	struct kvm_symcall call;
	struct kvm_regs regs;

	register_call(g_symcall);
	enter(g_spin, 0);
	begin_call(&call, CALL_EXITS);
	IOCTL(vcpu, KVM_SET_GUEST_DEBUG, &debug);
	for (limit = 0; limit < 1000; limit++) {
		expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
		if (run->exit_reason == KVM_EXIT_SYMCALL)
			break;
		if (run->exit_reason == KVM_EXIT_DEBUG)
			steps++;
		else if (!service_exit())
			fail("exit reason %u in a symcall", run->exit_reason);
	}
	expect(call.status, 0);
	expect(steps > 3, true);

	expect(run_to_exit_in_time(), KVM_EXIT_DEBUG);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	expect(regs.rip >= CODE(g_spin) && regs.rip < CODE(g_sti_spin), true);
	expect(regs.rflags & ~RFLAGS_ARITH, RFLAGS_FIXED);

	debug.control = 0;
	IOCTL(vcpu, KVM_SET_GUEST_DEBUG, &debug);
	run_on();
}

static void set_shadow(unsigned int shadow)
{
	struct kvm_vcpu_events events;

	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	events.interrupt.shadow = shadow;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

/* No call begins in the shadow of a MOV SS or STI. */
static void test_shadow(void)
{
	static const __u8 shadows[] = {
		KVM_X86_SHADOW_INT_MOV_SS, KVM_X86_SHADOW_INT_STI,
	};
	struct kvm_symcall call;
	unsigned int i;

	register_call(g_symcall);
	enter(g_spin, 0);
	for (i = 0; i < NR(shadows); i++) {
		memset(&call, 0, sizeof(call));
		call.nr = CALL_EXITS;
		set_shadow(shadows[i]);
		to_the_entry(KVM_SYMCALL, &call);
		expect(vcpu_stat("symcalls"), i);
		set_shadow(0);
		to_the_entry(KVM_SYMCALL, &call);
		expect(vcpu_stat("symcalls"), i + 1);
		finish_call(&call);
		expect(call.status, 0);
	}
	run_on();
}

/*
 * KVM may step over an instruction in order to inject an NMI after it. That
 * must not become a step of a call, whose RFLAGS.TF nobody would take away if
 * it is the guest's as well.
 */
static void test_nmi_step(void)
{
	struct kvm_symcall c;
	struct kvm_regs regs;

	register_call(g_symcall);
	enter(g_spin, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rflags |= RFLAGS_TF;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	set_shadow(KVM_X86_SHADOW_INT_MOV_SS);
	IOCTL(vcpu, KVM_NMI, 0);
	to_the_entry(KVM_RUN, NULL);
	set_shadow(0);
	c = symcall(CALL_INC, 1);
	expect(c.status, 0);
	expect(run_vcpu_in_time(), PORT_DB);
	expect(*data32(DATA_NMIS), 1);
	expect(*data32(DATA_BROKEN), 0);
	settle();
}

/* ---- The budget ----------------------------------------------------------- */

static struct kvm_symcall thread_call;
static int thread_result;

/* Runs the vCPU for a tenth of a second. */
static void *run_in_thread(void *arg)
{
	set_ticks(100000);
	thread_result = ioctl(vcpu, KVM_SYMCALL, &thread_call);
	if (thread_result < 0)
		thread_result = -errno;
	set_ticks(0);
	return NULL;
}

/* A vCPU that moves from thread to thread has one budget for a call. */
static void test_budget_threads(void)
{
	sigset_t alarm, old;
	pthread_t thread;
	unsigned int i;

	set_budget(350);
	register_call(g_symcall);
	enter(g_spin, 0);
	memset(&thread_call, 0, sizeof(thread_call));
	thread_call.nr = CALL_SPIN;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	/* On a busy machine a thread has less than all of its time. */
	for (i = 0; i < 600; i++) {
		expect(pthread_create(&thread, NULL, run_in_thread, NULL), 0);
		/* The signal is the other thread's. */
		sigprocmask(SIG_BLOCK, &alarm, &old);
		pthread_join(thread, NULL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		if (thread_result != -EINTR)
			break;
	}
	/* One thread has not used it up. */
	expect(i > 0, true);
	expect(thread_result, 0);
	expect(run->exit_reason, KVM_EXIT_SYMCALL);
	expect(thread_call.status, -ETIMEDOUT);
}

/* ---- Other hypervisors' interfaces ---------------------------------------- */

#define HV_GUEST_OS_ID		0x40000000
#define HV_HYPERCALL		0x40000001
#define HV_INVALID_CODE		2

/* A hypercall of Hyper-V's through its page, with RAX as it happens to be. */
static __s64 hv_hypercall(__u64 rax)
{
	struct kvm_regs regs = { .rax = rax, .rcx = 0xffff };

	expect(run_step(g_hv_call, 0, &regs), PORT_DONE);
	return regs.rax;
}

/* A guest of Hyper-V's interface, in which ours works too. */
static void test_hyperv(void)
{
	static const struct kvm_cpuid_entry2 leaves[] = {
		{ .function = 0x40000000, .eax = 0x40000006,
		  .ebx = 0x7263694d, .ecx = 0x666f736f, .edx = 0x76482074 },
		{ .function = 0x40000001, .eax = 0x31237648 },
	};
	__u64 nr;

	if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_HYPERV) <= 0)
		skip("no Hyper-V in this KVM");
	set_cpuid(leaves, NR(leaves));
	must_wrmsr(HV_GUEST_OS_ID, 0x8100000000000001);
	must_wrmsr(HV_HYPERCALL, GUEST_HV_PAGE | 1);

	/* Who has not accepted us means Hyper-V by all it does. */
	for (nr = SYMB_HC_SYMCALL_RET; nr <= SYMB_HC_LAST; nr++) {
		expect(hv_hypercall(nr), HV_INVALID_CODE);
		expect(hypercall(nr, 0, 0xffff, 0, 0), HV_INVALID_CODE);
	}

	register_call(g_symcall);
	expect(hypercall(SYMB_HC_NULL, 0, 0xffff, 0, 0), 0);
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, 3, CALL_NULL, 0, 0), 0);
	expect(*data32(DATA_CALLS), 3);
	enter(g_spin, 0);
	expect(symcall(CALL_INC, 1).ret[0], 2);
	expect(symcall(CALL_ERROR, 7).status, 7);
	expect(vcpu_stat("symcall_aborts"), 0);
	for (nr = SYMB_HC_SYMCALL_RET; nr <= SYMB_HC_LAST; nr++)
		expect(hv_hypercall(nr), HV_INVALID_CODE);
}

/* A hypercall that Xen's user space is asked about. */
static void expect_xen(__u64 nr)
{
	struct kvm_regs regs = { .rax = nr };

	begin_step(g_hypercall, 0, &regs);
	expect(run_to_exit_in_time(), KVM_EXIT_XEN);
	expect(run->xen.u.hcall.input, nr);
	expect(run_vcpu_in_time(), PORT_DONE);
	settle();
}

static void test_xen(void)
{
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, .msr = 0x40000200,
	};

	if (!(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM) & config.flags))
		skip("no Xen in this KVM");
	IOCTL(vm, KVM_XEN_HVM_CONFIG, &config);
	expect_xen(SYMB_HC_NULL);
	register_call(g_symcall);
	expect_xen(40);
	expect(hypercall(SYMB_HC_NULL, 0, 0, 0, 0), 0);
	enter(g_spin, 0);
	expect(symcall(CALL_INC, 1).ret[0], 2);
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
	run_on();
	expect(msr_value(SYMB_MSR_SYMCALL_RIP), 0);
	expect(msr_value(SYMB_MSR_FEATURES), 0);
	enter(g_spin, 0);
	/* Nobody knows of that call any more. */
	expect(ioctl(vcpu, KVM_SYMCALL, &call), -1);
	expect(errno, ENOENT);
	call.id = 0;
	expect(ioctl(vcpu, KVM_SYMCALL, &call), 0);
	expect(call.status, -ENXIO);
	register_call(g_symcall);
	enter(g_spin, 0);
	expect(symcall(CALL_INC, 3).ret[0], 4);
}

/* INIT in the middle of a call: the machine's own reset. */
static void test_init(void)
{
	struct kvm_symcall call = { .nr = CALL_EXITS };
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
	send_init(0);
	run_until_halted();

	/* KVM has told user space that the pages are gone. */
	expect(page_exits, exits + 2);
	expect(page_gpa[0], 0);
	expect(page_gpa[1], 0);
	expect(dma_ack, 0);
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
	/* Before all that block NMIs, see forget_nmi_blocking(). */
	{ "loop", test_loop, SYMB_FEAT_ALL },
	{ "flags-abort", test_flags_abort, SYMB_FEAT_ALL },
	{ "user-call", test_user_call, SYMB_FEAT_ALL },
	{ "restore-kernel", test_restore_kernel, SYMB_FEAT_ALL },
	{ "restore-user", test_restore_user, SYMB_FEAT_ALL },
	{ "restore-segments", test_restore_segments, SYMB_FEAT_ALL },
	{ "bad-segments", test_bad_segments, SYMB_FEAT_ALL },
	{ "halted", test_halted, SYMB_FEAT_ALL },
	{ "halted-inside", test_halted_inside, SYMB_FEAT_ALL },
	{ "exits", test_exits, SYMB_FEAT_ALL },
	{ "signals", test_signals, SYMB_FEAT_ALL },
	{ "no-injection", test_no_injection, SYMB_FEAT_ALL },
	{ "smi", test_smi, SYMB_FEAT_ALL },
	{ "abort-spin", test_abort_spin, SYMB_FEAT_ALL },
	{ "abort-hlt", test_abort_hlt, SYMB_FEAT_ALL },
	{ "abort-ud", test_abort_ud, SYMB_FEAT_ALL },
	{ "abort-gp", test_abort_gp, SYMB_FEAT_ALL },
	{ "return-user", test_return_user, SYMB_FEAT_ALL },
	{ "abort-vmrun", test_abort_vmrun, SYMB_FEAT_ALL },
	{ "bad-entry", test_bad_entry, SYMB_FEAT_ALL },
	{ "nested", test_nested, SYMB_FEAT_ALL },
	{ "hypercalls", test_hypercalls, SYMB_FEAT_ALL },
	{ "loop-interrupted", test_loop_interrupted, SYMB_FEAT_ALL },
	{ "flags", test_flags, SYMB_FEAT_ALL },
	{ "flags-loop", test_flags_loop, SYMB_FEAT_ALL },
	{ "finish-in-run", test_finish_in_run, SYMB_FEAT_ALL },
	{ "result-owner", test_result_owner, SYMB_FEAT_ALL },
	{ "exit-reason", test_exit_reason, SYMB_FEAT_ALL },
	{ "events-in-call", test_events_in_call, SYMB_FEAT_ALL },
	{ "events-in-abort", test_events_in_abort, SYMB_FEAT_ALL },
	{ "own-exception", test_own_exception, SYMB_FEAT_ALL },
	{ "single-step", test_single_step, SYMB_FEAT_ALL },
	{ "shadow", test_shadow, SYMB_FEAT_ALL },
	{ "nmi-step", test_nmi_step, SYMB_FEAT_ALL },
	{ "budget-threads", test_budget_threads, SYMB_FEAT_ALL },
	{ "hyperv", test_hyperv, SYMB_FEAT_ALL },
	{ "xen", test_xen, SYMB_FEAT_ALL },
	{ "reset", test_reset, SYMB_FEAT_ALL },
	{ "init", test_init, SYMB_FEAT_ALL },
	{ "shutdown", test_shutdown, SYMB_FEAT_ALL },
	{ }
};
