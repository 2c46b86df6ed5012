// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC: one-shot timer and interrupts between processors, through
 * MSRs (x2APIC) or memory.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

#define MSR_APIC_BASE	0x1b
#define BASE_X2APIC	(1U << 10)
#define BASE_ENABLE	(1U << 11)
#define MSR_X2APIC	0x800

#define REG_ID		0x20
#define REG_TPR		0x80
#define REG_EOI		0xb0
#define REG_SPURIOUS	0xf0
#define REG_ICR		0x300
#define REG_ICR_HIGH	0x310
#define REG_TIMER	0x320
#define REG_LINT0	0x350
#define REG_LINT1	0x360
#define REG_INITIAL	0x380
#define REG_CURRENT	0x390
#define REG_DIVIDE	0x3e0

#define LVT_MASKED	(1U << 16)
#define LVT_NMI		0x400
#define ICR_BUSY	(1U << 12)
#define ICR_INIT	0x4500
#define ICR_STARTUP	0x4600
#define DIVIDE_BY_16	3

#define CALIBRATE_US	5000

static volatile u8 *mmio;
/* Timer ticks of a millisecond. */
static u64 ticks_ms;

static u32 reg_read(u32 reg)
{
	if (cpu_has.x2apic)
		return rdmsr(MSR_X2APIC + (reg >> 4));
	return *(volatile u32 *)(mmio + reg);
}

static void reg_write(u32 reg, u32 v)
{
	if (cpu_has.x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), v);
	else
		*(volatile u32 *)(mmio + reg) = v;
}

void apic_cpu_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

	if (cpu_has.x2apic)
		base |= BASE_X2APIC;
	wrmsr(MSR_APIC_BASE, base);
	/* Enabled first: until then the local vectors cannot be unmasked. */
	reg_write(REG_SPURIOUS, 0x100 | VEC_SPURIOUS);
	reg_write(REG_TPR, 0);
	reg_write(REG_LINT0, LVT_MASKED);
	reg_write(REG_LINT1, LVT_NMI);
	reg_write(REG_TIMER, VEC_TIMER);
	reg_write(REG_DIVIDE, DIVIDE_BY_16);
	reg_write(REG_INITIAL, 0);
}

/* Before the first processor's cpu_init(). */
void apic_init(void)
{
	/* Nobody serves the old interrupt controllers: mask them. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);

	if (!cpu_has.x2apic)
		mmio = vmap(rdmsr(MSR_APIC_BASE) & 0xffffff000, PT_UNCACHED);
	apic_cpu_init();

	reg_write(REG_TIMER, LVT_MASKED);
	reg_write(REG_INITIAL, ~0U);
	clock_delay_us(CALIBRATE_US);
	ticks_ms = (u64)(~0U - reg_read(REG_CURRENT)) * 1000 / CALIBRATE_US;
	reg_write(REG_INITIAL, 0);
	reg_write(REG_TIMER, VEC_TIMER);
}

u32 apic_id(void)
{
	return cpu_has.x2apic ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void apic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

static void send(u32 dest, u32 command)
{
	if (cpu_has.x2apic) {
		asm volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (REG_ICR >> 4), (u64)dest << 32 | command);
		return;
	}
	reg_write(REG_ICR_HIGH, dest << 24);
	reg_write(REG_ICR, command);
	while (reg_read(REG_ICR) & ICR_BUSY)
		cpu_relax();
}

void apic_send_ipi(u32 apic_id, u8 vector)
{
	send(apic_id, 0x4000 | vector);
}

void apic_start_ap(u32 apic_id)
{
	send(apic_id, ICR_INIT);
	clock_delay_us(10000);
	send(apic_id, ICR_STARTUP | TRAMPOLINE >> PAGE_SHIFT);
	clock_delay_us(200);
	send(apic_id, ICR_STARTUP | TRAMPOLINE >> PAGE_SHIFT);
}

void apic_timer_at(u64 when)
{
	struct cpu *cpu = this_cpu();
	u64 now, ticks;

	/* A write here may be an exit from a virtual machine. */
	if (!when) {
		if (cpu->timer_at)
			reg_write(REG_INITIAL, 0);
		cpu->timer_at = 0;
		return;
	}
	now = clock_ns();
	ticks = when > now ? (when - now) / 1000 * ticks_ms / 1000 : 0;
	/* Too far away: it fires early, and is set again. */
	reg_write(REG_INITIAL, min_u64(ticks + 1, ~0U));
	cpu->timer_at = when;
}
