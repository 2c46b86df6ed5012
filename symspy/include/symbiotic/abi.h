/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * The interface between a symbiotic guest and its VMM, in one place.
 *
 * Guest kernels, KVM, QEMU, the host tools and the tests all include this
 * file; docs/abi.md explains it bit by bit. What the originators of symbiotic
 * virtualization published keeps its place and meaning. What this project
 * adds is announced by feature bits (CPUID) and by a version and size (pages).
 *
 * All values are little endian; all addresses and sizes are in bytes unless a
 * name says pages. Reserved fields and bits are zero.
 */
#ifndef SYMBIOTIC_ABI_H
#define SYMBIOTIC_ABI_H

#include <linux/types.h>

#define SYMB_ABI_MAJOR			1
#define SYMB_ABI_MINOR			5

#define SYMB_PAGE_SIZE			4096

/* ---- Discovery ------------------------------------------------------- */

/*
 * Published leaf: EAX "V3V\0", EBX "SVM\0" or "VMX\0". The leaf is out of
 * range on hardware, where Intel CPUs return the data of the highest basic
 * leaf, so a guest must compare both registers.
 */
#define SYMB_CPUID_V3V			0x90000000
#define SYMB_CPUID_V3V_EAX		0x00563356	/* "V3V\0" */
#define SYMB_CPUID_V3V_EBX_SVM		0x004d5653	/* "SVM\0" */
#define SYMB_CPUID_V3V_EBX_VMX		0x00584d56	/* "VMX\0" */

/*
 * Second path, in the hypervisor range: the first base 0x40000000 + n * 0x100
 * whose EBX, ECX, EDX spell the signature. EAX = highest leaf (base + 1).
 * base + 1: EAX = SYMB_FEAT_* offered, EBX = major << 16 | minor, ECX = EDX = 0.
 */
#define SYMB_CPUID_HV_FIRST		0x40000000
#define SYMB_CPUID_HV_LAST		0x4000ff00
#define SYMB_CPUID_HV_STEP		0x100
#define SYMB_CPUID_HV_SIGNATURE		"SymbioticVMM"	/* 12 bytes, no NUL */
#define SYMB_CPUID_HV_FEATURES		1		/* offset to the base */

#define SYMB_FEAT_SYMSPY		(1U << 0)
#define SYMB_FEAT_SYMCALL		(1U << 1)
#define SYMB_FEAT_SWAPBYPASS		(1U << 2)
#define SYMB_FEAT_DMA_OFFSET		(1U << 3)	/* since 1.1; needs SYMSPY */
#define SYMB_FEAT_SWAP_GRANT		(1U << 4)	/* since 1.2; needs SYMSPY */
#define SYMB_FEAT_MODULES		(1U << 5)	/* since 1.5; needs SYMSPY, SYMCALL */
#define SYMB_FEAT_ALL			(SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL | \
					 SYMB_FEAT_SWAPBYPASS | \
					 SYMB_FEAT_DMA_OFFSET | \
					 SYMB_FEAT_SWAP_GRANT | \
					 SYMB_FEAT_MODULES)

/* ---- MSRs ------------------------------------------------------------ */

/*
 * Published numbers. GLOBAL and LOCAL take the guest-physical address of a
 * free page (RAM or not; aligned; 0 unmaps). The SymCall MSRs are per vCPU;
 * writing RIP = 0 disables calls on that vCPU. CS is the selector of a 64-bit
 * ring-0 code segment and SS = CS + 8.
 */
#define SYMB_MSR_GLOBAL_PAGE		0x534
#define SYMB_MSR_LOCAL_PAGE		0x535
#define SYMB_MSR_SYMCALL_RIP		0x536
#define SYMB_MSR_SYMCALL_RSP		0x537
#define SYMB_MSR_SYMCALL_CS		0x538
#define SYMB_MSR_SYMCALL_GS		0x539
#define SYMB_MSR_SYMCALL_FS		0x540

/*
 * Ours, in the range that CPU vendors leave to software (Intel SDM vol. 4,
 * 2.1: 40000000H-400000FFH) and that Hyper-V does not use. FEATURES holds the
 * features that the guest has accepted, per VM: a subset of those offered,
 * else #GP; clearing a bit makes the VMM stop using that feature. The others
 * are second names of the published MSRs.
 */
