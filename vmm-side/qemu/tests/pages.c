// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of the SymSpy page MSRs, tried from the guest's user space: which
 * addresses the VMM takes, which it refuses without changing anything, what a
 * page contains, and what happens to it when it moves, goes, or when its vCPU
 * is reset.
 *
 *	pages		all of that
 *	pages leave	map pages, accept features, and leave it so; after a
 *			reset of the machine, "pages" must find nothing of it
 *	pages off	none of the MSRs and CPUID leaves may exist
 *	pages unplug	CPU 1 goes, and its page with it: the host takes it away when
 *			this says "mapped"
 *	pages write CPU MSR VALUE
 *			no test: status 0 if it was taken, 1 if not
 *
 * The guest kernel must leave the MSRs alone: boot it with "nosymbiotic".
 * Needs two CPUs, /dev/cpu/N/msr and /dev/mem.
 */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <ktap.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <symbiotic/abi.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

/* As sysfs shows them; READONLY: the option ROM. */
#define IORESOURCE_MEM		0x200
#define IORESOURCE_READONLY	0x4000

static unsigned int checks, failures;

__attribute__((format(printf, 2, 3)))
static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	checks++;
	if (ok)
		return;
	failures++;
	printf("# failed: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(2);
}

static int msr_open(int cpu, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	fd = open(path, flags);
	if (fd < 0)
		die(path);
	return fd;
}

/* Returns 0, or EIO for a #GP in the guest kernel. */
static int wrmsr(int cpu, uint32_t msr, uint64_t value)
{
	int fd = msr_open(cpu, O_WRONLY);
	int ret = pwrite(fd, &value, sizeof(value), msr) == sizeof(value) ? 0 : errno;

	close(fd);
	return ret;
}

static int rdmsr(int cpu, uint32_t msr, uint64_t *value)
{
	int fd = msr_open(cpu, O_RDONLY);
	int ret = pread(fd, value, sizeof(*value), msr) == sizeof(*value) ? 0 : errno;

	close(fd);
	return ret;
}

static void check_msr(int cpu, uint32_t msr, uint64_t expected)
{
	uint64_t value = 0;
	int ret = rdmsr(cpu, msr, &value);

	check(!ret && value == expected,
	      "CPU %d MSR 0x%x: %s 0x%" PRIx64 ", expected 0x%" PRIx64, cpu, msr,
	      ret ? strerror(ret) : "read", value, expected);
}

static void check_refused(int cpu, uint32_t msr, uint64_t gpa, const char *why)
{
	uint64_t before = 0;

	rdmsr(cpu, msr, &before);
	check(wrmsr(cpu, msr, gpa) == EIO, "MSR 0x%x takes 0x%" PRIx64 ": %s", msr, gpa,
	      why);
	check_msr(cpu, msr, before);
}

static void check_taken(int cpu, uint32_t msr, uint64_t gpa)
{
	int ret = wrmsr(cpu, msr, gpa);

	check(!ret, "CPU %d MSR 0x%x refuses 0x%" PRIx64, cpu, msr, gpa);
	check_msr(cpu, msr, gpa);
}

/* The guest-physical page as it is now. */
static volatile void *map(uint64_t gpa)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC);
	void *p;

	if (fd < 0)
		die("/dev/mem");
	p = mmap(NULL, SYMB_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, gpa);
	if (p == MAP_FAILED)
		die("mmap /dev/mem");
	close(fd);
	return p;
}

static void unmap(volatile void *p)
{
	munmap((void *)p, SYMB_PAGE_SIZE);
}

static void check_absent(uint64_t gpa)
{
	volatile uint32_t *p = map(gpa);
	uint32_t value = *p;

	/* No page of ours starts like this. */
	check(value == 0 || value == UINT32_MAX, "0x%" PRIx64 " is still there: 0x%x", gpa,
	      value);
	p[1] = 0x5a5a5a5a;
	check(p[1] != 0x5a5a5a5a, "0x%" PRIx64 " is memory", gpa);
	unmap(p);
}

