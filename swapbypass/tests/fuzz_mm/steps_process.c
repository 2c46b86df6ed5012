// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps by which processes come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>

#include "crew.h"
#include "model.h"
#include "steps.h"

const char *step_fork(const struct step *s)
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

const char *step_vfork(const struct step *s)
{
	long ret;

	return ask(s, &ret) ?: ret == -EAGAIN ? NULL : failed(s, ret);
}

const char *step_exec(const struct step *s)
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

const char *step_exit(const struct step *s)
{
	int proc = s->arg[0];

	if (s->op == OP_KILL)
		kill(pids[proc], SIGKILL);
	else
		order(proc, 0, OP_EXIT, s->arg);
	return bury(proc);
}
