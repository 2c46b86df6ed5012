// SPDX-License-Identifier: GPL-2.0
/*
 * One test per safety rule of SwapBypass, in the guest.
 *
 *   bypass_rules [-b 0|1] [-s mask] [-n pages] [-l] [-T] [name...]
 *
 *   -b  bypass must (1) or must not (0) happen; default: 1 if attached
 *   -s  symbiotic.skip_hooks for the run: break the guest on purpose
 *   -n  pages per test, default 64
 *   -l  list the tests
 *   -T  test the tests: run them with their rule's line removed; they must fail
 *
 * Each test swaps pages out by MADV_PAGEOUT, uses them through the bypass, makes
 * the change that the rule is about, and looks whether something of the old
 * mapping is left. Exit status: 0 all rules hold, 1 one is violated, 2 a test
 * could not be made. With -T: 0 all removed hooks were noticed, 1 not all.
 * Some tests fill the swap device: use a small one, of 32 MiB or so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "common.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Not in the headers of Debian 12. */
#define TEST_UFFDIO_MOVE_NR	0x05
struct test_uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};

#define TEST_UFFDIO_MOVE	_IOWR(UFFDIO, TEST_UFFDIO_MOVE_NR, struct test_uffdio_move)

/* Bits of stall_hooks; enum symbiotic_bypass_hook in the guest kernel. */
#define STALL_VMA	(1U << 0)
#define STALL_ZAP	(1U << 1)
#define STALL_READ	(1U << 4)
#define STALL_MS	300

static bool expect_bypass;
static char **main_argv;

/* ---- Building blocks --------------------------------------------------- */

static void verify_zero(const char *what, const char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (!page_zero(p + i * PAGE))
			violated("%s: page %zu has old data", what, i);
}

/* All pages were just touched: are they still swapped out for the kernel? */
static void must_be_bypassed(const char *what, const char *p)
{
	size_t n = pages_swapped(p, len());

	if (expect_bypass && n < npages - npages / 8)
		setup_error("%s: only %zu of %zu pages went through the bypass",
			    what, n, npages);
	if (!expect_bypass && bypass_attached() && n)
		setup_error("%s: %zu pages went through the bypass, none should",
			    what, n);
}

/* Pages with content (@id, 2), swapped out, and written through the bypass. */
static char *bypassed(uint64_t id)
{
	char *p = swapped_out(id);

	verify("swapped out and read", p, id, 1);
	fill(p, id, 2);
	must_be_bypassed("first use", p);
	/*
	 * Reclaim may owe a TLB flush, and would pay it in the next zap, where
	 * it would hide that a mapping was left. Have it paid now.
	 */
	madvise(p - PAGE, PAGE, MADV_DONTNEED);
	return p;
}

static sigjmp_buf segv_jmp;
static __thread volatile bool segv_armed;

static void on_segv(int sig)
{
	(void)sig;
	if (!segv_armed)
		_exit(TEST_SETUP);
	segv_armed = false;
	siglongjmp(segv_jmp, 1);
}

/* Only one thread of a test uses these. */
static bool can_write(volatile uint64_t *p, uint64_t val)
{
	signal(SIGSEGV, on_segv);
	if (sigsetjmp(segv_jmp, 1))
		return false;
	segv_armed = true;
	*p = val;
	segv_armed = false;
	return true;
}

static bool can_read(const volatile uint64_t *p)
{
	signal(SIGSEGV, on_segv);
	if (sigsetjmp(segv_jmp, 1))
		return false;
	segv_armed = true;
	(void)*p;
	segv_armed = false;
	return true;
}

static void no_write(const char *what, char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (can_write((uint64_t *)(p + i * PAGE + 64), 1))
			violated("%s: page %zu can be written", what, i);
}

static void no_read(const char *what, char *p)
{
	size_t i;

	for (i = 0; i < npages; i++)
		if (can_read((uint64_t *)(p + i * PAGE + 64)))
			violated("%s: page %zu can be read", what, i);
}

/* A child's verdict becomes ours. */
static void stall(unsigned int hooks)
{
	if (!test_option("stall_pid", getpid()) ||
	    !test_option("stall_ms", STALL_MS) ||
	    !test_option("stall_hooks", hooks))
		if (expect_bypass)
			setup_error("no test options in this kernel");
}

/* ---- Rule 2: changes of the VMA ---------------------------------------- */

static void t_use(void)
{
	char *p = bypassed(0x100);
	long long before = counter("answered_pages");

	verify("written through the bypass", p, 0x100, 2);
	must_page_out(p);
	verify("second time", p, 0x100, 2);
	fill(p, 0x100, 3);
	verify("written again", p, 0x100, 3);
	must_be_bypassed("second use", p);
	if (expect_bypass && before < 1)
		setup_error("no page was answered");
}

