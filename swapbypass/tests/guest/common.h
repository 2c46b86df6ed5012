/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the SwapBypass test programs share: patterns, swapping out on purpose,
 * counters, and what they say when something cannot be tried.
 */
#ifndef BYPASS_TEST_COMMON_H
#define BYPASS_TEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE	4096UL

/* Exit status: what a test that removes a hook expects is exactly VIOLATED. */
#define TEST_OK		0
#define TEST_VIOLATED	1	/* a rule is broken: wrong data, missing fault */
#define TEST_SETUP	2	/* could not be tried, or bypass did not happen */

/* Ends the process with TEST_SETUP. */
void setup_error(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Fill a page, so that every byte depends on id and seq; never all zero. */
void page_fill(void *page, uint64_t id, uint64_t seq);
/* Offset of the first wrong byte, or -1 if the page holds just that. */
long page_check(const void *page, uint64_t id, uint64_t seq);
bool page_zero(const void *page);

/* A number in a file of sysfs or procfs; text into one. */
bool read_number(const char *path, long long *val);
bool write_file(const char *path, const char *text);
/* The same for a file that must be there, of a folder that ends with a slash. */
long long must_read(const char *folder, const char *name);
void must_write(const char *folder, const char *name, const char *text);
/* A command that must succeed. */
void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Private anonymous memory without huge pages. */
void *anon_map(size_t len);

/* State of a page by /proc/self/pagemap, which touches nothing. */
bool page_swapped(const void *addr);
bool page_resident(const void *addr);
size_t pages_swapped(const void *addr, size_t len);
/* The swap slot of a page that is swapped out. */
uint64_t page_slot(const void *addr);

/*
 * Puts pages that wait in a CPU's LRU batch onto their lists. MADV_PAGEOUT does so for its
 * own CPU, and does not see what waits in another one's. Dropping caches does it first.
 */
void empty_batches(void);

/* MADV_PAGEOUT until all pages are out; false if that does not work. */
bool page_out(void *addr, size_t len);

/* /sys/kernel/symbiotic/bypass/<name>, or -1. */
long long counter(const char *name);
bool bypass_attached(void);

/* What the host has last written to its word of the global SymSpy page. */
unsigned long host_word(void);

/* /sys/kernel/debug/symbiotic_bypass/<name>; false if there is no such file. */
bool test_option(const char *name, unsigned long val);

/* First swap device of /proc/swaps. */
bool swap_device(char *name, size_t size);
/* KiB that are free on it, 0 if there is none. */
size_t swap_device_free(char *name, size_t size);

uint64_t now_us(void);
uint64_t now_ms(void);
uint64_t rnd(uint64_t *state);

#endif /* BYPASS_TEST_COMMON_H */
