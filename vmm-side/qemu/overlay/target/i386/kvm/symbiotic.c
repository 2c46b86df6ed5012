/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs: what KVM leaves to user space.
 *
 * QEMU decides whether the VM is symbiotic at all (-accel kvm,symbiotic=),
 * shows it in CPUID, owns the memory of the SymSpy pages and the map of the
 * guest-physical address space they appear in, and makes symcalls for the
 * host's user space. All the rest is in KVM. symbiotic-int.h tells which file
 * does what.
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/kvm_symbiotic.h>

#include "cpu.h"
#include "hw/boards.h"
#include "migration/blocker.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-common.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "sysemu/kvm_int.h"
#include "sysemu/reset.h"
#include "sysemu/symbiotic.h"
#include "sysemu/sysemu.h"
#include "host-cpu.h"
#include "symbiotic-int.h"

static struct {
    OnOffAuto wanted;
    uint32_t features;          /* SYMB_FEAT_* offered; 0: not symbiotic */
    bool reset_pending;         /* KVM does not know of the VM's reset yet */
    SymbioticVCPU *vcpus;       /* by cpu_index */
    Error *migration_blocker;   /* in force while a page is mapped */
} symb = {
    .wanted = ON_OFF_AUTO_AUTO,
};

uint32_t symbiotic_offered(void)
{
    return symb.features;
}

SymbioticVCPU *symbiotic_vcpu(CPUState *cs)
{
    return symb.features ? &symb.vcpus[cs->cpu_index] : NULL;
}

/* ---- Migration ---- */

/*
 * What the guest uses lives in KVM and in the SymSpy pages, and cannot be
 * carried elsewhere; a VM whose guest uses nothing is like any other. Mapped
 * pages block a migration before it starts. All the rest is looked for when the
 * vCPUs have stopped for good, when it cannot change any more.
 */
bool symbiotic_block_migration(Error **errp)
{
    return migrate_add_blocker(symb.migration_blocker, errp) >= 0;
}

void symbiotic_unblock_migration(void)
{
    migrate_del_blocker(symb.migration_blocker);
}

static void symbiotic_look_for_state(CPUState *cs, run_on_cpu_data data)
{
    static const uint32_t msrs[] = {
        SYMB_MSR_FEATURES, SYMB_MSR_GLOBAL_PAGE, SYMB_MSR_LOCAL_PAGE,
        SYMB_MSR_SYMCALL_RIP,
    };
    struct {
        struct kvm_msrs info;
        struct kvm_msr_entry entries[ARRAY_SIZE(msrs)];
    } buf = { };
    bool *found = data.host_ptr;
    unsigned int i;
    int nr;

    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        buf.entries[i].index = msrs[i];
    }
    buf.info.nmsrs = ARRAY_SIZE(msrs);
    nr = kvm_vcpu_ioctl(cs, KVM_GET_MSRS, &buf);
    *found |= nr != ARRAY_SIZE(msrs);
    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        *found |= buf.entries[i].data != 0;
    }
}

static bool symbiotic_state_needed(void *opaque)
{
    bool found = false;
    CPUState *cs;

    CPU_FOREACH(cs) {
        run_on_cpu(cs, symbiotic_look_for_state, RUN_ON_CPU_HOST_PTR(&found));
    }
    return found;
}

static int symbiotic_state_pre_save(void *opaque)
{
    error_report_err(error_copy(symb.migration_blocker));
    return -EBUSY;
}

/* Never in a stream: it exists to refuse. */
static const VMStateDescription vmstate_symbiotic = {
    .name = "symbiotic",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = symbiotic_state_needed,
    .pre_save = symbiotic_state_pre_save,
    .fields = (VMStateField[]) {
        VMSTATE_END_OF_LIST()
    },
};

/* ---- On and off ---- */

static void symbiotic_get_wanted(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    visit_type_OnOffAuto(v, name, &symb.wanted, errp);
}

static void symbiotic_set_wanted(Object *obj, Visitor *v, const char *name,
                                 void *opaque, Error **errp)
{
    if (KVM_STATE(obj)->fd != -1) {
        error_setg(errp, "Cannot set properties after the accelerator has "
                   "been initialized");
        return;
    }
    visit_type_OnOffAuto(v, name, &symb.wanted, errp);
}

