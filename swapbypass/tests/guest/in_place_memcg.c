// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups with pages in place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "in_place.h"

/* Charged as swap while in place, as memory nowhere; nothing is left over. */
static void t_memcg(void)
{
	long long swap, memory;
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		char *p, *q;

		set_group("cgroup.procs", "0");
		p = in_place(0x1000);
		swap = group("memory.swap.current");
		memory = group("memory.current");
		if (swap < (long long)len())
			violated("%lld bytes of swap charged for %zu in place", swap, len());
		/* The same content as memory, to compare with. */
		q = anon_map(len());
		fill(q, 0x1000, 1);
		if (group("memory.current") - memory < (long long)len() / 2)
			violated("memory is not charged");
		/* Moves to memory: charged there. */
		memory = group("memory.current");
		if (mlock(p, len()))
			setup_error("mlock: %s", strerror(errno));
		verify("mine", p, 0x1000, 1);
		_exit(TEST_OK);
	}
	join_child(pid);
	for (uint64_t end = now_ms() + WAIT_MS; group("memory.swap.current"); usleep(1000)) {
		if (now_ms() > end)
			violated("%lld bytes of swap are still charged",
				 group("memory.swap.current"));
		/* What a copying fault has read ahead stays until it is reclaimed. */
		write_file(GROUP "/memory.reclaim", "1M");
	}
}

/* How often something has happened to the group. */
static long long group_events(const char *event)
{
	FILE *f = fopen(GROUP "/memory.events", "re");
	long long n;
	char name[32];

	if (!f)
		setup_error("memory.events: %s", strerror(errno));
	while (fscanf(f, "%31s %lld", name, &n) == 2) {
		if (!strcmp(name, event)) {
			fclose(f);
			return n;
		}
	}
	setup_error("memory.events has no %s", event);
}

/*
 * A group without room for what comes back ends swapoff, and nobody in it pays for
 * that.
 */
static void t_memcg_swapoff(void)
{
	char *dev = device(), text[32];
	long long ooms;
	struct baton b;
	pid_t pid;
	int err;

	/* More than what is charged ahead. */
	npages = 512;
	make_group();
	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		char *p;

		set_group("cgroup.procs", "0");
		/* The group's only process: nobody can be killed for room. */
		if (!write_file("/proc/self/oom_score_adj", "-1000"))
			setup_error("oom_score_adj");
		p = in_place(0x1080);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("after swapoff", p, 0x1080, 1);
		_exit(TEST_OK);
	}
	baton_wait(&b, 1);
	snprintf(text, sizeof(text), "%lld", group("memory.current") + (long long)len() / 2);
	ooms = group_events("oom");
	set_group("memory.max", text);
	err = swapoff_within(dev, 60);
	set_group("memory.max", "max");
	if (err != ENOMEM)
		violated("swapoff of twice as much as there is room for: %s", strerror(err));
	ooms = group_events("oom") - ooms;
	if (ooms)
		violated("swapoff has called the OOM killer %lld times", ooms);
	baton_pass(&b, 0);
	join_child(pid);
}

/* At its limit, a group goes on with most of its pages in place. */
static void t_memcg_limit(void)
{
	pressure(4, NULL);
}

const struct test_case in_place_memcg[] = {
	{ "memcg", "memory cgroup: charges", t_memcg },
	{ "memcg_limit", "memory cgroup: at its limit", t_memcg_limit },
	{ "memcg_swapoff", "memory cgroup: swapoff at its limit", t_memcg_swapoff },
	{ 0 }
};
