// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: does the steps of a program, one after the other but for those that go on
 * meanwhile, tells the model, and compares what is seen with it.
 *
 * A step is left out where the model says that it could not be judged. All memory of
 * this process is locked, so that what it tests does not happen to itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "model.h"
#include "run.h"
#include "worker.h"

#define MAX_JOBS	4
#define SLICE_MS	50	/* how often it is asked whether a process has died */
#define STACK		(64 << 10)

#define PM_SOFT_DIRTY	(1ULL << 55)
#define PM_PRESENT	(1ULL << 63)
#define PM_SWAP		(1ULL << 62)

/* What a step has come to, besides a text that says what is wrong. */
static const char left_out[] = "left out";
/* There was no memory: nothing can be said of the rest. */
static const char give_up[] = "given up";

/* A thread that does something that might never end. */
struct job {
	void (*fn)(struct job *job);
	pthread_t thread;
	bool used;
	struct step step;
	pid_t pid;
	long ret;
	const char *text;
};

struct count count;

static struct mail *mail;
static pid_t pids[NR_PROCS];
static bool helpers[NR_PROCS], busy[NR_PROCS];
static struct job jobs[MAX_JOBS];
static bool hopeless, soft_dirty, have_disk;
static long kills;

/* ---- Jobs ------------------------------------------------------------------ */

static void *job_main(void *arg)
{
	struct job *job = arg;

	job->fn(job);
	return NULL;
}

static void job_step(struct job *job)
{
	job->ret = machine_step(&job->step, job->pid);
}

static void job_restore(struct job *job)
{
	job->text = machine_restore();
}

static void job_start(struct job *job, void (*fn)(struct job *job), const struct step *s, pid_t pid)
{
	pthread_attr_t attr;

	memset(job, 0, sizeof(*job));
	job->used = true;
	job->fn = fn;
	job->pid = pid;
	if (s)
		job->step = *s;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (pthread_create(&job->thread, &attr, job_main, job))
		setup_error("no thread");
	pthread_attr_destroy(&attr);
}

/* False if it does not end. */
static bool job_join(struct job *job)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += machine_limit_ms / 1000;
	job->used = false;
	if (!pthread_timedjoin_np(job->thread, NULL, &ts))
		return true;
	hopeless = true;
	return false;
}

/* What the steps of the machine may come to. */
static const char *judge_machine(const struct step *s, long ret)
{
	bool no_room = ret == -ENOMEM || ret == -EAGAIN || ret == -EINTR;

	switch (s->op) {
	case OP_SWAPON:
		if (ret)
			machine_set_on(s->arg[0], false);
		if (ret == -EBUSY)
			return NULL;
		break;
	case OP_SWAPOFF:
		if (!ret)
			break;
		machine_set_on(s->arg[0], true);
		/* Where memory is short, or a swapon was not over. */
		if (no_room || ret == -EINVAL)
			return NULL;
		break;
	case OP_GROUP_REMOVE:
		if (ret == -EBUSY)
			return NULL;
		break;
	default:
		break;
	}
	return ret ? say("%s: %s", op_name(s->op), strerror(-ret)) : NULL;
}

static const char *join_job(struct job *job)
{
	if (!job->used)
		return NULL;
	if (!job_join(job))
		return say("%s does not end", op_name(job->step.op));
	return judge_machine(&job->step, job->ret);
}

/* ---- Processes ------------------------------------------------------------- */

static void gone(int proc)
{
	pids[proc] = 0;
	helpers[proc] = false;
	busy[proc] = false;
	model.proc[proc].alive = false;
	atomic_store(&mail->box[proc][0].state, MAIL_IDLE);
	atomic_store(&mail->box[proc][1].state, MAIL_IDLE);
}

/* Waits for the end of a process that has been told to. */
static const char *bury(int proc)
{
	uint64_t end = now_ms() + machine_limit_ms;
	int status;

	while (waitpid(pids[proc], &status, WNOHANG) != pids[proc]) {
		if (now_ms() >= end) {
			hopeless = true;
			return say("process %d does not end", proc);
		}
		usleep(200);
	}
	gone(proc);
	return NULL;
}

