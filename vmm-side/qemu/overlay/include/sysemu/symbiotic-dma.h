/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Passthrough without an IOMMU: what VFIO asks about the VM.
 *
 * The guest translates DMA addresses itself, so the VM must be symbiotic, its
 * RAM pinned and known to the guest, and no device may master the bus before
 * the guest has said that it knows. The work is in
 * target/i386/kvm/symbiotic-dma.c.
 */
#ifndef SYSEMU_SYMBIOTIC_DMA_H
#define SYSEMU_SYMBIOTIC_DMA_H

#include "hw/pci/pci.h"
#include "qapi/error.h"

/**
 * SymbioticSetMaster: let a device master the bus, or stop it
 * @pdev: the device
 * @allowed: false: stop it; true: do as the guest wants
 */
typedef void SymbioticSetMaster(PCIDevice *pdev, bool allowed);

#ifdef TARGET_I386

/**
 * symbiotic_dma_prepare: pin guest RAM and find where it lies
 * @errp: why that cannot be
 *
 * Called for each no-IOMMU group; the work is done once. RAM stays pinned
 * until KVM forgets the VM.
 *
 * Returns: false with @errp set
 */
bool symbiotic_dma_prepare(Error **errp);

/**
 * symbiotic_dma_add: tell the guest about a passthrough device
 * @pdev: the device, which must not master the bus now
 * @set_master: called when that changes
 * @errp: why the guest cannot be told
 *
 * Returns: false with @errp set
 */
bool symbiotic_dma_add(PCIDevice *pdev, SymbioticSetMaster *set_master,
                       Error **errp);

/**
 * symbiotic_dma_del: the device goes
 * @pdev: the device; one that was not added is allowed
 */
void symbiotic_dma_del(PCIDevice *pdev);

/**
 * symbiotic_dma_allowed: whether the device may master the bus now
 * @pdev: a device that was added
 */
bool symbiotic_dma_allowed(PCIDevice *pdev);

#else

static inline bool symbiotic_dma_prepare(Error **errp)
{
    error_setg(errp, "passthrough without an IOMMU needs a symbiotic VM, "
               "which this target has not");
    return false;
}

static inline bool symbiotic_dma_add(PCIDevice *pdev,
                                     SymbioticSetMaster *set_master,
                                     Error **errp)
{
    return false;
}

static inline void symbiotic_dma_del(PCIDevice *pdev)
{
}

static inline bool symbiotic_dma_allowed(PCIDevice *pdev)
{
    return false;
}

#endif /* TARGET_I386 */

#endif /* SYSEMU_SYMBIOTIC_DMA_H */
