// SPDX-License-Identifier: GPL-2.0
/*
 * What the SwapBypass test programs share; see common.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define SYSFS	"/sys/kernel/symbiotic/bypass/"
#define DEBUGFS	"/sys/kernel/debug"
#define IN_PLACE	"/sys/block/symswap%d/symswap/"

#define PM_PRESENT	(1ULL << 63)
#define PM_SWAP		(1ULL << 62)

void setup_error(const char *fmt, ...)
{
	va_list ap;

	printf("# could not be tried: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(TEST_SETUP);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	x ^= x >> 33;
	return x;
}

/* Word 0 is the page's name, word 1 its age; the rest follows from both. */
void page_fill(void *page, uint64_t id, uint64_t seq)
{
	uint64_t *w = page, x = mix(id * 0x9e3779b97f4a7c15ULL + seq);
	unsigned int i;

	w[0] = id;
	w[1] = seq;
	for (i = 2; i < PAGE / 8; i++) {
		x += 0x9e3779b97f4a7c15ULL;
		w[i] = x ^ (x >> 29) ^ 1;
	}
}

long page_check(const void *page, uint64_t id, uint64_t seq)
{
	const volatile uint64_t *w = page;
	uint64_t x = mix(id * 0x9e3779b97f4a7c15ULL + seq);
	unsigned int i;

	if (w[0] != id)
		return 0;
	if (w[1] != seq)
		return 8;
	for (i = 2; i < PAGE / 8; i++) {
		x += 0x9e3779b97f4a7c15ULL;
		if (w[i] != (x ^ (x >> 29) ^ 1))
			return i * 8;
	}
	return -1;
}

bool page_zero(const void *page)
{
	const volatile uint64_t *w = page;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		if (w[i])
			return false;
	return true;
}

void *anon_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		setup_error("mmap: %s", strerror(errno));
	madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static uint64_t pagemap(const void *addr)
{
	static __thread int fd = -1;
	static __thread pid_t pid;
	uint64_t e;

	/* The file stays with the process that opened it. */
	if (fd >= 0 && pid != getpid()) {
		close(fd);
		fd = -1;
	}
	if (fd < 0) {
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		pid = getpid();
	}
	if (fd < 0 || pread(fd, &e, 8, (uintptr_t)addr / PAGE * 8) != 8)
		setup_error("pagemap: %s", strerror(errno));
	return e;
}

bool page_swapped(const void *addr)
{
	return pagemap(addr) & PM_SWAP;
}

bool page_resident(const void *addr)
{
	return pagemap(addr) & PM_PRESENT;
}

uint64_t page_slot(const void *addr)
{
	/* Behind 5 bits of the type. */
	return (pagemap(addr) & ((1ULL << 55) - 1)) >> 5;
}

size_t pages_swapped(const void *addr, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i += PAGE)
		n += page_swapped((const char *)addr + i);
	return n;
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

bool read_number(const char *path, long long *val)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, buf, sizeof(buf) - 1) <= 0) {
		close(fd);
		return false;
	}
	close(fd);
	*val = atoll(buf);
	return true;
}

long long must_read(const char *folder, const char *name)
{
	char path[128];
	long long val;

	snprintf(path, sizeof(path), "%s%s", folder, name);
	if (!read_number(path, &val))
		setup_error("no %s", path);
	return val;
}

void must_write(const char *folder, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", folder, name);
	if (!write_file(path, text))
		setup_error("cannot write %s to %s: %s", text, path, strerror(errno));
}

void shell(const char *fmt, ...)
{
	char command[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command))
		setup_error("%s", command);
}

/* Pages in place are on no LRU list; without a grant they leave. */
static void push_out(void)
{
	char grant[32], limit[128], in_place[128];
	long long pages;
	int i;

	for (i = 0; ; i++) {
		snprintf(in_place, sizeof(in_place), IN_PLACE "in_place", i);
		snprintf(limit, sizeof(limit), IN_PLACE "limit", i);
		if (!read_number(in_place, &pages))
			return;
		if (!pages || !read_number(limit, &pages))
			continue;
		snprintf(grant, sizeof(grant), "%lld", pages);
		write_file(limit, "0");
		write_file(limit, grant);
	}
}

void empty_batches(void)
{
	write_file("/proc/sys/vm/drop_caches", "1");
}

bool page_out(void *addr, size_t len)
{
	int try;

	for (try = 0; try < 200; try++) {
		madvise(addr, len, MADV_PAGEOUT);
		push_out();
		if (pages_swapped(addr, len) == len / PAGE)
			return true;
		if (try)
			empty_batches();
		usleep(2000 + 1000 * try);
	}
	return false;
}

long long counter(const char *name)
{
	long long val;
	char path[128];

	snprintf(path, sizeof(path), SYSFS "%s", name);
	return read_number(path, &val) ? val : -1;
}

unsigned long host_word(void)
{
	unsigned long word;
	FILE *f = fopen("/sys/kernel/symbiotic/host_word", "re");

	if (!f || fscanf(f, "%lx", &word) != 1)
		setup_error("host_word: %s", strerror(errno));
	fclose(f);
	return word;
}

bool bypass_attached(void)
{
	return counter("attached") == 1;
}

bool test_option(const char *name, unsigned long val)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), DEBUGFS "/symbiotic_bypass/%s", name);
	snprintf(text, sizeof(text), "%lu\n", val);
	if (write_file(path, text))
		return true;
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	return write_file(path, text);
}

size_t swap_device_free(char *name, size_t size)
{
	FILE *f = fopen("/proc/swaps", "re");
	size_t total, used, free = 0;
	char line[256], dev[128];

	if (!f)
		return 0;
	/* The first line is the heading. */
	if (fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f) &&
	    sscanf(line, "%127s %*s %zu %zu", dev, &total, &used) == 3) {
		snprintf(name, size, "%s", dev);
		free = total - used;
	}
	fclose(f);
	return free;
}

bool swap_device(char *name, size_t size)
{
	return swap_device_free(name, size) > 0;
}

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
	return now_us() / 1000;
}

uint64_t rnd(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix(*state);
}
