// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that lies by CPUID and in its MSRs, for tests. The guest plays it itself, between
 * these instructions and who has asked for them: while symbiotic.lies is not 0, one answer
 * in four is another one, from a sequence that begins with that number. On the command
 * line the first answers are among them.
 *
 * A VMM could do worse, for it owns the guest's memory; what is tried here is what the guest
 * can notice, or live with. So what takes something back is always done; and no call comes
 * by registers that were not set.
 */
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/moduleparam.h>

#include <symbiotic/abi.h>

#include "lies.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "symbiotic."

static unsigned int lies;
module_param(lies, uint, 0600);
MODULE_PARM_DESC(lies, "Test only: the VMM's CPUID and MSRs lie, from this seed; 0: not");

/* A number; 0 if the truth is wanted. */
static u64 draw(void)
{
	static atomic_t nr = ATOMIC_INIT(0);
	u64 r = READ_ONCE(lies);

	if (!r)
		return 0;
	r = (r << 32 | (u32)atomic_inc_return(&nr)) * 0x9e3779b97f4a7c15ULL;
	r = (r ^ r >> 29) * 0xbf58476d1ce4e5b9ULL;
	return r ^ r >> 32;
}

static bool is_lie(u64 r)
{
	return (r & 3) == 1;
}

/* Near the truth, at an edge, or anything. */
static u64 other(u64 val, u64 r)
{
	static const u64 edges[] = {
		0, 1, 0xffff, 0xffffffff, ~0ULL, SYMB_FEAT_ALL, SYMB_FEAT_ALL & ~SYMB_FEAT_SYMSPY,
		SYMB_FEAT_ALL & ~SYMB_FEAT_SYMCALL, SYMB_ABI_MAJOR << 16 | 0xffff,
		(SYMB_ABI_MAJOR + 1) << 16, SYMB_CPUID_HV_FIRST, SYMB_CPUID_HV_LAST,
	};

	switch (r & 3) {
	case 0:
		return val ^ BIT_ULL(r >> 2 & 31);
	case 1:
		return r & 4 ? val + 1 : val - 1;
	case 2:
		return edges[(r >> 2) % ARRAY_SIZE(edges)];
	default:
		return r >> 2;
	}
}

/**
 * symb_lie_cpuid() - what the VMM says of a leaf
 * @leaf: the leaf
 * @out: the truth, which may become something else
 */
void symb_lie_cpuid(u32 leaf, struct symb_cpuid *out)
{
	u64 r = draw();

	if (!is_lie(r))
		return;
	if (leaf == SYMB_CPUID_V3V) {
		*out = (struct symb_cpuid){ SYMB_CPUID_V3V_EAX, SYMB_CPUID_V3V_EBX_SVM };
		return;
	}
	switch (r >> 2 & 3) {
	case 0:
		out->eax = other(out->eax, r >> 4);
		break;
	case 1:
		out->ebx = other(out->ebx, r >> 4);
		break;
	case 2:
		out->ecx = other(out->ecx, r >> 4);
		break;
	default:
		out->edx = other(out->edx, r >> 4);
		break;
	}
}

/**
 * symb_lie_rdmsr() - what the VMM says of an MSR
 * @val: the truth, which may become something else
 *
 * Return: false for #GP.
 */
bool symb_lie_rdmsr(u64 *val)
{
	u64 r = draw();

	if (is_lie(r))
		*val = other(*val, r >> 4);
	return !is_lie(r) || r & 4;
}

/**
 * symb_lie_wrmsr() - what the VMM makes of a WRMSR
 * @msr: the MSR
 * @val: the value; 0 takes something back
 *
 * Return: SYMB_LIE_*, several of them; 0 if all is as it should be.
 */
unsigned int symb_lie_wrmsr(u32 msr, u64 val)
{
	unsigned int how;
	u64 r = draw();

	if (!is_lie(r))
		return 0;
	how = 1 + (r >> 2) % 3;
	if (!val)
		return SYMB_LIE_REFUSED;
	switch (msr) {
	case SYMB_MSR_SYMCALL_RSP:
	case SYMB_MSR_SYMCALL_CS:
	case SYMB_MSR_SYMCALL_GS:
	case SYMB_MSR_SYMCALL_FS:
		return how | SYMB_LIE_REFUSED;
	default:
		return how;
	}
}
