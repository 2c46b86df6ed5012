// SPDX-License-Identifier: GPL-2.0
/*
 * Races with a change under way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bypass_rules.h"

static char *volatile stall_area;
static volatile uint64_t stall_begin, stall_took;

/*
 * Makes the change, and is held up after the drop. The thread is made before
 * the pages are: a new stack may merge with its neighbour, which is a change of
 * the VMA too.
 */
static void *stall_thread(void *arg)
{
	int (*change)(void) = *(int (**)(void))arg;

	while (!stall_area)
		usleep(1000);
	stall_begin = now_ms();
	if (change())
		setup_error("change: %s", strerror(errno));
	stall_took = now_ms() - stall_begin;
	return NULL;
}

static int change_protect(void)
{
	return mprotect(stall_area, len(), PROT_READ);
}

static int change_zap(void)
{
	return madvise(stall_area, len(), MADV_DONTNEED);
}

/* Uses the pages in the middle of the change; returns them after it. */
static char *stall_race(uint64_t id, unsigned int hook, int (*change)(void),
			void (*use)(char *p))
{
	pthread_t th;
	char *p;

	pthread_create(&th, NULL, stall_thread, &change);
	p = bypassed(id);
	stall(hook);
	stall_area = p;
	while (!stall_begin || now_ms() < stall_begin + STALL_MS / 3)
		usleep(1000);
	use(p);
	pthread_join(th, NULL);
	test_option("stall_hooks", 0);
	if (expect_bypass && stall_took < STALL_MS / 2)
		setup_error("the change took %lu ms only, it met no mapping", stall_took);
	return p;
}

static void use_write(char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		can_write((uint64_t *)(p + i * PAGE + 64), 0x5a5a);
}

static void use_read(char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		(void)*(volatile uint64_t *)(p + i * PAGE);
}

/* A query while mprotect() is under way must not bring the mapping back. */
static void t_vma_locked(void)
{
	char *p = stall_race(0x1a00, STALL_VMA, change_protect, use_write);

	no_write("after mprotect", p);
}

/* The same for MADV_DONTNEED, which holds no write lock. */
static void t_zapping(void)
{
	char *p = stall_race(0x1b00, STALL_ZAP, change_zap, use_read);

	verify_zero("after MADV_DONTNEED", p);
}

const struct test_case bypass_rules_race[] = {
	{ "vma_locked", "no mapping while mprotect is under way", t_vma_locked },
	{ "zapping", "no mapping while a zap is under way", t_zapping },
	{ 0 }
};
