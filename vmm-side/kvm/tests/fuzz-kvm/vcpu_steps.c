// SPDX-License-Identifier: GPL-2.0
/*
 * Steps of kvm_fuzz that its host does to a vCPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

/* What user space reads of a vCPU and writes again is the same. */
static void round_trip(struct doing *d)
{
	static const struct {
		unsigned long get, set;
	} trips[] = {
		[TRIP_REGS] = { KVM_GET_REGS, KVM_SET_REGS },
		[TRIP_SREGS] = { KVM_GET_SREGS, KVM_SET_SREGS },
		[TRIP_EVENTS] = { KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS },
		[TRIP_MP] = { KVM_GET_MP_STATE, KVM_SET_MP_STATE },
		[TRIP_DEBUGREGS] = { KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS },
		[TRIP_LAPIC] = { KVM_GET_LAPIC, KVM_SET_LAPIC },
		[TRIP_XSAVE] = { KVM_GET_XSAVE, KVM_SET_XSAVE },
	};
	static __thread __u64 buffer[4096 / 8];
	const struct step *s = d->s;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[2];
	} msrs = {
		{ .nmsrs = 2 }, { { .index = MSR_FS_BASE }, { .index = 0xc0000103 } },
	};
	int fd = vcpus[s->arg[0] % nr_vcpus].fd;

	if (s->arg[1] == TRIP_MSRS) {
		if (ioctl(fd, KVM_GET_MSRS, &msrs) < 0 || ioctl(fd, KVM_SET_MSRS, &msrs) < 0)
			d->end = END_ERROR;
		return;
	}
	if (ioctl(fd, trips[s->arg[1]].get, buffer) || ioctl(fd, trips[s->arg[1]].set, buffer))
		d->end = END_ERROR;
}

static void exec_symcall(struct doing *d)
{
	const struct step *s = d->s;
	unsigned int v = s->arg[0] % nr_vcpus;
	struct kvm_symcall call = { .nr = CALL_NULL, .args = { 0x1234, 1, 2, 3, 4 } };

	if (vcpus[v].busy) {
		d->end = END_SKIPPED;
		return;
	}
	*box32(v, BOX_CALL) = s->arg[1];
	*box32(v, BOX_ANSWERS) = 0;
	run_to_end(v, d, KVM_SYMCALL, &call);
	*box32(v, BOX_CALL) = 0;
	if (d->end == END_SHUTDOWN)
		found("the machine has shut down in a symcall");
	if (d->end == END_DONE && call.status)
		d->end = END_ERROR;
	if (d->end == END_DONE && s->arg[1] == FUZZ_CALL_NULL && call.ret[0] != call.args[0])
		found("a symcall has returned 0x%llx", call.ret[0]);
	/* Back to where the loop waits. */
	if (d->end != END_SKIPPED) {
		struct step nop = { .who = v };
		struct doing wait = { .s = &nop };

		run_op(&wait, OP_NOP);
	}
}

/* A reset by user space, or one by another processor. */
static void exec_reset(struct doing *d)
{
	static const __u32 ours[] = {
		SYMB_MSR_SYMCALL_RIP, SYMB_MSR_LOCAL_PAGE, SYMB_MSR_FEATURES,
	};
	const struct step *s = d->s;
	unsigned int v = s->arg[0] % nr_vcpus, i;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1 };
	struct step nop = { .who = v };
	struct doing wait = { .s = &nop };

	if (vcpus[v].busy) {
		d->end = END_SKIPPED;
		return;
	}
	if (s->kind == K_INIT) {
		struct kvm_msi init = {
			.address_lo = 0xfee00000 | v << 12, .data = 0x500,
		};

		struct kvm_mp_state mp;

		ioctl(vm, KVM_SIGNAL_MSI, &init);
		/* Takes the INIT, which another processor waits after. */
		ioctl(vcpus[v].fd, KVM_GET_MP_STATE, &mp);
		if (!v)
			run_to_end(v, &wait, KVM_RUN, NULL);
	} else {
		for (i = 0; i < NR(ours); i++) {
			msr.entry.index = ours[i];
			if (ioctl(vcpus[v].fd, KVM_SET_MSRS, &msr) < 0)
				d->end = END_ERROR;
		}
		if (vcpus[v].local_gpa)
			map_slot(LOCAL_SLOT + v, vcpus[v].local_gpa, vcpus[v].local, 0, 0);
		vcpus[v].local_gpa = 0;
		/* What it has to drop it drops before its next instruction. */
		run_op(&wait, OP_NOP);
	}
	enable_vcpu(v);
	if (s->kind == K_RESET || !v) {
		m.descs = 0;
		model_drop_all(&m);
	}
}

