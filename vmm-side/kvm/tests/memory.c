// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the guest that the host cannot provide: user space is told where,
 * and the guest's access is repeated when it runs again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define HOLE_GPA	0x20000000ULL
#define HOLE_SIZE	0x4000
#define HOLE_SLOT	3

static int file;

/* A slot over a file that ends before it: what a full file system looks like. */
static __u64 *make_hole(void)
{
	__u64 *mem;

	file = memfd_create("hole", 0);
	mem = mmap(NULL, HOLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (file < 0 || mem == MAP_FAILED)
		fail("no memory file: %s", strerror(errno));
	set_slot(HOLE_SLOT, HOLE_GPA, mem, HOLE_SIZE);
	return mem;
}

/* Runs the vCPU. An access to @gpa must not come to its end. */
static void expect_memory_fault(__u64 gpa)
{
	const struct kvm_symbiotic_memory_fault *fault = (void *)run->padding;
	int r, error;

	set_limit(true);
	r = ioctl(vcpu, KVM_RUN, 0);
	error = errno;
	set_limit(false);
	if (r >= 0)
		fail("exit reason %u", run->exit_reason);
	expect(error, EFAULT);
	expect(run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	expect(fault->gpa, gpa);
}

static void begin(const char *label, __u64 gpa, __u64 rflags)
{
	struct kvm_regs regs = {
		.rip = CODE(label), .rsp = GUEST_STACK, .rax = gpa, .rbx = 0x5e7,
		.rflags = RFLAGS_FIXED | rflags,
	};

	enter(label, 0);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
}

static void try_hole(__u64 rflags)
{
	__u64 *mem = make_hole();

	begin(g_store, HOLE_GPA, rflags);
	expect_memory_fault(HOLE_GPA);
	/* Nothing has changed. */
	expect_memory_fault(HOLE_GPA);
	expect(ftruncate(file, HOLE_SIZE), 0);
	expect(run_vcpu(), PORT_DONE);
	expect(mem[0], 0x5e7);
	settle();

	/* So is what the host does not have any more. */
	expect(ftruncate(file, 0x1000), 0);
	begin(g_load, HOLE_GPA + 0x2000, rflags);
	expect_memory_fault(HOLE_GPA + 0x2000);
	expect(ftruncate(file, HOLE_SIZE), 0);
	expect(run_vcpu(), PORT_DONE);
	settle();
	munmap(mem, HOLE_SIZE);
	close(file);
}

/* KVM cannot let the guest do something else meanwhile: it waits for the page. */
static void test_no_memory(void)
{
	try_hole(0);
}

/* It can, and asks for the page behind the vCPU's back. */
static void test_no_memory_async(void)
{
	try_hole(RFLAGS_IF);
}

const struct test memory_tests[] = {
	{ "no-memory", test_no_memory, SYMB_FEAT_ALL },
	{ "no-memory-async", test_no_memory_async, SYMB_FEAT_ALL },
	{ }
};