void symbiotic_accel_class_init(ObjectClass *oc)
{
    object_class_property_add(oc, "symbiotic", "OnOffAuto",
                              symbiotic_get_wanted, symbiotic_set_wanted,
                              NULL, NULL);
    object_class_property_set_description(oc, "symbiotic",
        "Offer symbiotic virtualization to the guest (default: auto, "
        "if KVM supports it and not with -only-migratable)");
    symbiotic_paging_class_init(oc);
}

static void symbiotic_vm_reset(void *opaque)
{
    symbiotic_dma_stop();
    symbiotic_modules_lost("the VM was reset");
    symbiotic_modules_reset();
    symspy_unmap_global();
    symb.reset_pending = true;
}

void symbiotic_init(MachineState *ms, KVMState *s)
{
    int supported, ret;

    symbiotic_paging_init(ms, s);
    if (symb.wanted == ON_OFF_AUTO_OFF) {
        return;
    }
    if (only_migratable) {
        if (symb.wanted == ON_OFF_AUTO_ON) {
            error_report("-only-migratable excludes -accel kvm,symbiotic=on: "
                         "what the guest uses of it cannot be migrated");
            exit(1);
        }
        return;
    }
    supported = kvm_vm_check_extension(s, KVM_CAP_SYMBIOTIC);
    if (supported <= 0) {
        if (symb.wanted == ON_OFF_AUTO_ON) {
            error_report("this host's KVM has no symbiotic "
                         "virtualization, or it is switched off "
                         "(module parameter kvm.symbiotic)");
            exit(1);
        }
        return;
    }

    supported &= SYMB_FEAT_ALL;
    ret = kvm_vm_enable_cap(s, KVM_CAP_SYMBIOTIC, 0, supported);
    if (ret < 0) {
        error_report("symbiotic: KVM refuses the features 0x%x: %s",
                     supported, strerror(-ret));
        exit(1);
    }

    error_setg(&symb.migration_blocker,
               "The guest uses symbiotic virtualization (-accel "
               "kvm,symbiotic=): its state cannot be saved or migrated");
    symb.features = supported;
    symb.vcpus = g_new0(SymbioticVCPU, ms->smp.max_cpus);
    vmstate_register(NULL, 0, &vmstate_symbiotic, NULL);
    qemu_register_reset(symbiotic_vm_reset, NULL);
    symbiotic_modules_init();
}

/* ---- CPUID ---- */

static bool symbiotic_hv_base_used(const struct kvm_cpuid_entry2 *entries,
                                   uint32_t nr, uint32_t base)
{
    uint32_t i;

    for (i = 0; i < nr; i++) {
        if (entries[i].function >= base &&
            entries[i].function < base + SYMB_CPUID_HV_STEP) {
            return true;
        }
    }
    return false;
}

uint32_t symbiotic_fill_cpuid(struct kvm_cpuid_entry2 *entries, uint32_t nr,
                              uint32_t max)
{
    uint32_t base = SYMB_CPUID_HV_FIRST;
    uint32_t ecx, unused, signature[3];
    struct kvm_cpuid_entry2 *c;

    if (!symb.features) {
        return nr;
    }
    if (nr + 3 > max) {
        error_report("symbiotic: the CPUID table is full");
        exit(1);
    }

    /* KVM's own leaf, Hyper-V's or both come first, or none (kvm=off). */
    while (symbiotic_hv_base_used(entries, nr, base)) {
        base += SYMB_CPUID_HV_STEP;
    }

    memcpy(signature, SYMB_CPUID_HV_SIGNATURE, sizeof(signature));
    c = &entries[nr++];
    c->function = base;
    c->eax = base + SYMB_CPUID_HV_FEATURES;
    c->ebx = signature[0];
    c->ecx = signature[1];
    c->edx = signature[2];

    c = &entries[nr++];
    c->function = base + SYMB_CPUID_HV_FEATURES;
    c->eax = symb.features;
    c->ebx = SYMB_ABI_MAJOR << 16 | SYMB_ABI_MINOR;

    /* The instruction set that KVM uses, whatever the guest's CPU model is. */
    host_cpuid(1, 0, &unused, &unused, &ecx, &unused);
    c = &entries[nr++];
    c->function = SYMB_CPUID_V3V;
    c->eax = SYMB_CPUID_V3V_EAX;
    c->ebx = ecx & CPUID_EXT_VMX ? SYMB_CPUID_V3V_EBX_VMX :
                                   SYMB_CPUID_V3V_EBX_SVM;
    return nr;
}

