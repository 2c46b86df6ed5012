/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic VMs: what the files of this directory share.
 *
 *  symbiotic.c          on and off, CPUID, reset, migration
 *  symbiotic-pages.c    the SymSpy pages, and what QMP shows of them
 *  symbiotic-symcall.c  the way into KVM, symcalls, memory that the host lacks
 *  symbiotic-dma.c      passthrough without an IOMMU
 *  symbiotic-modules.c  modules for the guest's kernel
 *  symbiotic-paging.c   nested or shadow paging, changed while the VM runs
 *  symbiotic-policy.c   ... and when that should be; symbiotic-counters.c by what
 */
#ifndef TARGET_I386_KVM_SYMBIOTIC_INT_H
#define TARGET_I386_KVM_SYMBIOTIC_INT_H

#include <linux/kvm_symbiotic.h>

#include "exec/memory.h"
#include "sysemu/kvm.h"
#include "symbiotic/abi.h"

typedef struct SymspyPage {
    MemoryRegion mr;
    void *host;                 /* NULL until first mapped */
    hwaddr gpa;                 /* 0: not mapped */
} SymspyPage;

typedef struct Symcall Symcall;

typedef struct SymbioticVCPU {
    SymspyPage local;
    Symcall *call;              /* set and cleared with the BQL */
    bool io_complete;           /* vCPU thread: KVM waits for no answer */
    bool reset_pending;         /* KVM does not know of the reset yet */
} SymbioticVCPU;

/* ---- symbiotic.c ---- */

/* SYMB_FEAT_*; 0: not symbiotic. */
uint32_t symbiotic_offered(void);

/* NULL if the VM is not symbiotic. */
SymbioticVCPU *symbiotic_vcpu(CPUState *cs);

/**
 * symbiotic_block_migration: the guest uses what cannot be migrated
 * @errp: why that cannot be: a migration is under way
 *
 * Returns: false with @errp set
 */
bool symbiotic_block_migration(Error **errp);
void symbiotic_unblock_migration(void);

/* ---- symbiotic-pages.c; all with the BQL ---- */

/* NULL if it is not mapped. */
struct symspy_global *symbiotic_global_page(void);

/**
 * symspy_set: map, move or unmap a page
 * @cs: the vCPU that wants it
 * @local: its own page, not the global one
 * @gpa: where to; 0: nowhere
 *
 * Returns: true if everything is done, KVM's memory slots included; false if
 * nothing has changed
 */
bool symspy_set(CPUState *cs, bool local, uint64_t gpa);

/**
 * symbiotic_gpa_free: whether something can be shown to the guest at an address
 * @cs: any vCPU
 * @gpa: where
 * @size: bytes
 */
bool symbiotic_gpa_free(CPUState *cs, hwaddr gpa, uint64_t size);

void symspy_unmap_global(void);
void symspy_unmap_local(CPUState *cs);

/* ---- symbiotic-symcall.c ---- */

/**
 * symcall_cancel: what the vCPU is called for, if anything, will not be done
 * @vcpu: the vCPU, which does not run
 * @why: for whoever has asked
 *
 * Called with the BQL.
 */
void symcall_cancel(SymbioticVCPU *vcpu, const char *why);

/**
 * SymbioticSymcallDone: a call is over; called once, with the BQL
 * @opaque: the caller's
 * @error: why it has not come to its end; or NULL
 * @status: as in struct kvm_symcall
 */
typedef void SymbioticSymcallDone(void *opaque, const char *error, int status);

/**
 * symbiotic_symcall: call the guest, on QEMU's own account
 * @cs: the vCPU
 * @kvm: number and arguments
 * @done: hears what comes of it; may make the next call
 * @opaque: for @done
 * @errp: why there is no call; @done is not called then
 *
 * Called with the BQL.
 */
bool symbiotic_symcall(CPUState *cs, const struct kvm_symcall *kvm,
                       SymbioticSymcallDone *done, void *opaque, Error **errp);

/* ---- symbiotic-dma.c; all with the BQL ---- */

/**
 * symbiotic_dma_publish: write all there is into the global page
 * @global: the page, or NULL
 */
void symbiotic_dma_publish(struct symspy_global *global);

/**
 * symbiotic_dma_ack: the guest has written SYMB_MSR_DMA_ACK
 * @generation: what it has written
 *
 * Returns: false if that is not the present generation
 */
bool symbiotic_dma_ack(uint64_t generation);

/**
 * symbiotic_dma_stop: no device may master the bus until the next
 * acknowledgement
 */
void symbiotic_dma_stop(void);

/**
 * symbiotic_dma_recheck: a module has come or gone
 */
void symbiotic_dma_recheck(void);

/* ---- symbiotic-modules.c; all with the BQL ---- */

/**
 * symbiotic_module_told: the guest has made the hypercall SYMB_HC_MODULE
 * @cookie: its arguments
 * @what: likewise
 * @err: likewise
 *
 * Returns: what the guest gets for it
 */
int64_t symbiotic_module_told(uint64_t cookie, uint64_t what, uint64_t err);

/**
 * symbiotic_module_allows: whether a device's module is there, or it needs none
 * @device: the device's id, may be NULL
 */
bool symbiotic_module_allows(const char *device);

/**
 * symbiotic_modules_lost: the guest hears no offers any more
 * @why: for whoever has made one
 */
void symbiotic_modules_lost(const char *why);

/**
 * symbiotic_modules_init: called once, in a symbiotic VM
 */
void symbiotic_modules_init(void);

/**
 * symbiotic_modules_reset: the VM is reset, so there are no modules any more
 *
 * Unless it is reset because it wakes up.
 */
void symbiotic_modules_reset(void);

/* ---- symbiotic-paging.c; all with the BQL ---- */

void symbiotic_paging_class_init(ObjectClass *oc);

/**
 * symbiotic_paging_init: give the VM the paging mode that was asked for
 * @ms: the machine
 * @s: the accelerator
 *
 * Called once, before the first vCPU exists, and before KVM says what it can
 * offer the VM. Exits with an error message if KVM cannot do it.
 */
void symbiotic_paging_init(MachineState *ms, KVMState *s);

/**
 * symbiotic_paging_publish: write the mode into the global page
 * @global: the page, or NULL
 */
void symbiotic_paging_publish(struct symspy_global *global);

/* ---- symbiotic-counters.c; all with the BQL ---- */

struct PagingSample;

void symbiotic_counters_init(MachineState *ms);

/**
 * symbiotic_counters_forget: the vCPU goes away
 * @cs: the vCPU
 */
void symbiotic_counters_forget(CPUState *cs);

/**
 * symbiotic_counters_read: add up what all vCPUs have done
 * @s: gets the host's part of the sample, which was 0
 */
void symbiotic_counters_read(struct PagingSample *s);

#endif /* TARGET_I386_KVM_SYMBIOTIC_INT_H */
