/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of the paging mode (events/kvm/kvm_paging_*).
 */
#if !defined(_TRACE_KVM_PAGING_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_PAGING_H

#include <linux/kvm_symbiotic.h>
#include <linux/tracepoint.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#define kvm_trace_paging_mode(mode)				\
	__print_symbolic(mode,					\
			 { KVM_SYMB_PAGING_NESTED, "nested" },	\
			 { KVM_SYMB_PAGING_SHADOW, "shadow" })

/* The VM has another mode, ... */
TRACE_EVENT(
	kvm_paging_mode,
	TP_PROTO(u32 mode, u64 generation, u32 wanted, unsigned int holders),
	TP_ARGS(mode, generation, wanted, holders),

	TP_STRUCT__entry(
		__field(u32, mode)
		__field(u64, generation)
		__field(u32, wanted)
		__field(unsigned int, holders)
	),

	TP_fast_assign(
		__entry->mode = mode;
		__entry->generation = generation;
		__entry->wanted = wanted;
		__entry->holders = holders;
	),

	TP_printk("%s generation %llu, wanted %s, held by %u",
		  kvm_trace_paging_mode(__entry->mode), __entry->generation,
		  kvm_trace_paging_mode(__entry->wanted), __entry->holders)
);

/* ... and this vCPU has followed. */
TRACE_EVENT(
	kvm_paging_follow,
	TP_PROTO(unsigned int vcpu_id, u32 mode),
	TP_ARGS(vcpu_id, mode),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u32, mode)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->mode = mode;
	),

	TP_printk("vcpu %u %s", __entry->vcpu_id,
		  kvm_trace_paging_mode(__entry->mode))
);

#endif /* _TRACE_KVM_PAGING_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm/symbiotic
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE paging_trace

/* This part must be outside protection */
#include <trace/define_trace.h>
