/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules that a test can leave out, to see whether anybody notices: those of SwapBypass,
 * vmm-side/kvm/tests/fuzz-kvm has to; those of the paging mode, paging-rules-removed of
 * symbiotic_test. Only in kernels for tests.
 */
#ifndef __KVM_X86_SYMBIOTIC_RULES_H
#define __KVM_X86_SYMBIOTIC_RULES_H

/**
 * enum kvm_symbiotic_rule - bits of kvm.without_rules
 * @KVM_RULE_LIST: a record is on its list while it counts entries, and only then
 * @KVM_RULE_INVALIDATION: no neighbour is mapped whose page is being invalidated
 * @KVM_RULE_SEQ: no answer is used that was given before a drop
 * @KVM_RULE_DROP: a drop of slots drops
 * @KVM_RULE_NEIGHBOUR_PTE: a neighbour's PTE is the one that was answered for
 * @KVM_RULE_PLACE: no entries for two places of one page table
 * @KVM_RULE_INHERIT: no other SPTE inherits a record
 * @KVM_RULE_SYNC: no entry survives a sync with another PTE
 * @KVM_RULE_EXCLUSIVE: nothing is written without the exclusive bit
 * @KVM_RULE_SLOT: slots are those of the window
 * @KVM_RULE_WRITE: no write by an answer that lets the page be read
 * @KVM_PAGING_RULE_WALK: a walk that faults in a page table is no instruction
 * @KVM_PAGING_RULE_PDPTR: shadow paging begins with the PDPTRs that the guest has
 * @KVM_PAGING_RULE_LATE: a vCPU looks at the mode when others can find it
 * @KVM_PAGING_RULE_SMM: SMM has nested paging
 */
enum kvm_symbiotic_rule {
	KVM_RULE_LIST,
	KVM_RULE_INVALIDATION,
	KVM_RULE_SEQ,
	KVM_RULE_DROP,
	KVM_RULE_NEIGHBOUR_PTE,
	KVM_RULE_PLACE,
	KVM_RULE_INHERIT,
	KVM_RULE_SYNC,
	KVM_RULE_EXCLUSIVE,
	KVM_RULE_SLOT,
	KVM_RULE_WRITE,
	KVM_PAGING_RULE_WALK,
	KVM_PAGING_RULE_PDPTR,
	KVM_PAGING_RULE_LATE,
	KVM_PAGING_RULE_SMM,
};

#ifdef CONFIG_KVM_SYMBIOTIC_TEST
extern unsigned int kvm_without_rules;

/* Whether a rule holds. */
static inline bool kvm_rule(enum kvm_symbiotic_rule rule)
{
	return !(READ_ONCE(kvm_without_rules) & BIT(rule));
}
#else
static inline bool kvm_rule(enum kvm_symbiotic_rule rule)
{
	return true;
}
#endif

#endif /* __KVM_X86_SYMBIOTIC_RULES_H */
