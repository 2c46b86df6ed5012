// SPDX-License-Identifier: GPL-2.0
/* What the user has said. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "policy.h"
#include "text.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum kind {
	KIND_BUDGET,		/* bytes, or "auto" */
	KIND_PAGES,
	KIND_MS,		/* seconds */
	KIND_PERCENT,
	KIND_YES,		/* or no */
	KIND_PATH,
	KIND_SOCKET,
};

#define KEY(name, kind, field) { name, kind, offsetof(struct config, field) }

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
} keys[] = {
	KEY("budget", KIND_BUDGET, budget),
	KEY("budget-min", KIND_PAGES, budget_min),
	KEY("budget-max", KIND_PAGES, budget_max),
	KEY("reserve", KIND_PAGES, reserve),
	KEY("pressure", KIND_PERCENT, pressure),
	KEY("page-out", KIND_YES, page_out),
	KEY("floor", KIND_PAGES, floor),
	KEY("guest-max", KIND_PAGES, guest_max),
	KEY("interval", KIND_MS, interval),
	KEY("patience", KIND_MS, patience),
	KEY("directory", KIND_PATH, directory),
	KEY("pattern", KIND_PATH, pattern),
	KEY("socket", KIND_SOCKET, sockets),
	KEY("control", KIND_PATH, control),
	KEY("metrics", KIND_PATH, metrics),
	KEY("proc", KIND_PATH, proc),
};

__attribute__((format(printf, 3, 4)))
static int wrong(char *error, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int replace(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int config_init(struct config *c)
{
	*c = (struct config){ .pressure = 10, .interval = 1000, .patience = 3000 };
	if (replace(&c->pattern, "*") || replace(&c->proc, "/proc"))
		return -ENOMEM;
	return 0;
}

int config_add_socket(struct config *c, const char *path)
{
	char **more = realloc(c->sockets, (c->nr_sockets + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->sockets = more;
	more[c->nr_sockets] = strdup(path);
	if (!more[c->nr_sockets])
		return -ENOMEM;
	c->nr_sockets++;
	return 0;
}

static bool get_pages(const char *text, uint64_t *pages)
{
	uint64_t bytes;

	if (!text_bytes(text, &bytes) || bytes / PAGE_BYTES > POLICY_MAX_PAGES)
		return false;
	*pages = bytes / PAGE_BYTES;
	return true;
}

/* From a hundredth of a second to an hour. */
static bool get_ms(const char *text, int64_t *ms)
{
	double seconds;
	char *end;

	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return false;
	seconds = strtod(text, &end);
	if (*end || seconds < 0.01 || seconds > 3600)
		return false;
	*ms = seconds * 1000;
	return true;
}

static bool get_percent(const char *text, unsigned int *percent)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*text))
		return false;
	n = strtoul(text, &end, 10);
	if (*end == '%')
		end++;
	if (*end || n < 1 || n > 100)
		return false;
	*percent = n;
	return true;
}

static int set(struct config *c, const struct key *key, const char *value, char *error,
	       size_t size)
{
	void *field = (char *)c + key->offset;

	switch (key->kind) {
	case KIND_BUDGET:
		if (strcmp(value, "auto") && !get_pages(value, field))
			return wrong(error, size, "budget: %s is neither bytes nor auto", value);
		c->budget_set = true;
		c->automatic = !strcmp(value, "auto");
		return 0;
	case KIND_PAGES:
		if (!get_pages(value, field))
			return wrong(error, size, "%s: %s is no number of bytes", key->name, value);
		return 0;
	case KIND_MS:
		if (!get_ms(value, field))
			return wrong(error, size, "%s: %s is not 0.01 to 3600 seconds", key->name,
				     value);
		return 0;
	case KIND_PERCENT:
		if (!get_percent(value, field))
			return wrong(error, size, "%s: %s is not 1 to 100 percent", key->name,
				     value);
		return 0;
	case KIND_YES:
		if (strcmp(value, "yes") && strcmp(value, "no"))
			return wrong(error, size, "%s: %s is neither yes nor no", key->name, value);
		*(bool *)field = !strcmp(value, "yes");
		return 0;
	default:
		if (!*value)
			return wrong(error, size, "%s: which?", key->name);
		return key->kind == KIND_SOCKET ? config_add_socket(c, value) :
						  replace(field, value);
	}
}

int config_set(struct config *c, const char *line, char *error, size_t size)
{
	char text[4096], *name = text, *value, *end;
	size_t len, i;
	int ret;

	if (snprintf(text, sizeof(text), "%s", line) >= (int)sizeof(text))
		return wrong(error, size, "a line is too long");
	name += strspn(name, " \t\r\n");
	if (!*name || *name == '#')
		return 0;
	value = strchr(name, '=');
	if (!value)
		return wrong(error, size, "%s: there is no =", name);
	*value++ = '\0';
	for (end = name + strlen(name); end > name && strchr(" \t", end[-1]);)
		*--end = '\0';
	value += strspn(value, " \t");
	for (len = strlen(value); len && strchr(" \t\r\n", value[len - 1]);)
		value[--len] = '\0';

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(name, keys[i].name))
			continue;
		ret = set(c, &keys[i], value, error, size);
		if (ret == -ENOMEM)
			snprintf(error, size, "%s", strerror(ENOMEM));
		return ret;
	}
	return wrong(error, size, "there is no key %s", name);
}

int config_read(struct config *c, const char *path, char *error, size_t size)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 0;
	size_t room = 0;
	char *line = NULL, what[160];
	int ret = 0;

	if (!file) {
		ret = -errno;
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return ret;
	}
	while (!ret && getline(&line, &room, file) >= 0) {
		number++;
		ret = config_set(c, line, what, sizeof(what));
	}
	if (ret) {
		snprintf(error, size, "%s:%u: %s", path, number, what);
	} else if (ferror(file)) {
		ret = -EIO;
		snprintf(error, size, "%s: cannot be read", path);
	}
	free(line);
	fclose(file);
	return ret;
}

const char *config_check(const struct config *c)
{
	if (!c->budget_set)
		return "how much memory? Say budget = BYTES, or auto";
	if (!c->nr_sockets && !c->directory)
		return "which guests? Say directory = PATH, or name their QMP sockets";
	if (c->nr_sockets > POLICY_MAX_GUESTS)
		return "too many guests";
	if (c->budget_max && c->budget_min > c->budget_max)
		return "budget-min is more than budget-max";
	if (c->page_out && !c->automatic)
		return "page-out goes by the host's memory: it needs budget = auto";
	return NULL;
}

void config_free(struct config *c)
{
	size_t i;

	for (i = 0; i < c->nr_sockets; i++)
		free(c->sockets[i]);
	free(c->sockets);
	free(c->directory);
	free(c->pattern);
	free(c->control);
	free(c->metrics);
	free(c->proc);
	*c = (struct config){ };
}
