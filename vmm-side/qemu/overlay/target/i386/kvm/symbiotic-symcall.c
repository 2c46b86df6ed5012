/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a vCPU of a symbiotic VM enters KVM: symcalls for the host's user space,
 * and what to do when the host has no memory for an access of the guest.
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <linux/kvm_symbiotic.h>

#include "cpu.h"
#include "block/aio.h"
#include "exec/address-spaces.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qapi/qapi-events-misc-target.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "sysemu/cpus.h"
#include "sysemu/hw_accel.h"
#include "sysemu/runstate.h"
#include "sysemu/symbiotic.h"
#include "symbiotic-int.h"

#define SYMCALL_TIMEOUT_MS      10000
#define SYMCALL_TIMEOUT_MAX_MS  600000

/*
 * QUEUED -> RUNNING by the vCPU's thread, without the BQL;
 * QUEUED -> WITHDRAWN when the time is up, with the BQL.
 */
typedef enum SymcallState {
    SYMCALL_QUEUED,
    SYMCALL_RUNNING,
    SYMCALL_WITHDRAWN,
} SymcallState;

/*
 * Belongs to the vCPU: KVM may be at it long after whoever asked for it has
 * been told that it is late. Freed with the BQL, by the vCPU's thread or while
 * that does not run.
 */
struct Symcall {
    struct kvm_symcall kvm;
    SymcallState state;
    CPUState *cs;
    char *id;                   /* NULL: QEMU's own, which has @done */
    SymbioticSymcallDone *done;
    void *opaque;
    QEMUTimer *timer;           /* BQL; NULL: the result was reported */
};

/* ---- Memory that the host has not got ---- */

static bool memory_error;       /* the main loop will look at it */
static hwaddr memory_error_gpa;

/*
 * KVM could not get the page for an access of the guest: the file behind it has
 * no room left, or has become shorter. The guest has not gone on. As with a
 * disk that is full, the VM is paused until somebody has made room and says so.
 *
 * Only the main loop can pause it at once. Whoever hears of it and says "cont"
 * finds it paused; before, "cont" would have come to nothing.
 */
static void symbiotic_memory_stop(void *opaque)
{
    MemoryRegionSection section;
    struct statvfs fs;
    bool no_room;
    int fd;

    section = memory_region_find(get_system_memory(), memory_error_gpa, 1);
    /* What the guest has moved away, or put a device over, it does not miss. */
    if (section.mr && memory_region_is_ram(section.mr) &&
        runstate_is_running()) {
        vm_stop(RUN_STATE_IO_ERROR);
        fd = memory_region_get_fd(section.mr);
        no_room = fd >= 0 && !fstatvfs(fd, &fs) && !fs.f_bavail;
        error_report("symbiotic: the host has no memory for the guest at 0x%"
                     HWADDR_PRIx " (%s, offset 0x%" HWADDR_PRIx ")%s; the VM is "
                     "paused until \"cont\"", memory_error_gpa,
                     memory_region_name(section.mr),
                     section.offset_within_region,
                     no_room ? ": its file system is full" : "");
        qapi_event_send_symbiotic_memory_error(memory_region_name(section.mr),
                                               section.offset_within_region,
                                               no_room);
    }
    memory_region_unref(section.mr);
    qatomic_set(&memory_error, false);
}

/* In the vCPU's thread; until the VM is paused it may be here again. */
static void symbiotic_memory_error(const struct kvm_run *run)
{
    const struct kvm_symbiotic_memory_fault *fault = (void *)run->padding;

    if (!qatomic_xchg(&memory_error, true)) {
        memory_error_gpa = fault->gpa;
        aio_bh_schedule_oneshot(iohandler_get_aio_context(),
                                symbiotic_memory_stop, NULL);
    }
}

/* ---- The end of a symcall ---- */

/*
 * Tell whoever wants to know, once. Either @error says why the call has not
 * come to its end, or it has, and @result is what came of it. With the BQL.
 */
