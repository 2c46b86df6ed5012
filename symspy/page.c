// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The SymSpy pages: place, check, take away. OS-neutral.
 */
#include <symbiotic/symspy.h>

/* Bytes of the extension that this code uses. */
#define GLOBAL_EXT_MIN	(__builtin_offsetof(struct symspy_global, dma) - \
			 SYMSPY_EXT_OFFSET)
#define GLOBAL_EXT_DMA	(__builtin_offsetof(struct symspy_global, swap) - \
			 SYMSPY_EXT_OFFSET)
/* As of 1.2: what came later is asked for where it is used. */
#define GLOBAL_EXT_SWAP	(__builtin_offsetof(struct symspy_global, swap.held) - \
			 SYMSPY_EXT_OFFSET)
#define GLOBAL_EXT_PAGING (__builtin_offsetof(struct symspy_global, modules) - \
			   SYMSPY_EXT_OFFSET)
#define GLOBAL_EXT_MODULES (__builtin_offsetof(struct symspy_global, pad1) - \
			    SYMSPY_EXT_OFFSET)
#define LOCAL_EXT_MIN	(__builtin_offsetof(struct symspy_local, pad1) - \
			 SYMSPY_EXT_OFFSET)

/* "V3V." and then the number of the vCPU, up to four digits, NUL padded. */
#define LOCAL_MAGIC_DIGITS	4

static bool check_ext(const struct symspy_ext_header *ext, __u32 min_size,
		      const char *which)
{
	__u32 size = READ_ONCE(ext->size);

	if (READ_ONCE(ext->magic) != SYMSPY_EXT_MAGIC) {
		symb_warn("%s page: no extension\n", which);
		return false;
	}
	if (READ_ONCE(ext->major) != SYMB_ABI_MAJOR) {
		symb_warn("%s page: extension has version %u.%u, not used\n",
			  which, READ_ONCE(ext->major), READ_ONCE(ext->minor));
		return false;
	}
	if (size < min_size || size > SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET) {
		symb_warn("%s page: extension has %u bytes, not used\n",
			  which, size);
		return false;
	}
	if (READ_ONCE(ext->minor) <= SYMB_ABI_MINOR &&
	    READ_ONCE(ext->reserved)) {
		symb_warn("%s page: reserved field is set, not used\n", which);
		return false;
	}
	return true;
}

/* Does the extension reach to the part of a feature, if that is offered? */
static bool has_part(const struct symspy_global *g, const struct symspy_vmm *vmm,
		     __u32 feature, __u32 size, const char *what)
{
	if (!(vmm->offered & feature) || READ_ONCE(g->ext.size) >= size)
		return true;
	symb_warn("global page: no room for %s, not used\n", what);
	return false;
}

static int check_global(struct symspy_page *page, const struct symspy_vmm *vmm)
{
	const struct symspy_global *g = page->va;

	page->ext = false;
	if (READ_ONCE(g->magic) != SYMSPY_GLOBAL_MAGIC) {
		symb_warn("global page has magic %#llx, not used\n",
			  (unsigned long long)READ_ONCE(g->magic));
		return -EPROTO;
	}

	if (!vmm->hv_base)
		return 0;
	if (!check_ext(&g->ext, GLOBAL_EXT_MIN, "global"))
		return 0;
	if ((READ_ONCE(g->features) & vmm->offered) != vmm->offered) {
		symb_warn("global page offers features %#x, CPUID %#x, not used\n",
			  READ_ONCE(g->features), vmm->offered);
		return 0;
	}
	page->ext = has_part(g, vmm, SYMB_FEAT_DMA_OFFSET, GLOBAL_EXT_DMA,
			     "DMA ranges") &&
		    has_part(g, vmm, SYMB_FEAT_SWAP_GRANT, GLOBAL_EXT_SWAP,
			     "the swap grant") &&
		    has_part(g, vmm, SYMB_FEAT_MODULES, GLOBAL_EXT_MODULES,
			     "modules");
	return 0;
}

