// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that lies, played from inside the guest: the SymSpy pages are memory that both
 * write to, so the guest's root can write into them what no VMM would. Meanwhile the
 * guest's kernel reads them.
 *
 *	vmm_lies [-t SECONDS] [-s SEED] [-r]
 *
 *	-t	for so long (10)
 *	-s	with the same seed, the same lies
 *	-r	and features are turned off and on all the time, so that all is read anew,
 *		beside another process that lies as fast as it can: the VMM writes a page
 *		anew when it maps it, so only who is in time lies about what is read first
 *
 * When it ends the pages hold what the VMM had written. It does not look at what comes of
 * it: the guest must go on, perhaps without a feature. Needs /dev/mem.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <symbiotic/abi.h>

#define SYSFS		"/sys/kernel/symbiotic/"
#define CONTROL		"/sys/kernel/debug/symbiotic/control"
#define MOST_PAGES	9	/* the global one, and those of eight CPUs */
#define MOST_PAUSE_US	2000
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/* A page, and what the VMM had written there. */
static struct page {
	volatile uint8_t *at;
	uint8_t truth[SYMB_PAGE_SIZE];
} pages[MOST_PAGES];

static unsigned int nr_pages;
static uint64_t state;
static volatile sig_atomic_t over;

static uint64_t rnd(uint64_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 16) % n;
}

/* Of numbers, those at the edges are the likely ones. */
static uint64_t number(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 16, 64, 255, 4095, 4096, 1ULL << 20, 1ULL << 31, 1ULL << 32,
		1ULL << 52, 1ULL << 63, ~0ULL, ~0ULL - 4095, 0x0102030405060708,
	};

	return rnd(3) ? edges[rnd(NR(edges))] : rnd(~0ULL);
}

/* ---- Lies --------------------------------------------------------------------- */

/* Parts of the pages that the VMM writes. */
static const struct field {
	unsigned int offset, size;
} global_fields[] = {
#define GLOBAL(field)	{ offsetof(struct symspy_global, field),			\
			  sizeof(((struct symspy_global *)0)->field) }
	GLOBAL(swap.grant), GLOBAL(swap.grant), GLOBAL(swap.grant), GLOBAL(paging.state),
	GLOBAL(paging.state), GLOBAL(dma.generation), GLOBAL(dma.nr_ranges),
	GLOBAL(dma.nr_devices), GLOBAL(dma.ranges[0].start), GLOBAL(dma.ranges[0].size),
	GLOBAL(dma.ranges[0].offset), GLOBAL(dma.ranges[1].start), GLOBAL(dma.devices[0]),
	GLOBAL(ext.magic), GLOBAL(ext.size), GLOBAL(ext.major), GLOBAL(ext.minor),
	GLOBAL(ext.reserved), GLOBAL(features), GLOBAL(magic), GLOBAL(flags), GLOBAL(pci_map),
	GLOBAL(host_word), GLOBAL(swap.held), GLOBAL(swap.in_place),
}, local_fields[] = {
#define LOCAL(field)	{ offsetof(struct symspy_local, field),				\
			  sizeof(((struct symspy_local *)0)->field) }
	LOCAL(flags), LOCAL(flags), LOCAL(magic), LOCAL(ext.magic), LOCAL(ext.size),
	LOCAL(ext.major), LOCAL(ext.reserved), LOCAL(lookup_base), LOCAL(lookup_nr),
	LOCAL(lookup[0]),
};

static void put(const struct page *page, const struct field *field, const void *val)
{
	volatile uint8_t *to = page->at + field->offset;
	unsigned int i;

	/*
	 * In one piece, as a VMM does that means it; else by instructions that can be
	 * emulated, for while the features are off there is no memory.
	 */
	if (field->size == 8)
		*(volatile uint64_t *)to = *(const uint64_t *)val;
	else if (field->size == 4)
		*(volatile uint32_t *)to = *(const uint32_t *)val;
	else
		for (i = 0; i < field->size; i++)
			to[i] = ((const uint8_t *)val)[i];
}

