// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, as far as there are any: what is set is found again, what is blocked
 * waits, what is ignored does nothing; all others end the task, `signals KIND`.
 * With every C library.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void handler(int sig)
{
	(void)sig;
	_exit(77);
}

static void test_actions(void)
{
	struct sigaction old, sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	unsigned char raw[32];
	unsigned int i, zeros = 0;

	memset(raw, 0xa5, sizeof(raw));
	ktap(!syscall(SYS_rt_sigaction, SIGUSR1, NULL, raw, 8), "rt_sigaction");
	for (i = 0; i < sizeof(raw); i++)
		zeros += !raw[i];
	ktap(zeros == sizeof(raw), "all of the old action is written");
	sigaddset(&sa.sa_mask, SIGTERM);
	memset(&old, 0xa5, sizeof(old));
	ktap(!sigaction(SIGUSR1, &sa, &old) && old.sa_handler == SIG_DFL,
	     "the default at first");
	ktap(!sigaction(SIGUSR1, NULL, &old) && old.sa_handler == handler &&
	     old.sa_flags & SA_RESTART && sigismember(&old.sa_mask, SIGTERM) &&
	     !sigismember(&old.sa_mask, SIGHUP), "what was set");
	ktap(signal(SIGUSR1, SIG_IGN) == handler &&
	     signal(SIGUSR1, SIG_DFL) == SIG_IGN, "signal()");
	ktap(fails(syscall(SYS_rt_sigaction, SIGKILL, raw, NULL, 8), EINVAL) &&
	     fails(syscall(SYS_rt_sigaction, 65, NULL, raw, 8), EINVAL) &&
	     fails(syscall(SYS_rt_sigaction, SIGHUP, NULL, raw, 4), EINVAL) &&
	     fails(syscall(SYS_rt_sigaction, SIGHUP, 8, NULL, 8), EFAULT) &&
	     fails(syscall(SYS_rt_sigaction, SIGHUP, NULL, 8, 8), EFAULT),
	     "bad arguments");
}

static void *other(void *arg)
{
	sigset_t *set = arg;

	pthread_sigmask(SIG_BLOCK, NULL, set);
	return NULL;
}

static void test_masks(void)
{
	sigset_t set, old, empty;
	pthread_t t;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGKILL);
	ktap(!sigprocmask(SIG_BLOCK, &set, &old) && !sigismember(&old, SIGUSR2),
	     "nothing blocked at first");
	memset(&old, 0xa5, sizeof(old));
	ktap(!sigprocmask(SIG_BLOCK, NULL, &old) && sigismember(&old, SIGUSR2) &&
	     !sigismember(&old, SIGKILL) && !sigismember(&old, SIGINT),
	     "what was blocked, less what cannot be");
	memset(&old, 0, sizeof(old));
	ktap(!pthread_create(&t, NULL, other, &old) && !pthread_join(t, NULL) &&
	     sigismember(&old, SIGUSR2) && !sigismember(&old, SIGINT),
	     "a thread inherits it");
	ktap(!raise(SIGUSR2) && !sigpending(&old) && sigismember(&old, SIGUSR2),
	     "a blocked signal waits");
	signal(SIGUSR2, SIG_IGN);
	ktap(!sigprocmask(SIG_SETMASK, &empty, NULL) && !sigpending(&old) &&
	     !sigismember(&old, SIGUSR2), "until it is not blocked");
	ktap(fails(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8), EINVAL) &&
	     fails(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL) &&
	     fails(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8), EFAULT),
	     "bad arguments for masks");
	/* It is unblocked, whatever becomes of the old mask. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	ktap(fails(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, 8, 8), EFAULT) &&
	     !sigpending(&old) && !sigismember(&old, SIGUSR2),
	     "a bad place for the old mask keeps no signal back");
}

static void test_others(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 }, old;
	const unsigned char *raw = (unsigned char *)&old;
	unsigned int i, left = 0;
	char name[250];

	/* What the kernel has on its stack then. */
	memset(name, 0xa5, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	access(name, F_OK);
	memset(&old, 0xa5, sizeof(old));
	ktap(!sigaltstack(NULL, &old) && old.ss_flags == SS_DISABLE && !old.ss_size,
	     "no stack for signals");
	for (i = 0; i < sizeof(old); i++)
		left += raw[i] != 0;
	ktap(left == 1, "nothing else of the kernel's is told");
	ktap(!sigaltstack(&stack, NULL) && !sigaltstack(NULL, &old) &&
	     old.ss_sp == stack.ss_sp && old.ss_size == 65536 && !old.ss_flags,
	     "the one that was set");
	ktap(!kill(getpid(), 0) && fails(kill(1, 0), ESRCH) &&
	     fails(kill(getpid(), 65), EINVAL), "kill");
	ktap(!raise(SIGCHLD) && !raise(SIGWINCH), "signals without an effect");
	signal(SIGPIPE, SIG_IGN);
	ktap(!raise(SIGPIPE), "an ignored signal");
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	if (!strcmp(kind, "default"))
		return raise(SIGTERM);
	if (!strcmp(kind, "handler")) {
		signal(SIGUSR1, handler);
		return raise(SIGUSR1);
	}
	test_actions();
	test_masks();
	test_others();
	return ktap_end();
}