static void exec_event(struct doing *d)
{
	const struct step *s = d->s;
	unsigned int v = s->arg[0] % nr_vcpus;
	struct kvm_msi msi = { .address_lo = 0xfee00000 | v << 12, .data = 0x40 };
	struct kvm_guest_debug debug = {
		.control = s->arg[1] ? 0 : KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	int r;

	switch (s->kind) {
	case K_NMI:
		r = ioctl(vcpus[v].fd, KVM_NMI);
		break;
	case K_SMI:
		/* Not in the middle of what it executes, see write_pdpts32(). */
		if (in_group && m.mode[v] == MODE_PAE) {
			d->end = END_SKIPPED;
			return;
		}
		r = ioctl(vcpus[v].fd, KVM_SMI);
		break;
	case K_IRQ:
		r = ioctl(vm, KVM_SIGNAL_MSI, &msi);
		break;
	default:
		r = ioctl(vcpus[v].fd, KVM_SET_GUEST_DEBUG, &debug);
		break;
	}
	if (r < 0)
		d->end = END_ERROR;
}

static void on_signal(int sig)
{
	/* Only interrupts KVM_RUN. */
}

/* To the thread that executes it, or it finds one when it is executed next. */
static void send_signal(struct doing *d)
{
	static bool ready;
	struct sigaction action = { .sa_handler = on_signal };
	struct vcpu *v = &vcpus[d->s->arg[0] % nr_vcpus];

	if (!ready)
		sigaction(SIGUSR1, &action, NULL);
	ready = true;
	if (__atomic_load_n(&v->busy, __ATOMIC_ACQUIRE) && in_group)
		pthread_kill(v->thread, SIGUSR1);
	else
		v->run->immediate_exit = 1;
}

/* ---- Other values --------------------------------------------------------------- */

static void inject_ud(struct doing *d)
{
	unsigned int v = d->s->arg[0] % nr_vcpus;
	struct step nop = { .who = v };
	struct doing wait = { .s = &nop };
	struct kvm_vcpu_events events;

	if (ioctl(vcpus[v].fd, KVM_GET_VCPU_EVENTS, &events))
		found("KVM_GET_VCPU_EVENTS: %s", strerror(errno));
	events.exception.injected = 1;
	events.exception.nr = 6;
	events.exception.has_error_code = 0;
	if (ioctl(vcpus[v].fd, KVM_SET_VCPU_EVENTS, &events)) {
		d->end = END_ERROR;
		return;
	}
	run_op(&wait, OP_NOP);
	if (wait.end != END_EXCEPTION || wait.vector != 6)
		found("an exception that was injected has come to %d, vector %u", wait.end,
		      wait.vector);
}

static void set_root_or_wp(struct doing *d)
{
	unsigned int v = d->s->arg[0] % nr_vcpus, setting = d->s->arg[1];
	struct kvm_sregs s;

	/* In the other modes they mean something else. */
	if (m.mode[v] != MODE_LONG) {
		d->end = END_SKIPPED;
		return;
	}
	if (ioctl(vcpus[v].fd, KVM_GET_SREGS, &s))
		found("KVM_GET_SREGS: %s", strerror(errno));
	if (setting <= SET_CR3_2)
		s.cr3 = root_gpa(root_of(v, setting - SET_CR3_0));
	else
		s.cr0 = (s.cr0 & ~0x10000ULL) | (setting == SET_WP ? 0x10000 : 0);
	if (ioctl(vcpus[v].fd, KVM_SET_SREGS, &s)) {
		d->end = END_ERROR;
		return;
	}
	if (setting <= SET_CR3_2)
		m.root[v] = root_of(v, setting - SET_CR3_0);
	else
		m.wp[v] = setting == SET_WP;
}

static void set_state(struct doing *d)
{
	unsigned int v = d->s->arg[0] % nr_vcpus;
	struct kvm_mp_state mp = { KVM_MP_STATE_HALTED };
	struct kvm_vcpu_events events;

	if (vcpus[v].busy) {
		d->end = END_SKIPPED;
		return;
	}
	switch (d->s->arg[1]) {
	case SET_UD:
		inject_ud(d);
		break;
	case SET_HALTED:
		if (ioctl(vcpus[v].fd, KVM_SET_MP_STATE, &mp))
			d->end = END_ERROR;
		/* It wakes up. */
		else if (ioctl(vcpus[v].fd, KVM_NMI))
			found("KVM_NMI: %s", strerror(errno));
		break;
	case SET_NMI:
		if (ioctl(vcpus[v].fd, KVM_GET_VCPU_EVENTS, &events))
			found("KVM_GET_VCPU_EVENTS: %s", strerror(errno));
		events.nmi.pending = 1;
		events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
		if (ioctl(vcpus[v].fd, KVM_SET_VCPU_EVENTS, &events))
			d->end = END_ERROR;
		break;
	default:
		set_root_or_wp(d);
		break;
	}
}

/* ---- Values at the edges -------------------------------------------------------- */

static void get_regs(unsigned int v, struct kvm_regs *regs)
{
	if (ioctl(vcpus[v].fd, KVM_GET_REGS, regs))
		found("KVM_GET_REGS: %s", strerror(errno));
}

static void set_regs(unsigned int v, const struct kvm_regs *regs)
{
	if (ioctl(vcpus[v].fd, KVM_SET_REGS, regs))
		found("KVM_SET_REGS: %s", strerror(errno));
}

/* The loop goes on, whatever is in registers that it does not use. */
static void edge_regs(unsigned int v, unsigned int which, struct doing *wait)
{
	static const __u64 flags[] = { RFLAGS_ARITH, RFLAGS_DF, 1 << 16, 1 << 18, 1 << 21 };
	struct kvm_regs regs, again;
	unsigned int i;

	get_regs(v, &regs);
	/* In that order: those that it does not keep. */
	for (i = 0; i < 4; i++)
		(&regs.rax)[i] = edge(which + i);
	regs.rsi = edge(which + 4);
	regs.rdi = edge(which + 5);
	for (i = 0; i < 4; i++)
		(&regs.r8)[i] = edge(which + 6 + i);
	for (i = 0; i < 3; i++)
		(&regs.r13)[i] = edge(which + 10 + i);
	regs.rflags = RFLAGS_FIXED;
	for (i = 0; i < NR(flags); i++)
		if (which & 1 << i)
			regs.rflags |= flags[i];
	set_regs(v, &regs);
	get_regs(v, &again);
	if (memcmp(&regs, &again, sizeof(regs)))
		found("registers are not what user space has set");

	run_op(wait, OP_NOP);
	get_regs(v, &regs);
	regs.rflags = RFLAGS_FIXED;
	set_regs(v, &regs);
}

/* No address, with four levels or five: #GP, or it cannot run. */
static void edge_rip(unsigned int v, unsigned int which, struct doing *wait)
{
	static const __u64 rips[] = {
		1ULL << 57, 1ULL << 62, 1ULL << 63, 0x7fffffffffffffff, 0xfe00000000001000,
	};
	struct kvm_regs regs;

	get_regs(v, &regs);
	regs.rip = rips[which % NR(rips)];
	set_regs(v, &regs);
	wait->odd = true;
	run_op(wait, OP_NOP);
	if (wait->end == END_ERROR || (wait->end == END_EXCEPTION && wait->vector == 13))
		wait->end = END_DONE;
}

/* What changes nothing that the loop does: it is there, and is taken back. */
static void edge_sregs(unsigned int v, unsigned int which, struct doing *wait)
{
	struct kvm_sregs s, before_it, again;

	IOCTL(vcpus[v].fd, KVM_GET_SREGS, &before_it);
	s = before_it;
	s.cr2 = edge(which);
	s.cr8 = which % 16;
	if (which & 16)
		s.cr0 |= 1 << 30;	/* CD */
	if (which & 32)
		s.cr3 |= 0x18;		/* PWT, PCD */
	IOCTL(vcpus[v].fd, KVM_SET_SREGS, &s);
	IOCTL(vcpus[v].fd, KVM_GET_SREGS, &again);
	if (s.cr0 != again.cr0 || s.cr2 != again.cr2 || s.cr3 != again.cr3 ||
	    s.cr8 != again.cr8)
		found("control registers are not what user space has set");
	run_op(wait, OP_NOP);
	before_it.cr2 = again.cr2;
	IOCTL(vcpus[v].fd, KVM_SET_SREGS, &before_it);
}

/* What a processor cannot have: an error, and nothing has changed. */
static void edge_refused(unsigned int v, unsigned int which)
{
	struct kvm_sregs s, before_it, again;

	IOCTL(vcpus[v].fd, KVM_GET_SREGS, &before_it);
	s = before_it;
	switch (which % 10) {
	case 0:
		s.cr0 &= ~1ULL;			/* paging without protection */
		break;
	case 1:
		s.cr0 |= 1 << 29;		/* NW without CD */
		break;
	case 2:
		s.cr0 |= 1ULL << 32;
		break;
	case 3:
		s.cr4 &= ~0x20ULL;		/* PAE */
		break;
	case 4:
		s.cr4 |= 1 << 15;
		break;
	case 5:
		s.cr4 |= 1ULL << 63;
		break;
	case 6:
		s.cr3 |= 1ULL << 63;
		break;
	case 7:
		s.cr3 |= 1ULL << 56;
		break;
	case 8:
		s.efer &= ~(1ULL << 10);	/* LMA */
		break;
	default:
		s.efer |= 1 << 9;
		break;
	}
	/* And with it what could be. */
	s.cr2 = edge(which);
	s.gs.base = 0;
	if (!ioctl(vcpus[v].fd, KVM_SET_SREGS, &s))
		found("KVM_SET_SREGS has taken what no processor has (%u)", which % 10);
	IOCTL(vcpus[v].fd, KVM_GET_SREGS, &again);
	if (memcmp(&before_it, &again, sizeof(again)))
		found("KVM_SET_SREGS has refused (%u), and changed something", which % 10);
}

/*
 * KVM_INTERRUPT needs a VM without KVM's own interrupt controllers, and must say so; what
 * it does there, with vector 0x40, KVM_SET_SREGS can do.
 */
static void edge_interrupt(unsigned int v, unsigned int which, struct doing *wait)
{
	struct kvm_interrupt interrupt = { .irq = edge(which) };
	__u32 irqs = *box32(v, BOX_IRQS);
	struct kvm_regs regs;
	struct kvm_sregs s;

	if (!ioctl(vcpus[v].fd, KVM_INTERRUPT, &interrupt) ||
	    errno != (interrupt.irq < 256 ? ENXIO : EINVAL))
		found("KVM_INTERRUPT, vector %u: %s", interrupt.irq, strerror(errno));
	get_regs(v, &regs);
	regs.rflags |= RFLAGS_IF;
	set_regs(v, &regs);
	IOCTL(vcpus[v].fd, KVM_GET_SREGS, &s);
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	s.interrupt_bitmap[1] = 1;	/* vector 0x40 */
	IOCTL(vcpus[v].fd, KVM_SET_SREGS, &s);
	run_op(wait, OP_NOP);
	if (*box32(v, BOX_IRQS) == irqs)
		found("an interrupt that user space has set did not come");
	get_regs(v, &regs);
	regs.rflags = RFLAGS_FIXED;
	set_regs(v, &regs);
}

static void exec_edge(struct doing *d)
{
	const struct step *s = d->s;
	unsigned int v = s->arg[0] % nr_vcpus, which = s->arg[2];
	struct step nop = { .who = v };
	struct doing wait = { .s = &nop };

	if (vcpus[v].busy || m.mode[v] != MODE_LONG) {
		d->end = END_SKIPPED;
		return;
	}
	switch (s->arg[1]) {
	case EDGE_REGS:
		edge_regs(v, which, &wait);
		break;
	case EDGE_RIP:
		edge_rip(v, which, &wait);
		break;
	case EDGE_SREGS:
		edge_sregs(v, which, &wait);
		break;
	case EDGE_REFUSED:
		edge_refused(v, which);
		break;
	default:
		edge_interrupt(v, which, &wait);
		break;
	}
	if (wait.end != END_DONE)
		found("after an edge of a register: %d, vector %u", wait.end, wait.vector);
}

void exec_vcpu(struct doing *d)
{
	const struct step *s = d->s;

	switch (s->kind) {
	case K_CPU_MODE:
		if (vcpus[s->arg[0] % nr_vcpus].busy)
			d->end = END_SKIPPED;
		else if (!set_cpu_mode(s->arg[0] % nr_vcpus, s->arg[1]))
			d->end = END_ERROR;
		break;
	case K_SYMCALL:
		exec_symcall(d);
		break;
	case K_ROUND_TRIP:
		round_trip(d);
		break;
	case K_RESET:
	case K_INIT:
		exec_reset(d);
		break;
	case K_NEW_VCPU:
		if (nr_vcpus < NR_VCPUS)
			new_vcpu();
		else
			d->end = END_SKIPPED;
		break;
	case K_SIGNAL:
		send_signal(d);
		break;
	case K_SET:
		set_state(d);
		break;
	case K_EDGE:
		exec_edge(d);
		break;
	default:
		exec_event(d);
		break;
	}
}