static void check_ext(volatile struct symspy_ext_header *ext, const char *which)
{
	check(ext->magic == SYMSPY_EXT_MAGIC, "%s page: extension magic 0x%x", which,
	      ext->magic);
	check(ext->size == SYMB_PAGE_SIZE - SYMSPY_EXT_OFFSET,
	      "%s page: extension size %u", which, ext->size);
	check(ext->major == SYMB_ABI_MAJOR && ext->minor == SYMB_ABI_MINOR,
	      "%s page: version %u.%u", which, ext->major, ext->minor);
	check(!ext->reserved, "%s page: reserved field is set", which);
}

static uint32_t hv_base(uint32_t *features)
{
	uint32_t base, eax, sig[3], unused;

	for (base = SYMB_CPUID_HV_FIRST; base <= SYMB_CPUID_HV_LAST;
	     base += SYMB_CPUID_HV_STEP) {
		__cpuid(base, eax, sig[0], sig[1], sig[2]);
		if (memcmp(sig, SYMB_CPUID_HV_SIGNATURE, sizeof(sig)))
			continue;
		check(eax == base + 1, "highest leaf 0x%x of base 0x%x", eax, base);
		__cpuid(base + SYMB_CPUID_HV_FEATURES, *features, sig[0], unused, unused);
		check(sig[0] == (SYMB_ABI_MAJOR << 16 | SYMB_ABI_MINOR),
		      "version 0x%x in CPUID", sig[0]);
		(void)unused;
		return base;
	}
	return 0;
}

static void check_cpuid(uint32_t *features)
{
	uint32_t eax, ebx, ecx, edx, base;

	__cpuid(SYMB_CPUID_V3V, eax, ebx, ecx, edx);
	check(eax == SYMB_CPUID_V3V_EAX, "published leaf: EAX 0x%x", eax);
	check(ebx == SYMB_CPUID_V3V_EBX_SVM || ebx == SYMB_CPUID_V3V_EBX_VMX,
	      "published leaf: EBX 0x%x", ebx);
	check(!ecx && !edx, "published leaf: ECX 0x%x EDX 0x%x", ecx, edx);

	base = hv_base(features);
	check(base, "no base in the hypervisor range");
	printf("# base 0x%x features 0x%x\n", base, *features);
}

/* Every BAR and every reserved range that the guest kernel knows of. */
static void check_known_ranges(uint32_t msr)
{
	char path[512], line[256], what[300];
	unsigned int bars = 0, ranges = 0;
	uint64_t start, end, flags;
	struct dirent *d;
	bool enabled;
	DIR *dir;
	FILE *f;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && (d = readdir(dir))) {
		/* Until a driver enables it, a device decodes no address. */
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", d->d_name);
		f = fopen(path, "r");
		enabled = f && fgets(line, sizeof(line), f) && atoi(line) > 0;
		if (f)
			fclose(f);
		if (!enabled)
			continue;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", d->d_name);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end,
				   &flags) != 3)
				continue;
			if (!start || !(flags & IORESOURCE_MEM) ||
			    (flags & IORESOURCE_READONLY))
				continue;
			snprintf(what, sizeof(what), "BAR of %s", d->d_name);
			check_refused(0, msr, start & ~0xfffULL, what);
			check_refused(0, msr, end & ~0xfffULL, what);
			bars++;
		}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);

	f = fopen("/proc/iomem", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " : %[^\n]", &start, &end, what) != 3)
			continue;
		if (strcmp(what, "System RAM") && strcmp(what, "Reserved") &&
		    strcmp(what, "ACPI Tables"))
			continue;
		if (start < 0x100000)
			continue;
		check_refused(0, msr, (start + 0xfff) & ~0xfffULL, what);
		check_refused(0, msr, (end - 0xfff) & ~0xfffULL, what);
		ranges++;
	}
	if (f)
		fclose(f);
	printf("# %u BARs and %u ranges of /proc/iomem refused\n", bars, ranges);
	check(ranges, "nothing found in /proc/iomem");
}

