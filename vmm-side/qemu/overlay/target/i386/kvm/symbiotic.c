/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs: what KVM leaves to user space.
 *
 * QEMU decides whether the VM is symbiotic at all (-accel kvm,symbiotic=),
 * shows it in CPUID, owns the memory of the SymSpy pages and the map of the
 * guest-physical address space they appear in, and makes symcalls for the
 * host's user space. All the rest is in KVM.
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <linux/kvm.h>

#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "hw/boards.h"
#include "hw/i386/e820_memory_layout.h"
#include "hw/mem/memory-device.h"
#include "migration/blocker.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qapi/qapi-events-misc-target.h"
#include "qapi/qapi-visit-common.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/range.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "sysemu/cpus.h"
#include "sysemu/hw_accel.h"
#include "sysemu/kvm_int.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include "sysemu/symbiotic.h"
#include "sysemu/sysemu.h"
#include "host-cpu.h"
#include "symbiotic/abi.h"
#include "symbiotic-dma.h"
#include "symbiotic-kvm.h"

/*
 * Above RAM, ROM and BARs, so that one which the guest moves over a SymSpy
 * page later cannot split or hide a page that KVM writes to; below the APIC.
 */
#define SYMSPY_PRIORITY         0x800

#define SYMCALL_TIMEOUT_MS      10000
#define SYMCALL_TIMEOUT_MAX_MS  600000

typedef struct SymspyPage {
    MemoryRegion mr;
    void *host;                 /* NULL until first mapped */
    hwaddr gpa;                 /* 0: not mapped */
} SymspyPage;

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
typedef struct Symcall {
    struct kvm_symcall kvm;
    SymcallState state;
    CPUState *cs;
    char *id;
    QEMUTimer *timer;           /* BQL; NULL: the result was reported */
} Symcall;

typedef struct SymbioticVCPU {
    SymspyPage local;
    Symcall *call;              /* set and cleared with the BQL */
    bool io_complete;           /* vCPU thread: KVM waits for no answer */
    bool reset_pending;         /* KVM does not know of the reset yet */
} SymbioticVCPU;

static struct {
    OnOffAuto wanted;
    uint32_t features;          /* SYMB_FEAT_* offered; 0: not symbiotic */
    bool reset_pending;         /* KVM does not know of the VM's reset yet */
    SymspyPage global;
    unsigned int nr_mapped;     /* pages, of all vCPUs too */
    uint64_t swap_grant;        /* pages; outlives a reset of the VM */
    SymbioticVCPU *vcpus;       /* by cpu_index */
    Error *migration_blocker;   /* in force while a page is mapped */
    bool memory_error;          /* BQL; reported, and the VM is being paused */
} symb = {
    .wanted = ON_OFF_AUTO_AUTO,
    .swap_grant = SYMSPY_SWAP_GRANT_ALL,
};

static SymbioticVCPU *symbiotic_vcpu(CPUState *cs)
{
    return symb.features ? &symb.vcpus[cs->cpu_index] : NULL;
}

/* ---- On, off, CPUID ---- */

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
}

static void symspy_unmap(SymspyPage *page)
{
    if (page->gpa) {
        memory_region_del_subregion(get_system_memory(), &page->mr);
        page->gpa = 0;
        if (!--symb.nr_mapped) {
            migrate_del_blocker(symb.migration_blocker);
        }
    }
}

uint32_t symbiotic_offered(void)
{
    return symb.features;
}

struct symspy_global *symbiotic_global_page(void)
{
    return symb.global.gpa ? symb.global.host : NULL;
}

static void symbiotic_vm_reset(void *opaque)
{
    symbiotic_dma_stop();
    symspy_unmap(&symb.global);
    symb.reset_pending = true;
}

/*
 * What the guest uses lives in KVM and in the SymSpy pages, and cannot be
 * carried elsewhere; a VM whose guest uses nothing is like any other. Mapped
 * pages block a migration before it starts. All the rest is looked for when the
 * vCPUs have stopped for good, when it cannot change any more.
 */
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

static void symbiotic_vm_state_change(void *opaque, bool running,
                                      RunState state)
{
    if (running) {
        symb.memory_error = false;
    }
}

void symbiotic_init(MachineState *ms, KVMState *s)
{
    int supported, ret;

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
    qemu_add_vm_change_state_handler(symbiotic_vm_state_change, NULL);
}

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

/* ---- SymSpy pages ---- */

/*
 * KVM checks addresses too, but only QEMU knows the whole map: devices, and
 * what lies in wait (memory to be plugged in, KVM's own slots).
 */
