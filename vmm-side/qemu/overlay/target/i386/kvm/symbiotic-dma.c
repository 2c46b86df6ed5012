/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Passthrough without an IOMMU: where guest RAM lies in the host, which devices
 * the guest has to know about, and when they may master the bus.
 *
 * A device without an IOMMU reaches all of the host's memory. What protects the
 * host from mistakes, though not from malice, is that nobody but a guest kernel
 * that knows the ranges can start it: bus mastering stays off from the device's
 * first moment until the guest has acknowledged the present ranges, and goes
 * off with a reset, a crash, or the guest's withdrawal. Firmware and kernels
 * that know nothing of this may program the device as they like.
 *
 * All functions are called with the BQL.
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/kvm_symbiotic.h>

#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "hw/pci/pci_bus.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "sysemu/kvm.h"
#include "sysemu/runstate.h"
#include "sysemu/symbiotic-dma.h"
#include "symbiotic-int.h"

/* SYMSPY_GLOBAL_PCI_MAP_VALID's bitmap knows no segment but the first. */
#define MAP_DEVICES             (SYMSPY_PCI_BUSES * 256)

typedef struct DMADevice {
    PCIDevice *pdev;
    SymbioticSetMaster *set_master;
    bool acked;                 /* by the guest, which has not withdrawn it */
    bool allowed;               /* to be bus master, as things are */
} DMADevice;

static struct {
    bool prepared;
    bool stopping;              /* the state change handler is there */
    bool stopped;               /* the VM is, after a panic or the like */
    uint32_t generation;        /* even; 0: nothing was published */
    unsigned int nr_ranges;
    struct symspy_dma_range ranges[SYMSPY_DMA_RANGES];
    unsigned int nr_devices;
    DMADevice devices[SYMSPY_DMA_DEVICES];
    uint32_t ids[SYMSPY_DMA_DEVICES];   /* as published */
} dma;

/* ---- RAM ---- */

/* One piece of host memory; it may continue the last one. */
static bool add_range(uint64_t gpa, uint64_t phys, uint64_t size, Error **errp)
{
    struct symspy_dma_range *last = dma.nr_ranges ?
                                    &dma.ranges[dma.nr_ranges - 1] : NULL;

    if (last && gpa == last->start + last->size) {
        if (phys - gpa == last->offset) {
            last->size += size;
            return true;
        }
        /*
         * The guest's drivers join neighbouring pages in one transfer, and
         * the device would not notice where the next range begins.
         */
        error_setg(errp, "guest RAM is not contiguous in host memory at guest "
                   "address 0x%" PRIx64 ": use one huge page "
                   "(hugetlbfs with pagesize=1G) for all of it", gpa);
        return false;
    }
    if (dma.nr_ranges == SYMSPY_DMA_RANGES) {
        error_setg(errp, "guest RAM has more than %d ranges",
                   SYMSPY_DMA_RANGES);
        return false;
    }
    dma.ranges[dma.nr_ranges++] = (struct symspy_dma_range) {
        .start = gpa,
        .size = size,
        .offset = phys - gpa,
    };
    return true;
}

/* Pin what lies at @gpa and add it. */
static bool pin_range(uint64_t gpa, void *host, uint64_t size, Error **errp)
{
    struct kvm_symdma_extent extents[SYMSPY_DMA_RANGES];
    struct kvm_symdma_pin pin = {
        .addr = (uintptr_t)host,
        .size = size,
        .extents = (uintptr_t)extents,
        .nr = ARRAY_SIZE(extents),
    };
    unsigned int i;
    int ret;

    ret = kvm_vm_ioctl(kvm_state, KVM_SYMDMA_PIN, &pin);
    switch (ret) {
    case 0:
        break;
    case -E2BIG:
        error_setg(errp, "guest RAM is scattered over host memory in more than "
                   "%d pieces: use one huge page (hugetlbfs with pagesize=1G) "
                   "for all of it", SYMSPY_DMA_RANGES);
        return false;
    case -ENOMEM:
        error_setg(errp, "guest RAM cannot be pinned: raise the limit of "
                   "locked memory (ulimit -l)");
        return false;
    case -EPERM:
        error_setg(errp, "passthrough without an IOMMU needs CAP_SYS_RAWIO");
        return false;
    default:
        error_setg_errno(errp, -ret, "guest RAM cannot be pinned");
        return false;
    }

    for (i = 0; i < pin.nr; i++) {
        if (!add_range(gpa, extents[i].phys, extents[i].size, errp)) {
            return false;
        }
        gpa += extents[i].size;
    }
    return true;
}

