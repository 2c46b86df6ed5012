// SPDX-License-Identifier: GPL-2.0
/*
 * SymCall: calls from KVM into the guest, on a vCPU that is doing something
 * else.
 *
 * A symcall is a continuation. Starting one saves the vCPU's context, loads
 * the entry state that the guest has registered, and resumes the guest. The
 * guest's return hypercall restores the context and runs the completion.
 * In between nothing of KVM is on any stack, so that exits to user space,
 * signals and preemption need no care.
 *
 * While a call is active, nothing is injected into the guest, and a call that
 * cannot come to a good end is aborted: when it raises an exception that KVM
 * has to deliver, halts, shuts down, or has used up its budget of CPU time.
 *
 * What user space queues meanwhile is not the call's: between two entries to
 * KVM_RUN, vcpu->arch has the events of what the call has interrupted, and
 * within KVM_RUN those that the call's own code has raised.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "../kvm_cache_regs.h"
#include "../lapic.h"
#include "../smm.h"
#include "../x86.h"
#include "symbiotic.h"

#define CREATE_TRACE_POINTS
#include "symcall_trace.h"

/*
 * Budget of one call in CPU time that the vCPU's thread has spent in KVM_RUN,
 * whichever thread that was. The time is read where the run loop comes round,
 * that is, at least at each tick of the host.
 */
static unsigned int symcall_budget_ms = 1000;
module_param(symcall_budget_ms, uint, 0644);

#define SYMCALL_LOOP_MAX	0x100000

/*
 * SYMB_HC_SYMCALL_LOOP goes back to the guest's hypercall instruction after so
 * many calls, which lets events in. Rare enough not to distort measurements.
 */
#define SYMCALL_LOOP_BATCH	64

/* Entries into the guest that KVM_SYMCALL waits for a vCPU that is busy. */
#define SYMCALL_USER_TRIES	64

