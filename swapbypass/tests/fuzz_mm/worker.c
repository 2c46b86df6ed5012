// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process whose memory is the matter.
 *
 * Its two threads share what the C library keeps for one, so system calls are made
 * without it. A page that must not be accessed is found out by accessing it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "worker.h"

/* Newer than the headers of the C library. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffd_move)

struct uffd_move {
	uint64_t dst, src, len, mode;
	int64_t move;
};
#else
#define uffd_move uffdio_move
#endif

static const int advices[ADV_NR] = {
	[ADV_PAGEOUT] = MADV_PAGEOUT, [ADV_COLD] = MADV_COLD, [ADV_WILLNEED] = MADV_WILLNEED,
	[ADV_DONTNEED] = MADV_DONTNEED, [ADV_DONTNEED_LOCKED] = MADV_DONTNEED_LOCKED,
	[ADV_FREE] = MADV_FREE, [ADV_HUGE] = MADV_HUGEPAGE, [ADV_NOHUGE] = MADV_NOHUGEPAGE,
	[ADV_COLLAPSE] = MADV_COLLAPSE, [ADV_MERGEABLE] = MADV_MERGEABLE,
	[ADV_UNMERGEABLE] = MADV_UNMERGEABLE, [ADV_POPULATE_READ] = MADV_POPULATE_READ,
	[ADV_POPULATE_WRITE] = MADV_POPULATE_WRITE, [ADV_DONTFORK] = MADV_DONTFORK,
	[ADV_DOFORK] = MADV_DOFORK, [ADV_WIPEONFORK] = MADV_WIPEONFORK,
	[ADV_KEEPONFORK] = MADV_KEEPONFORK, [ADV_RANDOM] = MADV_RANDOM,
	[ADV_SEQUENTIAL] = MADV_SEQUENTIAL, [ADV_NORMAL] = MADV_NORMAL,
	[ADV_DONTDUMP] = MADV_DONTDUMP, [ADV_DODUMP] = MADV_DODUMP,
};

static const int prots[P_NR] = {
	[P_NONE] = PROT_NONE, [P_R] = PROT_READ, [P_RW] = PROT_READ | PROT_WRITE
};

enum op worker_forgets = OP_NR;

static struct mail *all_mail;
static int me;
static bool helper;
static char helper_stack[64 << 10] __attribute__((aligned(16)));
/* Of the pinned pages. */
static int ring_fd = -1, pinned_page, pinned_count;
static struct io_uring_params ring;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

/* ---- System calls, and accesses that may fail -------------------------------- */

static long sys(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

#define SYS1(nr, a)		sys(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)		sys(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)	sys(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d)	sys(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* 0, or 1 if there was a signal: on_fault() goes on at probe_failed. */
int probe_read(const void *p, uint64_t *val);
int probe_write(void *p, uint64_t val);
extern const char probe_read_at[], probe_write_at[], probe_failed[];

asm(".text\n"
	"probe_read:\n"
	"probe_read_at:	mov	(%rdi), %rax\n"
	"	mov	%rax, (%rsi)\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"probe_write:\n"
	"probe_write_at:	mov	%rsi, (%rdi)\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"probe_failed:	mov	$1, %eax\n"
	"	ret\n");

static void on_fault(int sig, siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *uc = context;
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];

	if (*rip == (greg_t)probe_read_at || *rip == (greg_t)probe_write_at) {
		*rip = (greg_t)probe_failed;
		return;
	}
	/* Anywhere else it is a find: die of it. */
	signal(sig, SIG_DFL);
}

void look_at(const void *page, struct page_seen *seen)
{
	const uint64_t *w = page;
	uint64_t first;
	long wrong;

	if (probe_read(page, &first)) {
		seen->what = SEEN_FAULT;
		return;
	}
	seen->id = w[0];
	seen->seq = w[1];
	if (!w[0] && !w[1] && page_zero(page)) {
		seen->what = SEEN_ZERO;
		return;
	}
	wrong = page_check(page, w[0], w[1]);
	seen->what = wrong < 0 ? SEEN_PATTERN : SEEN_TORN;
	seen->wrong = wrong;
}

/* ---- Mail ------------------------------------------------------------------ */

bool mail_wait(struct mailbox *box, uint32_t while_state, unsigned int ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };
	uint64_t end = ms ? now_ms() + ms : ~0ULL;

	while (atomic_load(&box->state) == while_state) {
		SYS4(SYS_futex, &box->state, FUTEX_WAIT, while_state, ms ? &wait : NULL);
		if (now_ms() >= end)
			return atomic_load(&box->state) != while_state;
	}
	return true;
}

void mail_wake(struct mailbox *box)
{
	SYS3(SYS_futex, &box->state, FUTEX_WAKE, 1);
}

