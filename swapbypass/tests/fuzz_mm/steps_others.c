// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: steps by which another process or a pipe has the memory of one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "machine.h"
#include "model.h"
#include "probe.h"
#include "steps.h"

/* ---- Steps: others look ---------------------------------------------------- */

char *buffer;

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
	if (WIFSTOPPED(status))
		return NULL;
	gone(proc);
	return machine_kills() != kills ? give_up : say("process %d died while traced", proc);
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
		/* Not even who traces it writes to what it must not, and others have. */
		if (write && m[i].share && m[i].prot < P_RW)
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

	/* The buffer is as it was. */
	if (worker_forgets == (write ? OP_POKE : OP_PEEK))
		return count * (long)PAGE;
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

const char *step_peek(const struct step *s)
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

const char *step_poke(const struct step *s)
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
const char *step_advise_other(const struct step *s)
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

const char *step_splice(const struct step *s)
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

const char *drain(int pipe, unsigned int nr)
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

const char *step_drain(const struct step *s)
{
	return model.pipe[s->arg[0]].nr ? drain(s->arg[0], s->arg[1]) : left_out;
}

const char *step_tee(const struct step *s)
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

/* From one pipe to another, which has them then. */
const char *step_pass(const struct step *s)
{
	const int *a = s->arg;
	ssize_t ret;

	if (a[0] == a[1] || !model.pipe[a[0]].nr)
		return left_out;
	ret = splice(PIPE_FD + 2 * a[0], NULL, PIPE_FD + 2 * a[1] + 1, NULL, a[2] * PAGE,
		     SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (ret < 0)
		return errno == EAGAIN ? NULL : say("pass: %s", strerror(errno));
	pipe_tee(a[0], a[1], ret / PAGE);
	pipe_drop(a[0], ret / PAGE);
	return NULL;
}

/* Into a file. */
const char *step_pour(const struct step *s)
{
	int pipe = s->arg[0], nr = s->arg[1], i;
	const char *text = NULL;
	struct page_seen seen;
	off64_t at = 0;
	ssize_t ret;

	if (!model.pipe[pipe].nr)
		return left_out;
	if (nr > (int)model.pipe[pipe].nr)
		nr = model.pipe[pipe].nr;
	ret = splice(PIPE_FD + 2 * pipe, NULL, FILE_FD, &at, nr * PAGE, SPLICE_F_NONBLOCK);
	if (ret <= 0 || ret % PAGE)
		return say("pour: %zd (%s) of %d pages", ret, strerror(errno), nr);
	nr = ret / PAGE;
	for (i = 0; !text && i < nr; i++) {
		if (pread(FILE_FD, buffer, PAGE, i * PAGE) != (ssize_t)PAGE)
			return say("pour: %s", strerror(errno));
		look_at(buffer, &seen);
		text = pipe_check(pipe, i, &seen);
	}
	pipe_drop(pipe, nr);
	return text;
}

const char *step_direct(const struct step *s)
{
	const int *a = s->arg;
	const char *text;
	long ret;

	if (!model_in_arena(a[3], a[2]) || overlap(a[1], a[3], a[2]) ||
	    !model_allows(a[0], a[1], a[2], P_R) || !model_allows(a[0], a[3], a[2], P_RW))
		return left_out;
	text = ask(s, &ret) ?: failed(s, ret);
	if (!text)
		model_copy(a[0], a[1], a[2], a[3]);
	return text;
}
