// SPDX-License-Identifier: GPL-2.0
/*
 * The VM that programs of kvm_fuzz run in: its vCPUs, its memory, and the loop in which a
 * vCPU executes one operation after the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

/* What pages hold can be executed: mov $number, %edx; ret. As a page table's it is not present. */
#define SERIAL			0x5e00c300000000baULL
#define NOTHING			0xbad0bad0bad0bad0ULL	/* what MMIO reads */
#define MOST_EXITS		20000

struct vcpu vcpus[NR_VCPUS];
unsigned int nr_vcpus;
static __u64 serial, global_gpa;

static void *box(unsigned int v, unsigned int field)
{
	return ram + BOX_OF(v) + field;
}

__u32 *box32(unsigned int v, unsigned int field)
{
	return box(v, field);
}

static __u64 *box64(unsigned int v, unsigned int field)
{
	return box(v, field);
}

__u64 *pdpte_of(unsigned int tree)
{
	return (__u64 *)(ram + (tree ? FUZZ_PDPT : GUEST_PDPT)) + 1;
}

unsigned int root_of(unsigned int v, unsigned int root)
{
	return root + (m.root[v] >= NR_ROOTS ? NR_ROOTS : 0);
}

__u64 *top_of(unsigned int top)
{
	return (__u64 *)(ram + root_gpa(top)) + TOP_INDEX;
}

__u64 va_of(unsigned int v, unsigned int place, unsigned int index)
{
	__u64 va;

	place = place_of(&m, v, place);
	va = VA(place % NR_PLACES, index);
	if (place >= NR_PLACES)
		va += VA_HIGH + (m.root[v] >= NR_ROOTS ? VA_HIGH5 : 0);
	return va;
}

static __u64 *arg_of(unsigned int v, unsigned int n)
{
	return box64(v, BOX_ARGS + 8 * n);
}

/* ---- The host's memory -------------------------------------------------------------- */

__u64 new_serial(void)
{
	return executed_serial(__atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
}

/* What has been executed, by the number in EDX. */
__u64 executed_serial(__u64 edx)
{
	return SERIAL | (edx & 0xffffffff) << 8;
}

/* What a page holds, whatever its protection is. */
__u64 host_word(const struct memory *memory, unsigned int page)
{
	static int self = -1;
	__u64 word = NOTHING;

	if (memory->prot != PROT_IS_NONE && page < memory->length)
		return *(volatile __u64 *)(memory->mapped + page * 512);
	if (memory->file >= 0) {
		if (pread(memory->file, &word, sizeof(word), page * 4096L) != sizeof(word))
			return 0;
		return word;
	}
	if (self < 0)
		self = open("/proc/self/mem", O_RDONLY);
	if (pread(self, &word, sizeof(word), (long)(memory->mapped + page * 512)) < 0)
		return NOTHING;
	return word;
}

/*
 * Which pages of it there are, in memory or swapped out: what holds nothing but zeroes does
 * not come to be by being looked at.
 */
void host_pages(const struct memory *memory, bool *there)
{
	__u64 map[MOST_PAGES] = { 0 };
	unsigned int i;
	int fd;

	memset(there, 0, MOST_PAGES * sizeof(*there));
	if (memory->file >= 0) {
		long at = 0, end;

		for (; at / 4096 < MOST_PAGES; at = end) {
			at = lseek(memory->file, at, SEEK_DATA);
			end = at < 0 ? at : lseek(memory->file, at, SEEK_HOLE);
			if (end <= at)
				return;
			for (i = at / 4096; i < (end + 4095) / 4096 && i < MOST_PAGES; i++)
				there[i] = true;
		}
		return;
	}
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, map, memory->length * sizeof(*map),
			    (unsigned long)memory->mapped / 4096 * sizeof(*map)) !=
		      (ssize_t)(memory->length * sizeof(*map)))
		fail("no page map: %s", strerror(errno));
	close(fd);
	for (i = 0; i < memory->length; i++)
		there[i] = map[i] & (3ULL << 62);
}