#define SYMB_MSR_FEATURES		0x400000d0
#define SYMB_MSR_ALIAS_GLOBAL_PAGE	0x400000d1
#define SYMB_MSR_ALIAS_LOCAL_PAGE	0x400000d2
#define SYMB_MSR_ALIAS_SYMCALL_RIP	0x400000d3
#define SYMB_MSR_ALIAS_SYMCALL_RSP	0x400000d4
#define SYMB_MSR_ALIAS_SYMCALL_CS	0x400000d5
#define SYMB_MSR_ALIAS_SYMCALL_GS	0x400000d6
#define SYMB_MSR_ALIAS_SYMCALL_FS	0x400000d7

/*
 * Ours, per VM: the generation of struct symspy_dma that the guest uses. Until
 * it is written, and after 0 is, no passthrough device can master the bus.
 * Anything but 0 and the present generation raises #GP: read the page again.
 */
#define SYMB_MSR_DMA_ACK		0x400000d8

/*
 * All of them, for tables: MSR(name, the features of which one must be offered).
 * Those of the first list have a SYMB_MSR_ALIAS_ as well.
 */
#define SYMB_MSRS_WITH_ALIAS(MSR)					\
	MSR(GLOBAL_PAGE, SYMB_FEAT_SYMSPY)				\
	MSR(LOCAL_PAGE, SYMB_FEAT_SYMSPY)				\
	MSR(SYMCALL_RIP, SYMB_FEAT_SYMCALL)				\
	MSR(SYMCALL_RSP, SYMB_FEAT_SYMCALL)				\
	MSR(SYMCALL_CS, SYMB_FEAT_SYMCALL)				\
	MSR(SYMCALL_GS, SYMB_FEAT_SYMCALL)				\
	MSR(SYMCALL_FS, SYMB_FEAT_SYMCALL)
#define SYMB_MSRS_WITHOUT_ALIAS(MSR)					\
	MSR(FEATURES, SYMB_FEAT_ALL)					\
	MSR(DMA_ACK, SYMB_FEAT_DMA_OFFSET)

/* ---- SymSpy pages ---------------------------------------------------- */

#define SYMSPY_GLOBAL_MAGIC		0x0000000000563356ULL	/* "V3V" */
#define SYMSPY_LOCAL_MAGIC_PREFIX	0x2e563356U		/* "V3V." */

#define SYMSPY_GLOBAL_PCI_MAP_VALID	(1U << 0)
#define SYMSPY_GLOBAL_MODULES		(1U << 1)

#define SYMSPY_LOCAL_SYMCALL_ACTIVE	(1U << 0)
#define SYMSPY_LOCAL_SYMCALL_ENABLED	(1U << 1)

#define SYMSPY_PCI_BUSES		4
#define SYMSPY_EXT_MAGIC		0x424d5953U		/* "SYMB" */
#define SYMSPY_EXT_OFFSET		256

/**
 * struct symspy_ext_header - starts our part of both pages
 * @magic: SYMSPY_EXT_MAGIC
 * @size: bytes of the extension from its own start, header included
 * @major: an unknown major version means: do not use the extension
 * @minor: fields are only ever appended
 */
struct symspy_ext_header {
	__u32 magic;
	__u32 size;
	__u16 major;
	__u16 minor;
	__u32 reserved;
};

#define SYMSPY_DMA_RANGES		16
#define SYMSPY_DMA_DEVICES		64

/* A device of struct symspy_dma: PCI segment, bus, device and function. */
#define SYMSPY_DMA_DEVICE(seg, bus, devfn)				\
	((__u32)(seg) << 16 | (__u32)(bus) << 8 | (__u32)(devfn))

/**
 * struct symspy_dma_range - guest memory that passthrough devices can reach
 * @start: guest-physical address
 * @size: bytes
 * @offset: what to add to a guest-physical address, modulo 2^64, for the
 *	address that a passthrough device must use
 *
 * All three are multiples of SYMB_PAGE_SIZE. Host-physically contiguous: a
 * device access that starts in the range must also end in it.
 */
struct symspy_dma_range {
	__u64 start;
	__u64 size;
	__u64 offset;
};

/**
 * struct symspy_dma - passthrough devices and how they reach guest memory
 * @generation: 0: nothing was published; odd: is being changed; else a new
 *	number for each content
 * @nr_ranges: ranges in use, sorted by start, without overlap
 * @nr_devices: devices in use
 * @reserved: 0
 * @ranges: the ranges; once acknowledged they stay until the VM is reset
 * @devices: SYMSPY_DMA_DEVICE() of each, in no order
 */
