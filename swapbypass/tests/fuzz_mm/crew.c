// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: the processes of a program, to which this one gives orders by a page that all
 * have, and the threads of its own that do what might never end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "machine.h"
#include "model.h"

#define SLICE_MS	50	/* how often it is asked whether a process has died */
#define STACK		(64 << 10)

const char *const left_out = "left out";
const char *const give_up = "given up";

struct mail *mail;
pid_t pids[NR_PROCS];
bool helpers[NR_PROCS], hopeless;
struct job jobs[MAX_JOBS];
long kills;

static bool busy[NR_PROCS];

/* ---- Jobs ------------------------------------------------------------------ */

static void *job_main(void *arg)
{
	struct job *job = arg;

	job->fn(job);
	return NULL;
}

void job_step(struct job *job)
{
	job->ret = machine_step(&job->step, job->pid);
}

void job_restore(struct job *job)
{
	job->text = machine_restore();
}

void job_start(struct job *job, void (*fn)(struct job *job), const struct step *s, pid_t pid)
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
bool job_join(struct job *job)
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
	case OP_CPU:
	case OP_SUSPEND:
		/* Both at the same time, or a process that cannot be frozen. */
		if (no_room || ret == -EBUSY)
			return NULL;
		break;
	case OP_HIBERNATE:
		/* An image cannot hold the window. */
		if (inventory.windows && ret != -EBUSY)
			return say("with a window: hibernate: %s", strerror(-ret));
		if (no_room || ret == -EBUSY || ret == -ENOSPC)
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

const char *join_job(struct job *job)
{
	if (!job->used)
		return NULL;
	if (!job_join(job))
		return say("%s does not end", op_name(job->step.op));
	return judge_machine(&job->step, job->ret);
}

/* ---- Processes ------------------------------------------------------------- */

void gone(int proc)
{
	pids[proc] = 0;
	helpers[proc] = false;
	busy[proc] = false;
	model.proc[proc].alive = false;
	atomic_store(&mail->box[proc][0].state, MAIL_IDLE);
	atomic_store(&mail->box[proc][1].state, MAIL_IDLE);
}

const char *wait_for_end(int proc)
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
	return NULL;
}

const char *bury(int proc)
{
	const char *text = wait_for_end(proc);

	if (!text)
		gone(proc);
	return text;
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

bool was_killed(int proc)
{
	unsigned int ms;

	if (machine_kills() == kills)
		return false;
	/* It may be on its way. */
	for (ms = 0; pids[proc] && ms < 1000; ms++) {
		if (died(proc) == give_up)
			return true;
		usleep(1000);
	}
	return false;
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

void order(int proc, int thread, int what, const int *arg)
{
	struct mailbox *box = &mail->box[proc][thread];

	box->order = what;
	memcpy(box->arg, arg, sizeof(box->arg));
	box->seq = model.seq;
	atomic_store(&box->state, MAIL_ORDER);
	mail_wake(box);
}

/* NULL if the process has done it; *@ret is what it came to. */
const char *ask(const struct step *s, long *ret)
{
	const char *text;
	int proc = s->arg[0];

	order(proc, 0, s->op, s->arg);
	text = answer(proc, 0);
	*ret = mail->box[proc][0].ret;
	return text;
}

const char *join_helper(int proc)
{
	if (!busy[proc])
		return NULL;
	busy[proc] = false;
	return answer(proc, 1);
}

const char *join_all(void)
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
const char *meanwhile(const struct step *s)
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

const char *failed(const struct step *s, long ret)
{
	/* Whatever it was: another time, with more memory. */
	if (machine_tight() && (ret == -ENOMEM || ret == -EFAULT || ret == -EAGAIN))
		return give_up;
	return ret ? say("%s: %s", op_name(s->op), strerror(-ret)) : NULL;
}
