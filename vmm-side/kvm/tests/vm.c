// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual machine that the tests run: a vCPU, 2 MiB of memory with the code
 * of guest.S, and what user space has to do for a symbiotic VM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "vm.h"

int kvm, vm, vcpu;
struct kvm_run *run;
static int other_vcpu = -1;
static struct kvm_run *other_run;
__u8 *ram, *page[2];
__u64 page_gpa[2];
unsigned int page_exits, dma_exits, call_ports;
__u64 dma_ack;
bool refuse_pages, halt_inside;
unsigned int vm_paging;
int vm_eventfd = -1;
jmp_buf ended;
const char *skipped;

int xioctl(int fd, unsigned long nr, void *arg, const char *name)
{
	int r = ioctl(fd, nr, arg);

	if (r < 0)
		fail("%s: %s", name, strerror(errno));
	return r;
}

__u32 *data32(unsigned int offset)
{
	return (__u32 *)(ram + GUEST_DATA + offset);
}

__u64 data64(unsigned int offset)
{
	__u64 val;

	memcpy(&val, ram + GUEST_DATA + offset, sizeof(val));
	return val;
}

struct symspy_local *local_page(void)
{
	return (struct symspy_local *)page[1];
}

void set_slot(unsigned int slot, __u64 gpa, void *mem, __u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (unsigned long)mem,
	};

	IOCTL(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

void *alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return p;
}

static __u64 segment(int type, int dpl, bool code)
{
	return 0x000f00000000ffffULL | (__u64)type << 40 | 1ULL << 44 |
	       (__u64)dpl << 45 | 1ULL << 47 |
	       (code ? 1ULL << 53 : 1ULL << 54) | 1ULL << 55;
}

/* The gate of an exception or interrupt, open to rings up to @dpl. */
void set_gate(unsigned int vector, __u64 addr, int dpl)
{
	__u64 *idt = (__u64 *)(ram + GUEST_IDT) + 2 * vector;

	idt[0] = (addr & 0xffff) | SEL_CODE << 16 |
		 (0x8e00ULL | (__u64)dpl << 13) << 32 | (addr >> 16 & 0xffff) << 48;
	idt[1] = addr >> 32;
}

static bool on_intel(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool intel = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		intel |= !!strstr(line, "GenuineIntel");
	if (f)
		fclose(f);
	return intel;
}

/* Code is written for AMD; Intel's instruction for hypercalls differs. */
void load_code(__u64 addr, const char *start, const char *end)
{
	__u8 *p = ram + addr, *last = p + (end - start) - 3;
	static int intel = -1;

	if (intel < 0)
		intel = on_intel();
	memcpy(p, start, end - start);
	for (; intel && p <= last; p++)
		if (!memcmp(p, "\x0f\x01\xd9", 3))
			p[2] = 0xc1;
}

static void build_guest(void)
{
	__u64 *gdt = (__u64 *)(ram + GUEST_GDT);
	__u64 i, *pte;

	memset(ram, 0, GUEST_RAM);
	load_code(GUEST_CODE, guest_start, guest_end);

	for (i = 0; i < 2; i++) {
		pte = (__u64 *)(ram + (i ? GUEST_PML4_2 : GUEST_PML4));
		pte[0] = GUEST_PDPT | 7;
	}
	for (i = 0; i < 4; i++)
		((__u64 *)(ram + GUEST_PDPT))[i] = (GUEST_PD + (i << 12)) | 7;
	for (i = 0; i < 2048; i++)
		((__u64 *)(ram + GUEST_PD))[i] =
			i << 21 == GUEST_UNMAPPED ? 0 : i << 21 | 0x87;

	gdt[SEL_CODE / 8] = segment(11, 0, true);
	gdt[SEL_DATA / 8] = segment(3, 0, false);
	gdt[SEL_USER_DATA / 8] = segment(3, 3, false);
	gdt[SEL_USER_CODE / 8] = segment(11, 3, true);
	gdt[SEL_CALL_CODE / 8] = segment(11, 0, true);
	gdt[SEL_CALL_DATA / 8] = segment(3, 0, false);
	gdt[SEL_OTHER_CODE / 8] = segment(11, 0, true);
	gdt[SEL_OTHER_DATA / 8] = segment(3, 0, false);

	set_gate(1, CODE(g_db), 0);
	set_gate(2, CODE(g_nmi), 0);
	set_gate(6, CODE(g_ud), 0);
	set_gate(13, CODE(g_gp), 0);
	set_gate(14, CODE(g_pf), 0);
	set_gate(18, CODE(g_mc), 0);
	set_gate(0x40, CODE(g_irq), 0);
}

