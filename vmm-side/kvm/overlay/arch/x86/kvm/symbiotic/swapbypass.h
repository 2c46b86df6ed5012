/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SwapBypass in KVM: what its files and the shadow MMU share. swapbypass.c tells
 * which file does what.
 */
#ifndef __KVM_X86_SWAPBYPASS_H
#define __KVM_X86_SWAPBYPASS_H

#include <linux/kvm_host.h>
#include <linux/seqlock.h>
#include <symbiotic/abi.h>

#include "symbiotic.h"

struct kvm_mmu_page;
struct kvm_page_fault;

/* Why a bypass mapping went away; index of the bypass_drop_* statistics. */
enum kvm_swapbypass_drop {
	KVM_SWAPBYPASS_DROP_MMU,	/* KVM's MMU: zapped, memslot gone, reclaim */
	KVM_SWAPBYPASS_DROP_PTE,	/* the guest's PTE is no longer the same */
	KVM_SWAPBYPASS_DROP_SLOTS,	/* hypercall: the slot is read or written */
	KVM_SWAPBYPASS_DROP_RANGE,	/* hypercall: the address range changes */
	KVM_SWAPBYPASS_DROP_OFF,	/* mode off, detached, reset */
	KVM_SWAPBYPASS_DROP_NR
};

/* The description of a counter in kvm_vcpu_stat.bypass_decline[]. */
#define KVM_SWAPBYPASS_DECLINE_DESC(NAME, reason) {			\
	STATS_DESC_COMMON(KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_NONE, \
			  KVM_STATS_BASE_POW10, 0, 1, 0),		\
	.offset = offsetof(struct kvm_vcpu_stat,			\
			   bypass_decline[SYMB_DECLINE_##NAME]),	\
	.name = "bypass_decline_" #reason,				\
},

/**
 * struct kvm_swapbypass_sp - bypass entries of one level-1 shadow page
 * @node: in kvm_swapbypass.sps exactly while @nr is not 0
 * @sp: the shadow page; NULL in the mark of a struct kvm_swapbypass_op, which is on
 *	the list in its own right
 * @root: guest-physical address of the page-table root that the entries were
 *	installed under, without the bit by which page-table isolation tells
 *	its two roots apart
 * @base: address that entry 0 translates
 * @nr: entries in use
 * @gpte: raw guest PTE that each entry stands for; 0 = no bypass entry
 *
 * Everything here is protected by kvm->mmu_lock, held for writing.
 */
struct kvm_swapbypass_sp {
	struct list_head node;
	struct kvm_mmu_page *sp;
	gpa_t root;
	gva_t base;
	unsigned int nr;
	u64 *gpte;
};

/**
 * struct kvm_swapbypass_op - entries that are being dropped
 * @mark: in kvm_swapbypass.sps, before what has not been looked at yet; not used
 *	by a drop of slots
 * @reason: to which they are accounted
 * @begun: answers given before this drop are stale
 * @looked: entries, records and slots looked at under this hold of mmu_lock, a
 *	record in which entries are looked for as SWAPBYPASS_SEARCH
 * @gfn: next of the slots' pages
 * @end: page behind the last one; 0 = entries are named by address instead
 * @root: page-table root, as kvm_swapbypass_sp.root; INVALID_GPA = any
 * @first: first address
 * @last: address of the last page
 */
struct kvm_swapbypass_op {
	struct kvm_swapbypass_sp mark;
	enum kvm_swapbypass_drop reason;
	bool begun;
	unsigned int looked;
	gfn_t gfn;
	gfn_t end;
	gpa_t root;
	gva_t first;
	gva_t last;
};

/**
 * struct kvm_swapbypass - per VM
 * @desc_seq: for those who read @attached and @desc without mmu_lock
 * @attached: the guest has described its swap device
 * @mode: enum swapbypass_mode
 * @desc: the guest's description, checked
 * @seq: counts drops; an answer given under another value is stale. Written
 *	under mmu_lock, like @attached, @desc, @sps, @pages and @drop_reason.
 * @sps: struct kvm_swapbypass_sp of all shadow pages with bypass entries
 * @pages: bypass entries that exist; also while a drop is under way, and then not
 *	@attached any more
 * @drop_reason: what kvm_swapbypass_forget() accounts a drop to
 * @lock: protects the adaptive state below
 * @thrashing: adaptive mode has switched the bypass on
 * @window_start: jiffies, start of the window in which faults are counted
 * @window_faults: swap faults seen in it
 */
struct kvm_swapbypass {
	seqcount_rwlock_t desc_seq;
	bool attached;
	int mode;
	struct symb_swap_desc desc;
	u64 seq;
	struct list_head sps;
	u64 pages;
	enum kvm_swapbypass_drop drop_reason;

	spinlock_t lock;	/* adaptive state */
	bool thrashing;
	unsigned long window_start;
	unsigned int window_faults;
};

enum kvm_swapbypass_state {
	KVM_SWAPBYPASS_IDLE,
	KVM_SWAPBYPASS_ASKED,	/* symcall under way */
	KVM_SWAPBYPASS_ANSWERED,	/* handle the fault again, with the answer */
	KVM_SWAPBYPASS_DECLINED,	/* handle the fault again, without */
};

/**
 * struct kvm_vcpu_swapbypass - per vCPU: one question to the guest, one drop
 * @state: where the question stands
 * @gva: page that faulted
 * @error_code: of the fault, PFERR_*
 * @pte: raw guest PTE that the fault found
 * @desc: kvm_swapbypass.desc when the question was asked
 * @seq: kvm_swapbypass.seq at the same time
 * @base: address of the page that @entries[0] answers for
 * @nr: answers
 * @entries: the answers, copied from the guest's page and checked
 * @spare: preallocated, for a shadow page's first bypass entry
 * @op: with KVM_SYMBIOTIC_WORK_DROP, the drop that comes before the guest runs on
 *
 * Used by the vCPU's own thread only, but for @op's mark.
 */
struct kvm_vcpu_swapbypass {
	enum kvm_swapbypass_state state;
	gva_t gva;
	u64 error_code;
	u64 pte;
	struct symb_swap_desc desc;
	u64 seq;
	gva_t base;
	unsigned int nr;
	struct symb_lookup_entry entries[SYMB_LOOKUP_MAX];
	struct kvm_swapbypass_sp *spare;
	struct kvm_swapbypass_op op;
};

#ifdef CONFIG_KVM_SYMBIOTIC

static inline struct kvm_swapbypass *kvm_swapbypass(struct kvm *kvm)
{
	return kvm->arch.symbiotic ? kvm->arch.symbiotic->swap : NULL;
}

/* The address of a page-table root; page-table isolation uses a pair of pages. */
static inline gpa_t kvm_swapbypass_root(u64 cr3)
{
	return cr3 & GENMASK_ULL(51, PAGE_SHIFT + 1);
}

/* swapbypass.c */

int kvm_swapbypass_init(struct kvm *kvm);
void kvm_swapbypass_destroy(struct kvm *kvm);
int kvm_swapbypass_vcpu_init(struct kvm_vcpu *vcpu);
void kvm_swapbypass_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_swapbypass_vcpu_destroy(struct kvm_vcpu *vcpu);
int kvm_swapbypass_batch(struct kvm *kvm);
int kvm_swapbypass_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
			 u64 pte, unsigned int pt_access,
			 unsigned int *pte_access);
