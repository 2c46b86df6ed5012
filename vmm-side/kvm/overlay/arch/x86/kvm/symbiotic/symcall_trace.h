/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of SymCall (events/kvm/kvm_symcall_*).
 */
#if !defined(_TRACE_KVM_SYMCALL_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_SYMCALL_H

#include <linux/tracepoint.h>
#include <symbiotic/abi.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

TRACE_EVENT(
	kvm_symcall_enter,
	TP_PROTO(unsigned int vcpu_id, u64 nr, const u64 *args, u64 rip, u8 cpl),
	TP_ARGS(vcpu_id, nr, args, rip, cpl),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u64, nr)
		__array(u64, args, SYMCALL_NR_ARGS)
		__field(u64, rip)
		__field(u8, cpl)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->nr = nr;
		memcpy(__entry->args, args, sizeof(__entry->args));
		__entry->rip = rip;
		__entry->cpl = cpl;
	),

	TP_printk("vcpu %u nr 0x%llx args 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx interrupts rip 0x%llx cpl %u",
		  __entry->vcpu_id, __entry->nr, __entry->args[0],
		  __entry->args[1], __entry->args[2], __entry->args[3],
		  __entry->args[4], __entry->rip, __entry->cpl)
);

TRACE_EVENT(
	kvm_symcall_exit,
	TP_PROTO(unsigned int vcpu_id, u64 nr, int status, const u64 *ret),
	TP_ARGS(vcpu_id, nr, status, ret),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u64, nr)
		__field(int, status)
		__array(u64, ret, SYMCALL_NR_ARGS)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->nr = nr;
		__entry->status = status;
		memcpy(__entry->ret, ret, sizeof(__entry->ret));
	),

	TP_printk("vcpu %u nr 0x%llx status %d ret 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx",
		  __entry->vcpu_id, __entry->nr, __entry->status,
		  __entry->ret[0], __entry->ret[1], __entry->ret[2],
		  __entry->ret[3], __entry->ret[4])
);

TRACE_EVENT(
	kvm_symcall_abort,
	TP_PROTO(unsigned int vcpu_id, u64 nr, u64 rip, const char *why),
	TP_ARGS(vcpu_id, nr, rip, why),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u64, nr)
		__field(u64, rip)
		__string(why, why)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->nr = nr;
		__entry->rip = rip;
		__assign_str(why);
	),

	TP_printk("vcpu %u nr 0x%llx at rip 0x%llx: %s",
		  __entry->vcpu_id, __entry->nr, __entry->rip, __get_str(why))
);

#endif /* _TRACE_KVM_SYMCALL_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm/symbiotic
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE symcall_trace

/* This part must be outside protection */
#include <trace/define_trace.h>