static void check_bad_addresses(uint32_t msr, unsigned int bits)
{
	static const struct {
		uint64_t gpa;
		const char *what;
	} bad[] = {
		{ 0x0000000000001000, "RAM below 640 KiB" },
		{ 0x00000000000a0000, "the hole for VGA" },
		{ 0x00000000000f0000, "BIOS shadow" },
		{ 0x0000000000100000, "RAM" },
		{ 0x00000000fec00000, "I/O APIC" },
		{ 0x00000000fee00000, "local APIC" },
		{ 0x00000000feeff000, "message window" },
		{ 0x00000000feffc000, "KVM's identity map" },
		{ 0x00000000feffd000, "KVM's TSS" },
		{ 0x00000000fffff000, "ROM" },
		{ 0x8000000000000000, "reserved bits" },
		{ 0xfffffffffffff000, "the last page" },
	};
	uint64_t good = 1ULL << (bits - 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		check_refused(0, msr, bad[i].gpa, bad[i].what);
	check_refused(0, msr, good + 1, "unaligned");
	check_refused(0, msr, good + 0x800, "unaligned");
	check_refused(0, msr, 1, "unaligned");
	check_refused(0, msr, 1ULL << bits, "beyond the address width");
	check_refused(0, msr, 1ULL << 52, "beyond any address width");
	check_known_ranges(msr);
}

static void check_global(uint64_t a, uint64_t b, uint32_t features)
{
	volatile struct symspy_global *g;
	unsigned int i;
	uint8_t any = 0;

	check_taken(0, SYMB_MSR_GLOBAL_PAGE, a);
	check_msr(0, SYMB_MSR_ALIAS_GLOBAL_PAGE, a);
	check_msr(1, SYMB_MSR_GLOBAL_PAGE, a);

	g = map(a);
	check(g->magic == SYMSPY_GLOBAL_MAGIC, "global magic 0x%" PRIx64,
	      (uint64_t)g->magic);
	check(g->flags == (features & SYMB_FEAT_MODULES ? SYMSPY_GLOBAL_MODULES : 0),
	      "global flags 0x%x", g->flags);
	for (i = 0; i < sizeof(g->pci_map); i++)
		any |= g->pci_map[i];
	check(!any, "passthrough devices in the map");
	check_ext(&g->ext, "global");
	check(g->features == features, "features 0x%x, CPUID 0x%x", g->features, features);
	check(!g->guest_word && !g->host_word, "words are not 0");
	g->guest_word = 0x600d;
	unmap(g);

	/* A bad write leaves the page where it is. */
	check_refused(0, SYMB_MSR_GLOBAL_PAGE, 0xfee00000, "local APIC");
	check_refused(1, SYMB_MSR_LOCAL_PAGE, a, "the global page");
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, a);
	g = map(a);
	check(g->guest_word == 0x600d, "content lost: 0x%" PRIx64,
	      (uint64_t)g->guest_word);
	unmap(g);

	/* Moved, by another vCPU and another name of the MSR. */
	check_taken(1, SYMB_MSR_ALIAS_GLOBAL_PAGE, b);
	check_msr(0, SYMB_MSR_GLOBAL_PAGE, b);
	check_absent(a);
	g = map(b);
	check(g->guest_word == 0x600d, "content lost in the move: 0x%" PRIx64,
	      (uint64_t)g->guest_word);
	unmap(g);

	check_taken(0, SYMB_MSR_GLOBAL_PAGE, 0);
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, 0);
	check_absent(b);

	/* What a new page shows of the old one is a leak. */
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, a);
	g = map(a);
	check(g->magic == SYMSPY_GLOBAL_MAGIC && !g->guest_word,
	      "not fresh: 0x%" PRIx64, (uint64_t)g->guest_word);
	unmap(g);
}

static void check_local_content(int cpu, uint64_t gpa)
{
	volatile struct symspy_local *l = map(gpa);
	char magic[9] = "", expected[9] = "";
	uint64_t raw = l->magic;

	memcpy(magic, &raw, 8);
	snprintf(expected, sizeof(expected), "V3V.%d", cpu);
	check(!memcmp(magic, expected, 8), "local magic of CPU %d: %s", cpu, magic);
	check(!l->flags, "local flags 0x%x", l->flags);
	check_ext(&l->ext, "local");
	check(!l->lookup_base && !l->lookup_nr, "old lookup results");
	l->lookup_base = 0x1234;
	unmap(l);
}

