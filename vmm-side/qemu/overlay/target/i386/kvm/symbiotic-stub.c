/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs need KVM: the QMP commands of a QEMU built without it,
 * and what VFIO asks.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "sysemu/symbiotic-dma.h"

void qmp_x_symcall(const char *id, int64_t cpu_index, uint64_t number,
                   bool has_args, uint64List *args, bool has_timeout,
                   uint32_t timeout, Error **errp)
{
    error_setg(errp, "This VM offers no symcalls");
}

SymbioticInfo *qmp_x_query_symbiotic(Error **errp)
{
    return g_new0(SymbioticInfo, 1);
}

void qmp_x_symbiotic_set_host_word(uint64_t value, Error **errp)
{
    error_setg(errp, "The guest has not mapped the global page");
}

void qmp_x_symbiotic_set_swap_grant(uint64_t pages, Error **errp)
{
    error_setg(errp, "This VM has no grant of swap pages");
}

SymbioticPageOut *qmp_x_symbiotic_page_out(uint64_t pages, Error **errp)
{
    error_setg(errp, "This VM has no swap window");
    return NULL;
}

PagingInfo *qmp_x_query_paging(Error **errp)
{
    PagingInfo *info = g_new0(PagingInfo, 1);

    info->guest = g_new0(PagingGuestInfo, 1);
    return info;
}

void qmp_x_set_paging(PagingPolicyKind policy, bool has_wait, bool wait,
                      Error **errp)
{
    error_setg(errp, "This VM's paging mode cannot be changed");
}

SymbioticModulesInfo *qmp_x_symbiotic_module_query(Error **errp)
{
    SymbioticModulesInfo *info = g_new0(SymbioticModulesInfo, 1);

    info->build_id = g_strdup("");
    info->vermagic = g_strdup("");
    return info;
}

void qmp_x_symbiotic_module_load(const char *id, const char *name,
                                 const char *fdname, bool has_args,
                                 const char *args, bool has_timeout,
                                 uint32_t timeout, Error **errp)
{
    error_setg(errp, "This VM offers no modules");
}

void qmp_x_symbiotic_module_unload(const char *id, const char *name,
                                   bool has_timeout, uint32_t timeout,
                                   Error **errp)
{
    error_setg(errp, "This VM offers no modules");
}

void qmp_x_symbiotic_module_withdraw(Error **errp)
{
    error_setg(errp, "There is no offer");
}

void qmp_x_symbiotic_module_guard(const char *device, bool has_module,
                                  const char *module, Error **errp)
{
    error_setg(errp, "This VM offers no modules");
}

bool symbiotic_dma_prepare(Error **errp)
{
    error_setg(errp, "passthrough without an IOMMU needs KVM");
    return false;
}

bool symbiotic_dma_add(PCIDevice *pdev, SymbioticSetMaster *set_master,
                       Error **errp)
{
    return false;
}

void symbiotic_dma_del(PCIDevice *pdev)
{
}

bool symbiotic_dma_allowed(PCIDevice *pdev)
{
    return false;
}
