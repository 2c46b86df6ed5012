/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * SymSpy: finding the VMM, agreeing on features, and the shared pages.
 *
 * OS-neutral guest core. Nothing that the VMM says is believed before it was
 * checked; what fails the check is not used and costs one line in the log.
 */
#ifndef SYMBIOTIC_SYMSPY_H
#define SYMBIOTIC_SYMSPY_H

#include <symbiotic/port.h>

/**
 * struct symspy_vmm - what discovery found
 * @published: the published leaf SYMB_CPUID_V3V is there
 * @vmx: that leaf names VMX, else SVM
 * @hv_base: base of our leaves in the hypervisor range, or 0
 * @offered: SYMB_FEAT_* that both sides know
 * @major: ABI version of the VMM, 0 if it has only the published part
 * @minor: same
 */
struct symspy_vmm {
	bool published;
	bool vmx;
	__u32 hv_base;
	__u32 offered;
	__u16 major;
	__u16 minor;
};

/**
 * struct symspy_page - one SymSpy page of this guest
 * @va: where it is mapped; kept while the page is withdrawn
 * @gpa: guest-physical address, or 0
 * @vcpu: local page: number of the vCPU according to the VMM
 * @live: the VMM shows the page at @gpa
 * @ext: the extension was checked and may be used
 */
struct symspy_page {
	void *va;
	__u64 gpa;
	__u32 vcpu;
	bool live;
	bool ext;
};

/**
 * symspy_discover() - look for a symbiotic VMM
 * @vmm: filled in
 *
 * Silent if there is none.
 *
 * Return: 0, -ENODEV if there is none, -EPROTO if there is one that cannot be
 * used.
 */
int symspy_discover(struct symspy_vmm *vmm);

/**
 * symspy_accept() - tell the VMM which features the guest will use
 * @vmm: result of symspy_discover()
 * @wanted: SYMB_FEAT_*; what is not offered is left out
 * @accepted: what both sides have agreed on, 0 on failure
 *
 * Return: 0, -EIO if the VMM refuses, -EPROTO if it does not keep the value.
 */
int symspy_accept(const struct symspy_vmm *vmm, __u32 wanted, __u32 *accepted);

/**
 * symspy_withdraw() - tell the VMM to stop using all features
 * @vmm: result of symspy_discover()
 *
 * Context: any.
 */
void symspy_withdraw(const struct symspy_vmm *vmm);

/**
 * symspy_global_on() - have the global page shown at an address, and check it
 * @page: zeroed, or withdrawn before; in that case @gpa must be the same
 * @vmm: result of symspy_discover()
 * @gpa: free guest-physical page
 *
 * A page whose extension does not pass the checks is usable without it.
 *
 * Context: sleeps in symb_port_map() unless the page was only withdrawn.
 * Return: 0, -EINVAL for an address that cannot be right, -EBUSY if the VMM
 * refuses this address, -ENOMEM, -EPROTO if the page is not what it must be.
 */
int symspy_global_on(struct symspy_page *page, const struct symspy_vmm *vmm,
		     __u64 gpa);

/**
 * symspy_local_on() - the same for the local page of the calling CPU
 * @page: see symspy_global_on()
 * @vmm: result of symspy_discover()
 * @gpa: free guest-physical page
 *
 * Context: must not migrate to another CPU; else as symspy_global_on().
 * Return: as symspy_global_on().
 */
int symspy_local_on(struct symspy_page *page, const struct symspy_vmm *vmm,
		    __u64 gpa);

/**
 * symspy_global_off() - take the page away; its mapping stays
 * @page: the page
 *
 * Context: any.
 */
void symspy_global_off(struct symspy_page *page);

/**
 * symspy_local_off() - the same for the local page of the calling CPU
 * @page: the page
 *
 * Context: any, on the CPU that the page belongs to.
 */
void symspy_local_off(struct symspy_page *page);

/**
 * symspy_page_release() - unmap a page that is off
 * @page: the page
 */
void symspy_page_release(struct symspy_page *page);

/**
 * symspy_paging() - what the global page has of paging
 * @page: the global page
 *
 * Return: that part, or NULL: the page is off, or the VMM has no such part. Its state
 * is 0 if the VMM says nothing.
 */
struct symspy_paging *symspy_paging(const struct symspy_page *page);

/**
 * symspy_modules() - where the guest says which modules it takes
 * @page: the global page
 *
 * Return: that part, or NULL: the page is off, or the VMM has no such part.
 */
struct symspy_modules *symspy_modules(const struct symspy_page *page);

/**
 * struct symcall_setup - the SymCall MSRs of one vCPU
 * @rip: entry point
 * @rsp: top of the stack
 * @cs: 64-bit ring-0 code segment; SS is the next one
 * @gs: GS base
 * @fs: FS base
 */
struct symcall_setup {
	__u64 rip;
	__u64 rsp;
	__u64 cs;
	__u64 gs;
	__u64 fs;
};

/**
 * symcall_enable() - let the VMM make symcalls on the calling CPU
 * @setup: values for the MSRs
 *
 * Calls can arrive before this returns.
 *
 * Context: must not migrate to another CPU.
 * Return: 0, or -EIO if the VMM refuses a value; calls are off then.
 */
int symcall_enable(const struct symcall_setup *setup);

/**
 * symcall_disable() - no more symcalls on the calling CPU
 *
 * Context: any but a symcall.
 */
void symcall_disable(void);

#endif /* SYMBIOTIC_SYMSPY_H */