/* NULL while it lives; may be give_up. */
static const char *died(int proc)
{
	int status;

	if (waitpid(pids[proc], &status, WNOHANG) != pids[proc])
		return NULL;
	gone(proc);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && machine_kills() != kills)
		return give_up;
	if (WIFSIGNALED(status))
		return say("process %d died: %s", proc, strsignal(WTERMSIG(status)));
	return say("process %d ended with status %d", proc, WEXITSTATUS(status));
}

/* Waits for an answer. */
static const char *answer(int proc, int thread)
{
	struct mailbox *box = &mail->box[proc][thread];
	uint64_t end = now_ms() + machine_limit_ms;
	const char *text;

	while (!mail_wait(box, MAIL_ORDER, SLICE_MS)) {
		text = died(proc);
		if (text)
			return text;
		if (now_ms() >= end) {
			hopeless = true;
			return say("%s does not end", box->order < OP_NR ?
				   op_name(box->order) : "the start of a thread");
		}
	}
	atomic_store(&box->state, MAIL_IDLE);
	return NULL;
}

static void order(int proc, int thread, int what, const int *arg)
{
	struct mailbox *box = &mail->box[proc][thread];

	box->order = what;
	memcpy(box->arg, arg, sizeof(box->arg));
	box->seq = model.seq;
	atomic_store(&box->state, MAIL_ORDER);
	mail_wake(box);
}

/* NULL if the process has done it; *@ret is what it came to. */
static const char *ask(const struct step *s, long *ret)
{
	const char *text;
	int proc = s->arg[0];

	order(proc, 0, s->op, s->arg);
	text = answer(proc, 0);
	*ret = mail->box[proc][0].ret;
	return text;
}

static const char *join_helper(int proc)
{
	if (!busy[proc])
		return NULL;
	busy[proc] = false;
	return answer(proc, 1);
}

static const char *join_all(void)
{
	const char *text = NULL, *one;
	int i;

	for (i = 0; i < NR_PROCS; i++) {
		one = join_helper(i);
		text = text ?: one;
	}
	for (i = 0; i < MAX_JOBS; i++) {
		one = join_job(&jobs[i]);
		text = text ?: one;
	}
	return text;
}

/* Another thread of the process does it, and what it comes to does not matter. */
static const char *meanwhile(const struct step *s)
{
	static const int none[MAX_ARGS];
	int proc = s->arg[0];
	const char *text = join_helper(proc);

	if (text)
		return text;
	if (!helpers[proc]) {
		order(proc, 0, ORDER_HELPER, none);
		text = answer(proc, 0);
		if (text)
			return text;
		helpers[proc] = true;
	}
	busy[proc] = true;
	order(proc, 1, s->op, s->arg);
	return NULL;
}

static const char *failed(const struct step *s, long ret)
{
	/* Whatever it was: another time, with more memory. */
	if (machine_tight() && (ret == -ENOMEM || ret == -EFAULT || ret == -EAGAIN))
		return give_up;
	return ret ? say("%s: %s", op_name(s->op), strerror(-ret)) : NULL;
}

/* ---- Steps: memory --------------------------------------------------------- */

static const char *step_map(const struct step *s)
{
	const int *a = s->arg;
	long ret;
	const char *text = ask(s, &ret) ?: failed(s, ret);

	if (!text)
		model_map(a[0], a[1], a[2], a[3]);
	return text;
}

static const char *step_unmap(const struct step *s)
{
	long ret;
	const char *text = ask(s, &ret) ?: failed(s, ret);

	if (!text)
		model_unmap(s->arg[0], s->arg[1], s->arg[2]);
	return text;
}

static const char *step_write(const struct step *s)
{
	const int *a = s->arg;
	struct content content;
	const char *text;
	long ret;
	int i;

	text = ask(s, &ret);
	for (i = 0; !text && i < a[2]; i++) {
		const struct page_seen *seen = &mail->box[a[0]][0].page[i];

		text = model_check_access(a[0], a[1] + i, true, seen);
		if (seen->what == SEEN_FAULT)
			continue;
		stamp(a[0], a[1] + i, a[3], model.seq, i, &content.id, &content.seq);
		model_write(a[0], a[1] + i, &content);
	}
	model.seq += a[2];
	return text;
}