static void set_online(int cpu, bool online)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d", online) < 0 || fclose(f))
		die(path);
}

static void check_local(uint64_t a, uint64_t b)
{
	/* a is the global page's. */
	check_refused(0, SYMB_MSR_LOCAL_PAGE, a, "the global page");
	check_taken(0, SYMB_MSR_LOCAL_PAGE, b);
	check_msr(0, SYMB_MSR_ALIAS_LOCAL_PAGE, b);
	check_msr(1, SYMB_MSR_LOCAL_PAGE, 0);
	check_refused(1, SYMB_MSR_LOCAL_PAGE, b, "the other local page");
	check_taken(1, SYMB_MSR_ALIAS_LOCAL_PAGE, b + SYMB_PAGE_SIZE);
	check_refused(0, SYMB_MSR_GLOBAL_PAGE, b, "a local page");
	check_local_content(0, b);
	check_local_content(1, b + SYMB_PAGE_SIZE);

	/* INIT: the page goes with the vCPU's state, the others stay. */
	set_online(1, false);
	set_online(1, true);
	check_msr(1, SYMB_MSR_LOCAL_PAGE, 0);
	check_absent(b + SYMB_PAGE_SIZE);
	check_msr(0, SYMB_MSR_LOCAL_PAGE, b);
	check_msr(0, SYMB_MSR_GLOBAL_PAGE, a);
	check_taken(1, SYMB_MSR_LOCAL_PAGE, b + SYMB_PAGE_SIZE);
	check_local_content(1, b + SYMB_PAGE_SIZE);
	set_online(1, false);
	set_online(1, true);
	check_taken(1, SYMB_MSR_LOCAL_PAGE, b + 2 * SYMB_PAGE_SIZE);
	check_local_content(1, b + 2 * SYMB_PAGE_SIZE);

	check_taken(0, SYMB_MSR_LOCAL_PAGE, 0);
	check_taken(1, SYMB_MSR_LOCAL_PAGE, 0);
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, 0);
}

static void check_features(uint32_t features)
{
	check_msr(0, SYMB_MSR_FEATURES, 0);
	check_refused(0, SYMB_MSR_FEATURES, 1ULL << 31, "never offered");
	check_refused(0, SYMB_MSR_FEATURES, 1ULL << 32, "reserved");
	check_taken(0, SYMB_MSR_FEATURES, features);
	check_msr(1, SYMB_MSR_FEATURES, features);
	check_taken(0, SYMB_MSR_FEATURES, 0);
}

/* A machine without the features must not know the MSRs either. */
static void check_off(void)
{
	static const uint32_t msrs[] = {
#define MSR(name, features)	SYMB_MSR_##name,
		SYMB_MSRS_WITH_ALIAS(MSR)
		SYMB_MSRS_WITHOUT_ALIAS(MSR)
#undef MSR
#define MSR(name, features)	SYMB_MSR_ALIAS_##name,
		SYMB_MSRS_WITH_ALIAS(MSR)
#undef MSR
	};
	uint32_t eax, ebx, ecx, edx, features = 0;
	uint64_t value;
	unsigned int i;

	__cpuid(SYMB_CPUID_V3V, eax, ebx, ecx, edx);
	check(eax != SYMB_CPUID_V3V_EAX, "the published leaf is there");
	check(!hv_base(&features), "a base in the hypervisor range is there");
	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		check(rdmsr(0, msrs[i], &value) == EIO, "MSR 0x%x can be read", msrs[i]);
		check(wrmsr(0, msrs[i], 1ULL << 38) == EIO, "MSR 0x%x can be written",
		      msrs[i]);
	}
}

/*
 * Leave everything on, for a reset to take away. The entry point is nonsense,
 * so nobody must make a symcall before that reset.
 */
static void leave(uint64_t a, uint32_t features)
{
	check_taken(0, SYMB_MSR_FEATURES, features);
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, a);
	check_taken(0, SYMB_MSR_LOCAL_PAGE, a + SYMB_PAGE_SIZE);
	check_taken(1, SYMB_MSR_LOCAL_PAGE, a + 2 * SYMB_PAGE_SIZE);
	check_taken(0, SYMB_MSR_SYMCALL_CS, 0x10);
	check_taken(1, SYMB_MSR_SYMCALL_CS, 0x10);
	check_taken(1, SYMB_MSR_SYMCALL_RIP, 0x1000);
}

