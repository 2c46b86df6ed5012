// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of swap in general and SwapBypass in particular.
 *
 *   bypass_torture [-t seconds] [-m MiB] [-w workers] [-j threads] [-S seed]
 *                  [-o seconds between swapoffs] [-b 0|1|-1] [-W word]
 *
 * Worker processes with several threads own pages with known content: every
 * page holds its name, its age, and words computed from both, and the owner
 * knows what it wrote last, so that lost updates show. Between verifying and
 * writing, threads change and discard their memory in all ways there are, while
 * other threads and processes page it out, in, and read it. -m should be more
 * than the guest has. With -W it goes on until that is the host's word, which has to be
 * within the time of -t.
 *
 * Exit status: 0 all right, 1 wrong data, 2 could not run, or the bypass was
 * expected (-b, default: if attached; -1: both are fine; 2: it is, though it is not
 * attached all the time) and did not happen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <ktap.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define CHUNK_PAGES	64
#define CHUNK		(CHUNK_PAGES * PAGE)
#define MAX_THREADS	16

enum op {
	OP_ACCESS, OP_VERIFY, OP_PAGEOUT, OP_WILLNEED, OP_COLD, OP_DONTNEED,
	OP_FREE, OP_PROTECT, OP_NOACCESS, OP_MREMAP, OP_REMAP, OP_MLOCK, OP_FORK,
	OP_READV, OP_NR
};

static const struct {
	const char *name;
	unsigned int weight;
} ops[OP_NR] = {
	[OP_ACCESS] = { "access", 300 },
	[OP_VERIFY] = { "verify", 40 },
	[OP_PAGEOUT] = { "pageout", 40 },
	[OP_WILLNEED] = { "willneed", 10 },
	[OP_COLD] = { "cold", 5 },
	[OP_DONTNEED] = { "dontneed", 5 },
	[OP_FREE] = { "free", 5 },
	[OP_PROTECT] = { "mprotect", 8 },
	[OP_NOACCESS] = { "noaccess", 4 },
	[OP_MREMAP] = { "mremap", 5 },
	[OP_REMAP] = { "munmap", 5 },
	[OP_MLOCK] = { "mlock", 3 },
	[OP_FORK] = { "fork", 3 },
	[OP_READV] = { "readv", 10 },
};

/* What all processes see. */
struct shared {
	volatile bool stop;
	volatile bool failed;
	uint64_t count[OP_NR], ms[OP_NR];
	uint64_t verified;
	uint64_t disturbed;
};

struct chunk {
	char *p;
	uint64_t seq[CHUNK_PAGES];	/* 0: all zero */
};

struct thread {
	pthread_t th;
	unsigned int id;
	uint64_t rnd;
	struct chunk *chunk;
	unsigned int nr_chunks;
	char *spare;			/* a hole of one chunk */
	uint64_t count[OP_NR], ms[OP_NR];
	uint64_t verified;
};

static struct shared *shared;
static unsigned int threads = 3, worker_id;
static struct thread thread[MAX_THREADS];
static char *area;
static size_t area_len;

static void fail(const char *fmt, ...)
{
	va_list ap;

	printf("# violated: worker %u: ", worker_id);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	shared->failed = true;
	shared->stop = true;
	_exit(TEST_VIOLATED);
}

static uint64_t page_id(const struct thread *t, const struct chunk *c,
			unsigned int page)
{
	return ((uint64_t)worker_id << 48) | ((uint64_t)t->id << 40) |
	       (uint64_t)(c - t->chunk) << 8 | page;
}

static void verify(struct thread *t, struct chunk *c, unsigned int first,
		   unsigned int nr, const char *where)
{
	unsigned int i;
	uint64_t *w;
	long off;

	for (i = first; i < first + nr; i++) {
		w = (uint64_t *)(c->p + i * PAGE);
		if (c->seq[i])
			off = page_check(w, page_id(t, c, i), c->seq[i]);
		else
			off = page_zero(w) ? -1 : 0;
		if (off >= 0)
			fail("%s: page %lx seq %lu wrong at byte %ld: has %lx seq %lu%s%s",
			     where, page_id(t, c, i), c->seq[i], off, w[0], w[1],
			     page_swapped(w) ? ", swapped out" : "",
			     page_resident(w) ? ", resident" : "");
	}
	t->verified += nr;
}

static void rewrite(struct thread *t, struct chunk *c, unsigned int first,
		    unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		page_fill(c->p + i * PAGE, page_id(t, c, i), ++c->seq[i]);
}

static void check_sys(bool ok, const char *what)
{
	if (!ok)
		fail("%s: %s", what, strerror(errno));
}