static void lie(void)
{
	const struct page *page = rnd(3) ? &pages[0] : &pages[rnd(nr_pages)];
	bool local = page != &pages[0];
	const struct field *field = local ? &local_fields[rnd(NR(local_fields))] :
					    &global_fields[rnd(NR(global_fields))];
	uint64_t val[16];
	unsigned int i;

	for (i = 0; i < NR(val); i++)
		val[i] = number();
	put(page, field, rnd(4) ? (const void *)val : page->truth + field->offset);
}

static void tell_the_truth(void)
{
	unsigned int i, j;

	for (i = 0; i < NR(global_fields); i++)
		put(&pages[0], &global_fields[i], pages[0].truth + global_fields[i].offset);
	for (j = 1; j < nr_pages; j++)
		for (i = 0; i < NR(local_fields); i++)
			put(&pages[j], &local_fields[i], pages[j].truth + local_fields[i].offset);
}

/* ---- The guest ------------------------------------------------------------------ */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* An address that sysfs says; 0 if there is none. */
static uint64_t address(const char *name)
{
	char path[64];
	unsigned long long val = 0;
	FILE *f;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	f = fopen(path, "r");
	if (f && fscanf(f, "%llx", &val) != 1)
		val = 0;
	if (f)
		fclose(f);
	return val;
}

static void add_page(const char *name)
{
	struct page *page = &pages[nr_pages];
	uint64_t gpa = address(name);
	int fd;

	if (!gpa || nr_pages == MOST_PAGES)
		return;
	/* Cached, as the kernel has it: the same memory cannot be had in two ways. */
	fd = open("/dev/mem", O_RDWR);
	if (fd < 0)
		die("/dev/mem");
	page->at = mmap(NULL, SYMB_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, gpa);
	close(fd);
	if (page->at == MAP_FAILED)
		die(name);
	memcpy(page->truth, (void *)page->at, SYMB_PAGE_SIZE);
	nr_pages++;
}

static bool control(const char *word)
{
	int fd = open(CONTROL, O_WRONLY);
	bool good = fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);

	if (fd >= 0)
		close(fd);
	return good;
}

/* Off and on; false if they stay off. */
static bool restart_features(void)
{
	bool good;
	pid_t pid;

	control("stop");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			lie();
	}
	good = control("start");
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return good;
}

static void on_signal(int sig)
{
	(void)sig;
	over = 1;
}

int main(int argc, char **argv)
{
	unsigned long lies = 0, starts = 0, refused = 0;
	unsigned int seconds = 10, i;
	bool restart = false;
	char name[32];
	time_t end;
	int opt;

	state = 1;
	while ((opt = getopt(argc, argv, "t:s:r")) != -1) {
		switch (opt) {
		case 't':
			seconds = strtoul(optarg, NULL, 0);
			break;
		case 's':
			state = strtoull(optarg, NULL, 0) * 2 + 1;
			break;
		case 'r':
			restart = true;
			break;
		default:
			return 2;
		}
	}
	add_page("global_page");
	if (!nr_pages) {
		fprintf(stderr, "vmm_lies: no global page\n");
		return 2;
	}
	for (i = 0; i < MOST_PAGES - 1; i++) {
		snprintf(name, sizeof(name), "cpu%u/local_page", i);
		add_page(name);
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);

	for (end = time(NULL) + seconds; time(NULL) < end && !over; lies++) {
		lie();
		usleep(rnd(MOST_PAUSE_US));
		if (restart && !rnd(64)) {
			/* A lie about who it is keeps the features off. */
			starts++;
			refused += !restart_features();
		}
	}
	tell_the_truth();
	if (restart) {
		control("stop");
		if (!control("start")) {
			fprintf(stderr, "vmm_lies: after the truth the features stay off\n");
			return 1;
		}
	}
	printf("# %lu lies, %lu starts, %lu of them refused\n", lies, starts, refused);
	return 0;
}
