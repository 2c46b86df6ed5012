// SPDX-License-Identifier: GPL-2.0
/*
 * What the programs share whose cases do one thing to some swapped-out pages.
 */
#include <errno.h>
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

	printf("VIOLATED ");
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
