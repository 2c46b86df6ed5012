// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of discovery, negotiation and the SymSpy pages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake_vmm.h"

#define GPA	0xfc00000000ULL
#define ALL	SYMB_FEAT_ALL
/* What needs no more than the page of version 1.3. */
#define OLD	(ALL & ~SYMB_FEAT_MODULES)

/* ---- discovery: one row is one machine ------------------------------- */

static void bare_amd(void)
{
	fake_bare_metal(false);
}

static void bare_intel(void)
{
	fake_bare_metal(true);
}

/* The highest basic leaf happens to begin like our signature. */
static void bare_intel_half_signature(void)
{
	fake_bare_metal(true);
	fake.out_of_range.eax = SYMB_CPUID_V3V_EAX;
}

/* Leaves in the hypervisor range, but no hypervisor according to leaf 1. */
static void no_hypervisor_bit(void)
{
	fake_symbiotic(ALL, 0x40000100);
	fake_cpuid(1, 0, 0, 0x7ffafbff, 0);
	fake_cpuid(SYMB_CPUID_V3V, 0, 0, 0, 0);
}

static void other_kvm(void)
{
	fake_other_vmm("KVMKVMKVM\0\0\0");
}

static void other_xen(void)
{
	fake_other_vmm("XenVMMXenVMM");
}

static void other_hyperv(void)
{
	fake_other_vmm("Microsoft Hv");
}

static void wrong_v3v_vendor(void)
{
	fake_bare_metal(false);
	fake_cpuid(SYMB_CPUID_V3V, SYMB_CPUID_V3V_EAX, 0x12345678, 0, 0);
}

static void full_first_base(void)
{
	fake_symbiotic(ALL, 0x40000000);
}

static void full_second_base(void)
{
	fake_symbiotic(ALL, 0x40000100);
}

static void full_last_base(void)
{
	fake_symbiotic(ALL, 0x4000ff00);
}

/* Without the published leaf the search ends after a few empty bases. */
static void last_base_only(void)
{
	fake_symbiotic(ALL, 0x4000ff00);
	fake_cpuid(SYMB_CPUID_V3V, 0, 0, 0, 0);
}

static void second_base_only(void)
{
	fake_symbiotic(ALL, 0x40000100);
	fake_cpuid(SYMB_CPUID_V3V, 0, 0, 0, 0);
}

static void beyond_last_base(void)
{
	fake_symbiotic(ALL, 0x40010000);
	fake_cpuid(SYMB_CPUID_V3V, 0, 0, 0, 0);
}

static void published_only(void)
{
	fake_other_vmm("KVMKVMKVM\0\0\0");
	fake_cpuid(SYMB_CPUID_V3V, SYMB_CPUID_V3V_EAX, SYMB_CPUID_V3V_EBX_VMX,
		   0, 0);
}

static void set_features(__u32 eax, __u32 ebx, __u32 ecx, __u32 edx)
{
	fake_symbiotic(ALL, 0x40000100);
	fake_cpuid(0x40000101, eax, ebx, ecx, edx);
}

static void newer_major(void)
{
	set_features(ALL, 2 << 16, 0, 0);
}

static void zero_version(void)
{
	set_features(ALL, 0, 0, 0);
}

static void newer_minor(void)
{
	set_features(ALL, 1 << 16 | 7, 0x1234, 0);
}

static void reserved_ecx(void)
{
	set_features(ALL, 1 << 16, 1, 0);
}

static void reserved_edx(void)
{
	set_features(ALL, 1 << 16, 0, 0x80000000);
}

static void unknown_features(void)
{
	set_features(0xffffffff, 1 << 16, 0, 0);
}

static void no_features(void)
{
	set_features(0, 1 << 16, 0, 0);
}

static void bypass_without_symcall(void)
{
	set_features(SYMB_FEAT_SYMSPY | SYMB_FEAT_SWAPBYPASS, 1 << 16, 0, 0);
}

