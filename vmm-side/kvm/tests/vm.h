/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual machine that the tests run, and how they say what they expect.
 */
#ifndef VM_H
#define VM_H

#include <linux/kvm_symbiotic.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>

#include <symbiotic/abi.h>

#include "guest.h"

#define GLOBAL_GPA	0x10000000ULL
#define LOCAL_GPA	((__u64)GUEST_LOCAL)
#define RFLAGS_FIXED	0x2ULL
#define RFLAGS_DF	0x400ULL
#define RFLAGS_TF	0x100ULL
#define RFLAGS_IF	0x200ULL
#define RFLAGS_ARITH	0x8d5ULL	/* what arithmetic changes */

#define CODE(label)	(GUEST_CODE + (__u64)((label) - guest_start))
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct test - a test of a VM of its own
 * @name: its name; NULL ends a list
 * @fn: called with the VM; returns if all went well
 * @features: what the VM is offered; 0 = not symbiotic
 */
struct test {
	const char *name;
	void (*fn)(void);
	__u32 features;
};

extern const struct test msr_tests[], memory_tests[], symcall_tests[], swapbypass_tests[],
	paging_tests[], paging_cost_tests[];

/* The VM. Slots 0 to 2 are its RAM and the two pages. */
extern int kvm, vm, vcpu;
extern struct kvm_run *run;
extern __u8 *ram, *page[2];	/* page: global, local */
extern __u64 page_gpa[2];
extern unsigned int page_exits, dma_exits, call_ports;
extern __u64 dma_ack;
extern bool refuse_pages;	/* user space's answer to MSR writes */
extern bool halt_inside;	/* make_vm(): HLT does not exit */
extern unsigned int vm_paging;	/* make_vm(): may switch, and begins with; 0 = may not */
extern int vm_eventfd;		/* and tells here; -1 = nowhere */

/* Where a test ends that does not return. */
enum { FAILED = 1, SKIPPED };
extern jmp_buf ended;
extern const char *skipped;	/* SKIP and why */

#define fail(...) do {							\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	printf("\n");							\
	longjmp(ended, FAILED);						\
} while (0)

#define skip(why) do {							\
	skipped = "SKIP " why;						\
	longjmp(ended, SKIPPED);					\
} while (0)

#define expect(what, want) do {						\
	__u64 _got = (what), _want = (want);				\
	if (_got != _want)						\
		fail("%s is 0x%llx, not 0x%llx", #what,			\
		     (unsigned long long)_got, (unsigned long long)_want); \
} while (0)

#define IOCTL(fd, nr, arg)	xioctl(fd, nr, (void *)(unsigned long)(arg), #nr)

int xioctl(int fd, unsigned long nr, void *arg, const char *name);
void *alloc(size_t size);

void vm_init(void);
void make_vm(__u32 features);
void make_vcpu(unsigned int id);
void set_cpuid(const struct kvm_cpuid_entry2 *extra, unsigned int nr);
void add_vcpu(void);
void swap_vcpus(void);
void drop_vm(void);
__u32 all_features(void);
bool host_nested(void);
bool restricted_guest(void);
extern unsigned int switches;	/* of paging modes, in the longer tests */
extern unsigned int cost_mib;	/* up to which size their cost is measured */
int try_paging(unsigned int mode, unsigned int flags);
void set_paging(unsigned int mode);
bool build_vmcb(const char *label);
void set_slot(unsigned int slot, __u64 gpa, void *mem, __u64 size);
void set_gate(unsigned int vector, __u64 addr, int dpl);
void load_code(__u64 addr, const char *start, const char *end);

struct symspy_local *local_page(void);

/* Words that the guest's code leaves at GUEST_DATA. */
__u32 *data32(unsigned int offset);
__u64 data64(unsigned int offset);

void enter(const char *label, int cpl);
unsigned int run_vcpu(void);
void begin_step(const char *label, int cpl, struct kvm_regs *regs);
unsigned int run_step(const char *label, int cpl, struct kvm_regs *regs);
void set_ticks(unsigned int us);
void set_limit(bool on);
unsigned int run_vcpu_in_time(void);
unsigned int run_to_exit_in_time(void);
unsigned int run_some(unsigned int ms);
void run_for(unsigned int ms);
void run_until(unsigned int word, __u32 val);
void run_until_halted(void);
void run_on(void);
void to_the_entry(unsigned long nr, void *arg);
void wait_for(unsigned int word, __u32 val);
void settle(void);
bool service_exit(void);
void page_exit(void);
void send_irq(void);
void send_init(unsigned int apic_id);
void inject_exception(unsigned int vector);

void begin_wrmsr(__u32 msr, __u64 val);
bool wrmsr(__u32 msr, __u64 val);
void must_wrmsr(__u32 msr, __u64 val);
bool rdmsr(__u32 msr, __u64 *val);
__u64 msr_value(__u32 msr);
int host_msr(unsigned long nr, __u32 msr, __u64 *val);
__s64 hypercall(__u64 nr, __u64 a0, __u64 a1, __u64 a2, __u64 a3);
__s64 hypercall_from(int cpl, __u64 nr, __u64 a0, __u64 a1, __u64 a2, __u64 a3);

void register_call(const char *entry);
struct kvm_symcall symcall(__u64 nr, __u64 arg0);
struct kvm_symcall symcall_kick(__u64 nr, __u64 arg0, bool kick);
void set_budget(unsigned int ms);
__u64 vcpu_stat(const char *name);
__u64 vm_stat(const char *name);

#endif /* VM_H */