static const char *look(int proc, int page, int count)
{
	const struct step s = { .op = OP_READ, .arg = { proc, page, count } };
	const char *text;
	long ret;
	int i;

	text = ask(&s, &ret);
	for (i = 0; !text && i < count; i++) {
		const struct page_seen *seen = &mail->box[proc][0].page[i];

		text = model_check_access(proc, page + i, false, seen);
		if (!text && seen->what != SEEN_FAULT)
			text = model_check(proc, page + i, seen);
	}
	return text;
}

static const char *step_protect(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].prot = a[3];
	return text;
}

static bool neutral(enum advice advice)
{
	switch (advice) {
	case ADV_DONTNEED:
	case ADV_DONTNEED_LOCKED:
	case ADV_FREE:
	case ADV_DONTFORK:
	case ADV_DOFORK:
	case ADV_WIPEONFORK:
	case ADV_KEEPONFORK:
		return false;
	default:
		return true;
	}
}

static const char *step_advise(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (neutral(a[3]))
		return s->bg ? meanwhile(s) : ask(s, &ret);
	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	if ((a[3] == ADV_DONTNEED || a[3] == ADV_FREE) && model_locked(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	if (!text)
		model_advise(a[0], a[1], a[2], a[3]);
	return text;
}

static bool overlap(int a, int b, int count)
{
	return a < b + count && b < a + count;
}

static const char *step_move(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	if (!ret) {
		model_move(a[0], a[1], a[2], a[3], a[4]);
		return NULL;
	}
	model_unmap(a[0], a[1], a[2]);
	model_unmap(a[0], a[3], a[2]);
	/* More than one VMA, or one that cannot. */
	return ret == -EFAULT || ret == -EINVAL ? NULL : failed(s, ret);
}

static const char *step_lock(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_allows(a[0], a[1], a[2], P_R))
		return left_out;
	text = ask(s, &ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].locked = true;
	return text ?: ret == -ENOMEM || ret == -EAGAIN ? NULL : failed(s, ret);
}

static const char *step_unlock(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;
	int i;

	if (!model_mapped(a[0], a[1], a[2]))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < a[2]; i++)
		model.proc[a[0]].page[a[1] + i].locked = false;
	return text;
}

/* ---- Steps: processes ------------------------------------------------------ */

static const char *step_fork(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (model.proc[a[1]].alive)
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	if (ret < 0)
		return ret == -ENOMEM || ret == -EAGAIN ? left_out : failed(s, ret);
	pids[a[1]] = ret;
	model_fork(a[0], a[1]);
	return NULL;
}

static const char *step_exec(const struct step *s)
{
	const char *text = join_helper(s->arg[0]);
	long ret;

	text = text ?: ask(s, &ret) ?: failed(s, ret);
	if (text)
		return text;
	helpers[s->arg[0]] = false;
	atomic_store(&mail->box[s->arg[0]][1].state, MAIL_IDLE);
	model_exec(s->arg[0]);
	return NULL;
}

static const char *step_exit(const struct step *s)
{
	int proc = s->arg[0];

	if (s->op == OP_KILL)
		kill(pids[proc], SIGKILL);
	else
		order(proc, 0, OP_EXIT, s->arg);
	return bury(proc);
}

/* ---- Steps: others look ---------------------------------------------------- */

static char *buffer;	/* MAX_COUNT pages */

static int open_mem(int proc, const char *name)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", pids[proc], name);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* A process stops for its tracer, whatever it does. */
static const char *trace(int proc, bool stop)
{
	uint64_t end = now_ms() + machine_limit_ms;
	int status;

	if (!stop) {
		ptrace(PTRACE_DETACH, pids[proc], NULL, NULL);
		return NULL;
	}
	if (ptrace(PTRACE_ATTACH, pids[proc], NULL, NULL))
		return say("ptrace: %s", strerror(errno));
	while (waitpid(pids[proc], &status, WNOHANG | __WALL) != pids[proc]) {
		if (now_ms() >= end) {
			hopeless = true;
			return say("process %d does not stop", proc);
		}
		usleep(100);
	}
	return WIFSTOPPED(status) ? NULL : say("process %d died while traced", proc);
}

/* How many pages from the first on may be seen that way. */
static int reachable(int proc, int page, int count, enum peek_how how, bool write)
{
	const struct mpage *m = &model.proc[proc].page[page];
	int i;

	for (i = 0; i < count; i++) {
		if (!m[i].mapped)
			break;
		if (how == PEEK_VM && m[i].prot < (write ? P_RW : P_R))
			break;
	}
	return i;
}