static void max_leaf_too_low(void)
{
	full_second_base();
	fake_cpuid(0x40000100, 0x40000100, 0x626d7953, 0x69746f69, 0x4d4d5663);
}

static void max_leaf_too_high(void)
{
	full_second_base();
	fake_cpuid(0x40000100, 0x40000200, 0x626d7953, 0x69746f69, 0x4d4d5663);
}

static const struct {
	const char *name;
	void (*machine)(void);
	int ret;
	__u32 hv_base;
	__u32 offered;
	bool logs;
} discoveries[] = {
	{ "bare metal, AMD", bare_amd, -ENODEV },
	{ "bare metal, Intel", bare_intel, -ENODEV },
	{ "bare metal, half a signature", bare_intel_half_signature, -ENODEV },
	{ "no hypervisor bit", no_hypervisor_bit, -ENODEV },
	{ "KVM", other_kvm, -ENODEV },
	{ "Xen", other_xen, -ENODEV },
	{ "Hyper-V", other_hyperv, -ENODEV },
	{ "V3V leaf with an unknown vendor", wrong_v3v_vendor, -ENODEV },
	{ "ours at the first base", full_first_base, 0, 0x40000000, ALL },
	{ "ours at the second base", full_second_base, 0, 0x40000100, ALL },
	{ "ours at the last base", full_last_base, 0, 0x4000ff00, ALL },
	{ "ours behind a gap, unannounced", last_base_only, -ENODEV },
	{ "ours without the published leaf", second_base_only, 0, 0x40000100, ALL },
	{ "ours beyond the range", beyond_last_base, -ENODEV },
	{ "published leaf only", published_only, 0, 0, SYMB_FEAT_SYMSPY },
	{ "newer major version", newer_major, -EPROTO, 0x40000100, 0, true },
	{ "version 0.0", zero_version, -EPROTO, 0x40000100, 0, true },
	{ "newer minor version", newer_minor, 0, 0x40000100, ALL },
	{ "reserved ECX", reserved_ecx, -EPROTO, 0x40000100, 0, true },
	{ "reserved EDX", reserved_edx, -EPROTO, 0x40000100, 0, true },
	{ "unknown features", unknown_features, 0, 0x40000100, ALL },
	{ "no features", no_features, 0, 0x40000100, 0 },
	{ "bypass without symcall", bypass_without_symcall, 0, 0x40000100,
	  SYMB_FEAT_SYMSPY },
	{ "highest leaf too low", max_leaf_too_low, -EPROTO, 0x40000100, 0, true },
	{ "highest leaf too high", max_leaf_too_high, -EPROTO, 0x40000100, 0, true },
};

static void test_discover(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(discoveries); i++) {
		struct symspy_vmm vmm;

		test_begin(discoveries[i].name);
		discoveries[i].machine();
		CHECK_EQ(symspy_discover(&vmm), discoveries[i].ret);
		CHECK_EQ(vmm.hv_base, discoveries[i].hv_base);
		CHECK_EQ(vmm.offered, discoveries[i].offered);
		CHECK_EQ(fake.log_lines, discoveries[i].logs);
		/* Where nothing hints at us, it must be cheap. */
		if (!vmm.published)
			CHECK(fake.cpuids <= 8);
		test_end();
	}
}

/* ---- negotiation ----------------------------------------------------- */