static void done(struct mailbox *box, long ret)
{
	box->ret = ret;
	atomic_store(&box->state, MAIL_DONE);
	mail_wake(box);
}

/* ---- What it can do -------------------------------------------------------- */

static long do_map(const int *arg)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	long ret;

	if (arg[4] == MAP_NOW)
		flags |= MAP_POPULATE;
	ret = sys(SYS_mmap, (long)page_at(arg[1]), arg[2] * PAGE, prots[arg[3]], flags, -1, 0);
	return ret == (long)page_at(arg[1]) ? 0 : ret;
}

static long do_write(struct mailbox *box)
{
	uint64_t id, seq;
	int i, page;

	for (i = 0; i < box->arg[2]; i++) {
		page = box->arg[1] + i;
		stamp(me, page, box->arg[3], box->seq, i, &id, &seq);
		box->page[i].what = SEEN_FAULT;
		if (probe_write(page_at(page), id))
			continue;
		page_fill(page_at(page), id, seq);
		box->page[i].what = SEEN_PATTERN;
	}
	return 0;
}

static long do_read(struct mailbox *box)
{
	int i;

	for (i = 0; i < box->arg[2]; i++)
		look_at(page_at(box->arg[1] + i), &box->page[i]);
	return 0;
}

static long do_move(const int *arg)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *to = page_at(arg[3]);
	size_t size = arg[2] * PAGE;
	long ret;

	if (arg[4] == MOVE_KEEP)
		flags |= MREMAP_DONTUNMAP;
	ret = sys(SYS_mremap, (long)page_at(arg[1]), size, size, flags, (long)to, 0);
	if (ret == (long)to)
		return 0;
	/* What is gone of both depends on the kernel; now it all is. */
	SYS2(SYS_munmap, to, size);
	SYS2(SYS_munmap, page_at(arg[1]), size);
	return ret;
}

/* Touches pages all the time, whether it may or not. */
static long do_churn(const int *arg)
{
	uint64_t end = now_ms() + arg[3], val;
	int i;

	do {
		for (i = 0; i < arg[2]; i++)
			probe_read(page_at(arg[1] + i), &val);
	} while (now_ms() < end);
	return 0;
}

static long do_splice(const int *arg)
{
	struct iovec iov = { page_at(arg[1]), arg[2] * PAGE };

	return SYS4(SYS_vmsplice, PIPE_FD + 2 * arg[3] + 1, &iov, 1, SPLICE_F_NONBLOCK);
}

/* Out to a disk from one place, back in at another. */
static long do_direct(const int *arg)
{
	size_t size = arg[2] * PAGE;
	long ret = SYS4(SYS_pwrite64, DISK_FD, page_at(arg[1]), size, 0);

	if (ret != (long)size)
		return ret < 0 ? ret : -EIO;
	ret = SYS4(SYS_pread64, DISK_FD, page_at(arg[3]), size, 0);
	return ret == (long)size ? 0 : ret < 0 ? ret : -EIO;
}

/* ---- A ring with one fixed buffer ------------------------------------------ */

static long ring_open(void)
{
	size_t size;

	memset(&ring, 0, sizeof(ring));
	ring_fd = SYS2(SYS_io_uring_setup, 4, &ring);
	if (ring_fd < 0)
		return ring_fd;
	size = ring.sq_off.array + ring.sq_entries * sizeof(unsigned int);
	sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
	size = ring.cq_off.cqes + ring.cq_entries * sizeof(struct io_uring_cqe);
	cq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_CQ_RING);
	size = ring.sq_entries * sizeof(struct io_uring_sqe);
	sqes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (char *)sqes == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

static void ring_close(void)
{
	if (ring_fd < 0)
		return;
	munmap(sq, ring.sq_off.array + ring.sq_entries * sizeof(unsigned int));
	munmap(cq, ring.cq_off.cqes + ring.cq_entries * sizeof(struct io_uring_cqe));
	munmap(sqes, ring.sq_entries * sizeof(struct io_uring_sqe));
	close(ring_fd);
	ring_fd = -1;
	pinned_count = 0;
}

