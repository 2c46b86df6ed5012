// SPDX-License-Identifier: GPL-2.0
/*
 * kvm_fuzz: random programs of a guest and its host's user space, which hate each other
 * and KVM, with an oracle that knows what each step may come to. No operating system in
 * the guest.
 *
 * usage: kvm_fuzz [-t seconds] [-n programs] [-o operations] [-s seed] [-N first] [-c vcpus]
 *	[-1] [-p] [-k finds] [-m steps] [-S seconds] [-w file] [-f dir] [-P file]
 *	makes programs, and executes them, until one of the limits is reached. Those that
 *	do what was not seen before are kept, and changed. What is wrong ends it, and is
 *	made small.
 *	-N	number of the first program: so another run goes on
 *	-c	most vCPUs; with 1, a seed always makes the same
 *	-1	one thing at a time
 *	-p	VMs may change their paging mode, with -r and -x, too; needs nested paging
 *	-k	how many finds end it, 1 if not this many
 *	-m	one of at most so many steps ends it, too
 *	-S	how long it tries to make a find small; no part of -t
 *	-w	the program that is being executed is in this file: for who finds the host dead
 *	-f	where the smallest find is left
 *	-P	programs that are kept are in this file, if it is there, and will be; what they
 *		have covered in file.cover. Not for who wants to repeat what a seed does
 * kvm_fuzz -r [-l] [-b what] [file...]: execute programs again; each is a test
 *	-l	so often that memory which is kept each time is seen
 *	-b	what is broken on purpose, to see that it is found: the log of dirty pages,
 *		a fork, memory that comes back, what the kernel says (log fork memory kernel)
 * kvm_fuzz -x [-S seconds] [-w file] file: make a program that kills the host smaller
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
#include "kcov.h"
#include "kernel.h"
#include "pressure.h"

#define DEADLINE	60	/* s, for a step */
#define POOL		256	/* programs that did something new */
#define RACE_TRIES	24	/* of a program that need not do the same each time */
#define FEWEST_TRIES	6	/* of one that is to be smaller */
#define MOST_TRIES	48
#define SAY_SECONDS	10	/* how far it has come */

static const char *now_file, *find_dir = ".", *pool_file;
static unsigned int finds_most = 1, steps_small;
static double shrink_seconds = 120;
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

/* ---- Memory comes back -------------------------------------------------------------- */

#define KERNEL_SLACK	(256 << 10)	/* what processors keep at hand, as it comes */
#define ALL_SLACK	(4 << 20)
#define FREE_SECONDS	15		/* what waits for RCU, and workers of the kernel's */

/*
 * Whether more is left of a process that is gone than there ever was; shared->find says so.
 * Each time it is compared with the least that there was, and not with what there should
 * be, which nobody knows.
 */
static bool keeps_memory(void)
{
	static struct kept least;
	static bool begun;
	double until = now() + FREE_SECONDS;
	struct kept kept;

	do {
		if (!begun && memory_kept(&least)) {
			/* What waits for RCU is free soon. */
			sleep(1);
			begun = true;
		}
		if (!memory_kept(&kept))
			return false;
		if (kept.kernel < least.kernel)
			least.kernel = kept.kernel;
		if (kept.all < least.all)
			least.all = kept.all;
		if (kept.kernel - least.kernel < KERNEL_SLACK &&
		    kept.all - least.all < ALL_SLACK)
			return false;
		usleep(20000);
	} while (now() < until);
	snprintf(shared->find, sizeof(shared->find),
		 "%ld KiB of the kernel's memory, %ld KiB of all have not come back",
		 (kept.kernel - least.kernel) >> 10, (kept.all - least.all) >> 10);
	/* The next one has not kept that. */
	least = kept;
	return true;
}

/* ---- Finding it again --------------------------------------------------------------- */

#define LEAK_TRIES	64	/* a page each time is enough */
static unsigned int fewest_tries = 1;