static void t_mprotect(void)
{
	char *p = bypassed(0x200);

	if (mprotect(p, len(), PROT_READ))
		setup_error("mprotect: %s", strerror(errno));
	no_write("mprotect(PROT_READ)", p);
	verify("after mprotect(PROT_READ)", p, 0x200, 2);
	mprotect(p, len(), PROT_NONE);
	no_read("mprotect(PROT_NONE)", p);
	mprotect(p, len(), PROT_READ | PROT_WRITE);
	verify("after all", p, 0x200, 2);
	fill(p, 0x200, 3);
	verify("writable again", p, 0x200, 3);
}

/* The VMA is read-only before the first use: the query must know. */
static void t_access(void)
{
	char *p = bypassed(0x300);

	must_page_out(p);
	mprotect(p, len(), PROT_READ);
	verify("read-only", p, 0x300, 2);
	must_be_bypassed("read-only", p);
	no_write("read-only from the start", p);
	mprotect(p, len(), PROT_NONE);
	no_read("PROT_NONE from the start", p);
	mprotect(p, len(), PROT_READ | PROT_WRITE);
	verify("after all", p, 0x300, 2);
}

#define SMP_MAX	16

static char *volatile smp_page;
static volatile unsigned long smp_writes[SMP_MAX];
static volatile bool smp_dead[SMP_MAX];
static __thread volatile size_t smp_me;

static void smp_segv(int sig)
{
	(void)sig;
	smp_dead[smp_me] = true;
	/* Returning would repeat the write. */
	for (;;)
		pause();
}

static void *smp_writer(void *arg)
{
	volatile uint64_t *w;
	cpu_set_t set;

	smp_me = (size_t)arg;
	CPU_ZERO(&set);
	CPU_SET(smp_me, &set);
	sched_setaffinity(0, sizeof(set), &set);
	w = (uint64_t *)(smp_page + smp_me * PAGE + 128);
	for (;;) {
		(*w)++;
		smp_writes[smp_me]++;
	}
	return NULL;
}

/*
 * Writers on all CPUs while another thread takes the permission away: a
 * write must not succeed on any CPU afterwards.
 */
static void t_mprotect_smp(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), i, alive;
	unsigned long seen[SMP_MAX];
	char *p = bypassed(0x400);
	uint64_t start;
	pthread_t th;

	if (cpus > SMP_MAX)
		cpus = SMP_MAX;
	signal(SIGSEGV, smp_segv);
	smp_page = p;
	for (i = 0; i < cpus; i++)
		pthread_create(&th, NULL, smp_writer, (void *)i);
	for (i = 0; i < cpus; i++)
		while (smp_writes[i] < 10000)
			sched_yield();
	mprotect(p, len(), PROT_READ);
	for (i = 0; i < cpus; i++)
		seen[i] = smp_writes[i];
	/* A CPU that does not get to run is no failure. */
	start = now_ms();
	do {
		alive = 0;
		for (i = 0; i < cpus; i++) {
			alive += !smp_dead[i];
			if (smp_writes[i] > seen[i] + 1)
				violated("CPU %ld still writes after mprotect", i);
		}
		usleep(1000);
	} while (alive && now_ms() < start + 20000);
	if (alive)
		setup_error("%ld of %ld writers did nothing", alive, cpus);
}

static void t_fork(void)
{
	char *p = bypassed(0x500);
	struct baton b;
	pid_t pid;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		baton_wait(&b, 0);
		verify("child, parent has written", p, 0x500, 2);
		fill(p, 0x580, 9);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("child's own", p, 0x580, 9);
		_exit(TEST_OK);
	}
	fill(p, 0x500, 3);
	baton_pass(&b, 0);
	baton_wait(&b, 1);
	verify("parent's own", p, 0x500, 3);
	fill(p, 0x500, 4);
	baton_pass(&b, 0);
	join_child(pid);
	verify("parent, child gone", p, 0x500, 4);
}

/* Rule 4: slots shared after fork are mapped read-only, writes copy. */
static void t_shared(void)
{
	char *p = bypassed(0x600);
	struct baton b;
	pid_t pid;

	must_page_out(p);
	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		verify("child", p, 0x600, 2);
		baton_wait(&b, 0);
		verify("child, parent has written", p, 0x600, 2);
		fill(p, 0x680, 9);
		baton_pass(&b, 1);
		baton_wait(&b, 0);
		verify("child's own", p, 0x680, 9);
		_exit(TEST_OK);
	}
	verify("parent", p, 0x600, 2);
	must_be_bypassed("shared", p);
	fill(p, 0x600, 3);
	baton_pass(&b, 0);
	baton_wait(&b, 1);
	verify("parent's own", p, 0x600, 3);
	baton_pass(&b, 0);
	join_child(pid);
}

