// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Discovery of a symbiotic VMM and agreement on features. OS-neutral.
 */
#include <symbiotic/symspy.h>

#define CPUID1_ECX_HYPERVISOR	0x80000000U

/*
 * Hypervisors stack their leaves from 0x40000000 upwards without gaps. Where
 * nothing else hints at us, a few empty bases end the search: under a foreign
 * VMM each CPUID is an exit, and there are 256 bases.
 */
#define HV_GAP_MAX		4

static bool find_published(struct symspy_vmm *vmm)
{
	struct symb_cpuid r;

	symb_port_cpuid(SYMB_CPUID_V3V, &r);
	if (r.eax != SYMB_CPUID_V3V_EAX)
		return false;
	if (r.ebx != SYMB_CPUID_V3V_EBX_SVM && r.ebx != SYMB_CPUID_V3V_EBX_VMX)
		return false;

	vmm->published = true;
	vmm->vmx = r.ebx == SYMB_CPUID_V3V_EBX_VMX;
	return true;
}

/* Returns the base, or 0; @max_leaf is what the VMM gives as highest leaf. */
static __u32 find_hv_base(bool thorough, __u32 *max_leaf)
{
	unsigned int gap = 0;
	struct symb_cpuid r;
	__u32 base;

	symb_port_cpuid(1, &r);
	if (!(r.ecx & CPUID1_ECX_HYPERVISOR))
		return 0;

	for (base = SYMB_CPUID_HV_FIRST; base <= SYMB_CPUID_HV_LAST;
	     base += SYMB_CPUID_HV_STEP) {
		__u32 sig[3];

		symb_port_cpuid(base, &r);
		sig[0] = r.ebx;
		sig[1] = r.ecx;
		sig[2] = r.edx;
		if (!memcmp(sig, SYMB_CPUID_HV_SIGNATURE, sizeof(sig))) {
			*max_leaf = r.eax;
			return base;
		}

		if (r.eax >= base && r.eax < base + SYMB_CPUID_HV_STEP)
			gap = 0;
		else if (++gap == HV_GAP_MAX && !thorough)
			break;
	}

	return 0;
}

int symspy_discover(struct symspy_vmm *vmm)
{
	struct symb_cpuid r;
	__u32 max_leaf;

	memset(vmm, 0, sizeof(*vmm));
	find_published(vmm);
	vmm->hv_base = find_hv_base(vmm->published, &max_leaf);

	if (!vmm->hv_base) {
		if (!vmm->published)
			return -ENODEV;
		/* An original VMM: the published part of SymSpy only. */
		vmm->offered = SYMB_FEAT_SYMSPY;
		return 0;
	}

	if (max_leaf < vmm->hv_base + SYMB_CPUID_HV_FEATURES ||
	    max_leaf >= vmm->hv_base + SYMB_CPUID_HV_STEP) {
		symb_warn("VMM gives %#x as its highest leaf, not used\n",
			  max_leaf);
		return -EPROTO;
	}

	symb_port_cpuid(vmm->hv_base + SYMB_CPUID_HV_FEATURES, &r);
	vmm->major = r.ebx >> 16;
	vmm->minor = r.ebx & 0xffff;
	if (vmm->major != SYMB_ABI_MAJOR) {
		symb_warn("VMM speaks version %u.%u, not %u.x, not used\n",
			  vmm->major, vmm->minor, SYMB_ABI_MAJOR);
		return -EPROTO;
	}
	if (vmm->minor <= SYMB_ABI_MINOR && (r.ecx || r.edx)) {
		symb_warn("VMM sets reserved CPUID bits, not used\n");
		return -EPROTO;
	}

	vmm->offered = r.eax & SYMB_FEAT_ALL;
	/*
	 * Answers to the VMM's questions travel by symcall and local page, and so
	 * does news of a module.
	 */
	if ((vmm->offered & (SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL)) !=
	    (SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL))
		vmm->offered &= ~(SYMB_FEAT_SWAPBYPASS | SYMB_FEAT_MODULES);
	/* Their data are in the global page. */
	if (!(vmm->offered & SYMB_FEAT_SYMSPY))
		vmm->offered &= ~(SYMB_FEAT_DMA_OFFSET | SYMB_FEAT_SWAP_GRANT);
	return 0;
}

int symspy_accept(const struct symspy_vmm *vmm, __u32 wanted, __u32 *accepted)
{
	__u32 features = wanted & vmm->offered;
	__u64 val;

	*accepted = 0;

	/* An original VMM has no such MSR. */
	if (!vmm->hv_base) {
		*accepted = features;
		return 0;
	}

	if (symb_port_wrmsr(SYMB_MSR_FEATURES, features)) {
		symb_warn("VMM refuses the features %#x that it offers\n",
			  features);
		return -EIO;
	}
	if (symb_port_rdmsr(SYMB_MSR_FEATURES, &val) || val != features) {
		symb_warn("VMM does not keep the features, not used\n");
		symspy_withdraw(vmm);
		return -EPROTO;
	}

	*accepted = features;
	return 0;
}

void symspy_withdraw(const struct symspy_vmm *vmm)
{
	if (vmm->hv_base)
		symb_port_wrmsr(SYMB_MSR_FEATURES, 0);
}
