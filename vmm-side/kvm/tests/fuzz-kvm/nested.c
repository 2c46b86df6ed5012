// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of the guest's of kvm_fuzz, which has all that the guest has. A symcall that goes
 * on in it must not get there.
 */
#include <string.h>

#include "machine.h"

/* As VMCBs have them. */
struct vmcb_segment {
	__u16 selector, attributes;
	__u32 limit;
	__u64 base;
};

enum { VMCB_ES, VMCB_CS, VMCB_SS, VMCB_DS, VMCB_FS, VMCB_GS, VMCB_GDTR, VMCB_IDTR = 8 };

static void put(__u64 vmcb, unsigned int offset, __u64 val)
{
	memcpy(ram + vmcb + offset, &val, sizeof(val));
}

void build_nested(__u64 vmcb, const struct kvm_sregs *s)
{
	struct vmcb_segment *segment = (struct vmcb_segment *)(ram + vmcb + 0x400);
	const struct vmcb_segment data = { SEL_CALL_DATA, 0xc93, ~0U, 0 };
	unsigned int i;

	memset(ram + vmcb, 0, 4096);
	put(vmcb, 0x010, 1);		/* intercepts VMRUN, as it must */
	put(vmcb, 0x058, 1);		/* ASID */
	for (i = VMCB_ES; i <= VMCB_GS; i++)
		segment[i] = data;
	segment[VMCB_CS].selector = SEL_CALL_CODE;
	segment[VMCB_CS].attributes = 0xa9b;
	segment[VMCB_GS].base = s->gs.base;
	segment[VMCB_GDTR].base = s->gdt.base;
	segment[VMCB_GDTR].limit = s->gdt.limit;
	segment[VMCB_IDTR].base = s->idt.base;
	segment[VMCB_IDTR].limit = s->idt.limit;
	put(vmcb, 0x4d0, s->efer | EFER_SVME);
	put(vmcb, 0x548, s->cr4);
	put(vmcb, 0x550, s->cr3);
	put(vmcb, 0x558, s->cr0);
	put(vmcb, 0x560, 0x400);	/* DR7 */
	put(vmcb, 0x568, 0xffff0ff0);	/* DR6 */
	put(vmcb, 0x570, RFLAGS_FIXED);
	put(vmcb, 0x578, GUEST_LABEL(f_nested));
	put(vmcb, 0x5d8, s->gs.base + FUZZ_CALL_STACK);
}