static long ring_io(int opcode)
{
	_Atomic unsigned int *tail = (_Atomic unsigned int *)(sq + ring.sq_off.tail);
	_Atomic unsigned int *head = (_Atomic unsigned int *)(cq + ring.cq_off.head);
	unsigned int *array = (unsigned int *)(sq + ring.sq_off.array);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(cq + ring.cq_off.cqes);
	unsigned int at = atomic_load(tail) & (ring.sq_entries - 1);
	long ret;

	memset(&sqes[at], 0, sizeof(sqes[at]));
	sqes[at].opcode = opcode;
	sqes[at].fd = FILE_FD;
	sqes[at].addr = (uintptr_t)page_at(pinned_page);
	sqes[at].len = pinned_count * PAGE;
	array[at] = at;
	atomic_fetch_add(tail, 1);
	ret = sys(SYS_io_uring_enter, ring_fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
	if (ret < 0)
		return ret;
	ret = cqes[atomic_load(head) & (ring.cq_entries - 1)].res;
	atomic_fetch_add(head, 1);
	if (ret < 0)
		return ret;
	return ret == (long)(pinned_count * PAGE) ? 0 : -EIO;
}

/* 1: there is no ring to be had. */
static long do_pin(const int *arg)
{
	struct iovec iov = { page_at(arg[1]), arg[2] * PAGE };
	long ret;

	ring_close();
	if (ring_open()) {
		ring_close();
		return 1;
	}
	ret = SYS4(SYS_io_uring_register, ring_fd, IORING_REGISTER_BUFFERS, &iov, 1);
	if (ret) {
		ring_close();
		return ret;
	}
	pinned_page = arg[1];
	pinned_count = arg[2];
	return 0;
}

/* What the pinned pages hold, through a file. */
static long do_pin_out(struct mailbox *box)
{
	static char buf[PAGE] __attribute__((aligned(4096)));
	long ret;
	int i;

	if (ring_fd < 0)
		return -ENXIO;
	ret = ring_io(IORING_OP_WRITE_FIXED);
	for (i = 0; !ret && i < pinned_count; i++) {
		if (SYS4(SYS_pread64, FILE_FD, buf, PAGE, i * PAGE) != (long)PAGE)
			return -EIO;
		look_at(buf, &box->page[i]);
	}
	return ret;
}

static long do_pin_in(struct mailbox *box)
{
	static char buf[PAGE] __attribute__((aligned(4096)));
	uint64_t id, seq;
	int i;

	if (ring_fd < 0)
		return -ENXIO;
	for (i = 0; i < pinned_count; i++) {
		stamp(me, pinned_page + i, FILL_EACH, box->seq, i, &id, &seq);
		page_fill(buf, id, seq);
		box->page[i].id = id;
		box->page[i].seq = seq;
		if (SYS4(SYS_pwrite64, FILE_FD, buf, PAGE, i * PAGE) != (long)PAGE)
			return -EIO;
	}
	return ring_io(IORING_OP_READ_FIXED);
}

/* ---- userfaultfd ----------------------------------------------------------- */

static long uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	long fd = SYS1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), ret;

	if (fd < 0)
		return fd;
	ret = SYS3(SYS_ioctl, fd, UFFDIO_API, &api);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static long uffd_register(long fd, int page, int count, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)page_at(page), count * PAGE },
		.mode = mode,
	};

	return SYS3(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
}

/* The number of pages that were moved, from the first one on. */
static long do_uffd_move(const int *arg)
{
	struct uffd_move move = {
		.dst = (uintptr_t)page_at(arg[3]),
		.src = (uintptr_t)page_at(arg[1]),
		.len = arg[2] * PAGE,
		.mode = 1,	/* holes may be */
	};
	long fd = uffd_open(UFFD_FEATURE_SIGBUS), ret;

	if (fd < 0)
		return fd;
	ret = uffd_register(fd, arg[3], arg[2], UFFDIO_REGISTER_MODE_MISSING);
	if (!ret) {
		ret = SYS3(SYS_ioctl, fd, UFFDIO_MOVE, &move);
		if (!ret || ret == -EAGAIN)
			ret = move.move > 0 ? move.move / (long)PAGE : 0;
	}
	/* The last reference: the range is not registered any more. */
	close(fd);
	return ret;
}

/* Write-protects, and lets the kernel itself take it away where somebody writes. */
static long do_uffd_wp(const int *arg)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)page_at(arg[1]), arg[2] * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	static long fd = -1;
	long ret;

	if (fd >= 0)
		close(fd);
	fd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	if (fd < 0)
		return fd;
	ret = uffd_register(fd, arg[1], arg[2], UFFDIO_REGISTER_MODE_WP);
	return ret ?: SYS3(SYS_ioctl, fd, UFFDIO_WRITEPROTECT, &wp);
}

/* ---- Processes and threads ------------------------------------------------- */

static void actor(struct mailbox *box);

static void helper_main(void)
{
	actor(&all_mail->box[me][1]);
}

static long start_helper(void)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			   CLONE_SYSVSEM;
	register char *top asm("r12") = helper_stack + sizeof(helper_stack);
	register void (*fn)(void) asm("r13") = helper_main;
	long ret;

	if (helper)
		return 0;
	helper = true;
	asm volatile("xor	%%r10d, %%r10d\n\t"
		     "xor	%%r8d, %%r8d\n\t"
		     "xor	%%edx, %%edx\n\t"
		     "syscall\n\t"
		     "test	%%rax, %%rax\n\t"
		     "jnz	1f\n\t"
		     "xor	%%ebp, %%ebp\n\t"
		     "call	*%%r13\n\t"
		     "ud2\n"
		     "1:"
		     : "=a"(ret)
		     : "a"(SYS_clone), "D"(flags), "S"(top), "r"(fn), "r"(top)
		     : "rcx", "r11", "rdx", "r8", "r10", "memory");
	return ret > 0 ? 0 : ret;
}

