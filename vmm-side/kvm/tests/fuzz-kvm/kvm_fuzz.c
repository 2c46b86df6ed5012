// SPDX-License-Identifier: GPL-2.0
/*
 * kvm_fuzz: random programs of a guest and its host's user space, which hate each other
 * and KVM, with an oracle that knows what each step may come to. No operating system in
 * the guest.
 *
 * usage: kvm_fuzz [-t seconds] [-n programs] [-o operations] [-s seed] [-N first] [-c vcpus]
 *	[-1] [-p] [-k finds] [-w file] [-f dir]
 *	makes programs, and executes them, until one of the limits is reached. Those that
 *	do what was not seen before are kept, and changed. What is wrong ends it, and is
 *	made small.
 *	-N	number of the first program: so another run goes on
 *	-c	most vCPUs; with 1, a seed always makes the same
 *	-1	one thing at a time
 *	-p	VMs may change their paging mode, with -r and -x, too; needs nested paging
 *	-k	how many finds end it, 1 if not this many
 *	-w	the program that is being executed is in this file: for who finds the host dead
 *	-f	where finds are left
 * kvm_fuzz -r [file...]: execute programs again; each is a test
 * kvm_fuzz -x [-w file] file: make a program that kills the host smaller
 *
 * Prints KTAP, and lines with @at: how far it has come, for who has started it.
 * docs/developing.md says what programs look like.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ktap.h>

#include "exec.h"
#include "kernel.h"

#define DEADLINE	60	/* s, for a step */
#define BATCH		64	/* programs of a process */
#define POOL		256	/* programs that did something new */
#define RACE_TRIES	24	/* of a program that need not do the same each time */
#define SHRINK_SECONDS	120
#define SAY_SECONDS	10	/* how far it has come */

static const char *now_file, *find_dir = ".";
static unsigned int finds_most = 1;
static unsigned int vcpus_most = NR_VCPUS;
static bool alongside = true;

/* Programs that have done something new, in memory that processes share. */
static struct pool {
	unsigned int nr;
	unsigned int next;
	struct program p[POOL];
} *pool;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- A process that executes programs --------------------------------------------- */

static void say_now(void)
{
	static int fd = -1;
	static long longest;
	char text[16384];
	FILE *f;
	long n;

	if (!now_file)
		return;
	if (fd < 0) {
		fd = open(now_file, O_RDWR | O_CREAT, 0644);
		longest = lseek(fd, 0, SEEK_END);
	}
	f = fmemopen(text, sizeof(text), "w");
	program_print(&shared->now, f);
	n = ftell(f);
	fclose(f);
	/* Over what is there, in one go: it may be another machine's file. */
	if (n < longest && longest <= (long)sizeof(text))
		memset(text + n, '\n', longest - n);
	else
		longest = n;
	if (fd < 0 || pwrite(fd, text, longest, 0) != longest) {
		perror(now_file);
		_exit(2);
	}
}

static void execute(const struct program *p)
{
	const char *trouble;

	shared->now = *p;
	say_now();
	exec_program(p);
	trouble = kernel_trouble();
	if (!trouble)
		return;
	/* It has to say it again when a smaller program does it. */
	write_to("/sys/kernel/debug/clear_warn_once", "1");
	found("the kernel says: %s", trouble);
}

/*
 * Runs a function in a process of its own until it ends, or a step takes too long.
 * Returns its status; EXIT_FOUND also when it was killed, and if it hangs.
 */