static void op_fork(struct thread *t, struct chunk *c)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid) {
		verify(t, c, 0, CHUNK_PAGES, "fork, child");
		rewrite(t, c, 0, CHUNK_PAGES);
		verify(t, c, 0, CHUNK_PAGES, "fork, child, own");
		_exit(0);
	}
	/* At the same time as the child. */
	rewrite(t, c, 0, CHUNK_PAGES / 2);
	verify(t, c, 0, CHUNK_PAGES, "fork, parent");
	if (waitpid(pid, &status, 0) == pid && status)
		fail("child of fork: status %x", status);
	verify(t, c, 0, CHUNK_PAGES, "fork, parent, later");
}

static void op_readv(struct thread *t, struct chunk *c)
{
	unsigned int i = rnd(&t->rnd) % CHUNK_PAGES;
	struct iovec remote = { c->p + i * PAGE, PAGE };
	char buf[PAGE] __attribute__((aligned(8)));
	struct iovec local = { buf, PAGE };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)PAGE)
		fail("process_vm_readv: %s", strerror(errno));
	if (c->seq[i] ? page_check(buf, page_id(t, c, i), c->seq[i]) >= 0 :
	    !page_zero(buf))
		fail("process_vm_readv: page %lx seq %lu is wrong", page_id(t, c, i),
		     c->seq[i]);
}

