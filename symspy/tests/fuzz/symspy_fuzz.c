// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that lies to discovery, to the SymSpy pages and to the SymCall MSRs. Each of its
 * answers is right, or a choice of the input; and a page changes while it is read.
 *
 * The oracle remembers what was said. What the guest then uses must follow from that by
 * the rules of docs/abi.md; what it does not use must be off, and cost one line.
 */
#include <fuzz.h>

#include <stdarg.h>

#include <symbiotic/symspy.h>

#define BASES	((SYMB_CPUID_HV_LAST - SYMB_CPUID_HV_FIRST) / SYMB_CPUID_HV_STEP + 1)

/* ---- the VMM -------------------------------------------------------------- */

/* An MSR: what was written to it last, and how that ended. */
struct msr {
	__u64 val;
	bool kept;
};

static struct {
	__u32 base, features;	/* honest ones; base 0: none */
	bool published;
	struct symb_cpuid first, features_leaf;	/* what was said for our leaves */
	unsigned int cpuids, lines, mapped;
	struct msr features_msr;
	__u64 features_read;
	/* Of the SymCall MSRs: written since calls were off last. */
	unsigned int symcall_set;
	bool symcall_on;
} vmm;

static const struct symcall_setup setup = { 0x1000, 0x2000, 0x10, 0x3000, 0x4000 };

static void lie_about(__u32 *reg)
{
	*reg = fuzz_other(*reg, 4);
}

void symb_port_cpuid(__u32 leaf, struct symb_cpuid *out)
{
	uint8_t lie = fuzz_byte();
	__u32 sig[3];

	vmm.cpuids++;
	memset(out, 0, sizeof(*out));
	memcpy(sig, SYMB_CPUID_HV_SIGNATURE, sizeof(sig));
	if (leaf == 1)
		out->ecx = 1U << 31;
	else if (leaf == SYMB_CPUID_V3V && vmm.published)
		*out = (struct symb_cpuid){ SYMB_CPUID_V3V_EAX, SYMB_CPUID_V3V_EBX_SVM };
	else if (vmm.base && leaf == vmm.base)
		*out = (struct symb_cpuid){ leaf + 1, sig[0], sig[1], sig[2] };
	else if (vmm.base && leaf == vmm.base + SYMB_CPUID_HV_FEATURES)
		*out = (struct symb_cpuid){ vmm.features,
					    SYMB_ABI_MAJOR << 16 | SYMB_ABI_MINOR };
	if (lie & 1)
		lie_about(&out->eax);
	if (lie & 2)
		lie_about(&out->ebx);
	if (lie & 4)
		lie_about(&out->ecx);
	if (lie & 8)
		lie_about(&out->edx);

	if (leaf % SYMB_CPUID_HV_STEP == SYMB_CPUID_HV_FEATURES && leaf != 1)
		vmm.features_leaf = *out;
	else if (out->ebx == sig[0] && out->ecx == sig[1] && out->edx == sig[2])
		vmm.first = *out;
}

/* ---- the pages ------------------------------------------------------------ */

enum { GLOBAL, LOCAL, PAGES };

/* Behind them is what only the guest's users look at. */
#define FIELDS	offsetof(struct symspy_global, reserved0)

/* A field, and what it held when it was read first and last. */
struct field {
	__u64 first, last;
	bool read;
};

static struct guest_page {
	struct symspy_page page;
	struct msr msr;
	__u8 *memory;		/* alone, so that the sanitizer sees its end */
	struct field at[FIELDS];
} pages[PAGES];

static struct guest_page *page_of_msr(__u32 msr)
{
	switch (msr) {
	case SYMB_MSR_GLOBAL_PAGE:
		return &pages[GLOBAL];
	case SYMB_MSR_LOCAL_PAGE:
		return &pages[LOCAL];
	}
	return NULL;
}