static void put_segment(struct kvm_segment *s, __u16 selector, bool code,
			int dpl)
{
	*s = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = selector | dpl,
		.type = code ? 11 : 3, .present = 1, .dpl = dpl, .s = 1,
		.l = code, .db = !code, .g = 1,
	};
}

/* Ready to run @label in ring @cpl. */
void enter(const char *label, int cpl)
{
	struct kvm_regs regs = {
		.rip = CODE(label), .rsp = GUEST_STACK, .rflags = RFLAGS_FIXED,
	};
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs s;

	IOCTL(vcpu, KVM_SET_MP_STATE, &mp);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.cr0 = 0x80050033;
	s.cr3 = GUEST_PML4;
	s.cr4 = 0x620;
	s.efer = EFER_LONG_MODE;
	s.gdt.base = GUEST_GDT;
	s.gdt.limit = 0x7f;
	s.idt.base = GUEST_IDT;
	s.idt.limit = 0xfff;
	put_segment(&s.cs, cpl ? SEL_USER_CODE : SEL_CODE, true, cpl);
	put_segment(&s.ss, cpl ? SEL_USER_DATA : SEL_DATA, false, cpl);
	s.ds = s.ss;
	s.es = s.ss;
	s.fs = s.ss;
	s.gs = s.ss;
	s.fs.base = 0x222000;
	s.gs.base = 0x333000;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
}

/* Whether a module of KVM's has a parameter on. */
static bool parameter(const char *path)
{
	FILE *f = fopen(path, "r");
	char on;

	if (!f)
		return false;
	on = fgetc(f);
	fclose(f);
	return on == 'Y' || on == '1';
}

/* Whether this is VT-x, whose guests must have segments as it likes them. */
bool restricted_guest(void)
{
	return !access("/sys/module/kvm_intel", F_OK) &&
	       !parameter("/sys/module/kvm_intel/parameters/unrestricted_guest");
}

/* Whether VMs have nested paging here, if they do not ask for anything else. */
bool host_nested(void)
{
	return parameter("/sys/module/kvm_amd/parameters/npt") ||
	       parameter("/sys/module/kvm_intel/parameters/ept");
}

/*
 * What KVM must offer: everything, but for what needs shadow paging. Asked of
 * KVM's parameters, not of the capability that is being tested.
 */
__u32 all_features(void)
{
	return host_nested() && !vm_paging ? SYMB_FEAT_ALL & ~SYMB_FEAT_SWAPBYPASS :
					     SYMB_FEAT_ALL;
}

/* What KVM supports, with entries of @extra in place of those of the leaves. */
void set_cpuid(const struct kvm_cpuid_entry2 *extra, unsigned int nr)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid;
	unsigned int i, n;

	cpuid.head.nent = NR(cpuid.entries);
	IOCTL(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (; nr; extra++, nr--) {
		for (i = 0, n = 0; i < cpuid.head.nent; i++)
			if (cpuid.entries[i].function != extra->function)
				cpuid.entries[n++] = cpuid.entries[i];
		if (n == NR(cpuid.entries))
			fail("CPUID is full");
		cpuid.entries[n++] = *extra;
		cpuid.head.nent = n;
	}
	IOCTL(vcpu, KVM_SET_CPUID2, &cpuid);
}

