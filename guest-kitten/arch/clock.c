// SPDX-License-Identifier: GPL-2.0
/*
 * Time from the time-stamp counter, whose rate the interval timer tells.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>

#define PIT_HZ		1193182
#define PIT_CH2		0x42
#define PIT_CTL		0x43
#define PORT_B		0x61
#define OUT2		0x20

#define ROUND_MS	10
#define ROUNDS		5

static u64 khz, start_tsc;
/* Nanoseconds of a tick, as a fraction of 2^32. */
static u64 mult;

/* Ticks of the counter while the timer's channel 2 counts down once. */
static u64 one_round(void)
{
	u32 count = PIT_HZ * ROUND_MS / 1000;
	u64 start, end;

	outb(PORT_B, (inb(PORT_B) & ~0x02) | 0x01);
	outb(PIT_CTL, 0xb0);
	outb(PIT_CH2, count & 0xff);
	start = rdtsc();
	outb(PIT_CH2, count >> 8);
	while (!(inb(PORT_B) & OUT2))
		;
	end = rdtsc();
	return end - start;
}

/*
 * Whatever disturbs a round makes it longer, never shorter: the shortest one
 * is the best.
 */
void clock_init(void)
{
	u64 best = ~0ULL;

	for (unsigned int i = 0; i < ROUNDS; i++)
		best = min_u64(best, one_round());
	khz = best / ROUND_MS;
	mult = (1000000ULL << 32) / khz;
	start_tsc = rdtsc();
}

u64 clock_ns(void)
{
	u64 t = rdtsc() - start_tsc;

	if (!khz)
		return 0;
	return (t >> 32) * mult + ((t & 0xffffffff) * mult >> 32);
}

u64 clock_tsc_khz(void)
{
	return khz;
}

void clock_delay_us(u64 us)
{
	u64 end = clock_ns() + us * 1000;

	while (clock_ns() < end)
		cpu_relax();
}
