// SPDX-License-Identifier: GPL-2.0
/* symbioticctl: what does symbioticd do? */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json.h>

#include "text.h"

#define CONTROL		"/run/symbioticd/control"
#define ANSWER_MAX	(4 << 20)
#define SECONDS		10
/* A longer name moves the rest of its own line only. */
#define WIDTH_MAX	48

static const char help[] =
"NAME\n"
"    symbioticctl - what does symbioticd do?\n"
"\n"
"SYNOPSIS\n"
"    symbioticctl [-s SOCKET] status [--json]\n"
"    symbioticctl [-s SOCKET] metrics\n"
"\n"
"DESCRIPTION\n"
"    status   guests, what they have and why, as a table or as JSON\n"
"    metrics  numbers in Prometheus' text format\n"
"\n"
"    States: ok; over: uses more than its grant; new: has no grant yet; silent: does\n"
"    not answer, keeps what it has; unknown: never has, so nobody gets more; no-grants:\n"
"    takes no part; absent: there is no QEMU.\n"
"\n"
"OPTIONS\n"
"    -s, --socket SOCKET  of the daemon (" CONTROL ")\n"
"    -j, --json           status as JSON, amounts in bytes\n"
"    -h, --help           show this text\n"
"\n"
"EXIT STATUS\n"
"    0 success, 1 no answer, 2 wrong usage\n";

__attribute__((format(printf, 2, 3), noreturn))
static void die(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("symbioticctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* The daemon's answer, terminated. */
static char *ask(const char *path, const char *command)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = SECONDS };
	char *text = malloc(ANSWER_MAX + 1);
	size_t len = 0;
	ssize_t n;
	int fd;

	if (!text)
		die(1, "%s", strerror(ENOMEM));
	if (strlen(path) >= sizeof(addr.sun_path))
		die(2, "the name of the socket is too long");
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die(1, "%s: %s", path, strerror(errno));
	if (dprintf(fd, "%s\n", command) < 0)
		die(1, "%s: %s", path, strerror(errno));
	do {
		n = recv(fd, text + len, ANSWER_MAX - len, 0);
		if (n < 0)
			die(1, "%s: %s", path, strerror(errno));
		len += n;
	} while (n && len < ANSWER_MAX);
	close(fd);
	if (!len)
		die(1, "%s: no answer", path);
	text[len] = '\0';
	return text;
}

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "?";
	return json_object_get_string(value);
}

/* An amount of memory; "all" where there is no limit to it. */
static const char *size_of(struct json_object *o, const char *name, char *to, size_t size)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, name, &value))
		return "all";
	return text_size(to, size, json_object_get_uint64(value) / PAGE_BYTES);
}

static uint64_t number_of(struct json_object *o, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(o, name, &value) ? json_object_get_uint64(value) : 0;
}

static void show_guest(struct json_object *g, int width)
{
	char grant[16], used[16], hot[16], held[16];

	printf("%-*s %-9s %7s %8s %7s %7s %7" PRIu64 "  %s\n", width, text_of(g, "name"),
	       text_of(g, "state"), size_of(g, "grant", grant, sizeof(grant)),
	       size_of(g, "in-place", used, sizeof(used)), size_of(g, "hot", hot, sizeof(hot)),
	       size_of(g, "held", held, sizeof(held)), number_of(g, "faults-without-grant"),
	       text_of(g, "why"));
}

static void show_status(struct json_object *o)
{
	struct json_object *guests, *value;
	char budget[16], granted[16], room[16], available[16];
	int width = strlen("GUEST"), len;
	size_t i;

	printf("budget %s (%s), granted %s, free %s",
	       size_of(o, "budget", budget, sizeof(budget)), text_of(o, "mode"),
	       size_of(o, "granted", granted, sizeof(granted)),
	       size_of(o, "room", room, sizeof(room)));
	if (json_object_object_get_ex(o, "available", &value))
		printf("; host: %s available, tasks wait %" PRIu64 " %% of the time",
		       size_of(o, "available", available, sizeof(available)),
		       number_of(o, "pressure"));
	putchar('\n');

	if (!json_object_object_get_ex(o, "guests", &guests) ||
	    !json_object_is_type(guests, json_type_array))
		die(1, "the answer lacks guests");
	for (i = 0; i < json_object_array_length(guests); i++) {
		len = strlen(text_of(json_object_array_get_idx(guests, i), "name"));
		if (len > WIDTH_MAX)
			len = WIDTH_MAX;
		if (len > width)
			width = len;
	}
	printf("%-*s %-9s %7s %8s %7s %7s %7s  %s\n", width, "GUEST", "STATE", "GRANT",
	       "IN PLACE", "HOT", "HELD", "WANTED", "WHY");
	for (i = 0; i < json_object_array_length(guests); i++)
		show_guest(json_object_array_get_idx(guests, i), width);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = CONTROL;
	struct json_object *o;
	bool json = false;
	char *text;
	int opt;

	while ((opt = getopt_long(argc, argv, "s:jh", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return fflush(stdout) ? 1 : 0;
		default:
			die(2, "try --help");
		}
	}
	if (argc - optind != 1 ||
	    (strcmp(argv[optind], "status") && strcmp(argv[optind], "metrics")))
		die(2, "status or metrics? Try --help");

	text = ask(path, argv[optind]);
	if (!strcmp(argv[optind], "metrics")) {
		fputs(text, stdout);
	} else if (json) {
		puts(text);
	} else {
		o = json_tokener_parse(text);
		if (!json_object_is_type(o, json_type_object))
			die(1, "the answer is no JSON");
		show_status(o);
		json_object_put(o);
	}
	free(text);
	if (fflush(stdout) || ferror(stdout))
		die(1, "cannot write the output");
	return 0;
}
