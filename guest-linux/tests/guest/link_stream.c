// SPDX-License-Identifier: GPL-2.0
/*
 * link_stream [ADDRESS] PORT: one end of a connection; without an address, the one that
 * waits for the other. Both send all the time, but never much more than has come, so that
 * neither way is left behind, and look at each byte that comes, until one gets a SIGTERM:
 * it sends its last block, the other one then does, too, and both say how much it was, and
 * for how long nothing came at the most.
 *
 * What is in a block follows from its number and from who sends it, so nothing can be
 * lost, doubled, exchanged or changed that is not seen; and the last block says that it is,
 * so neither can the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	60000
/* Little in flight: what is lost with a link is sent again. */
#define BUFFER		(128 << 10)
#define BLOCKS_AHEAD	64

struct block {
	uint64_t number;
	uint64_t last;
	uint64_t words[510];
};

/* One direction: the block that is on its way, how much of it, and those before it. */
struct way {
	struct block block;
	size_t done;
	uint64_t blocks;
	bool last;
	bool ended;
};

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "link_stream: %s\n", what);
	exit(1);
}

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "link_stream: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static void fill(struct block *b, uint64_t number, bool last, bool listener)
{
	uint64_t x = (number * 2 + listener + 1) * 0x9e3779b97f4a7c15;
	size_t i;

	b->number = number;
	b->last = last;
	for (i = 0; i < sizeof(b->words) / sizeof(b->words[0]); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		b->words[i] = x;
	}
}

/* Returns a connected socket. */
static int meet(const char *address, const char *port)
{
	struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), size = BUFFER, one = 1, connected;
	struct pollfd p = { fd, POLLIN, 0 };

	must(fd >= 0, "socket");
	must(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) &&
	     !setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), "buffers");
	if (address) {
		if (!inet_aton(address, &place.sin_addr))
			die("no such address");
		must(!connect(fd, (struct sockaddr *)&place, sizeof(place)), "connect");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(!bind(fd, (struct sockaddr *)&place, sizeof(place)) && !listen(fd, 1), "listen");
	printf("listening\n");
	fflush(stdout);
	if (poll(&p, 1, PATIENCE_MS) != 1)
		die("nobody has come");
	connected = accept(fd, NULL, NULL);
	must(connected >= 0, "accept");
	close(fd);
	return connected;
}

static void send_some(int fd, struct way *out, bool listener)
{
	ssize_t n;

	if (!out->done)
		fill(&out->block, out->blocks, stop, listener);
	n = send(fd, (char *)&out->block + out->done, sizeof(out->block) - out->done,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	must(n > 0, "send");
	out->done += n;
	if (out->done < sizeof(out->block))
		return;
	out->done = 0;
	out->blocks++;
	if (out->block.last) {
		out->ended = true;
		must(!shutdown(fd, SHUT_WR), "shutdown");
	}
}

/* Returns whether anything came. */
static bool receive_some(int fd, struct way *in, bool listener)
{
	struct block right;
	ssize_t n;

	n = recv(fd, (char *)&in->block + in->done, sizeof(in->block) - in->done, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	must(n >= 0, "receive");
	if (!n) {
		if (!in->last)
			die("the stream is cut off");
		in->ended = true;
		return false;
	}
	if (in->last)
		die("something comes after the end");
	in->done += n;
	if (in->done < sizeof(in->block))
		return true;
	in->last = in->block.last;
	fill(&right, in->blocks, in->last, !listener);
	if (memcmp(&right, &in->block, sizeof(right))) {
		fprintf(stderr, "link_stream: block %llu is wrong, which says that it is %llu\n",
			(unsigned long long)in->blocks, (unsigned long long)in->block.number);
		exit(1);
	}
	in->done = 0;
	in->blocks++;
	return true;
}

int main(int argc, char **argv)
{
	static struct way in, out;
	uint64_t then, now, longest = 0;
	bool listener = argc == 2, may_send;
	struct pollfd p;

	if (argc < 2 || argc > 3)
		die("usage: link_stream [ADDRESS] PORT");
	signal(SIGTERM, on_term);
	p.fd = meet(listener ? NULL : argv[1], argv[argc - 1]);
	then = now_ms();
	while (!in.ended || !out.ended) {
		may_send = !out.ended && (stop || out.blocks < in.blocks + BLOCKS_AHEAD);
		p.events = (in.ended ? 0 : POLLIN) | (may_send ? POLLOUT : 0);
		must(poll(&p, 1, 1000) >= 0 || errno == EINTR, "poll");
		now = now_ms();
		if (!in.ended && receive_some(p.fd, &in, listener)) {
			if (now - then > longest)
				longest = now - then;
			then = now;
			if (in.last)
				stop = 1;
		}
		if (now - then > PATIENCE_MS)
			die("nothing has come, or nothing could go, for a minute");
		if (may_send)
			send_some(p.fd, &out, listener);
	}
	printf("sent %llu KiB, received %llu KiB, longest gap %llu ms\n",
	       (unsigned long long)out.blocks * 4, (unsigned long long)in.blocks * 4,
	       (unsigned long long)longest);
	return 0;
}
