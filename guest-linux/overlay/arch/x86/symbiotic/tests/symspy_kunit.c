// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of discovery, negotiation and the SymSpy pages against a machine
 * that exists only in this file. They run on any machine, bare metal included.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <symbiotic/symspy.h>

#define TEST_GPA	0xfc00000000ULL
#define OUR_BASE	0x40000100
#define NR_MSRS		3

/* Where CPUID differs from a machine with our VMM at the second base. */
struct machine {
	const char *name;
	/* Discovery. */
	bool no_published;
	bool no_hypervisor;
	bool no_ours;
	bool intel;
	u32 version;
	u32 features;
	u32 max_leaf;
	u32 reserved;
	/* Pages. */
	bool local;
	bool refuse;
	bool forget;
	u64 magic_flip;
	u32 ext_magic_flip;
	u32 ext_size;
	u16 ext_major;
	u32 ext_reserved;
	u32 page_features;
	/* Expected. */
	int ret;
	u32 offered;
	bool ext;
};

struct fake {
	const struct machine *m;
	struct symspy_global *global;
	struct symspy_local *local;
	u64 features;
	u64 global_gpa;
	u64 local_gpa;
	int mapped;
};

static struct fake *get_fake(void)
{
	return kunit_get_current_test()->priv;
}

static void fake_cpuid(__u32 leaf, struct symb_cpuid *out)
{
	const struct machine *m = get_fake()->m;
	u32 sig[3];

	/* Intel answers an unknown leaf with data of the highest basic one. */
	memset(out, m->intel ? 0x42 : 0, sizeof(*out));

	switch (leaf) {
	case 1:
		out->ecx = m->no_hypervisor ? 0 : 0x80000000;
		break;
	case SYMB_CPUID_V3V:
		if (m->no_published)
			break;
		out->eax = SYMB_CPUID_V3V_EAX;
		out->ebx = SYMB_CPUID_V3V_EBX_SVM;
		break;
	case SYMB_CPUID_HV_FIRST:
		if (m->no_hypervisor)
			break;
		memcpy(sig, "KVMKVMKVM\0\0\0", sizeof(sig));
		*out = (struct symb_cpuid){ leaf + 1, sig[0], sig[1], sig[2] };
		break;
	case OUR_BASE:
		if (m->no_ours)
			break;
		memcpy(sig, SYMB_CPUID_HV_SIGNATURE, sizeof(sig));
		*out = (struct symb_cpuid){
			m->max_leaf ?: leaf + 1, sig[0], sig[1], sig[2] };
		break;
	case OUR_BASE + 1:
		out->eax = m->features;
		out->ebx = m->version;
		out->ecx = m->reserved;
		out->edx = 0;
		break;
	}
}

static u64 *fake_msr(__u32 msr)
{
	struct fake *f = get_fake();

	switch (msr) {
	case SYMB_MSR_FEATURES:
		return &f->features;
	case SYMB_MSR_GLOBAL_PAGE:
		return &f->global_gpa;
	case SYMB_MSR_LOCAL_PAGE:
		return &f->local_gpa;
	}
	return NULL;
}

static int fake_rdmsr(__u32 msr, __u64 *val)
{
	u64 *p = fake_msr(msr);

	if (!p)
		return -EIO;
	*val = *p;
	return 0;
}

static int fake_wrmsr(__u32 msr, __u64 val)
{
	const struct machine *m = get_fake()->m;
	u64 *p = fake_msr(msr);

	if (!p || (m->refuse && val))
		return -EIO;
	if (!m->forget)
		*p = val;
	return 0;
}

static void *fake_map(__u64 gpa)
{
	struct fake *f = get_fake();

	f->mapped++;
	return f->m->local ? (void *)f->local : (void *)f->global;
}

static void fake_unmap(void *va)
{
	get_fake()->mapped--;
}

static void fill_ext(const struct machine *m, struct symspy_ext_header *ext,
		     u32 size)
{
	ext->magic = SYMSPY_EXT_MAGIC ^ m->ext_magic_flip;
	ext->size = m->ext_size ?: size;
	ext->major = m->ext_major ?: SYMB_ABI_MAJOR;
	ext->minor = SYMB_ABI_MINOR;
	ext->reserved = m->ext_reserved;
}

