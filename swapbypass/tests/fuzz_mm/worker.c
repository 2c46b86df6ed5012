// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: a process whose memory is the matter: its mailbox, and its two threads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "syscalls.h"
#include "thread.h"
#include "worker_ops.h"

enum op worker_forgets = OP_NR;
int worker_me;

static struct mail *all_mail;
static bool helper;
static char helper_stack[64 << 10] __attribute__((aligned(16)));

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

/* ---- Processes and threads ------------------------------------------------- */

static void actor(struct mailbox *box);

static void helper_main(void)
{
	actor(&all_mail->box[worker_me][1]);
}

static long start_helper(void)
{
	static _Atomic uint32_t alive;
	long ret;

	if (helper)
		return 0;
	ret = thread_start(helper_main, helper_stack, sizeof(helper_stack), &alive);
	helper = !ret;
	return ret;
}

static void begin_process(int proc)
{
	worker_me = proc;
	helper = false;
	/* What the parent has opened is not ours. */
	ring_close();
	uffd_close();
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

/* Does not return. */
static long do_core(void)
{
	struct rlimit64 all = { RLIM64_INFINITY, RLIM64_INFINITY };

	SYS2(SYS_prctl, PR_SET_DUMPABLE, 1);
	SYS4(SYS_prlimit64, 0, RLIMIT_CORE, &all, NULL);
	return SYS2(SYS_kill, SYS1(SYS_getpid, 0), SIGABRT);
}

static long do_exec(void)
{
	char name[16], forgets[16];
	char *const argv[] = { "fuzz_mm", "--worker", name, forgets, NULL };
	char *const envp[] = { NULL };

	snprintf(name, sizeof(name), "%d", worker_me);
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
		return do_protect(arg);
	case OP_ADVISE:
		return do_advise(arg);
	case OP_MOVE:
		return do_move(arg);
	case OP_RESIZE:
		return do_resize(arg);
	case OP_LOCK:
		return do_lock(arg);
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
	case OP_CORE:
		return do_core();
	case OP_NUMA:
		return do_numa(arg);
	case OP_SPLICE:
		return do_splice(arg);
	case OP_DIRECT:
		return do_direct(arg);
	case OP_AIO:
		return do_aio(arg);
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
	case OP_UFFD_MISSING:
		return do_uffd_missing(box);
	case OP_UFFD_WAIT:
		return do_uffd_wait(box);
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
	all_mail = mail;
	probe_open();
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
