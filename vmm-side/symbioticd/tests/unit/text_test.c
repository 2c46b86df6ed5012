// SPDX-License-Identifier: GPL-2.0
/* Unit tests of text.c and config.c: what users and others write. */
#include <errno.h>
#include <ktap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "text.h"

static void escapes(void)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "/run/a.qmp", "/run/a.qmp" }, { "a b\"c'", "a b\"c'" },
		{ "new\nline", "new\\nline" },
		{ "back\\slash", "back\\\\slash" }, { "\x1b[31m", "\\x1b[31m" },
		{ "100%s%n", "100%s%n" }, { "\xff\xc3\xa9", "\\xff\\xc3\\xa9" }, { "", "" },
	};
	char to[64], small[4];
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_escape(to, sizeof(to), rows[i].from, strlen(rows[i].from));
		ktap(!strcmp(to, rows[i].to), "escaped: %s", rows[i].to);
	}
	text_escape(small, sizeof(small), "ab\n", 3);
	ktap(!strcmp(small, "ab"), "no half of an escape");
	text_escape(small, 1, "abc", 3);
	ktap(!small[0], "no room at all");
}

static void sizes(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t bytes;
	} rows[] = {
		{ "0", true, 0 }, { "4096", true, 4096 }, { "64K", true, 65536 },
		{ "1.5G", true, 3ULL << 29 }, { "2T", true, 2ULL << 40 }, { "0100", true, 100 },
		{ "", false }, { "-1", false }, { "+1", false }, { " 1", false }, { "1 ", false },
		{ "x", false }, { "1X", false }, { "1KK", false }, { "0x10", false },
		{ "1e3", false }, { "inf", false }, { "nan", false }, { ".", false },
		{ "1..2", false }, { "99999999T", false }, { "99999999999999999999", false },
	};
	unsigned int i;
	char to[16];
	uint64_t bytes;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ktap(text_bytes(rows[i].text, &bytes) == rows[i].good &&
		     (!rows[i].good || bytes == rows[i].bytes), "bytes: '%s'", rows[i].text);
	ktap(!strcmp(text_size(to, sizeof(to), 0), "0"), "nothing");
	ktap(!strcmp(text_size(to, sizeof(to), 16384), "64M"), "64M");
	ktap(!strcmp(text_size(to, sizeof(to), 393216), "1.5G"), "1.5G");
	ktap(!strcmp(text_size(to, sizeof(to), UINT64_MAX), "all"), "all");
	ktap(strlen(text_size(to, sizeof(to), 1ULL << 50)) < sizeof(to) - 1, "the most has room");
}

static void lines(void)
{
	static const struct {
		const char *line;
		bool good;
	} rows[] = {
		{ "", true }, { "# comment", true }, { "  \t\n", true },
		{ "budget = 64M", true }, { "budget=auto", true }, { "budget = ", false },
		{ "budget = -5", false }, { "budget", false }, { "budgets = 1", false },
		{ "= 1", false }, { "interval = 0", false }, { "interval = x", false },
		{ "interval = 1.2.3", false }, { "interval = 0.5", true },
		{ "patience = 0", false },
		{ "patience = 9999", false }, { "pressure = 5%", true }, { "pressure = 0", false },
		{ "pressure = 101", false }, { "pressure = -1", false }, { "socket =", false },
		{ "control = ", false }, { "metrics=", false },
		{ "socket = /a b=c#d", true }, { "floor = 1M", true },
	};
	char error[160], *line;
	struct config c;
	unsigned int i;

	config_init(&c);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error[0] = '\0';
		ktap(config_set(&c, rows[i].line, error, sizeof(error)) ==
		     (rows[i].good ? 0 : -EINVAL) && !error[0] == rows[i].good,
		     "line: '%.12s'", i == 2 ? "spaces" : rows[i].line);
	}
	ktap(c.nr_sockets == 1 && !strcmp(c.sockets[0], "/a b=c#d"), "a path is taken whole");
	ktap(c.interval == 500 && c.pressure == 5 && c.floor == 256 && c.automatic, "values");

	line = malloc(10000);
	memset(line, 'a', 9999);
	line[9999] = '\0';
	memcpy(line, "socket =", 8);
	ktap(config_set(&c, line, error, sizeof(error)) == -EINVAL, "too long a line");
	free(line);
	config_free(&c);
}

static const char *checked(const char *first, const char *second)
{
	static char error[160];
	const char *problem;
	struct config c;

	config_init(&c);
	if (config_set(&c, first, error, sizeof(error)) ||
	    config_set(&c, second, error, sizeof(error)))
		return "wrong test";
	problem = config_check(&c);
	config_free(&c);
	return problem;
}

static void files(void)
{
	char path[] = "/tmp/symbioticd-test-XXXXXX", error[160];
	int fd = mkstemp(path);
	struct config c;

	config_init(&c);
	dprintf(fd, "# here\nbudget = 1G\n\ninterval = 2\n");
	ktap(!config_read(&c, path, error, sizeof(error)) && c.budget == 262144 &&
	     c.interval == 2000, "a file");
	dprintf(fd, "nonsense\n");
	ktap(config_read(&c, path, error, sizeof(error)) == -EINVAL &&
	     strstr(error, ":5: nonsense"), "tells the line");
	unlink(path);
	close(fd);
	ktap(config_read(&c, path, error, sizeof(error)) == -ENOENT && strstr(error, path),
	     "no file");
	config_free(&c);
}

int main(void)
{
	escapes();
	sizes();
	lines();
	ktap(!checked("budget = 1G", "socket = a"), "enough is said");
	ktap(!!checked("budget = 1G", ""), "no guests");
	ktap(!!checked("directory = a", ""), "no budget");
	files();
	return ktap_end();
}
