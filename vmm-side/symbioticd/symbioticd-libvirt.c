// SPDX-License-Identifier: GPL-2.0
/*
 * symbioticd-libvirt: libvirt's QEMUs for symbioticd. libvirt keeps their monitors to
 * itself; its API passes commands on. So each running domain gets a socket here, in the
 * daemon's directory, that speaks as much QMP as the daemon needs. A process of its own,
 * since a call of libvirt's waits for as long as its QEMU likes, and the daemon for nobody.
 *
 * A socket stays as long as its domain runs, also while libvirt is away: the daemon then
 * finds it silent, and not gone, whose memory others could have.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "relay.h"

/* Between two looks at which domains there are. */
#define LOOK_SECONDS	2
/* A client that says nothing leaves room for others. */
#define CLIENT_SECONDS	10
/* How late a domain's thread may see that it is over. */
#define WAIT_MS		500

/*
 * One that runs. Its thread frees it, when @over is set.
 */
struct domain {
	struct domain *next;
	char uuid[VIR_UUID_STRING_BUFLEN];
	int id;			/* of this run: another run is another QEMU */
	int fd;			/* listens */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool seen;		/* at this look; the main thread's, as @next is */
	bool over;
};

static virConnectPtr connection;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* of @connection */
static struct domain *domains;
static volatile sig_atomic_t ending;

static const char help[] =
"NAME\n"
"    symbioticd-libvirt - libvirt's guests for symbioticd\n"
"\n"
"SYNOPSIS\n"
"    symbioticd-libvirt [-c URI] DIRECTORY\n"
"\n"
"DESCRIPTION\n"
"    For each running domain, makes a socket UUID.qmp in DIRECTORY, the one that is\n"
"    symbioticd's. libvirt then calls the domain tainted (custom-monitor), as somebody\n"
"    else has a hand in it.\n"
"\n"
"OPTIONS\n"
"    -c URI   which libvirt (qemu:///system)\n"
"    -h       show this text\n";

static void say(const char *what, const char *why)
{
	fprintf(stderr, "symbioticd-libvirt: %s: %s\n", what, why);
}

/* What libvirt has to complain of we say once, in our words. */
static void be_quiet(void *opaque, virErrorPtr error)
{
	(void)opaque;
	(void)error;
}

/* Returns one more reference, or NULL while there is none. */
static virConnectPtr get_connection(void)
{
	virConnectPtr conn;

	pthread_mutex_lock(&lock);
	conn = connection;
	if (conn && virConnectRef(conn))
		conn = NULL;
	pthread_mutex_unlock(&lock);
	return conn;
}

static char *ask(void *opaque, const char *command)
{
	struct domain *d = opaque;
	virConnectPtr conn = get_connection();
	virDomainPtr dom;
	char *reply = NULL;

	if (!conn)
		return NULL;
	dom = virDomainLookupByUUIDString(conn, d->uuid);
	/* Not one that was started since: the daemon knows nothing of that yet. */
	if (dom && (int)virDomainGetID(dom) == d->id &&
	    virDomainQemuMonitorCommand(dom, command, &reply, 0) < 0)
		reply = NULL;
	if (dom)
		virDomainFree(dom);
	virConnectClose(conn);
	return reply;
}

static bool send_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

/* Returns false if the client should leave. */
static bool answer_line(struct domain *d, int fd, const char *line)
{
	char *answer = relay_answer(line, ask, d);
	bool sent = answer && send_all(fd, answer);

	free(answer);
	return sent;
}

static void serve(struct domain *d, int fd)
{
	struct timeval limit = { .tv_sec = CLIENT_SECONDS };
	char buffer[RELAY_MAX_BYTES + 1], *end;
	size_t len = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!send_all(fd, RELAY_GREETING))
		return;
	while (len < RELAY_MAX_BYTES && !__atomic_load_n(&d->over, __ATOMIC_ACQUIRE)) {
		ssize_t n = recv(fd, buffer + len, RELAY_MAX_BYTES - len, 0);

		if (n <= 0)
			return;
		len += n;
		while ((end = memchr(buffer, '\n', len))) {
			*end = '\0';
			if (!answer_line(d, fd, buffer))
				return;
			len -= end + 1 - buffer;
			memmove(buffer, end + 1, len);
		}
	}
}

static void *domain_thread(void *opaque)
{
	struct domain *d = opaque;

	while (!__atomic_load_n(&d->over, __ATOMIC_ACQUIRE)) {
		struct pollfd listener = { .fd = d->fd, .events = POLLIN };
		int fd;

		if (poll(&listener, 1, WAIT_MS) <= 0)
			continue;
		fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			serve(d, fd);
			close(fd);
		} else {
			/* No descriptors, perhaps: not again at once. */
			poll(NULL, 0, WAIT_MS);
		}
	}
	close(d->fd);
	free(d);
	return NULL;
}