static bool parse_local_magic(__u64 magic, __u32 *vcpu)
{
	unsigned int i;
	__u32 n = 0;

	if ((__u32)magic != SYMSPY_LOCAL_MAGIC_PREFIX)
		return false;

	magic >>= 32;
	for (i = 0; i < LOCAL_MAGIC_DIGITS; i++, magic >>= 8) {
		unsigned int c = magic & 0xff;

		if (c < '0' || c > '9')
			break;
		n = n * 10 + (c - '0');
	}
	/* At least one digit, and nothing but padding after the last. */
	if (!i || magic)
		return false;

	*vcpu = n;
	return true;
}

static int check_local(struct symspy_page *page, const struct symspy_vmm *vmm)
{
	const struct symspy_local *l = page->va;
	__u64 magic = READ_ONCE(l->magic);

	page->ext = false;
	if (!parse_local_magic(magic, &page->vcpu)) {
		symb_warn("local page has magic %#llx, not used\n",
			  (unsigned long long)magic);
		return -EPROTO;
	}

	if (vmm->hv_base)
		page->ext = check_ext(&l->ext, LOCAL_EXT_MIN, "local");
	return 0;
}

static int page_on(struct symspy_page *page, const struct symspy_vmm *vmm,
		   __u64 gpa, __u32 msr,
		   int (*check)(struct symspy_page *, const struct symspy_vmm *))
{
	bool mapped_here = false;
	__u64 val;
	int ret;

	if (!gpa || gpa & (SYMB_PAGE_SIZE - 1))
		return -EINVAL;
	if (page->va && page->gpa != gpa)
		return -EINVAL;

	/* Quiet: the caller tries another address. */
	if (symb_port_wrmsr(msr, gpa))
		return -EBUSY;

	if (symb_port_rdmsr(msr, &val) || val != gpa) {
		symb_warn("VMM does not keep the page address, not used\n");
		ret = -EPROTO;
		goto err_unset;
	}

	if (!page->va) {
		page->va = symb_port_map(gpa);
		if (!page->va) {
			ret = -ENOMEM;
			goto err_unset;
		}
		mapped_here = true;
	}

	ret = check(page, vmm);
	if (ret)
		goto err_unmap;

	page->gpa = gpa;
	WRITE_ONCE(page->live, true);
	return 0;

err_unmap:
	if (mapped_here) {
		symb_port_unmap(page->va);
		page->va = NULL;
	}
err_unset:
	symb_port_wrmsr(msr, 0);
	return ret;
}

int symspy_global_on(struct symspy_page *page, const struct symspy_vmm *vmm,
		     __u64 gpa)
{
	return page_on(page, vmm, gpa, SYMB_MSR_GLOBAL_PAGE, check_global);
}

int symspy_local_on(struct symspy_page *page, const struct symspy_vmm *vmm,
		    __u64 gpa)
{
	return page_on(page, vmm, gpa, SYMB_MSR_LOCAL_PAGE, check_local);
}

void symspy_global_off(struct symspy_page *page)
{
	if (!page->live)
		return;
	/* Readers must see that it is off before it goes. */
	WRITE_ONCE(page->live, false);
	symb_port_wrmsr(SYMB_MSR_GLOBAL_PAGE, 0);
}

void symspy_local_off(struct symspy_page *page)
{
	if (!page->live)
		return;
	WRITE_ONCE(page->live, false);
	symb_port_wrmsr(SYMB_MSR_LOCAL_PAGE, 0);
}

struct symspy_paging *symspy_paging(const struct symspy_page *page)
{
	struct symspy_global *g = page->va;

	if (!READ_ONCE(page->live) || !page->ext ||
	    READ_ONCE(g->ext.size) < GLOBAL_EXT_PAGING)
		return NULL;
	return &g->paging;
}

struct symspy_modules *symspy_modules(const struct symspy_page *page)
{
	struct symspy_global *g = page->va;

	if (!READ_ONCE(page->live) || !page->ext ||
	    READ_ONCE(g->ext.size) < GLOBAL_EXT_MODULES)
		return NULL;
	return &g->modules;
}

void symspy_page_release(struct symspy_page *page)
{
	if (page->va)
		symb_port_unmap(page->va);
	memset(page, 0, sizeof(*page));
}