static void test_accept(void)
{
	struct fake_msr *m;
	struct symspy_vmm vmm;
	__u32 accepted;

	test_begin("accept: what both have");
	fake_symbiotic(SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	CHECK_EQ(symspy_accept(&vmm, ALL, &accepted), 0);
	CHECK_EQ(accepted, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL);
	CHECK_EQ(fake_msr(SYMB_MSR_FEATURES)->val, accepted);
	symspy_withdraw(&vmm);
	CHECK_EQ(fake_msr(SYMB_MSR_FEATURES)->val, 0);
	test_end();

	test_begin("accept: VMM refuses");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	fake_msr(SYMB_MSR_FEATURES)->refuses = true;
	CHECK_EQ(symspy_accept(&vmm, ALL, &accepted), -EIO);
	CHECK_EQ(accepted, 0);
	CHECK_EQ(fake.log_lines, 1);
	test_end();

	test_begin("accept: no such MSR");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	fake_msr(SYMB_MSR_FEATURES)->exists = false;
	CHECK_EQ(symspy_accept(&vmm, ALL, &accepted), -EIO);
	CHECK_EQ(accepted, 0);
	test_end();

	test_begin("accept: VMM does not keep the value");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	m = fake_msr(SYMB_MSR_FEATURES);
	m->forgets = true;
	m->val = 0xdead;
	CHECK_EQ(symspy_accept(&vmm, ALL, &accepted), -EPROTO);
	CHECK_EQ(accepted, 0);
	CHECK_EQ(fake.log_lines, 1);
	test_end();

	test_begin("accept: published VMM has no such MSR");
	published_only();
	CHECK_EQ(symspy_discover(&vmm), 0);
	CHECK(vmm.vmx);
	CHECK_EQ(symspy_accept(&vmm, ALL, &accepted), 0);
	CHECK_EQ(accepted, SYMB_FEAT_SYMSPY);
	CHECK_EQ(fake_msr(SYMB_MSR_FEATURES)->writes, 0);
	symspy_withdraw(&vmm);
	CHECK_EQ(fake_msr(SYMB_MSR_FEATURES)->writes, 0);
	test_end();
}

/* ---- pages: one row is one thing that the VMM does wrong -------------- */

static void nothing(void) { }

#define SPOIL(_name, _stmt)						\
static void _name(void)							\
{									\
	_stmt;								\
}

SPOIL(g_magic, fake.global.magic ^= 1ULL << 40)
SPOIL(g_zero, memset(&fake.global, 0, sizeof(fake.global)))
SPOIL(g_ones, memset(&fake.global, 0xff, sizeof(fake.global)))
SPOIL(g_ext_magic, fake.global.ext.magic++)
SPOIL(g_ext_major, fake.global.ext.major = 2)
SPOIL(g_ext_minor, fake.global.ext.minor = 9; fake.global.ext.reserved = 1)
SPOIL(g_ext_short, fake.global.ext.size = 39)
SPOIL(g_ext_no_swap, fake.global.ext.size -= 1 + sizeof(fake.global.swap.held))
SPOIL(g_ext_1_2, fake.global.ext.size -= sizeof(fake.global.swap.held))
SPOIL(g_ext_no_dma, fake.global.ext.size -= 1 + sizeof(struct symspy_swap))
SPOIL(g_ext_long, fake.global.ext.size = SYMB_PAGE_SIZE)
SPOIL(g_ext_longer, fake.global.ext.size = SYMB_PAGE_SIZE - 256)
SPOIL(g_ext_huge, fake.global.ext.size = 0xffffffff)
SPOIL(g_ext_reserved, fake.global.ext.reserved = 1)
SPOIL(g_features, fake.global.features = SYMB_FEAT_SYMSPY)
SPOIL(g_refuse, fake_msr(SYMB_MSR_GLOBAL_PAGE)->refuses = true)
SPOIL(g_forget, fake_msr(SYMB_MSR_GLOBAL_PAGE)->forgets = true)
SPOIL(g_nomap, fake.map_fails = true)

SPOIL(l_magic, memcpy(&fake.local.magic, "V4V.1\0\0", 8))
SPOIL(l_no_digit, memcpy(&fake.local.magic, "V3V.\0\0\0", 8))
SPOIL(l_letter, memcpy(&fake.local.magic, "V3V.1a\0", 8))
SPOIL(l_gap, memcpy(&fake.local.magic, "V3V.1\0\62", 8))
SPOIL(l_four, memcpy(&fake.local.magic, "V3V.9999", 8))
SPOIL(l_zero, memset(&fake.local, 0, sizeof(fake.local)))
SPOIL(l_ones, memset(&fake.local, 0xff, sizeof(fake.local)))
SPOIL(l_ext_magic, fake.local.ext.magic = 0)
SPOIL(l_ext_major, fake.local.ext.major = 0)
SPOIL(l_ext_short, fake.local.ext.size -= 1)
SPOIL(l_ext_long, fake.local.ext.size = 3841)
SPOIL(l_ext_reserved, fake.local.ext.reserved = 0x80000000)
SPOIL(l_refuse, fake_msr(SYMB_MSR_LOCAL_PAGE)->refuses = true)
SPOIL(l_forget, fake_msr(SYMB_MSR_LOCAL_PAGE)->forgets = true)

static const struct {
	const char *name;
	bool local;
	void (*spoil)(void);
	int ret;
	bool ext;
	bool quiet;
} pages[] = {
	{ "global: right", false, nothing, 0, true, true },
	{ "global: wrong magic", false, g_magic, -EPROTO },
	{ "global: all zero", false, g_zero, -EPROTO },
	{ "global: all ones", false, g_ones, -EPROTO },
	{ "global: no extension", false, g_ext_magic, 0 },
	{ "global: newer major", false, g_ext_major, 0 },
	{ "global: newer minor", false, g_ext_minor, 0, true, true },
	{ "global: extension too short", false, g_ext_short, 0 },
	{ "global: no room for DMA ranges", false, g_ext_no_dma, 0 },
	{ "global: no room for the swap grant", false, g_ext_no_swap, 0 },
	{ "global: extension of version 1.2", false, g_ext_1_2, 0, true, true },
	{ "global: extension beyond the page", false, g_ext_long, 0 },
	{ "global: extension fills the page", false, g_ext_longer, 0, true, true },
	{ "global: extension of 4 GiB", false, g_ext_huge, 0 },
	{ "global: reserved field", false, g_ext_reserved, 0 },
	{ "global: features differ from CPUID", false, g_features, 0 },
	{ "global: address refused", false, g_refuse, -EBUSY, false, true },
	{ "global: address not kept", false, g_forget, -EPROTO },
	{ "global: cannot be mapped", false, g_nomap, -ENOMEM, false, true },
	{ "local: right", true, nothing, 0, true, true },
	{ "local: wrong magic", true, l_magic, -EPROTO },
	{ "local: no number", true, l_no_digit, -EPROTO },
	{ "local: letter in the number", true, l_letter, -EPROTO },
	{ "local: gap in the number", true, l_gap, -EPROTO },
	{ "local: four digits", true, l_four, 0, true, true },
	{ "local: all zero", true, l_zero, -EPROTO },
	{ "local: all ones", true, l_ones, -EPROTO },
	{ "local: no extension", true, l_ext_magic, 0 },
	{ "local: other major", true, l_ext_major, 0 },
	{ "local: extension too short", true, l_ext_short, 0 },
	{ "local: extension beyond the page", true, l_ext_long, 0 },
	{ "local: reserved field", true, l_ext_reserved, 0 },
	{ "local: address refused", true, l_refuse, -EBUSY, false, true },
	{ "local: address not kept", true, l_forget, -EPROTO },
	{ "local: cannot be mapped", true, g_nomap, -ENOMEM, false, true },
};

static void test_pages(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		__u32 msr = pages[i].local ? SYMB_MSR_LOCAL_PAGE :
					     SYMB_MSR_GLOBAL_PAGE;
		struct symspy_page page = { 0 };
		struct symspy_vmm vmm;
		int ret;

		test_begin(pages[i].name);
		fake_symbiotic(OLD, 0x40000100);
		CHECK_EQ(symspy_discover(&vmm), 0);
		pages[i].spoil();

		ret = pages[i].local ? symspy_local_on(&page, &vmm, GPA) :
				       symspy_global_on(&page, &vmm, GPA);
		CHECK_EQ(ret, pages[i].ret);
		CHECK_EQ(page.ext, pages[i].ext);
		CHECK_EQ(page.live, !ret);
		/* One clear line, or none. */
		CHECK_EQ(fake.log_lines, !pages[i].quiet);
		/* A failure leaves nothing behind. */
		CHECK_EQ(fake.mapped, !ret);
		CHECK_EQ(fake_msr(msr)->val, ret ? 0 : GPA);

		if (pages[i].local)
			symspy_local_off(&page);
		else
			symspy_global_off(&page);
		CHECK_EQ(fake_msr(msr)->val, 0);
		CHECK(!page.live);
		symspy_page_release(&page);
		CHECK_EQ(fake.mapped, 0);
		test_end();
	}
}

