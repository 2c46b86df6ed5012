/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One processor: instructions that C lacks, and what the kernel keeps for
 * each of them.
 */
#ifndef KITTEN_CPU_H
#define KITTEN_CPU_H

#include <kitten/asm.h>
#include <kitten/types.h>

#define MAX_CPUS	16
#define KSTACK_SIZE	16384

struct thread;

/* What an interrupt, exception or system call leaves on the stack. */
struct regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
} __packed;

/**
 * struct cpu - one processor; GS base points here while the kernel runs
 * @self: its own address
 * @kernel_rsp: stack for system calls of the current thread
 * @user_rsp: the system-call entry parks the user's stack pointer here
 * @id: number from 0
 * @apic_id: of its local APIC
 * @current: the thread that runs
 * @idle: runs when no other can
 * @queue: first of the threads that wait for this CPU
 * @queue_end: last of them
 * @nr_threads: live threads that belong to this CPU
 * @since: when it switched to @current
 * @need_resched: another thread may be due
 * @flush: another CPU wants our TLB flushed, and waits for it
 * @timer_at: when the timer fires, 0 if it is off
 * @online: it has come up
 * @work: to be called once by its idle thread
 * @irqs: interrupts taken
 * @gdt: descriptors
 * @tss: task state segment
 */
struct cpu {
	struct cpu *self;
	u64 kernel_rsp;
	u64 user_rsp;
	u32 id;
	u32 apic_id;
	struct thread *current;
	struct thread *idle;
	struct thread *queue;
	struct thread *queue_end;
	u32 nr_threads;
	u64 since;
	u64 timer_at;
	bool need_resched;
	bool flush;
	bool online;
	void (*work)(struct cpu *cpu);
	u64 irqs;
	u64 gdt[8];
	struct tss tss __aligned(16);
};

_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "asm.h");
_Static_assert(offsetof(struct cpu, kernel_rsp) == CPU_KERNEL_RSP, "asm.h");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "asm.h");

extern struct cpu cpus[MAX_CPUS];
extern u32 nr_cpus;

/**
 * struct cpu_features - what this kernel asks a processor for
 * @pdpe1gb: pages of 1 GiB
 * @smep: no user code in ring 0
 * @smap: no user data in ring 0 unless asked for
 * @x2apic: local APIC in MSRs
 * @rdrand: random numbers
 * @amd: VMMCALL and not VMCALL
 * @phys_bits: width of physical addresses
 */
struct cpu_features {
	bool pdpe1gb;
	bool smep;
	bool smap;
	bool x2apic;
	bool rdrand;
	bool amd;
	u8 phys_bits;
};

extern struct cpu_features cpu_has;

void cpu_detect(void);
void cpu_init(struct cpu *cpu);

/* entry.S */
extern char syscall_entry[];
void switch_stack(u64 *save, u64 load);
void user_start(void);

/* Waits for an interrupt; interrupts are off before and after. */
void cpu_sleep(void);
extern char cpu_sleep_hlt[], cpu_sleep_end[];

/* smp.c; the stack is for start.S */
void smp_init(void);
extern u64 ap_boot_stack;

#ifdef KITTEN_HOST_TEST
/* What a program cannot do is the test's. */
struct cpu *this_cpu(void);
void wrmsr(u32 msr, u64 v);
u64 read_cr3(void);
void write_cr3(u64 v);
#else
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm volatile("movq %%gs:0, %0" : "=r" (cpu));
	return cpu;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" :: "c" (msr), "a" (v & 0xffffffff), "d" (v >> 32)
		     : "memory");
}

static inline u64 read_cr3(void)
{
	u64 v;

	asm volatile("movq %%cr3, %0" : "=r" (v));
	return v;
}

static inline void write_cr3(u64 v)
{
	asm volatile("movq %0, %%cr3" :: "r" (v) : "memory");
}
#endif

static inline void cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d)
{
	asm volatile("cpuid" : "=a" (*a), "=b" (*b), "=c" (*c), "=d" (*d)
		     : "a" (leaf), "c" (0));
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
	return lo | (u64)hi << 32;
}

/* Go on at @fixup when the instruction at @insn raises an exception. */
#define EXTABLE(insn, fixup)						\
	".pushsection .extable, \"a\"\n"				\
	".quad " insn ", " fixup "\n"					\
	".popsection\n"

/* For MSRs that may not exist; return false on #GP. */
bool rdmsr_safe(u32 msr, u64 *v);
bool wrmsr_safe(u32 msr, u64 v);

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc" : "=a" (lo), "=d" (hi) :: "memory");
	return lo | (u64)hi << 32;
}

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" :: "a" (v), "Nd" (port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a" (v) : "Nd" (port));
	return v;
}

static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" :: "a" (v), "Nd" (port));
}

static inline u32 inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a" (v) : "Nd" (port));
	return v;
}

static inline u64 read_cr2(void)
{
	u64 v;

	asm volatile("movq %%cr2, %0" : "=r" (v));
	return v;
}

/* i if it is below n, else 0; by arithmetic that no speculation gets past. */
static inline u64 index_nospec(u64 i, u64 n)
{
	u64 mask;

	asm volatile("cmpq %1, %2\n\tsbbq %0, %0"
		     : "=r" (mask) : "r" (n), "r" (i) : "cc");
	return i & mask;
}

static inline void cpu_relax(void)
{
	asm volatile("pause" ::: "memory");
}

#endif /* KITTEN_CPU_H */