static void t_mremap(void)
{
	char *p, *to, *q;

	/*
	 * A place with its page-table page already there. Made first: a new
	 * mapping may merge with its neighbour, which is a change of the VMA.
	 */
	to = anon_map(4UL << 20);
	to = (char *)(((uintptr_t)to + (2UL << 20)) & ~((2UL << 20) - 1));
	to += 32 * PAGE;
	to[-(long)PAGE] = 1;
	p = bypassed(0x700);
	q = mremap(p, len(), len(), MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (q != to)
		setup_error("mremap: %s", strerror(errno));
	no_read("old address", p);
	verify("new address", q, 0x700, 2);
	fill(q, 0x700, 3);
	if (mmap(p, len(), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
		setup_error("mmap: %s", strerror(errno));
	verify_zero("old address, mapped anew", p);
	fill(p, 0x710, 1);
	verify("new address, old one in use", q, 0x700, 3);
	verify("old address, in use", p, 0x710, 1);
}

static void t_munmap(void)
{
	char *p = bypassed(0x800);

	munmap(p, len());
	no_read("munmap", p);
	if (mmap(p, len(), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
		setup_error("mmap: %s", strerror(errno));
	verify_zero("mapped anew", p);
	fill(p, 0x800, 5);
	verify("in use", p, 0x800, 5);
}

/* mlock: resident afterwards, or at the latest when touched. */
static void t_mlock(void)
{
	char *p = bypassed(0x900);
	size_t i;

	must_page_out(p);
	if (syscall(SYS_mlock2, p, len(), MLOCK_ONFAULT))
		setup_error("mlock2: %s", strerror(errno));
	verify("mlock2(MLOCK_ONFAULT)", p, 0x900, 2);
	for (i = 0; i < npages; i++)
		if (!page_resident(p + i * PAGE))
			violated("page %zu is in use, locked, and not resident", i);
	munlock(p, len());
	must_page_out(p);
	fill(p, 0x900, 3);
	if (mlock(p, len()))
		setup_error("mlock: %s", strerror(errno));
	for (i = 0; i < npages; i++)
		if (!page_resident(p + i * PAGE))
			violated("page %zu is locked and not resident", i);
	verify("mlock", p, 0x900, 3);
}

static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		setup_error("userfaultfd: %s", strerror(errno));
	return fd;
}

static volatile unsigned long uffd_events;
static int uffd_fd;

static void *uffd_thread(void *arg)
{
	struct uffdio_writeprotect wp = { .mode = 0 };
	struct uffd_msg msg;

	(void)arg;
	while (read(uffd_fd, &msg, sizeof(msg)) == sizeof(msg)) {
		uffd_events++;
		wp.range.start = msg.arg.pagefault.address & ~(PAGE - 1);
		wp.range.len = PAGE;
		ioctl(uffd_fd, UFFDIO_WRITEPROTECT, &wp);
	}
	return NULL;
}

/* Write faults of a write-protected range must all be reported. */
static void t_uffd(void)
{
	struct uffdio_writeprotect wp;
	struct uffdio_register reg;
	char *p = bypassed(0xa00);
	pthread_t th;

	uffd_fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	reg = (struct uffdio_register) {
		.range = { .start = (uintptr_t)p, .len = len() },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	if (ioctl(uffd_fd, UFFDIO_REGISTER, &reg))
		setup_error("UFFDIO_REGISTER: %s", strerror(errno));
	wp = (struct uffdio_writeprotect) {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	if (ioctl(uffd_fd, UFFDIO_WRITEPROTECT, &wp))
		setup_error("UFFDIO_WRITEPROTECT: %s", strerror(errno));
	pthread_create(&th, NULL, uffd_thread, NULL);
	verify("write-protected", p, 0xa00, 2);
	fill(p, 0xa00, 3);
	if (uffd_events != npages)
		violated("%lu write faults were reported, not %zu", uffd_events, npages);
	verify("written", p, 0xa00, 3);
}

/* UFFDIO_MOVE takes swap PTEs away under a read lock. */
static void t_uffd_move(void)
{
	struct test_uffdio_move move;
	struct uffdio_register reg;
	int fd = uffd_open(0);
	char *p, *to;

	to = anon_map(len());
	reg = (struct uffdio_register) {
		.range = { .start = (uintptr_t)to, .len = len() },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		setup_error("UFFDIO_REGISTER: %s", strerror(errno));
	p = bypassed(0xb00);
	move = (struct test_uffdio_move) {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)p,
		.len = len(),
	};
	if (ioctl(fd, TEST_UFFDIO_MOVE, &move))
		setup_error("UFFDIO_MOVE: %s, moved %lld", strerror(errno),
			    (long long)move.move);
	verify_zero("moved away", p);
	fill(p, 0xb80, 1);
	verify("moved here", to, 0xb00, 2);
	verify("old place in use", p, 0xb80, 1);
}

/* ---- Zap --------------------------------------------------------------- */

static void t_dontneed(void)
{
	char *p = bypassed(0xc00);

	madvise(p, len(), MADV_DONTNEED);
	verify_zero("MADV_DONTNEED", p);
	fill(p, 0xc00, 7);
	verify("in use", p, 0xc00, 7);
}

/* Swapped-out pages are freed at once, and so read as zero. */
static void t_free(void)
{
	char *p = bypassed(0xd00);

	/* Only swapped-out pages are freed at once. */
	if (!expect_bypass)
		must_page_out(p);
	if (madvise(p, len(), MADV_FREE))
		setup_error("MADV_FREE: %s", strerror(errno));
	verify_zero("MADV_FREE", p);
	fill(p, 0xd00, 7);
	verify("in use", p, 0xd00, 7);
}

/* Nearly all that is free, but not for hours: use a small device. */
static size_t swap_free_pages(void)
{
	char name[128];
	size_t kib = swap_device_free(name, sizeof(name));

	if (kib < 8192)
		setup_error("too little swap is free");
	kib -= kib / 16;
	return (kib > 131072 ? 131072 : kib) * 1024 / PAGE;
}

static void fill_and_page_out(char *p, size_t pages, uint64_t id, uint64_t seq)
{
	size_t i, k;

	for (i = 0; i < pages; i += 256) {
		for (k = i; k < pages && k < i + 256; k++)
			page_fill(p + k * PAGE, id + k, seq);
		if (!page_out(p + i * PAGE, (k - i) * PAGE))
			setup_error("could not page out page %zu of %zu", i, pages);
	}
}

/*
 * The slots of zapped pages go to other memory. A mapping that is left over
 * would show that memory, and destroy it.
 */
static void t_slot_reuse(void)
{
	char *other, *p;
	size_t many, i;
	long off;

	many = swap_free_pages();
	other = anon_map(many * PAGE);
	p = bypassed(0xe00);
	madvise(p, len(), MADV_DONTNEED);
	/* The second time round, it gets the slots that were used before. */
	fill_and_page_out(other, many, 0xe10000, 0);
	madvise(other, many * PAGE, MADV_DONTNEED);
	fill_and_page_out(other, many, 0xe10000, 1);
	/* Through a mapping that should not be there. */
	fill(p, 0xe00, 99);
	for (i = 0; i < many; i++) {
		off = page_check(other + i * PAGE, 0xe10000 + i, 1);
		if (off >= 0)
			violated("page %zu of other memory is overwritten at byte %ld",
				 i, off);
	}
	verify("in use", p, 0xe00, 99);
}

/* The same after the owner has exited. */
static void t_exit(void)
{
	size_t many = npages * 32, i;
	char *other;
	pid_t pid;
	long off;
	int n;

	for (n = 0; n < 3; n++) {
		pid = must_fork();
		if (!pid) {
			char *p = bypassed(0xf00 + n);

			verify("child", p, 0xf00 + n, 2);
			_exit(TEST_OK);
		}
		join_child(pid);
		other = anon_map(many * PAGE);
		for (i = 0; i < many; i++)
			page_fill(other + i * PAGE, 0xf10000 + i, n);
		if (!page_out(other, many * PAGE))
			setup_error("could not page out");
		for (i = 0; i < many; i++) {
			off = page_check(other + i * PAGE, 0xf10000 + i, n);
			if (off >= 0)
				violated("round %d: page %zu is wrong at byte %ld", n,
					 i, off);
		}
		munmap(other, many * PAGE);
	}
}

/* exec gives up an address space in use, again and again. */
static void t_exec(void)
{
	pid_t pid;
	int n;

	for (n = 0; n < 5; n++) {
		pid = must_fork();
		if (!pid) {
			char pages[24];

			bypassed(0x1000 + n);
			snprintf(pages, sizeof(pages), "%zu", npages);
			execl("/proc/self/exe", main_argv[0], "-b",
			      expect_bypass ? "1" : "0", "-n", pages, "use", NULL);
			setup_error("exec: %s", strerror(errno));
		}
		join_child(pid);
	}
}

/* ---- Reading back ------------------------------------------------------ */

static char *volatile rb_page;
static volatile bool rb_stop;
static volatile uint64_t rb_writes;
static volatile uint64_t *rb_last;

/* Counts in every page, and remembers what must be there. */
static void *rb_writer(void *arg)
{
	uint64_t *last = arg;
	size_t i;

	while (!rb_stop) {
		for (i = 0; i < npages && !rb_stop; i++) {
			volatile uint64_t *w = (uint64_t *)(rb_page + i * PAGE + 256);

			if (last[i] && *w != last[i])
				violated("page %zu: an update is lost, %lu instead of %lu",
					 i, *w, last[i]);
			/* What is in last[] is in the page. */
			*w = last[i] + 1;
			__atomic_store_n(&last[i], last[i] + 1, __ATOMIC_RELEASE);
			rb_writes++;
		}
	}
	return NULL;
}

enum rb_how { RB_READV, RB_WILLNEED, RB_SWAPOFF };

static void read_back(char *p, enum rb_how how)
{
	char buf[PAGE] __attribute__((aligned(8))), dev[128];
	struct iovec local, remote;
	uint64_t seen;
	size_t i;

	switch (how) {
	case RB_READV:
		for (i = 0; i < npages; i++) {
			seen = rb_last[i];
			local = (struct iovec) { buf, PAGE };
			remote = (struct iovec) { p + i * PAGE, PAGE };
			if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) !=
			    (ssize_t)PAGE)
				setup_error("process_vm_readv: %s", strerror(errno));
			/* As new as what had been written before the call? */
			if (*(uint64_t *)(buf + 256) < seen)
				violated("page %zu: the kernel reads %lu, %lu was there before",
					 i, *(uint64_t *)(buf + 256), seen);
		}
		break;
	case RB_WILLNEED:
		madvise(p, len(), MADV_WILLNEED);
		/* Then the pages in the swap cache become visible. */
		read_back(p, RB_READV);
		break;
	case RB_SWAPOFF:
		if (!swap_device(dev, sizeof(dev)))
			setup_error("no swap device");
		if (swapoff(dev))
			setup_error("swapoff: %s", strerror(errno));
		usleep(20000);
		if (swapon(dev, 0))
			setup_error("swapon: %s", strerror(errno));
		break;
	}
}

/*
 * One thread writes through the bypass without a pause while the other has the
 * kernel read the pages back. Each page's reader is held up after the copy, so
 * that also one CPU gets to write in between.
 */
static void read_back_race(uint64_t id, enum rb_how how, int rounds,
			   unsigned int stall_hooks)
{
	uint64_t *last, seen, end;
	pthread_t th;
	char *p;
	int n;

	npages = npages > 8 ? 8 : npages;
	last = calloc(npages, sizeof(*last));
	rb_last = last;
	p = bypassed(id);
	rb_page = p;
	/* Start with known counters. */
	for (size_t i = 0; i < npages; i++)
		*(uint64_t *)(p + i * PAGE + 256) = 0;
	pthread_create(&th, NULL, rb_writer, last);

	end = now_ms() + 15000;
	for (n = 0; n < rounds && now_ms() < end; n++) {
		if (n)
			page_out(p, len());
		seen = rb_writes;
		while (rb_writes < seen + 10 * npages)
			sched_yield();
		if (stall_hooks) {
			stall(stall_hooks);
			test_option("stall_ms", 30);
		}
		read_back(p, how);
		test_option("stall_hooks", 0);
		seen = rb_writes;
		while (rb_writes < seen + 10 * npages)
			sched_yield();
	}
	rb_stop = true;
	pthread_join(th, NULL);
	for (size_t i = 0; i < npages; i++)
		if (*(volatile uint64_t *)(p + i * PAGE + 256) != last[i])
			violated("page %zu: the last update is lost", i);
}

static void t_read_back(void)
{
	read_back_race(0x1100, RB_READV, 4, STALL_READ);
}

static void t_willneed(void)
{
	read_back_race(0x1200, RB_WILLNEED, 4, STALL_READ);
}

static void t_swapoff(void)
{
	read_back_race(0x1300, RB_SWAPOFF, 3, 0);
}

/* As many races as fit, without help from the test options. */
static void t_race(void)
{
	read_back_race(0x1400, RB_READV, 60, 0);
}

static void t_ptrace(void)
{
	char *p = bypassed(0x1500);
	struct baton b;
	size_t i;
	pid_t pid;
	long v;
	int st;

	baton_init(&b);
	pid = must_fork();
	if (!pid) {
		fill(p, 0x1580, 1);
		must_page_out(p);
		fill(p, 0x1580, 2);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		verify("poked by the parent", p, 0x1580, 3);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		setup_error("the child did not stop");
	for (i = 0; i < npages; i++) {
		char want[PAGE] __attribute__((aligned(8)));
		size_t k;

		page_fill(want, 0x1580 + i, 2);
		for (k = 0; k < PAGE / 8; k += 61) {
			errno = 0;
			v = ptrace(PTRACE_PEEKDATA, pid, p + i * PAGE + k * 8, NULL);
			if (errno || v != ((long *)want)[k])
				violated("page %zu of the child is wrong at word %zu", i, k);
		}
		page_fill(want, 0x1580 + i, 3);
		for (k = 0; k < PAGE / 8; k++)
			ptrace(PTRACE_POKEDATA, pid, p + i * PAGE + k * 8,
			       (void *)((long *)want)[k]);
	}
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	join_child(pid);
}

/* The kernel copies to and from swapped-out buffers. */
static void t_syscalls(void)
{
	char *p = bypassed(0x1600), *q = bypassed(0x1700);
	int fd = memfd_create("copy", MFD_CLOEXEC);

	must_page_out(p);
	must_page_out(q);
	if (fd < 0 || write(fd, p, len()) != (ssize_t)len() ||
	    pread(fd, q, len(), 0) != (ssize_t)len())
		setup_error("write or read: %s", strerror(errno));
	verify("read() into swapped-out pages", q, 0x1600, 2);
	verify("write() from swapped-out pages", p, 0x1600, 2);
	must_be_bypassed("read() and write()", q);
}

static void t_collapse(void)
{
	size_t huge = 2UL << 20, i, n = huge / PAGE;
	char *all = anon_map(2 * huge), *p;
	long off;

	p = (char *)(((uintptr_t)all + huge - 1) & ~(huge - 1));
	madvise(all, 2 * huge, MADV_HUGEPAGE);
	for (i = 0; i < n; i++)
		page_fill(p + i * PAGE, 0x18000 + i, 1);
	if (!page_out(p, huge))
		setup_error("could not page out");
	for (i = 0; i < n; i += 2)
		page_fill(p + i * PAGE, 0x18000 + i, 2);
	/* May fail for lack of memory; then nothing may have changed either. */
	madvise(p, huge, MADV_COLLAPSE);
	for (i = 0; i < n; i++) {
		off = page_check(p + i * PAGE, 0x18000 + i, 1 + !(i % 2));
		if (off >= 0)
			violated("collapsed: page %zu is wrong at byte %ld", i, off);
		page_fill(p + i * PAGE, 0x18000 + i, 3);
	}
	for (i = 0; i < n; i++)
		if (page_check(p + i * PAGE, 0x18000 + i, 3) >= 0)
			violated("written after the collapse: page %zu is wrong", i);
}

/* ---- Rule 3 ------------------------------------------------------------ */

/* Pages of zeroes are stored in the window like all others. */
static void t_zeroes(void)
{
	char *p = anon_map(len());

	/* A write first: the zero page itself is never swapped out. */
	memset(p, 0, len());
	must_page_out(p);
	verify_zero("swapped out and read", p);
	must_be_bypassed("zeroes", p);
	fill(p, 0x1c00, 1);
	verify("written through the bypass", p, 0x1c00, 1);
	must_be_bypassed("zeroes, written", p);
}

/*
 * Slots with old content whose pages are all zero now, not stored but noted in
 * swap's zero map. A window has such slots if it was attached late.
 */
static void t_zeromap(void)
{
	size_t many = swap_free_pages(), i, n = many / 4;
	char *p = anon_map(many * PAGE);

	if (expect_bypass && !test_option("keep_zeromap", 1))
		setup_error("no test options in this kernel");
	/* Old content everywhere ... */
	fill_and_page_out(p, many, 0x19000, 1);
	madvise(p, many * PAGE, MADV_DONTNEED);
	/* ... a write first: the zero page itself is never swapped out. */
	for (i = 0; i < n; i++)
		memset(p + i * PAGE, 0, PAGE);
	if (!page_out(p, n * PAGE))
		setup_error("could not page out zeroes");
	for (i = 0; i < n; i++)
		if (!page_zero(p + i * PAGE))
			violated("zero page %zu shows the old slot", i);
}

/* ---- Races with a change under way -------------------------------------- */

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

/* ---- The table ---------------------------------------------------------- */

static const struct {
	const char *name;
	void (*fn)(void);
	const char *what;
} tests[] = {
	{ "use", t_use, "pages are used through the bypass" },
	{ "mprotect", t_mprotect, "drop before mprotect" },
	{ "mprotect_smp", t_mprotect_smp, "on all CPUs" },
	{ "access", t_access, "only what the VMA allows" },
	{ "fork", t_fork, "drop before fork" },
	{ "shared", t_shared, "shared slots are read-only" },
	{ "mremap", t_mremap, "drop before mremap" },
	{ "munmap", t_munmap, "drop before munmap" },
	{ "mlock", t_mlock, "locked VMAs are left alone" },
	{ "uffd", t_uffd, "userfaultfd sees its faults" },
	{ "uffd_move", t_uffd_move, "drop before UFFDIO_MOVE" },
	{ "dontneed", t_dontneed, "drop before MADV_DONTNEED" },
	{ "free", t_free, "drop before MADV_FREE" },
	{ "slot_reuse", t_slot_reuse, "freed slots are nobody's" },
	{ "exit", t_exit, "exit drops everything" },
	{ "exec", t_exec, "exec drops everything" },
	{ "read_back", t_read_back, "drop before the slot is read back" },
	{ "willneed", t_willneed, "and before it is read ahead" },
	{ "race", t_race, "and by chance" },
	{ "swapoff", t_swapoff, "swapoff detaches first" },
	{ "ptrace", t_ptrace, "ptrace sees and changes the content" },
	{ "syscalls", t_syscalls, "the kernel uses the pages" },
	{ "collapse", t_collapse, "MADV_COLLAPSE" },
	{ "zeroes", t_zeroes, "zero pages are in the slot" },
	{ "zeromap", t_zeromap, "unless they are in the zero map" },
	{ "vma_locked", t_vma_locked, "no mapping while mprotect is under way" },
	{ "zapping", t_zapping, "no mapping while a zap is under way" },
};

#define NTESTS	(sizeof(tests) / sizeof(tests[0]))

static int run(size_t t, bool nested, bool quiet)
{
	int status, ret;
	pid_t pid;

	fflush(stdout);
	/* The test that exec runs is the process itself. */
	if (nested) {
		tests[t].fn();
		return TEST_OK;
	}
	pid = fork();
	if (pid < 0)
		setup_error("fork: %s", strerror(errno));
	if (!pid) {
		setpgid(0, 0);
		alarm(120);
		tests[t].fn();
		fflush(stdout);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	/* What a test that ended early has left behind. */
	kill(-pid, SIGKILL);
	test_option("stall_hooks", 0);
	test_option("keep_zeromap", 0);

	if (WIFSIGNALED(status))
		ret = WTERMSIG(status) == SIGALRM ? TEST_SETUP : TEST_VIOLATED;
	else
		ret = WEXITSTATUS(status);
	if (quiet)
		return ret;
	printf("%s %s: %s%s%s\n", ret == TEST_OK ? "PASS" :
	       ret == TEST_VIOLATED ? "FAIL" : "ERROR", tests[t].name, tests[t].what,
	       WIFSIGNALED(status) ? ": " : "",
	       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
	fflush(stdout);
	return ret;
}

/* Bits of symbiotic.skip_hooks; see linux/symbiotic_bypass.h. */
#define SKIP_VMA	(1U << 0)
#define SKIP_ZAP	(1U << 1)
#define SKIP_FREE	(1U << 2)
#define SKIP_MOVE	(1U << 3)
#define SKIP_READ	(1U << 4)
#define SKIP_WRITE	(1U << 5)
#define SKIP_SWAPOFF	(1U << 6)
#define SKIP_VMA_KIND	(1U << 8)
#define SKIP_ACCESS	(1U << 9)
#define SKIP_VMA_LOCKED	(1U << 10)
#define SKIP_ZAPPING	(1U << 11)
#define SKIP_SWAPCACHE	(1U << 12)
#define SKIP_ZEROMAP	(1U << 13)
#define SKIP_SHARED	(1U << 14)

static const struct {
	unsigned int skip;
	const char *what;
	const char *test;
	int want;
} removed[] = {
	{ SKIP_VMA, "the drop in vma_start_write()", "mprotect", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mprotect_smp", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mremap", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "munmap", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "uffd", TEST_VIOLATED },
	{ SKIP_VMA, "the drop in vma_start_write()", "mlock", TEST_VIOLATED },
	{ SKIP_VMA_KIND, "the check for special VMAs", "mlock", TEST_VIOLATED },
	{ SKIP_ACCESS, "the check of VM_READ and VM_WRITE", "access", TEST_VIOLATED },
	/*
	 * Two locks on this door: the VMM refuses a writable answer for a PTE
	 * without the exclusive bit, so that nothing is bypassed at all.
	 */
	{ SKIP_SHARED, "the check of the count", "shared", TEST_SETUP },
	{ SKIP_ZAP, "the drop in unmap_page_range()", "dontneed", TEST_VIOLATED },
	{ SKIP_ZAP | SKIP_WRITE, "the drops at zap and at write", "slot_reuse",
	  TEST_VIOLATED },
	/* The second line of defence: the write drop alone saves the others. */
	{ SKIP_ZAP, "the drop in unmap_page_range()", "slot_reuse", TEST_OK },
	{ SKIP_FREE, "the drop in MADV_FREE", "free", TEST_VIOLATED },
	{ SKIP_MOVE, "the drop in UFFDIO_MOVE", "uffd_move", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "read_back", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "willneed", TEST_VIOLATED },
	{ SKIP_READ, "the drop before a slot is read", "race", TEST_VIOLATED },
	{ SKIP_SWAPCACHE, "the check of SWAP_HAS_CACHE", "read_back", TEST_VIOLATED },
	{ SKIP_SWAPCACHE, "the check of SWAP_HAS_CACHE", "willneed", TEST_VIOLATED },
	{ SKIP_ZEROMAP, "the check of the zero map", "zeromap", TEST_VIOLATED },
	{ SKIP_VMA_LOCKED, "the check of the VMA lock", "vma_locked", TEST_VIOLATED },
	{ SKIP_ZAPPING, "the check for a zap under way", "zapping", TEST_VIOLATED },
	/* Last, as all that is left over is dropped by the next swapoff. */
	{ SKIP_SWAPOFF, "the detach at swapoff", "swapoff", TEST_VIOLATED },
};

/*
 * Drops every mapping, also those that a removed hook has left. A case that is
 * violated can end between its own swapoff and swapon.
 */
static void clean_slate(const char *dev)
{
	if ((swapoff(dev) && errno != EINVAL) || swapon(dev, 0))
		setup_error("swapoff and swapon: %s", strerror(errno));
}

static int test_the_tests(int argc, char **argv)
{
	unsigned int good = 0, bad = 0, try;
	char dev[128];
	size_t r, t;
	int got, i;

	if (!swap_device(dev, sizeof(dev)))
		setup_error("no swap device");
	for (r = 0; r < sizeof(removed) / sizeof(removed[0]); r++) {
		bool wanted = !argc;

		for (i = 0; i < argc; i++)
			wanted |= !strcmp(argv[i], removed[r].test);
		if (!wanted)
			continue;
		for (t = 0; strcmp(tests[t].name, removed[r].test); t++)
			;
		/*
		 * The VMM may drop a mapping on its own account before the test
		 * looks, and so hide a missing hook. That is chance: try again.
		 */
		for (try = 0; try < 5; try++) {
			test_option("skip_hooks", removed[r].skip);
			got = run(t, false, true);
			test_option("skip_hooks", 0);
			clean_slate(dev);
			if (got == removed[r].want)
				break;
		}
		printf("%s %s without %s: %s\n",
		       got == removed[r].want ? "PASS" : "FAIL", removed[r].test,
		       removed[r].what, got == TEST_OK ? "holds" :
		       got == TEST_VIOLATED ? "is violated" : "can not be tested");
		if (got == removed[r].want)
			good++;
		else
			bad++;
	}
	printf("%u removals behave as they should, %u do not\n", good, bad);
	return bad || !good ? TEST_VIOLATED : TEST_OK;
}

int main(int argc, char **argv)
{
	unsigned int count[3] = { 0 };
	unsigned long skip = 0;
	bool nested = false, removal = false;
	size_t t;
	int opt, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	main_argv = argv;
	expect_bypass = bypass_attached();
	while ((opt = getopt(argc, argv, "b:s:n:lT")) != -1) {
		switch (opt) {
		case 'b':
			expect_bypass = atoi(optarg);
			break;
		case 's':
			skip = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			npages = strtoul(optarg, NULL, 0);
			break;
		case 'T':
			removal = true;
			break;
		case 'l':
			for (t = 0; t < NTESTS; t++)
				printf("%-14s %s\n", tests[t].name, tests[t].what);
			return 0;
		default:
			return TEST_SETUP;
		}
	}
	nested = getenv("BYPASS_NESTED");
	setenv("BYPASS_NESTED", "1", 1);

	if (expect_bypass && !bypass_attached())
		setup_error("SwapBypass is not attached");
	if (skip && !test_option("skip_hooks", skip))
		setup_error("no test options in this kernel");

	if (removal) {
		if (!expect_bypass || !test_option("skip_hooks", 0))
			setup_error("no bypass, or no test options in this kernel");
		return test_the_tests(argc - optind, argv + optind);
	}

	for (t = 0; t < NTESTS; t++) {
		bool wanted = optind == argc;

		for (i = optind; i < argc; i++)
			wanted |= !strcmp(argv[i], tests[t].name);
		if (wanted)
			count[run(t, nested, false) % 3]++;
	}
	if (nested)
		return TEST_OK;
	if (skip)
		test_option("skip_hooks", 0);
	printf("%u rules hold, %u violated, %u could not be tested\n",
	       count[TEST_OK], count[TEST_VIOLATED], count[TEST_SETUP]);
	if (!(count[TEST_OK] + count[TEST_VIOLATED] + count[TEST_SETUP]))
		setup_error("no such test");
	if (count[TEST_VIOLATED])
		return TEST_VIOLATED;
	return count[TEST_SETUP] ? TEST_SETUP : TEST_OK;
}
