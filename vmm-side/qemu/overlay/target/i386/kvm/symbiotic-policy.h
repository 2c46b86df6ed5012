/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which paging mode suits what a guest does now: a function of counters, without
 * side effects, which tests can run anywhere (vmm-side/qemu/tests/unit).
 *
 * Shadow paging costs an exit or more whenever the guest's page tables change, and
 * nothing where they rest; nested paging makes each TLB miss dearer. So the one
 * number is what shadow paging costs more than nested paging, in thousandths of
 * the processor time of the VM:
 *
 *	events * (time of an event) - pages that need no swap-in * (time of one)
 *		- TLB misses * (what nested paging adds to one)
 *
 * Under shadow paging KVM counts the events. Under nested paging it sees none of
 * them, but the guest does: its page faults, forks and context switches. What an
 * event takes is learned under shadow paging, by the time that the vCPUs spend in
 * KVM, while most of their exits are events. Where the processor counts no TLB
 * misses, shadow paging is taken for better when it costs next to nothing.
 */
#ifndef TARGET_I386_KVM_SYMBIOTIC_POLICY_H
#define TARGET_I386_KVM_SYMBIOTIC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* Samples are taken that often. */
#define PAGING_SAMPLE_MS        100
/* Changes in any minute, also by the guest's wish. */
#define PAGING_PER_MINUTE       12

/* Counters, from any start; one that goes backwards begins anew. */
typedef struct PagingSample {
    int64_t now_ms;
    unsigned int mode;          /* SYMB_PAGING_NESTED or _SHADOW */
    uint64_t cpu_ns;            /* of all vCPUs, in the guest and for it */
    uint64_t kernel_ns;         /* of that, in the host's kernel */
    uint64_t poll_ns;           /* of that, waiting for a halted guest to go on */
    uint64_t exits;             /* of all kinds */
    /* KVM's, of shadow paging. */
    uint64_t events;            /* faults, writes to page tables, flushes */
    uint64_t bypassed;          /* pages of the swap window that it has mapped */
    /* The processor's; 0 for ever where it has none. */
    uint64_t tlb_misses;
    bool has_tlb;
    /* The guest's, who may lie. */
    bool told;
    unsigned int wish;          /* SYMB_PAGING_* or anything */
    uint64_t swap_ins;
    uint64_t faults;
    uint64_t forks;
    uint64_t switches;
} PagingSample;

typedef struct PagingPolicy {
    PagingSample last;
    bool started;
    int cost;                   /* thousandths, as above */
    unsigned int event_ns;
    unsigned int dear;          /* samples in a row: too dear */
    unsigned int cheap;         /* ... cheap */
    unsigned int need;          /* of these before shadow paging is tried */
    int64_t changed_ms;
    int64_t changes[PAGING_PER_MINUTE];     /* times, 0: none; a ring */
    unsigned int nr_changes;
    uint64_t held_back;         /* decisions that the limit has stopped */
    const char *reason;         /* of the last decision */
} PagingPolicy;

/**
 * paging_policy_init: nothing is known yet
 * @p: the policy
 */
void paging_policy_init(PagingPolicy *p);

/**
 * paging_policy_decide: what should be done now?
 * @p: the policy
 * @s: what has happened
 *
 * Returns: the mode that the VM should have, often the one it has
 */
unsigned int paging_policy_decide(PagingPolicy *p, const PagingSample *s);

/**
 * paging_policy_changed: the VM has another mode, whoever wanted that
 * @p: the policy
 * @now_ms: the time of the samples
 * @mode: the mode that it has now
 */
void paging_policy_changed(PagingPolicy *p, int64_t now_ms, unsigned int mode);

/**
 * paging_policy_recent: changes in the last minute
 * @p: the policy
 * @now_ms: the time of the samples
 */
unsigned int paging_policy_recent(const PagingPolicy *p, int64_t now_ms);

#endif /* TARGET_I386_KVM_SYMBIOTIC_POLICY_H */
