// SPDX-License-Identifier: GPL-2.0
/*
 * The machine and the reporting for unit tests; see fake_vmm.h.
 */
#include <ktap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_vmm.h"

struct fake_machine fake;

void fake_cpuid(__u32 leaf, __u32 eax, __u32 ebx, __u32 ecx, __u32 edx)
{
	struct fake_leaf *l = NULL;
	unsigned int i;

	for (i = 0; i < fake.nr_leaves; i++)
		if (fake.leaves[i].leaf == leaf)
			l = &fake.leaves[i];
	if (!l) {
		if (fake.nr_leaves == FAKE_LEAVES)
			abort();
		l = &fake.leaves[fake.nr_leaves++];
	}
	l->leaf = leaf;
	l->r = (struct symb_cpuid){ eax, ebx, ecx, edx };
}

/* The MSR; made on first use, not yet existing for the code under test. */
struct fake_msr *fake_msr(__u32 msr)
{
	unsigned int i;

	for (i = 0; i < FAKE_MSRS; i++) {
		if (fake.msrs[i].msr == msr)
			return &fake.msrs[i];
		if (!fake.msrs[i].msr) {
			fake.msrs[i].msr = msr;
			return &fake.msrs[i];
		}
	}
	abort();
}

void fake_bare_metal(bool intel)
{
	memset(&fake, 0, sizeof(fake));
	fake_cpuid(0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
	fake_cpuid(1, 0x306c3, 0, 0x7ffafbff, 0xbfebfbff);
	if (intel)
		/* Data of the highest basic leaf, here 0x16. */
		fake.out_of_range = (struct symb_cpuid){ 3400, 3900, 100, 0 };
}

void fake_other_vmm(const char *signature)
{
	__u32 sig[3];

	fake_bare_metal(true);
	fake_cpuid(1, 0x306c3, 0, 0xfffafbff, 0xbfebfbff);
	memcpy(sig, signature, sizeof(sig));
	fake_cpuid(FAKE_BASE_LEAF, FAKE_BASE_LEAF + 1, sig[0], sig[1], sig[2]);
	fake_cpuid(FAKE_BASE_LEAF + 1, 0x01007efb, 0, 0, 0);
}

void fake_symbiotic(__u32 features, __u32 base)
{
	static const __u32 msrs[] = {
		SYMB_MSR_FEATURES, SYMB_MSR_GLOBAL_PAGE, SYMB_MSR_LOCAL_PAGE,
		SYMB_MSR_SYMCALL_RIP, SYMB_MSR_SYMCALL_RSP,
		SYMB_MSR_SYMCALL_CS, SYMB_MSR_SYMCALL_GS, SYMB_MSR_SYMCALL_FS,
	};
	__u32 sig[3];
	unsigned int i;

	fake_other_vmm("KVMKVMKVM\0\0\0");
	memcpy(sig, SYMB_CPUID_HV_SIGNATURE, sizeof(sig));
	fake_cpuid(base, base + 1, sig[0], sig[1], sig[2]);
	fake_cpuid(base + 1, features, SYMB_ABI_MAJOR << 16 | SYMB_ABI_MINOR,
		   0, 0);
	fake_cpuid(SYMB_CPUID_V3V, SYMB_CPUID_V3V_EAX, SYMB_CPUID_V3V_EBX_SVM,
		   0, 0);

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		fake_msr(msrs[i])->exists = true;

	fake.global.magic = SYMSPY_GLOBAL_MAGIC;
	fake.global.ext.magic = SYMSPY_EXT_MAGIC;
	fake.global.ext.size = 40 + sizeof(struct symspy_dma) +
			       sizeof(struct symspy_swap);
	if (features & SYMB_FEAT_MODULES)
		fake.global.ext.size += sizeof(struct symspy_paging) +
					sizeof(struct symspy_modules);
	fake.global.ext.major = SYMB_ABI_MAJOR;
	fake.global.ext.minor = SYMB_ABI_MINOR;
	fake.global.features = features;
	memcpy(&fake.local.magic, "V3V.12\0", 8);
	fake.local.ext = fake.global.ext;
	fake.local.ext.size = 32 + 16 * SYMB_LOOKUP_MAX;
}

/* ---- the port -------------------------------------------------------- */

void symb_port_cpuid(__u32 leaf, struct symb_cpuid *out)
{
	unsigned int i;

	fake.cpuids++;
	*out = fake.out_of_range;
	for (i = 0; i < fake.nr_leaves; i++)
		if (fake.leaves[i].leaf == leaf)
			*out = fake.leaves[i].r;
}

int symb_port_rdmsr(__u32 msr, __u64 *val)
{
	struct fake_msr *m = fake_msr(msr);

	if (!m->exists)
		return -EIO;
	*val = m->val;
	return 0;
}

int symb_port_wrmsr(__u32 msr, __u64 val)
{
	struct fake_msr *m = fake_msr(msr);

	m->writes++;
	if (!m->exists || (m->refuses && val))
		return -EIO;
	if (!m->forgets)
		m->val = val;
	return 0;
}

void *symb_port_map(__u64 gpa)
{
	if (fake.map_fails)
		return NULL;
	fake.mapped++;
	if (gpa == fake_msr(SYMB_MSR_GLOBAL_PAGE)->val)
		return &fake.global;
	if (gpa == fake_msr(SYMB_MSR_LOCAL_PAGE)->val)
		return &fake.local;
	abort();
}

void symb_port_unmap(void *va)
{
	if (va != &fake.global && va != &fake.local)
		abort();
	fake.mapped--;
}

void symb_port_who(struct symb_who *who)
{
	*who = fake.who;
}

void symb_port_sync_calls(void)
{
	fake.syncs++;
}

void fake_log(const char *fmt, ...)
{
	va_list ap;

	fake.log_lines++;
	if (fake.quiet)
		return;
	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/* ---- reporting ------------------------------------------------------- */

static const char *test_name;
static bool test_failed;

void check(bool ok, const char *expr, const char *file, int line)
{
	if (ok)
		return;
	test_failed = true;
	printf("# %s:%d: failed: %s\n", file, line, expr);
}

void check_eq(long long a, long long b, const char *expr, const char *file,
	      int line)
{
	if (a == b)
		return;
	test_failed = true;
	printf("# %s:%d: failed: %s: %#llx, %#llx\n", file, line, expr, a, b);
}

void test_begin(const char *name)
{
	test_name = name;
	test_failed = false;
}

void test_end(void)
{
	ktap(!test_failed, "%s", test_name);
}

int test_report(void)
{
	return ktap_end();
}