static void one_op(struct thread *t)
{
	struct chunk *c = &t->chunk[rnd(&t->rnd) % t->nr_chunks];
	unsigned int first = rnd(&t->rnd) % CHUNK_PAGES, total = 0, i;
	unsigned int nr = 1 + rnd(&t->rnd) % (CHUNK_PAGES - first);
	char *p = c->p + first * PAGE, *q;
	size_t len = nr * PAGE;
	uint64_t start = now_ms();
	enum op op;

	for (i = 0; i < OP_NR; i++)
		total += ops[i].weight;
	i = rnd(&t->rnd) % total;
	for (op = 0; i >= ops[op].weight; op++)
		i -= ops[op].weight;

	switch (op) {
	case OP_ACCESS:
		nr = nr > 16 ? 16 : nr;
		verify(t, c, first, nr, "access");
		if (rnd(&t->rnd) & 1)
			rewrite(t, c, first, nr);
		break;
	case OP_VERIFY:
		verify(t, c, 0, CHUNK_PAGES, "verify");
		break;
	case OP_PAGEOUT:
		madvise(p, len, MADV_PAGEOUT);
		verify(t, c, first, nr, "paged out");
		break;
	case OP_WILLNEED:
		madvise(p, len, MADV_WILLNEED);
		break;
	case OP_COLD:
		madvise(p, len, MADV_COLD);
		break;
	case OP_DONTNEED:
		check_sys(!madvise(p, len, MADV_DONTNEED), "MADV_DONTNEED");
		memset(&c->seq[first], 0, nr * sizeof(c->seq[0]));
		verify(t, c, first, nr, "dontneed");
		rewrite(t, c, first, nr);
		break;
	case OP_FREE:
		check_sys(!madvise(p, len, MADV_FREE), "MADV_FREE");
		/* Old, or zero, or one after the other: so write first. */
		rewrite(t, c, first, nr);
		break;
	case OP_PROTECT:
		check_sys(!mprotect(p, len, PROT_READ), "mprotect");
		verify(t, c, 0, CHUNK_PAGES, "read-only");
		check_sys(!mprotect(c->p, CHUNK, PROT_READ | PROT_WRITE), "mprotect");
		rewrite(t, c, first, nr);
		break;
	case OP_NOACCESS:
		check_sys(!mprotect(p, len, PROT_NONE), "mprotect");
		check_sys(!mprotect(c->p, CHUNK, PROT_READ | PROT_WRITE), "mprotect");
		verify(t, c, first, nr, "no access and back");
		break;
	case OP_MREMAP:
		q = mremap(c->p, CHUNK, CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED,
			   t->spare);
		if (q == MAP_FAILED && errno == EFAULT) {
			/* More than one VMA; the hole is gone nevertheless. */
			q = c->p;
		} else {
			check_sys(q == t->spare, "mremap");
			t->spare = c->p;
			c->p = q;
		}
		check_sys(mmap(t->spare, CHUNK, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			  t->spare, "mmap of the hole");
		verify(t, c, 0, CHUNK_PAGES, "mremap");
		break;
	case OP_REMAP:
		check_sys(mmap(p, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p,
			  "mmap over");
		memset(&c->seq[first], 0, nr * sizeof(c->seq[0]));
		verify(t, c, first, nr, "mapped anew");
		rewrite(t, c, first, nr);
		break;
	case OP_MLOCK:
		/* May fail for lack of memory. */
		nr = nr > 8 ? 8 : nr;
		if (!mlock(p, nr * PAGE)) {
			verify(t, c, first, nr, "mlock");
			rewrite(t, c, first, nr);
		}
		munlock(p, nr * PAGE);
		break;
	case OP_FORK:
		op_fork(t, c);
		break;
	case OP_READV:
		op_readv(t, c);
		break;
	default:
		break;
	}
	t->count[op]++;
	t->ms[op] += now_ms() - start;
}

static void *owner(void *arg)
{
	struct thread *t = arg;
	unsigned int i;

	for (i = 0; i < t->nr_chunks && !shared->stop; i++) {
		rewrite(t, &t->chunk[i], 0, CHUNK_PAGES);
		one_op(t);
	}
	while (!shared->stop)
		one_op(t);
	if (shared->failed)
		return NULL;
	/* Only what was written. */
	while (i--)
		verify(t, &t->chunk[i], 0, CHUNK_PAGES, "at the end");
	return NULL;
}

/* Changes nothing, but moves pages under the owners' feet. */
static void *disturber(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	char buf[PAGE];

	while (!shared->stop) {
		size_t off = rnd(&state) % (area_len / PAGE) * PAGE;
		size_t len = (1 + rnd(&state) % 32) * PAGE;
		struct iovec remote = { area + off, PAGE };
		struct iovec local = { buf, PAGE };

		if (len > area_len - off)
			len = area_len - off;
		switch (rnd(&state) % 7) {
		case 0 ... 2:
			madvise(area + off, len, MADV_PAGEOUT);
			break;
		case 3:
			madvise(area + off, len, MADV_WILLNEED);
			break;
		case 4:
			madvise(area + off, len, MADV_COLD);
			break;
		default:
			process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		}
		__atomic_fetch_add(&shared->disturbed, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int worker(unsigned int id, size_t bytes, uint64_t seed)
{
	unsigned int per_thread, i, k;
	pthread_t dist;
	char *p;

	worker_id = id;
	per_thread = bytes / CHUNK / threads;
	if (!per_thread)
		setup_error("too little memory per thread");
	p = area;
	for (i = 0; i < threads; i++) {
		struct thread *t = &thread[i];

		t->id = i;
		t->rnd = seed ^ (id * 1000003ULL + i * 7919);
		t->nr_chunks = per_thread;
		t->chunk = calloc(per_thread, sizeof(*t->chunk));
		if (!t->chunk)
			setup_error("no memory for the book-keeping");
		for (k = 0; k < per_thread; k++, p += CHUNK)
			t->chunk[k].p = p;
		t->spare = p;
		mprotect(p, CHUNK, PROT_NONE);
		p += CHUNK;
	}
	pthread_create(&dist, NULL, disturber, (void *)(uintptr_t)(seed + id));
	for (i = 0; i < threads; i++)
		pthread_create(&thread[i].th, NULL, owner, &thread[i]);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i].th, NULL);
	pthread_join(dist, NULL);
	for (i = 0; i < threads; i++) {
		for (k = 0; k < OP_NR; k++) {
			__atomic_fetch_add(&shared->count[k], thread[i].count[k],
					   __ATOMIC_RELAXED);
			__atomic_fetch_add(&shared->ms[k], thread[i].ms[k],
					   __ATOMIC_RELAXED);
		}
		__atomic_fetch_add(&shared->verified, thread[i].verified,
				   __ATOMIC_RELAXED);
	}
	return shared->failed ? TEST_VIOLATED : TEST_OK;
}

/* Another process looks at random pages, by two ways. */
static void look(pid_t pid, uint64_t *state)
{
	char buf[PAGE];
	struct iovec remote = { area + rnd(state) % (area_len / PAGE) * PAGE, PAGE };
	struct iovec local = { buf, PAGE };
	int status;

	process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (rnd(state) % 8)
		return;
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return;
	if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_PEEKDATA, pid, remote.iov_base, NULL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
}

/* A number of the window's, or -1: there is none with pages in place. */
static long long window(const char *name)
{
	char path[64];
	long long val;

	snprintf(path, sizeof(path), "/sys/block/symswap0/symswap/%s", name);
	return read_number(path, &val) ? val : -1;
}

/* Does what is on the device fit into memory? The OOM killer is no test. */
static bool swapoff_fits(void)
{
	size_t avail = 0, total = 0, free = 0;
	unsigned int found = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		found += sscanf(line, "MemAvailable: %zu", &avail) == 1;
		found += sscanf(line, "SwapTotal: %zu", &total) == 1;
		found += sscanf(line, "SwapFree: %zu", &free) == 1;
	}
	fclose(f);
	return found == 3 && (total - free) * 5 / 4 + 4096 < avail;
}

/*
 * In a process of its own: who does a swapoff is the first to be killed when
 * memory runs out.
 */
static bool try_swapoff(const char *dev)
{
	int status = 0;
	pid_t pid;

	if (!swapoff_fits())
		return false;
	pid = fork();
	if (!pid)
		_exit(swapoff(dev) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return false;
	if (swapon(dev, 0))
		setup_error("swapon: %s", strerror(errno));
	return true;
}

int main(int argc, char **argv)
{
	unsigned int seconds = 20, workers = 2, off_every = 0, offs = 0, tries = 0, i;
	long long answered, queries, followed, in_place;
	uint64_t seed = 1, end, next_off;
	int expect = bypass_attached();
	unsigned long until = 0;
	size_t mib = 0, per_worker;
	char dev[128] = "";
	pid_t pid[64];
	int opt, status, ret = TEST_OK;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "t:m:w:j:S:o:b:W:")) != -1) {
		switch (opt) {
		case 't':
			seconds = atoi(optarg);
			break;
		case 'm':
			mib = atoi(optarg);
			break;
		case 'w':
			workers = atoi(optarg);
			break;
		case 'j':
			threads = atoi(optarg);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			off_every = atoi(optarg);
			break;
		case 'b':
			expect = atoi(optarg);
			break;
		case 'W':
			until = strtoul(optarg, NULL, 0);
			break;
		default:
			return TEST_SETUP;
		}
	}
	if (!mib)
		mib = sysconf(_SC_AVPHYS_PAGES) * PAGE * 5 / 4 >> 20;
	if (!workers || workers > 64 || !threads || threads > MAX_THREADS)
		setup_error("too many, or no, workers or threads");
	if (expect == 1 && !bypass_attached())
		setup_error("SwapBypass is not attached");
	if (!swap_device(dev, sizeof(dev)))
		setup_error("no swap");

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	per_worker = (mib << 20) / workers;
	/* The same addresses in all workers, so that we know them. */
	area_len = (per_worker / CHUNK + threads) * CHUNK;
	area = anon_map(area_len);
	answered = counter("answered_pages");
	queries = counter("queries");
	followed = window("followed");
	in_place = window("mapped_pages");
	printf("# %zu MiB, %u workers, %u threads each, seed %lu, %u s, %s, %ld CPUs%s\n",
	       mib, workers, threads, seed, seconds, dev,
	       sysconf(_SC_NPROCESSORS_ONLN), expect > 0 ? ", bypass" : "");
	fflush(stdout);

	for (i = 0; i < workers; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			setup_error("fork: %s", strerror(errno));
		if (!pid[i])
			_exit(worker(i, per_worker, seed));
	}

	end = now_ms() + seconds * 1000ULL;
	next_off = off_every ? now_ms() + off_every * 1000ULL : ~0ULL;
	while (now_ms() < end && !shared->stop && !(until && host_word() == until)) {
		look(pid[rnd(&seed) % workers], &seed);
		usleep(1000);
		if (now_ms() < next_off)
			continue;
		tries++;
		offs += try_swapoff(dev);
		next_off = now_ms() + off_every * 1000ULL;
	}
	shared->stop = true;

	for (i = 0; i < workers; i++) {
		if (waitpid(pid[i], &status, 0) != pid[i])
			setup_error("waitpid: %s", strerror(errno));
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			printf("# worker %u was killed: out of memory?\n", i);
			if (ret == TEST_OK)
				ret = TEST_SETUP;
		} else if (WIFSIGNALED(status)) {
			printf("# violated: worker %u died: %s\n", i,
			       strsignal(WTERMSIG(status)));
			ret = TEST_VIOLATED;
		} else if (WEXITSTATUS(status) && ret != TEST_VIOLATED) {
			ret = WEXITSTATUS(status);
		}
	}

	if (ret == TEST_OK && until && host_word() != until) {
		printf("# the host's word did not come\n");
		ret = TEST_SETUP;
	}
	printf("# pages verified %lu, disturbances %lu, swapoffs %u of %u\n",
	       shared->verified, shared->disturbed, offs, tries);
	for (i = 0; i < OP_NR; i++)
		printf("# %s: %lu in %lu ms\n", ops[i].name, shared->count[i], shared->ms[i]);
	if (counter("queries") >= 0) {
		answered = counter("answered_pages") - answered;
		queries = counter("queries") - queries;
		printf("# bypass: queries %lld, pages answered %lld\n", queries, answered);
		if (ret == TEST_OK && expect > 0 && answered < (expect == 1 ? 100 : 1)) {
			printf("# the bypass was hardly used\n");
			ret = TEST_SETUP;
		}
		if (ret == TEST_OK && !expect && answered) {
			printf("# the bypass was used, and should not\n");
			ret = TEST_SETUP;
		}
	}
	if (followed >= 0)
		printf("# window: followed %lld, mapped in place %lld\n",
		       window("followed") - followed, window("mapped_pages") - in_place);
	ktap_directive(ret == TEST_OK, ret > TEST_VIOLATED ? "ERROR could not be tried" : NULL,
		       "every byte is right");
	ktap_end();
	return ret;
}
