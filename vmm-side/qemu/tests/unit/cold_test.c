// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of symbiotic-cold.c: a window that is a file, whose pages are used or not.
 */
#include "qemu/osdep.h"
#include "symbiotic-cold.h"
#include <ktap.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#define PAGES		1024
#define PAGE		WINDOW_PAGE_SIZE

static uint8_t *memory;
static int file;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Written, as a page fault that only reads maps its neighbours too. */
static void use(size_t page, size_t nr)
{
	size_t i;

	for (i = page; i < page + nr; i++)
		memory[i * PAGE + 8] = i;
}

static size_t resident(size_t page, size_t nr)
{
	unsigned char here[PAGES];
	size_t i, sum = 0;

	if (mincore(memory + page * PAGE, nr * PAGE, here))
		die("mincore");
	for (i = 0; i < nr; i++)
		sum += here[i] & 1;
	return sum;
}

static void make_window(struct WindowCold *w)
{
	size_t i;

	if (ftruncate(file, 0) || ftruncate(file, PAGES * PAGE))
		die("ftruncate");
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	for (i = 0; i < PAGES; i++)
		*(uint64_t *)(memory + i * PAGE) = ~i;
	if (window_cold_open(w, memory, PAGES * PAGE))
		die("window_cold_open");
}

/* Nothing is ever lost. */
static void end_window(struct WindowCold *w, const char *name)
{
	size_t i, wrong = 0;

	for (i = 0; i < PAGES; i++)
		wrong += *(uint64_t *)(memory + i * PAGE) != ~i;
	ktap(!wrong, "%s: the data is as it was", name);
	munmap(memory, PAGES * PAGE);
	close(w->pagemap);
}

static void test_clock(void)
{
	struct WindowCold w;

	make_window(&w);
	ktap(!window_cold_look(&w, PAGES, PAGES) && w.looked == PAGES && w.used == PAGES &&
	     w.cold == 0, "at first all is used");
	use(100, 300);
	ktap(!window_cold_look(&w, PAGES, PAGES) && w.used == PAGES + 300 &&
	     w.cold == PAGES - 300, "what has not come back is cold");
	end_window(&w, "clock");
}

static void test_paged_out(void)
{
	struct WindowCold w;
	struct statfs fs;

	make_window(&w);
	if (fstatfs(file, &fs))
		die("fstatfs");
	/* Which keeps what it has, where there is no swap. */
	if (fs.f_type == TMPFS_MAGIC) {
		ktap_directive(1, "SKIP no disk", "cold pages leave memory");
		end_window(&w, "paged out");
		return;
	}
	window_cold_look(&w, PAGES, PAGES);
	use(512, 100);
	/* The kernel writes no page of a file for this. */
	if (msync(memory, PAGES * PAGE, MS_SYNC))
		die("msync");
	window_cold_look(&w, PAGES, PAGES);
	ktap(resident(512, 100) == 100, "pages in use stay");
	ktap(resident(0, 512) < 128, "cold pages leave memory (%zu of 512 are left)",
	     resident(0, 512));
	/* What is not there is not paged out again. */
	w.cold = 0;
	window_cold_look(&w, 512, PAGES);
	ktap(w.cold < 128, "once");
	end_window(&w, "paged out");
}

static void test_bounds(void)
{
	struct WindowCold w;

	make_window(&w);
	window_cold_look(&w, PAGES, PAGES);
	ktap(w.hand == 0, "the hand goes around");
	ktap(!window_cold_look(&w, PAGES, 70) && w.cold == 70, "no more than wanted");
	ktap(!window_cold_look(&w, 3, PAGES) && w.hand == 515 % PAGES, "no further than allowed");
	w.hand = PAGES - 10;
	ktap(!window_cold_look(&w, 20, PAGES) && w.hand == 10, "past the end");
	w.looked = 0;
	ktap(!window_cold_look(&w, 1 << 30, 1 << 30) && w.looked == PAGES, "around at most once");
	w.looked = 0;
	ktap(!window_cold_look(&w, 0, PAGES) && !window_cold_look(&w, PAGES, 0) && !w.looked,
	     "nothing is wanted");
	end_window(&w, "bounds");
}

static void test_refused(void)
{
	struct WindowCold w;

	make_window(&w);
	munmap(memory + 600 * PAGE, PAGE);
	ktap(window_cold_look(&w, PAGES, PAGES) == -ENOMEM, "what is not there is an error");
	ktap(w.hand == 0, "and no place to stay at");
	ktap(window_cold_look(&w, 256, PAGES) == 0, "of that part alone");
	munmap(memory, PAGES * PAGE);
	close(w.pagemap);
}

static int no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg)
{
	return no_threads ? no_threads : __real_pthread_create(thread, attr, start, arg);
}

/* Asks for @want, and waits for the look; returns what it ended with. */
static int look_and_wait(struct WindowColdThread *t, size_t want, struct WindowCold *told)
{
	bool busy;
	int ret = window_cold_ask(t, want, told, &busy), i;

	for (i = 0; i < 20000 && !ret; i++) {
		ret = window_cold_ask(t, 0, told, &busy);
		if (!busy)
			return ret;
		usleep(1000);
	}
	return ret ? ret : -ETIMEDOUT;
}

static void test_thread(void)
{
	struct WindowColdThread t = { };
	struct WindowCold told;
	sigset_t blocked;
	bool busy;
	int i, ret = 0;

	make_window(&t.window);
	no_threads = EAGAIN;
	ktap(window_cold_start(&t) == -EAGAIN, "there can be no thread: that is an answer");
	no_threads = 0;
	ktap(!window_cold_start(&t), "and there can be one later");
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	ktap(!sigismember(&blocked, SIGTERM), "signals come as before");
	ktap(!look_and_wait(&t, PAGES, &told) && told.looked == PAGES / 8 && told.used == PAGES / 8,
	     "a look is an eighth of the window");
	for (i = 1; i < 8; i++)
		ret |= look_and_wait(&t, PAGES, &told);
	ktap(!ret && told.looked == PAGES && told.cold == 0, "eight are all of it");
	ktap(!look_and_wait(&t, 10, &told) && told.cold == 10, "what is cold is paged out");
	ktap(!look_and_wait(&t, SIZE_MAX, &told) && told.cold <= 10 + PAGES / 8, "or all that is");
	munmap(memory + (t.window.hand + 1) * PAGE, PAGE);
	ktap(look_and_wait(&t, PAGES, &told) == -ENOMEM, "a look that fails says so");
	ktap(!window_cold_ask(&t, 0, &told, &busy) && !busy, "once");
	window_cold_ask(&t, PAGES, &told, &busy);
	window_cold_end(&t);
	ktap(1, "it ends, also in a look");
	munmap(memory, PAGES * PAGE);
	close(t.window.pagemap);
}

int main(int argc, char **argv)
{
	char name[512];

	/* Beside the program: what is built lies on a disk, as a rule. */
	if (argc != 1 || snprintf(name, sizeof(name), "%s.XXXXXX", argv[0]) >= (int)sizeof(name))
		return 2;
	file = mkstemp(name);
	if (file < 0)
		die(name);
	unlink(name);
	test_clock();
	test_paged_out();
	test_bounds();
	test_refused();
	test_thread();
	return ktap_end();
}