static void begin_process(int proc)
{
	me = proc;
	helper = false;
	/* A ring of the parent's is not ours. */
	if (ring_fd >= 0)
		ring_close();
	SYS2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
}

/* A child of the controller's, so that only that one waits for processes. */
static long do_fork(const int *arg)
{
	/* The parent's next order overwrites this one. */
	int child = arg[1];
	long pid = sys(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0, 0);

	if (pid)
		return pid;
	begin_process(child);
	actor(&all_mail->box[child][0]);
	return 0;
}

static long do_vfork(void)
{
	int status;
	long pid = vfork();

	if (!pid)
		_exit(7);
	if (pid < 0)
		return -EAGAIN;
	pid = SYS4(SYS_wait4, pid, &status, 0, 0);
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : -ECHILD;
}

static long do_exec(void)
{
	char name[16], forgets[16];
	char *const argv[] = { "fuzz_mm", "--worker", name, forgets, NULL };
	char *const envp[] = { NULL };

	snprintf(name, sizeof(name), "%d", me);
	snprintf(forgets, sizeof(forgets), "%d", worker_forgets);
	return SYS3(SYS_execve, "/proc/self/exe", argv, envp);
}

static long obey(struct mailbox *box)
{
	const int *arg = box->arg;
	char *start = page_at(arg[1]);
	size_t size = arg[2] * PAGE;

	switch (box->order) {
	case OP_MAP:
		return do_map(arg);
	case OP_UNMAP:
		return SYS2(SYS_munmap, start, size);
	case OP_WRITE:
		return do_write(box);
	case OP_READ:
		return do_read(box);
	case OP_PROTECT:
		return SYS3(SYS_mprotect, start, size, prots[arg[3]]);
	case OP_ADVISE:
		return SYS3(SYS_madvise, start, size, advices[arg[3]]);
	case OP_MOVE:
		return do_move(arg);
	case OP_LOCK:
		return SYS3(SYS_mlock2, start, size, arg[3] == LOCK_ON_FAULT ? MLOCK_ONFAULT : 0);
	case OP_UNLOCK:
		return SYS2(SYS_munlock, start, size);
	case OP_CHURN:
		return do_churn(arg);
	case OP_FORK:
		return do_fork(arg);
	case OP_VFORK:
		return do_vfork();
	case OP_EXEC:
		return do_exec();
	case OP_EXIT:
		return SYS1(SYS_exit_group, 0);
	case OP_SPLICE:
		return do_splice(arg);
	case OP_DIRECT:
		return do_direct(arg);
	case OP_PIN:
		return do_pin(arg);
	case OP_PIN_OUT:
		return do_pin_out(box);
	case OP_PIN_IN:
		return do_pin_in(box);
	case OP_UNPIN:
		ring_close();
		return 0;
	case OP_UFFD_MOVE:
		return do_uffd_move(arg);
	case OP_UFFD_WP:
		return do_uffd_wp(arg);
	case ORDER_HELPER:
		return start_helper();
	default:
		return -EINVAL;
	}
}

/* As if all of it had been done, and had been possible. */
static long pretend(struct mailbox *box)
{
	int i;

	for (i = 0; i < MAX_COUNT; i++)
		box->page[i].what = SEEN_PATTERN;
	return 0;
}

static void actor(struct mailbox *box)
{
	for (;;) {
		mail_wait(box, MAIL_IDLE, 0);
		if (atomic_load(&box->state) == MAIL_ORDER) {
			/* Before a fork, the parent's next order. */
			bool forget = box->order == (int)worker_forgets;

			done(box, forget ? pretend(box) : obey(box));
		}
		/* Who reads the answer makes it idle, or gives the next order. */
		mail_wait(box, MAIL_DONE, 0);
	}
}

void worker(struct mail *mail, int proc)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	all_mail = mail;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	begin_process(proc);
	actor(&mail->box[proc][0]);
	__builtin_unreachable();
}

void worker_exec(int proc, enum op forgets)
{
	struct mail *mail = mmap(NULL, sizeof(*mail), PROT_READ | PROT_WRITE, MAP_SHARED,
				 MAIL_FD, 0);

	if (mail == MAP_FAILED || proc < 0 || proc >= NR_PROCS)
		_exit(2);
	worker_forgets = forgets;
	/* The order was to be here. */
	done(&mail->box[proc][0], 0);
	worker(mail, proc);
}