static void use_machine(struct kunit *test, const struct machine *m)
{
	struct fake *f = test->priv;

	f->m = m;
	f->global->magic = SYMSPY_GLOBAL_MAGIC ^ m->magic_flip;
	f->global->features = m->page_features ?: m->features;
	fill_ext(m, &f->global->ext,
		 offsetof(struct symspy_global, pad1) - SYMSPY_EXT_OFFSET);
	memcpy(&f->local->magic, "V3V.3\0\0", 8);
	f->local->magic ^= m->magic_flip;
	fill_ext(m, &f->local->ext, 32 + 16 * SYMB_LOOKUP_MAX);

	kunit_activate_static_stub(test, symb_port_cpuid, fake_cpuid);
	kunit_activate_static_stub(test, symb_port_rdmsr, fake_rdmsr);
	kunit_activate_static_stub(test, symb_port_wrmsr, fake_wrmsr);
	kunit_activate_static_stub(test, symb_port_map, fake_map);
	kunit_activate_static_stub(test, symb_port_unmap, fake_unmap);
}

static int symspy_test_init(struct kunit *test)
{
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->global = kunit_kzalloc(test, sizeof(*f->global), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->global);
	f->local = kunit_kzalloc(test, sizeof(*f->local), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->local);
	test->priv = f;
	return 0;
}

#define OURS	.version = 1 << 16, .features = SYMB_FEAT_ALL
#define NONE	.no_published = true, .no_ours = true

static void machine_desc(const struct machine *m, char *desc)
{
	strscpy(desc, m->name, KUNIT_PARAM_DESC_SIZE);
}

/* ---- discovery ------------------------------------------------------- */

static const struct machine discover_cases[] = {
	{ "bare metal AMD", NONE, .no_hypervisor = true, .ret = -ENODEV },
	{ "bare metal Intel", NONE, .no_hypervisor = true, .intel = true,
	  .ret = -ENODEV },
	{ "plain KVM", NONE, .ret = -ENODEV },
	{ "plain KVM on Intel", NONE, .intel = true, .ret = -ENODEV },
	{ "symbiotic", OURS, .offered = SYMB_FEAT_ALL },
	{ "no published leaf", OURS, .no_published = true,
	  .offered = SYMB_FEAT_ALL },
	{ "published leaf only", .no_ours = true,
	  .offered = SYMB_FEAT_SYMSPY },
	{ "newer major", .version = 2 << 16, .ret = -EPROTO },
	{ "newer minor", .version = 1 << 16 | 9, .features = SYMB_FEAT_ALL,
	  .reserved = 1, .offered = SYMB_FEAT_ALL },
	{ "reserved bits", OURS, .reserved = 1, .ret = -EPROTO },
	{ "unknown features", .version = 1 << 16, .features = ~0U,
	  .offered = SYMB_FEAT_ALL },
	{ "bypass without symcall", .version = 1 << 16,
	  .features = SYMB_FEAT_SYMSPY | SYMB_FEAT_SWAPBYPASS,
	  .offered = SYMB_FEAT_SYMSPY },
	{ "highest leaf too low", OURS, .max_leaf = OUR_BASE,
	  .ret = -EPROTO },
	{ "highest leaf too high", OURS, .max_leaf = OUR_BASE + 0x100,
	  .ret = -EPROTO },
};

KUNIT_ARRAY_PARAM(discover, discover_cases, machine_desc);

static void discover_test(struct kunit *test)
{
	const struct machine *m = test->param_value;
	struct symspy_vmm vmm;

	use_machine(test, m);
	KUNIT_EXPECT_EQ(test, symspy_discover(&vmm), m->ret);
	KUNIT_EXPECT_EQ(test, vmm.offered, m->offered);
}

/* ---- negotiation ----------------------------------------------------- */

static const struct machine accept_cases[] = {
	{ "accepted", OURS, .offered = SYMB_FEAT_ALL },
	{ "subset", .version = 1 << 16, .features = SYMB_FEAT_SYMSPY,
	  .offered = SYMB_FEAT_SYMSPY },
	{ "refused", OURS, .refuse = true, .ret = -EIO },
	{ "not kept", OURS, .forget = true, .ret = -EPROTO },
};

KUNIT_ARRAY_PARAM(accept, accept_cases, machine_desc);

static void accept_test(struct kunit *test)
{
	const struct machine *m = test->param_value;
	struct fake *f = test->priv;
	struct symspy_vmm vmm;
	u32 accepted;

	use_machine(test, m);
	KUNIT_ASSERT_EQ(test, symspy_discover(&vmm), 0);
	KUNIT_EXPECT_EQ(test, symspy_accept(&vmm, SYMB_FEAT_ALL, &accepted),
			m->ret);
	KUNIT_EXPECT_EQ(test, accepted, m->offered);
	KUNIT_EXPECT_EQ(test, f->features, m->offered);
	symspy_withdraw(&vmm);
	KUNIT_EXPECT_EQ(test, f->features, 0);
}