static void make_memory(struct memory *memory, unsigned int pages, unsigned int backing)
{
	size_t size = pages * 4096UL, room = 2 * MEMORY_PAGES * 4096UL;
	__u8 *at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	/* Where huge pages are possible. */
	at = (__u8 *)(((unsigned long)at + 0x1fffff) & ~0x1fffffUL);
	memory->file = -1;
	if (backing == BACK_FILE) {
		memory->file = memfd_create("memory", 0);
		if (memory->file < 0 || ftruncate(memory->file, size))
			fail("memfd: %s", strerror(errno));
	}
	memory->mapped = mmap(at, size, PROT_READ | PROT_WRITE, MAP_FIXED |
			      (broken == BROKEN_FORK ? MAP_SHARED : MAP_PRIVATE) |
			      MAP_ANONYMOUS, -1, 0);
	if (memory->file >= 0)
		memory->mapped = mmap(at, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED,
				      memory->file, 0);
	if (memory->mapped == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	memory->length = pages;
	memory->prot = PROT_IS_ALL;
	memset(memory->content, 0, sizeof(memory->content));
	for (i = 0; i < WINDOW_PAGES; i++) {
		memory->content[i] = new_serial();
		memory->mapped[i * 512] = memory->content[i];
	}
}

static void drop_memory(struct memory *memory, unsigned int pages)
{
	munmap(memory->mapped, pages * 4096UL);
	if (memory->file >= 0)
		close(memory->file);
}

/* ---- Running a vCPU ------------------------------------------------------------------ */

bool map_slot(unsigned int slot, __u64 gpa, void *mem, __u64 size, __u32 flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (unsigned long)mem,
	};

	return !ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* User space's part of a WRMSR. */
static void on_wrmsr(struct vcpu *v)
{
	unsigned int local = LOCAL_SLOT + (v - vcpus);
	__u64 data = v->run->msr.data;

	v->run->msr.error = 0;
	switch (v->run->msr.index) {
	case SYMB_MSR_LOCAL_PAGE:
		if (v->local_gpa)
			map_slot(local, v->local_gpa, v->local, 0, 0);
		if (data && !map_slot(local, data, v->local, 4096, 0)) {
			v->run->msr.error = 1;
			data = 0;
		}
		v->local_gpa = data;
		break;
	case SYMB_MSR_GLOBAL_PAGE:
		if (global_gpa)
			map_slot(GLOBAL_SLOT, global_gpa, page[0], 0, 0);
		if (data && !map_slot(GLOBAL_SLOT, data, page[0], 4096, 0)) {
			v->run->msr.error = 1;
			data = 0;
		}
		global_gpa = data;
		break;
	default:
		break;
	}
}

/* To the end of a step that it will not come to by itself. */
static void turn_back(unsigned int v)
{
	struct kvm_regs regs;

	if (ioctl(vcpus[v].fd, KVM_GET_REGS, &regs))
		found("KVM_GET_REGS: %s", strerror(errno));
	regs.rip = m.mode[v] == MODE_LONG ? GUEST_LABEL(f_stop) : GUEST_LABEL(f32_stop);
	regs.rflags = RFLAGS_FIXED;
	ioctl(vcpus[v].fd, KVM_SET_REGS, &regs);
}

/* The guest has answered, and the answer has not been taken. */
static void on_answer(struct doing *d)
{
	unsigned int i, nr = d->nr_during;

	d->answered = true;
	d->meanwhile = nr;
	grant_answer(d);
	d->nr_during = 0;
	for (i = 0; i < nr; i++)
		exec_one(d->during + i, NULL, 0);
}

static void on_io(struct vcpu *v, struct doing *d)
{
	__u8 *data = (__u8 *)v->run + v->run->io.data_offset;

	if (v->run->io.direction == KVM_EXIT_IO_IN)
		*data = 0xa5;
	else if (v->run->io.port == PORT_ANSWER)
		on_answer(d);
}

/*
 * What a vCPU without long mode has: both, as they are at first. The emulator's nested
 * paging sets accessed bits in them, which processors do not, and which are reserved:
 * RSM, which loads them, would shut the machine down.
 */
static void write_pdpts32(unsigned int nr)
{
	__u64 *pdpt = (__u64 *)(ram + PDPT32_OF(nr));
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pdpt[i] = (GUEST_PD + (i << 12)) | 1;
		pdpt[4 + i] = (i == 1 ? FUZZ_PD : GUEST_PD + (i << 12)) | 1;
	}
}