/* From now on, @vcpu and @run are this one. */
void make_vcpu(unsigned int id)
{
	struct kvm_lapic_state lapic;
	__u32 svr = 0x1ff;

	vcpu = IOCTL(vm, KVM_CREATE_VCPU, id);
	run = mmap(NULL, IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	set_cpuid(NULL, 0);
	IOCTL(vcpu, KVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + 0xf0, &svr, sizeof(svr));
	IOCTL(vcpu, KVM_SET_LAPIC, &lapic);
}

/* Another paging mode; returns errno, or 0. */
int try_paging(unsigned int mode, unsigned int flags)
{
	struct kvm_symb_paging set = { .mode = mode, .flags = flags };

	return ioctl(vm, KVM_SYMB_SET_PAGING, &set) ? errno : 0;
}

void set_paging(unsigned int mode)
{
	expect(try_paging(mode, 0), 0);
}

/* From now on, there is another vCPU: @vcpu and @run are the one or the other. */
void swap_vcpus(void)
{
	struct kvm_run *r = run;
	int v = vcpu;

	vcpu = other_vcpu;
	run = other_run;
	other_vcpu = v;
	other_run = r;
}

void add_vcpu(void)
{
	swap_vcpus();
	make_vcpu(1);
	swap_vcpus();
}

void make_vm(__u32 features)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_SYMBIOTIC, .args = { features & all_features() },
	};
	struct kvm_enable_cap no_exits = {
		.cap = KVM_CAP_X86_DISABLE_EXITS,
		.args = { KVM_X86_DISABLE_EXITS_HLT },
	};
	struct kvm_enable_cap paging = {
		.cap = KVM_CAP_SYMBIOTIC_PAGING,
		.args = { vm_paging, vm_eventfd < 0 ? 0 : KVM_SYMB_PAGING_EVENTFD,
			  vm_eventfd < 0 ? 0 : vm_eventfd },
	};

	vm = IOCTL(kvm, KVM_CREATE_VM, 0);
	IOCTL(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	IOCTL(vm, KVM_CREATE_IRQCHIP, 0);
	if (vm_paging)
		IOCTL(vm, KVM_ENABLE_CAP, &paging);
	if (features)
		IOCTL(vm, KVM_ENABLE_CAP, &cap);
	if (halt_inside)
		IOCTL(vm, KVM_ENABLE_CAP, &no_exits);

	make_vcpu(0);

	build_guest();
	memset(page[0], 0, 4096);
	memset(page[1], 0, 4096);
	memset(page_gpa, 0, sizeof(page_gpa));
	page_exits = 0;
	dma_exits = 0;
	dma_ack = 0;
	call_ports = 0;
	refuse_pages = false;
	set_slot(0, 0, ram, GUEST_RAM);
}

void drop_vm(void)
{
	if (other_vcpu >= 0) {
		munmap(other_run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
		close(other_vcpu);
		other_vcpu = -1;
	}
	munmap(run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu);
	close(vm);
}

/* User space's part of a WRMSR, or of what KVM tells it in that form. */
void page_exit(void)
{
	unsigned int n = run->msr.index - SYMB_MSR_GLOBAL_PAGE;

	if (run->msr.index == SYMB_MSR_DMA_ACK) {
		dma_exits++;
		run->msr.error = refuse_pages;
		if (!refuse_pages)
			dma_ack = run->msr.data;
		return;
	}
	if (n > 1)
		fail("exit for MSR 0x%x", run->msr.index);
	page_exits++;
	run->msr.error = refuse_pages;
	if (refuse_pages)
		return;
	if (page_gpa[n])
		set_slot(1 + n, page_gpa[n], page[n], 0);
	page_gpa[n] = run->msr.data;
	if (page_gpa[n])
		set_slot(1 + n, page_gpa[n], page[n], 4096);
}

/*
 * Handles what user space handles: port I/O inside calls and SymSpy pages.
 * Returns true for those.
 */
bool service_exit(void)
{
	if (run->exit_reason == KVM_EXIT_X86_WRMSR) {
		page_exit();
		return true;
	}
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_CALL) {
		__u8 *data = (__u8 *)run + run->io.data_offset;

		if (run->io.direction == KVM_EXIT_IO_IN)
			*data = 0xa5;
		else if (*data != 0x5a)
			fail("a call wrote 0x%x", *data);
		call_ports++;
		return true;
	}
	return false;
}