static void fill(struct guest_page *p)
{
	struct symspy_ext_header ext = {
		.magic = SYMSPY_EXT_MAGIC,
		.major = SYMB_ABI_MAJOR,
		.minor = SYMB_ABI_MINOR,
	};

	memset(p->memory, 0, SYMB_PAGE_SIZE);
	memset(p->at, 0, sizeof(p->at));
	if (p == &pages[GLOBAL]) {
		struct symspy_global *g = (void *)p->memory;

		ext.size = 40 + sizeof(g->dma) + sizeof(g->swap);
		g->magic = SYMSPY_GLOBAL_MAGIC;
		g->features = vmm.features;
		g->ext = ext;
	} else {
		struct symspy_local *l = (void *)p->memory;

		ext.size = 32 + sizeof(l->lookup);
		memcpy(&l->magic, "V3V.12\0", 8);
		l->ext = ext;
	}
}

void fuzz_before_read(const volatile void *field, size_t size)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		size_t at = (const volatile __u8 *)field - pages[i].memory;
		struct field *f;
		__u64 v = 0;

		if (at >= SYMB_PAGE_SIZE)
			continue;
		MUST(at < FIELDS);
		f = &pages[i].at[at];
		memcpy(&v, pages[i].memory + at, size);
		if (fuzz_byte()) {
			v = fuzz_other(v, size);
			memcpy(pages[i].memory + at, &v, size);
			v &= ~0ULL >> (64 - 8 * size);
		}
		f->first = f->read ? f->first : v;
		f->last = v;
		f->read = true;
	}
}

#define FIELD(p, type, name)	(&(p)->at[offsetof(struct type, name)])

void *symb_port_map(__u64 gpa)
{
	unsigned int i;

	if (fuzz_byte())
		return NULL;
	for (i = 0; i < PAGES; i++) {
		if (pages[i].msr.kept && pages[i].msr.val == gpa && !pages[i].page.va) {
			vmm.mapped++;
			return pages[i].memory;
		}
	}
	/* Only what the VMM has taken is to be mapped. */
	abort();
}

void symb_port_unmap(void *va)
{
	MUST(va == pages[GLOBAL].memory || va == pages[LOCAL].memory);
	vmm.mapped--;
}

/* ---- MSRs ----------------------------------------------------------------- */

static const __u64 *setup_of_msr(__u32 msr)
{
	switch (msr) {
	case SYMB_MSR_SYMCALL_RSP:
		return &setup.rsp;
	case SYMB_MSR_SYMCALL_CS:
		return &setup.cs;
	case SYMB_MSR_SYMCALL_GS:
		return &setup.gs;
	case SYMB_MSR_SYMCALL_FS:
		return &setup.fs;
	}
	return NULL;
}

static void symcall_msr(__u32 msr, __u64 val)
{
	if (msr != SYMB_MSR_SYMCALL_RIP) {
		MUST(setup_of_msr(msr) && val == *setup_of_msr(msr));
		/* A call could start with half of them. */
		MUST(!vmm.symcall_on);
		vmm.symcall_set++;
	} else if (val) {
		MUST(val == setup.rip && vmm.symcall_set == 4);
		vmm.symcall_on = true;
	} else {
		vmm.symcall_on = false;
		vmm.symcall_set = 0;
	}
}

int symb_port_wrmsr(__u32 msr, __u64 val)
{
	struct guest_page *p = page_of_msr(msr);
	struct msr *m = p ? &p->msr : msr == SYMB_MSR_FEATURES ? &vmm.features_msr : NULL;
	/* Nobody can refuse to be told that it is over. */
	bool refused = val && fuzz_byte();

	if (refused)
		return -EIO;
	if (m)
		*m = (struct msr){ val, true };
	else
		symcall_msr(msr, val);
	if (p && val)
		fill(p);
	return 0;
}

int symb_port_rdmsr(__u32 msr, __u64 *val)
{
	struct guest_page *p = page_of_msr(msr);
	uint8_t lie = fuzz_byte();

	if (lie & 1)
		return -EIO;
	*val = p ? p->msr.val : vmm.features_msr.val;
	if (lie)
		*val = fuzz_other(*val, 8);
	if (!p)
		vmm.features_read = *val;
	return 0;
}