/* The pages of another process, to the buffer or from it. */
static long transfer(int proc, int page, int count, enum peek_how how, bool write)
{
	struct iovec local = { buffer, count * PAGE }, remote = { page_at(page), count * PAGE };
	long ret;
	int fd;

	if (how == PEEK_VM) {
		ret = write ? process_vm_writev(pids[proc], &local, 1, &remote, 1, 0) :
			      process_vm_readv(pids[proc], &local, 1, &remote, 1, 0);
		return ret < 0 ? -errno : ret;
	}
	fd = open_mem(proc, "mem");
	if (fd < 0)
		return -errno;
	ret = write ? pwrite(fd, buffer, count * PAGE, (off_t)page_at(page)) :
		      pread(fd, buffer, count * PAGE, (off_t)page_at(page));
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static const char *step_peek(const struct step *s)
{
	const int *a = s->arg;
	int able = reachable(a[0], a[1], a[2], a[3], false), i;
	const char *text = NULL;
	struct page_seen seen;
	long ret;

	if (a[3] == PEEK_PTRACE)
		text = trace(a[0], true);
	if (text)
		return text;
	ret = transfer(a[0], a[1], a[2], a[3], false);
	if (a[3] == PEEK_PTRACE)
		trace(a[0], false);
	if (ret < 0)
		return able ? failed(s, ret) : NULL;
	if (ret != able * (long)PAGE)
		return machine_tight() ? give_up : say("peek: %ld bytes of %d pages", ret, able);
	for (i = 0; !text && i < able; i++) {
		look_at(buffer + i * PAGE, &seen);
		text = model_check(a[0], a[1] + i, &seen);
	}
	return text;
}

static const char *step_poke(const struct step *s)
{
	const int *a = s->arg;
	int able = reachable(a[0], a[1], a[2], a[3], true), i;
	struct content content[MAX_COUNT];
	const char *text = NULL;
	long ret;

	for (i = 0; i < a[2]; i++) {
		stamp(a[0], a[1] + i, FILL_EACH, model.seq, i, &content[i].id, &content[i].seq);
		page_fill(buffer + i * PAGE, content[i].id, content[i].seq);
	}
	model.seq += a[2];
	if (a[3] == PEEK_PTRACE)
		text = trace(a[0], true);
	if (text)
		return text;
	ret = transfer(a[0], a[1], a[2], a[3], true);
	if (a[3] == PEEK_PTRACE)
		trace(a[0], false);
	for (i = 0; i < able; i++)
		model_write(a[0], a[1] + i, &content[i]);
	if (ret < 0)
		return able ? failed(s, ret) : NULL;
	if (ret == able * (long)PAGE)
		return NULL;
	return machine_tight() ? give_up : say("poke: %ld bytes of %d pages", ret, able);
}

/* process_madvise() has no wrapper, and no advice that changes anything. */
static const char *step_advise_other(const struct step *s)
{
	static const int advices[] = {
		[ADV_PAGEOUT] = MADV_PAGEOUT, [ADV_COLD] = MADV_COLD,
		[ADV_WILLNEED] = MADV_WILLNEED, [ADV_COLLAPSE] = 25,
	};
	const int *a = s->arg;
	struct iovec iov = { page_at(a[1]), a[2] * PAGE };
	int fd;

	if (a[3] > ADV_WILLNEED && a[3] != ADV_COLLAPSE)
		return left_out;
	fd = syscall(434 /* pidfd_open */, pids[a[0]], 0);
	if (fd < 0)
		return say("pidfd_open: %s", strerror(errno));
	syscall(440 /* process_madvise */, fd, &iov, 1, advices[a[3]], 0);
	close(fd);
	return NULL;
}

static const char *step_splice(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret, i;

	if (!model_allows(a[0], a[1], a[2], P_R))
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	/* The pipe is full. */
	if (ret == -EAGAIN)
		return NULL;
	if (ret < 0)
		return failed(s, ret);
	for (i = 0; i < ret / (long)PAGE; i++)
		pipe_put(a[3], a[0], a[1] + i);
	return NULL;
}

static const char *drain(int pipe, unsigned int nr)
{
	const char *text = NULL;
	struct page_seen seen;
	unsigned int i;
	ssize_t ret;

	if (nr > model.pipe[pipe].nr)
		nr = model.pipe[pipe].nr;
	for (i = 0; !text && i < nr; i++) {
		ret = read(PIPE_FD + 2 * pipe, buffer, PAGE);
		if (ret != (ssize_t)PAGE)
			return say("read of a pipe: %zd", ret);
		look_at(buffer, &seen);
		text = pipe_check(pipe, i, &seen);
	}
	pipe_drop(pipe, i);
	return text;
}

static const char *step_tee(const struct step *s)
{
	const int *a = s->arg;
	ssize_t ret;

	if (a[0] == a[1] || !model.pipe[a[0]].nr)
		return left_out;
	ret = tee(PIPE_FD + 2 * a[0], PIPE_FD + 2 * a[1] + 1, a[2] * PAGE, SPLICE_F_NONBLOCK);
	if (ret < 0)
		return errno == EAGAIN ? NULL : say("tee: %s", strerror(errno));
	pipe_tee(a[0], a[1], ret / PAGE);
	return NULL;
}

static const char *step_direct(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (!have_disk || !model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_allows(a[0], a[1], a[2], P_R) || !model_allows(a[0], a[3], a[2], P_RW))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	if (!text)
		model_copy(a[0], a[1], a[2], a[3]);
	return text;
}

/* ---- Steps: fixed buffers -------------------------------------------------- */

static const char *step_pin(const struct step *s)
{
	const int *a = s->arg;
	struct mproc *p = &model.proc[a[0]];
	const char *text;
	long ret;
	int i;

	if (!model_allows(a[0], a[1], a[2], P_RW))
		return left_out;
	text = ask(s, &ret);
	if (text)
		return text;
	for (i = 0; i < ARENA_PAGES; i++)
		p->page[i].pinned = false;
	p->pins = 0;
	/* Not every kernel lets everybody have a ring. */
	if (ret > 0)
		return left_out;
	if (ret)
		return failed(s, ret);
	p->pins = a[2];
	for (i = 0; i < a[2]; i++) {
		p->page[a[1] + i].pinned = true;
		p->page[a[1] + i].pin = i;
	}
	return NULL;
}

static const char *step_pin_out(const struct step *s)
{
	int proc = s->arg[0], i;
	struct mproc *p = &model.proc[proc];
	const char *text;
	long ret;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < ARENA_PAGES; i++)
		if (p->page[i].pinned)
			text = model_check(proc, i, &mail->box[proc][0].page[p->page[i].pin]);
	return text;
}

