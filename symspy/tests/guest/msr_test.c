// SPDX-License-Identifier: GPL-2.0
/*
 * The symbiotic MSRs, tried from user space of a guest through /dev/cpu/N/msr:
 * every bad write must raise #GP (EIO) and change nothing; good ones move the
 * page, unmap it and bring it back.
 *
 *	msr_test [CPU]		all tests on that CPU, 0 if not given
 *	msr_test get CPU MSR	print an MSR
 *	msr_test set CPU MSR VALUE
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <ktap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <symbiotic/abi.h>

#define SYSFS	"/sys/kernel/symbiotic/"
#define DEBUGFS	"/sys/kernel/debug/symbiotic/"

static int msr_fd;

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static int rdmsr(uint32_t msr, uint64_t *val)
{
	return pread(msr_fd, val, 8, msr) == 8 ? 0 : -errno;
}

static int wrmsr(uint32_t msr, uint64_t val)
{
	return pwrite(msr_fd, &val, 8, msr) == 8 ? 0 : -errno;
}

static uint64_t get(uint32_t msr)
{
	uint64_t val;

	if (rdmsr(msr, &val))
		die("MSR %#x cannot be read", msr);
	return val;
}

static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	char buf[64] = "";

	if (!f || !fgets(buf, sizeof(buf), f))
		die("%s: cannot read", path);
	fclose(f);
	return strtoull(buf, NULL, 0);
}

static uint64_t peek(uint64_t gpa)
{
	FILE *f = fopen(DEBUGFS "peek", "w");

	if (!f)
		die("no %speek", DEBUGFS);
	fprintf(f, "%#" PRIx64, gpa);
	if (fclose(f))
		die("cannot peek at %#" PRIx64, gpa);
	return read_number(DEBUGFS "peek");
}

/* Start of the first range in /proc/iomem with this name; the last if @last. */
static uint64_t iomem(const char *name, bool last, uint64_t *end)
{
	FILE *f = fopen("/proc/iomem", "r");
	uint64_t from, to, start = 0;
	char line[256], *colon;

	if (!f)
		die("no /proc/iomem");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		colon = strstr(line, " : ");
		if (!colon || strcmp(colon + 3, name))
			continue;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
			continue;
		if (!start || last) {
			start = from;
			if (end)
				*end = to;
		}
	}
	fclose(f);
	return start;
}

/* Address of some memory BAR. */
static uint64_t some_bar(void)
{
	char path[80];
	int dev, i;

	for (dev = 1; dev < 32; dev++) {
		uint64_t start, end, flags;
		FILE *f;

		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/0000:00:%02x.0/resource", dev);
		f = fopen(path, "r");
		if (!f)
			continue;
		for (i = 0; i < 6; i++) {
			if (fscanf(f, "%" SCNx64 " %" SCNx64 " %" SCNx64,
				   &start, &end, &flags) != 3)
				break;
			if (flags & 0x200 && end - start >= 4095) {
				fclose(f);
				return start;
			}
		}
		fclose(f);
	}
	return 0;
}

static int phys_bits(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[4096];
	int bits = 0;

	if (!f)
		die("no /proc/cpuinfo");
	while (!bits && fgets(line, sizeof(line), f))
		sscanf(line, "address sizes : %d bits", &bits);
	fclose(f);
	return bits;
}

static void bad(uint32_t msr, const char *name, uint64_t val, const char *why)
{
	uint64_t before = get(msr), after;
	int ret = wrmsr(msr, val);

	after = get(msr);
	ktap(ret == -EIO && before == after,
	     "%s = %#" PRIx64 " (%s): %s, value %s", name, val, why,
	     ret ? strerror(-ret) : "accepted",
	     before == after ? "unchanged" : "CHANGED");
	if (before != after)
		wrmsr(msr, before);
}

static void bad_pages(uint32_t msr, const char *name, uint64_t other)
{
	uint64_t own = get(msr), ram_end = 0;
	uint64_t ram = iomem("System RAM", true, &ram_end);
	uint64_t bar = some_bar();
	int bits = phys_bits();

	if (!ram || !own)
		die("no RAM or no page");

	bad(msr, name, own + 1, "unaligned");
	bad(msr, name, own + 0x800, "unaligned");
	bad(msr, name, 1ULL << bits, "beyond the physical addresses");
	bad(msr, name, own | 1ULL << 52, "reserved bit");
	bad(msr, name, own | 1ULL << 63, "reserved bit");
	bad(msr, name, ~0ULL, "all ones");
	bad(msr, name, ~0ULL << 12, "all ones, aligned");
	bad(msr, name, 0x1000, "RAM");
	bad(msr, name, ram & ~0xfffULL, "RAM");
	bad(msr, name, ram_end & ~0xfffULL, "end of RAM");
	bad(msr, name, 0xfee00000, "local APIC");
	bad(msr, name, 0xfec00000, "I/O APIC");
	if (bar)
		bad(msr, name, bar & ~0xfffULL, "device");
	bad(msr, name, other, "the other page");
}

