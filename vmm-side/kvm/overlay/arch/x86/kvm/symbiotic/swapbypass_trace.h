/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of SwapBypass (events/kvm/kvm_swapbypass_*). */
#if !defined(_TRACE_KVM_SWAPBYPASS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_SWAPBYPASS_H

#include <linux/tracepoint.h>
#include <symbiotic/abi.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#define symb_decline_name(NAME, name)	, { SYMB_DECLINE_##NAME, #name }

#define show_symb_decline(reason)					\
	__print_symbolic(reason, { SYMB_DECLINE_NONE, "none" }		\
			 SYMB_DECLINE_REASONS(symb_decline_name))

#define show_bypass_drop(reason)					\
	__print_symbolic(reason,					\
		{ KVM_SWAPBYPASS_DROP_MMU,		"mmu" },		\
		{ KVM_SWAPBYPASS_DROP_PTE,		"pte" },		\
		{ KVM_SWAPBYPASS_DROP_SLOTS,	"slots" },		\
		{ KVM_SWAPBYPASS_DROP_RANGE,	"range" },		\
		{ KVM_SWAPBYPASS_DROP_OFF,		"off" })

TRACE_EVENT(kvm_swapbypass_fault,
	TP_PROTO(unsigned int vcpu_id, gva_t gva, u64 pte, u64 error_code),
	TP_ARGS(vcpu_id, gva, pte, error_code),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(gva_t, gva)
		__field(u64, pte)
		__field(u64, error_code)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gva = gva;
		__entry->pte = pte;
		__entry->error_code = error_code;
	),

	TP_printk("vcpu %u gva 0x%lx pte 0x%llx error_code 0x%llx",
		  __entry->vcpu_id, (unsigned long)__entry->gva, __entry->pte,
		  __entry->error_code)
);

TRACE_EVENT(kvm_swapbypass_map,
	TP_PROTO(unsigned int vcpu_id, gva_t gva, u64 slot, bool writable),
	TP_ARGS(vcpu_id, gva, slot, writable),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(gva_t, gva)
		__field(u64, slot)
		__field(bool, writable)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gva = gva;
		__entry->slot = slot;
		__entry->writable = writable;
	),

	TP_printk("vcpu %u gva 0x%lx slot 0x%llx %s", __entry->vcpu_id,
		  (unsigned long)__entry->gva, __entry->slot,
		  __entry->writable ? "rw" : "ro")
);

TRACE_EVENT(kvm_swapbypass_decline,
	TP_PROTO(unsigned int vcpu_id, gva_t gva, unsigned int reason),
	TP_ARGS(vcpu_id, gva, reason),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(gva_t, gva)
		__field(unsigned int, reason)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gva = gva;
		__entry->reason = reason;
	),

	TP_printk("vcpu %u gva 0x%lx reason %s", __entry->vcpu_id,
		  (unsigned long)__entry->gva,
		  show_symb_decline(__entry->reason))
);

TRACE_EVENT(kvm_swapbypass_drop,
	TP_PROTO(unsigned int reason, u64 pages, u64 seq),
	TP_ARGS(reason, pages, seq),

	TP_STRUCT__entry(
		__field(unsigned int, reason)
		__field(u64, pages)
		__field(u64, seq)
	),

	TP_fast_assign(
		__entry->reason = reason;
		__entry->pages = pages;
		__entry->seq = seq;
	),

	TP_printk("reason %s pages %llu seq %llu",
		  show_bypass_drop(__entry->reason), __entry->pages,
		  __entry->seq)
);

#endif /* _TRACE_KVM_SWAPBYPASS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm/symbiotic
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE swapbypass_trace

/* This part must be outside protection */
#include <trace/define_trace.h>