static void test_page_life(void)
{
	struct symspy_page page = { 0 };
	struct symspy_vmm vmm;

	test_begin("page: bad addresses never reach the VMM");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	CHECK_EQ(symspy_global_on(&page, &vmm, 0), -EINVAL);
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA + 8), -EINVAL);
	CHECK_EQ(fake_msr(SYMB_MSR_GLOBAL_PAGE)->writes, 0);
	test_end();

	test_begin("page: off and on again keeps the mapping");
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	symspy_global_off(&page);
	symspy_global_off(&page);
	CHECK_EQ(fake_msr(SYMB_MSR_GLOBAL_PAGE)->writes, 2);
	CHECK_EQ(fake.mapped, 1);
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA + 4096), -EINVAL);
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	CHECK_EQ(fake.mapped, 1);
	CHECK(page.live && page.ext);
	test_end();

	test_begin("page: garbage after resume");
	symspy_global_off(&page);
	fake.global.magic = 0;
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), -EPROTO);
	CHECK(!page.live && !page.ext);
	CHECK_EQ(fake_msr(SYMB_MSR_GLOBAL_PAGE)->val, 0);
	CHECK_EQ(fake.mapped, 1);
	symspy_page_release(&page);
	CHECK_EQ(fake.mapped, 0);
	test_end();

	test_begin("page: the part on paging, if there is one");
	fake_symbiotic(OLD, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	memset(&page, 0, sizeof(page));
	CHECK(!symspy_paging(&page));
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	CHECK(!symspy_paging(&page));
	fake.global.ext.size += sizeof(struct symspy_paging) - 1;
	CHECK(!symspy_paging(&page));
	fake.global.ext.size++;
	CHECK(symspy_paging(&page) == &fake.global.paging);
	page.ext = false;
	CHECK(!symspy_paging(&page));
	page.ext = true;
	symspy_global_off(&page);
	CHECK(!symspy_paging(&page));
	symspy_page_release(&page);
	test_end();

	test_begin("page: the part on modules");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	memset(&page, 0, sizeof(page));
	CHECK(!symspy_modules(&page));
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	CHECK(page.ext);
	CHECK(symspy_modules(&page) == &fake.global.modules);
	fake.global.ext.size--;
	CHECK(!symspy_modules(&page));
	symspy_global_off(&page);
	CHECK(!symspy_modules(&page));
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	CHECK(!page.ext);
	CHECK_EQ(fake.log_lines, 1);
	symspy_page_release(&page);
	test_end();

	test_begin("page: published VMM, no extension, no complaint");
	fake_symbiotic(ALL, 0x40000100);
	memset(&fake.global.ext, 0, sizeof(fake.global.ext));
	memset(&vmm, 0, sizeof(vmm));
	vmm.published = true;
	vmm.offered = SYMB_FEAT_SYMSPY;
	CHECK_EQ(symspy_global_on(&page, &vmm, GPA), 0);
	CHECK(page.live && !page.ext);
	CHECK_EQ(fake.log_lines, 0);
	test_end();

	test_begin("local page: number of the vCPU");
	memset(&page, 0, sizeof(page));
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symspy_discover(&vmm), 0);
	CHECK_EQ(symspy_local_on(&page, &vmm, GPA), 0);
	CHECK_EQ(page.vcpu, 12);
	test_end();
}