/*
 * Runs a vCPU until it has come to the end of a step, or of a symcall. Whatever can
 * come in between is dealt with here.
 */
void run_to_end(unsigned int nr, struct doing *d, unsigned long request, void *arg)
{
	struct vcpu *v = &vcpus[nr];
	unsigned int exits;

	v->thread = pthread_self();
	__atomic_store_n(&v->busy, true, __ATOMIC_RELEASE);
	for (exits = 0; exits < MOST_EXITS; exits++) {
		write_pdpts32(nr);
		if (ioctl(v->fd, request, arg) < 0) {
			if (errno == EINTR || errno == EAGAIN) {
				v->run->immediate_exit = 0;
				continue;
			}
			if (errno == EFAULT && v->run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
				d->end = END_NO_MEMORY;
				turn_back(nr);
				continue;
			}
			if (request == KVM_SYMCALL) {
				d->end = END_ERROR;
				goto out;
			}
			found("KVM_RUN: %s", strerror(errno));
		}
		switch (v->run->exit_reason) {
		case KVM_EXIT_IO:
			if (v->run->io.port == PORT_DONE && request == KVM_RUN)
				goto out;
			on_io(v, d);
			break;
		case KVM_EXIT_MMIO:
			d->mmio = true;
			if (!v->run->mmio.is_write) {
				__u64 val = NOTHING;

				memcpy(v->run->mmio.data, &val, sizeof(val));
			}
			break;
		case KVM_EXIT_X86_WRMSR:
			on_wrmsr(v);
			break;
		case KVM_EXIT_HYPERCALL:
			/* It says something of a module that nobody has offered. */
			v->run->hypercall.ret = -SYMB_HC_EINVAL;
			break;
		case KVM_EXIT_SYMCALL:
			if (request == KVM_SYMCALL)
				goto out;
			break;
		case KVM_EXIT_INTR:
		case KVM_EXIT_DEBUG:
		case KVM_EXIT_IRQ_WINDOW_OPEN:
			break;
		case KVM_EXIT_SHUTDOWN:
			d->end = END_SHUTDOWN;
			goto out;
		default:
			if (d->odd && (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY ||
				       v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR)) {
				d->odd = false;
				d->end = END_ERROR;
				turn_back(nr);
				break;
			}
			found("exit reason %u, %u", v->run->exit_reason,
			      v->run->internal.suberror);
		}
	}
	found("%u exits, and no end", exits);
out:
	v->busy = false;
}

/* One operation of the guest's loop. */
void run_op(struct doing *d, unsigned int op)
{
	unsigned int v = d->s->who, status;

	*box32(v, BOX_OP) = op;
	*box32(v, BOX_STATUS) = 0;
	/* Where the guest does not come to writing it, as the host has no memory. */
	*box32(v, BOX_KEPT) = BOX_KEPT_VALUE;
	d->end = END_DONE;
	d->mmio = false;
	run_to_end(v, d, KVM_RUN, NULL);
	/* What else is done must not do it again. */
	*box32(v, BOX_OP) = OP_NOP;
	d->result = *box64(v, BOX_RESULT);
	status = *box32(v, BOX_STATUS);
	if (*box32(v, BOX_KEPT) != BOX_KEPT_VALUE && d->end != END_SHUTDOWN)
		found("a register has changed, to 0x%x", *box32(v, BOX_KEPT));
	if (d->end != END_DONE)
		return;
	if (status) {
		d->vector = status - 1;
		d->cr2 = *box64(v, BOX_CR2);
		d->end = d->vector == 14 ? END_FAULT : END_EXCEPTION;
	} else if (d->mmio) {
		d->end = END_MMIO;
	}
}