static const char *step_pin_in(const struct step *s)
{
	int proc = s->arg[0], i;
	struct mproc *p = &model.proc[proc];
	struct content content;
	const char *text;
	bool written, maybe_zero;
	long ret;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	for (i = 0; !text && i < ARENA_PAGES; i++) {
		struct mpage *m = &p->page[i];

		if (!m->pinned)
			continue;
		content.id = mail->box[proc][0].page[m->pin].id;
		content.seq = mail->box[proc][0].page[m->pin].seq;
		/* No page table knows of it: not soft-dirty, and free to go as before. */
		written = m->written;
		maybe_zero = m->maybe_zero;
		model_write(proc, i, &content);
		m->written = written;
		m->maybe_zero = maybe_zero;
	}
	model.seq += p->pins;
	return text;
}

static const char *step_unpin(const struct step *s)
{
	struct mproc *p = &model.proc[s->arg[0]];
	const char *text;
	long ret;
	int i;

	if (!p->pins)
		return left_out;
	text = ask(s, &ret);
	p->pins = 0;
	for (i = 0; i < ARENA_PAGES; i++)
		p->page[i].pinned = false;
	return text;
}

/* ---- Steps: userfaultfd, soft-dirty, pagemap -------------------------------- */

static const char *step_uffd_move(const struct step *s)
{
	const int *a = s->arg;
	struct step first = *s;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_allows(a[0], a[1], a[2], P_RW) || !model_allows(a[0], a[3], a[2], P_RW) ||
	    model_locked(a[0], a[1], a[2]) || model_locked(a[0], a[3], a[2]))
		return left_out;
	/* It moves to where nothing is. */
	first.op = OP_ADVISE;
	first.arg[1] = a[3];
	first.arg[3] = ADV_DONTNEED;
	text = ask(&first, &ret) ?: failed(&first, ret);
	if (text)
		return text;
	model_discard(a[0], a[3], a[2]);
	text = ask(s, &ret);
	if (!text && ret > 0)
		model_uffd_move(a[0], a[1], ret, a[3]);
	return text;
}