/* Runs the guest to the end of a step; returns its port, 0 if interrupted. */
unsigned int run_vcpu(void)
{
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				return 0;
			fail("KVM_RUN: %s", strerror(errno));
		}
		if (service_exit())
			continue;
		if (run->exit_reason == KVM_EXIT_MMIO)
			fail("MMIO at 0x%llx", (unsigned long long)run->mmio.phys_addr);
		if (run->exit_reason != KVM_EXIT_IO)
			fail("exit reason %u", run->exit_reason);
		return run->io.port;
	}
}

/* Completes the OUT that ended a step. */
void settle(void)
{
	run->immediate_exit = 1;
	ioctl(vcpu, KVM_RUN, 0);
	run->immediate_exit = 0;
}

/* ---- Running it for a time ------------------------------------------------- */

/*
 * No result depends on how fast the machine is. What has to happen is waited for,
 * and only what takes LIMIT has failed.
 */
#define LIMIT	60	/* s */

static void on_alarm(int sig)
{
	/* Only interrupts KVM_RUN. */
}

/* A signal after @us, and then again and again: it may come before KVM_RUN. */
void set_ticks(unsigned int us)
{
	struct itimerval t = {
		.it_value = { us / 1000000, us % 1000000 },
		.it_interval = { us / 1000000, us % 1000000 },
	};

	setitimer(ITIMER_REAL, &t, NULL);
}

void set_limit(bool on)
{
	set_ticks(on ? LIMIT * 1000000 : 0);
}

/* As run_vcpu(); 0 also if the step does not end. */
unsigned int run_vcpu_in_time(void)
{
	unsigned int port;

	set_limit(true);
	port = run_vcpu();
	set_limit(false);
	return port;
}

/* The reason of the next exit that is not for service_exit(). */
unsigned int run_to_exit_in_time(void)
{
	int r;

	set_limit(true);
	do {
		r = ioctl(vcpu, KVM_RUN, 0);
	} while (!r && service_exit());
	set_limit(false);
	if (r)
		fail("no exit: %s", strerror(errno));
	return run->exit_reason;
}

/*
 * Lets the guest run for a while, perhaps without an instruction, then interrupts
 * it: enough time for what must not happen, for nothing else. Its port, or 0.
 */
unsigned int run_some(unsigned int ms)
{
	unsigned int port;

	set_ticks(ms * 1000);
	port = run_vcpu();
	set_ticks(0);
	return port;
}

/* The same, where it must not come to an end. */
void run_for(unsigned int ms)
{
	unsigned int port = run_some(ms);

	if (port)
		fail("port 0x%x instead of a signal", port);
}

/* Lets it run, each time for longer, until that should have been enough. */
static void run_more(unsigned int *ms)
{
	*ms = *ms ? 2 * *ms : 5;
	if (*ms > LIMIT * 1000)
		fail("the guest gets nowhere");
	run_for(*ms);
}

/* Runs the guest until a word of its data is at least @val. */
void run_until(unsigned int word, __u32 val)
{
	unsigned int ms = 0;

	while ((__s32)(*data32(word) - val) < 0)
		run_more(&ms);
}

void run_until_halted(void)
{
	struct kvm_mp_state mp;
	unsigned int ms = 0;

	for (;;) {
		IOCTL(vcpu, KVM_GET_MP_STATE, &mp);
		if (mp.mp_state == KVM_MP_STATE_HALTED)
			return;
		run_more(&ms);
	}
}

/* At g_spin, it goes on; what was pending has arrived by then. */
void run_on(void)
{
	run_until(DATA_SPINS, *data32(DATA_SPINS) + 100);
}

/* Runs the guest, at g_spin, until a word of its data has a value; and keeps it. */
void wait_for(unsigned int word, __u32 val)
{
	run_until(word, val);
	run_on();
	expect(*data32(word), val);
}

