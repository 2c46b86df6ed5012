/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the OS-neutral guest core needs from an operating system.
 *
 * Each OS supplies a header symbiotic_os.h on the include path with:
 *
 *  - bool, NULL, memset(), memcmp(), and positive EINVAL, EBUSY, ENODEV, EIO,
 *    ENOMEM and EPROTO;
 *  - READ_ONCE(x) and WRITE_ONCE(x, v): one access of the full width;
 *  - symb_info(fmt, ...) and symb_warn(fmt, ...): one line to the log;
 *  - symb_cmpxchg(ptr, old, new): atomic, full barrier, returns the old value;
 *  - symb_index_nospec(i, n): i, and no speculation with i >= n;
 *  - symb_rmb(): what is read after it is not older than what was before.
 *
 * and implements the functions below.
 */
#ifndef SYMBIOTIC_PORT_H
#define SYMBIOTIC_PORT_H

#include <symbiotic/abi.h>
#include "symbiotic_os.h"

struct symb_cpuid {
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
};

/**
 * symb_port_cpuid() - execute CPUID
 * @leaf: value of EAX; ECX is 0
 * @out: the four registers
 */
void symb_port_cpuid(__u32 leaf, struct symb_cpuid *out);

/**
 * symb_port_rdmsr() - read an MSR that may not exist
 * @msr: number
 * @val: the value, if 0 is returned
 *
 * Return: 0, or -EIO if the read raised #GP.
 */
int symb_port_rdmsr(__u32 msr, __u64 *val);

/**
 * symb_port_wrmsr() - write an MSR; the VMM may refuse
 * @msr: number
 * @val: the value
 *
 * Return: 0, or -EIO if the write raised #GP.
 */
int symb_port_wrmsr(__u32 msr, __u64 val);

/**
 * symb_port_map() - map one guest-physical page, cached, read and write
 * @gpa: page aligned; not RAM that the OS manages
 *
 * Context: may sleep.
 * Return: virtual address, or NULL.
 */
void *symb_port_map(__u64 gpa);

/**
 * symb_port_unmap() - undo symb_port_map()
 * @va: what it returned
 */
void symb_port_unmap(void *va);

/**
 * struct symb_who - what runs on this CPU
 * @pid: number of the process
 * @comm: its name, NUL padded, not always NUL terminated
 * @idle: it is the idle loop
 */
struct symb_who {
	__u64 pid;
	char comm[16];
	bool idle;
};

/**
 * symb_port_who() - tell which process the symcall interrupted
 * @who: the answer, zeroed by the caller
 *
 * Context: symcall.
 */
void symb_port_who(struct symb_who *who);

/**
 * symb_port_sync_calls() - wait for every symcall that is under way
 *
 * Context: may sleep.
 */
void symb_port_sync_calls(void);

#endif /* SYMBIOTIC_PORT_H */
