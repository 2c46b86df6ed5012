// SPDX-License-Identifier: GPL-2.0
/*
 * A fork, exec and page-fault loop with the same work every time, to compare
 * the cost of two kernels. It prints the time-stamp counter's difference: with
 * an emulator that counts instructions (QEMU -icount) that is a count of
 * instructions, because the loop never waits.
 *
 * It also is an init: as the first and only process it reports on the second
 * serial port. A machine that has no other device waits for nothing outside,
 * and so its boot costs the same each time.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGES	64

/* Touches memory so that each page is a fault of its own. */
static void touch(void)
{
	volatile char *memory = bench_alloc(PAGES * 4096);
	size_t i;

	for (i = 0; i < PAGES; i++)
		memory[i * 4096] = 1;
	if (mprotect((void *)memory, PAGES * 4096, PROT_READ))
		bench_die("mprotect");
	if (munmap((void *)memory, PAGES * 4096))
		bench_die("munmap");
}

static void fork_and_wait(char *self)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		bench_die("fork");
	if (!child) {
		touch();
		execl(self, self, "child", (char *)NULL);
		_exit(BENCH_SYSTEM);
	}
	if (waitpid(child, &status, 0) < 0)
		bench_die("waitpid");
	if (status) {
		fprintf(stderr, "a child ended with status %#x\n", status);
		exit(BENCH_SYSTEM);
	}
}

/* The console belongs to the kernel's messages; ttyS1 is ours alone. */
static void report_on_serial_port(void)
{
	int fd;

	if (mknod("/results", S_IFCHR | 0600, makedev(4, 65)))
		bench_die("mknod");
	fd = open("/results", O_RDWR | O_NOCTTY);
	if (fd < 0)
		bench_die("/results");
	if (dup2(fd, STDOUT_FILENO) < 0)
		bench_die("dup2");
}

static void power_off(void)
{
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	/* QEMU's -no-reboot makes this its end, with or without ACPI. */
	reboot(RB_AUTOBOOT);
}

int main(int argc, char **argv)
{
	/* Since the machine started: what the boot has cost. */
	uint64_t boot = __rdtsc(), i, rounds, start;

	if (argc == 2 && !strcmp(argv[1], "child")) {
		touch();
		return 0;
	}
	if (argc != 2) {
		fputs("usage: procloop rounds\n", stderr);
		return BENCH_USAGE;
	}
	rounds = bench_number(argv[1], 1UL << 30);
	if (getpid() == 1)
		report_on_serial_port();

	/* The first rounds read the program from the disk. */
	for (i = 0; i < 4; i++)
		fork_and_wait(argv[0]);

	start = __rdtsc();
	for (i = 0; i < rounds; i++)
		fork_and_wait(argv[0]);
	start = __rdtsc() - start;
	printf("boot tsc=%llu\nloop rounds=%llu tsc=%llu\n",
	       (unsigned long long)boot, (unsigned long long)rounds,
	       (unsigned long long)start);
	if (getpid() == 1)
		power_off();
	return 0;
}