/* With a signal that is there already: no further than to the VM entry. */
void to_the_entry(unsigned long nr, void *arg)
{
	struct {
		struct kvm_signal_mask head;
		__u8 sigset[8];
	} mask = { .head.len = 8 };
	sigset_t alarm, old;
	int r, error;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, &old);
	IOCTL(vcpu, KVM_SET_SIGNAL_MASK, &mask);
	raise(SIGALRM);
	r = ioctl(vcpu, nr, arg);
	error = errno;
	IOCTL(vcpu, KVM_SET_SIGNAL_MASK, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	expect(r, -1);
	expect(error, EINTR);
}

/* ---- Steps ----------------------------------------------------------------- */

/* To run a step of the guest, with @regs but for RIP, RSP and the fixed flags. */
void begin_step(const char *label, int cpl, struct kvm_regs *regs)
{
	enter(label, cpl);
	regs->rip = CODE(label);
	regs->rsp = GUEST_STACK;
	regs->rflags |= RFLAGS_FIXED;
	IOCTL(vcpu, KVM_SET_REGS, regs);
}

/* A whole step. Returns its port, and in @regs what it has left. */
unsigned int run_step(const char *label, int cpl, struct kvm_regs *regs)
{
	unsigned int port;

	begin_step(label, cpl, regs);
	port = run_vcpu();
	IOCTL(vcpu, KVM_GET_REGS, regs);
	settle();
	return port;
}

/* WRMSR in the guest, up to the exit by which user space is asked. */
void begin_wrmsr(__u32 msr, __u64 val)
{
	struct kvm_regs regs = {
		.rcx = msr, .rax = (__u32)val, .rdx = val >> 32,
	};

	begin_step(g_wrmsr, 0, &regs);
	IOCTL(vcpu, KVM_RUN, 0);
	expect(run->exit_reason, KVM_EXIT_X86_WRMSR);
	expect(run->msr.index, msr);
	expect(run->msr.data, val);
}

/* WRMSR in the guest; true if it went well, false after #GP. */
bool wrmsr(__u32 msr, __u64 val)
{
	struct kvm_regs regs = {
		.rcx = msr, .rax = (__u32)val, .rdx = val >> 32,
	};

	return run_step(g_wrmsr, 0, &regs) == PORT_DONE;
}

bool rdmsr(__u32 msr, __u64 *val)
{
	struct kvm_regs regs = { .rcx = msr };
	unsigned int port = run_step(g_rdmsr, 0, &regs);

	*val = regs.rdx << 32 | (__u32)regs.rax;
	return port == PORT_DONE;
}

__u64 msr_value(__u32 msr)
{
	__u64 val;

	if (!rdmsr(msr, &val))
		fail("#GP reading MSR 0x%x", msr);
	return val;
}

void must_wrmsr(__u32 msr, __u64 val)
{
	if (!wrmsr(msr, val))
		fail("#GP writing 0x%llx to MSR 0x%x", (unsigned long long)val, msr);
}

__s64 hypercall_from(int cpl, __u64 nr, __u64 a0, __u64 a1, __u64 a2, __u64 a3)
{
	struct kvm_regs regs = {
		.rax = nr, .rbx = a0, .rcx = a1, .rdx = a2, .rsi = a3,
		.rflags = 0x3000,	/* IOPL 3, for the OUT */
	};

	expect(run_step(g_hypercall, cpl, &regs), PORT_DONE);
	return regs.rax;
}

__s64 hypercall(__u64 nr, __u64 a0, __u64 a1, __u64 a2, __u64 a3)
{
	return hypercall_from(0, nr, a0, a1, a2, a3);
}

int host_msr(unsigned long nr, __u32 msr, __u64 *val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { { .nmsrs = 1 }, { .index = msr, .data = *val } };
	int r = IOCTL(vcpu, nr, &m);

	*val = m.entry.data;
	return r;
}

void register_call(const char *entry)
{
	must_wrmsr(SYMB_MSR_FEATURES, SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL);
	must_wrmsr(SYMB_MSR_SYMCALL_RSP, GUEST_CALL_STACK);
	must_wrmsr(SYMB_MSR_SYMCALL_CS, SEL_CALL_CODE);
	must_wrmsr(SYMB_MSR_SYMCALL_GS, 0x444000);
	must_wrmsr(SYMB_MSR_SYMCALL_FS, 0x555000);
	must_wrmsr(SYMB_MSR_SYMCALL_RIP, CODE(entry));
}

