// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what this machine has not got.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "facility.h"
#include "groups.h"
#include "knobs.h"
#include "machine.h"
#include "power.h"
#include "steps.h"
#include "uffd.h"

static char lacks[OP_NR][96];

static void lack(enum op op, const char *what, int error)
{
	snprintf(lacks[op], sizeof(lacks[op]), "no %s%s%s", what, error ? ": " : "",
		 error ? strerror(error) : "");
}

void facility_leave_out(enum op op)
{
	lack(op, "wish for it (-L)", 0);
}

static void need_file(enum op op, const char *what, const char *path)
{
	if (access(path, W_OK))
		lack(op, what, errno);
}

const char *facility_lacks(enum op op)
{
	return *lacks[op] ? lacks[op] : NULL;
}

static void look_for_rings(void)
{
	static const enum op ops[] = { OP_PIN, OP_PIN_OUT, OP_PIN_IN, OP_UNPIN };
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 1, &params);
	unsigned int i;

	for (i = 0; fd < 0 && i < sizeof(ops) / sizeof(*ops); i++)
		lack(ops[i], "io_uring", errno);
	if (fd >= 0)
		close(fd);
}

static void look_for_aio(bool disk)
{
	aio_context_t ctx = 0;

	if (!disk)
		lack(OP_AIO, "disk", 0);
	else if (syscall(SYS_io_setup, 1, &ctx))
		lack(OP_AIO, "AIO", errno);
	else
		syscall(SYS_io_destroy, ctx);
}

static void look_for_nodes(void)
{
	int mode;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0))
		lack(OP_NUMA, "NUMA", errno);
}

static void need_uffd(enum op op, uint64_t features)
{
	int error = uffd_lacks(features);

	if (error)
		lack(op, "such userfaultfd", error);
}

static void look_for_soft_dirty(void)
{
	uint64_t entry = 0;
	char *p = anon_map(PAGE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	*p = 1;
	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		lack(OP_DIRTY, "pagemap", errno);
	else if (!(entry & PM_SOFT_DIRTY))
		lack(OP_DIRTY, "soft-dirty bits", 0);
	close(fd);
	munmap(p, PAGE);
}

static void look_at_machine(void)
{
	static const enum op groups[] = {
		OP_GROUP, OP_GROUP_SET, OP_GROUP_RECLAIM, OP_GROUP_REMOVE
	};
	static const enum op windows[] = { OP_LIMIT, OP_MODE, OP_AROUND, OP_TOUCH, OP_AHEAD };
	char word[64];
	unsigned int i;

	need_file(OP_STALL, "hooks that stall", "/sys/kernel/debug/symbiotic_bypass/stall_hooks");
	need_file(OP_CORE, "coredumps", "/proc/sys/kernel/core_pattern");
	need_file(OP_KSM, "KSM", KSM "run");
	need_file(OP_THP, "THP", THP "enabled");
	need_file(OP_MTHP, "mTHP", THP "hugepages-16kB/enabled");
	need_file(OP_LRU_GEN, "MGLRU", LRU_GEN);
	need_file(OP_COMPACT, "compaction", "/proc/sys/vm/compact_memory");
	need_file(OP_CPU, "CPU hotplug", "/sys/devices/system/cpu/cpu1/online");
	need_file(OP_SUSPEND, "tests of suspend", PM_TEST);
	need_file(OP_HIBERNATE, "tests of suspend", PM_TEST);
	get_word(word, sizeof(word), "/sys/power/state");
	if (!strstr(word, "disk"))
		lack(OP_HIBERNATE, "hibernation", 0);
	for (i = 0; !machine_has_groups() && i < sizeof(groups) / sizeof(*groups); i++)
		lack(groups[i], "memory cgroups", 0);
	for (i = 0; !inventory.windows && i < sizeof(windows) / sizeof(*windows); i++)
		lack(windows[i], "window", 0);
}

void facility_open(bool disk)
{
	unsigned int op;

	look_for_rings();
	look_for_nodes();
	look_for_soft_dirty();
	need_uffd(OP_UFFD_MOVE, UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MOVE);
	need_uffd(OP_UFFD_WP, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	look_for_aio(disk);
	need_uffd(OP_UFFD_MISSING, 0);
	need_uffd(OP_UFFD_WAIT, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED);
	if (!sums_open())
		lack(OP_RSS, "smaps_rollup", errno);
	if (!disk)
		lack(OP_DIRECT, "disk", 0);
	if (inventory.nr_devices)
		look_at_machine();
	for (op = 0; op < OP_NR && !inventory.nr_devices; op++)
		if (step_of_machine(op))
			lack(op, "swap devices, so the machine is not ours", 0);
}
