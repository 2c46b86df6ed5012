/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SymSpy pages of a symbiotic VM: their memory, where they appear in the
 * guest's, and what QMP reads and writes there.
 */

#include "qemu/osdep.h"
#include <linux/kvm_symbiotic.h>

#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "hw/boards.h"
#include "hw/i386/e820_memory_layout.h"
#include "hw/mem/memory-device.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qemu/error-report.h"
#include "qemu/range.h"
#include "qemu/units.h"
#include "host-cpu.h"
#include "symbiotic-int.h"

/*
 * Above RAM, ROM and BARs, so that one which the guest moves over a SymSpy
 * page later cannot split or hide a page that KVM writes to; below the APIC.
 */
#define SYMSPY_PRIORITY         0x800

static struct {
    SymspyPage global;
    unsigned int nr_mapped;     /* pages, of all vCPUs too */
    uint64_t swap_grant;        /* pages; outlives a reset of the VM */
} symspy = {
    .swap_grant = SYMSPY_SWAP_GRANT_ALL,
};

struct symspy_global *symbiotic_global_page(void)
{
    return symspy.global.gpa ? symspy.global.host : NULL;
}

/* ---- Mapping ---- */

/*
 * KVM checks addresses too, but only QEMU knows the whole map: devices, and
 * what lies in wait (memory to be plugged in, KVM's own slots).
 */
bool symbiotic_gpa_free(CPUState *cs, hwaddr gpa, uint64_t size)
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
    bits = MIN(X86_CPU(cs)->phys_bits, eax & 0xff);
    if (gpa & (SYMB_PAGE_SIZE - 1) || gpa + size - 1 < gpa ||
        (gpa + size - 1) >> bits) {
        return false;
    }

    /* Holes of the first MiB come and go with the chipset's PAM registers. */
    if (gpa < 1 * MiB) {
        return false;
    }

    for (t = 0; t < ARRAY_SIZE(types); t++) {
        for (i = 0; i < e820_get_num_entries(); i++) {
            if (e820_get_entry(i, types[t], &start, &length) &&
                ranges_overlap(gpa, size, start, length)) {
                return false;
            }
        }
    }

    if (ms->device_memory && memory_region_size(&ms->device_memory->mr) &&
        ranges_overlap(gpa, size, ms->device_memory->base,
                       memory_region_size(&ms->device_memory->mr))) {
        return false;
    }

    section = memory_region_find(get_system_memory(), gpa, size);
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
    global->features = cpu_to_le32(symbiotic_offered());
    if (symbiotic_offered() & SYMB_FEAT_MODULES) {
        global->flags = cpu_to_le32(SYMSPY_GLOBAL_MODULES);
    }
    global->swap.grant = cpu_to_le64(symspy.swap_grant);
    symbiotic_paging_publish(global);
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
        /* The guest may ask as often as it likes. */
        warn_report_once("%s", error_get_pretty(local_err));
        error_free(local_err);
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

static void symspy_unmap(SymspyPage *page)
{
    if (page->gpa) {
        memory_region_del_subregion(get_system_memory(), &page->mr);
        page->gpa = 0;
        if (page == &symspy.global) {
            symbiotic_modules_lost("the guest does not listen any more");
        }
        if (!--symspy.nr_mapped) {
            symbiotic_unblock_migration();
        }
    }
}

void symspy_unmap_global(void)
{
    symspy_unmap(&symspy.global);
}

void symspy_unmap_local(CPUState *cs)
{
    symspy_unmap(&symbiotic_vcpu(cs)->local);
}

bool symspy_set(CPUState *cs, bool local, uint64_t gpa)
{
    SymspyPage *page = local ? &symbiotic_vcpu(cs)->local : &symspy.global;
    g_autofree char *name = NULL;
    Error *local_err = NULL;

    if (gpa == page->gpa) {
        return true;
    }
    if (!gpa) {
        symspy_unmap(page);
        return true;
    }
    if (!symbiotic_gpa_free(cs, gpa, SYMB_PAGE_SIZE)) {
        return false;
    }

    name = local ? g_strdup_printf("symspy-local-%d", cs->cpu_index) :
                   g_strdup("symspy-global");
    if (!symspy_alloc(page, name)) {
        return false;
    }
    /* Not while a migration is under way: this page would not go along. */
    if (!symspy.nr_mapped && !symbiotic_block_migration(&local_err)) {
        warn_report_once("%s", error_get_pretty(local_err));
        error_free(local_err);
        return false;
    }
    /* A page that moves keeps its content. */
    if (!page->gpa) {
        if (local) {
            symspy_fill_local(page->host, cs->cpu_index);
        } else {
            symspy_fill_global(page->host);
        }
    }

    /* Or VFIO maps it for devices. */
    assert(memory_region_is_protected(&page->mr));
    memory_region_transaction_begin();
    symspy.nr_mapped++;
    symspy_unmap(page);
    memory_region_add_subregion_overlap(get_system_memory(), gpa, &page->mr,
                                        SYMSPY_PRIORITY);
    page->gpa = gpa;
    memory_region_transaction_commit();
    return true;
}

/* ---- What QMP reads and writes there, without an exit of the guest ---- */

SymbioticInfo *qmp_x_query_symbiotic(Error **errp)
{
    SymbioticInfo *info = g_new0(SymbioticInfo, 1);
    SymbioticVcpuInfoList **tail = &info->vcpus;
    CPUState *cs;

    info->features = symbiotic_offered();
    if (!symbiotic_offered()) {
        return info;
    }

    info->swap_grant = symspy.swap_grant;
    info->global_page = symspy.global.gpa;
    if (symspy.global.gpa) {
        struct symspy_global *global = symspy.global.host;

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
    struct symspy_global *global = symspy.global.host;

    if (!symspy.global.gpa) {
        error_setg(errp, "The guest has not mapped the global page");
        return;
    }
    qatomic_set(&global->host_word, cpu_to_le64(value));
}

/* Also while the guest is not up yet: it finds the grant in its page. */
void qmp_x_symbiotic_set_swap_grant(uint64_t pages, Error **errp)
{
    struct symspy_global *global = symspy.global.host;

    if (!(symbiotic_offered() & SYMB_FEAT_SWAP_GRANT)) {
        error_setg(errp, "This VM has no grant of swap pages");
        return;
    }
    symspy.swap_grant = pages;
    if (symspy.global.gpa) {
        qatomic_set(&global->swap.grant, cpu_to_le64(pages));
    }
}
