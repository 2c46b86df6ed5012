/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own system calls, for init_task alone: it creates address
 * spaces, binds physical memory to them and starts tasks there. Kernel and
 * programs both include this.
 *
 * Numbers and arguments go as in Linux calls; results are 0 or more, or
 * -errno. Sizes are in bytes, names are NUL terminated.
 */
#ifndef KITTEN_LWK_H
#define KITTEN_LWK_H

#include <linux/types.h>

#define LWK_CALL_BASE		0x1000

enum lwk_call {
	LWK_PMEM_ADD = LWK_CALL_BASE,	/* struct lwk_pmem: start, end */
	LWK_PMEM_ALLOC,			/* size, alignment -> struct lwk_pmem */
	LWK_PMEM_FREE,			/* start, size */
	LWK_PMEM_QUERY,			/* number -> struct lwk_pmem */
	LWK_ASPACE_CREATE,		/* name; returns the number */
	LWK_ASPACE_DESTROY,		/* aspace */
	LWK_ASPACE_ADD_REGION,		/* aspace, start, size, flags, name */
	LWK_ASPACE_MAP_PMEM,		/* aspace, pmem, start, size */
	LWK_ASPACE_SMARTMAP,		/* source, destination, rank */
	LWK_ASPACE_LOAD,		/* aspace, file, size -> lwk_image */
	LWK_TASK_CREATE,		/* struct lwk_task; returns the number */
	LWK_TASK_WAIT,			/* task; returns its exit status */
	LWK_MACHINE_INFO,		/* -> struct lwk_machine */
	LWK_SELFTEST,			/* returns the number of failures */
	LWK_BENCH_READY,		/* returns when the bench says go */
	LWK_BENCH_EXIT,			/* status; returns when it says bye */
	LWK_MACHINE_END,
	LWK_CALL_END
};

/* Types of physical memory. */
#define LWK_PMEM_FREE_TYPE	1
#define LWK_PMEM_KERNEL_TYPE	2
#define LWK_PMEM_ARCHIVE_TYPE	3
#define LWK_PMEM_USER_TYPE	4

struct lwk_pmem {
	__u64 start;
	__u64 end;
	__u32 type;
	__u32 reserved;
};

/* Flags of regions. */
#define LWK_READ		(1U << 0)
#define LWK_WRITE		(1U << 1)
#define LWK_EXEC		(1U << 2)
#define LWK_HEAP		(1U << 3)
#define LWK_RESERVE		(1U << 4)	/* addresses that stay without memory */

struct lwk_image {
	__u64 entry;
	__u64 phdr;
	__u64 phnum;
	__u64 end;
};

#define LWK_STRINGS_MAX		3072

/**
 * struct lwk_task - a task to create
 * @name: for people
 * @aspace: where it lives, with its image loaded
 * @cpu: for its first thread, or -1
 * @stack: start of a bound region
 * @stack_size: its size
 * @image: what loading the program has told
 * @strings: address of arguments and environment, NUL terminated each
 * @strings_len: all of them together
 * @argc: how many are arguments
 * @envc: how many follow as environment
 */
struct lwk_task {
	char name[16];
	__u32 aspace;
	__s32 cpu;
	__u64 stack;
	__u64 stack_size;
	struct lwk_image image;
	__u64 strings;
	__u64 strings_len;
	__u32 argc;
	__u32 envc;
};

#define LWK_MAX_CPUS		16

/**
 * struct lwk_machine - what init_task may know
 * @nr_cpus: processors
 * @nr_pci: PCI functions
 * @tsc_khz: rate of the time-stamp counter
 * @max_page: largest page
 * @symb_found: 0 if there is a symbiotic VMM, else why it is not used
 * @symb_features: SYMB_FEAT_* agreed on
 * @symb_offered: what the VMM offers
 * @symb_base: CPUID base of its leaves
 * @global_gpa: the global SymSpy page
 * @host_word: the word there that the host writes
 * @bench: somebody listens on the control port
 * @cpu: for each CPU
 */
struct lwk_machine {
	__u32 nr_cpus;
	__u32 nr_pci;
	__u64 tsc_khz;
	__u64 max_page;
	__s32 symb_found;
	__u32 symb_features;
	__u32 symb_offered;
	__u32 symb_base;
	__u64 global_gpa;
	__u64 host_word;
	__u32 bench;
	__u32 reserved;
	struct {
		__u32 apic_id;
		__u32 symcall_on;
		__u64 local_gpa;
		__u64 symcalls;
		__u64 symcall_errors;
		__u64 symcall_aborts;
		__u64 irqs;
	} cpu[LWK_MAX_CPUS];
};

#endif /* KITTEN_LWK_H */