static const char *step_clean(const struct step *s)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pids[s->arg[0]]);
	if (!write_file(path, "4"))
		return say("clear_refs: %s", strerror(errno));
	model_clean(s->arg[0]);
	return NULL;
}

static const char *page_map(int proc, int page, int count, uint64_t *entries)
{
	char path[48];
	size_t size = count * sizeof(*entries);
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pids[proc]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say("pagemap: %s", strerror(errno));
	ret = pread(fd, entries, size, (uintptr_t)page_at(page) / PAGE * sizeof(*entries));
	close(fd);
	return ret == (ssize_t)size ? NULL : say("pagemap: %zd bytes", ret);
}

static const char *step_dirty(const struct step *s)
{
	static uint64_t entries[MAX_COUNT];
	const int *a = s->arg;
	const struct mpage *m = &model.proc[a[0]].page[a[1]];
	const char *text = page_map(a[0], a[1], a[2], entries);
	int i;

	for (i = 0; !text && soft_dirty && i < a[2]; i++)
		if (m[i].mapped && m[i].written && !(entries[i] & PM_SOFT_DIRTY))
			text = say("page %d of process %d was written, and is not soft-dirty",
				   a[1] + i, a[0]);
	return text;
}

/* Is there anything where nothing is mapped? */
static const char *step_rss(const struct step *s)
{
	static uint64_t entries[ARENA_PAGES];
	const struct mpage *m = model.proc[s->arg[0]].page;
	const char *text = page_map(s->arg[0], 0, ARENA_PAGES, entries);
	int i;

	for (i = 0; !text && i < ARENA_PAGES; i++)
		if (!m[i].mapped && entries[i] & (PM_PRESENT | PM_SWAP))
			text = say("page %d of process %d is not mapped, and has %lx", i,
				   s->arg[0], entries[i]);
	return text;
}

/* ---- Steps: the machine ---------------------------------------------------- */

static const char *step_machine(const struct step *s)
{
	pid_t pid = s->op == OP_STALL ? pids[s->arg[0]] : 0;
	struct job *job = &jobs[0];
	int i;

	/* Two of a kind would not know what the other has come to. */
	if (s->op == OP_SWAPON && machine_on(s->arg[0]))
		return left_out;
	if (s->op == OP_SWAPOFF && !machine_on(s->arg[0]))
		return left_out;
	for (i = 0; i < MAX_JOBS; i++) {
		const char *text = NULL;

		if (jobs[i].used && jobs[i].step.op == s->op)
			text = join_job(&jobs[i]);
		if (text)
			return text;
		if (!jobs[i].used)
			job = &jobs[i];
	}
	if (job->used) {
		const char *text = join_job(job);

		if (text)
			return text;
	}
	/* It may have come to nothing. */
	if (s->op == OP_SWAPOFF && !machine_on(s->arg[0]))
		return left_out;
	if (s->op == OP_SWAPON || s->op == OP_SWAPOFF)
		machine_set_on(s->arg[0], s->op == OP_SWAPON);
	job_start(job, job_step, s, pid);
	return s->bg ? NULL : join_job(job);
}

static const char *step_group(const struct step *s)
{
	if (!machine_has_groups())
		return left_out;
	if (!machine_group_join(s->arg[1], pids[s->arg[0]]))
		return errno == ENOMEM || errno == EAGAIN || errno == EBUSY ? left_out :
		       say("group: %s", strerror(errno));
	model.proc[s->arg[0]].group = s->arg[1];
	return NULL;
}

static const char *step_group_remove(const struct step *s)
{
	int i;

	for (i = 0; i < NR_PROCS; i++) {
		if (!model.proc[i].alive || model.proc[i].group != s->arg[0])
			continue;
		if (!machine_group_join(-1, pids[i]))
			return left_out;
		model.proc[i].group = -1;
	}
	return step_machine(s);
}

/* ---- Programs -------------------------------------------------------------- */

