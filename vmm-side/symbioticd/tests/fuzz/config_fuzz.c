// SPDX-License-Identifier: GPL-2.0
/*
 * config.c and text.c, and any lines: keys and values of ours in any order, and bytes.
 *
 * The oracle: what is taken is within the bounds that the rest of the daemon relies on; what
 * is not says why, in a text that ends; text that is escaped can be printed, and has room.
 */
#include <fuzz.h>

#include <errno.h>
#include <stdbool.h>

#include <config.h>
#include <policy.h>
#include <text.h>

static const char * const phrases[] = {
	"budget", "budget-min", "budget-max", "reserve", "pressure", "floor", "guest-max",
	"interval", "patience", "directory", "pattern", "socket", "control", "metrics", "proc",
	" = ", "=", "auto", "1", "0", "9", "99999999", ".", "G", "T", "K", "%", "-", " ", "\t",
	"#", "3600", "0.01", "/run/a",
};

#define PHRASES	(sizeof(phrases) / sizeof(phrases[0]))
#define LITERAL	224	/* from here on: the next byte as it is */
#define LINES	8

/* 0 ends a line. */
static void make_line(char *line, size_t size)
{
	size_t len = 0;
	uint8_t b;

	while (len < size - 16) {
		b = fuzz_byte();
		if (!b)
			break;
		if (b >= LITERAL)
			line[len++] = fuzz_byte();
		else
			len += sprintf(line + len, "%s", phrases[(b - 1) % PHRASES]);
	}
	line[len] = '\0';
}

static void check_escape(const char *line)
{
	size_t size = 1 + fuzz_byte(), i;
	char *to = malloc(size), small[16];
	uint64_t bytes;

	text_escape(to, size, line, strlen(line));
	MUST(strlen(to) < size);
	for (i = 0; to[i]; i++)
		MUST(to[i] >= ' ' && to[i] <= '~');
	free(to);
	if (!text_bytes(line, &bytes))
		return;
	MUST(bytes < 1ULL << 62);
	MUST(strlen(text_size(small, sizeof(small), bytes / PAGE_BYTES)) < sizeof(small) - 1);
}

static bool is_time(int64_t ms)
{
	return ms >= 10 && ms <= 3600 * 1000;
}

static void check_config(const struct config *c)
{
	size_t i;

	MUST(c->budget <= POLICY_MAX_PAGES && c->budget_min <= POLICY_MAX_PAGES);
	MUST(c->budget_max <= POLICY_MAX_PAGES && c->reserve <= POLICY_MAX_PAGES);
	MUST(c->floor <= POLICY_MAX_PAGES && c->guest_max <= POLICY_MAX_PAGES);
	MUST(c->pressure >= 1 && c->pressure <= 100);
	MUST(is_time(c->interval) && is_time(c->patience));
	MUST(c->pattern && c->proc);
	for (i = 0; i < c->nr_sockets; i++)
		MUST(*c->sockets[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[5000], error[64];
	struct config c;
	unsigned int n;
	int ret;

	fuzz_begin(data, size);
	MUST(!config_init(&c));
	for (n = 0; n < LINES; n++) {
		make_line(line, sizeof(line));
		memset(error, 'x', sizeof(error));
		error[0] = '\0';
		ret = config_set(&c, line, error, sizeof(error));
		MUST(ret == 0 || ret == -EINVAL);
		MUST(!!*error == !!ret && memchr(error, '\0', sizeof(error)));
		check_config(&c);
		check_escape(line);
	}
	if (!config_check(&c))
		MUST(c.budget_set && (c.nr_sockets || c.directory));
	config_free(&c);
	return 0;
}
