// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: memory cgroups, and what is charged to them.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "groups.h"
#include "knobs.h"
#include "machine.h"

#define CGROUPS		"/sys/fs/cgroup"
#define BASE		CGROUPS "/fuzz"
/* With less, nothing runs at all. */
#define LEAST_KIB	2048
/*
 * What each CPU has charged, and not used; and what it has counted, and not told:
 * MEMCG_CHARGE_BATCH pages each.
 */
#define IN_BATCHES	(2 * 64)

static bool groups;
static long long forgiven;

void groups_open(void)
{
	char path[64];
	int i;

	mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	if (!write_file(CGROUPS "/cgroup.subtree_control", "+memory"))
		return;
	mkdir(BASE, 0755);
	if (!write_file(BASE "/cgroup.subtree_control", "+memory"))
		return;
	mkdir(BASE "/home", 0755);
	for (i = 0; i < NR_GROUPS; i++) {
		snprintf(path, sizeof(path), BASE "/g%d", i);
		mkdir(path, 0755);
	}
	groups = true;
}

bool machine_has_groups(void)
{
	return groups;
}

bool machine_group_join(int group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (group < 0)
		return put(text, BASE "/home/cgroup.procs");
	return put(text, BASE "/g%d/cgroup.procs", group);
}

/* ---- Steps ----------------------------------------------------------------- */

long group_set(const struct step *s)
{
	static const char *const files[] = { "memory.high", "memory.max", "memory.swap.max" };
	long kib = s->arg[2];
	char text[32] = "max";

	if (kib >= 0) {
		if (s->arg[1] != G_SWAP_MAX && kib < LEAST_KIB)
			kib = LEAST_KIB;
		snprintf(text, sizeof(text), "%ldK", kib);
	}
	return put(text, BASE "/g%d/%s", s->arg[0], files[s->arg[1]]) ? 0 : -errno;
}

long group_reclaim(const struct step *s)
{
	char text[32];

	/* What is not there cannot be reclaimed, and that is no error of ours. */
	snprintf(text, sizeof(text), "%dK", s->arg[1] > 0 ? s->arg[1] : 65536);
	put(text, BASE "/g%d/memory.reclaim", s->arg[0]);
	return 0;
}

long group_remove(const struct step *s)
{
	char path[64];

	snprintf(path, sizeof(path), BASE "/g%d", s->arg[0]);
	if (rmdir(path) || mkdir(path, 0755))
		return -errno;
	return 0;
}

/* ---- Afterwards ------------------------------------------------------------ */

void groups_back(void)
{
	unsigned int i;

	for (i = 0; groups && i < NR_GROUPS; i++) {
		put("max", BASE "/g%u/memory.high", i);
		put("max", BASE "/g%u/memory.max", i);
		put("max", BASE "/g%u/memory.swap.max", i);
	}
}

static long long number(const char *name)
{
	char path[96];
	long long val;

	snprintf(path, sizeof(path), BASE "/%s", name);
	return groups && read_number(path, &val) ? val : 0;
}

/* Of what is charged, what is not told of: no file's, no kernel memory. */
static long long charged(long long *anon)
{
	long long all = number("memory.current"), val;
	FILE *f = fopen(BASE "/memory.stat", "re");
	char line[128];

	*anon = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "anon %lld", anon) == 1)
			all -= *anon;
		else if (sscanf(line, "file %lld", &val) == 1 ||
			 sscanf(line, "kernel %lld", &val) == 1 ||
			 sscanf(line, "sock %lld", &val) == 1)
			all -= val;
	}
	if (f)
		fclose(f);
	return all;
}

const char *groups_memory_left(void)
{
	long long most = sysconf(_SC_NPROCESSORS_CONF) * IN_BATCHES * PAGE, anon, other;

	if (!groups)
		return NULL;
	other = machine_told(LIE_CHARGE, charged(&anon));
	if (machine_told(LIE_ANON, anon) > most)
		return say("%lld bytes of anonymous memory are left charged", anon);
	if (other > most + forgiven)
		return say("%lld bytes are left charged that nobody has", other);
	return NULL;
}

const char *groups_swap_left(void)
{
	long long left = machine_told(LIE_SWAP_CHARGE, number("memory.swap.current"));

	return left ? say("%lld bytes of swap are left charged", left) : NULL;
}

void groups_forgive(void)
{
	long long anon;

	if (groups_memory_left())
		forgiven = charged(&anon);
}
