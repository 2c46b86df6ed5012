// SPDX-License-Identifier: GPL-2.0
/*
 * System calls with arguments by chance, from several threads at once: `fuzz SECONDS
 * [SEED]`. What they give back is not looked at; the kernel goes on, and the next
 * program finds all its memory. What a call writes goes to memory that is for this.
 */
#define _GNU_SOURCE
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS		4
#define ENOUGH		200	/* calls */
#define PATIENCE	30	/* seconds */
#define AREA		(32UL << 20)
/*
 * More than any of the calls writes, which is at most a whole file. The memory of the
 * threads' stacks is lent by the heap, which shows it right behind this, as all that it
 * lends: what a longer read() puts there are the return addresses of these threads.
 */
#define BEHIND		(4UL << 20)

/* Addresses that have memory now and then, and some that always have. */
static char *area[2];
static const char *const names[] = {
	"input.txt", ".", "..", "/", "files", "nothing", "../../..//files/./input.txt", "",
};

#define NR_NAMES	(sizeof(names) / sizeof(names[0]))

static volatile int begun, stop;
static unsigned long calls[THREADS];
static uint64_t first_seed = 1;

static uint64_t rnd(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

static long pointer(uint64_t *s)
{
	static const long bad[] = {
		0, 1, 0x7ffffffff000, 0x7ffffffffffc, 0x800000000000, -4096, -1,
		~0x7fffffffffffL, -2146435072, 200L << 39,
	};
	uint64_t r = rnd(s);

	switch (r >> 60) {
	case 0:
		return bad[r % (sizeof(bad) / sizeof(bad[0]))];
	case 1:		/* Across the end. */
		return (long)area[r & 1] + (long)(AREA - r % 64);
	case 2:
	case 3:
		return (long)area[r & 1] + (long)(r % AREA & ~4095UL);
	default:
		return (long)area[r & 1] + (long)(r % 65536 & ~7UL);
	}
}

static long name(uint64_t *s)
{
	uint64_t r = rnd(s);

	return r & 1 ? (long)names[r / 2 % NR_NAMES] : pointer(s);
}

static long length(uint64_t *s)
{
	uint64_t r = rnd(s);

	switch (r >> 61) {
	case 0:
		return r % 16;
	case 1:
		return (long)(r % 64) * 4096;
	case 2:
		return (long)(r % (2 * AREA));
	case 3:
		return -(long)(r % 8192);
	default:
		return (long)(r % 4096);
	}
}

static long flags(uint64_t *s)
{
	uint64_t r = rnd(s);

	return r & 3 ? 1L << r % 64 : (long)(r >> (r % 64));
}

static long small(uint64_t *s)
{
	return (long)(rnd(s) % 40) - 3;
}

/* Not the standard ones, which are for the result. */
static long descriptor(uint64_t *s)
{
	return (long)(rnd(s) % 32) + 3;
}

enum kind { NONE, PTR, NAME, LEN, FLAGS, SMALL, FD };

/*
 * What waits without an end has an entry below. Not here is what would tell addresses
 * of our own, at which readv() could then put something; and what ends the program.
 */
static const struct {
	int nr;
	enum kind arg[6];
} table[] = {
	{ SYS_read, { FD, PTR, LEN } },
	{ SYS_write, { FD, PTR, LEN } },
	{ SYS_readv, { FD, PTR, SMALL } },
	{ SYS_writev, { FD, PTR, SMALL } },
	{ SYS_pread64, { FD, PTR, LEN, LEN } },
	{ SYS_lseek, { FD, LEN, SMALL } },
	{ SYS_open, { NAME, SMALL } },
	{ SYS_openat, { FD, NAME, FLAGS } },
	{ SYS_close, { FD } },
	{ SYS_stat, { NAME, PTR } },
	{ SYS_fstat, { FD, PTR } },
	{ SYS_newfstatat, { FD, NAME, PTR, FLAGS } },
	{ SYS_statx, { FD, NAME, FLAGS, FLAGS, PTR } },
	{ SYS_access, { NAME, SMALL } },
	{ SYS_readlink, { NAME, PTR, LEN } },
	{ SYS_getcwd, { PTR, LEN } },
	{ SYS_fcntl, { FD, SMALL, SMALL } },
	{ SYS_dup, { FD } },
	{ SYS_ioctl, { FD, FLAGS, PTR } },
	{ SYS_mmap, { NONE, LEN, SMALL, FLAGS, FD, LEN } },
	{ SYS_munmap, { PTR, LEN } },
	{ SYS_mprotect, { PTR, LEN, SMALL } },
	{ SYS_madvise, { PTR, LEN, SMALL } },
	{ SYS_mincore, { PTR, LEN, PTR } },
	{ SYS_rt_sigpending, { PTR, SMALL } },
	{ SYS_sigaltstack, { PTR, PTR } },
	{ SYS_tkill, { FLAGS } },
	{ SYS_set_tid_address, { PTR } },
	{ SYS_set_robust_list, { PTR, LEN } },
	{ SYS_sched_yield, { NONE } },
	{ SYS_sched_getaffinity, { SMALL, LEN, PTR } },
	{ SYS_sched_setaffinity, { SMALL, LEN, PTR } },
	{ SYS_getcpu, { PTR, PTR } },
	{ SYS_clock_gettime, { SMALL, PTR } },
	{ SYS_clock_getres, { SMALL, PTR } },
	{ SYS_gettimeofday, { PTR, PTR } },
	{ SYS_uname, { PTR } },
	{ SYS_sysinfo, { PTR } },
	{ SYS_prlimit64, { SMALL, SMALL, PTR, PTR } },
	{ SYS_getrusage, { SMALL, PTR } },
	{ SYS_getrandom, { PTR, LEN, FLAGS } },
};

static long argument(enum kind kind, uint64_t *s)
{
	switch (kind) {
	case PTR:
		return pointer(s);
	case NAME:
		return name(s);
	case LEN:
		return length(s);
	case FLAGS:
		return flags(s);
	case SMALL:
		return small(s);
	case FD:
		return descriptor(s);
	default:
		return 0;
	}
}

/* What can be opened: "files" is not only a directory, but also a program in it. */
static int files_fit(void)
{
	struct stat st;

	for (unsigned int i = 0; i < NR_NAMES; i++) {
		if (!stat(names[i], &st) && st.st_size > (off_t)BEHIND)
			return 0;
	}
	return 1;
}

/* These wait, so each gets a limit. */
static void special(uint64_t *s)
{
	const struct timespec soon = { 0, (long)(rnd(s) % 200000) };
	static const struct timespec now;

	switch (rnd(s) % 7) {
	case 0:
		syscall(SYS_futex, pointer(s), FUTEX_WAIT, rnd(s) % 2, &soon);
		break;
	case 1:
		syscall(SYS_futex, pointer(s), FUTEX_WAIT_BITSET, rnd(s) % 2, &now,
			pointer(s), flags(s));
		break;
	case 2:
		syscall(SYS_futex, pointer(s), FUTEX_WAKE, length(s));
		break;
	case 3:
		syscall(SYS_futex, pointer(s), FUTEX_CMP_REQUEUE, small(s), small(s),
			pointer(s), rnd(s) % 2);
		break;
	case 4:
		syscall(SYS_nanosleep, &soon, pointer(s));
		break;
	case 5:
		syscall(SYS_ppoll, pointer(s), small(s), &soon, pointer(s), 8);
		break;
	default:	/* More memory for later, at any place. */
		mmap(area[1], AREA, rnd(s) & 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
	}
}

static void *attack(void *arg)
{
	unsigned long *count = arg;
	uint64_t s = first_seed * 0x9e3779b97f4a7c15ULL + (uint64_t)(count - calls) + 1;

	while (!begun)
		usleep(1000);
	for (; !stop; ++*count) {
		unsigned int i = rnd(&s) % (sizeof(table) / sizeof(table[0]) + 4);
		long a[6];

		if (i >= sizeof(table) / sizeof(table[0])) {
			special(&s);
			continue;
		}
		for (unsigned int k = 0; k < 6; k++)
			a[k] = argument(table[i].arg[k], &s);
		syscall(table[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	/* Not with what the C library would do to its own lists. */
	syscall(SYS_exit, 0);
	return NULL;
}

static unsigned long sum(void)
{
	unsigned long n = 0;

	for (unsigned int i = 0; i < THREADS; i++)
		n += *(volatile unsigned long *)&calls[i];
	return n;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2, start;
	pthread_t thread;
	unsigned int i;

	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!files_fit()) {
		fprintf(stderr, "fuzz: a file is larger than what is free behind the area\n");
		return 2;
	}
	ktap_plan(1);
	/* Behind the stacks, so that what goes too far does not take these away. */
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, attack, &calls[i]))
			return 2;
	area[0] = mmap(NULL, AREA + BEHIND, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area[1] = mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (area[0] == MAP_FAILED || area[1] == MAP_FAILED)
		return 2;
	begun = 1;
	start = now();
	/* Longer where the machine is busy with other things. */
	while (now() < start + seconds || (sum() < ENOUGH && now() < start + PATIENCE))
		usleep(10000);
	stop = 1;
	usleep(300000);
	printf("# %lu calls, seed %llu\n", sum(), (unsigned long long)first_seed);
	return ktap(sum() >= ENOUGH, "the kernel goes on") ? 0 : 1;
}