/**
 * struct attempt - to find something
 * @p: by this program
 * @tries: how often it is executed
 */
struct attempt {
	const struct program *p;
	unsigned int tries;
};

static void execute_often(const void *arg)
{
	const struct attempt *a = arg;

	exec_init();
	for (shared->tried = 1; ; shared->tried++) {
		execute(a->p);
		if (shared->tried == a->tries)
			break;
	}
}

/*
 * Whether a program finds something; more than once where it can differ. One process for
 * all of it: to make one takes as long as some programs.
 */
static bool finds(const struct program *p, unsigned int tries)
{
	struct attempt a = { p, program_races(p) ? tries : 1 };
	int status;

	if (a.tries < fewest_tries)
		a.tries = fewest_tries;
	status = run_process(execute_often, &a);
	if (status && status != EXIT_FOUND)
		exit(2);
	return status == EXIT_FOUND || keeps_memory();
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
	printf("@at %llu: %llu programs, %llu operations, %u pairs, %u places, %.1f s\n",
	       (unsigned long long)number, (unsigned long long)shared->programs,
	       (unsigned long long)shared->steps, shared->covered, shared->nr_places,
	       now() - began);
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

/* ---- Programs that are kept from one run to the next --------------------------------- */

#define KEEP_SECONDS	60

static FILE *open_cover(const char *mode)
{
	char name[512];

	snprintf(name, sizeof(name), "%s.cover", pool_file);
	return fopen(name, mode);
}

/* What another version of it has left, and this one cannot read, ends it. */
static void read_pool(void)
{
	FILE *f = pool_file ? fopen(pool_file, "r") : NULL;
	struct program p;

	if (!f)
		return;
	while (program_read(&p, f, NULL))
		if (p.nr && p.vm.arg[VM_VCPUS] <= vcpus_most && (alongside || !program_races(&p)))
			keep_program(&p);
	fclose(f);
	f = open_cover("r");
	if (!f)
		return;
	if (fread(shared->cover, sizeof(shared->cover), 1, f) == 1 &&
	    fread(shared->places, sizeof(shared->places), 1, f) == 1)
		count_cover();
	fclose(f);
}

static void write_pool(void)
{
	char name[512];
	unsigned int i;
	FILE *f;

	if (!pool_file)
		return;
	snprintf(name, sizeof(name), "%s.new", pool_file);
	f = fopen(name, "w");
	if (!f)
		return;
	/* The oldest first. */
	for (i = 0; i < pool->nr; i++) {
		program_print(&pool->p[(pool->next + POOL - pool->nr + i) % POOL], f);
		fputc('\n', f);
	}
	/* All of it, or what was there before. */
	if (fclose(f) || rename(name, pool_file))
		return;
	f = open_cover("w");
	if (!f)
		return;
	fwrite(shared->cover, sizeof(shared->cover), 1, f);
	fwrite(shared->places, sizeof(shared->places), 1, f);
	fclose(f);
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
		shared->batch[i - r->first] = p;
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

/**
 * struct shrinking - a program that is being made small
 * @best: the smallest so far
 * @tries: how often one is executed: some times as often as it took those that did find
 * @until: when it is enough
 */
struct shrinking {
	struct program best;
	unsigned int tries;
	double until;
};

/* Steps behind the one that finds it were not executed. */
static void cut_rest(struct program *p)
{
	unsigned int nr = shared->at;

	while (nr < p->nr && p->step[nr].flags & STEP_ALONGSIDE)
		nr++;
	for (nr++; nr < p->nr && p->step[nr].flags & STEP_DURING; )
		nr++;
	if (nr < p->nr)
		p->nr = nr;
	program_tidy(p);
}

/* The best program, if it finds something. */
static bool try_smaller(struct shrinking *s, const struct program *p, unsigned int tries)
{
	if (!finds(p, tries))
		return false;
	s->best = *p;
	cut_rest(&s->best);
	if (s->tries < 3 * shared->tried)
		s->tries = 3 * shared->tried;
	if (s->tries > MOST_TRIES)
		s->tries = MOST_TRIES;
	return true;
}

static void shrink(struct shrinking *s)
{
	unsigned int chunk, at;
	struct program p;
	bool smaller;

	do {
		smaller = false;
		for (chunk = s->best.nr / 2 ?: 1; chunk; chunk /= 2) {
			for (at = 0; at + chunk <= s->best.nr && now() < s->until; ) {
				leave_out(&p, &s->best, at, chunk);
				if (try_smaller(s, &p, s->tries))
					smaller = true;
				else
					at += chunk;
			}
		}
		for (at = 0; now() < s->until; ) {
			p = s->best;
			if (!program_simplify(&p, &at))
				break;
			program_tidy(&p);
			smaller |= try_smaller(s, &p, s->tries);
		}
	} while (smaller && now() < s->until);
}

static unsigned int smallest_find = ~0U;

static void leave_programs(const struct program *p, unsigned int nr, const char *what,
			   const char *by)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/kvm-find", find_dir);
	f = fopen(name, "w");
	if (!f)
		return;
	fprintf(f, "# %s\n", what);
	if (by)
		fprintf(f, "# %s\n", by);
	for (; nr--; p++) {
		program_print(p, f);
		fputc('\n', f);
	}
	fclose(f);
}

/**
 * leave_find - the smallest of all finds; all are printed
 * @p: the program
 * @what: it finds
 * @by: when it was found; NULL if that is not known
 * @again: it finds it by itself
 */
static void leave_find(const struct program *p, const char *what, const char *by, bool again)
{
	unsigned int size = p->nr + (again ? 0 : MAX_STEPS);

	if (size < smallest_find) {
		smallest_find = size;
		leave_programs(p, 1, what, by);
	}
}

/*
 * A find that comes back is made small, and left in a file. Whether it is as small as was
 * wanted.
 */
static bool on_find(double seconds)
{
	const struct program all = shared->now;
	struct shrinking s = { .best = all, .tries = FEWEST_TRIES };
	char what[sizeof(shared->find)], by[128];
	bool again;

	memcpy(what, shared->find, sizeof(what));
	snprintf(by, sizeof(by), "program %llu, %llu steps, %.1f s",
		 (unsigned long long)shared->number, (unsigned long long)shared->steps, seconds);
	printf("# %s: step %u: %s\n", by, shared->at + 1, what);
	program_print(&all, stdout);
	again = try_smaller(&s, &all, 4 * RACE_TRIES);
	if (again) {
		memcpy(what, shared->find, sizeof(what));
		s.until = now() + shrink_seconds;
		shrink(&s);
		if (finds(&s.best, 4 * RACE_TRIES))
			memcpy(what, shared->find, sizeof(what));
		printf("# the smallest, of %u steps: %s\n", s.best.nr, what);
		program_print(&s.best, stdout);
	} else {
		printf("# by itself it finds nothing\n");
	}
	leave_find(&s.best, what, by, again);
	return again && s.best.nr <= steps_small;
}

/* Some of a batch, or all together, have kept memory: which of them? */
static bool on_leak(const struct run *r, double seconds)
{
	char what[sizeof(shared->find)];
	double until = now() + shrink_seconds;
	bool enough = false, one = false;
	__u64 i, nr = shared->next - r->first;

	memcpy(what, shared->find, sizeof(what));
	fewest_tries = LEAK_TRIES;
	for (i = 0; i < nr && !one && now() < until; i++) {
		one = finds(&shared->batch[i], 1);
		if (!one)
			continue;
		shared->number = r->first + i;
		enough = on_find(seconds);
	}
	fewest_tries = 1;
	if (!one) {
		printf("# programs %llu to %llu together: %s\n", (unsigned long long)r->first,
		       (unsigned long long)shared->next - 1, what);
		for (i = 0; i < nr; i++) {
			program_print(&shared->batch[i], stdout);
			printf("\n");
		}
		if (smallest_find == ~0U)
			leave_programs(shared->batch, nr, what, NULL);
	}
	return enough;
}

/* What has killed the host is not tried again, but what is smaller. */
static int make_small(const char *name)
{
	struct shrinking s = { .tries = RACE_TRIES, .until = now() + shrink_seconds };
	FILE *f = fopen(name, "r");

	if (!f || !program_read(&s.best, f, name)) {
		fprintf(stderr, "%s: no program\n", name);
		return 2;
	}
	fclose(f);
	shrink(&s);
	leave_find(&s.best, "", NULL, true);
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
	printf("%llu questions, %llu granted, %u pairs of steps, %u places in KVM covered\n",
	       (unsigned long long)shared->asked, (unsigned long long)shared->granted,
	       shared->covered, shared->nr_places);
}

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
	struct run r = {
		.seed = seed, .first = l->first, .began = now(), .until = now() + l->seconds,
	};
	double kept = now();
	unsigned int nr_finds = 0;
	bool leak;
	int status;

	read_pool();
	while (now() < r.until && r.first < l->end && shared->steps < l->operations) {
		/* The host may be dead at any time. */
		if (now() - kept > KEEP_SECONDS) {
			write_pool();
			kept = now();
		}
		r.nr = l->end - r.first < BATCH ? l->end - r.first : BATCH;
		status = run_process(execute_batch, &r);
		leak = !status && shared->next > r.first && keeps_memory();
		if (status == EXIT_FOUND || leak) {
			__u64 steps = shared->steps, done = shared->programs;
			__u64 next = leak ? shared->next : shared->number + 1;
			double since = now();
			bool enough;

			enough = leak ? on_leak(&r, since - r.began) :
					on_find(since - r.began);
			r.first = next;
			/* Making it small was no part of it. */
			shared->steps = steps;
			shared->programs = done;
			r.began += now() - since;
			r.until += now() - since;
			if (++nr_finds == finds_most || enough)
				break;
			continue;
		}
		if (status)
			return 2;
		/* The time may have been over before the last of them. */
		r.first = shared->next;
	}
	write_pool();
	say_at(r.first, r.began);
	print_figures(now() - r.began);
	ktap(!nr_finds, "fuzz, seed %llu", (unsigned long long)seed);
	return ktap_end();
}

