// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of qmp.c and frame.c: conversations with QEMUs that do as they should, and
 * with such as do not.
 */
#include <errno.h>
#include <ktap.h>
#include <stdlib.h>
#include <string.h>

#include "qmp.h"

#define HELLO	"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define INFO	"{\"return\": {\"features\": 31, \"swap-grant\": 18446744073709551615, " \
		"\"swap-in-place\": 5, \"swap-hot\": 4, \"swap-wanted\": 3, \"swap-held\": 2, " \
		"\"vcpus\": [{\"cpu-index\": 0, \"local-page\": 4096, \"flags\": 2}]}, \"id\": 2}\r\n"
#define NUMBERS(grant, used, hot, wanted) "\"swap-grant\": " grant ", \"swap-in-place\": " used \
		", \"swap-hot\": " hot ", \"swap-wanted\": " wanted
#define ANSWER(numbers)	"{\"return\": {\"features\": 16, " numbers "}, \"id\": 2}"
#define NO_GRANTS	"{\"return\": {\"features\": 0}, \"id\": 2}"
#define REFUSAL(id)	"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\u001b[31m\"}, " \
			"\"id\": " #id "}"
#define EVENT	"{\"event\": \"STOP\", \"data\": {\"brackets\": \"}]\\\"{\"}, " \
		"\"timestamp\": {\"seconds\": 1}}\r\n"

static struct qmp q;
static uint64_t seed = 3;

static uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 2685821657736338717ULL;
}

/* Feeds @text in pieces of @step bytes at the most; returns the last event that was one. */
static enum qmp_event feed_bytes(const char *text, size_t len, size_t step)
{
	enum qmp_event last = QMP_NOTHING, event;
	size_t pos = 0, used;

	while (pos < len && q.state != QMP_BROKEN) {
		event = qmp_feed(&q, text + pos, len - pos < step ? len - pos : step, &used);
		pos += used;
		if (event != QMP_NOTHING)
			last = event;
	}
	return last;
}

static enum qmp_event feed(const char *text)
{
	return feed_bytes(text, strlen(text), SIZE_MAX);
}

static void restart(void)
{
	qmp_end(&q);
	qmp_start(&q);
}

/* To where a question has been asked, which has the number 2. */
static void asked(void)
{
	restart();
	feed(HELLO);
	feed("{\"return\": {}, \"id\": 1}\r\n");
	qmp_ask(&q);
}

static void honest(void)
{
	restart();
	ktap(feed("{\"event\": \"RESUME\", \"data\": {}}\r\n") == QMP_NOTHING &&
	     q.state == QMP_GREETING && !*q.out, "an event for the client before");
	ktap(feed(HELLO) == QMP_NOTHING && q.state == QMP_CAPABILITIES &&
	     strstr(q.out, "qmp_capabilities"), "after the greeting, capabilities");
	ktap(feed("{\"return\": {}, \"id\": 1}\r\n") == QMP_READY, "then it is ready");
	qmp_ask(&q);
	ktap(feed(INFO) == QMP_INFO && q.info.has_grants && q.info.grant == QMP_GRANT_ALL &&
	     q.info.in_place == 5 && q.info.hot == 4 && q.info.wanted == 3 && q.info.held == 2,
	     "numbers");
	qmp_grant(&q, 123456789012);
	ktap(strstr(q.out, "\"x-symbiotic-set-swap-grant\"") && strstr(q.out, "123456789012"),
	     "a grant is sent");
	ktap(feed("{\"return\": {}, \"id\": 3}") == QMP_GRANTED, "and in force");
	ktap(q.state == QMP_IDLE, "idle in the end");
	qmp_page_out(&q, 77);
	ktap(strstr(q.out, "\"x-symbiotic-page-out\"") && strstr(q.out, "{\"pages\": 77}"),
	     "cold pages shall go");
	ktap(feed("{\"return\": {\"cold\": 9, \"busy\": true}, \"id\": 4}") == QMP_PAGED_OUT &&
	     q.cold == 9 && q.state == QMP_IDLE, "and do");
	qmp_page_out(&q, 1);
	ktap(feed("{\"return\": [], \"id\": 5}") == QMP_PAGED_OUT && q.cold == 9,
	     "what they are is only shown");
	qmp_page_out(&q, 1);
	ktap(feed(REFUSAL(6)) == QMP_REFUSED && q.state == QMP_IDLE, "or it cannot");
}

static void ways_to_send(void)
{
	static const char pretty[] = "{\n    \"id\": 2,\n    \"return\": {\n        "
		NUMBERS("1", "1", "1", "1") ",\n        \"features\": 16\n    }\n}\n";
	char all[4096];
	size_t step;
	bool good = true;

	for (step = 1; step < 60; step++) {
		asked();
		snprintf(all, sizeof(all), EVENT "%s" EVENT, INFO);
		good &= feed_bytes(all, strlen(all), step) == QMP_INFO && q.info.in_place == 5;
	}
	ktap(good, "byte by byte, in any pieces, between events");
	asked();
	ktap(feed(pretty) == QMP_INFO && q.info.in_place == 1, "over several lines");
	asked();
	for (step = 0; step < 2 * FRAME_MAX_OBJECTS; step++)
		feed(EVENT);
	ktap(feed(INFO) == QMP_INFO, "many events before an answer");
	asked();
	ktap(feed(EVENT EVENT EVENT) == QMP_NOTHING && q.state == QMP_ASKED,
	     "events are no answers");
}

