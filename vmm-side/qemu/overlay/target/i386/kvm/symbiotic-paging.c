/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs: nested or shadow paging, for this VM, and while it runs.
 *
 * KVM does it (KVM_SYMB_SET_PAGING); here is who asks for it: the command line,
 * QMP, or the policy (symbiotic-policy.h) ten times a second. Others may, too, by
 * KVM's file in debugfs, and KVM itself when the guest does what shadow paging has
 * not got. So the mode is what KVM says when it is asked, an eventfd says when that
 * is, and the guest, QMP and the policy hear of all changes from here.
 */

#include "qemu/osdep.h"
#include <linux/kvm_symbiotic.h>

#include "cpu.h"
#include "hw/boards.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qapi/qapi-events-misc-target.h"
#include "qapi/qapi-visit-misc-target.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "sysemu/kvm_int.h"
#include "sysemu/runstate.h"
#include "sysemu/symbiotic.h"
#include "symbiotic-int.h"
#include "symbiotic-policy.h"

QEMU_BUILD_BUG_ON(KVM_SYMB_PAGING_NESTED != SYMB_PAGING_NESTED);
QEMU_BUILD_BUG_ON(KVM_SYMB_PAGING_SHADOW != SYMB_PAGING_SHADOW);

/* All with the BQL. */
static struct {
    PagingPolicyKind kind;
    bool may_switch;            /* KVM has agreed to it */
    struct kvm_symb_paging now; /* as KVM said last */
    EventNotifier changed;
    QEMUTimer *timer;           /* runs while the policy chooses, and the VM runs */
    QEMUTimer *teller;          /* runs when QMP will be told */
    uint64_t told;              /* the generation that QMP knows */
    int64_t told_ms;            /* since then */
    PagingPolicy policy;
    PagingSample sample;
    int refused;                /* -errno of KVM's, to what the policy wanted */
    const char *wanted;         /* why the next change, if QEMU has asked for it */
    const char *why;            /* the last one */
} paging = {
    .kind = PAGING_POLICY_KIND_DEFAULT,
};

static PagingMode to_qapi(uint64_t mode)
{
    switch (mode) {
    case SYMB_PAGING_NESTED:
        return PAGING_MODE_NESTED;
    case SYMB_PAGING_SHADOW:
        return PAGING_MODE_SHADOW;
    default:
        return PAGING_MODE_UNKNOWN;
    }
}