static const char *step_of_process(const struct step *s)
{
	const int *a = s->arg;
	long ret;

	switch (s->op) {
	case OP_MAP:
		return step_map(s);
	case OP_UNMAP:
		return step_unmap(s);
	case OP_WRITE:
		return step_write(s);
	case OP_READ:
		return look(a[0], a[1], a[2]);
	case OP_PROTECT:
		return step_protect(s);
	case OP_ADVISE:
		return step_advise(s);
	case OP_MOVE:
		return step_move(s);
	case OP_LOCK:
		return step_lock(s);
	case OP_UNLOCK:
		return step_unlock(s);
	case OP_CHURN:
		return meanwhile(s);
	case OP_FORK:
		return step_fork(s);
	case OP_VFORK:
		return ask(s, &ret) ?: ret == -EAGAIN ? NULL : failed(s, ret);
	case OP_EXEC:
		return step_exec(s);
	case OP_EXIT:
	case OP_KILL:
		return step_exit(s);
	case OP_PEEK:
		return step_peek(s);
	case OP_POKE:
		return step_poke(s);
	case OP_ADVISE_OTHER:
		return step_advise_other(s);
	case OP_SPLICE:
		return step_splice(s);
	case OP_DIRECT:
		return step_direct(s);
	case OP_PIN:
		return step_pin(s);
	case OP_PIN_OUT:
		return step_pin_out(s);
	case OP_PIN_IN:
		return step_pin_in(s);
	case OP_UNPIN:
		return step_unpin(s);
	case OP_UFFD_MOVE:
		return step_uffd_move(s);
	case OP_UFFD_WP:
		return model_mapped(a[0], a[1], a[2]) ? ask(s, &ret) : left_out;
	case OP_CLEAN:
		return step_clean(s);
	case OP_DIRTY:
		return step_dirty(s);
	case OP_RSS:
		return step_rss(s);
	case OP_GROUP:
		return step_group(s);
	default:
		return step_machine(s);
	}
}

static bool of_process(enum op op)
{
	return op <= OP_ADVISE_OTHER || op == OP_SPLICE || (op >= OP_DIRECT && op <= OP_RSS) ||
	       op == OP_STALL || op == OP_GROUP;
}

/* The second argument is a page, the third a number of them. */
static bool of_range(enum op op)
{
	switch (op) {
	case OP_FORK:
	case OP_VFORK:
	case OP_EXEC:
	case OP_EXIT:
	case OP_KILL:
	case OP_PIN_OUT:
	case OP_PIN_IN:
	case OP_UNPIN:
	case OP_CLEAN:
	case OP_RSS:
	case OP_STALL:
	case OP_GROUP:
		return false;
	default:
		return of_process(op);
	}
}

static const char *run_step(const struct step *s)
{
	if (of_process(s->op) && !model.proc[s->arg[0]].alive)
		return left_out;
	if (of_range(s->op) && !model_in_arena(s->arg[1], s->arg[2]))
		return left_out;
	switch (s->op) {
	case OP_JOIN:
		return join_all();
	case OP_DRAIN:
		return model.pipe[s->arg[0]].nr ? drain(s->arg[0], s->arg[1]) : left_out;
	case OP_TEE:
		return step_tee(s);
	case OP_GROUP_REMOVE:
	case OP_GROUP_SET:
	case OP_GROUP_RECLAIM:
		if (!machine_has_groups())
			return left_out;
		return s->op == OP_GROUP_REMOVE ? step_group_remove(s) : step_machine(s);
	default:
		return step_of_process(s);
	}
}

static void open_pipes(void)
{
	int i, fd[2];

	for (i = 0; i < NR_PIPES; i++) {
		if (pipe(fd) || dup2(fd[0], PIPE_FD + 2 * i) < 0 ||
		    dup2(fd[1], PIPE_FD + 2 * i + 1) < 0)
			setup_error("pipe: %s", strerror(errno));
		close(fd[0]);
		close(fd[1]);
		fcntl(PIPE_FD + 2 * i + 1, F_SETPIPE_SZ, PIPE_PAGES * PAGE);
	}
}

static void close_pipes(void)
{
	int i;

	for (i = 0; i < 2 * NR_PIPES; i++)
		close(PIPE_FD + i);
}

