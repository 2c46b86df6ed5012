// SPDX-License-Identifier: GPL-2.0
/*
 * What the cases of in_place share.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <symbiotic/abi.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "in_place.h"

#define WINDOW	"/sys/block/symswap0/symswap/"
#define CGROUP	"/sys/fs/cgroup"

long long window(const char *name)
{
	return must_read(WINDOW, name);
}

void set_window(const char *name, const char *text)
{
	must_write(WINDOW, name, text);
}

void set_grant(long long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", pages);
	set_window("limit", text);
}

bool wait_in_place(long long most)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (window("in_place") > most) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

long long swap_used(void)
{
	char line[256];
	long long used = -1;
	FILE *f = fopen("/proc/swaps", "re");

	if (!f)
		setup_error("/proc/swaps: %s", strerror(errno));
	if (fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f) &&
	    sscanf(line, "%*s %*s %*u %lld", &used) != 1)
		used = -1;
	fclose(f);
	return used;
}

char *in_place(uint64_t id)
{
	char *p = swapped_out(id);
	long long before = window("in_place");

	verify("first use", p, id, 1);
	if (window("in_place") < before + (long long)npages)
		setup_error("only %lld of %zu pages came in place",
			    window("in_place") - before, npages);
	return p;
}

/* Swaps out as much as the window holds: each slot that is free gets content. */
char *fill_window(void)
{
	size_t size = all_pages * PAGE, i;
	char *q = anon_map(size);

	for (i = 0; i < size; i += PAGE)
		page_fill(q + i, 0x10000 + i, 1);
	madvise(q, size, MADV_PAGEOUT);
	return q;
}

char *device(void)
{
	static char dev[128];

	if (!swap_device(dev, sizeof(dev)))
		setup_error("no swap device");
	return dev;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* 0, or the error. */
static int swapoff_timed(const char *dev, const struct itimerval *timer)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	struct itimerval rest;
	int err;

	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, timer, &rest);
	err = swapoff(dev) ? errno : 0;
	setitimer(ITIMER_REAL, &rest, NULL);
	sigaction(SIGALRM, &old, NULL);
	return err;
}

int swapoff_within(const char *dev, unsigned int seconds)
{
	const struct itimerval timer = { .it_value.tv_sec = seconds };

	return swapoff_timed(dev, &timer);
}

int swapoff_for(const char *dev, unsigned int us)
{
	/* The first signal may come before the call. */
	const unsigned int again = us + 2000;
	const struct itimerval timer = {
		.it_value = { us / 1000000, us % 1000000 },
		.it_interval = { again / 1000000, again % 1000000 },
	};

	return swapoff_timed(dev, &timer);
}

/* ---- Pages that somebody has a reference to ------------------------------ */

/* How many the VMM is told of, or -1 where there is none. */
static long long told_held(void)
{
	static const struct symspy_global *page;
	unsigned long long gpa = 0;
	FILE *f;
	int fd;

	if (!page) {
		f = fopen("/sys/kernel/symbiotic/global_page", "re");
		if (f && fscanf(f, "%llx", &gpa) != 1)
			gpa = 0;
		if (f)
			fclose(f);
		if (!gpa)
			return -1;
		fd = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
		page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, gpa);
		if (fd < 0 || page == MAP_FAILED)
			setup_error("/dev/mem: %s", strerror(errno));
		close(fd);
	}
	return *(volatile const __u64 *)&page->swap.held;
}

/* Sooner or later that many, as the guest sees it and as the VMM does. */
void must_hold(const char *when, long long pages)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (window("held") != pages || (told_held() >= 0 && told_held() != pages)) {
		if (now_ms() > end)
			violated("%s: %lld pages held, the VMM is told of %lld, not %lld",
				 when, window("held"), told_held(), pages);
		usleep(10000);
	}
}

void into_pipe(int fd[2], char *p)
{
	struct iovec iov = { p, len() };

	if (pipe(fd) || fcntl(fd[1], F_SETPIPE_SZ, len()) < 0)
		setup_error("pipe: %s", strerror(errno));
	if (vmsplice(fd[1], &iov, 1, 0) != (ssize_t)len())
		setup_error("vmsplice: %s", strerror(errno));
}

void into_socket(int fd[2], char *p)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1, little = 2 * PAGE, enough = 4 * len();
	socklen_t size = sizeof(addr);
	int listening;

	shell("ip link set lo up");
	listening = socket(AF_INET, SOCK_STREAM, 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)) ||
	    bind(listening, (struct sockaddr *)&addr, size) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&addr, &size))
		setup_error("listen: %s", strerror(errno));
	if (setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &enough, sizeof(enough)) ||
	    setsockopt(fd[1], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) ||
	    connect(fd[1], (struct sockaddr *)&addr, size))
		setup_error("connect: %s", strerror(errno));
	fd[0] = accept(listening, NULL, NULL);
	close(listening);
	if (send(fd[1], p, len(), MSG_ZEROCOPY) != (ssize_t)len())
		setup_error("send: %s", strerror(errno));
}

void out_of_pipe(int fd[2], uint64_t id, uint64_t seq)
{
	char *copy = anon_map(len());
	size_t got;
	ssize_t n;

	for (got = 0; got < len(); got += n) {
		n = read(fd[0], copy + got, len() - got);
		if (n <= 0)
			setup_error("read from the pipe: %s", strerror(errno));
	}
	verify("in the pipe", copy, id, seq);
	munmap(copy, len());
	close(fd[0]);
	close(fd[1]);
}

/* ---- A memory cgroup ------------------------------------------------------ */

long long group(const char *name)
{
	return must_read(GROUP "/", name);
}

void set_group(const char *name, const char *text)
{
	must_write(GROUP "/", name, text);
}

void make_group(void)
{
	mkdir(CGROUP, 0755);
	mount("none", CGROUP, "cgroup2", 0, NULL);
	if (!write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		setup_error("no memory cgroups");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		setup_error(GROUP ": %s", strerror(errno));
}

void pressure(size_t rounds, const char *poke)
{
	size_t size = 24 << 20, i, round;
	pid_t pid;

	make_group();
	pid = must_fork();
	if (!pid) {
		char *p;

		set_group("memory.max", "12M");
		set_group("cgroup.procs", "0");
		p = anon_map(size);
		for (i = 0; i < size; i += PAGE)
			page_fill(p + i, i, 1);
		for (round = 1; round < rounds; round++)
			for (i = 0; i < size; i += PAGE) {
				if (page_check(p + i, i, round) >= 0)
					violated("page %zu is wrong in round %zu", i / PAGE, round);
				page_fill(p + i, i, round + 1);
				if (poke && i % (4 << 20) == 0)
					write_file(poke, "1");
			}
		_exit(TEST_OK);
	}
	join_child(pid);
	set_group("memory.max", "max");
}
