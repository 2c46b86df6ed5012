// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The SymCall MSRs of the calling CPU. OS-neutral.
 */
#include <symbiotic/symspy.h>

int symcall_enable(const struct symcall_setup *setup)
{
	/*
	 * RIP switches calls on, so it is cleared first and set last: no call
	 * may start with one half of old values and one half of new ones.
	 */
	if (symb_port_wrmsr(SYMB_MSR_SYMCALL_RIP, 0) ||
	    symb_port_wrmsr(SYMB_MSR_SYMCALL_RSP, setup->rsp) ||
	    symb_port_wrmsr(SYMB_MSR_SYMCALL_CS, setup->cs) ||
	    symb_port_wrmsr(SYMB_MSR_SYMCALL_GS, setup->gs) ||
	    symb_port_wrmsr(SYMB_MSR_SYMCALL_FS, setup->fs) ||
	    symb_port_wrmsr(SYMB_MSR_SYMCALL_RIP, setup->rip)) {
		symcall_disable();
		return -EIO;
	}
	return 0;
}

void symcall_disable(void)
{
	symb_port_wrmsr(SYMB_MSR_SYMCALL_RIP, 0);
}
