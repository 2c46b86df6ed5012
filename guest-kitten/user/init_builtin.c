// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of init_task that are no programs: they tell about the machine.
 */
#include "init_task.h"

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
	u64 pause[2] = { 0, 100000000 }, want = 0;
	const char *s;

	for (s = argument(strings, argc); *s >= '0' && *s <= '9'; s++)
		want = want * 10 + (*s - '0');
	for (;;) {
		machine_info(&m);
		if (m.host_word == want)
			return 0;
		call(__NR_nanosleep, (u64)pause, 0, 0, 0, 0);
	}
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
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!same(name, table[i].name))
			continue;
		*status = table[i].run(strings, argc);
		return true;
	}
	return false;
}
