// SPDX-License-Identifier: GPL-2.0
/*
 * Where KVM has been, by KCOV, if the host's kernel has it: steps that bring it to new
 * places are as good as pairs of steps that have not been seen. Of this thread alone, and
 * not in the same order each time: not for who wants to repeat what a seed does.
 */
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "exec.h"
#include "kcov.h"

#define AREA_WORDS	(64 << 10)

bool kcov_wanted;
static unsigned long *area;
static unsigned long kvm_base;

/* Modules lie somewhere else each time. */
static unsigned long base_of(const char *file)
{
	FILE *f = fopen(file, "r");
	unsigned long base = 0;

	if (f && fscanf(f, "%lx", &base) != 1)
		base = 0;
	if (f)
		fclose(f);
	return base;
}

void kcov_begin(void)
{
	int fd = kcov_wanted ? open("/sys/kernel/debug/kcov", O_RDWR) : -1;
	void *p;

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, AREA_WORDS))
		return;
	p = mmap(NULL, AREA_WORDS * sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return;
	kvm_base = base_of("/sys/module/kvm/sections/.text");
	area = p;
}

void kcov_collect(void)
{
	unsigned long i, n;

	if (!area)
		return;
	n = __atomic_load_n(&area[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < AREA_WORDS; i++) {
		__u32 hash = (__u32)(area[i] - kvm_base) * 0x9e3779b1U >> (32 - COVER_BITS);

		if (!(shared->places[hash / 8] & 1 << hash % 8)) {
			shared->places[hash / 8] |= 1 << hash % 8;
			shared->nr_places++;
			shared->news++;
		}
	}
	__atomic_store_n(&area[0], 0, __ATOMIC_RELAXED);
}
