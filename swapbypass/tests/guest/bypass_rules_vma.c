// SPDX-License-Identifier: GPL-2.0
/*
 * Rules 2 and 4: changes of the VMA, and slots that are shared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bypass_rules.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* Not in the headers of Debian 12. */
#define TEST_UFFDIO_MOVE_NR	0x05
struct test_uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};

#define TEST_UFFDIO_MOVE	_IOWR(UFFDIO, TEST_UFFDIO_MOVE_NR, struct test_uffdio_move)

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

const struct test_case bypass_rules_vma[] = {
	{ "use", "pages are used through the bypass", t_use },
	{ "mprotect", "drop before mprotect", t_mprotect },
	{ "mprotect_smp", "on all CPUs", t_mprotect_smp },
	{ "access", "only what the VMA allows", t_access },
	{ "fork", "drop before fork", t_fork },
	{ "shared", "shared slots are read-only", t_shared },
	{ "mremap", "drop before mremap", t_mremap },
	{ "munmap", "drop before munmap", t_munmap },
	{ "mlock", "locked VMAs are left alone", t_mlock },
	{ "uffd", "userfaultfd sees its faults", t_uffd },
	{ "uffd_move", "drop before UFFDIO_MOVE", t_uffd_move },
	{ 0 }
};
