// SPDX-License-Identifier: GPL-2.0
/* The control socket. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "report.h"

/* Nobody keeps a place for longer. */
#define CLIENT_MS	5000
#define CLOSED_MS	1000

static int take_lock(const char *path)
{
	char name[PATH_MAX];
	int fd, ret;

	if (snprintf(name, sizeof(name), "%s.lock", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return ret;
}

static int make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int fd, ret = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	/* Of a daemon that was killed; we have its lock. */
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Others than our user and group never can connect, not even at first. */
	mask = umask(0117);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		ret = -errno;
	umask(mask);
	if (!ret && listen(fd, CONTROL_CLIENTS))
		ret = -errno;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int control_open(struct control *c, const char *path)
{
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		c->clients[i] = (struct control_client){ .fd = -1 };
	c->fd = -1;
	c->lock = -1;
	if (!path)
		return 0;
	c->lock = take_lock(path);
	if (c->lock < 0)
		return c->lock;
	c->fd = make_socket(path);
	return c->fd < 0 ? c->fd : 0;
}

static void leave(struct control_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->answer);
	*client = (struct control_client){ .fd = -1 };
}

void control_close(struct control *c, const char *path)
{
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		leave(&c->clients[i]);
	if (c->fd >= 0) {
		close(c->fd);
		unlink(path);
	}
	/* The lock's file stays: without it, two could have locked one each. */
	if (c->lock >= 0)
		close(c->lock);
	c->fd = -1;
	c->lock = -1;
}

static bool full(const struct control *c)
{
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd < 0)
			return false;
	return true;
}

size_t control_poll(const struct control *c, struct pollfd *fds, int64_t now)
{
	size_t n = 0, i;

	if (c->fd >= 0 && now >= c->closed_until && !full(c))
		fds[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0)
			fds[n++] = (struct pollfd){
				.fd = c->clients[i].fd,
				.events = c->clients[i].answer ? POLLOUT : POLLIN,
			};
	return n;
}

int64_t control_timeout(const struct control *c, int64_t now)
{
	int64_t due = INT64_MAX;
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0 && c->clients[i].deadline < due)
			due = c->clients[i].deadline;
	if (due == INT64_MAX)
		return due;
	return due > now ? due - now : 0;
}

static void accept_all(struct control *c, int64_t now)
{
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd >= 0)
			continue;
		client->fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client->fd < 0) {
			/* No descriptors: who waits would wake us again and again. */
			if (errno != EAGAIN)
				c->closed_until = now + CLOSED_MS;
			return;
		}
		client->deadline = now + CLIENT_MS;
	}
}

/* Returns false if it is to leave. */
static bool read_line(struct control_client *client, const struct daemon *d)
{
	ssize_t n = recv(client->fd, client->line + client->len,
			 sizeof(client->line) - 1 - client->len, 0);
	char *end;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	client->len += n;
	client->line[client->len] = '\0';
	end = strchr(client->line, '\n');
	if (!end)
		return client->len < sizeof(client->line) - 1;
	*end = '\0';
	if (!strcmp(client->line, "status"))
		client->answer = report_status(d);
	else if (!strcmp(client->line, "metrics"))
		client->answer = report_metrics(d);
	if (!client->answer)
		return false;
	client->size = strlen(client->answer);
	return true;
}

static bool write_answer(struct control_client *client)
{
	ssize_t n = send(client->fd, client->answer + client->pos, client->size - client->pos,
			 MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->pos += n;
	return client->pos < client->size;
}

void control_work(struct control *c, const struct daemon *d, int64_t now)
{
	size_t i;

	if (c->fd < 0)
		return;
	if (now >= c->closed_until)
		accept_all(c, now);
	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &c->clients[i];
		bool stays = now < client->deadline;

		if (client->fd < 0)
			continue;
		if (stays && !client->answer)
			stays = read_line(client, d);
		if (stays && client->answer)
			stays = write_answer(client);
		if (!stays)
			leave(client);
	}
}