static int symcall_may_start(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	if (!kvm_symbiotic_accepted(vcpu->kvm, SYMB_FEAT_SYMCALL) || !symb->rip ||
	    !symb->cs || symb->dead)
		return -ENXIO;

	/* One at a time. */
	if (symb->work & KVM_SYMBIOTIC_WORK_CALL)
		return -EBUSY;

	/*
	 * An event half delivered would be delivered inside the call, or lost.
	 * An NMI or #DB that hardware holds would be delivered inside it. The
	 * instruction after MOV SS or STI belongs to the one before: a
	 * single-step or a breakpoint may be due after both. (A triple fault that
	 * is requested counts as a pending exception.)
	 */
	if (kvm_event_needs_reinjection(vcpu) ||
	    kvm_is_exception_pending(vcpu) ||
	    kvm_x86_call(symcall_busy)(vcpu))
		return -EBUSY;

	if (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE &&
	    vcpu->arch.mp_state != KVM_MP_STATE_HALTED)
		return -EBUSY;

	if (is_smm(vcpu) || is_guest_mode(vcpu) || !is_long_mode(vcpu) ||
	    vcpu->arch.guest_state_protected || vcpu->arch.apf.halted)
		return -EBUSY;

	/* KVM's single-stepping owns TF, which the call clears. */
	if (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		return -EBUSY;

	return 0;
}

static void symcall_save(struct kvm_vcpu *vcpu, struct kvm_symcall_context *ctx)
{
	/* These two may not have been read from hardware yet (VMX). */
	kvm_rip_read(vcpu);
	kvm_rsp_read(vcpu);
	memcpy(ctx->regs, vcpu->arch.regs, sizeof(ctx->regs));

	ctx->cr2 = vcpu->arch.cr2;
	ctx->cr3 = kvm_read_cr3(vcpu);
	ctx->dr7 = vcpu->arch.dr7;
	ctx->nmi_masked = kvm_x86_call(get_nmi_mask)(vcpu);
	ctx->halted = vcpu->arch.mp_state == KVM_MP_STATE_HALTED;
}

static void symcall_restore(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symcall_context *ctx = &symb->ctx;
	bool step = vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP;

	memcpy(vcpu->arch.regs, ctx->regs, sizeof(ctx->regs));
	kvm_register_mark_dirty(vcpu, VCPU_REGS_RIP);
	kvm_register_mark_dirty(vcpu, VCPU_REGS_RSP);
	vcpu->arch.cr2 = ctx->cr2;

	/*
	 * With PCIDs, what the TLB holds of the old address space is as good
	 * as it was when the call began; without, kvm_set_cr3() flushes.
	 */
	if (ctx->cr3 != kvm_read_cr3(vcpu)) {
		unsigned long cr3 = ctx->cr3;

		if (kvm_is_cr4_bit_set(vcpu, X86_CR4_PCIDE))
			cr3 |= X86_CR3_PCID_NOFLUSH;
		kvm_set_cr3(vcpu, cr3);
	}

	if (ctx->dr7 != vcpu->arch.dr7)
		kvm_set_dr(vcpu, 7, ctx->dr7);

	/* An IRET inside the call unmasks NMIs. */
	if (ctx->nmi_masked != kvm_x86_call(get_nmi_mask)(vcpu))
		kvm_x86_call(set_nmi_mask)(vcpu, ctx->nmi_masked);

	/*
	 * Steps that a debugger has asked for meanwhile go on from here. VT-x
	 * enters no halted guest with TF set; to wake it does no harm.
	 */
	if (step) {
		ctx->rflags |= X86_EFLAGS_TF;
		ctx->hlt_in_guest = false;
	}
	kvm_x86_call(symcall_leave)(vcpu);
	if (step)
		vcpu->arch.singlestep_rip = kvm_get_linear_rip(vcpu);

	if (ctx->halted && vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE)
		vcpu->arch.mp_state = KVM_MP_STATE_HALTED;
}

/* ---- Events: the call's, and those of what it has interrupted ------------ */

/* The latter out of the way. */
static void symcall_take_events(struct kvm_vcpu *vcpu)
{
	struct kvm_symcall_events *events = &vcpu->arch.symbiotic->events;

	events->exception = vcpu->arch.exception;
	kvm_clear_exception_queue(vcpu);
	events->interrupt = vcpu->arch.interrupt;
	kvm_clear_interrupt_queue(vcpu);
	events->nmi_injected = vcpu->arch.nmi_injected;
	vcpu->arch.nmi_injected = false;
	events->triple_fault = kvm_check_request(KVM_REQ_TRIPLE_FAULT, vcpu);
	events->taken = events->exception.pending || events->exception.injected ||
			events->interrupt.injected || events->nmi_injected ||
			events->triple_fault;
}

/* And back, in place of the call's. */
static void symcall_put_events(struct kvm_vcpu *vcpu)
{
	struct kvm_symcall_events *events = &vcpu->arch.symbiotic->events;

	vcpu->arch.exception = events->exception;
	vcpu->arch.interrupt = events->interrupt;
	vcpu->arch.nmi_injected = events->nmi_injected;
	if (kvm_test_request(KVM_REQ_TRIPLE_FAULT, vcpu))
		kvm_clear_request(KVM_REQ_TRIPLE_FAULT, vcpu);
	if (events->triple_fault)
		kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
	if (events->taken)
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	memset(events, 0, sizeof(*events));
}

/* What the call itself has raised, if anything; NULL if it can go on. */
static const char *symcall_failure(struct kvm_vcpu *vcpu)
{
	if (kvm_test_request(KVM_REQ_TRIPLE_FAULT, vcpu))
		return "triple fault";
	if (kvm_is_exception_pending(vcpu) || vcpu->arch.exception.injected)
		return "exception";
	if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED)
		return "halted";
	return NULL;
}

/**
 * __kvm_symcall_enter_run - user space has come in to run the vCPU
 * @vcpu: the vCPU of a symbiotic VM
 */