struct symspy_dma {
	__u32 generation;
	__u32 nr_ranges;
	__u32 nr_devices;
	__u32 reserved;
	struct symspy_dma_range ranges[SYMSPY_DMA_RANGES];
	__u32 devices[SYMSPY_DMA_DEVICES];
};

/* struct symspy_swap.grant: as many as there are. */
#define SYMSPY_SWAP_GRANT_ALL		(~0ULL)

/**
 * struct symspy_swap - pages of the swap window that the guest uses in place
 * @grant: how many it may, written by the VMM at any time
 * @in_place: how many it does, written by the guest
 * @hot: estimate of how many of these were used lately, written by the guest
 * @wanted: faults so far that found no grant left, written by the guest
 * @held: since 1.3; pages in place that the guest could not give back when it
 *	tried last, written by the guest
 *
 * Each field is read and written at once. The VMM takes what the guest writes
 * for a hint, and nothing else.
 */
struct symspy_swap {
	__u64 grant;
	__u64 in_place;
	__u64 hot;
	__u64 wanted;
	__u64 held;
};

/* struct symspy_paging.state: the mode, a flag, and the number of switches. */
#define SYMSPY_PAGING_MODE		0xffULL
#define SYMSPY_PAGING_MAY_SWITCH	(1ULL << 8)
#define SYMSPY_PAGING_SWITCHES		32	/* shift */

/* Modes; of struct symspy_paging.wish, too. */
#define SYMB_PAGING_UNKNOWN		0	/* not told; no wish */
#define SYMB_PAGING_NESTED		1
#define SYMB_PAGING_SHADOW		2

/**
 * struct symspy_paging - how the VMM maps the guest's memory, and what is best
 * @state: written by the VMM at any time, in one piece: SYMB_PAGING_* in the
 *	lowest byte; SYMSPY_PAGING_MAY_SWITCH if that may change while the VM
 *	runs; how often it has changed, modulo 2^32, from bit 32 on
 * @wish: SYMB_PAGING_* that the guest would rather have
 * @swap_ins: pages of the swap window that the guest has read
 * @faults: page faults that it has handled
 * @forks: processes and threads that it has made
 * @switches: context switches
 *
 * Since 1.4. All but @state are written by the guest, and count from its start.
 * The VMM takes them for hints.
 */
struct symspy_paging {
	__u64 state;
	__u64 wish;
	__u64 swap_ins;
	__u64 faults;
	__u64 forks;
	__u64 switches;
};

/* struct symspy_modules.policy */
#define SYMB_MODULES_NONE		0	/* the guest takes none, or not yet */
#define SYMB_MODULES_SIGNED		1	/* signed by a key in its kernel's image */

#define SYMB_MODULES_BUILD_ID		20
#define SYMB_MODULES_VERMAGIC		128

/**
 * struct symspy_modules - which modules the guest takes
 * @policy: SYMB_MODULES_*; written last: the rest does not change while it is not 0
 * @reserved: 0
 * @limit: most bytes of a module
 * @boot: a number that each boot of the guest chooses anew: what was loaded under
 *	another one is gone
 * @build_id: of the guest's kernel, zeroes if it has none
 * @reserved2: 0
 * @vermagic: what modules must say of themselves to fit, NUL padded
 *
 * Since 1.5; written by the guest. The VMM takes it for a hint.
 */
struct symspy_modules {
	__u32 policy;
	__u32 reserved;
	__u64 limit;
	__u64 boot;
	__u8 build_id[SYMB_MODULES_BUILD_ID];
	__u32 reserved2;
	char vermagic[SYMB_MODULES_VERMAGIC];
};

/**
 * struct symspy_global - one page per VM
 * @magic: SYMSPY_GLOBAL_MAGIC
 * @flags: SYMSPY_GLOBAL_*
 * @pci_map: passthrough devices, bit index (bus << 8) + (dev << 3) + fn
 * @ext: extension header
 * @features: SYMB_FEAT_* offered, written by the VMM
 * @guest_word: written by the guest, read by the VMM; no meaning (tests)
 * @host_word: written by the VMM, read by the guest; no meaning (tests)
 * @dma: since 1.1; written by the VMM if it offers SYMB_FEAT_DMA_OFFSET
 * @swap: since 1.2; in use if SYMB_FEAT_SWAP_GRANT is accepted
 * @paging: since 1.4; in use unless its state is 0
 * @modules: since 1.5; in use if SYMB_FEAT_MODULES is accepted
 */