static int run_process(void (*fn)(const void *arg), const void *arg)
{
	double since = now();
	__u64 beat = 0;
	int status;
	pid_t pid;

	fflush(stdout);
	shared->find[0] = 0;
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(arg);
		_exit(0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		if (shared->beat != beat) {
			beat = shared->beat;
			since = now();
		}
		if (now() - since > DEADLINE) {
			snprintf(shared->find, sizeof(shared->find),
				 "step %u does not end", shared->at + 1);
			kill(pid, SIGKILL);
			for (since = now(); now() - since < DEADLINE; usleep(100000))
				if (waitpid(pid, &status, WNOHANG))
					return EXIT_FOUND;
			printf("# the process does not end, either\n");
			fflush(stdout);
			exit(4);
		}
		usleep(2000);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (!shared->find[0])
		snprintf(shared->find, sizeof(shared->find), "killed by signal %d, in step %u",
			 WTERMSIG(status), shared->at + 1);
	return EXIT_FOUND;
}

static void execute_once(const void *arg)
{
	exec_init();
	execute(arg);
}

/* Whether a program finds something; more than once where it can differ. */
static bool finds(const struct program *p, unsigned int tries)
{
	int status;

	if (!program_races(p))
		tries = 1;
	while (tries--) {
		status = run_process(execute_once, p);
		if (status == EXIT_FOUND)
			return true;
		if (status)
			exit(2);
	}
	return false;
}

/* ---- Making programs ---------------------------------------------------------------- */

struct run {
	__u64 seed;
	__u64 first;
	__u64 nr;
	double began, until;
};

/* The next program's number, and what was done. */
static void say_at(__u64 number, double began)
{
	printf("@at %llu: %llu programs, %llu operations, %u pairs, %.1f s\n",
	       (unsigned long long)number, (unsigned long long)shared->programs,
	       (unsigned long long)shared->steps, shared->covered, now() - began);
	fflush(stdout);
	shared->said = now();
}

static void make_program(struct program *p, __u64 seed, __u64 number)
{
	random_begin(seed << 32 ^ number);
	if (pool->nr < 8 || rnd(3) == 0) {
		program_random(p, vcpus_most, alongside);
	} else {
		*p = pool->p[rnd(pool->nr)];
		program_mutate(p, &pool->p[rnd(pool->nr)], alongside);
	}
}

static void keep_program(const struct program *p)
{
	pool->p[pool->next] = *p;
	pool->next = (pool->next + 1) % POOL;
	if (pool->nr < POOL)
		pool->nr++;
}

static void execute_batch(const void *arg)
{
	static struct program p;
	const struct run *r = arg;
	__u64 i;

	/* If it does not get so far. */
	shared->number = r->first;

	exec_init();
	for (i = r->first; i < r->first + r->nr && now() < r->until; i++) {
		shared->number = i;
		make_program(&p, r->seed, i);
		execute(&p);
		if (shared->news)
			keep_program(&p);
		if (now() - shared->said > SAY_SECONDS)
			say_at(i + 1, r->began);
	}
	shared->next = i;
}

/* ---- Making them small ---------------------------------------------------------------- */

static void leave_out(struct program *p, const struct program *from, unsigned int at,
		      unsigned int nr)
{
	*p = *from;
	memmove(&p->step[at], &from->step[at + nr], (from->nr - at - nr) * sizeof(*p->step));
	p->nr -= nr;
	program_tidy(p);
}

static void shrink(struct program *best)
{
	double until = now() + SHRINK_SECONDS;
	unsigned int chunk, at;
	struct program p;
	bool smaller;

	do {
		smaller = false;
		for (chunk = best->nr / 2 ?: 1; chunk; chunk /= 2) {
			for (at = 0; at + chunk <= best->nr && now() < until; ) {
				leave_out(&p, best, at, chunk);
				if (finds(&p, RACE_TRIES)) {
					*best = p;
					smaller = true;
				} else {
					at += chunk;
				}
			}
		}
		for (at = 0; now() < until; ) {
			p = *best;
			if (!program_simplify(&p, &at))
				break;
			program_tidy(&p);
			if (finds(&p, RACE_TRIES)) {
				*best = p;
				smaller = true;
			}
		}
	} while (smaller && now() < until);
}

/* The first of them; all are printed. */
static void leave_find(const struct program *p, const char *what)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/kvm-find", find_dir);
	f = fopen(name, "wx");
	if (f) {
		fprintf(f, "# %s\n", what);
		program_print(p, f);
		fclose(f);
	}
}

/* A find that comes back is made small, and left in a file. */
static void on_find(const struct program *first, double seconds)
{
	struct program best = *first;
	char what[sizeof(shared->find)];

	memcpy(what, shared->find, sizeof(what));
	printf("# program %llu, %llu steps, %.1f s: step %u: %s\n",
	       (unsigned long long)shared->number, (unsigned long long)shared->steps, seconds,
	       shared->at + 1, what);
	program_print(&best, stdout);
	if (finds(&best, 4 * RACE_TRIES)) {
		memcpy(what, shared->find, sizeof(what));
		shrink(&best);
		if (finds(&best, 4 * RACE_TRIES))
			memcpy(what, shared->find, sizeof(what));
		printf("# the smallest, of %u steps: %s\n", best.nr, what);
		program_print(&best, stdout);
	} else {
		printf("# by itself it finds nothing\n");
	}
	leave_find(&best, what);
}

/* What has killed the host is not tried again, but what is smaller. */
static int make_small(const char *name)
{
	FILE *f = fopen(name, "r");
	struct program p;

	if (!f || !program_read(&p, f, name)) {
		fprintf(stderr, "%s: no program\n", name);
		return 2;
	}
	fclose(f);
	shrink(&p);
	leave_find(&p, "");
	return 0;
}

/* ---- What it did ---------------------------------------------------------------------- */

static const char * const ending_names[] = {
	[END_DONE] = "done", [END_FAULT] = "page-fault", [END_EXCEPTION] = "exception",
	[END_MMIO] = "mmio", [END_NO_MEMORY] = "no-memory", [END_SHUTDOWN] = "shutdown",
	[END_ERROR] = "refused", [END_SKIPPED] = "skipped",
};