void __kvm_symcall_enter_run(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	symb->in_run = true;
	if (!kvm_symcall_active(vcpu))
		return;

	symcall_take_events(vcpu);
	symb->ctx.halted = vcpu->arch.mp_state == KVM_MP_STATE_HALTED;
	if (symb->ctx.halted)
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	symb->since = current->se.sum_exec_runtime;
}

/**
 * __kvm_symcall_leave_run - the vCPU goes back to user space
 * @vcpu: the vCPU of a symbiotic VM
 */
void __kvm_symcall_leave_run(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	if (!symb->in_run)
		return;
	symb->in_run = false;
	if (symb->work & KVM_SYMBIOTIC_WORK_FLAGS)
		kvm_symspy_write_flags(vcpu);
	if (!kvm_symcall_active(vcpu))
		return;

	symb->used += current->se.sum_exec_runtime - symb->since;
	if (!symb->failed)
		symb->failed = symcall_failure(vcpu);
	symcall_put_events(vcpu);
	if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED)
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	if (symb->ctx.halted && vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE)
		vcpu->arch.mp_state = KVM_MP_STATE_HALTED;
}

/* ---- A call --------------------------------------------------------------- */

/**
 * kvm_symcall_start - make a symcall on a vCPU
 * @vcpu: the vCPU, between two guest instructions
 * @nr: call number
 * @args: arguments
 * @done: called when the call is over, unless it is refused here
 *
 * On success, the vCPU enters the guest at the address that the guest has
 * registered as soon as the caller resumes the guest (returns 1, as exit
 * handlers do), and after the call goes on where it is now.
 *
 * Context: the vCPU's thread, vCPU loaded, kvm->srcu held for reading; no
 * spinlock held, since the guest's memory is written.
 * Return: 0; -ENXIO if the guest has no symcalls enabled; -EBUSY if the vCPU
 * is in no state for one. In case of an error nothing has changed.
 */
int kvm_symcall_start(struct kvm_vcpu *vcpu, u64 nr,
		      const u64 args[SYMCALL_NR_ARGS], kvm_symcall_done_fn done)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symcall_context *ctx;
	int r;

	r = symcall_may_start(vcpu);
	if (r) {
		++vcpu->stat.symcall_refused;
		return r;
	}

	ctx = &symb->ctx;
	symcall_save(vcpu, ctx);
	ctx->call_cs = symb->cs;
	kvm_x86_call(symcall_enter)(vcpu);
	trace_kvm_symcall_enter(vcpu->vcpu_id, nr, args,
				ctx->regs[VCPU_REGS_RIP], ctx->ss.attr >> 5 & 3);

	/* The guest's own breakpoints must not fire inside the call. */
	if (ctx->dr7 != DR7_FIXED_1)
		kvm_set_dr(vcpu, 7, DR7_FIXED_1);
	kvm_rax_write(vcpu, nr);
	kvm_rbx_write(vcpu, args[0]);
	kvm_rcx_write(vcpu, args[1]);
	kvm_rdx_write(vcpu, args[2]);
	kvm_rsi_write(vcpu, args[3]);
	kvm_rdi_write(vcpu, args[4]);
	kvm_rsp_write(vcpu, symb->rsp);
	kvm_rip_write(vcpu, symb->rip);
	vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;

	symb->nr = nr;
	symb->done = done;
	symb->since = current->se.sum_exec_runtime;
	symb->used = 0;
	symb->failed = NULL;
	symb->events_held = false;
	symb->work |= KVM_SYMBIOTIC_WORK_CALL | KVM_SYMBIOTIC_WORK_NEW;
	/*
	 * The page says "active" or not, and WORK_FLAGS that it says the wrong one
	 * of these. So it changes where a call starts and where one ends, and is 0
	 * again where one follows the other with no instruction in between. Where
	 * WORK_FLAGS is set for another reason (an abort, a reset), no call starts
	 * before the guest has written an MSR, and the page with it.
	 */
	symb->work ^= KVM_SYMBIOTIC_WORK_FLAGS;
	++vcpu->stat.symcalls;
	return 0;
}