/* Its thread sees it when it comes back from what it does; nobody waits for that. */
static void end_domain(struct domain *d)
{
	unlink(d->path);
	__atomic_store_n(&d->over, true, __ATOMIC_RELEASE);
}

/*
 * It gets its name when somebody listens, in place of one that is left of a process before
 * us: the daemon looks at once when something changes, and no socket is a guest that is gone.
 * What begins with a dot it does not look at.
 */
static bool make_socket(struct domain *d, const char *directory)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	bool bound;

	/* Shorter than the other one. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.%s", directory, d->uuid);
	unlink(addr.sun_path);
	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		return false;
	mask = umask(0117);
	bound = !bind(d->fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (bound && !listen(d->fd, 1) && !rename(addr.sun_path, d->path))
		return true;
	if (bound)
		unlink(addr.sun_path);
	close(d->fd);
	return false;
}

static void begin_domain(const char *directory, const char *uuid, int id)
{
	struct domain *d = calloc(1, sizeof(*d));
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!d) {
		say(uuid, strerror(ENOMEM));
		return;
	}
	memcpy(d->uuid, uuid, sizeof(d->uuid));
	d->id = id;
	d->seen = true;
	/* main() has seen to it that there is room. */
	snprintf(d->path, sizeof(d->path), "%s/%s.qmp", directory, uuid);
	if (!make_socket(d, directory)) {
		say(d->path, strerror(errno));
		free(d);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, domain_thread, d);
	pthread_attr_destroy(&attr);
	if (ret) {
		say(uuid, strerror(ret));
		unlink(d->path);
		close(d->fd);
		free(d);
		return;
	}
	d->next = domains;
	domains = d;
}

static struct domain *find(const char *uuid, int id)
{
	struct domain *d;

	for (d = domains; d; d = d->next)
		if (d->id == id && !strcmp(d->uuid, uuid))
			return d;
	return NULL;
}

static void end_unseen(void)
{
	struct domain **p = &domains, *d;

	while ((d = *p)) {
		if (d->seen) {
			p = &d->next;
			continue;
		}
		*p = d->next;
		end_domain(d);
	}
}

/* Returns false if libvirt does not say which there are; then all stays as it was. */
static bool look(virConnectPtr conn, const char *directory)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	virDomainPtr *list = NULL;
	struct domain *d;
	int n, i, id;

	n = virConnectListAllDomains(conn, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0)
		return false;
	for (d = domains; d; d = d->next)
		d->seen = false;
	for (i = 0; i < n; i++) {
		id = virDomainGetID(list[i]);
		d = virDomainGetUUIDString(list[i], uuid) ? NULL : find(uuid, id);
		if (d)
			d->seen = true;
	}
	/* First: the next run of one has the same name. */
	end_unseen();
	for (i = 0; i < n; i++) {
		id = virDomainGetID(list[i]);
		/* It may have ended since. */
		if (id >= 0 && !virDomainGetUUIDString(list[i], uuid) && !find(uuid, id))
			begin_domain(directory, uuid, id);
		virDomainFree(list[i]);
	}
	free(list);
	return true;
}

static void set_connection(virConnectPtr conn)
{
	virConnectPtr old;

	pthread_mutex_lock(&lock);
	old = connection;
	connection = conn;
	pthread_mutex_unlock(&lock);
	if (old)
		virConnectClose(old);
}

static void run(const char *uri, const char *directory)
{
	bool told = false;

	while (!ending) {
		virConnectPtr conn = get_connection();

		if (!conn) {
			conn = virConnectOpen(uri);
			if (conn && !virConnectRef(conn))
				set_connection(conn);
		}
		if (conn && look(conn, directory)) {
			told = false;
		} else {
			if (!told)
				say(uri, "libvirt does not answer; its guests are silent");
			told = true;
			set_connection(NULL);
		}
		if (conn)
			virConnectClose(conn);
		if (!ending)
			sleep(LOOK_SECONDS);
	}
}

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = end };
	const char *uri = "qemu:///system";
	struct sockaddr_un addr;
	int opt;

	while ((opt = getopt(argc, argv, "c:h")) != -1) {
		switch (opt) {
		case 'c':
			uri = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return fflush(stdout) ? 1 : 0;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "symbioticd-libvirt: which directory? Try -h\n");
		return 2;
	}
	if (strlen(argv[optind]) + strlen("/.qmp") + VIR_UUID_STRING_BUFLEN >
	    sizeof(addr.sun_path)) {
		fprintf(stderr, "symbioticd-libvirt: the name of the directory is too long\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	virSetErrorFunc(NULL, be_quiet);
	run(uri, argv[optind]);
	/* Threads may be anywhere; the sockets stay, and nobody listens there any more. */
	_exit(0);
}
