// SPDX-License-Identifier: GPL-2.0
/* What the daemon knows, for people and for Prometheus. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json.h>

#include "log.h"
#include "memory.h"
#include "report.h"
#include "text.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What JSON's integers hold, and what is "no limit" */
static uint64_t bytes(uint64_t pages)
{
	return pages > POLICY_MAX_PAGES ? POLICY_MAX_PAGES * PAGE_BYTES : pages * PAGE_BYTES;
}

const char *report_state(const struct guest *g)
{
	if (!g->present)
		return "absent";
	if (g->silent)
		return g->ours ? "silent" : "unknown";
	if (g->no_grants)
		return "no-grants";
	if (!g->ours)
		return "new";
	return g->over_since ? "over" : "ok";
}

/* Pages that all together may use, as far as there is a limit to it. */
static uint64_t granted(const struct daemon *d)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->nr_guests; i++)
		if (d->guests[i]->present && d->guests[i]->ours)
			sum += d->guests[i]->grant;
	return sum;
}

static uint64_t room(const struct daemon *d)
{
	struct policy_guest p[POLICY_MAX_GUESTS];
	struct guest *of[POLICY_MAX_GUESTS];
	struct policy_limits l = daemon_limits(d);

	return policy_room(&l, p, daemon_policy(d, p, of));
}

/* ---- JSON ----------------------------------------------------------------- */

/* Takes @value also if there is no memory for it, or was none. */
static bool put(struct json_object *to, const char *name, struct json_object *value)
{
	if (value && !json_object_object_add(to, name, value))
		return true;
	json_object_put(value);
	return false;
}

static bool put_number(struct json_object *to, const char *name, uint64_t number)
{
	return put(to, name, json_object_new_uint64(number));
}

static bool put_text(struct json_object *to, const char *name, const char *text)
{
	return put(to, name, json_object_new_string(text));
}

static bool put_guest(struct json_object *list, const struct guest *g)
{
	struct json_object *o = json_object_new_object();
	bool limited = g->grant <= POLICY_MAX_PAGES;

	if (!o)
		return false;
	if (put_text(o, "name", g->name) && put_text(o, "state", report_state(g)) &&
	    (!limited || put_number(o, "grant", bytes(g->grant))) &&
	    put_number(o, "in-place", bytes(g->info.in_place)) &&
	    put_number(o, "hot", bytes(g->info.hot)) &&
	    put_number(o, "held", bytes(g->info.held)) &&
	    put_number(o, "faults-without-grant", g->want) &&
	    put_number(o, "changes", g->changes) && put_number(o, "failures", g->failures) &&
	    put_text(o, "why", g->error[0] ? g->error : policy_reason_text(g->reason)) &&
	    !json_object_array_add(list, o))
		return true;
	json_object_put(o);
	return false;
}

static bool put_guests(struct json_object *to, const struct daemon *d)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	if (!put(to, "guests", list))
		return false;
	for (i = 0; i < d->nr_guests; i++)
		if (!put_guest(list, d->guests[i]))
			return false;
	return true;
}

/*
 * What json-c makes of it, at the most: a guest is ten members; a name is there twice, and
 * in the text, which grows by doubling, its backslashes are two.
 */
static size_t status_bytes(const struct daemon *d)
{
	size_t bytes = 1 << 20, i;

	for (i = 0; i < d->nr_guests; i++)
		bytes += 8192 + 8 * strlen(d->guests[i]->name);
	return bytes;
}

char *report_status(const struct daemon *d)
{
	struct json_object *o;
	const char *text = NULL;
	char *copy;

	if (!memory_has(status_bytes(d)))
		return NULL;
	o = json_object_new_object();
	if (o && put_text(o, "mode", d->config.automatic ? "auto" : "fixed") &&
	    put_number(o, "budget", bytes(d->pages)) &&
	    put_number(o, "granted", bytes(granted(d))) &&
	    put_number(o, "room", bytes(room(d))) &&
	    put_number(o, "unknown-guests", d->unknown) &&
	    put_number(o, "rounds", d->rounds) &&
	    (!d->config.automatic ||
	     (put_number(o, "available", bytes(d->memory.available)) &&
	      put_number(o, "pressure", d->budget.percent))) &&
	    put_guests(o, d))
		text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
	copy = text ? strdup(text) : NULL;
	json_object_put(o);
	return copy;
}

/* ---- Prometheus ----------------------------------------------------------- */

/* A name is printable; of that, quotes and backslashes mean something in a label. */
static void put_label(FILE *to, const char *name)
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			putc('\\', to);
		putc(*name, to);
	}
}

static void put_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP symbioticd_%s %s\n# TYPE symbioticd_%s %s\n", name, help, name, type);
}