static void bad_values(int cpu)
{
	uint64_t features = get(SYMB_MSR_FEATURES);

	bad_pages(SYMB_MSR_GLOBAL_PAGE, "GLOBAL", get(SYMB_MSR_LOCAL_PAGE));
	bad_pages(SYMB_MSR_LOCAL_PAGE, "LOCAL", get(SYMB_MSR_GLOBAL_PAGE));
	bad_pages(SYMB_MSR_ALIAS_GLOBAL_PAGE, "GLOBAL alias",
		  get(SYMB_MSR_LOCAL_PAGE));

	bad(SYMB_MSR_FEATURES, "FEATURES", features | (SYMB_FEAT_ALL + 1), "not offered");
	bad(SYMB_MSR_FEATURES, "FEATURES", features | 1U << 31, "not offered");
	bad(SYMB_MSR_FEATURES, "FEATURES", features | 1ULL << 32, "high half");
	bad(SYMB_MSR_FEATURES, "FEATURES", ~0ULL, "all ones");

	bad(SYMB_MSR_SYMCALL_RIP, "RIP", 1ULL << 63, "not canonical");
	bad(SYMB_MSR_SYMCALL_RIP, "RIP", 0x0000900000000000, "not canonical");
	bad(SYMB_MSR_SYMCALL_RSP, "RSP", 0xff00000000000000, "not canonical");
	bad(SYMB_MSR_SYMCALL_GS, "GS", 0x8000000000000000, "not canonical");
	bad(SYMB_MSR_SYMCALL_FS, "FS", 0x8000000000000000, "not canonical");
	bad(SYMB_MSR_SYMCALL_CS, "CS", 0x33, "ring 3");
	bad(SYMB_MSR_SYMCALL_CS, "CS", 0x14, "LDT");
	bad(SYMB_MSR_SYMCALL_CS, "CS", 0x10010, "more than a selector");
	bad(SYMB_MSR_SYMCALL_CS, "CS", 0xfff8, "no room for SS");
	(void)cpu;
}

static void aliases(void)
{
	static const uint32_t pairs[][2] = {
		{ SYMB_MSR_GLOBAL_PAGE, SYMB_MSR_ALIAS_GLOBAL_PAGE },
		{ SYMB_MSR_LOCAL_PAGE, SYMB_MSR_ALIAS_LOCAL_PAGE },
		{ SYMB_MSR_SYMCALL_RIP, SYMB_MSR_ALIAS_SYMCALL_RIP },
		{ SYMB_MSR_SYMCALL_RSP, SYMB_MSR_ALIAS_SYMCALL_RSP },
		{ SYMB_MSR_SYMCALL_CS, SYMB_MSR_ALIAS_SYMCALL_CS },
		{ SYMB_MSR_SYMCALL_GS, SYMB_MSR_ALIAS_SYMCALL_GS },
		{ SYMB_MSR_SYMCALL_FS, SYMB_MSR_ALIAS_SYMCALL_FS },
	};
	unsigned int i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ktap(get(pairs[i][0]) == get(pairs[i][1]),
		     "MSR %#x reads like its alias %#x", pairs[i][0],
		     pairs[i][1]);
}

static void write_file(const char *path, const char *s)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(s, f) < 0 || fclose(f))
		die("cannot write %s", path);
}

/* Move the global page, unmap it, and put it back, behind the kernel's back. */
static void move(void)
{
	uint64_t old = get(SYMB_MSR_GLOBAL_PAGE), region_end, new;

	if (!iomem("symspy", false, &region_end))
		die("no region \"symspy\" in /proc/iomem");
	new = region_end + 1;

	ktap(peek(old) == SYMSPY_GLOBAL_MAGIC, "magic at the old address");
	write_file(SYSFS "guest_word", "0x534d4f5645");

	ktap(!wrmsr(SYMB_MSR_GLOBAL_PAGE, old), "same address again");
	ktap(peek(old) == SYMSPY_GLOBAL_MAGIC, "magic still there");

	ktap(!wrmsr(SYMB_MSR_GLOBAL_PAGE, new), "move");
	ktap(get(SYMB_MSR_GLOBAL_PAGE) == new, "new address is read back");
	ktap(peek(new) == SYMSPY_GLOBAL_MAGIC, "magic at the new address");
	ktap(peek(new + SYMSPY_EXT_OFFSET + 24) == 0x534d4f5645,
	     "a page that moves keeps its content");
	ktap(peek(old) != SYMSPY_GLOBAL_MAGIC, "nothing at the old address");

	ktap(!wrmsr(SYMB_MSR_GLOBAL_PAGE, 0), "unmap");
	ktap(get(SYMB_MSR_GLOBAL_PAGE) == 0, "0 is read back");
	ktap(peek(new) != SYMSPY_GLOBAL_MAGIC, "nothing at the new address");
	ktap(!wrmsr(SYMB_MSR_GLOBAL_PAGE, 0), "unmap again");

	ktap(!wrmsr(SYMB_MSR_ALIAS_GLOBAL_PAGE, old), "back, by the alias");
	ktap(peek(old) == SYMSPY_GLOBAL_MAGIC, "magic at the old address");
}

int main(int argc, char **argv)
{
	char path[32];
	int cpu = 0;

	if (argc > 2)
		cpu = atoi(argv[2]);
	else if (argc > 1)
		cpu = atoi(argv[1]);

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	msr_fd = open(path, O_RDWR);
	if (msr_fd < 0)
		die("%s: %s", path, strerror(errno));

	if (argc == 4 && !strcmp(argv[1], "get")) {
		uint64_t val;
		int ret = rdmsr(strtoul(argv[3], NULL, 0), &val);

		if (ret)
			die("%s", strerror(-ret));
		printf("%#" PRIx64 "\n", val);
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "set")) {
		int ret = wrmsr(strtoul(argv[3], NULL, 0),
				strtoull(argv[4], NULL, 0));

		if (ret)
			die("%s", strerror(-ret));
		return 0;
	}
	if (argc > 2)
		die("usage: msr_test [CPU] | get CPU MSR | set CPU MSR VALUE");

	aliases();
	bad_values(cpu);
	move();
	ktap(read_number(SYSFS "guest_word") == 0x534d4f5645 ||
	     read_number(SYSFS "guest_word") == 0, "the kernel still reads it");

	return ktap_end();
}