void fake_log(const char *fmt, ...)
{
	vmm.lines++;
}

/* ---- the oracle ----------------------------------------------------------- */

static bool offered_together(__u32 f)
{
	return (!(f & (SYMB_FEAT_SWAPBYPASS | SYMB_FEAT_MODULES)) ||
		(f & SYMB_FEAT_SYMSPY && f & SYMB_FEAT_SYMCALL)) &&
	       (!(f & (SYMB_FEAT_DMA_OFFSET | SYMB_FEAT_SWAP_GRANT)) ||
		f & SYMB_FEAT_SYMSPY);
}

static int discover(struct symspy_vmm *found)
{
	int ret = symspy_discover(found);
	__u32 base = found->hv_base;

	MUST(vmm.cpuids <= BASES + 3);
	MUST(vmm.lines == (ret == -EPROTO));
	MUST(!(found->offered & ~SYMB_FEAT_ALL) && offered_together(found->offered));
	if (ret) {
		MUST(ret == -ENODEV || ret == -EPROTO);
		MUST(!found->offered);
		return ret;
	}
	if (!base) {
		MUST(found->published && found->offered == SYMB_FEAT_SYMSPY);
		return 0;
	}
	MUST(base >= SYMB_CPUID_HV_FIRST && base <= SYMB_CPUID_HV_LAST);
	MUST(!(base % SYMB_CPUID_HV_STEP));
	MUST(vmm.first.eax > base && vmm.first.eax < base + SYMB_CPUID_HV_STEP);
	MUST(vmm.features_leaf.ebx >> 16 == SYMB_ABI_MAJOR);
	MUST((vmm.features_leaf.ebx & 0xffff) > SYMB_ABI_MINOR ||
	     (!vmm.features_leaf.ecx && !vmm.features_leaf.edx));
	MUST(!(found->offered & ~vmm.features_leaf.eax));
	return 0;
}

static void accept(const struct symspy_vmm *found)
{
	__u32 wanted = fuzz_byte() ^ SYMB_FEAT_ALL, accepted;
	int ret;

	symspy_withdraw(found);
	ret = symspy_accept(found, wanted, &accepted);
	MUST(vmm.lines == !!ret);
	MUST(!(accepted & ~(wanted & found->offered)));
	if (ret) {
		MUST(ret == -EIO || ret == -EPROTO);
		MUST(!accepted && !vmm.features_msr.val);
	} else if (found->hv_base) {
		MUST(vmm.features_msr.kept && vmm.features_msr.val == accepted);
		MUST(vmm.features_read == accepted);
	}
}

static bool extension_good(const struct guest_page *p, const struct symspy_vmm *found)
{
	/* The header is at the same place in both. */
	const struct field *magic = FIELD(p, symspy_global, ext.magic);
	const struct field *size = FIELD(p, symspy_global, ext.size);
	const struct field *minor = FIELD(p, symspy_global, ext.minor);
	__u64 room = SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET, need = 32 + 16 * SYMB_LOOKUP_MAX;

	if (p == &pages[GLOBAL]) {
		need = 40;
		if (found->offered & SYMB_FEAT_DMA_OFFSET)
			need += sizeof(struct symspy_dma);
		if (found->offered & SYMB_FEAT_SWAP_GRANT)
			need = 40 + sizeof(struct symspy_dma) + 32;
		if (found->offered & SYMB_FEAT_MODULES)
			need = offsetof(struct symspy_global, pad1) - SYMSPY_EXT_OFFSET;
		if (found->offered & ~FIELD(p, symspy_global, features)->first)
			return false;
	}
	return found->hv_base && magic->first == SYMSPY_EXT_MAGIC &&
	       FIELD(p, symspy_global, ext.major)->first == SYMB_ABI_MAJOR &&
	       size->first <= room && size->last >= need &&
	       (minor->first > SYMB_ABI_MINOR ||
		!FIELD(p, symspy_global, ext.reserved)->first);
}