void set_args(unsigned int v, __u64 a0, __u64 a1, __u64 a2, __u64 a3, __u64 a4)
{
	*arg_of(v, 0) = a0;
	*arg_of(v, 1) = a1;
	*arg_of(v, 2) = a2;
	*arg_of(v, 3) = a3;
	*arg_of(v, 4) = a4;
}

void guest_wrmsr(struct doing *d, __u32 msr, __u64 val)
{
	set_args(d->s->who, (__u32)val, 0, msr, val >> 32, 0);
	run_op(d, OP_WRMSR);
}

void guest_hypercall(struct doing *d, __u64 nr, __u64 a0, __u64 a1, __u64 a2)
{
	set_args(d->s->who, nr, a0, a1, a2, 0);
	run_op(d, OP_HYPERCALL);
}

void guest_store(struct doing *d, __u64 addr, __u64 val)
{
	set_args(d->s->who, addr, val, 0, 0, 0);
	run_op(d, OP_STORE);
}

/* ---- The VM -------------------------------------------------------------------------- */

/* The vCPU's registers as at the beginning, and it waits for a step. */
static void start_vcpu(unsigned int nr)
{
	struct step nop = { .who = nr };
	struct doing d = { .s = &nop };
	struct kvm_sregs s;
	struct kvm_regs regs = {
		.rip = GUEST_LABEL(f_start), .rsp = BOX_OF(nr) + FUZZ_STACK,
		.rflags = RFLAGS_FIXED, .r12 = BOX_KEPT_VALUE,
	};

	vcpu = vcpus[nr].fd;
	run = vcpus[nr].run;
	enter(g_hlt, 0);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.gs.base = BOX_OF(nr);
	s.tr.base = BOX_OF(nr) + FUZZ_TSS;
	s.tr.limit = 0x67;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	*box64(nr, BOX_STACK) = BOX_OF(nr) + FUZZ_STACK;
	*box64(nr, FUZZ_TSS + 4) = BOX_OF(nr) + FUZZ_STACK;
	*box32(nr, BOX_IN_CALL) = 0;
	*box64(nr, BOX_OTHER_CR3) = root_gpa(1);
	*box64(nr, BOX_VMCB) = FUZZ_VMCB + nr * 0x2000ULL;
	build_nested(*box64(nr, BOX_VMCB), &s);
	m.root[nr] = 0;
	m.wp[nr] = true;
	m.nx[nr] = true;
	m.smep[nr] = false;
	m.smap[nr] = false;
	m.mode[nr] = MODE_LONG;
	run_op(&d, OP_NOP);
	model_flush(&m, nr);
}

