/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules of SwapBypass that a test can leave out, to see whether anybody notices:
 * vmm-side/kvm/tests/fuzz-kvm has to. Only in kernels for tests.
 */
#ifndef __KVM_X86_SYMBIOTIC_RULES_H
#define __KVM_X86_SYMBIOTIC_RULES_H

/**
 * enum kvm_swapbypass_rule - bits of kvm.without_rules
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
 */
enum kvm_swapbypass_rule {
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
};

#ifdef CONFIG_KVM_SYMBIOTIC_TEST
extern unsigned int kvm_without_rules;

/* Whether a rule holds. */
static inline bool kvm_rule(enum kvm_swapbypass_rule rule)
{
	return !(READ_ONCE(kvm_without_rules) & BIT(rule));
}
#else
static inline bool kvm_rule(enum kvm_swapbypass_rule rule)
{
	return true;
}
#endif

#endif /* __KVM_X86_SYMBIOTIC_RULES_H */