bool kvm_swapbypass_stale(struct kvm *kvm, struct kvm_page_fault *fault);
bool kvm_swapbypass_elsewhere(struct kvm_vcpu *vcpu,
			      const struct kvm_swapbypass_sp *bsp, gva_t gva);
void kvm_swapbypass_record(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp,
			   int index, u64 gpte, gva_t gva);
void kvm_swapbypass_forget(struct kvm *kvm, struct kvm_mmu_page *sp, int index);
void kvm_swapbypass_free_sp(struct kvm_mmu_page *sp);

/* swapbypass_drop.c */

int kvm_swapbypass_hypercall(struct kvm_vcpu *vcpu, u64 nr, u64 a0, u64 a1,
			     u64 a2, u64 a3);
bool kvm_swapbypass_read_desc(struct kvm_swapbypass *swap,
			      struct symb_swap_desc *desc, u64 *seq);
void kvm_swapbypass_init_op(struct kvm_swapbypass_op *op);
int kvm_swapbypass_work(struct kvm_vcpu *vcpu);
int kvm_swapbypass_drop_all(struct kvm *kvm, struct kvm_swapbypass *swap);
void kvm_swapbypass_reset(struct kvm_vcpu *vcpu);

/* swapbypass_mode.c */

void kvm_swapbypass_init_mode(struct kvm_swapbypass *swap);
bool kvm_swapbypass_enabled(struct kvm_swapbypass *swap);
void kvm_swapbypass_create_debugfs(struct kvm *kvm);

/* swapbypass_mmu.h, in mmu.c */

int kvm_swapbypass_mmu_drop_sp(struct kvm *kvm, struct kvm_swapbypass_sp *bsp,
			       int first, int last, int max);
int kvm_swapbypass_mmu_drop_gfn(struct kvm *kvm, struct kvm_memory_slot *slot,
				gfn_t gfn);

#else

static inline void kvm_swapbypass_create_debugfs(struct kvm *kvm) { }

static inline int kvm_swapbypass_batch(struct kvm *kvm)
{
	return 0;
}

#endif /* CONFIG_KVM_SYMBIOTIC */

#endif /* __KVM_X86_SWAPBYPASS_H */
