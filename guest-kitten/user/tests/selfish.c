// SPDX-License-Identifier: GPL-2.0
/*
 * Noise: spin on the time-stamp counter and record every gap that is longer
 * than a loop can be. `selfish SECONDS [THRESHOLD_NS]`, on any guest.
 *
 * A histogram of the detours by powers of two of nanoseconds, and a summary:
 * a line for each detour would take longer than the measurement where each
 * character is an exit.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_DETOURS	200000
#define CALIBRATE_NS	50000000

#define BINS		40

static uint64_t detours[MAX_DETOURS];
static unsigned int bins[BINS];

static unsigned int bin_of(double ns)
{
	unsigned int i = 0;

	while (i < BINS - 1 && ns >= (double)(2ULL << i))
		i++;
	return i;
}

static inline uint64_t tsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (uint64_t)hi << 32;
}

static uint64_t nanoseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Ticks in a nanosecond. */
static double calibrate(void)
{
	uint64_t ns = nanoseconds(), start = tsc(), now;

	do {
		now = nanoseconds();
	} while (now - ns < CALIBRATE_NS);
	return (double)(tsc() - start) / (double)(now - ns);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1.0, rate;
	uint64_t threshold, start, end, last, now, lost = 0, longest = 0;
	uint64_t shortest = ~0ULL;
	unsigned int n = 0, i;

	/* Memory must be there before, not come by faults. */
	memset(detours, 1, sizeof(detours));
	rate = calibrate();
	threshold = (uint64_t)((argc > 2 ? atof(argv[2]) : 1000.0) * rate);

	start = tsc();
	end = start + (uint64_t)(seconds * 1e9 * rate);
	for (last = start; last < end && n < MAX_DETOURS; last = now) {
		now = tsc();
		if (now - last < shortest)
			shortest = now - last;
		if (now - last > threshold)
			detours[n++] = now - last;
	}
	seconds = (double)(last - start) / rate * 1e-9;

	for (i = 0; i < n; i++) {
		lost += detours[i];
		if (detours[i] > longest)
			longest = detours[i];
		bins[bin_of((double)detours[i] / rate)]++;
	}
	for (i = 0; i < BINS; i++) {
		if (bins[i])
			printf("bin from_ns=%llu detours=%u\n", 1ULL << i,
			       bins[i]);
	}
	printf("selfish seconds=%.3f threshold_ns=%.0f loop_ns=%.1f",
	       seconds, (double)threshold / rate, (double)shortest / rate);
	printf(" detours=%u per_second=%.1f longest_ns=%.0f lost_percent=%.4f\n",
	       n, n / seconds, (double)longest / rate,
	       100.0 * (double)lost / rate * 1e-9 / seconds);
	return 0;
}