static bool symspy_gpa_free(X86CPU *cpu, hwaddr gpa)
{
    static const uint32_t types[] = {
        E820_RESERVED, E820_ACPI, E820_NVS, E820_UNUSABLE,
    };
    MachineState *ms = MACHINE(qdev_get_machine());
    MemoryRegionSection section;
    uint64_t start, length;
    uint32_t eax, unused;
    unsigned int bits, t;
    int i;

    /* A memory slot that KVM refuses would kill the VM. */
    host_cpuid(0x80000008, 0, &eax, &unused, &unused, &unused);
    bits = MIN(cpu->phys_bits, eax & 0xff);
    if (gpa & (SYMB_PAGE_SIZE - 1) || gpa >> bits) {
        return false;
    }

    /* Holes of the first MiB come and go with the chipset's PAM registers. */
    if (gpa < 1 * MiB) {
        return false;
    }

    for (t = 0; t < ARRAY_SIZE(types); t++) {
        for (i = 0; i < e820_get_num_entries(); i++) {
            if (e820_get_entry(i, types[t], &start, &length) &&
                ranges_overlap(gpa, SYMB_PAGE_SIZE, start, length)) {
                return false;
            }
        }
    }

    if (ms->device_memory && memory_region_size(&ms->device_memory->mr) &&
        ranges_overlap(gpa, SYMB_PAGE_SIZE, ms->device_memory->base,
                       memory_region_size(&ms->device_memory->mr))) {
        return false;
    }

    section = memory_region_find(get_system_memory(), gpa, SYMB_PAGE_SIZE);
    if (section.mr) {
        memory_region_unref(section.mr);
        return false;
    }
    return true;
}

static void symspy_fill_ext(struct symspy_ext_header *ext)
{
    ext->magic = cpu_to_le32(SYMSPY_EXT_MAGIC);
    ext->size = cpu_to_le32(SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET);
    ext->major = cpu_to_le16(SYMB_ABI_MAJOR);
    ext->minor = cpu_to_le16(SYMB_ABI_MINOR);
}

static void symspy_fill_global(struct symspy_global *global)
{
    memset(global, 0, sizeof(*global));
    global->magic = cpu_to_le64(SYMSPY_GLOBAL_MAGIC);
    symspy_fill_ext(&global->ext);
    global->features = cpu_to_le32(symb.features);
    global->swap.grant = cpu_to_le64(symb.swap_grant);
    symbiotic_dma_publish(global);
}

static void symspy_fill_local(struct symspy_local *local, int cpu_index)
{
    char magic[16] = "";

    memset(local, 0, sizeof(*local));
    /* Eight bytes hold "V3V." and four digits. */
    snprintf(magic, sizeof(magic), "V3V.%u", cpu_index % 10000);
    memcpy(&local->magic, magic, sizeof(local->magic));
    symspy_fill_ext(&local->ext);
}

/*
 * The regions have no owner, so they and their memory stay as long as the VM
 * does; a vCPU plugged in again takes over the page of its predecessor.
 */
static bool symspy_alloc(SymspyPage *page, const char *name)
{
    Error *local_err = NULL;

    if (page->host) {
        return true;
    }
    memory_region_init_ram_nomigrate(&page->mr, NULL, name, SYMB_PAGE_SIZE,
                                     &local_err);
    if (local_err) {
        warn_report_err(local_err);
        return false;
    }
    /*
     * No device has any business there. VFIO maps all other memory for its
     * devices, and ends QEMU where the IOMMU has no such address. (Asked for
     * at the allocation, the flag is for memory of files only.)
     */
    page->mr.ram_block->flags |= RAM_PROTECTED;
    page->host = memory_region_get_ram_ptr(&page->mr);
    return true;
}

/*
 * cpu_index < 0: the global page. Either everything is done on return, KVM's
 * memory slots included, or nothing has changed.
 */
static bool symspy_set(X86CPU *cpu, SymspyPage *page, int cpu_index,
                       uint64_t gpa)
{
    g_autofree char *name = NULL;
    Error *local_err = NULL;

    if (gpa == page->gpa) {
        return true;
    }
    if (!gpa) {
        symspy_unmap(page);
        return true;
    }
    if (!symspy_gpa_free(cpu, gpa)) {
        return false;
    }

    name = cpu_index < 0 ? g_strdup("symspy-global") :
                           g_strdup_printf("symspy-local-%d", cpu_index);
    if (!symspy_alloc(page, name)) {
        return false;
    }
    /* Not while a migration is under way: this page would not go along. */
    if (!symb.nr_mapped &&
        migrate_add_blocker(symb.migration_blocker, &local_err) < 0) {
        warn_report_err(local_err);
        return false;
    }
    /* A page that moves keeps its content. */
    if (!page->gpa) {
        if (cpu_index < 0) {
            symspy_fill_global(page->host);
        } else {
            symspy_fill_local(page->host, cpu_index);
        }
    }

    memory_region_transaction_begin();
    symb.nr_mapped++;
    symspy_unmap(page);
    memory_region_add_subregion_overlap(get_system_memory(), gpa, &page->mr,
                                        SYMSPY_PRIORITY);
    page->gpa = gpa;
    memory_region_transaction_commit();
    return true;
}