static struct kvm_segment segment32(__u16 selector, bool code, __u64 base)
{
	return (struct kvm_segment) {
		.base = base, .limit = 0xffffffff, .selector = selector,
		.type = code ? 11 : 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
}

/* Long mode with one more level of page tables; false if there is none. */
static bool set_five_levels(unsigned int nr)
{
	struct step nop = { .who = nr };
	struct doing d = { .s = &nop };
	struct kvm_sregs s;

	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.cr4 |= CR4_LA57;
	s.cr3 = root_gpa(NR_ROOTS);
	if (ioctl(vcpu, KVM_SET_SREGS, &s))
		return false;
	m.root[nr] = NR_ROOTS;
	*box64(nr, BOX_OTHER_CR3) = root_gpa(NR_ROOTS + 1);
	run_op(&d, OP_NOP);
	return true;
}

/*
 * As user space can do it, at any time: another mode, with or without page tables.
 * False if there is no such.
 */
bool set_cpu_mode(unsigned int nr, unsigned int mode)
{
	struct step nop = { .who = nr };
	struct doing d = { .s = &nop };
	struct kvm_sregs s;
	struct kvm_regs regs = {
		.rip = GUEST_LABEL(f32_start), .rsp = BOX_OF(nr) + FUZZ_STACK,
		.rflags = RFLAGS_FIXED, .rbp = BOX_KEPT_VALUE,
	};

	start_vcpu(nr);
	if (mode == MODE_LONG)
		return true;
	if (mode == MODE_LONG5)
		return set_five_levels(nr);
	IOCTL(vcpu, KVM_GET_SREGS, &s);
	s.cr0 = mode == MODE_PAE ? 0x80050033 : 0x50033;
	s.cr3 = PDPT32_OF(nr);
	s.efer = 0;
	s.cs = segment32(SEL_CODE32, true, 0);
	s.ss = segment32(SEL_DATA32, false, 0);
	s.ds = s.ss;
	s.es = s.ss;
	s.fs = s.ss;
	s.gs = segment32(SEL_DATA32, false, BOX_OF(nr));
	s.idt.base = FUZZ_IDT32;
	IOCTL(vcpu, KVM_SET_SREGS, &s);
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	m.mode[nr] = mode;
	run_op(&d, OP_NOP);
	return true;
}

void register_calls(struct doing *d)
{
	unsigned int v = d->s->who;

	guest_wrmsr(d, SYMB_MSR_SYMCALL_RSP, BOX_OF(v) + FUZZ_CALL_STACK);
	guest_wrmsr(d, SYMB_MSR_SYMCALL_CS, SEL_CALL_CODE);
	guest_wrmsr(d, SYMB_MSR_SYMCALL_GS, BOX_OF(v));
	guest_wrmsr(d, SYMB_MSR_SYMCALL_RIP, GUEST_LABEL(f_call));
}

/* All that it needs to be asked. */
void enable_vcpu(unsigned int nr)
{
	struct step s = { .who = nr };
	struct doing d = { .s = &s };

	start_vcpu(nr);
	guest_wrmsr(&d, SYMB_MSR_FEATURES, all_features());
	register_calls(&d);
	guest_wrmsr(&d, SYMB_MSR_LOCAL_PAGE, LOCAL_OF(nr));
}

void new_vcpu(void)
{
	unsigned int nr = nr_vcpus++;

	if (nr)
		make_vcpu(nr);
	vcpus[nr] = (struct vcpu) { .fd = vcpu, .run = run, .local = alloc(4096) };
	enable_vcpu(nr);
}

unsigned int desc_pages(unsigned int desc)
{
	return desc == DESC_HALF ? WINDOW_PAGES / 2 :
	       desc == DESC_TOO_LONG ? MEMORY_PAGES + 1 : WINDOW_PAGES;
}

void guest_attach(struct doing *d, unsigned int desc)
{
	struct symb_swap_desc *g = (void *)(ram + BOX_OF(d->s->who) + 0x200);

	*g = (struct symb_swap_desc) {
		.window_gpa = desc == DESC_NOWHERE ? 0x50000000 :
			      m.region[desc == DESC_MEMORY || desc == DESC_TOO_LONG].gpa,
		.nr_pages = desc_pages(desc),
		.pte_mask = desc == DESC_MASK ? 0 : SWAP_MASK,
		.pte_match = SWAP_MATCH,
		.pte_exclusive = SWAP_EXCLUSIVE,
	};
	d->addr = g->window_gpa;
	guest_hypercall(d, SYMB_HC_SWAP_ATTACH, BOX_OF(d->s->who) + 0x200, 0, 0);
}

static void set_gate32(unsigned int vector, __u64 addr)
{
	*(__u64 *)(ram + FUZZ_IDT32 + 8 * vector) = (addr & 0xffff) | SEL_CODE32 << 16 |
						    0x8e00ULL << 32 | (addr >> 16) << 48;
}

static void set_gates(void)
{
	/* The labels f_excN, all that fuzz_guest.S has. */
#define GATE(n)								\
	do {								\
		extern const char f_exc##n[];				\
									\
		set_gate(n, GUEST_LABEL(f_exc##n), 0);			\
	} while (0)
	GATE(0);
	GATE(1);
	GATE(3);
	GATE(6);
	GATE(7);
	GATE(8);
	GATE(10);
	GATE(11);
	GATE(12);
	GATE(13);
	GATE(14);
	GATE(16);
	GATE(17);
	GATE(18);
	GATE(19);
#undef GATE
#define GATE(n)								\
	do {								\
		extern const char f32_exc##n[];				\
									\
		set_gate32(n, GUEST_LABEL(f32_exc##n));			\
	} while (0)
	GATE(6);
	GATE(8);
	GATE(13);
	GATE(14);
#undef GATE
	set_gate32(2, GUEST_LABEL(f32_nmi));
	set_gate(2, GUEST_LABEL(f_nmi), 0);
	set_gate(0x40, GUEST_LABEL(f_irq), 0);
	set_gate(0x80, GUEST_LABEL(f_user_end), 3);
}

__u64 swap_pte(unsigned int slot, bool exclusive)
{
	return (__u64)slot << 12 | SWAP_MATCH | (exclusive ? SWAP_EXCLUSIVE : 0);
}

static __u64 first_pte(unsigned int contents, unsigned int n)
{
	__u64 gpa = n & 8 ? MEMORY_GPA : WINDOW_GPA;

	if (contents == TABLES_SWAP || (contents == TABLES_MIXED && n % 2))
		return swap_pte(n % WINDOW_PAGES, true);
	return (gpa + n % WINDOW_PAGES * 4096) | 0x67;
}

static void build_tables(const struct program *p)
{
	__u64 *low = (__u64 *)(ram + GUEST_PD);
	__u64 *pd = low + 512, *other = (__u64 *)(ram + FUZZ_PD);
	__u64 *pdpt = (__u64 *)(ram + FUZZ_PDPT);
	__u64 *gdt = (__u64 *)(ram + GUEST_GDT);
	unsigned int i, j;

	/* What is the kernel's own must stay so with SMEP and SMAP. */
	for (i = 0; i < 2048; i++)
		low[i] &= ~4ULL;
	low[FUZZ_USER >> 21] = 0x87;
	*(__u64 *)(ram + FUZZ_PML4) = FUZZ_PDPT | 7;
	for (i = 0; i < NR_ROOTS; i++)
		*(__u64 *)(ram + root_gpa(NR_ROOTS + i)) = root_gpa(i) | 7;
	for (i = 0; i < NR_TOPS; i++) {
		m.top[i] = *(__u64 *)(ram + root_gpa(i));
		*top_of(i) = m.top[i];
	}
	for (i = 0; i < 4; i++)
		pdpt[i] = (i == 1 ? FUZZ_PD : GUEST_PD + (i << 12)) | 7;
	for (i = 0; i < NR_PDS; i++)
		m.pdpte[i] = *pdpte_of(i);
	gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	gdt[SEL_DATA32 / 8] = 0x00cf93000000ffff;
	for (i = 0; i < NR_TABLES; i++) {
		for (j = 0; j < 512; j++)
			m.pte[i][j] = first_pte(p->vm.arg[VM_TABLES], j);
		memcpy(ram + model_table_gpa(i), m.pte[i], sizeof(m.pte[i]));
	}
	memcpy(other, pd, 4096);
	for (i = 0; i < NR_PLACES; i++) {
		m.pde[0][i] = model_table_gpa(i % NR_TABLES) | 7;
		m.pde[1][i] = model_table_gpa(i % 2) | 7;
		pd[i] = m.pde[0][i];
		other[i] = m.pde[1][i];
	}
}

static void make_regions(const struct program *p)
{
	static const __u64 gpa[NR_REGIONS] = { WINDOW_GPA, MEMORY_GPA };
	static const unsigned int pages[NR_REGIONS] = { WINDOW_PAGES, MEMORY_PAGES };
	unsigned int i, alt;

	for (i = 0; i < NR_REGIONS; i++) {
		struct region *r = &m.region[i];

		r->gpa = gpa[i];
		r->pages = pages[i];
		for (alt = 0; alt < ALTS; alt++)
			make_memory(&r->memory[alt], r->pages, p->vm.arg[VM_WINDOW + i]);
		r->present = map_slot(REGION_SLOT + i, r->gpa, r->memory[0].mapped,
				      r->pages * 4096ULL, 0);
	}
}

void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_TRUNC);

	if (fd >= 0) {
		/* Not all of it can be written to all of them. */
		if (write(fd, text, strlen(text)) < 0)
			errno = 0;
		close(fd);
	}
}

const char * const mode_names[] = { "always", "adaptive", "off" };

bool write_vm_file(const char *name, const char *text)
{
	char path[128];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm, name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) > 0;
	close(fd);
	return ok;
}

void begin_vm(const struct program *p)
{
	static const __u8 out[] = { 0xe6, PORT_DONE }, rsm[] = { 0x0f, 0xaa };
	struct step s = { .kind = K_ATTACH };
	struct doing d = { .s = &s };
	__u8 *rom = alloc(4096);
	unsigned int i;

	memset(&m, 0, sizeof(m));
	nr_vcpus = 0;
	serial = 0;
	global_gpa = 0;
	vm_paging = vms_switch ? KVM_SYMB_PAGING_SHADOW : 0;
	make_vm(SYMB_FEAT_ALL);
	write_vm_file("bypass_mode", mode_names[p->vm.arg[VM_MODE]]);
	load_code(FUZZ_CODE, fuzz_start, fuzz_end);
	memcpy(ram + FUZZ_RSM, rsm, sizeof(rsm));
	memcpy(rom + 0xff0, out, sizeof(out));
	map_slot(ROM_SLOT, 0xfffff000, rom, 4096, 0);
	/* What a vCPU has in system management mode. */
	map_slot(1 << 16, 0, ram, GUEST_RAM, 0);
	set_gates();
	build_tables(p);
	make_regions(p);
	for (i = 0; i < p->vm.arg[VM_VCPUS]; i++)
		new_vcpu();
	guest_attach(&d, 0);
	m.descs = !d.result;
	m.desc_gpa[0] = d.addr;
}

/* Memory of the kernel's that stays, and words of its that are none. */
static void break_kernel(void)
{
	static const char page[4096];
	unsigned int i;

	for (i = 0; broken == BROKEN_MEMORY && i < 100; i++)
		if (write(broken_pipe[1], page, sizeof(page)) < 0)
			break;
	if (broken == BROKEN_KERNEL)
		write_file("/dev/kmsg", "<4>bad page, as kvm_fuzz was told to say\n");
}

void end_vm(void)
{
	unsigned int i, alt;

	break_kernel();
	fork_child(false);
	for (i = 1; i < nr_vcpus; i++) {
		munmap(vcpus[i].run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
		close(vcpus[i].fd);
	}
	for (i = 0; i < nr_vcpus; i++)
		munmap(vcpus[i].local, 4096);
	vcpu = vcpus[0].fd;
	run = vcpus[0].run;
	drop_vm();
	for (i = 0; i < NR_REGIONS; i++)
		for (alt = 0; alt < ALTS; alt++)
			drop_memory(&m.region[i].memory[alt], m.region[i].pages);
}