/* Whatever the VMM says, nothing is read or mapped that should not be. */
static void test_garbage(void)
{
	unsigned int i;

	test_begin("random machines");
	srandom(534);
	for (i = 0; i < 20000; i++) {
		struct symspy_page page = { 0 };
		struct symspy_vmm vmm;
		unsigned int k;
		__u32 accepted;
		__u8 *p;

		fake_symbiotic(random(), 0x40000000 + (random() % 4) * 0x100);
		fake.quiet = true;
		for (k = 0; k < 3; k++) {
			p = (__u8 *)&fake.global + random() % 300;
			*p ^= random() % 3 ? 0 : random();
			p = (__u8 *)&fake.local + random() % 300;
			*p ^= random() % 3 ? 0 : random();
		}
		fake_msr(SYMB_MSR_FEATURES)->forgets = !(random() % 8);
		fake_msr(SYMB_MSR_GLOBAL_PAGE)->forgets = !(random() % 8);
		fake_msr(SYMB_MSR_LOCAL_PAGE)->refuses = !(random() % 8);

		if (symspy_discover(&vmm))
			continue;
		CHECK_EQ(vmm.offered & ~ALL, 0);
		if (symspy_accept(&vmm, ALL, &accepted))
			CHECK_EQ(accepted, 0);
		if (!symspy_global_on(&page, &vmm, GPA))
			CHECK(page.va == &fake.global);
		else
			CHECK(!page.va);
		symspy_global_off(&page);
		symspy_page_release(&page);
		if (symspy_local_on(&page, &vmm, GPA + 4096))
			CHECK(!page.va);
		symspy_local_off(&page);
		symspy_page_release(&page);
		CHECK_EQ(fake.mapped, 0);
	}
	test_end();
}

