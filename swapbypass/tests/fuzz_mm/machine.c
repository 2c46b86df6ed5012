// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: the machine around the processes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "groups.h"
#include "knobs.h"
#include "log.h"
#include "machine.h"
#include "power.h"

#define FAULT_AROUND	"/sys/module/symswap/parameters/fault_around"
#define TOUCH_AHEAD	"/sys/module/symswap/parameters/touch_ahead"
#define ALL_PAGES	(-1)
/* Free slots that each CPU may have for itself: SWAP_SLOTS_CACHE_SIZE of both kinds. */
#define CACHED_SLOTS	(2 * 64)

unsigned int machine_limit_ms = 20000;
enum lie machine_lie = LIE_NR;

static unsigned int on;			/* bits of devices */
static bool stalls, tight, ksm_used;
static char mode_at_start[MAX_DEVICES][32], touch_at_start[MAX_DEVICES][16];
static char broken_file[128], broken_value[32], whole_value[32];
static char thp_at_start[32], lru_gen_at_start[8], around_at_start[16];
static char ahead_at_start[16];
static const char *const modes[] = { "in-place", "copy", "auto", "shadow-bypass" };
static const char *const touches[] = { "off", "auto", "always" };
static const char *const levels[] = {
	"freezer", "devices", "platform", "processors", "core"
};

static const char *const thps[] = { "never", "madvise", "always" };

static const char *window_file(int device, const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "/sys/block/%s/symswap/%s", inventory.device[device], name);
	return path;
}

static bool is_window(int device)
{
	return inventory.windows & 1U << device;
}

/* ---- Lies ------------------------------------------------------------------ */

enum lie lie_find(const char *name)
{
	static const char *const names[LIE_NR] = {
		"in_place", "held", "swap", "anon", "charge", "swap_charge", "sums", "log"
	};
	enum lie lie;

	for (lie = 0; lie < LIE_NR && strcmp(names[lie], name); lie++)
		;
	return lie;
}

long long machine_told(enum lie lie, long long val)
{
	return lie == machine_lie ? val + (1LL << 40) : val;
}

/* ---- At the start ---------------------------------------------------------- */

static void open_device(char *device)
{
	int nr = inventory.nr_devices;
	const char *path, *name;

	inventory_add(device);
	path = inventory.path[nr];
	name = strrchr(path, '/');
	if (!name)
		setup_error("%s is no path", path);
	if (swapoff(path) && errno != EINVAL)
		setup_error("swapoff %s: %s", path, strerror(errno));
	if (strstr(name, "zram"))
		put("32M", "/sys/block%s/disksize", name);
	shell("mkswap %s >/dev/null", path);
	if (!is_window(nr))
		return;
	get_word(mode_at_start[nr], sizeof(mode_at_start[nr]), window_file(nr, "mode"));
	get_word(touch_at_start[nr], sizeof(touch_at_start[nr]), window_file(nr, "first_touch"));
	if (!*mode_at_start[nr] || !*touch_at_start[nr])
		setup_error("%s is no window", path);
}

void machine_open(char **devices, const char *broken)
{
	log_open();
	for (; *devices; devices++)
		open_device(*devices);
	if (broken) {
		const char *value = strchr(broken, '=');

		if (!value)
			setup_error("%s: not FILE=VALUE", broken);
		snprintf(broken_file, sizeof(broken_file), "%.*s", (int)(value - broken), broken);
		snprintf(broken_value, sizeof(broken_value), "%s", value + 1);
		get_word(whole_value, sizeof(whole_value), broken_file);
		if (!*whole_value)
			setup_error("no %s", broken_file);
	}
	if (!inventory.nr_devices)
		return;
	stalls = test_option("stall_hooks", 0);
	get_word(thp_at_start, sizeof(thp_at_start), THP "enabled");
	get_word(lru_gen_at_start, sizeof(lru_gen_at_start), LRU_GEN);
	get_word(around_at_start, sizeof(around_at_start), FAULT_AROUND);
	get_word(ahead_at_start, sizeof(ahead_at_start), TOUCH_AHEAD);
	write_file(KSM "sleep_millisecs", "5");
	write_file(KSM "pages_to_scan", "2000");
	groups_open();
	power_open();
}