/* The backend that holds @offset of the machine's RAM: one, or one per node. */
static MemoryRegion *find_backend(MemoryRegion *ram, uint64_t offset)
{
    MemoryRegion *mr;

    if (memory_region_is_ram(ram)) {
        return ram;
    }
    QTAILQ_FOREACH(mr, &ram->subregions, subregions_link) {
        if (memory_region_is_ram(mr) && offset >= mr->addr &&
            offset - mr->addr < memory_region_size(mr)) {
            return mr;
        }
    }
    return NULL;
}

/* The part of the machine's RAM that starts at @offset, at @gpa in the guest. */
static bool pin_ram(MemoryRegion *ram, uint64_t offset, uint64_t size,
                    uint64_t gpa, Error **errp)
{
    while (size) {
        MemoryRegion *mr = find_backend(ram, offset);
        uint64_t start, len;

        if (!mr) {
            error_setg(errp, "guest RAM has a hole at guest address 0x%" PRIx64,
                       gpa);
            return false;
        }
        start = mr == ram ? offset : offset - mr->addr;
        len = MIN(size, memory_region_size(mr) - start);
        if (!pin_range(gpa, (uint8_t *)memory_region_get_ram_ptr(mr) + start,
                       len, errp)) {
            return false;
        }
        offset += len;
        gpa += len;
        size -= len;
    }
    return true;
}

/* Also a device that may must wait for its module, if it has one. */
static void recheck(DMADevice *d)
{
    bool may = d->acked && !dma.stopped &&
               symbiotic_module_allows(DEVICE(d->pdev)->id);

    if (d->allowed != may) {
        d->allowed = may;
        d->set_master(d->pdev, may);
    }
}

void symbiotic_dma_recheck(void)
{
    unsigned int i;

    for (i = 0; i < dma.nr_devices; i++) {
        recheck(&dma.devices[i]);
    }
}

static void set_acked(bool acked)
{
    unsigned int i;

    for (i = 0; i < dma.nr_devices; i++) {
        dma.devices[i].acked = acked;
    }
    symbiotic_dma_recheck();
}

/*
 * Most of these states end by a reset, but "cont" takes a VM out of some. Its
 * guest has seen nothing, so that what it has acknowledged is in force again.
 */
static void vm_state_change(void *opaque, bool running, RunState state)
{
    if (running) {
        dma.stopped = false;
    } else if (state == RUN_STATE_GUEST_PANICKED ||
               state == RUN_STATE_SHUTDOWN ||
               state == RUN_STATE_INTERNAL_ERROR ||
               state == RUN_STATE_WATCHDOG) {
        dma.stopped = true;
    }
    symbiotic_dma_recheck();
}

bool symbiotic_dma_prepare(Error **errp)
{
    MachineState *ms = MACHINE(qdev_get_machine());
    X86MachineState *x86ms;

    if (dma.prepared) {
        return true;
    }
    if (!symbiotic_offered()) {
        error_setg(errp, "passthrough without an IOMMU needs a symbiotic VM: "
                   "-accel kvm,symbiotic=on, on a host whose KVM has it");
        return false;
    }
    if (!(symbiotic_offered() & SYMB_FEAT_DMA_OFFSET)) {
        error_setg(errp, "this host's KVM has no support for passthrough "
                   "without an IOMMU");
        return false;
    }
    if (!object_dynamic_cast(OBJECT(ms), TYPE_X86_MACHINE)) {
        error_setg(errp, "passthrough without an IOMMU needs a PC");
        return false;
    }
    if (ms->maxram_size > ms->ram_size) {
        error_setg(errp, "passthrough without an IOMMU excludes memory hotplug "
                   "(-m maxmem)");
        return false;
    }

    /*
     * For good, as VFIO allows it again when the last device goes: what a
     * balloon punched out then would be pinned and published still, and the
     * next device would write where the guest does not look any more.
     */
    if (ram_block_discard_disable(true)) {
        error_setg(errp, "passthrough without an IOMMU excludes devices that "
                   "give back parts of guest RAM (virtio-mem)");
        return false;
    }

    x86ms = X86_MACHINE(ms);
    dma.nr_ranges = 0;
    if (!pin_ram(ms->ram, 0, x86ms->below_4g_mem_size, 0, errp) ||
        !pin_ram(ms->ram, x86ms->below_4g_mem_size, x86ms->above_4g_mem_size,
                 x86ms->above_4g_mem_start, errp)) {
        dma.nr_ranges = 0;
        ram_block_discard_disable(false);
        return false;
    }
    if (!dma.stopping) {
        qemu_add_vm_change_state_handler(vm_state_change, NULL);
        dma.stopping = true;
    }
    dma.prepared = true;
    return true;
}