bool symbiotic_handle_wrmsr(CPUState *cs, struct kvm_run *run)
{
    X86CPU *cpu = X86_CPU(cs);
    bool ok;

    if (!symb.features) {
        return false;
    }

    switch (run->msr.index) {
    case SYMB_MSR_GLOBAL_PAGE:
    case SYMB_MSR_ALIAS_GLOBAL_PAGE:
        qemu_mutex_lock_iothread();
        ok = symspy_set(cpu, &symb.global, -1, run->msr.data);
        qemu_mutex_unlock_iothread();
        break;
    case SYMB_MSR_LOCAL_PAGE:
    case SYMB_MSR_ALIAS_LOCAL_PAGE:
        qemu_mutex_lock_iothread();
        ok = symspy_set(cpu, &symbiotic_vcpu(cs)->local, cs->cpu_index,
                        run->msr.data);
        qemu_mutex_unlock_iothread();
        break;
    case SYMB_MSR_DMA_ACK:
        qemu_mutex_lock_iothread();
        ok = symbiotic_dma_ack(run->msr.data);
        qemu_mutex_unlock_iothread();
        break;
    default:
        return false;
    }
    run->msr.error = !ok;
    return true;
}

/* ---- Reset ---- */

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

void symbiotic_reset_vcpu(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);

    if (!vcpu) {
        return;
    }
    symspy_unmap(&vcpu->local);
    symcall_finish(vcpu, "the vCPU was reset", NULL);
    vcpu->reset_pending = true;
}

void symbiotic_destroy_vcpu(CPUState *cs)
{
    SymbioticVCPU *vcpu = symbiotic_vcpu(cs);

    if (!vcpu) {
        return;
    }
    symspy_unmap(&vcpu->local);
    symcall_finish(vcpu, "the vCPU was unplugged", NULL);
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

/* ---- Memory that the host has not got ---- */

/*
 * KVM could not get the page for an access of the guest: the file behind it has
 * no room left, or has become shorter. The guest has not gone on. As with a
 * disk that is full, the VM is paused until somebody has made room and says so.
 */
static void symbiotic_memory_error(CPUState *cs, hwaddr gpa)
{
    MemoryRegionSection section;
    struct statvfs fs;
    bool no_room;
    int fd;

    qemu_mutex_lock_iothread();
    /* A vCPU is not the first, or the VM stops for some other reason. */
    if (symb.memory_error || !runstate_is_running()) {
        goto unlock;
    }
    section = memory_region_find(get_system_memory(), gpa, 1);
    if (!section.mr) {
        goto unlock;
    }

    symb.memory_error = true;
    fd = memory_region_get_fd(section.mr);
    no_room = fd >= 0 && !fstatvfs(fd, &fs) && !fs.f_bavail;
    error_report("symbiotic: the host has no memory for the guest at 0x%"
                 HWADDR_PRIx " (%s, offset 0x%" HWADDR_PRIx ")%s; the VM is "
                 "paused until \"cont\"", gpa, memory_region_name(section.mr),
                 section.offset_within_region,
                 no_room ? ": its file system is full" : "");
    qapi_event_send_symbiotic_memory_error(memory_region_name(section.mr),
                                           section.offset_within_region,
                                           no_room);
    memory_region_unref(section.mr);
    vm_stop(RUN_STATE_IO_ERROR);
unlock:
    qemu_mutex_unlock_iothread();
}

static int vcpu_ioctl(CPUState *cs, SymbioticVCPU *vcpu, unsigned long request,
                      void *arg)
{
    struct kvm_run *run = cs->kvm_run;
    int ret = kvm_vcpu_ioctl(cs, request, arg);

    if (ret == -EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
        symbiotic_memory_error(cs, symbiotic_memory_fault(run)->gpa);
        return -EINTR;
    }
    vcpu->io_complete = ret == -EINTR;
    return ret;
}

/* ---- Symcalls from the host's user space ---- */

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
        return -EINTR;
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
    /* No call: it has ended with a reset. */
    if (vcpu->call) {
        result->status = vcpu->call->kvm.status;
        for (i = 0; i < SYMCALL_NR_ARGS; i++) {
            QAPI_LIST_APPEND(tail, vcpu->call->kvm.ret[i]);
        }
        symcall_finish(vcpu, NULL, result);
    }
    qemu_mutex_unlock_iothread();
}

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

        if (call && call->timer && !strcmp(call->id, id)) {
            return true;
        }
    }
    return false;
}

