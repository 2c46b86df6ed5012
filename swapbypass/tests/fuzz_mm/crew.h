/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: the processes of a program, and threads that do what might never end.
 *
 * A text says what is wrong, and is NULL otherwise; two of them say something else.
 */
#ifndef FUZZ_MM_CREW_H
#define FUZZ_MM_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "program.h"
#include "worker.h"

#define MAX_JOBS	4

/* The step was not done, since it could not be judged. */
extern const char *const left_out;
/* There was no memory: nothing can be said of the rest. */
extern const char *const give_up;

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

extern struct mail *mail;
extern pid_t pids[NR_PROCS];
extern bool helpers[NR_PROCS];	/* it has its second thread */
extern bool hopeless;		/* something hangs */
extern struct job jobs[MAX_JOBS];
extern long kills;		/* by the kernel, before the program */

/* What a job is, for job_start(). */
void job_step(struct job *job);
void job_restore(struct job *job);

void job_start(struct job *job, void (*fn)(struct job *job), const struct step *s, pid_t pid);
/* False if it does not end. */
bool job_join(struct job *job);
/* The end of a step of the machine, if there is one. */
const char *join_job(struct job *job);

void gone(int proc);
/* Waits for the end of a process that has been told to. */
const char *wait_for_end(int proc);
/* And it is gone. */
const char *bury(int proc);
void order(int proc, int thread, int what, const int *arg);
/* NULL if the process has done it; *@ret is what it came to. */
const char *ask(const struct step *s, long *ret);
const char *join_helper(int proc);
/* Has the kernel killed it for memory? Then what others wanted of it has failed, too. */
bool was_killed(int proc);
/* All helpers, and all jobs. */
const char *join_all(void);
/* Another thread of the process does it, and what it comes to does not matter. */
const char *meanwhile(const struct step *s);
/* What a step that came to @ret is. */
const char *failed(const struct step *s, long ret);

#endif /* FUZZ_MM_CREW_H */