struct symspy_global {
	__u64 magic;
	__u32 flags;
	__u8 pci_map[SYMSPY_PCI_BUSES * 256 / 8];
	__u8 pad0[SYMSPY_EXT_OFFSET - 140];
	struct symspy_ext_header ext;
	__u32 features;
	__u32 reserved0;
	__u64 guest_word;
	__u64 host_word;
	struct symspy_dma dma;
	struct symspy_swap swap;
	struct symspy_paging paging;
	struct symspy_modules modules;
	__u8 pad1[SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET - 40 - 656 - 40 - 48 - 176];
} __attribute__((packed, aligned(8)));

/* Pages that one query_vaddr() call can answer for. */
#define SYMB_LOOKUP_MAX			64

#define SYMB_LOOKUP_WRITABLE		(1U << 0)

/**
 * struct symb_lookup_entry - the guest's answer for one page
 * @pte: raw guest PTE that the answer is based on; 0 = no answer for this page
 * @slot: page number in the swap window that holds the data
 * @flags: SYMB_LOOKUP_*
 */
struct symb_lookup_entry {
	__u64 pte;
	__u32 slot;
	__u32 flags;
};

/**
 * struct symspy_local - one page per vCPU
 * @magic: "V3V.<vcpu>" in ASCII, NUL padded
 * @flags: SYMSPY_LOCAL_*
 * @ext: extension header
 * @lookup_base: address of the page that lookup[0] answers for
 * @lookup_nr: entries answered
 * @lookup: result of SYMCALL_QUERY_BATCH, consecutive pages from @lookup_base
 */
struct symspy_local {
	__u64 magic;
	__u32 flags;
	__u8 pad0[SYMSPY_EXT_OFFSET - 12];
	struct symspy_ext_header ext;
	__u64 lookup_base;
	__u32 lookup_nr;
	__u32 reserved0;
	struct symb_lookup_entry lookup[SYMB_LOOKUP_MAX];
	__u8 pad1[SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET - 32 - 16 * SYMB_LOOKUP_MAX];
} __attribute__((packed, aligned(8)));

/* ---- SymCall --------------------------------------------------------- */

/*
 * Call number in RAX; arguments and results in RBX, RCX, RDX, RSI, RDI.
 *
 * After a call that the VMM had to abort, SYMSPY_LOCAL_SYMCALL_ENABLED is clear
 * and calls are off on that vCPU until the guest writes SYMB_MSR_SYMCALL_RIP
 * again. The VMM sends the vCPU an NMI, which arrives before the interrupted
 * context runs on (unless that has NMIs masked): only the guest can undo what
 * the call has noted in memory.
 */
#define SYMCALL_NR_ARGS			5

/* Published. */
#define SYMCALL_TEST			1	/* -> the arguments, RBX + 1 */
#define SYMCALL_MEM_LOOKUP		10	/* vaddr, raw PTE -> SYMB_PERM_* in RBX */

/* Ours. */
#define SYMCALL_NULL			0x100	/* nothing, for benchmarks */
#define SYMCALL_WHO			0x101	/* -> pid, comm (RCX, RDX), SYMCALL_WHO_* */
/*
 * vaddr, raw PTE, SYMB_ACCESS_*, max -> entries, SYMB_DECLINE_* (if none); see
 * struct symspy_local
 */
#define SYMCALL_QUERY_BATCH		0x110
/*
 * Cookie, address and size of an offer in memory; see struct symb_module_offer.
 * Only noted: the work begins after the call.
 */
#define SYMCALL_MODULE			0x120
/* Only in guests built for tests. */
#define SYMCALL_SELFTEST		0x180	/* SYMCALL_SELFTEST_*, argument */

#define SYMCALL_SELFTEST_SPIN		0	/* never returns */
#define SYMCALL_SELFTEST_EXITS		1	/* CPUID, RDMSR, port I/O, then returns */
#define SYMCALL_SELFTEST_FAULT		2	/* touches an unmapped address */
#define SYMCALL_SELFTEST_HLT		3	/* executes HLT */
#define SYMCALL_SELFTEST_STI		4	/* enables interrupts and spins argument loops */
#define SYMCALL_SELFTEST_NESTED		5	/* asks for a symcall inside this one */
#define SYMCALL_SELFTEST_DELAY		6	/* spins argument loops, then returns */
#define SYMCALL_SELFTEST_STATE		7	/* checks the state that a call starts in */