static void symcall_report(Symcall *call, const char *error,
                           SymcallResult *result)
{
    if (!call->timer) {
        return;
    }
    timer_free(call->timer);
    call->timer = NULL;
    if (call->done) {
        call->done(call->opaque, error, result ? result->status : 0);
        return;
    }
    qapi_event_send_symcall_completed(call->id, call->cs->cpu_index, !!error,
                                      error, !!result, result);
}

/* The call, if there is one, is over. With the BQL. */
static void symcall_finish(SymbioticVCPU *vcpu, const char *error,
                           SymcallResult *result)
{
    Symcall *call = vcpu->call;

    if (!call) {
        return;
    }
    qatomic_set(&vcpu->call, NULL);
    symcall_report(call, error, result);
    g_free(call->id);
    g_free(call);
}

void symcall_cancel(SymbioticVCPU *vcpu, const char *why)
{
    symcall_finish(vcpu, why, NULL);
}

/* ---- In the vCPU's thread ---- */

static int vcpu_ioctl(CPUState *cs, SymbioticVCPU *vcpu, unsigned long request,
                      void *arg)
{
    struct kvm_run *run = cs->kvm_run;
    int ret = kvm_vcpu_ioctl(cs, request, arg);

    if (ret == -EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
        symbiotic_memory_error(run);
        return -EINTR;
    }
    vcpu->io_complete = ret == -EINTR;
    return ret;
}

int symbiotic_vcpu_run(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);
    SymcallState state;
    Symcall *call;
    int ret;

    if (!vcpu) {
        return kvm_vcpu_ioctl(cs, KVM_RUN, 0);
    }

    call = qatomic_load_acquire(&vcpu->call);
    if (!call) {
        return vcpu_ioctl(cs, vcpu, KVM_RUN, NULL);
    }

    state = qatomic_read(&call->state);
    if (state == SYMCALL_QUEUED) {
        /*
         * KVM may still wait for the result of an I/O instruction or MSR
         * access that this vCPU has left the guest for. Deliver that first:
         * the call must find the guest between two instructions.
         */
        if (!vcpu->io_complete) {
            qatomic_set(&cs->kvm_run->immediate_exit, 1);
            return vcpu_ioctl(cs, vcpu, KVM_RUN, NULL);
        }
        state = qatomic_cmpxchg(&call->state, SYMCALL_QUEUED, SYMCALL_RUNNING);
    }
    if (state == SYMCALL_WITHDRAWN) {
        qemu_mutex_lock_iothread();
        symcall_finish(vcpu, NULL, NULL);
        qemu_mutex_unlock_iothread();
        /* As above: whoever stops this vCPU next must not find it half done. */
        return vcpu_ioctl(cs, vcpu, KVM_RUN, NULL);
    }

    ret = vcpu_ioctl(cs, vcpu, KVM_SYMCALL, &call->kvm);
    if (ret < 0 && ret != -EINTR && ret != -EAGAIN) {
        /* The call's problem, not the vCPU's. */
        qemu_mutex_lock_iothread();
        symcall_finish(vcpu, strerror(-ret), NULL);
        qemu_mutex_unlock_iothread();
        ret = -EINTR;
    }
    return ret;
}

void symbiotic_handle_symcall(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);
    g_autoptr(SymcallResult) result = g_new0(SymcallResult, 1);
    uint64List **tail = &result->ret;
    struct kvm_sregs sregs = { };
    struct kvm_regs regs = { };
    int i;

    /*
     * What the call has interrupted is restored by now. The guest cannot
     * tell: it is entered at one place, whatever it was doing.
     */
    kvm_vcpu_ioctl(cs, KVM_GET_SREGS, &sregs);
    kvm_vcpu_ioctl(cs, KVM_GET_REGS, &regs);
    result->user_mode = sregs.ss.dpl == 3;
    result->irqs_off = !(regs.rflags & IF_MASK);

    qemu_mutex_lock_iothread();
    /* No call, or one yet to begin: this one has been given up. */
    if (vcpu->call && vcpu->call->state == SYMCALL_RUNNING) {
        result->status = vcpu->call->kvm.status;
        for (i = 0; i < SYMCALL_NR_ARGS; i++) {
            QAPI_LIST_APPEND(tail, vcpu->call->kvm.ret[i]);
        }
        symcall_finish(vcpu, NULL, result);
    }
    qemu_mutex_unlock_iothread();
}

