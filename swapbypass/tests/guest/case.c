// SPDX-License-Identifier: GPL-2.0
/*
 * What the programs share whose cases do one thing to some swapped-out pages.
 */
#include <errno.h>
#include <ktap.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "common.h"

size_t npages = 64;

void violated(const char *fmt, ...)
{
	va_list ap;

	printf("# violated: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(TEST_VIOLATED);
}

size_t len(void)
{
	return npages * PAGE;
}

void fill(char *p, uint64_t id, uint64_t seq)
{
	size_t i;

	for (i = 0; i < npages; i++)
		page_fill(p + i * PAGE, id + i, seq);
}

void verify(const char *what, const char *p, uint64_t id, uint64_t seq)
{
	const uint64_t *w;
	size_t i;
	long off;

	for (i = 0; i < npages; i++) {
		off = page_check(p + i * PAGE, id + i, seq);
		if (off < 0)
			continue;
		w = (const uint64_t *)(p + i * PAGE);
		violated("%s: page %zu of id %lx seq %lu is wrong at byte %ld (has id %lx seq %lu)",
			 what, i, id, seq, off, w[0], w[1]);
	}
}

void must_page_out(char *p)
{
	if (!page_out(p, len()))
		setup_error("could not page out: %zu of %zu pages are",
			    pages_swapped(p, len()), npages);
}

char *swapped_out(uint64_t id)
{
	size_t room = (4UL << 20) + 2 * len();
	char *all = anon_map(room), *p;

	/* Start inside a 2 MiB range, not at its border. */
	p = (char *)(((uintptr_t)all + (2UL << 20)) & ~((2UL << 20) - 1));
	p += 64 * PAGE;
	p[-(long)PAGE] = 1;
	fill(p, id, 1);
	must_page_out(p);
	return p;
}

void join_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status))
		violated("child died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
}

pid_t must_fork(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		setup_error("fork: %s", strerror(errno));
	return pid;
}

void baton_init(struct baton *b)
{
	if (pipe(b->fd[0]) || pipe(b->fd[1]))
		setup_error("pipe: %s", strerror(errno));
}

void baton_pass(struct baton *b, int who)
{
	if (write(b->fd[who][1], "x", 1) != 1)
		setup_error("pipe write: %s", strerror(errno));
}

void baton_wait(struct baton *b, int who)
{
	char c;

	/* The other side is gone: its status says why. */
	close(b->fd[who][1]);
	if (read(b->fd[who][0], &c, 1) != 1)
		_exit(TEST_VIOLATED);
}

/* ---- Tables of cases ------------------------------------------------------ */

/* Calls @fn for each case that is wanted; returns how many these are. */
static unsigned int for_each(const struct suite *s, char **names,
			     void (*fn)(const struct suite *s, const struct test_case *c))
{
	const struct test_case *const *table, *c;
	unsigned int n = 0;

	for (table = s->tables; *table; table++) {
		for (c = *table; c->name; c++) {
			bool wanted = !*names && !c->special;
			char **name;

			for (name = names; *name; name++)
				wanted |= !strcmp(*name, c->name);
			n += wanted;
			if (wanted && fn)
				fn(s, c);
		}
	}
	return n;
}

const struct test_case *suite_find(const struct suite *s, const char *name)
{
	const struct test_case *const *table, *c;

	for (table = s->tables; *table; table++)
		for (c = *table; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	setup_error("no case %s", name);
}

int suite_list(const struct suite *s)
{
	const struct test_case *const *table, *c;

	for (table = s->tables; *table; table++)
		for (c = *table; c->name; c++)
			printf("%-14s %s%s\n", c->name, c->what,
			       c->special ? " (only if named)" : "");
	return TEST_OK;
}

/* The case in a process of its own; @timeout: that did not end. */
static int run_child(const struct suite *s, const struct test_case *c,
		     unsigned int seconds, bool *timeout)
{
	int status, ret;
	pid_t pid;

	if (s->before)
		s->before();
	pid = must_fork();
	if (!pid) {
		setpgid(0, 0);
		alarm(seconds);
		c->fn();
		fflush(stdout);
		_exit(TEST_OK);
	}
	if (waitpid(pid, &status, 0) != pid)
		setup_error("waitpid: %s", strerror(errno));
	/* What a case that ended early has left behind. */
	kill(-pid, SIGKILL);
	*timeout = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
	ret = WIFSIGNALED(status) ? TEST_VIOLATED : WEXITSTATUS(status);
	if (*timeout)
		ret = TEST_SETUP;
	else if (WIFSIGNALED(status))
		printf("# died: %s\n", strsignal(WTERMSIG(status)));
	if (s->after)
		s->after();
	return ret;
}

static unsigned int count[3];

static void run(const struct suite *s, const struct test_case *c)
{
	bool timeout;
	int ret = run_child(s, c, s->seconds, &timeout);

	if (ret == TEST_OK && s->clear && !s->clear())
		ret = TEST_VIOLATED;
	count[ret < 3 ? ret : TEST_SETUP]++;
	ktap_directive(ret == TEST_OK, timeout ? "TIMEOUT" :
		       ret > TEST_VIOLATED ? "ERROR could not be tried" : NULL,
		       "%s: %s", c->name, c->what);
}

int suite_run(const struct suite *s, char **names)
{
	unsigned int wanted = for_each(s, names, NULL);

	if (!wanted)
		setup_error("no such case");
	ktap_plan(wanted + !!s->last);
	for_each(s, names, run);
	if (s->last)
		run(s, s->last);
	return count[TEST_VIOLATED] ? TEST_VIOLATED : count[TEST_SETUP] ? TEST_SETUP : TEST_OK;
}

static bool as_wanted(const struct removal *r, int got)
{
	return r->want == NOTICED ? got != TEST_OK : got == r->want;
}

int suite_test(const struct suite *s, const struct removal *removals, char **names)
{
	const struct removal *r;
	int got = TEST_SETUP;
	unsigned int try;
	bool timeout;
	char **name;

	for (r = removals; r->name; r++) {
		bool wanted = !*names;

		for (name = names; *name; name++)
			wanted |= !strcmp(*name, r->name);
		if (!wanted)
			continue;
		for (try = 0; try < s->tries; try++) {
			s->skip(r->skip);
			got = run_child(s, suite_find(s, r->name), s->patience, &timeout);
			s->skip(0);
			if (s->clean)
				s->clean();
			if (as_wanted(r, got))
				break;
		}
		ktap(as_wanted(r, got), "%s without %s: %s", r->name, r->what,
		     got == TEST_OK ? "holds" : got == TEST_VIOLATED ? "is violated" :
		     timeout ? "does not end" : "cannot be tried");
	}
	if (!ktap_nr)
		setup_error("no such case");
	return ktap_end() ? TEST_VIOLATED : TEST_OK;
}
