// SPDX-License-Identifier: GPL-2.0
/* A guest: its socket, the conversation there, and what is known of who answers. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest.h"
#include "minmax.h"
#include "text.h"

/* Read at a time, before others have their turn. */
#define GUEST_READ_BYTES	(16 << 10)

struct guest *guest_new(const char *path)
{
	struct guest *g = calloc(1, sizeof(*g));
	/* A byte may become \x and two digits. */
	size_t size = 4 * strlen(path) + 1;

	if (!g)
		return NULL;
	g->fd = -1;
	g->path = strdup(path);
	g->name = malloc(size);
	if (!g->path || !g->name) {
		guest_free(g);
		return NULL;
	}
	text_escape(g->name, size, path, strlen(path));
	guest_forget(g);
	return g;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	guest_close(g);
	free(g->path);
	free(g->name);
	free(g);
}

void guest_forget(struct guest *g)
{
	guest_close(g);
	g->present = false;
	g->answered = false;
	g->silent = false;
	g->late = false;
	g->no_grants = false;
	g->ours = false;
	g->counted = false;
	g->planned = false;
	g->info = (struct qmp_info){ };
	g->grant = QMP_GRANT_ALL;
	g->peak = 0;
	g->given = 0;
	g->want = 0;
	g->want_used = false;
	g->grows = false;
	g->growth = (struct policy_growth){ };
	g->target = 0;
	g->keeps_cold = 0;
	g->refused = 0;
	g->cold = 0;
	g->reason = POLICY_SAME;
	g->skip = 0;
	guest_keeps_to_grant(g);
	g->error[0] = '\0';
}

void guest_close(struct guest *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	g->task = GUEST_NO_TASK;
	qmp_end(&g->qmp);
}

/*
 * Through /proc: a path may be longer than an address of a socket, and what is looked at
 * is what is connected to.
 */
static enum guest_found connect_to(int fd, int file, int *error)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return GUEST_OPEN;
	*error = errno;
	/* Nobody listens, or this is no socket. All else does not say that nobody is there. */
	return errno == ECONNREFUSED ? GUEST_GONE : GUEST_DEAF;
}

/*
 * A QEMU can end and another one begin between two looks. A number alone is not enough:
 * file systems use those of inodes again, and kernels those of processes.
 */