/* ---- What the guest is shown ---- */

static uint32_t device_id(PCIDevice *pdev)
{
    return SYMSPY_DMA_DEVICE(0, pci_dev_bus_num(pdev), pdev->devfn);
}

static void fill_pci_map(struct symspy_global *global)
{
    uint8_t map[sizeof(global->pci_map)] = { };
    uint32_t flags = le32_to_cpu(global->flags);
    unsigned int i;

    for (i = 0; i < dma.nr_devices; i++) {
        if (dma.ids[i] < MAP_DEVICES) {
            map[dma.ids[i] / 8] |= 1 << dma.ids[i] % 8;
        }
    }
    memcpy(global->pci_map, map, sizeof(map));
    qatomic_set(&global->flags,
                cpu_to_le32(flags | SYMSPY_GLOBAL_PCI_MAP_VALID));
}

void symbiotic_dma_publish(struct symspy_global *global)
{
    struct symspy_dma *page;
    unsigned int i;

    if (!global || !dma.generation) {
        return;
    }

    page = &global->dma;
    /* Odd: the guest waits. */
    qatomic_set(&page->generation, cpu_to_le32(dma.generation - 1));
    smp_wmb();
    page->nr_ranges = cpu_to_le32(dma.nr_ranges);
    page->nr_devices = cpu_to_le32(dma.nr_devices);
    page->reserved = 0;
    for (i = 0; i < dma.nr_ranges; i++) {
        page->ranges[i].start = cpu_to_le64(dma.ranges[i].start);
        page->ranges[i].size = cpu_to_le64(dma.ranges[i].size);
        page->ranges[i].offset = cpu_to_le64(dma.ranges[i].offset);
    }
    for (i = 0; i < dma.nr_devices; i++) {
        page->devices[i] = cpu_to_le32(dma.ids[i]);
    }
    fill_pci_map(global);
    smp_wmb();
    qatomic_set(&page->generation, cpu_to_le32(dma.generation));
}

/* The devices and their numbers as they are now; true if that is new. */
static bool update_ids(void)
{
    uint32_t ids[SYMSPY_DMA_DEVICES] = { };
    unsigned int i;

    for (i = 0; i < dma.nr_devices; i++) {
        ids[i] = device_id(dma.devices[i].pdev);
    }
    if (!memcmp(ids, dma.ids, sizeof(ids))) {
        return false;
    }
    memcpy(dma.ids, ids, sizeof(ids));
    return true;
}

static void new_generation(void)
{
    dma.generation += 2;
    if (!dma.generation) {
        dma.generation = 2;
    }
    symbiotic_dma_publish(symbiotic_global_page());
}

/* ---- Devices ---- */

static DMADevice *find_device(PCIDevice *pdev)
{
    unsigned int i;

    for (i = 0; i < dma.nr_devices; i++) {
        if (dma.devices[i].pdev == pdev) {
            return &dma.devices[i];
        }
    }
    return NULL;
}

bool symbiotic_dma_add(PCIDevice *pdev, SymbioticSetMaster *set_master,
                       Error **errp)
{
    if (dma.nr_devices == SYMSPY_DMA_DEVICES) {
        error_setg(errp, "the guest can be told of at most %d passthrough "
                   "devices", SYMSPY_DMA_DEVICES);
        return false;
    }
    dma.devices[dma.nr_devices++] = (DMADevice) {
        .pdev = pdev,
        .set_master = set_master,
    };
    update_ids();
    new_generation();
    return true;
}

void symbiotic_dma_del(PCIDevice *pdev)
{
    DMADevice *d = find_device(pdev);

    if (!d) {
        return;
    }
    d->acked = false;
    recheck(d);
    *d = dma.devices[--dma.nr_devices];
    update_ids();
    new_generation();
}

bool symbiotic_dma_allowed(PCIDevice *pdev)
{
    DMADevice *d = find_device(pdev);

    return d && d->allowed;
}

bool symbiotic_dma_ack(uint64_t generation)
{
    if (!generation) {
        symbiotic_dma_stop();
        return true;
    }
    /* The guest may have given its buses other numbers since. */
    if (dma.generation && update_ids()) {
        new_generation();
    }
    if (generation != dma.generation || !symbiotic_global_page()) {
        return false;
    }
    set_acked(true);
    return true;
}

void symbiotic_dma_stop(void)
{
    set_acked(false);
}