static void begin(void)
{
	int i;

	model_reset();
	memset(jobs, 0, sizeof(jobs));
	for (i = 0; i < NR_PROCS; i++)
		gone(i);
	open_pipes();
	machine_break();
	kills = machine_kills();
	pids[0] = fork();
	if (!pids[0])
		worker(mail, 0);
	if (pids[0] < 0)
		setup_error("fork: %s", strerror(errno));
	model.proc[0].alive = true;
	for (i = 0; i < NR_PROCS; i++)
		model.proc[i].group = -1;
	if (machine_has_groups() && !machine_group_join(-1, pids[0]))
		setup_error("no memory cgroup");
}

/* All pages of all processes and pipes, as a last step. */
static const char *check_all(void)
{
	const char *text = join_all();
	int i, page;

	for (i = 0; i < NR_PROCS; i++)
		for (page = 0; model.proc[i].alive && page < ARENA_PAGES; page += MAX_COUNT)
			text = text ?: look(i, page, MAX_COUNT);
	for (i = 0; !text && i < NR_PIPES; i++)
		text = drain(i, PIPE_PAGES);
	return text;
}

/* All processes end, and then all must be as before. */
static const char *end(void)
{
	const char *text = NULL, *one;
	struct job job;
	int i;

	for (i = 0; i < NR_PROCS; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	for (i = 0; i < NR_PROCS; i++) {
		one = pids[i] ? bury(i) : NULL;
		text = text ?: one;
	}
	for (i = 0; i < MAX_JOBS; i++) {
		one = join_job(&jobs[i]);
		text = text ?: one;
	}
	close_pipes();
	if (ftruncate(FILE_FD, 0))
		return "the file for I/O cannot be truncated";
	if (hopeless)
		return text;
	job_start(&job, job_restore, NULL, 0);
	if (!job_join(&job))
		return text ?: "swapoff at the end does not end";
	return text ?: job.text;
}

bool run_program(const struct program *p, struct find *find)
{
	const char *text = NULL, *rest;
	unsigned int i;

	memset(find, 0, sizeof(*find));
	begin();
	count.programs++;
	for (i = 0; !text && i < p->nr; i++) {
		text = run_step(&p->step[i]);
		if (text == left_out) {
			text = NULL;
			continue;
		}
		count.steps++;
		count.kind[p->step[i].op]++;
		text = text ?: machine_log();
	}
	if (!text)
		text = check_all() ?: machine_log();
	else
		i--;
	if (text == give_up)
		text = NULL;
	if (text)
		snprintf(find->text, sizeof(find->text), "%s", text);
	rest = end() ?: machine_log();
	if (!text && rest) {
		i = p->nr;
		snprintf(find->text, sizeof(find->text), "%s", rest);
	}
	find->step = i;
	find->hopeless = hopeless;
	return !*find->text;
}

/* ---- At the start ---------------------------------------------------------- */

/* Shared memory, or a file, under a number that stays. */
static void open_as(int number, const char *name)
{
	int fd = memfd_create(name, 0);

	if (fd < 0 || dup2(fd, number) < 0)
		setup_error("%s: %s", name, strerror(errno));
	close(fd);
}

static bool has_soft_dirty(void)
{
	uint64_t entry = 0;
	char *p = anon_map(PAGE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	*p = 1;
	if (fd >= 0 && pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	munmap(p, PAGE);
	return entry & PM_SOFT_DIRTY;
}

void run_open(const char *disk)
{
	int fd;

	open_as(MAIL_FD, "mail");
	open_as(FILE_FD, "file");
	if (ftruncate(MAIL_FD, sizeof(*mail)))
		setup_error("mail: %s", strerror(errno));
	mail = mmap(NULL, sizeof(*mail), PROT_READ | PROT_WRITE, MAP_SHARED, MAIL_FD, 0);
	buffer = anon_map(MAX_COUNT * PAGE);
	madvise(buffer, MAX_COUNT * PAGE, MADV_DONTFORK);
	if (mail == MAP_FAILED)
		setup_error("mail: %s", strerror(errno));
	if (disk) {
		fd = open(disk, O_RDWR | O_DIRECT);
		if (fd < 0 || dup2(fd, DISK_FD) < 0)
			setup_error("%s: %s", disk, strerror(errno));
		close(fd);
		have_disk = true;
	}
	soft_dirty = has_soft_dirty();
	/* Before the first thread, whose stack is locked too. Without swap it may fail. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) && inventory.nr_devices)
		setup_error("mlockall: %s", strerror(errno));
}