static void refusals(void)
{
	asked();
	ktap(feed("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"\"}, \"id\": 2}") ==
	     QMP_INFO && !q.info.has_grants, "a QEMU without any of this has no grants");
	asked();
	ktap(feed("{\"return\": {\"features\": 15}, \"id\": 2}") == QMP_INFO && !q.info.has_grants,
	     "nor has a VM without that feature");
	asked();
	ktap(feed(REFUSAL(2)) == QMP_REFUSED && q.state == QMP_IDLE, "another error is one");
	ktap(!strcmp(q.error, "no\\x1b[31m"), "and printable");
	restart();
	feed(HELLO);
	ktap(feed(REFUSAL(1)) == QMP_ERROR, "no capabilities, no conversation");
}

/* What ends a conversation, in the place of the answer to number 2. */
static void rubbish(void)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "no JSON", "SSH-2.0-OpenSSH\r\n" },
		{ "no object", "[]" },
		{ "a number", "42" },
		{ "zero bytes", "\0" },
		{ "sloppy JSON", "{'return': {'features': 0}, 'id': 2}" },
		{ "a comment", "{/* */ \"return\": {\"features\": 0}, \"id\": 2}" },
		{ "brackets that do not match", "{\"return\": [}, \"id\": 2}]" },
		{ "an empty object", "{}" },
		{ "neither return nor error", "{\"id\": 2}" },
		{ "an error that is none", "{\"error\": 1, \"id\": 2}" },
		{ "no id", "{\"return\": {\"features\": 0}}" },
		{ "an id that is a text", "{\"return\": {\"features\": 0}, \"id\": \"2\"}" },
		{ "another id", "{\"return\": {\"features\": 0}, \"id\": 3}" },
		{ "an answer of before", "{\"return\": {\"features\": 0}, \"id\": 1}" },
		{ "nothing returned", "{\"return\": null, \"id\": 2}" },
		{ "a list returned", "{\"return\": [], \"id\": 2}" },
		{ "no numbers", "{\"return\": {}, \"id\": 2}" },
		{ "numbers that are lacking", "{\"return\": {\"features\": 16}, \"id\": 2}" },
		{ "a number that is a text", ANSWER(NUMBERS("\"1\"", "1", "1", "1")) },
		{ "a number that is none", ANSWER(NUMBERS("1e99", "1", "1", "1")) },
		{ "two answers", NO_GRANTS NO_GRANTS },
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		asked();
		ktap(feed_bytes(rows[i].text, strlen(rows[i].text) + !*rows[i].text, SIZE_MAX) ==
		     QMP_ERROR && q.state == QMP_BROKEN && q.error[0], "%s", rows[i].name);
	}
	restart();
	ktap(feed("{\"return\": {}}") == QMP_ERROR, "no greeting");
}

static void numbers(void)
{
	asked();
	ktap(feed(ANSWER(NUMBERS("-1", "99999999999999999999999999", "-9223372036854775808",
				 "18446744073709551615"))) == QMP_INFO &&
	     q.info.grant == 0 && q.info.hot == 0 && q.info.wanted == UINT64_MAX,
	     "numbers beyond all bounds are bounded");
}

/* @head, @n times @text; returns what becomes of it. */
static enum qmp_event many(const char *head, const char *text, size_t n)
{
	enum qmp_event event = feed(head);

	while (n-- && event == QMP_NOTHING)
		event = feed(text);
	return event;
}

static void limits(void)
{
	asked();
	ktap(many("{\"return\": ", "[", 100) == QMP_ERROR, "too deep");
	asked();
	ktap(many("{\"return\": \"", "aaaaaaaaaaaaaaaa", 1 << 20) == QMP_ERROR &&
	     q.received <= FRAME_MAX_BYTES + 100, "too long a text");
	asked();
	ktap(many("{\"return\": [", "[],", 1 << 20) == QMP_ERROR &&
	     q.received <= 3 * FRAME_MAX_OBJECTS + 100, "too many lists");
	asked();
	ktap(many("", EVENT, 1 << 20) == QMP_ERROR && q.received <= QMP_MAX_BYTES + 1000,
	     "events without an end");
	asked();
	ktap(many("", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 1 << 20) == QMP_ERROR,
	     "empty lines without an end");
	ktap(!q.frame.text, "nothing is kept of what is broken");
}

/* A VM of many vCPUs, as long as its answer may be. */
static void large(void)
{
	char *text = malloc(1 << 20);
	size_t len = 0;
	int i;

	asked();
	len = sprintf(text, "{\"id\": 2, \"return\": {\"features\": 16, %s, \"vcpus\": [",
		      NUMBERS("1", "7", "1", "1"));
	for (i = 0; i < 1024; i++)
		len += sprintf(text + len, "%s{\"cpu-index\": %d, \"local-page\": %llu, ",
			       i ? "\"flags\": 3}, " : "", i, 281474976710655ULL);
	len += sprintf(text + len, "\"flags\": 3}]}}\r\n");
	ktap(feed_bytes(text, len, 1000) == QMP_INFO && q.info.in_place == 7, "1024 vCPUs");
	free(text);
}

/* Good conversations with a few bytes changed: all must end or wait. */
static void damaged(unsigned int rounds)
{
	char text[1024];
	unsigned int n, i;
	bool bad = false;

	for (n = 0; n < rounds; n++) {
		enum qmp_event event;
		size_t len;

		asked();
		len = snprintf(text, sizeof(text), EVENT "%s", INFO);
		for (i = rnd() % 8; i; i--)
			text[rnd() % len] = rnd();
		event = feed_bytes(text, rnd() % 4 ? len : rnd() % len, 1 + rnd() % 100);
		bad |= event == QMP_GRANTED || event == QMP_READY ||
		       (event == QMP_ERROR) != (q.state == QMP_BROKEN);
	}
	ktap(!bad, "damaged answers");
}

int main(void)
{
	honest();
	ways_to_send();
	refusals();
	rubbish();
	numbers();
	limits();
	large();
	damaged(20000);
	qmp_end(&q);
	return ktap_end();
}