/* ---- SymCall MSRs ---------------------------------------------------- */

static void test_symcall_msrs(void)
{
	static const __u32 msrs[] = {
		SYMB_MSR_SYMCALL_RIP, SYMB_MSR_SYMCALL_RSP,
		SYMB_MSR_SYMCALL_CS, SYMB_MSR_SYMCALL_GS,
		SYMB_MSR_SYMCALL_FS,
	};
	const struct symcall_setup setup = {
		.rip = 1, .rsp = 2, .cs = 3, .gs = 4, .fs = 5,
	};
	unsigned int i;

	test_begin("symcall MSRs: set, and off");
	fake_symbiotic(ALL, 0x40000100);
	CHECK_EQ(symcall_enable(&setup), 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(fake_msr(msrs[i])->val, i + 1);
	symcall_disable();
	CHECK_EQ(fake_msr(SYMB_MSR_SYMCALL_RIP)->val, 0);
	test_end();

	for (i = 0; i < 5; i++) {
		static const char * const names[] = {
			"symcall MSRs: RIP refused", "symcall MSRs: RSP refused",
			"symcall MSRs: CS refused", "symcall MSRs: GS refused",
			"symcall MSRs: FS refused",
		};

		test_begin(names[i]);
		fake_symbiotic(ALL, 0x40000100);
		fake_msr(msrs[i])->refuses = true;
		CHECK_EQ(symcall_enable(&setup), -EIO);
		CHECK_EQ(fake_msr(SYMB_MSR_SYMCALL_RIP)->val, 0);
		test_end();
	}
}

int main(void)
{
	test_discover();
	test_accept();
	test_pages();
	test_page_life();
	test_garbage();
	test_symcall_msrs();
	return test_report();
}