/* Not the VM's own clock: "loadvm" sets that back, by hours maybe. */
static int64_t paging_now(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

/* ---- What the guest is told, and what it tells ---- */

void symbiotic_paging_publish(struct symspy_global *global)
{
    uint64_t state;

    if (!global) {
        return;
    }
    state = paging.now.generation << SYMSPY_PAGING_SWITCHES | paging.now.mode;
    if (paging.may_switch) {
        state |= SYMSPY_PAGING_MAY_SWITCH;
    }
    qatomic_set(&global->paging.state, cpu_to_le64(state));
}

static uint64_t guest_word(const __u64 *word)
{
    return le64_to_cpu(qatomic_read(word));
}

/* Hints: whatever is there, nothing but the choice of the mode depends on it. */
static void paging_ask_guest(PagingSample *s)
{
    const struct symspy_global *global = symbiotic_global_page();

    if (!global) {
        return;
    }
    s->wish = MIN(guest_word(&global->paging.wish), UINT32_MAX);
    s->swap_ins = guest_word(&global->paging.swap_ins);
    s->faults = guest_word(&global->paging.faults);
    s->forks = guest_word(&global->paging.forks);
    s->switches = guest_word(&global->paging.switches);
    /* A kernel without this part wishes nothing, and makes no processes. */
    s->told = s->wish || s->forks;
}

/* ---- KVM ---- */

/* A guest that changes it as fast as it can must not fill anybody's memory. */
#define EVENT_MS        100

static void paging_tell(void *opaque)
{
    int64_t now = paging_now();

    if (paging.told == paging.now.generation) {
        return;
    }
    if (paging.told && now - paging.told_ms < EVENT_MS) {
        timer_mod(paging.teller, paging.told_ms + EVENT_MS);
        return;
    }
    paging.told = paging.now.generation;
    paging.told_ms = now;
    qapi_event_send_paging_changed(to_qapi(paging.now.mode), paging.told,
                                   paging.why);
}

/* Looks at what KVM has done, and tells all others. */
static void paging_refresh(void)
{
    struct kvm_symb_paging now = { };

    if (kvm_vm_ioctl(kvm_state, KVM_SYMB_GET_PAGING, &now) < 0) {
        return;
    }
    if (now.mode == paging.now.mode && now.generation == paging.now.generation) {
        paging.now = now;
        return;
    }
    paging.now = now;
    paging_policy_changed(&paging.policy, paging_now(), now.mode);
    symbiotic_paging_publish(symbiotic_global_page());
    paging.why = paging.wanted ?: "not by QEMU";
    paging.wanted = NULL;
    paging_tell(NULL);
}

static void paging_changed(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    paging_refresh();
}

static int paging_set(unsigned int mode, bool wait, const char *why)
{
    struct kvm_symb_paging want = {
        .mode = mode,
        .flags = wait ? KVM_SYMB_PAGING_WAIT : 0,
    };
    int ret;

    paging.wanted = why;
    ret = kvm_vm_ioctl(kvm_state, KVM_SYMB_SET_PAGING, &want);
    paging_refresh();
    if (!(paging.now.flags & KVM_SYMB_PAGING_PENDING)) {
        paging.wanted = NULL;
    }
    return ret;
}

/* ---- The policy ---- */

static void paging_tick(void *opaque)
{
    int64_t now = paging_now();
    PagingSample s = { .now_ms = now };
    unsigned int want;

    paging_refresh();
    s.mode = paging.now.mode;
    symbiotic_counters_read(&s);
    paging_ask_guest(&s);
    want = paging_policy_decide(&paging.policy, &s);
    paging.sample = s;
    /* If it cannot be now, the policy will ask again. */
    paging.refused = want == s.mode ? 0 :
                     paging_set(want, false, paging.policy.reason);
    timer_mod(paging.timer, now + PAGING_SAMPLE_MS);
}

static void paging_run(bool running)
{
    if (running && paging.kind == PAGING_POLICY_KIND_AUTO) {
        /* What it has seen before was long ago. */
        paging.policy.started = false;
        timer_mod(paging.timer, paging_now());
    } else {
        timer_del(paging.timer);
    }
}

static void paging_vm_state(void *opaque, bool running, RunState state)
{
    paging_run(running);
}

static void paging_choose(PagingPolicyKind kind)
{
    paging.kind = kind;
    paging_run(runstate_is_running());
}

static bool paging_fixed(PagingPolicyKind kind, unsigned int *mode)
{
    *mode = kind == PAGING_POLICY_KIND_SHADOW ? SYMB_PAGING_SHADOW :
                                                SYMB_PAGING_NESTED;
    return kind != PAGING_POLICY_KIND_AUTO;
}

/* ---- On the command line ---- */

static void paging_get_kind(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    visit_type_PagingPolicyKind(v, name, &paging.kind, errp);
}

static void paging_set_kind(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    if (KVM_STATE(obj)->fd != -1) {
        error_setg(errp, "Cannot set properties after the accelerator has "
                   "been initialized");
        return;
    }
    visit_type_PagingPolicyKind(v, name, &paging.kind, errp);
}

void symbiotic_paging_class_init(ObjectClass *oc)
{
    object_class_property_add(oc, "paging", "PagingPolicyKind", paging_get_kind,
                              paging_set_kind, NULL, NULL);
    object_class_property_set_description(oc, "paging",
        "How KVM maps the guest's memory: nested, shadow, auto (by what the "
        "guest does), all of which can be changed while it runs, or default "
        "(as the module was loaded)");
}

void symbiotic_paging_init(MachineState *ms, KVMState *s)
{
    const int both = KVM_SYMB_PAGING_NESTED | KVM_SYMB_PAGING_SHADOW;
    unsigned int mode;
    int ret;

    if (paging.kind == PAGING_POLICY_KIND_DEFAULT) {
        /* The module's; not known where KVM cannot tell. */
        kvm_vm_ioctl(s, KVM_SYMB_GET_PAGING, &paging.now);
        return;
    }
    if (event_notifier_init(&paging.changed, false) < 0) {
        error_report("-accel kvm,paging=: no eventfd");
        exit(1);
    }
    ret = kvm_vm_check_extension(s, KVM_CAP_SYMBIOTIC_PAGING);
    if (ret < 0 || (ret & both) != both) {
        error_report("-accel kvm,paging=%s: this host's KVM cannot change the "
                     "paging mode of a VM (it takes the symbiotic modules, "
                     "loaded with kvm_amd.npt=1 or kvm_intel.ept=1)",
                     PagingPolicyKind_str(paging.kind));
        exit(1);
    }
    paging_fixed(paging.kind, &mode);
    ret = kvm_vm_enable_cap(s, KVM_CAP_SYMBIOTIC_PAGING, 0, mode,
                            KVM_SYMB_PAGING_EVENTFD,
                            event_notifier_get_fd(&paging.changed));
    if (ret < 0) {
        error_report("-accel kvm,paging=%s: KVM refuses it: %s",
                     PagingPolicyKind_str(paging.kind), strerror(-ret));
        exit(1);
    }
    paging.may_switch = true;
    paging.now.mode = mode;
    paging_policy_init(&paging.policy);
    symbiotic_counters_init(ms);
    event_notifier_set_handler(&paging.changed, paging_changed);
    paging.teller = timer_new_ms(QEMU_CLOCK_REALTIME, paging_tell, NULL);
    paging.timer = timer_new_ms(QEMU_CLOCK_REALTIME, paging_tick, NULL);
    qemu_add_vm_change_state_handler(paging_vm_state, NULL);
}

bool symbiotic_may_switch_paging(void)
{
    return paging.may_switch;
}

/* ---- QMP ---- */

PagingInfo *qmp_x_query_paging(Error **errp)
{
    PagingInfo *info = g_new0(PagingInfo, 1);
    PagingGuestInfo *guest = g_new0(PagingGuestInfo, 1);
    PagingAutoInfo *chosen;
    PagingSample s = { };

    info->policy = paging.kind;
    info->may_switch = paging.may_switch;
    info->guest = guest;
    paging_ask_guest(&s);
    guest->wish = to_qapi(s.wish);
    guest->swap_ins = s.swap_ins;
    guest->faults = s.faults;
    guest->forks = s.forks;
    guest->switches = s.switches;
    if (paging.may_switch) {
        paging_refresh();
    }
    info->mode = to_qapi(paging.now.mode);
    info->switches = paging.now.generation;
    info->pending = paging.now.flags & KVM_SYMB_PAGING_PENDING;
    if (paging.kind != PAGING_POLICY_KIND_AUTO) {
        return info;
    }
    info->has_q_auto = true;
    info->q_auto = chosen = g_new0(PagingAutoInfo, 1);
    chosen->reason = g_strdup(paging.policy.reason);
    chosen->cost = paging.policy.cost;
    chosen->event_ns = paging.policy.event_ns;
    chosen->need = paging.policy.need;
    chosen->events = paging.sample.events;
    chosen->bypassed = paging.sample.bypassed;
    chosen->cpu_ns = paging.sample.cpu_ns;
    chosen->kernel_ns = paging.sample.kernel_ns;
    chosen->poll_ns = paging.sample.poll_ns;
    chosen->exits = paging.sample.exits;
    chosen->tlb_misses = paging.sample.tlb_misses;
    chosen->tlb_counted = paging.sample.has_tlb;
    chosen->last_minute = paging_policy_recent(&paging.policy, paging_now());
    chosen->held_back = paging.policy.held_back;
    chosen->refused = -paging.refused;
    return info;
}

void qmp_x_set_paging(PagingPolicyKind policy, bool has_wait, bool wait,
                      Error **errp)
{
    unsigned int mode;
    int ret;

    if (!paging.may_switch) {
        error_setg(errp, "This VM's paging mode cannot be changed: it was not "
                   "started with -accel kvm,paging=");
        return;
    }
    if (policy == PAGING_POLICY_KIND_DEFAULT) {
        error_setg(errp, "The mode is nested, shadow or auto");
        return;
    }
    if (paging_fixed(policy, &mode)) {
        ret = paging_set(mode, has_wait && wait, "QMP");
        if (ret < 0) {
            error_setg(errp, "KVM cannot change the paging mode%s: %s",
                       ret == -EBUSY ? " now" : "", strerror(-ret));
            return;
        }
    }
    paging_choose(policy);
}
