// SPDX-License-Identifier: GPL-2.0
/*
 * The host of kvm_fuzz runs short of memory: it takes pages of the memory cgroup that this
 * process is in, and has them swapped out. What they hold stays the same. And whatever is
 * made for its VMs is that cgroup's, and must have left it when they are gone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pressure.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/kvm_fuzz"

static bool put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");
	bool ok = f && fputs(text, f) >= 0;

	return (!f || !fclose(f)) && ok;
}

/* In a process that is to be in it, before it has memory. */
static bool begin(void)
{
	char pid[16];

	mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	put(CGROUPS "/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return put(GROUP "/cgroup.procs", pid) && !access(GROUP "/memory.reclaim", W_OK);
}

bool pressure_begin(void)
{
	static pid_t tried;
	static bool there;

	if (tried != getpid())
		there = begin();
	tried = getpid();
	return there;
}

bool reclaim(unsigned int size)
{
	static const char * const sizes[] = { "64K", "256K", "1M", "4M", "16M" };

	if (!pressure_begin())
		return false;
	/* There may be no more; that is no error. */
	put(GROUP "/memory.reclaim", sizes[size]);
	return true;
}

/* A line of a file that begins with that word; 0 if there is none. */
static long number_of(const char *file, const char *word)
{
	FILE *f = fopen(file, "r");
	size_t len = strlen(word);
	char line[128];
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, len) && sscanf(line + len, "%ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

bool memory_kept(struct kept *kept)
{
	long caches;

	/* Reading it adds up what each processor has counted, of memory, too. */
	number_of(GROUP "/cpu.stat", "usage_usec ");
	kept->kernel = number_of(GROUP "/memory.stat", "kernel ");
	kept->all = number_of(GROUP "/memory.current", "");
	/* Of file systems and swap, which have them until somebody needs the memory. */
	caches = number_of(GROUP "/memory.stat", "slab_reclaimable ");
	kept->kernel -= caches;
	kept->all -= caches + number_of(GROUP "/memory.stat", "file ") +
		     number_of(GROUP "/memory.stat", "swapcached ");
	return !access(GROUP "/memory.stat", R_OK);
}