static void print_figures(double seconds)
{
	unsigned int i, j;

	for (i = 0; i < K_NR; i++) {
		__u64 all = 0;

		for (j = 0; j < END_NR; j++)
			all += shared->kinds[i][j];
		if (!all)
			continue;
		printf("# %-12s %8llu:", kind_name(i), (unsigned long long)all);
		for (j = 0; j < END_NR; j++)
			if (shared->kinds[i][j])
				printf(" %s %llu", ending_names[j],
				       (unsigned long long)shared->kinds[i][j]);
		printf("\n");
	}
	printf("# %llu programs, %llu operations in %.0f s, ",
	       (unsigned long long)shared->programs, (unsigned long long)shared->steps, seconds);
	printf("%llu questions, %llu granted, %u pairs of steps covered\n",
	       (unsigned long long)shared->asked, (unsigned long long)shared->granted,
	       shared->covered);
}

/* In programs; the first ones allocate what is allocated once. */
#define SETTLED	(4 * BATCH)
/* Of KVM's, that processors keep at hand, with no VM. */
#define MOST_OBJECTS	1024

/**
 * struct limits - when it is enough
 * @seconds: of time
 * @first: number of the first program
 * @end: of the last one, + 1
 * @operations: at least; and programs that were begun are executed to their end
 */
struct limits {
	double seconds;
	__u64 first, end, operations;
};

static int fuzz(__u64 seed, const struct limits *l)
{
	double began = now();
	struct run r = {
		.seed = seed, .first = l->first, .began = began, .until = began + l->seconds,
	};
	unsigned int nr_finds = 0;
	struct in_use used = { 0 }, more;
	int status;

	while (now() < r.until && r.first < l->end && shared->steps < l->operations) {
		r.nr = l->end - r.first < BATCH ? l->end - r.first : BATCH;
		status = run_process(execute_batch, &r);
		if (status == EXIT_FOUND) {
			__u64 steps = shared->steps, done = shared->programs;

			r.first = shared->number + 1;
			on_find(&shared->now, now() - began);
			/* Making it small was no part of it. */
			shared->steps = steps;
			shared->programs = done;
			if (++nr_finds == finds_most)
				break;
			continue;
		}
		if (status)
			return 2;
		/* The time may have been over before the last of them. */
		r.first = shared->next;
		if (!used.pages && r.first - l->first >= SETTLED)
			kernel_in_use(&used);
	}
	say_at(r.first, began);
	print_figures(now() - began);
	ktap(!nr_finds, "fuzz, seed %llu", (unsigned long long)seed);
	if (used.pages) {
		/* What waits for RCU is free soon. */
		sleep(1);
		kernel_in_use(&more);
		more.pages -= used.pages;
		more.objects -= used.objects;
		printf("# %ld pages and %ld objects more are in use than after %d programs\n",
		       more.pages, more.objects, SETTLED);
		ktap(more.pages < 4096 + (long)shared->programs / 4 &&
		     more.objects < MOST_OBJECTS + (long)shared->programs / 16,
		     "memory comes back");
	}
	return ktap_end();
}

static int replay(char **names)
{
	struct program p;
	unsigned int nr;
	FILE *f;

	for (; *names; names++) {
		f = fopen(*names, "r");
		if (!f) {
			perror(*names);
			return 2;
		}
		for (nr = 1; program_read(&p, f, *names); nr++) {
			bool bad = finds(&p, RACE_TRIES);

			if (bad)
				printf("# step %u: %s\n", shared->at + 1, shared->find);
			ktap(!bad, "%s, program %u", strrchr(*names, '/') ?
			     strrchr(*names, '/') + 1 : *names, nr);
		}
		fclose(f);
	}
	return ktap_end();
}

int main(int argc, char **argv)
{
	struct limits limits = { .seconds = 60, .end = ~0ULL, .operations = ~0ULL };
	bool again = false, small = false;
	__u64 seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "t:n:o:s:N:c:1pk:w:f:rx")) != -1) {
		switch (opt) {
		case 't':
			limits.seconds = strtod(optarg, NULL);
			break;
		case 'n':
			limits.end = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			limits.operations = strtoull(optarg, NULL, 0);
			break;
		case 'N':
			limits.first = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			vcpus_most = strtoul(optarg, NULL, 0);
			break;
		case '1':
			alongside = false;
			break;
		case 'p':
			vms_switch = true;
			break;
		case 'k':
			finds_most = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			now_file = optarg;
			break;
		case 'f':
			find_dir = optarg;
			break;
		case 'r':
			again = true;
			break;
		case 'x':
			small = true;
			break;
		default:
			return 2;
		}
	}
	if (vcpus_most == 1)
		alongside = false;
	/* -n is how many. */
	if (limits.end + limits.first > limits.first)
		limits.end += limits.first;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pool = mmap(NULL, sizeof(*pool), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pool == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	kernel_begin();
	if (again)
		return replay(argv + optind);
	if (small)
		return optind < argc ? make_small(argv[optind]) : 2;
	return fuzz(seed, &limits);
}
