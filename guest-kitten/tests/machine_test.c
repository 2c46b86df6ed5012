// SPDX-License-Identifier: GPL-2.0
/*
 * Processors, clock, exceptions.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/task.h>
#include "selftest.h"

static const char *clock_goes_on(void)
{
	u64 a = clock_ns(), b;

	clock_delay_us(2000);
	b = clock_ns();
	EXPECT(b - a >= 2000000);
	EXPECT(b - a < 2000000000);
	EXPECT(clock_tsc_khz() > 1000);
	return NULL;
}

/* An emulator may know no MSR that faults, but every machine has UD2. */
static const char *fault_is_survived(void)
{
	u32 survived = 0;
	u64 v;

	EXPECT(rdmsr_safe(MSR_EFER, &v) && v & 0x400);
	asm volatile("1:\tud2\n"
		     "2:\tmovl $1, %0\n"
		     EXTABLE("1b", "2b") : "+r" (survived));
	EXPECT(survived);
	return NULL;
}

static u32 seen;

static void count(struct cpu *cpu)
{
	__atomic_fetch_add(&seen, 1U << (cpu->id * 4), __ATOMIC_RELAXED);
}

/* The others are idle, and each answers once. */
static const char *all_cpus_answer(void)
{
	u32 want = 0;

	for (u32 i = 0; i < nr_cpus && i < 8; i++)
		want |= 1U << (i * 4);
	seen = 0;
	kunlock();
	on_each_cpu(count);
	klock();
	EXPECT(seen == want);
	return NULL;
}

static const char *flush_returns(void)
{
	flush_all_cpus();
	for (u32 i = 0; i < nr_cpus; i++)
		EXPECT(!cpus[i].flush);
	return NULL;
}

/* A task that is alone gets no interrupt: we are, and wait a while. */
static const char *no_tick(void)
{
	u64 before = this_cpu()->irqs;

	apic_timer_at(0);
	clock_delay_us(50000);
	asm volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(this_cpu()->irqs == before);
	return NULL;
}

/* And the timer does come when it is asked for. */
static const char *one_shot(void)
{
	u64 before = this_cpu()->irqs;

	apic_timer_at(clock_ns() + 1000000);
	for (u32 i = 0; i < 100 && this_cpu()->irqs == before; i++) {
		asm volatile("sti; nop; nop; cli" ::: "memory");
		clock_delay_us(1000);
	}
	EXPECT(this_cpu()->irqs == before + 1);
	clock_delay_us(5000);
	asm volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(this_cpu()->irqs == before + 1);
	return NULL;
}

/* Each processor's own timer interrupts it. */
static void sleep_a_little(struct cpu *cpu)
{
	u64 irqs = cpu->irqs, end = clock_ns() + 1000000000;

	apic_timer_at(clock_ns() + 1000000);
	while (cpu->irqs == irqs && clock_ns() < end) {
		asm volatile("sti; nop; nop; cli" ::: "memory");
		cpu_relax();
	}
	if (cpu->irqs != irqs)
		count(cpu);
}

static const char *timer_on_each_cpu(void)
{
	u32 want = 0;

	for (u32 i = 0; i < nr_cpus && i < 8; i++)
		want |= 1U << (i * 4);
	seen = 0;
	kunlock();
	on_each_cpu(sleep_a_little);
	klock();
	EXPECT(seen == want);
	return NULL;
}

/* Where there is PCI, there is a host bridge at its first place. */
static const char *pci(void)
{
	const struct pci_device *d;

	if (!pci_count())
		return "no PCI";
	d = pci_find(0x8086, 0x1237);
	if (!d)
		return "not the machine that we know";
	EXPECT(!d->bus && !d->slot && !d->fn && d->class == 0x060000);
	EXPECT(!pci_find(0xffff, 0xffff));
	return NULL;
}

static const char *format(void)
{
	char text[32];

	scnprintf(text, sizeof(text), "%d %#x %5u|%-4s|%04llx%c", -7, 0xabU,
		  42U, "ab", 0x1fULL, '!');
	EXPECT(!strcmp(text, "-7 0xab    42|ab  |001f!"));
	EXPECT(scnprintf(text, 4, "%s", "abcdef") == 3);
	EXPECT(!strcmp(text, "abc"));
	return NULL;
}

static const struct test_case tests[] = {
	{ "format", format },
	{ "clock_goes_on", clock_goes_on },
	{ "fault_is_survived", fault_is_survived },
	{ "all_cpus_answer", all_cpus_answer },
	{ "flush_returns", flush_returns },
	{ "no_tick", no_tick },
	{ "one_shot", one_shot },
	{ "timer_on_each_cpu", timer_on_each_cpu },
	{ "pci", pci },
};

const struct test_suite test_machine = { .name = "machine", SUITE(tests) };