/*
 * Only hands the call to the vCPU's thread. Nothing waits for it: its end is an
 * event, and until then the main loop does what it always does.
 */
void qmp_x_symcall(const char *id, int64_t cpu_index, uint64_t number,
                   bool has_args, uint64List *args, bool has_timeout,
                   uint32_t timeout, Error **errp)
{
    struct kvm_symcall kvm = { .nr = number };
    SymbioticVCPU *vcpu;
    Symcall *call;
    CPUState *cs;
    int i;

    if (!(symb.features & SYMB_FEAT_SYMCALL)) {
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
    if (!runstate_is_running() || !cpu_can_run(cs)) {
        error_setg(errp, "vCPU %" PRId64 " is not running", cpu_index);
        return;
    }
    if (!kvm_irqchip_in_kernel()) {
        /* A halted vCPU would wait in QEMU, out of KVM's reach. */
        error_setg(errp, "Symcalls need kernel-irqchip=on or split");
        return;
    }
    vcpu = symbiotic_vcpu(cs);
    if (vcpu->call) {
        error_setg(errp, "vCPU %" PRId64 " is still in a symcall", cpu_index);
        return;
    }
    if (symcall_id_used(id)) {
        error_setg(errp, "There is a symcall '%s' already", id);
        return;
    }

    call = g_new0(Symcall, 1);
    call->kvm = kvm;
    call->cs = cs;
    call->id = g_strdup(id);
    call->timer = timer_new_ms(QEMU_CLOCK_REALTIME, symcall_timeout, call);
    timer_mod(call->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + timeout);
    qatomic_store_release(&vcpu->call, call);
    qemu_cpu_kick(cs);
}

/* ---- State, without an exit of the guest ---- */

SymbioticInfo *qmp_x_query_symbiotic(Error **errp)
{
    SymbioticInfo *info = g_new0(SymbioticInfo, 1);
    SymbioticVcpuInfoList **tail = &info->vcpus;
    CPUState *cs;

    info->features = symb.features;
    if (!symb.features) {
        return info;
    }

    info->swap_grant = symb.swap_grant;
    info->global_page = symb.global.gpa;
    if (symb.global.gpa) {
        struct symspy_global *global = symb.global.host;

        info->guest_word = le64_to_cpu(qatomic_read(&global->guest_word));
        info->host_word = le64_to_cpu(qatomic_read(&global->host_word));
        info->swap_in_place =
            le64_to_cpu(qatomic_read(&global->swap.in_place));
        info->swap_hot = le64_to_cpu(qatomic_read(&global->swap.hot));
        info->swap_wanted = le64_to_cpu(qatomic_read(&global->swap.wanted));
        info->swap_held = le64_to_cpu(qatomic_read(&global->swap.held));
    }
    CPU_FOREACH(cs) {
        SymspyPage *page = &symbiotic_vcpu(cs)->local;
        SymbioticVcpuInfo *entry = g_new0(SymbioticVcpuInfo, 1);

        entry->cpu_index = cs->cpu_index;
        entry->local_page = page->gpa;
        if (page->gpa) {
            struct symspy_local *local = page->host;

            entry->flags = le32_to_cpu(qatomic_read(&local->flags));
        }
        QAPI_LIST_APPEND(tail, entry);
    }
    return info;
}

void qmp_x_symbiotic_set_host_word(uint64_t value, Error **errp)
{
    struct symspy_global *global = symb.global.host;

    if (!symb.global.gpa) {
        error_setg(errp, "The guest has not mapped the global page");
        return;
    }
    qatomic_set(&global->host_word, cpu_to_le64(value));
}

/* Also while the guest is not up yet: it finds the grant in its page. */
void qmp_x_symbiotic_set_swap_grant(uint64_t pages, Error **errp)
{
    struct symspy_global *global = symb.global.host;

    if (!(symb.features & SYMB_FEAT_SWAP_GRANT)) {
        error_setg(errp, "This VM has no grant of swap pages");
        return;
    }
    symb.swap_grant = pages;
    if (symb.global.gpa) {
        qatomic_set(&global->swap.grant, cpu_to_le64(pages));
    }
}