/*
 * How the interrupted code ran, only the VMM knows: it keeps the context. The
 * guest's answer has WHO_IDLE alone, the VMM side adds the others.
 */
#define SYMCALL_WHO_USER		(1U << 0)	/* interrupted in user mode */
#define SYMCALL_WHO_IDLE		(1U << 1)	/* the idle task */
#define SYMCALL_WHO_IRQS_OFF		(1U << 2)	/* interrupted with IF = 0 */

#define SYMB_PERM_READ			(1U << 0)
#define SYMB_PERM_WRITE			(1U << 1)

#define SYMB_ACCESS_WRITE		(1U << 0)
#define SYMB_ACCESS_USER		(1U << 1)

/* Codes of the error hypercall, in RBX. */
#define SYMCALL_ERR_NOSYS		1	/* unknown call number */
#define SYMCALL_ERR_INVAL		2	/* bad argument */
#define SYMCALL_ERR_BUSY		3	/* cannot answer now */

/*
 * Why query_vaddr() said no (RCX of SYMCALL_QUERY_BATCH), as X(NAME, name). All
 * lists of reasons are made from this one: counters, files and traces have these
 * names. The place here is the number, so new reasons come last.
 */
#define SYMB_DECLINE_REASONS(X)						\
	X(NO_MM, no_mm)			/* no user address space, or CR3 differs */ \
	X(NOT_SWAP, not_swap)		/* PTE is no swap entry of our device */ \
	X(PTE_CHANGED, pte_changed)	/* PTE is not the one that was asked for */ \
	X(VMA, vma)			/* no VMA, or not private anonymous */	\
	X(VMA_LOCKED, vma_locked)	/* VMA is being changed */		\
	X(ACCESS, access)		/* VMA forbids the access */		\
	X(SWAPCACHE, swapcache)		/* slot is in the swap cache */		\
	X(ZEROMAP, zeromap)		/* content is not in the slot */	\
	X(SHARED, shared)		/* write to a slot that is not exclusive */ \
	X(OFF, off)			/* swapoff under way, or feature off */

#define SYMB_DECLINE_ENUM(NAME, ...)	SYMB_DECLINE_##NAME,

enum symb_decline {
	SYMB_DECLINE_NONE = 0,
	SYMB_DECLINE_REASONS(SYMB_DECLINE_ENUM)
	SYMB_DECLINE_NR
};

/* ---- Hypercalls ------------------------------------------------------ */

/*
 * VMCALL/VMMCALL from ring 0, number in RAX, arguments in RBX, RCX, RDX, RSI
 * (KVM's convention, Documentation/virt/kvm/x86/hypercalls.rst). Ours return
 * 0 or -SYMB_HC_E* in RAX.
 */
#define SYMB_HC_SYMCALL_RET		0x535	/* published: results as above */
#define SYMB_HC_SYMCALL_ERR		0x536	/* published: code in RBX */
#define SYMB_HC_NULL			0x540	/* nothing, for benchmarks */
#define SYMB_HC_SYMCALL_LOOP		0x541	/* n, call, arg0, arg1: makes n symcalls,
						 * then returns; RAX = the last status
						 */
#define SYMB_HC_SWAP_ATTACH		0x542	/* gpa of struct symb_swap_desc */
#define SYMB_HC_SWAP_DETACH		0x543
#define SYMB_HC_DROP_SLOTS		0x544	/* first slot, number of slots */
#define SYMB_HC_DROP_RANGE		0x545	/* page-table root gpa, start, end */
#define SYMB_HC_MODULE			0x546	/* cookie, SYMB_MODULE_IS_*, errno */

/* All of ours have numbers from SYMB_HC_NULL to this one. */
#define SYMB_HC_LAST			SYMB_HC_MODULE

#define SYMB_HC_ENOSYS			1000	/* KVM_ENOSYS */
#define SYMB_HC_EPERM			1	/* KVM_EPERM */
#define SYMB_HC_EINVAL			22
#define SYMB_HC_EBUSY			16
#define SYMB_HC_EIO			5	/* the symcall failed or was aborted */

/**
 * struct symb_swap_desc - what the guest tells the VMM about its swap device
 * @window_gpa: start of the swap window, page aligned, inside guest memory
 * @nr_pages: size of the window in pages
 * @pte_mask: bits of a non-present PTE that tell whether it is a swap entry of
 *	this device
 * @pte_match: their value in such an entry
 * @pte_exclusive: bit that must be set for a writable answer
 */
