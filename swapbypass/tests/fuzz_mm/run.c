// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: does the steps of a program, one after the other but for those that go on
 * meanwhile.
 *
 * A step is left out where the model says that it could not be judged. All memory of
 * this process is locked, so that what it tests does not happen to itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crew.h"
#include "facility.h"
#include "groups.h"
#include "log.h"
#include "machine.h"
#include "model.h"
#include "run.h"
#include "steps.h"

struct count count;

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

static const char *step_join(const struct step *s __attribute__((unused)))
{
	return join_all();
}

static const char *step_group(const struct step *s)
{
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

/* What is about the machine alone has none. */
static const char *(*const steps[OP_NR])(const struct step *s) = {
	[OP_MAP] = step_map, [OP_UNMAP] = step_unmap, [OP_WRITE] = step_write,
	[OP_READ] = step_read, [OP_PROTECT] = step_protect, [OP_ADVISE] = step_advise,
	[OP_MOVE] = step_move, [OP_RESIZE] = step_resize, [OP_LOCK] = step_lock,
	[OP_UNLOCK] = step_unlock, [OP_CHURN] = step_churn, [OP_FORK] = step_fork,
	[OP_VFORK] = step_vfork, [OP_EXEC] = step_exec, [OP_EXIT] = step_exit,
	[OP_KILL] = step_exit, [OP_KILL_IN] = step_kill_in, [OP_CORE] = step_core,
	[OP_PEEK] = step_peek, [OP_POKE] = step_poke, [OP_ADVISE_OTHER] = step_advise_other,
	[OP_NUMA] = step_numa,
	[OP_SPLICE] = step_splice, [OP_DRAIN] = step_drain, [OP_TEE] = step_tee,
	[OP_PASS] = step_pass, [OP_POUR] = step_pour, [OP_DIRECT] = step_direct,
	[OP_AIO] = step_direct, [OP_PIN] = step_pin, [OP_PIN_OUT] = step_pin_out,
	[OP_PIN_IN] = step_pin_in, [OP_UNPIN] = step_unpin, [OP_UFFD_MOVE] = step_uffd_move,
	[OP_UFFD_WP] = step_uffd_wp, [OP_UFFD_MISSING] = step_uffd_missing,
	[OP_UFFD_WAIT] = step_uffd_wait, [OP_CLEAN] = step_clean, [OP_DIRTY] = step_dirty,
	[OP_RSS] = step_rss, [OP_JOIN] = step_join, [OP_GROUP] = step_group,
	[OP_GROUP_REMOVE] = step_group_remove,
};

static const char *run_step(const struct step *s)
{
	if (facility_lacks(s->op)) {
		count.lacking[s->op]++;
		return left_out;
	}
	if (step_of_process(s->op) && !model.proc[s->arg[0]].alive)
		return left_out;
	if (step_of_range(s->op) && !model_in_arena(s->arg[1], s->arg[2]))
		return left_out;
	return steps[s->op] ? steps[s->op](s) : step_machine(s);
}

static const char *judge_step(const struct step *s)
{
	const char *text = run_step(s);

	if (text && text != left_out && step_of_process(s->op) && was_killed(s->arg[0]))
		return give_up;
	return text;
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

/* All pages of all processes and pipes, as a last step, and the sums of what there is. */
static const char *check_all(void)
{
	const char *text = join_all();
	int i, page;

	for (i = 0; i < NR_PROCS; i++)
		for (page = 0; model.proc[i].alive && page < ARENA_PAGES; page += MAX_COUNT)
			text = text ?: look(i, page, MAX_COUNT);
	for (i = 0; i < NR_PROCS && !facility_lacks(OP_RSS); i++)
		if (model.proc[i].alive)
			text = text ?: sums_check(i);
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

/* Adds the time since *@us to a sum, and begins anew. */
static void spent(uint64_t *sum, uint64_t *us)
{
	uint64_t now = now_us();

	*sum += now - *us;
	*us = now;
}

bool run_program(const struct program *p, struct find *find)
{
	const char *text = NULL, *rest;
	uint64_t us = now_us();
	unsigned int i;

	memset(find, 0, sizeof(*find));
	begin();
	spent(&count.begin_us, &us);
	count.programs++;
	for (i = 0; !text && i < p->nr; i++) {
		text = judge_step(&p->step[i]);
		spent(&count.us[p->step[i].op], &us);
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
	spent(&count.check_us, &us);
	if (text == give_up)
		text = NULL;
	if (text)
		snprintf(find->text, sizeof(find->text), "%s", text);
	rest = end() ?: machine_log();
	spent(&count.end_us, &us);
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
	}
	facility_open(disk);
	/* Before the first thread, whose stack is locked too. Without swap it may fail. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) && inventory.nr_devices)
		setup_error("mlockall: %s", strerror(errno));
}
