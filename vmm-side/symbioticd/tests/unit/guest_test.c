// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of guest.c, with QEMUs behind real sockets: what becomes of a guest when its
 * QEMU is silent, slow, leaves in the middle, or is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <ktap.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest.h"

#define HELLO	"{\"QMP\": {}}\r\n"
#define READY	"{\"return\": {}, \"id\": 1}\r\n"
#define INFO(grant, wanted) USING(grant, 50, wanted)
#define USING(grant, used, wanted) \
	"{\"return\": {\"features\": 16, \"swap-grant\": " #grant ", \"swap-in-place\": " #used \
	", \"swap-hot\": 5, \"swap-wanted\": " #wanted "}, \"id\": 2}\r\n"

static char base[64];
static struct guest *g;
static int server = -1, peer = -1;

static const char *path_of(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void listen_at(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (server >= 0)
		close(server);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_of(name));
	unlink(addr.sun_path);
	if (bind(server, (struct sockaddr *)&addr, sizeof(addr)) || listen(server, 1))
		exit(2);
}

static void leave(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static void say(const char *text)
{
	if (send(peer, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		exit(2);
}

static enum guest_found open_guest(void)
{
	enum guest_found found;

	leave();
	guest_close(g);
	found = guest_open(g, 0, 1000);
	if (found == GUEST_OPEN) {
		g->present = true;
		peer = accept(server, NULL, NULL);
	}
	return found;
}

/* Goes on until something has happened, or there is nothing more to read. */
static enum qmp_event go_on(void)
{
	struct pollfd pfd = { .fd = g->fd, .events = POLLIN };
	enum qmp_event event = QMP_NOTHING;

	while (g->fd >= 0 && event == QMP_NOTHING && poll(&pfd, 1, 20) > 0)
		event = guest_io(g);
	return event;
}

static enum qmp_event answer(const char *info)
{
	if (open_guest() != GUEST_OPEN)
		return QMP_ERROR;
	say(HELLO);
	go_on();
	say(READY);
	go_on();
	say(info);
	return go_on();
}

static void begin(void)
{
	guest_free(g);
	listen_at("qmp");
	g = guest_new(path_of("qmp"));
}

static void honest(void)
{
	struct policy_guest p;

	begin();
	ktap(!guest_for_policy(g, &p), "unheard of, it has no part");
	ktap(answer(INFO(100, 7)) == QMP_INFO && g->answered && g->grant == 100 && !g->ours &&
	     g->want == 0, "the first answer: its grant is found, it wants nothing yet");
	ktap(guest_for_policy(g, &p) && p.state == POLICY_UNKNOWN, "not ours yet");
	guest_send_grant(g, 80, 0, 1000);
	guest_io(g);
	say("{\"return\": {}, \"id\": 3}");
	ktap(go_on() == QMP_GRANTED && g->ours && g->grant == 80, "told, it is ours");
	ktap(answer(INFO(80, 10)) == QMP_INFO && g->ours && g->want == 3, "what it wants now");
	ktap(answer(INFO(80, 11)) == QMP_INFO && g->want == 4, "which adds up until it is used");
	g->want_used = true;
	ktap(answer(INFO(80, 2)) == QMP_INFO && g->want == 2, "a counter that begins anew");
	ktap(answer("{\"return\": {\"features\": 0}, \"id\": 2}") == QMP_ERROR && g->fd < 0 &&
	     guest_for_policy(g, &p) && p.state == POLICY_SILENT && p.grant == 80,
	     "what is ours stays with who says to take no part any more");
	ktap(answer("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"\"}, \"id\": 2}") ==
	     QMP_ERROR && guest_for_policy(g, &p) && p.grant == 80, "or never to have heard of it");
	ktap(answer(INFO(999, 2)) == QMP_INFO && !g->ours && g->grant == 999,
	     "a grant of somebody else's is not ours");
	ktap(answer("{\"return\": {\"features\": 1}, \"id\": 2}") == QMP_INFO && g->no_grants &&
	     !guest_for_policy(g, &p), "a VM without grants has no part");
}

static void silence(void)
{
	struct policy_guest p;

	begin();
	answer(INFO(100, 0));
	guest_send_grant(g, 100, 0, 1000);
	guest_io(g);
	say("{\"return\": {}, \"id\": 3}");
	go_on();

	guest_send_grant(g, 60, 0, 1000);
	guest_failed(g, "no answer in time");
	ktap(g->grant == 100 && g->fd < 0 && g->silent, "less, and no answer: as before");
	answer(INFO(100, 0));
	guest_send_grant(g, 160, 0, 1000);
	ktap(guest_for_policy(g, &p) && p.grant == 160, "more, and no answer yet: it may have it");
	guest_failed(g, "no answer in time");
	ktap(g->grant == 160, "nor later: it may have it");
	ktap(guest_for_policy(g, &p) && p.state == POLICY_SILENT && p.grant == 160,
	     "and so it is counted");
	ktap(answer(INFO(100, 0)) == QMP_INFO && g->grant == 100 && !g->ours && !g->silent,
	     "until it says what it has");
}

/* What its QEMU says of a grant need not be so. */
static void refusal(void)
{
	begin();
	answer(INFO(100, 0));
	guest_send_grant(g, 160, 0, 1000);
	guest_io(g);
	say("{\"error\": {\"desc\": \"no\"}, \"id\": 3}");
	ktap(go_on() == QMP_REFUSED, "more, and no");
	guest_failed(g, g->error);
	ktap(g->grant == 160, "it may have it all the same");
}

/* Told @pages, and it says yes. */
static void told(uint64_t pages, const char *yes)
{
	guest_send_grant(g, pages, 0, 1000);
	guest_io(g);
	say(yes);
	go_on();
}

static void peaks(void)
{
	static const char yes[] = "{\"return\": {}, \"id\": 3}";
	struct policy_guest p;

	begin();
	answer(INFO(18446744073709551615, 0));
	ktap(guest_for_policy(g, &p) && p.in_place == 50, "found: it may use all that it says");
	told(20, yes);
	answer(INFO(20, 0));
	ktap(guest_for_policy(g, &p) && p.in_place == 50, "told less: until it has given back");
	answer(USING(20, 10, 0));
	answer(INFO(20, 0));
	ktap(guest_for_policy(g, &p) && p.in_place == 20, "once that is done, no more is believed");
	told(40, yes);
	answer(INFO(40, 0));
	told(30, yes);
	answer(INFO(30, 0));
	ktap(guest_for_policy(g, &p) && p.in_place == 40, "but what it may have had in between is");
}

/* Another QEMU at the same place, between two looks. */
static void another(void)
{
	static const char yes[] = "{\"return\": {}, \"id\": 3}";
	char old[80];

	begin();
	answer(INFO(100, 0));
	told(100, yes);
	answer(INFO(100, 0));
	ktap(g->ours && g->grant == 100, "the same one as before is ours");
	/* While the old one is there, so that they differ on any file system. */
	snprintf(old, sizeof(old), "%s", path_of("qmp"));
	listen_at("qmp.new");
	if (rename(path_of("qmp.new"), old))
		exit(2);
	ktap(open_guest() == GUEST_OPEN && !g->ours && g->grant == QMP_GRANT_ALL,
	     "another one is not, and may have all");
}

static void endings(void)
{
	begin();
	open_guest();
	leave();
	ktap(go_on() == QMP_ERROR && g->fd < 0 && g->silent, "leaves before the greeting");
	open_guest();
	say("{\"QM");
	leave();
	ktap(go_on() == QMP_ERROR && g->fd < 0, "leaves in the greeting");
	open_guest();
	say(HELLO READY "{\"return\": {\"feat");
	leave();
	ktap(go_on() == QMP_ERROR && !g->answered, "leaves in the answer");
	open_guest();
	say("hello\n");
	ktap(go_on() == QMP_ERROR && g->error[0], "is no QEMU");
	answer(INFO(1, 1));
	say("{\"return\": {}, \"id\": 2}");
	ktap(go_on() == QMP_ERROR && !g->answered, "says more than it was asked");
}

static void slowly(void)
{
	static const char all[] = HELLO READY INFO(5, 5);
	unsigned int infos = 0;
	char one[2] = "";
	size_t i;

	begin();
	open_guest();
	for (i = 0; all[i]; i++) {
		one[0] = all[i];
		say(one);
		infos += go_on() == QMP_INFO;
	}
	ktap(infos == 1 && g->grant == 5, "byte by byte");
	ktap(g->deadline == 1000, "which takes no longer than all at once may");

	/* An answer and the beginning of an event, whose end comes later. */
	open_guest();
	say(HELLO);
	go_on();
	say(READY);
	go_on();
	say(INFO(6, 6) "{\"event\": \"ST");
	ktap(go_on() == QMP_INFO, "an event begins behind an answer");
	guest_send_grant(g, 7, 0, 1000);
	guest_io(g);
	say("OP\"}\r\n{\"return\": {}, \"id\": 3}");
	ktap(go_on() == QMP_GRANTED, "and ends before the next");
}

/* Somebody who never stops: others have their turn in between. */
static void flood(void)
{
	static const char event[] = "{\"event\": \"STOP\"}\r\n";
	char text[100 * (sizeof(event) - 1) + 1] = "";
	size_t pos = 0, most = 0, before;
	ssize_t n;
	int i;

	for (i = 0; i < 100; i++)
		strcat(text, event);
	begin();
	open_guest();
	say(HELLO);
	go_on();
	fcntl(peer, F_SETFL, O_NONBLOCK);
	while (g->fd >= 0 && g->qmp.received <= QMP_MAX_BYTES) {
		while ((n = send(peer, text + pos, strlen(text) - pos, MSG_NOSIGNAL)) > 0)
			pos = (pos + n) % strlen(text);
		before = g->qmp.received;
		guest_io(g);
		if (g->fd >= 0 && g->qmp.received - before > most)
			most = g->qmp.received - before;
	}
	ktap(g->fd < 0 && strstr(g->error, "too much"), "a flood ends");
	ktap(most && most <= 64 << 10, "and is read in parts");
}

/* A QEMU that does not read: what is to be sent waits, we do not. */
static void deaf(void)
{
	begin();
	answer(INFO(1, 1));
	while (send(g->fd, base, sizeof(base), MSG_DONTWAIT) > 0)
		;
	guest_send_grant(g, 5, 0, 1000);
	say("{\"event\": \"STOP\"}");
	ktap(guest_io(g) == QMP_NOTHING && guest_events(g) & POLLOUT, "one that does not read");
}

static void places(void)
{
	static const char * const names[] = {
		"win 10", "  two  ", "a'b", "c\"d", "$HOME", "*", "-x", "back\\slash", "new\nline",
		"100%s%n%d", "\xff\xfe", "<0>",
	};
	char deep[3000];
	size_t len;
	struct stat st;
	unsigned int i;
	bool good = true;
	int fd;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		listen_at(names[i]);
		guest_free(g);
		g = guest_new(path_of(names[i]));
		good &= answer(INFO(5, 5)) == QMP_INFO;
	}
	ktap(good, "sockets of any name");

	/* 250 characters a folder, more than an address of a socket can name. */
	snprintf(deep, sizeof(deep), "%s", base);
	for (i = 0; i < 8; i++) {
		len = strlen(deep);
		deep[len] = '/';
		memset(deep + len + 1, 'd', 250);
		deep[len + 251] = '\0';
		mkdir(deep, 0700);
	}
	fd = open(deep, O_PATH);
	listen_at("short");
	renameat(AT_FDCWD, path_of("short"), fd, "qmp");
	close(fd);
	strcat(deep, "/qmp");
	guest_free(g);
	g = guest_new(deep);
	ktap(answer(INFO(5, 5)) == QMP_INFO, "at the end of a long path");

	guest_free(g);
	g = guest_new(path_of("nobody"));
	ktap(open_guest() == GUEST_GONE, "where nothing is, nobody is");
	guest_free(g);
	g = guest_new(path_of("old"));
	listen_at("old");
	close(server);
	server = -1;
	ktap(open_guest() == GUEST_GONE, "nor where a QEMU has died");
	guest_free(g);
	close(open(path_of("file"), O_CREAT | O_WRONLY, 0600));
	g = guest_new(path_of("file"));
	ktap(open_guest() == GUEST_GONE, "nor in a file");
	guest_free(g);
	listen_at("real");
	if (symlink("real", path_of("link")) || lstat(path_of("link"), &st))
		exit(2);
	g = guest_new(path_of("link"));
	ktap(open_guest() == GUEST_GONE, "a link in a directory is not followed");
	g->named = true;
	ktap(open_guest() == GUEST_OPEN, "one that the user has named is");

	/* A QEMU serves one client, and others wait. */
	begin();
	for (i = 0; i < 8; i++) {
		struct sockaddr_un addr = { .sun_family = AF_UNIX };

		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_of("qmp"));
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			break;
	}
	ktap(guest_open(g, 0, 1000) == GUEST_DEAF && g->error[0],
	     "where others wait somebody is, who cannot be reached now");
}

int main(void)
{
	char command[96];

	signal(SIGPIPE, SIG_IGN);
	snprintf(base, sizeof(base), "/tmp/symbioticd-test-XXXXXX");
	if (!mkdtemp(base))
		return 2;
	honest();
	silence();
	refusal();
	peaks();
	another();
	endings();
	slowly();
	flood();
	deaf();
	places();
	guest_free(g);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	if (system(command))
		return 2;
	return ktap_end();
}