static void check_fresh(uint64_t a)
{
	int cpu;

	for (cpu = 0; cpu < 2; cpu++) {
		check_msr(cpu, SYMB_MSR_FEATURES, 0);
		check_msr(cpu, SYMB_MSR_GLOBAL_PAGE, 0);
		check_msr(cpu, SYMB_MSR_LOCAL_PAGE, 0);
		check_msr(cpu, SYMB_MSR_SYMCALL_RIP, 0);
		check_msr(cpu, SYMB_MSR_SYMCALL_RSP, 0);
		check_msr(cpu, SYMB_MSR_SYMCALL_CS, 0);
		check_msr(cpu, SYMB_MSR_SYMCALL_GS, 0);
		check_msr(cpu, SYMB_MSR_SYMCALL_FS, 0);
	}
	check_absent(a);
	check_absent(a + SYMB_PAGE_SIZE);
	check_absent(a + 2 * SYMB_PAGE_SIZE);
}

/* Whether a SymSpy page is there, of whatever kind. */
static bool present(uint64_t gpa)
{
	volatile uint32_t *p = map(gpa);
	bool there = !memcmp((const void *)p, "V3V", 3);

	unmap(p);
	return there;
}

static void check_unplug(uint64_t a)
{
	unsigned int i;

	check_taken(0, SYMB_MSR_GLOBAL_PAGE, a);
	check_taken(1, SYMB_MSR_LOCAL_PAGE, a + SYMB_PAGE_SIZE);
	check_local_content(1, a + SYMB_PAGE_SIZE);
	check_refused(0, SYMB_MSR_LOCAL_PAGE, a + SYMB_PAGE_SIZE, "the other local page");

	/* The kernel's part of offlining leaves the MSR alone. */
	set_online(1, false);
	check_refused(0, SYMB_MSR_LOCAL_PAGE, a + SYMB_PAGE_SIZE, "still that of the other");
	printf("mapped\n");
	for (i = 0; i < 600 && present(a + SYMB_PAGE_SIZE); i++)
		usleep(100000);
	check_absent(a + SYMB_PAGE_SIZE);
	check_taken(0, SYMB_MSR_LOCAL_PAGE, a + SYMB_PAGE_SIZE);
	check_local_content(0, a + SYMB_PAGE_SIZE);
	check_taken(0, SYMB_MSR_LOCAL_PAGE, 0);
	check_taken(0, SYMB_MSR_GLOBAL_PAGE, 0);
}

int main(int argc, char **argv)
{
	uint32_t eax, ebx, ecx, edx, features = 0;
	unsigned int bits;
	uint64_t a;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && !strcmp(argv[1], "write"))
		return !!wrmsr(atoi(argv[2]), strtoul(argv[3], NULL, 0),
			       strtoull(argv[4], NULL, 0));
	if (argc == 2 && !strcmp(argv[1], "off")) {
		check_off();
	} else {
		__cpuid(0x80000008, eax, ebx, ecx, edx);
		bits = eax & 0xff;
		a = 1ULL << (bits - 1);

		check_cpuid(&features);
		check_fresh(a);
		if (argc == 2 && !strcmp(argv[1], "leave")) {
			leave(a, features);
		} else if (argc == 2 && !strcmp(argv[1], "unplug")) {
			check_unplug(a);
		} else {
			check_bad_addresses(SYMB_MSR_GLOBAL_PAGE, bits);
			check_bad_addresses(SYMB_MSR_LOCAL_PAGE, bits);
			check_features(features);
			check_global(a, a + 16 * SYMB_PAGE_SIZE, features);
			check_local(a, a + 32 * SYMB_PAGE_SIZE);
		}
	}

	ktap(checks && !failures, "pages %s: %u of %u checks", argc == 2 ? argv[1] : "all",
	     checks - failures, checks);
	return ktap_end();
}
