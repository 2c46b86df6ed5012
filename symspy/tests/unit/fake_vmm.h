/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for unit tests: CPUID leaves, MSRs that may refuse or forget, and
 * the two pages as the VMM shows them. It checks how the code behaves: every
 * page mapped must be unmapped, no MSR may be written unless it exists.
 */
#ifndef FAKE_VMM_H
#define FAKE_VMM_H

#include <symbiotic/symspy.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define FAKE_LEAVES	16
#define FAKE_MSRS	16

struct fake_leaf {
	__u32 leaf;
	struct symb_cpuid r;
};

struct fake_msr {
	__u32 msr;
	__u64 val;
	bool exists;
	bool refuses;		/* every value but 0 */
	bool forgets;		/* writes have no effect */
	unsigned int writes;
};

extern struct fake_machine {
	struct fake_leaf leaves[FAKE_LEAVES];
	unsigned int nr_leaves;
	struct symb_cpuid out_of_range;	/* answer for all other leaves */
	struct fake_msr msrs[FAKE_MSRS];
	struct symspy_global global;
	struct symspy_local local;
	bool map_fails;
	int mapped;
	unsigned int cpuids;
	unsigned int log_lines;
	bool quiet;
	unsigned int syncs;
	struct symb_who who;
} fake;

void fake_cpuid(__u32 leaf, __u32 eax, __u32 ebx, __u32 ecx, __u32 edx);
struct fake_msr *fake_msr(__u32 msr);

/* A machine without a hypervisor, as AMD and Intel CPUs answer. */
void fake_bare_metal(bool intel);
/* Another hypervisor in the first base. */
void fake_other_vmm(const char *signature);
/* Our VMM, everything right. */
void fake_symbiotic(__u32 features, __u32 base);

#define FAKE_BASE_LEAF	0x40000000

/* ---- reporting: KTAP ---- */

void check(bool ok, const char *expr, const char *file, int line);
#define CHECK(expr)	check(expr, #expr, __FILE__, __LINE__)
#define CHECK_EQ(a, b)							\
	check_eq((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
void check_eq(long long a, long long b, const char *expr, const char *file,
	      int line);

void test_begin(const char *name);
void test_end(void);
int test_report(void);

#endif /* FAKE_VMM_H */
