// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of init_task that are no programs: they tell about the machine.
 */
#include "init_task.h"

/* What the kernel takes, and up to the end of the task's addresses. */
#define STACK_MIN_KIB	64
#define STACK_MAX_KIB	(32 << 20)

static struct lwk_machine m;

static const char *argument(const char *strings, u32 argc)
{
	return argc > 1 ? strings + length(strings) + 1 : "";
}

static int do_echo(const char *strings, u32 argc)
{
	for (u32 i = 1; i < argc; i++) {
		strings += length(strings) + 1;
		print(1, i + 1 < argc ? "%s " : "%s\n", strings);
	}
	return 0;
}

u32 nr_cpus(void)
{
	machine_info(&m);
	return m.nr_cpus;
}

static int do_selftest(const char *strings, u32 argc)
{
	(void)strings;
	(void)argc;
	return call(LWK_SELFTEST, 0, 0, 0, 0, 0) ? 1 : 0;
}

static int do_machine(const char *strings, u32 argc)
{
	static const char * const type[] = {
		"none", "free", "kernel", "archive", "user",
	};
	struct lwk_pmem p;

	(void)strings;
	(void)argc;
	machine_info(&m);
	print(1, "cpus %u\npci %u\ntsc_khz %u\nlargest_page %u\n",
	      (u64)m.nr_cpus, (u64)m.nr_pci, m.tsc_khz, m.max_page);
	for (u32 i = 0; !pmem_query(i, &p); i++)
		print(1, "pmem 0x%x-0x%x %s\n", p.start, p.end,
		      type[p.type % 5]);
	return 0;
}

/* The same words as in the other guests' /sys/kernel/symbiotic. */
static int do_symbiotic(const char *strings, u32 argc)
{
	(void)strings;
	(void)argc;
	machine_info(&m);
	print(1, "state %s\nfeatures 0x%x\noffered 0x%x\ncpuid_base 0x%x\n",
	      m.symb_features ? "on" : m.symb_found ? "absent" : "off",
	      (u64)m.symb_features, (u64)m.symb_offered, (u64)m.symb_base);
	print(1, "global_page 0x%x\nhost_word 0x%x\n", m.global_gpa,
	      m.host_word);
	for (u32 i = 0; i < m.nr_cpus; i++)
		print(1, "cpu%u local_page 0x%x symcall %s calls %u aborts %u irqs %u\n",
		      (u64)i, m.cpu[i].local_gpa,
		      m.cpu[i].symcall_on ? "on" : "off", m.cpu[i].symcalls,
		      m.cpu[i].symcall_aborts, m.cpu[i].irqs);
	return 0;
}

/* Sleeps between looks: other tasks do not exist, but the host has work. */
static int do_wait_host(const char *strings, u32 argc)
{
	u64 pause[2] = { 0, 100000000 }, want;

	if (!number(argument(strings, argc), &want)) {
		print(2, "init_task: usage: wait_host NUMBER\n");
		return 2;
	}
	for (;;) {
		machine_info(&m);
		if (m.host_word == want)
			return 0;
		call(__NR_nanosleep, (u64)pause, 0, 0, 0, 0);
	}
}

/* As the shell's, for the programs that follow: their stacks are bound. */
static int do_ulimit(const char *strings, u32 argc)
{
	const char *option = argument(strings, argc), *size;
	u64 kib;

	if (argc == 2 && same(option, "-s")) {
		print(1, "%u\n", stack_size >> 10);
		return 0;
	}
	size = option + length(option) + 1;
	if (argc != 3 || !same(option, "-s") || !number(size, &kib) ||
	    kib < STACK_MIN_KIB || kib > STACK_MAX_KIB) {
		print(2, "init_task: usage: ulimit -s [KIB], %u to %u\n",
		      (u64)STACK_MIN_KIB, (u64)STACK_MAX_KIB);
		return 2;
	}
	stack_size = ((kib << 10) + 4095) & ~4095ULL;
	return 0;
}

static int do_init_test(const char *strings, u32 argc)
{
	(void)strings;
	(void)argc;
	return init_test();
}

static int do_true(const char *strings, u32 argc)
{
	(void)strings;
	(void)argc;
	return 0;
}

bool builtin(const char *name, const char *strings, u32 argc, int *status)
{
	static const struct {
		const char *name;
		int (*run)(const char *strings, u32 argc);
	} table[] = {
		{ "echo", do_echo },
		{ "selftest", do_selftest },
		{ "init_test", do_init_test },
		{ "machine", do_machine },
		{ "symbiotic", do_symbiotic },
		{ "wait_host", do_wait_host },
		{ "true", do_true },
		{ "ulimit", do_ulimit },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!same(name, table[i].name))
			continue;
		*status = table[i].run(strings, argc);
		return true;
	}
	return false;
}