/* ---- Steps ----------------------------------------------------------------- */

bool machine_on(int device)
{
	return on & 1U << device;
}

void machine_set_on(int device, bool is)
{
	on = (on & ~(1U << device)) | (unsigned int)is << device;
}

bool machine_tight(void)
{
	return tight;
}

static long hog(int mib)
{
	size_t size = (size_t)mib << 20, at;
	pid_t pid = fork();
	char *p;

	if (!pid) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (at = 0; p != MAP_FAILED && at < size; at += PAGE)
			p[at] = 1;
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return 0;
}

static long set_limit(int device, long pages)
{
	long long all;

	/* The largest that it takes: what is in the window. */
	if (pages == ALL_PAGES)
		return put("1000000000", "%s", window_file(device, "limit")) ? 0 : -errno;
	if (!read_number(window_file(device, "limit"), &all))
		return -ENOENT;
	return put_number(pages, window_file(device, "limit")) ? 0 : -errno;
}

static long stall(pid_t pid, int hook, int ms)
{
	return !stalls ? 0 : test_option("stall_ms", ms) && test_option("stall_pid", pid) &&
	       test_option("stall_hooks", 1U << hook) ? 0 : -ENOENT;
}

long machine_step(const struct step *s, pid_t pid)
{
	const int *arg = s->arg;

	switch (s->op) {
	case OP_SWAPON:
		return swapon(inventory.path[arg[0]], SWAP_FLAG_PREFER | arg[1]) ? -errno : 0;
	case OP_SWAPOFF:
		return swapoff(inventory.path[arg[0]]) ? -errno : 0;
	case OP_LIMIT:
		return set_limit(arg[0], arg[1]);
	case OP_MODE:
		return put(modes[arg[1]], "%s", window_file(arg[0], "mode")) ? 0 : -errno;
	case OP_AROUND:
		put_number(arg[0], FAULT_AROUND);
		return 0;
	case OP_TOUCH:
		return put(touches[arg[1]], "%s", window_file(arg[0], "first_touch")) ? 0 : -errno;
	case OP_AHEAD:
		put_number(arg[0], TOUCH_AHEAD);
		return 0;
	case OP_STALL:
		return stall(pid, arg[1], arg[2]);
	case OP_GROUP_SET:
		tight |= arg[2] >= 0;
		return group_set(s);
	case OP_GROUP_RECLAIM:
		return group_reclaim(s);
	case OP_GROUP_REMOVE:
		return group_remove(s);
	case OP_KSM:
		ksm_used |= arg[0];
		put_number(arg[0], KSM "run");
		return 0;
	case OP_THP:
		write_file(THP "enabled", thps[arg[0]]);
		return 0;
	case OP_MTHP:
		put(thps[arg[1]], THP "hugepages-%dkB/enabled", 4 << arg[0]);
		return 0;
	case OP_LRU_GEN:
		write_file(LRU_GEN, arg[0] ? "y" : "n");
		return 0;
	case OP_DROP_CACHES:
		write_file("/proc/sys/vm/drop_caches", "3");
		return 0;
	case OP_COMPACT:
		write_file("/proc/sys/vm/compact_memory", "1");
		return 0;
	case OP_CPU:
		return power_cpu(arg[0], arg[1]);
	case OP_SUSPEND:
		return power_suspend(levels[arg[0]]);
	case OP_HIBERNATE:
		return power_hibernate();
	case OP_HOG:
		return hog(arg[0]);
	default:
		return -EINVAL;
	}
}

/* ---- Broken on purpose ----------------------------------------------------- */

void machine_break(void)
{
	if (*broken_file && !write_file(broken_file, broken_value))
		setup_error("cannot write %s: %s", broken_file, strerror(errno));
}

/*
 * With a rule left out, a program can leave something for the next one, which would not
 * find it in another boot. With all rules in force again, each device gets each number
 * that swap devices have been given.
 */