/* Call state and context; the completion is the caller's. */
static void symcall_end(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	symcall_restore(vcpu);
	symb->work &= ~(KVM_SYMBIOTIC_WORK_CALL | KVM_SYMBIOTIC_WORK_NEW);
	symb->work ^= KVM_SYMBIOTIC_WORK_FLAGS;

	/* What was held back, and what could not be seen while IF was 0. */
	if (symb->events_held || symb->ctx.halted || symb->ctx.hlt_in_guest)
		kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/**
 * kvm_symcall_return - the guest's return or error hypercall
 * @vcpu: the vCPU, with a symcall active
 * @error: error hypercall; the code is in RBX
 *
 * Return: as an exit handler.
 */
int kvm_symcall_return(struct kvm_vcpu *vcpu, bool error)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u64 ret[SYMCALL_NR_ARGS] = {
		kvm_rbx_read(vcpu), kvm_rcx_read(vcpu), kvm_rdx_read(vcpu),
		kvm_rsi_read(vcpu), kvm_rdi_read(vcpu),
	};
	int status = 0;

	/* Foreign codes become positive numbers; 0 would look like success. */
	if (error)
		status = ret[0] && ret[0] <= INT_MAX ? ret[0] : SYMCALL_ERR_INVAL;

	trace_kvm_symcall_exit(vcpu->vcpu_id, symb->nr, status, ret);
	/* The call itself has raised nothing, or it would not have come so far. */
	if (unlikely(symb->events.taken))
		symcall_put_events(vcpu);
	symcall_end(vcpu);
	return symb->done(vcpu, status, ret);
}

static int symcall_abort(struct kvm_vcpu *vcpu, int status, const char *why)
{
	static const u64 none[SYMCALL_NR_ARGS];
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	unsigned long rip = kvm_rip_read(vcpu);

	trace_kvm_symcall_abort(vcpu->vcpu_id, symb->nr, rip, why);
	if (!symb->warned) {
		symb->warned = true;
		pr_warn_ratelimited("vcpu %d: symcall 0x%llx aborted at 0x%lx: %s; symcalls are off on this vCPU\n",
				    vcpu->vcpu_id, symb->nr, rip, why);
	}

	/* The call's own HLT, not what user space has put the vCPU in. */
	if (vcpu->arch.mp_state == KVM_MP_STATE_HALTED)
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	symb->dead = true;
	++vcpu->stat.symcall_aborts;

	symcall_put_events(vcpu);
	symcall_end(vcpu);
	symb->work |= KVM_SYMBIOTIC_WORK_FLAGS;

	/*
	 * The call has left its traces in the guest's memory: what is
	 * interrupted, which locks are held. An NMI before anything else runs
	 * lets the guest clean up; if NMIs are masked, later, which is the guest's
	 * to think of.
	 */
	kvm_inject_nmi(vcpu);
	return symb->done(vcpu, status, none);
}

/**
 * kvm_symcall_check - abort the active symcall if it went wrong
 * @vcpu: the vCPU, in its run loop
 *
 * Return: as an exit handler.
 */
int kvm_symcall_check(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	const char *why = symb->failed ?: symcall_failure(vcpu);
	u64 used;

	if (why)
		return symcall_abort(vcpu, -EIO, why);
	/* User space wants it to wait for an INIT or SIPI. */
	if (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE)
		return symcall_abort(vcpu, -EIO, "stopped");

	used = symb->used + current->se.sum_exec_runtime - symb->since;
	if (used > (u64)symcall_budget_ms * NSEC_PER_MSEC)
		return symcall_abort(vcpu, -ETIMEDOUT, "out of time");

	return 1;
}

/**
 * kvm_symcall_forget - drop the active symcall without restoring anything
 * @vcpu: the vCPU; its state has just been replaced by reset or by user space
 */