/* ---- The guest's MSRs ---- */

bool symbiotic_handle_wrmsr(CPUState *cs, struct kvm_run *run)
{
    uint32_t msr = run->msr.index;
    bool ok;

    if (!symb.features || (msr != SYMB_MSR_GLOBAL_PAGE &&
                           msr != SYMB_MSR_LOCAL_PAGE &&
                           msr != SYMB_MSR_DMA_ACK)) {
        return false;
    }

    qemu_mutex_lock_iothread();
    ok = msr == SYMB_MSR_DMA_ACK ? symbiotic_dma_ack(run->msr.data) :
         symspy_set(cs, msr == SYMB_MSR_LOCAL_PAGE, run->msr.data);
    qemu_mutex_unlock_iothread();
    run->msr.error = !ok;
    return true;
}

/* ---- The guest's hypercalls ---- */

bool symbiotic_handle_hypercall(CPUState *cs, struct kvm_run *run)
{
    if (!symb.features || run->hypercall.nr != SYMB_HC_MODULE) {
        return false;
    }
    qemu_mutex_lock_iothread();
    run->hypercall.ret = symbiotic_module_told(run->hypercall.args[0],
                                               run->hypercall.args[1],
                                               run->hypercall.args[2]);
    qemu_mutex_unlock_iothread();
    return true;
}

/* ---- Reset and unplugging ---- */

void symbiotic_reset_vcpu(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);

    if (!vcpu) {
        return;
    }
    symspy_unmap_local(cs);
    symcall_cancel(vcpu, "the vCPU was reset");
    vcpu->reset_pending = true;
}

void symbiotic_destroy_vcpu(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);

    symbiotic_counters_forget(cs);
    if (!vcpu) {
        return;
    }
    symspy_unmap_local(cs);
    symcall_cancel(vcpu, "the vCPU was unplugged");
    /* Whoever comes next under this number knows nothing of KVM's vCPU. */
    vcpu->io_complete = false;
}

static void symbiotic_clear_msrs(CPUState *cs, const uint32_t *msrs,
                                 unsigned int nr)
{
    struct {
        struct kvm_msrs info;
        struct kvm_msr_entry entries[8];
    } buf = { };
    unsigned int i;
    int ret;

    assert(nr <= ARRAY_SIZE(buf.entries));
    buf.info.nmsrs = nr;
    for (i = 0; i < nr; i++) {
        buf.entries[i].index = msrs[i];
    }
    ret = kvm_vcpu_ioctl(cs, KVM_SET_MSRS, &buf);
    if (ret != nr) {
        error_report("symbiotic: KVM refuses to clear MSR 0x%x",
                     msrs[ret < 0 ? 0 : ret]);
        abort();
    }
}

void symbiotic_put_msrs(CPUState *cs)
{
    /* Entry points go first: no call must start on the way. */
    static const uint32_t local[] = {
        SYMB_MSR_SYMCALL_RIP, SYMB_MSR_SYMCALL_RSP, SYMB_MSR_SYMCALL_CS,
        SYMB_MSR_SYMCALL_GS, SYMB_MSR_SYMCALL_FS, SYMB_MSR_LOCAL_PAGE,
    };
    static const uint32_t global[] = {
        /* Clears SYMB_MSR_DMA_ACK, too. */
        SYMB_MSR_FEATURES, SYMB_MSR_GLOBAL_PAGE,
    };
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);

    if (!vcpu) {
        return;
    }
    if (vcpu->reset_pending) {
        vcpu->reset_pending = false;
        symbiotic_clear_msrs(cs, local, ARRAY_SIZE(local));
    }
    /* Once for the VM, by the first vCPU that gets here. */
    if (qatomic_xchg(&symb.reset_pending, false)) {
        symbiotic_clear_msrs(cs, global, ARRAY_SIZE(global));
    }
}