static bool break_it(const char *what)
{
	static const char * const names[] = {
		[BROKEN_LOG] = "log", [BROKEN_FORK] = "fork", [BROKEN_MEMORY] = "memory",
		[BROKEN_KERNEL] = "kernel",
	};

	for (broken = BROKEN_LOG; broken <= BROKEN_KERNEL; broken++)
		if (!strcmp(what, names[broken]))
			break;
	return broken <= BROKEN_KERNEL &&
	       !pipe2(broken_pipe, O_NONBLOCK) && fcntl(broken_pipe[1], F_SETPIPE_SZ, 1 << 20) > 0;
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

	while ((opt = getopt(argc, argv, "t:n:o:s:N:c:1pk:m:S:w:f:P:b:lrx")) != -1) {
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
		case 'm':
			steps_small = strtoul(optarg, NULL, 0);
			break;
		case 'S':
			shrink_seconds = strtod(optarg, NULL);
			break;
		case 'w':
			now_file = optarg;
			break;
		case 'f':
			find_dir = optarg;
			break;
		case 'P':
			pool_file = optarg;
			break;
		case 'b':
			if (!break_it(optarg))
				return 2;
			break;
		case 'l':
			fewest_tries = LEAK_TRIES;
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
	/* With one vCPU a seed is to do the same each time. */
	kcov_wanted = alongside && !again && !small;
	if (again)
		return replay(argv + optind);
	if (small)
		return optind < argc ? make_small(argv[optind]) : 2;
	return fuzz(seed, &limits);
}
