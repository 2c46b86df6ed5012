// SPDX-License-Identifier: GPL-2.0
/*
 * A host short of memory: allocations fail from some amount on, json-c's as well, for each
 * amount. What cannot be done is not done, and nothing is lost: the sanitizer looks for
 * leaks. And what json-c needs for the worst of messages is what it is given.
 */
#include <ktap.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <symbiotic/abi.h>

#include "config.h"
#include "daemon.h"
#include "frame.h"
#include "report.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *old);

/*
 * What is allocated, with what the C library adds to each; the most of it; the limit. What
 * the library has allocated itself and we free makes it less, so only differences count.
 */
static long now, most, limit = LONG_MAX;
/* What only looks whether there is so much does not count. */
static long look = LONG_MAX;

static long cost(void *p)
{
	return p ? malloc_usable_size(p) + 16 : 0;
}

static bool fails(size_t more)
{
	return now + (long)more + 16 > limit;
}

static void *count(void *p)
{
	now += cost(p);
	if (now > most && cost(p) < look)
		most = now;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return fails(size) ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size)
{
	void *p = __wrap_malloc(nr * size);

	if (p)
		memset(p, 0, nr * size);
	return p;
}

void *__wrap_realloc(void *old, size_t size)
{
	long before = cost(old);
	void *p;

	if (fails(size))
		return NULL;
	p = __real_realloc(old, size);
	if (p)
		now -= before;
	return count(p);
}

char *__wrap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = __wrap_malloc(size);

	if (p)
		memcpy(p, text, size);
	return p;
}

void __wrap_free(void *old)
{
	now -= cost(old);
	__real_free(old);
}

/* Of round.c, which report.c asks. */
struct policy_limits daemon_limits(const struct daemon *d)
{
	return (struct policy_limits){ .budget = d->pages };
}

size_t daemon_policy(const struct daemon *d, struct policy_guest *p, struct guest **of)
{
	(void)d;
	(void)p;
	(void)of;
	return 0;
}

#define NUMBERS	"\"swap-grant\": 1, \"swap-in-place\": 2, \"swap-hot\": 3, \"swap-wanted\": 4"

/* Returns whether all of it has been done. */
static bool talk(void)
{
	static const char said[] =
		"{\"QMP\": {}}{\"return\": {}, \"id\": 1}{\"event\": \"X\", \"data\": [1, 2]}";
	static const char info[] = "{\"id\": 2, \"return\": {\"features\": 16, " NUMBERS "}}";
	enum qmp_event event = QMP_NOTHING, last = QMP_NOTHING;
	struct qmp q;
	size_t pos, used;
	bool right;

	qmp_start(&q);
	for (pos = 0; pos < sizeof(said) - 1 && q.state != QMP_BROKEN; pos += used)
		event = qmp_feed(&q, said + pos, sizeof(said) - 1 - pos, &used);
	if (q.state == QMP_IDLE) {
		qmp_ask(&q);
		for (pos = 0; pos < sizeof(info) - 1 && q.state != QMP_BROKEN; pos += used) {
			event = qmp_feed(&q, info + pos, sizeof(info) - 1 - pos, &used);
			if (event != QMP_NOTHING)
				last = event;
		}
	}
	/* What is taken for an answer is the answer. */
	right = last == QMP_INFO && q.info.has_grants && q.info.grant == 1 &&
		q.info.in_place == 2 && q.info.hot == 3 && q.info.wanted == 4;
	if (last == QMP_INFO && !right)
		ktap(0, "another answer than was sent");
	qmp_end(&q);
	return right;
}

static bool configure(void)
{
	struct config c;
	char error[100];
	bool done = !config_init(&c) && !config_set(&c, "budget = 1G", error, sizeof(error)) &&
		    !config_set(&c, "socket = a", error, sizeof(error)) &&
		    !config_set(&c, "control = b", error, sizeof(error)) &&
		    !config_add_socket(&c, "c");

	config_free(&c);
	return done;
}

static bool report(void)
{
	static struct daemon d;
	char path[600], *status, *metrics;
	bool done;

	memset(path, '\\', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	d.guests[0] = guest_new(path);
	d.guests[1] = guest_new("/run/b");
	d.nr_guests = d.guests[0] && d.guests[1] ? 2 : 0;
	if (d.nr_guests) {
		d.guests[0]->present = true;
		d.guests[1]->present = true;
	}
	d.config.automatic = true;
	status = report_status(&d);
	metrics = report_metrics(&d);
	done = d.nr_guests && status && metrics && strstr(status, "/run/b") &&
	       status[strlen(status) - 1] == '}' && strstr(metrics, "failures_total{guest");
	free(status);
	free(metrics);
	guest_free(d.guests[0]);
	guest_free(d.guests[1]);
	return done;
}

static void tried(bool good, unsigned int *done, unsigned int *failed)
{
	if (good)
		++*done;
	else
		++*failed;
}

/* With each amount of memory up to @end, and with such that json-c begins with. */
static void without(const char *name, bool (*what)(void), long begins, long end)
{
	unsigned int done = 0, failed = 0;
	long extra;

	for (extra = 0; extra < end; extra += 24) {
		limit = now + extra;
		tried(what(), &done, &failed);
		limit = now + begins + extra;
		tried(what(), &done, &failed);
		limit = LONG_MAX;
	}
	ktap(failed && done, "%s: %u times not, %u times done", name, failed, done);
}

/* A message as large as it may be, of @part; without a name for it in a list. */
static void worst(const char *name, const char *begin, const char *part, const char *end)
{
	static char text[FRAME_MAX_BYTES];
	size_t len = strlen(begin), parts = 0, objects = 0, used, i;
	long before = now, needs;
	struct qmp q;

	memcpy(text, begin, len);
	while (len + strlen(part) + 16 + strlen(end) < sizeof(text) &&
	       parts * 2 + 8 < FRAME_MAX_OBJECTS * (strpbrk(part, "[{") ? 1 : 1000)) {
		len += sprintf(text + len, part, parts);
		parts++;
	}
	len += sprintf(text + len, "%s", end);
	for (i = 0; i < len; i++)
		objects += text[i] == '{' || text[i] == '[';
	look = frame_parsed_bytes(len, objects);
	qmp_start(&q);
	most = now;
	qmp_feed(&q, text, len, &used);
	/* The frame has its own. */
	needs = most - before - q.frame.size;
	ktap(needs + needs / 2 < look && !strcmp(q.error, "this is no QMP socket"),
	     "%s: %ld KiB of %ld", name, needs >> 10, look >> 10);
	look = LONG_MAX;
	qmp_end(&q);
}

int main(void)
{
	ktap(talk() && configure() && report(), "with memory all is done");
	without("a conversation", talk, 64 << 10, 40000);
	without("a configuration", configure, 0, 2000);
	without("a report", report, 1 << 20, 60000);
	worst("numbers", "{\"a\": [0", ",1", "]}");
	worst("texts", "{\"a\": [0", ",\"\"", "]}");
	worst("lists", "{\"a\": [0", ",[],[]", "]}");
	worst("objects", "{\"a\": [0", ",{},{}", "]}");
	worst("members", "{\"a\": 0", ",\"%zx\":1", "}");
	worst("objects with members", "{\"a\": [0", ",{\"a\":0},{\"b\":1}", "]}");
	return ktap_end();
}
