/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the swap window in place.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM symswap

#if !defined(_TRACE_SYMSWAP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SYMSWAP_H

#include <linux/tracepoint.h>

/* A first touch takes the page of a free slot. */
TRACE_EVENT(symswap_first_touch,
	TP_PROTO(unsigned long address, unsigned long slot, bool zero),
	TP_ARGS(address, slot, zero),
	TP_STRUCT__entry(
		__field(unsigned long, address)
		__field(unsigned long, slot)
		__field(bool, zero)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->slot = slot;
		__entry->zero = zero;
	),
	TP_printk("address=0x%lx slot=%lu %s", __entry->address, __entry->slot,
		  __entry->zero ? "zero" : "copy")
);

/* A hot page has moved to memory that was free. */
TRACE_EVENT(symswap_lift,
	TP_PROTO(unsigned long slot, int error),
	TP_ARGS(slot, error),
	TP_STRUCT__entry(
		__field(unsigned long, slot)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->error = error;
	),
	TP_printk("slot=%lu error=%d", __entry->slot, __entry->error)
);

#endif /* _TRACE_SYMSWAP_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../mm/symswap
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE symswap_trace

#include <trace/define_trace.h>