/* ---- The start of one ---- */

/* A call that has not started never will; one that runs, KVM ends. */
static void symcall_timeout(void *opaque)
{
    Symcall *call = opaque;

    symcall_report(call, "no answer in time", NULL);
    qatomic_cmpxchg(&call->state, SYMCALL_QUEUED, SYMCALL_WITHDRAWN);
    qemu_cpu_kick(call->cs);
}

static bool symcall_id_used(const char *id)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        Symcall *call = symbiotic_vcpu(cs)->call;

        if (call && call->timer && call->id && !strcmp(call->id, id)) {
            return true;
        }
    }
    return false;
}

/*
 * Only hands the call to the vCPU's thread. Nothing waits for it: until its end is
 * reported the main loop does what it always does.
 */
static Symcall *symcall_queue(CPUState *cs, const struct kvm_symcall *kvm,
                              uint32_t timeout, Error **errp)
{
    SymbioticVCPU *vcpu;
    Symcall *call;

    if (!runstate_is_running() || !cpu_can_run(cs)) {
        error_setg(errp, "vCPU %d is not running", cs->cpu_index);
        return NULL;
    }
    if (!kvm_irqchip_in_kernel()) {
        /* A halted vCPU would wait in QEMU, out of KVM's reach. */
        error_setg(errp, "Symcalls need kernel-irqchip=on or split");
        return NULL;
    }
    vcpu = symbiotic_vcpu(cs);
    if (vcpu->call) {
        error_setg(errp, "vCPU %d is still in a symcall", cs->cpu_index);
        return NULL;
    }

    call = g_new0(Symcall, 1);
    call->kvm = *kvm;
    call->cs = cs;
    call->timer = timer_new_ms(QEMU_CLOCK_REALTIME, symcall_timeout, call);
    timer_mod(call->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + timeout);
    return call;
}

/* All of it is filled in. */
static void symcall_go(Symcall *call)
{
    qatomic_store_release(&symbiotic_vcpu(call->cs)->call, call);
    qemu_cpu_kick(call->cs);
}

bool symbiotic_symcall(CPUState *cs, const struct kvm_symcall *kvm,
                       SymbioticSymcallDone *done, void *opaque, Error **errp)
{
    Symcall *call = symcall_queue(cs, kvm, SYMCALL_TIMEOUT_MS, errp);

    if (!call) {
        return false;
    }
    call->done = done;
    call->opaque = opaque;
    symcall_go(call);
    return true;
}

/* ---- x-symcall ---- */

void qmp_x_symcall(const char *id, int64_t cpu_index, uint64_t number,
                   bool has_args, uint64List *args, bool has_timeout,
                   uint32_t timeout, Error **errp)
{
    struct kvm_symcall kvm = { .nr = number };
    Symcall *call;
    CPUState *cs;
    int i;

    if (!(symbiotic_offered() & SYMB_FEAT_SYMCALL)) {
        error_setg(errp, "This VM offers no symcalls");
        return;
    }
    cs = cpu_index == (int)cpu_index ? qemu_get_cpu(cpu_index) : NULL;
    if (!cs) {
        error_setg(errp, "There is no vCPU %" PRId64, cpu_index);
        return;
    }
    if (!has_timeout) {
        timeout = SYMCALL_TIMEOUT_MS;
    }
    if (!timeout || timeout > SYMCALL_TIMEOUT_MAX_MS) {
        error_setg(errp, "The timeout must be 1 to %d ms",
                   SYMCALL_TIMEOUT_MAX_MS);
        return;
    }
    for (i = 0; args; i++, args = args->next) {
        if (i == SYMCALL_NR_ARGS) {
            error_setg(errp, "A symcall takes at most %d arguments",
                       SYMCALL_NR_ARGS);
            return;
        }
        kvm.args[i] = args->value;
    }
    if (symcall_id_used(id)) {
        error_setg(errp, "There is a symcall '%s' already", id);
        return;
    }

    call = symcall_queue(cs, &kvm, timeout, errp);
    if (call) {
        call->id = g_strdup(id);
        symcall_go(call);
    }
}