struct symb_swap_desc {
	__u64 window_gpa;
	__u64 nr_pages;
	__u64 pte_mask;
	__u64 pte_match;
	__u64 pte_exclusive;
};

/* ---- Modules --------------------------------------------------------- */

#define SYMB_MODULE_MAGIC		0x4d4d5953U	/* "SYMM" */
#define SYMB_MODULE_DATA		SYMB_PAGE_SIZE	/* offset of the module */
/* More than that is never offered, whatever the guest's limit is. */
#define SYMB_MODULE_MAX			(64U << 20)

/* struct symb_module_offer.op */
#define SYMB_MODULE_LOAD		1
#define SYMB_MODULE_UNLOAD		2

/* With their NULs. */
#define SYMB_MODULE_NAME		56
#define SYMB_MODULE_ARGS		1024

/**
 * struct symb_module_offer - starts the memory of an offer
 * @magic: SYMB_MODULE_MAGIC
 * @op: SYMB_MODULE_*
 * @cookie: as in the symcall; not 0
 * @size: bytes of the module, which begins at SYMB_MODULE_DATA; 0 to unload one
 * @reserved: 0
 * @args_len: bytes of @args before the NUL; no others are NUL
 * @sha256: of the module
 * @name: its name, NUL padded; only letters, digits, '_' and '-'
 * @args: its parameters, NUL padded
 * @pad: 0
 *
 * Written before the guest hears of it. Read only for the guest, which copies what it
 * needs once and looks at nothing but the copy.
 */
struct symb_module_offer {
	__u32 magic;
	__u32 op;
	__u64 cookie;
	__u64 size;
	__u32 reserved;
	__u32 args_len;
	__u8 sha256[32];
	char name[SYMB_MODULE_NAME];
	char args[SYMB_MODULE_ARGS];
	__u8 pad[SYMB_MODULE_DATA - 1144];
};

/*
 * What SYMB_HC_MODULE says of the offer, or of the module that came with it. The errno
 * is Linux's, positive; 0 but for DONE.
 */
#define SYMB_MODULE_IS_TAKEN		1	/* copied: its memory may go */
#define SYMB_MODULE_IS_DONE		2	/* over: loaded or unloaded, or an errno */
#define SYMB_MODULE_IS_OVERDUE		3	/* takes too long; DONE may follow */
#define SYMB_MODULE_IS_GONE		4	/* its exit function has run */
#define SYMB_MODULE_IS_DEAD		5	/* its code has crashed */

_Static_assert(sizeof(struct symspy_global) == SYMB_PAGE_SIZE, "global page");
_Static_assert(sizeof(struct symspy_local) == SYMB_PAGE_SIZE, "local page");
_Static_assert(sizeof(struct symb_lookup_entry) == 16, "lookup entry");
_Static_assert(sizeof(struct symspy_ext_header) == 16, "extension header");
_Static_assert(sizeof(struct symb_swap_desc) == 40, "swap descriptor");
_Static_assert(SYMB_DECLINE_OFF == 10, "reasons have kept their numbers");
_Static_assert(sizeof(struct symspy_dma_range) == 24, "DMA range");
_Static_assert(sizeof(struct symspy_dma) == 656, "DMA ranges and devices");
_Static_assert(__builtin_offsetof(struct symspy_global, dma) == 296, "since 1.1");
_Static_assert(__builtin_offsetof(struct symspy_global, swap) == 952, "since 1.2");
_Static_assert(__builtin_offsetof(struct symspy_global, paging) == 992, "since 1.4");
_Static_assert(__builtin_offsetof(struct symspy_global, modules) == 1040, "since 1.5");
_Static_assert(sizeof(struct symspy_modules) == 176, "modules");
_Static_assert(sizeof(struct symb_module_offer) == SYMB_MODULE_DATA, "offer");
_Static_assert(__builtin_offsetof(struct symspy_global, pci_map) == 12, "published");
_Static_assert(__builtin_offsetof(struct symspy_global, ext) == SYMSPY_EXT_OFFSET, "ext");
_Static_assert(__builtin_offsetof(struct symspy_local, ext) == SYMSPY_EXT_OFFSET, "ext");
_Static_assert(__builtin_offsetof(struct symspy_local, lookup) == 288, "lookup");

#endif /* SYMBIOTIC_ABI_H */
