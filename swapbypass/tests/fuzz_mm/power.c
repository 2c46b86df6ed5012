// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: CPUs come and go, and the machine goes to sleep.
 */
#include <errno.h>
#include <unistd.h>

#include "common.h"
#include "knobs.h"
#include "power.h"
#include "program.h"

#define STATE		"/sys/power/state"
/* Less than anything may take: what cannot be frozen is no find. */
#define FREEZE_MS	"5000"

static bool cpus_used, pm_used;

void power_open(void)
{
	/* The kernel's tests stay down for 5 s otherwise. */
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_file("/sys/power/pm_freeze_timeout", FREEZE_MS);
}

static bool set_cpu(long cpu, bool online)
{
	return put(online ? "1" : "0", "/sys/devices/system/cpu/cpu%ld/online", cpu);
}

long power_cpu(int nr, bool online)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	cpus_used = true;
	return set_cpu(1 + (nr - 1) % (cpus - 1), online) ? 0 : -errno;
}

static long sleep_once(const char *level, const char *state)
{
	pm_used = true;
	if (!write_file(PM_TEST, level))
		return -errno;
	return write_file(STATE, state) ? 0 : -errno;
}

long power_suspend(const char *level)
{
	return sleep_once(level, "mem");
}

long power_hibernate(void)
{
	/* What must be refused should end there if it is not. */
	return sleep_once(inventory.windows ? "freezer" : "core", "disk");
}

void power_back(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF), i;

	for (i = 1; cpus_used && i < cpus; i++)
		set_cpu(i, true);
	if (pm_used)
		write_file(PM_TEST, "none");
	cpus_used = false;
	pm_used = false;
}
