// SPDX-License-Identifier: GPL-2.0
/*
 * Setting up a processor: features, segments, stacks for the worst moments.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_SFMASK	0xc0000084
#define MSR_KERNEL_GS	0xc0000102

/* Off in a system call: IF TF DF AC NT. */
#define SYSCALL_OFF	0x44700

#define CR4_OSFXSR	(1UL << 9)
#define CR4_OSXMMEXCPT	(1UL << 10)
#define CR4_PGE		(1UL << 7)
#define CR4_SMEP	(1UL << 20)
#define CR4_SMAP	(1UL << 21)

#define DESC_CODE64	0x00af9b000000ffff
#define DESC_DATA	0x00cf93000000ffff
#define DESC_USER	(3ULL << 45)
#define DESC_TSS	0x0000890000000000

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1;
struct cpu_features cpu_has;

/* NMI, double fault, machine check, debug. */
#define NR_IST		4
#define IST_SIZE	8192
static u8 ist_stacks[MAX_CPUS][NR_IST][IST_SIZE] __aligned(16);

void cpu_detect(void)
{
	u32 a, b, c, d, max;

	cpuid(0, &max, &b, &c, &d);
	/* "Auth", "Hygo" */
	cpu_has.amd = b == 0x68747541 || b == 0x6f677948;

	cpuid(1, &a, &b, &c, &d);
	cpu_has.x2apic = c & (1U << 21);
	cpu_has.rdrand = c & (1U << 30);
	if (max >= 7) {
		cpuid(7, &a, &b, &c, &d);
		cpu_has.smep = b & (1U << 7);
		cpu_has.smap = b & (1U << 20);
	}

	cpu_has.phys_bits = 36;
	cpuid(0x80000000, &max, &b, &c, &d);
	if (max >= 0x80000001) {
		cpuid(0x80000001, &a, &b, &c, &d);
		cpu_has.pdpe1gb = d & (1U << 26);
	}
	if (max >= 0x80000008) {
		cpuid(0x80000008, &a, &b, &c, &d);
		cpu_has.phys_bits = a & 0xff;
	}
}

static void load_segments(struct cpu *cpu)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };
	u64 tss = (u64)&cpu->tss;

	cpu->gdt[1] = DESC_CODE64;
	cpu->gdt[2] = DESC_DATA;
	cpu->gdt[4] = DESC_DATA | DESC_USER;
	cpu->gdt[5] = DESC_CODE64 | DESC_USER;
	cpu->gdt[6] = DESC_TSS | (sizeof(cpu->tss) - 1) |
		      (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[7] = tss >> 32;

	cpu->tss.iomap = sizeof(cpu->tss);
	for (unsigned int i = 0; i < NR_IST; i++)
		cpu->tss.ist[i] = (u64)ist_stacks[cpu->id][i] + IST_SIZE;

	asm volatile("lgdt %0\n\t"
		     "pushq %1\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\tmovl %2, %%ss\n\t"
		     "ltr %w3"
		     :: "m" (pointer), "i" (SEL_KERNEL_CS),
			"r" (SEL_KERNEL_SS), "r" (SEL_TSS)
		     : "rax", "memory");
}

/**
 * cpu_init() - make the calling processor ready to run threads
 * @cpu: its structure, with its number
 */
void cpu_init(struct cpu *cpu)
{
	u64 cr4;

	cpu->self = cpu;
	load_segments(cpu);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	wrmsr(MSR_KERNEL_GS, 0);
	idt_load();

	wrmsr(MSR_STAR, (u64)SEL_USER_BASE << 48 | (u64)SEL_KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_SFMASK, SYSCALL_OFF);

	asm volatile("movq %%cr4, %0" : "=r" (cr4));
	cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PGE;
	if (cpu_has.smep)
		cr4 |= CR4_SMEP;
	if (cpu_has.smap)
		cr4 |= CR4_SMAP;
	asm volatile("movq %0, %%cr4" :: "r" (cr4) : "memory");

	apic_cpu_init();
	cpu->apic_id = apic_id();
	cpu->online = true;
}

bool rdmsr_safe(u32 msr, u64 *v)
{
	u32 lo = 0, hi = 0, ok = 0;

	asm volatile("1:\trdmsr\n\t"
		     "movl $1, %2\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "=a" (lo), "=d" (hi), "+r" (ok) : "c" (msr));
	*v = lo | (u64)hi << 32;
	return ok;
}

bool wrmsr_safe(u32 msr, u64 v)
{
	u32 ok = 0;

	asm volatile("1:\twrmsr\n\t"
		     "movl $1, %0\n"
		     "2:\n"
		     EXTABLE("1b", "2b")
		     : "+r" (ok)
		     : "c" (msr), "a" ((u32)v), "d" ((u32)(v >> 32))
		     : "memory");
	return ok;
}