void kvm_symcall_forget(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	symb->work &= ~(KVM_SYMBIOTIC_WORK_CALL | KVM_SYMBIOTIC_WORK_NEW |
			KVM_SYMBIOTIC_WORK_START);
	symb->work |= KVM_SYMBIOTIC_WORK_FLAGS;
	memset(&symb->events, 0, sizeof(symb->events));
	symb->loop.left = 0;
	if (symb->user.state == KVM_SYMCALL_USER_BUSY) {
		symb->user.call.status = -EIO;
		symb->user.state = KVM_SYMCALL_USER_DONE;
	}
}

/* ---- SYMB_HC_SYMCALL_LOOP ------------------------------------------------ */

static int symcall_loop_start(struct kvm_vcpu *vcpu);

static int symcall_loop_done(struct kvm_vcpu *vcpu, int status,
			     const u64 ret[SYMCALL_NR_ARGS])
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	symb->loop.left--;
	if (status < 0) {
		kvm_rax_write(vcpu, -SYMB_HC_EIO);
		return 1;
	}
	if (!symb->loop.left) {
		kvm_rax_write(vcpu, status);
		return 1;
	}

	/*
	 * Like a repeated string instruction: what is left to do goes into a
	 * register, and the instruction is executed again.
	 */
	if (!(symb->loop.left % SYMCALL_LOOP_BATCH)) {
		kvm_rax_write(vcpu, (u64)symb->loop.left << 32 |
				    SYMB_HC_SYMCALL_LOOP);
		kvm_rip_write(vcpu, symb->loop.rip);
		return 1;
	}
	return symcall_loop_start(vcpu);
}

static int symcall_loop_start(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	int r;

	r = kvm_symcall_start(vcpu, symb->loop.nr, symb->loop.args,
			      symcall_loop_done);
	if (r)
		kvm_rax_write(vcpu, r == -EBUSY ? -SYMB_HC_EBUSY : -SYMB_HC_EIO);
	return 1;
}

/**
 * kvm_symcall_loop - hypercall SYMB_HC_SYMCALL_LOOP
 * @vcpu: the vCPU
 *
 * Return: as an exit handler.
 */
int kvm_symcall_loop(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	u64 n = kvm_rbx_read(vcpu);
	u32 left = kvm_rax_read(vcpu) >> 32;
	int r;

	symb->loop.rip = kvm_rip_read(vcpu);
	symb->loop.nr = kvm_rcx_read(vcpu);
	symb->loop.args[0] = kvm_rdx_read(vcpu);
	symb->loop.args[1] = kvm_rsi_read(vcpu);

	/* Now, while the exit information is about this instruction. */
	r = kvm_skip_emulated_instruction(vcpu);

	/* @left comes back from the guest, which may have changed it. */
	if (n > SYMCALL_LOOP_MAX || left > n) {
		kvm_rax_write(vcpu, -SYMB_HC_EINVAL);
		return r;
	}
	if (!n) {
		kvm_rax_write(vcpu, 0);
		return r;
	}

	symb->loop.left = left ?: n;
	return symcall_loop_start(vcpu) && r;
}

/* ---- KVM_SYMCALL -------------------------------------------------------- */

static int symcall_user_done(struct kvm_vcpu *vcpu, int status,
			     const u64 ret[SYMCALL_NR_ARGS])
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;

	BUILD_BUG_ON(sizeof(symb->user.call.ret) != SYMCALL_NR_ARGS * sizeof(*ret));
	memcpy(symb->user.call.ret, ret, sizeof(symb->user.call.ret));
	symb->user.call.status = status;
	symb->user.state = KVM_SYMCALL_USER_DONE;
	symb->user.reported = true;

	vcpu->run->exit_reason = KVM_EXIT_SYMCALL;
	return 0;
}

/**
 * kvm_symcall_user_start - try to start the symcall that user space asked for
 * @vcpu: the vCPU, in its run loop
 *
 * Return: as an exit handler.
 */