static void put_one(FILE *to, const char *name, const char *type, const char *help,
		    uint64_t value)
{
	put_head(to, name, type, help);
	fprintf(to, "symbioticd_%s %" PRIu64 "\n", name, value);
}

enum guest_metric {
	METRIC_UP, METRIC_GRANT, METRIC_IN_PLACE, METRIC_HOT, METRIC_HELD, METRIC_WANTED,
	METRIC_CHANGES, METRIC_FAILURES, METRIC_COLD,
};

static const struct {
	const char *name, *type, *help;
} guest_metrics[] = {
	[METRIC_UP] = { "guest_up", "gauge", "1: it answers; 0: it is silent or absent" },
	[METRIC_GRANT] = { "guest_grant_bytes", "gauge", "What it may use in place" },
	[METRIC_IN_PLACE] = { "guest_in_place_bytes", "gauge", "What it says to use in place" },
	[METRIC_HOT] = { "guest_hot_bytes", "gauge", "Of that, what it says to have used lately" },
	[METRIC_HELD] = { "guest_held_bytes", "gauge", "What it says it cannot give back" },
	[METRIC_WANTED] = { "guest_faults_without_grant_total", "counter",
			    "Faults for which it says to have had no grant" },
	[METRIC_CHANGES] = { "guest_grant_changes_total", "counter", "Grants that it was told" },
	[METRIC_FAILURES] = { "guest_failures_total", "counter", "Times that it was silent" },
	[METRIC_COLD] = { "guest_cold_bytes_total", "counter",
			  "What its QEMU says to have had paged out, as nobody used it" },
};

static uint64_t guest_value(const struct guest *g, enum guest_metric metric)
{
	switch (metric) {
	case METRIC_UP:
		return g->present && !g->silent;
	case METRIC_GRANT:
		return bytes(g->grant);
	case METRIC_IN_PLACE:
		return bytes(g->info.in_place);
	case METRIC_HOT:
		return bytes(g->info.hot);
	case METRIC_HELD:
		return bytes(g->info.held);
	case METRIC_WANTED:
		return g->info.wanted;
	case METRIC_CHANGES:
		return g->changes;
	case METRIC_COLD:
		return bytes(g->cold);
	default:
		return g->failures;
	}
}

static void put_guest_metric(FILE *to, const struct daemon *d, enum guest_metric metric)
{
	const char *name = guest_metrics[metric].name;
	size_t i;

	put_head(to, name, guest_metrics[metric].type, guest_metrics[metric].help);
	for (i = 0; i < d->nr_guests; i++) {
		const struct guest *g = d->guests[i];

		/* No limit is no number, and no sum has it in it. */
		if (metric == METRIC_GRANT && g->grant > POLICY_MAX_PAGES)
			continue;
		fprintf(to, "symbioticd_%s{guest=\"", name);
		put_label(to, g->name);
		fprintf(to, "\"} %" PRIu64 "\n", guest_value(g, metric));
	}
}

char *report_metrics(const struct daemon *d)
{
	char *text = NULL;
	size_t size = 0, i;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	put_one(to, "budget_bytes", "gauge", "What all guests may use together", bytes(d->pages));
	put_one(to, "granted_bytes", "gauge", "What has been granted", bytes(granted(d)));
	put_one(to, "room_bytes", "gauge", "What nobody has and nobody may take", bytes(room(d)));
	put_one(to, "unknown_guests", "gauge", "Guests that have not answered yet", d->unknown);
	put_one(to, "rounds_total", "counter", "Rounds so far", d->rounds);
	put_one(to, "log_lines_dropped_total", "counter", "Log lines that nobody took",
		log_dropped());
	if (d->config.automatic) {
		put_one(to, "host_available_bytes", "gauge", "Memory of the host",
			bytes(d->memory.available));
		put_one(to, "host_pressure_percent", "gauge",
			"Time in which tasks waited for memory", d->budget.percent);
	}
	for (i = 0; i < ARRAY_SIZE(guest_metrics); i++)
		put_guest_metric(to, d, i);
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Never into what somebody has put there: the directory may be others' as well. */
int report_write_metrics(const struct daemon *d)
{
	char path[PATH_MAX], *text;
	ssize_t len;
	int fd, ret = 0;

	if (snprintf(path, sizeof(path), "%s.new", d->config.metrics) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	text = report_metrics(d);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		ret = -errno;
	} else {
		/* The collector may be another user than we are. */
		errno = ENOSPC;
		if (fchmod(fd, 0644) || write(fd, text, len) != len)
			ret = -errno;
		if (close(fd) && !ret)
			ret = -errno;
		if (!ret && rename(path, d->config.metrics))
			ret = -errno;
		if (ret)
			unlink(path);
	}
	free(text);
	return ret;
}