static void look_who(struct guest *g, int fd, int file)
{
	struct ucred peer = { };
	socklen_t len = sizeof(peer);
	struct stat st;

	if (fstat(file, &st) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return;
	if (st.st_dev != g->device || st.st_ino != g->inode || peer.pid != g->pid)
		guest_forget(g);
	g->device = st.st_dev;
	g->inode = st.st_ino;
	g->pid = peer.pid;
}

/*
 * Nobody listens: its QEMU has ended without a word; or who stands for it, as for libvirt's
 * guests, has crashed, and will be there again in a moment, while the QEMU has what it has.
 */
static enum guest_found refused(struct guest *g, int64_t now, int64_t patience)
{
	if (!g->refused)
		g->refused = now;
	return g->present && now - g->refused < patience ? GUEST_DEAF : GUEST_GONE;
}

enum guest_found guest_open(struct guest *g, int64_t now, int64_t patience)
{
	/* Links lead where who may write to the directory wants. */
	int file = open(g->path, O_PATH | O_CLOEXEC | (g->named ? 0 : O_NOFOLLOW));
	enum guest_found found = GUEST_DEAF;
	int error = errno, fd = -1;

	g->looked = true;
	if (file < 0) {
		if (error == ENOENT || error == ENOTDIR)
			found = GUEST_GONE;
	} else {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		error = errno;
		if (fd >= 0)
			found = connect_to(fd, file, &error);
		if (found == GUEST_OPEN)
			look_who(g, fd, file);
		if (found == GUEST_GONE)
			found = refused(g, now, patience);
		else
			g->refused = 0;
		close(file);
	}
	if (found == GUEST_OPEN) {
		g->fd = fd;
		g->task = GUEST_ASK;
		g->asked = now;
		g->deadline = now + patience;
		qmp_start(&g->qmp);
		return found;
	}
	if (fd >= 0)
		close(fd);
	snprintf(g->error, sizeof(g->error), "%s",
		 error == EAGAIN ? "others are waiting there, too" : strerror(error));
	return found;
}

void guest_send_grant(struct guest *g, uint64_t pages, int64_t now, int64_t patience)
{
	g->task = GUEST_GRANT;
	g->asked_grant = pages;
	g->asked = now;
	g->deadline = now + patience;
	qmp_grant(&g->qmp, pages);
}

void guest_send_page_out(struct guest *g, uint64_t pages, int64_t now, int64_t patience)
{
	g->task = GUEST_PAGE_OUT;
	g->asked = now;
	g->deadline = now + patience;
	qmp_page_out(&g->qmp, pages);
}

short guest_events(const struct guest *g)
{
	return POLLIN | (g->qmp.out_pos < g->qmp.out_len ? POLLOUT : 0);
}

/* One that it is being told may be in force at any moment. */
static uint64_t grant_at_most(const struct guest *g)
{
	return g->task == GUEST_GRANT && g->asked_grant > g->grant ? g->asked_grant : g->grant;
}

void guest_failed(struct guest *g, const char *error)
{
	if (error != g->error)
		snprintf(g->error, sizeof(g->error), "%s", error);
	/* It has the old one or the new one, and only who is asked again knows. */
	g->grant = grant_at_most(g);
	g->silent = true;
	g->answered = false;
	g->planned = false;
	g->failures++;
	guest_close(g);
}

static enum qmp_event fail(struct guest *g, const char *error)
{
	guest_failed(g, error);
	return QMP_ERROR;
}

/* Returns false if there is nobody to take it. */
static bool send_more(struct guest *g)
{
	struct qmp *q = &g->qmp;

	while (q->out_pos < q->out_len) {
		ssize_t n = send(g->fd, q->out + q->out_pos, q->out_len - q->out_pos,
				 MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		q->out_pos += n;
	}
	return true;
}

/* Its numbers have come. Returns false if they cannot be. */
static bool learn(struct guest *g)
{
	const struct qmp_info *i = &g->qmp.info;

	/* It is the same QEMU, so this is not so, and what it was granted it has. */
	if (g->ours && !i->has_grants)
		return false;
	g->answered = true;
	g->silent = false;
	g->error[0] = '\0';
	g->info = *i;
	g->no_grants = !i->has_grants;
	if (g->no_grants)
		return true;
	/* Another VM, or somebody else has a hand in it. */
	if (!g->ours || i->grant != g->grant) {
		g->grant = i->grant;
		g->ours = false;
		g->peak = i->in_place;
		/* No limit is no grant. */
		g->given = g->grant > POLICY_MAX_PAGES ? 0 : g->grant;
	} else {
		g->peak = max_u64(g->grant, min_u64(g->peak, i->in_place));
		g->given = max_u64(g->grant, min_u64(g->given, i->in_place));
	}
	if (g->want_used)
		g->want = 0;
	g->want_used = false;
	if (g->counted) {
		/* Less than before: the guest has booted again. */
		uint64_t more = i->wanted - (i->wanted >= g->wanted ? g->wanted : 0);

		g->want = g->want + more < more ? UINT64_MAX : g->want + more;
	}
	g->wanted = i->wanted;
	g->counted = true;
	return true;
}

static enum qmp_event happened(struct guest *g, enum qmp_event event)
{
	switch (event) {
	case QMP_READY:
		qmp_ask(&g->qmp);
		return send_more(g) ? QMP_NOTHING : fail(g, "QEMU has closed the connection");
	case QMP_INFO:
		if (!learn(g))
			return fail(g, "it says to have no grants any more");
		break;
	case QMP_GRANTED:
		g->peak = max_u64(g->peak, max_u64(g->asked_grant, g->ours ? g->grant : 0));
		g->given = max_u64(g->given, g->asked_grant);
		g->grant = g->asked_grant;
		g->ours = true;
		g->changes++;
		break;
	case QMP_PAGED_OUT:
		g->cold = g->qmp.cold;
		break;
	case QMP_REFUSED:
		/*
		 * An older QEMU, a window that cannot be paged out, or a look that has
		 * failed, which it does most when memory is short: nothing depends on it.
		 */
		if (g->task == GUEST_PAGE_OUT) {
			g->keeps_cold = GUEST_ROUNDS_COLD;
			event = QMP_PAGED_OUT;
			break;
		}
		/* It may say no and do it. */
		g->grant = grant_at_most(g);
		snprintf(g->error, sizeof(g->error), "QEMU says: %.140s", g->qmp.error);
		break;
	case QMP_ERROR:
		return fail(g, g->qmp.error);
	default:
		return event;
	}
	g->task = GUEST_NO_TASK;
	return event;
}

enum qmp_event guest_io(struct guest *g)
{
	enum qmp_event result = QMP_NOTHING, event;
	char data[GUEST_READ_BYTES];
	size_t pos = 0, used;
	ssize_t n;

	n = recv(g->fd, data, sizeof(data), 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return fail(g, strerror(errno));
	if (n == 0)
		return fail(g, "QEMU has closed the connection");
	/* Also what is behind an answer: a part of an event, whose rest is to come. */
	while (n > 0 && pos < (size_t)n) {
		event = happened(g, qmp_feed(&g->qmp, data + pos, n - pos, &used));
		pos += used;
		if (event == QMP_ERROR)
			return event;
		if (event != QMP_NOTHING)
			result = event;
	}
	if (!send_more(g))
		return fail(g, "QEMU has closed the connection");
	return result;
}

void guest_keeps_to_grant(struct guest *g)
{
	g->over_since = 0;
	g->over_from = 0;
	g->stubborn = false;
}

bool guest_for_policy(const struct guest *g, struct policy_guest *p)
{
	if (!g->present || g->no_grants)
		return false;
	*p = (struct policy_guest){
		.state = g->planned ? POLICY_ANSWERED : g->ours ? POLICY_SILENT : POLICY_UNKNOWN,
		.grant = grant_at_most(g),
		.in_place = min_u64(g->info.in_place, g->peak),
		.hot = g->info.hot,
		.want = g->want,
		.grows = g->grows,
		.target = g->target,
	};
	return true;
}