int kvm_symcall_user_start(struct kvm_vcpu *vcpu)
{
	static const u64 none[SYMCALL_NR_ARGS];
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	int r;

	/*
	 * A call that KVM makes on its own account, or an event on its way
	 * into the guest, is soon over; a halted vCPU gets nowhere by waiting.
	 */
	if (symcall_may_start(vcpu) == -EBUSY && symb->user.tries &&
	    vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE) {
		symb->user.tries--;
		return 1;
	}

	r = kvm_symcall_start(vcpu, symb->user.call.nr, symb->user.call.args,
			      symcall_user_done);
	symb->work &= ~KVM_SYMBIOTIC_WORK_START;
	return r ? symcall_user_done(vcpu, r, none) : 1;
}

/**
 * kvm_symcall_ioctl - vCPU ioctl KVM_SYMCALL
 * @vcpu: the vCPU, not loaded, with vcpu->mutex held
 * @arg: user space's struct
 *
 * Runs the vCPU like KVM_RUN, with a symcall first. Any exit may come before
 * the call is over; then user space handles it and comes back, here or to
 * KVM_RUN. The call is over when the exit reason is KVM_EXIT_SYMCALL; if that
 * was reported by KVM_RUN, the result is fetched here.
 *
 * Who asks for a call gets a number for it and comes back with that: two
 * requests may be equal in all else.
 *
 * Return: what KVM_RUN returns; -EBUSY while another call is running; -ENOENT
 * if the call is none that could be continued.
 */
long kvm_symcall_ioctl(struct kvm_vcpu *vcpu, struct kvm_symcall __user *arg)
{
	struct kvm_vcpu_symbiotic *symb = vcpu->arch.symbiotic;
	struct kvm_symcall call;
	long r = 0;

	if (!symb || !(vcpu->kvm->arch.symbiotic->offered & SYMB_FEAT_SYMCALL))
		return -EINVAL;
	if (copy_from_user(&call, arg, sizeof(call)))
		return -EFAULT;

	if (call.id) {
		if (symb->user.state == KVM_SYMCALL_USER_IDLE ||
		    call.id != symb->user.call.id)
			return -ENOENT;
	} else {
		if (symb->user.state == KVM_SYMCALL_USER_BUSY)
			return -EBUSY;

		/* If there is a result yet to be fetched, nobody wants it. */
		symb->user.state = KVM_SYMCALL_USER_IDLE;
		call.id = symb->user.last_id + 1 ?: 1;
		if (put_user(call.id, &arg->id))
			return -EFAULT;
		memset(call.ret, 0, sizeof(call.ret));
		symb->user.call = call;
		symb->user.last_id = call.id;
		symb->user.tries = SYMCALL_USER_TRIES;
		symb->user.state = KVM_SYMCALL_USER_BUSY;

		/* A processor that has not been started would never answer. */
		if (vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE ||
		    vcpu->arch.mp_state == KVM_MP_STATE_HALTED) {
			symb->work |= KVM_SYMBIOTIC_WORK_START;
		} else {
			symb->user.call.status = -ENXIO;
			symb->user.state = KVM_SYMCALL_USER_DONE;
		}
	}

	if (symb->user.state == KVM_SYMCALL_USER_BUSY) {
		symb->user.reported = false;
		vcpu->wants_to_run = !READ_ONCE(vcpu->run->immediate_exit__unsafe);
		r = kvm_arch_vcpu_ioctl_run(vcpu);
		vcpu->wants_to_run = false;

		/* Another exit comes first, even if the call is over (reset). */
		if (r || !symb->user.reported)
			return r;
	}

	call = symb->user.call;
	call.id = 0;
	if (copy_to_user(arg, &call, sizeof(call)))
		return -EFAULT;
	symb->user.state = KVM_SYMCALL_USER_IDLE;
	vcpu->run->exit_reason = KVM_EXIT_SYMCALL;
	return 0;
}