/* A symcall from user space; signals in between, ever more rarely, if @kick. */
struct kvm_symcall symcall_kick(__u64 nr, __u64 arg0, bool kick)
{
	struct kvm_symcall call = {
		.nr = nr, .args = { arg0, 0xc0, 0xd0, 0x51, 0xd1 },
	};
	unsigned int us = 10000;

	if (kick)
		set_ticks(us);
	for (;;) {
		if (ioctl(vcpu, KVM_SYMCALL, &call) < 0) {
			if (errno != EINTR)
				fail("KVM_SYMCALL: %s", strerror(errno));
			us += us / 8;
			set_ticks(us);
			continue;
		}
		if (run->exit_reason == KVM_EXIT_SYMCALL)
			break;
		if (!service_exit())
			fail("exit reason %u in a symcall", run->exit_reason);
	}
	set_ticks(0);
	return call;
}

struct kvm_symcall symcall(__u64 nr, __u64 arg0)
{
	return symcall_kick(nr, arg0, false);
}

void send_irq(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };

	IOCTL(vm, KVM_SIGNAL_MSI, &msi);
}

/* As user space does it, without an error code. */
void inject_exception(unsigned int vector)
{
	struct kvm_vcpu_events events;

	IOCTL(vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.exception.injected = 1;
	events.exception.nr = vector;
	events.exception.has_error_code = 0;
	IOCTL(vcpu, KVM_SET_VCPU_EVENTS, &events);
}

void send_init(unsigned int apic_id)
{
	struct kvm_msi msi = {
		.address_lo = 0xfee00000 | apic_id << 12, .data = 5 << 8,
	};

	IOCTL(vm, KVM_SIGNAL_MSI, &msi);
}

static __u64 stat_of(int of, const char *name)
{
	struct kvm_stats_header head;
	__u64 val = ~0ULL;
	char desc[256];
	__u32 i;
	size_t size;
	int fd = ioctl(of, _IO(KVMIO, 0xce), 0);

	if (fd < 0)
		fail("KVM_GET_STATS_FD: %s", strerror(errno));
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		fail("statistics");
	size = 16 + head.name_size;
	for (i = 0; i < head.num_desc && size <= sizeof(desc); i++) {
		__u32 offset;

		pread(fd, desc, size, head.desc_offset + i * size);
		if (strcmp(desc + 16, name))
			continue;
		memcpy(&offset, desc + 8, sizeof(offset));
		pread(fd, &val, sizeof(val), head.data_offset + offset);
	}
	close(fd);
	return val;
}

/* Statistics of the vCPU and of the VM, by name. */
__u64 vcpu_stat(const char *name)
{
	return stat_of(vcpu, name);
}

__u64 vm_stat(const char *name)
{
	return stat_of(vm, name);
}

/* ---- Start ------------------------------------------------------------------ */

#define BUDGET	"/sys/module/kvm/parameters/symcall_budget_ms"

static unsigned int old_budget;

static bool write_budget(unsigned int ms)
{
	FILE *f = fopen(BUDGET, "w");

	return f && fprintf(f, "%u", ms) > 0 && !fclose(f);
}

/* CPU time that a call may take, of all VMs; 0: more than any of ours should. */
void set_budget(unsigned int ms)
{
	if (!write_budget(ms ?: LIMIT * 1000))
		fail("%s: %s", BUDGET, strerror(errno));
}

static void restore_budget(void)
{
	write_budget(old_budget);
}

void vm_init(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	FILE *f;

	sigaction(SIGALRM, &action, NULL);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		fail("/dev/kvm: %s", strerror(errno));
	ram = alloc(GUEST_RAM);
	page[0] = alloc(4096);
	page[1] = alloc(4096);

	f = fopen(BUDGET, "r");
	if (!f || fscanf(f, "%u", &old_budget) != 1)
		fail("%s: %s", BUDGET, strerror(errno));
	fclose(f);
	atexit(restore_budget);
	set_budget(0);
}