static void mend(void)
{
	unsigned int i, j, n = inventory.nr_devices;

	if (!*broken_file)
		return;
	write_file(broken_file, whole_value);
	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++)
			swapon(inventory.path[(i + j) % n], 0);
		for (j = 0; j < n; j++)
			swapoff(inventory.path[j]);
	}
}

/* ---- Afterwards ------------------------------------------------------------ */

static void knobs_back(void)
{
	unsigned int i;

	if (stalls)
		test_option("stall_hooks", 0);
	if (ksm_used) {
		write_file(KSM "run", "2");
		write_file(KSM "run", "0");
		ksm_used = false;
	}
	write_file(THP "enabled", thp_at_start);
	for (i = 2; i < 6; i++)
		put("never", THP "hugepages-%dkB/enabled", 4 << i);
	write_file(LRU_GEN, !strcmp(lru_gen_at_start, "0x0000") ? "n" : "y");
	write_file(FAULT_AROUND, around_at_start);
	write_file(TOUCH_AHEAD, ahead_at_start);
	groups_back();
	power_back();
	tight = false;
}

/* KiB used on all swap devices. */
static long swap_used(void)
{
	FILE *f = fopen("/proc/swaps", "re");
	long used, sum = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %ld", &used) == 1)
			sum += used;
	if (f)
		fclose(f);
	return sum;
}

/* What is still used although nobody is left who could use it. */
static const char *left_over(void)
{
	long slots = sysconf(_SC_NPROCESSORS_CONF) * CACHED_SLOTS * (PAGE >> 10) *
		     inventory.nr_devices;
	long long val;
	unsigned int i;

	for (i = 0; i < inventory.nr_devices; i++) {
		if (!is_window(i))
			continue;
		if (read_number(window_file(i, "in_place"), &val) &&
		    machine_told(LIE_IN_PLACE, val))
			return say("%lld pages of %s are left in place", val, inventory.device[i]);
		if (read_number(window_file(i, "held"), &val) && machine_told(LIE_HELD, val))
			return say("%lld pages of %s are left held", val, inventory.device[i]);
	}
	if (machine_told(LIE_SWAP, swap_used()) > slots)
		return say("%ld KiB of swap are left", swap_used());
	return groups_memory_left();
}

static void limit_windows(long pages)
{
	unsigned int i;

	for (i = 0; i < inventory.nr_devices; i++)
		if (is_window(i))
			set_limit(i, pages);
}

const char *machine_restore(void)
{
	/* A lie does not become true. */
	uint64_t end = now_ms() + (machine_lie == LIE_NR ? machine_limit_ms / 2 : 0);
	bool drained = false;
	const char *left;
	unsigned int i;

	if (!inventory.nr_devices)
		return NULL;
	knobs_back();
	for (i = 0; i < inventory.nr_devices; i++) {
		if (!is_window(i))
			continue;
		write_file(window_file(i, "mode"), mode_at_start[i]);
		write_file(window_file(i, "first_touch"), touch_at_start[i]);
	}
	/*
	 * What is held leaves at once; and what others have, such as this process's parent,
	 * who do not get it back in place before all has been looked at.
	 */
	limit_windows(0);
	while ((left = left_over()) && now_ms() < end) {
		/* munlock() and others let go of pages in batches, per CPU; this drains them. */
		if (!drained && now_ms() + machine_limit_ms / 2 > end + 50)
			drained = write_file("/proc/sys/vm/compact_memory", "1");
		usleep(2000);
		limit_windows(0);
	}
	if (left)
		groups_forgive();
	limit_windows(ALL_PAGES);
	/* Does not end while a slot is used that nobody can give back. */
	for (i = 0; i < inventory.nr_devices; i++) {
		if (machine_on(i) && swapoff(inventory.path[i]) && errno != EINVAL && !left)
			left = say("swapoff %s: %s", inventory.device[i], strerror(errno));
		machine_set_on(i, false);
	}
	/* Slots that a CPU has for itself are charged until now. */
	left = left ?: groups_swap_left();
	mend();
	return left;
}

long machine_kills(void)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char line[128];
	long kills = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "oom_kill %ld", &kills) == 1)
			break;
	if (f)
		fclose(f);
	return kills;
}