/* ---- pages ----------------------------------------------------------- */

static const struct machine page_cases[] = {
	{ "global", OURS, .ext = true },
	{ "global magic", OURS, .magic_flip = 0x100, .ret = -EPROTO },
	{ "global address refused", OURS, .refuse = true, .ret = -EBUSY },
	{ "global address not kept", OURS, .forget = true, .ret = -EPROTO },
	{ "global without extension", OURS, .ext_magic_flip = 1 },
	{ "global newer major", OURS, .ext_major = 2 },
	{ "global short", OURS, .ext_size = 39 },
	{ "global too long", OURS, .ext_size = SYMB_PAGE_SIZE },
	{ "global reserved", OURS, .ext_reserved = 1 },
	{ "global features differ", OURS, .page_features = 1 },
	{ "local", OURS, .local = true, .ext = true },
	{ "local magic", OURS, .local = true, .magic_flip = 1,
	  .ret = -EPROTO },
	{ "local number", OURS, .local = true, .magic_flip = 0x7000000000,
	  .ret = -EPROTO },
	{ "local padding", OURS, .local = true, .magic_flip = 1ULL << 63,
	  .ret = -EPROTO },
	{ "local address refused", OURS, .local = true, .refuse = true,
	  .ret = -EBUSY },
	{ "local short", OURS, .local = true, .ext_size = 1055 },
	{ "local too long", OURS, .local = true, .ext_size = 3841 },
};

KUNIT_ARRAY_PARAM(page, page_cases, machine_desc);

static void page_test(struct kunit *test)
{
	const struct machine *m = test->param_value;
	struct fake *f = test->priv;
	struct symspy_page page = { };
	u64 *gpa = m->local ? &f->local_gpa : &f->global_gpa;
	struct symspy_vmm vmm;
	int ret;

	use_machine(test, m);
	KUNIT_ASSERT_EQ(test, symspy_discover(&vmm), 0);

	ret = m->local ? symspy_local_on(&page, &vmm, TEST_GPA) :
			 symspy_global_on(&page, &vmm, TEST_GPA);
	KUNIT_EXPECT_EQ(test, ret, m->ret);
	KUNIT_EXPECT_EQ(test, page.ext, m->ext);
	KUNIT_EXPECT_EQ(test, page.live, !ret);
	KUNIT_EXPECT_EQ(test, f->mapped, ret ? 0 : 1);
	KUNIT_EXPECT_EQ(test, *gpa, ret ? 0 : TEST_GPA);
	if (!ret && m->local)
		KUNIT_EXPECT_EQ(test, page.vcpu, 3);

	if (m->local)
		symspy_local_off(&page);
	else
		symspy_global_off(&page);
	symspy_page_release(&page);
	KUNIT_EXPECT_EQ(test, *gpa, 0);
	KUNIT_EXPECT_EQ(test, f->mapped, 0);
}

static void page_address_test(struct kunit *test)
{
	static const struct machine ours = { OURS };
	struct fake *f = test->priv;
	struct symspy_page page = { };
	struct symspy_vmm vmm;

	use_machine(test, &ours);
	KUNIT_ASSERT_EQ(test, symspy_discover(&vmm), 0);
	KUNIT_EXPECT_EQ(test, symspy_global_on(&page, &vmm, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, symspy_global_on(&page, &vmm, TEST_GPA + 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, f->global_gpa, 0);

	/* A page that was withdrawn comes back at its old address only. */
	KUNIT_EXPECT_EQ(test, symspy_global_on(&page, &vmm, TEST_GPA), 0);
	symspy_global_off(&page);
	KUNIT_EXPECT_EQ(test,
			symspy_global_on(&page, &vmm, TEST_GPA + PAGE_SIZE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, symspy_global_on(&page, &vmm, TEST_GPA), 0);
	KUNIT_EXPECT_EQ(test, f->mapped, 1);
}

static struct kunit_case symspy_test_cases[] = {
	KUNIT_CASE_PARAM(discover_test, discover_gen_params),
	KUNIT_CASE_PARAM(accept_test, accept_gen_params),
	KUNIT_CASE_PARAM(page_test, page_gen_params),
	KUNIT_CASE(page_address_test),
	{}
};

static struct kunit_suite symspy_test_suite = {
	.name = "symspy",
	.init = symspy_test_init,
	.test_cases = symspy_test_cases,
};

kunit_test_suite(symspy_test_suite);