static void check_magic(const struct guest_page *p)
{
	const struct field *magic = FIELD(p, symspy_global, magic);
	char text[9] = "", *digits = text + 4;
	size_t n;

	if (p == &pages[GLOBAL]) {
		MUST(magic->first == SYMSPY_GLOBAL_MAGIC);
		return;
	}
	memcpy(text, &magic->first, 8);
	n = strspn(digits, "0123456789");
	MUST(!memcmp(text, "V3V.", 4) && n && !memcmp(digits + n, "\0\0\0\0", 4 - n));
	MUST(p->page.vcpu == strtoul(digits, NULL, 10));
}

static void page_on(struct guest_page *p, const struct symspy_vmm *found)
{
	static const __u64 addresses[] = { 0xfc00000000, 0xfc00001000, 0, 0xfc00000008 };
	__u64 gpa = addresses[fuzz_byte() % 4] + (p == &pages[LOCAL]) * 0x10000;
	void *va = p->page.va;
	int ret;

	if (p->page.live)
		return;
	ret = p == &pages[GLOBAL] ? symspy_global_on(&p->page, found, gpa) :
				    symspy_local_on(&p->page, found, gpa);
	MUST(vmm.lines <= 1);
	if (ret) {
		MUST(ret == -EINVAL || ret == -EBUSY || ret == -ENOMEM || ret == -EPROTO);
		MUST(vmm.lines == (ret == -EPROTO));
		MUST(!p->page.live && p->page.va == va);
		/* It is not left in the guest's memory. */
		MUST(!p->msr.val);
		return;
	}
	MUST(p->page.live && p->page.gpa == gpa && p->page.va == p->memory);
	MUST(p->msr.kept && p->msr.val == gpa && !(gpa % SYMB_PAGE_SIZE));
	check_magic(p);
	MUST(!p->page.ext || extension_good(p, found));
	MUST(p->page.ext || !found->hv_base || vmm.lines);
}

static void page_off(struct guest_page *p)
{
	if (p == &pages[GLOBAL])
		symspy_global_off(&p->page);
	else
		symspy_local_off(&p->page);
	MUST(!p->page.live && !p->msr.val);
}

static void calls_on(void)
{
	int ret = symcall_enable(&setup);

	MUST(ret == (vmm.symcall_on ? 0 : -EIO));
}

static void step(const struct symspy_vmm *found, uint8_t what)
{
	struct guest_page *p = &pages[what / 8 % PAGES];

	vmm.lines = 0;
	switch (what % 8) {
	case 1:
		accept(found);
		break;
	case 2:
		symspy_withdraw(found);
		MUST(!vmm.features_msr.val || !found->hv_base);
		break;
	case 3:
		page_on(p, found);
		break;
	case 4:
		page_off(p);
		break;
	case 5:
		page_off(p);
		symspy_page_release(&p->page);
		MUST(!p->page.va);
		break;
	case 6:
		calls_on();
		break;
	case 7:
		symcall_disable();
		MUST(!vmm.symcall_on);
		break;
	}
	MUST(vmm.mapped == !!pages[GLOBAL].page.va + !!pages[LOCAL].page.va);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const __u32 bases[] = { SYMB_CPUID_HV_FIRST, 0, 0x40000100, SYMB_CPUID_HV_LAST };
	struct symspy_vmm found;
	unsigned int i;
	uint8_t kind;

	fuzz_begin(data, size);
	memset(&vmm, 0, sizeof(vmm));
	kind = fuzz_byte();
	vmm.base = bases[kind % 4];
	vmm.published = !(kind & 4);
	vmm.features = SYMB_FEAT_ALL & ~(kind >> 3);
	for (i = 0; i < PAGES; i++) {
		memset(&pages[i], 0, sizeof(pages[i]));
		pages[i].memory = malloc(SYMB_PAGE_SIZE);
	}

	if (!discover(&found)) {
		for (i = 0; i < 64 && fuzz_left; i++)
			step(&found, fuzz_byte());
		step(&found, 5);
		step(&found, 8 + 5);
		MUST(!vmm.mapped);
	}
	for (i = 0; i < PAGES; i++)
		free(pages[i].memory);
	return 0;
}
