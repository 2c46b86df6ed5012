// SPDX-License-Identifier: GPL-2.0
/*
 * Computes for some seconds: `spin SECONDS`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	double limit = argc > 1 ? atof(argv[1]) : 1.0;
	struct timespec start, now;
	volatile unsigned long n = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (int i = 0; i < 1000000; i++)
			n++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - start.tv_sec) +
		 (double)(now.tv_nsec - start.tv_nsec) * 1e-9 < limit);
	return 0;
}
