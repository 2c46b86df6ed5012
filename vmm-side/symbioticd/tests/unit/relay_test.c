// SPDX-License-Identifier: GPL-2.0
/* Unit tests of relay.c: who asks what, and gets which answer. */
#include <ktap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "relay.h"

static char asked[RELAY_MAX_BYTES];
static unsigned int asks;

/* @opaque: what the QEMU says. */
static char *ask(void *opaque, const char *command)
{
	asks++;
	snprintf(asked, sizeof(asked), "%s", command);
	return opaque ? strdup(opaque) : NULL;
}

/* Is the answer to @line @want, or none if that is NULL? */
static bool answers(const char *line, const char *qemu, const char *want)
{
	char *answer = relay_answer(line, ask, (void *)qemu);
	bool good = want ? answer && !strcmp(answer, want) : !answer;

	if (!good)
		printf("# got %s\n", answer ? answer : "nothing");
	free(answer);
	return good;
}

#define GRANT \
	"{\"execute\": \"x-symbiotic-set-swap-grant\"," \
	"\"arguments\": {\"pages\": 18446744073709551615}, \"id\": 1}"
#define UNKNOWN \
	"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"not by this socket\"}" \
	", \"id\": 3}\n"
#define QUERY	"{\"execute\": \"x-query-symbiotic\", \"arguments\": {}, \"id\": 7}"

static void passed_on(void)
{
	ktap(answers(QUERY, "{\"return\": {\"features\": 31}, \"id\": \"libvirt-12\"}",
		     "{\"return\":{\"features\":31},\"id\":7}\n"), "the answer has our id");
	ktap(!strcmp(asked, "{\"execute\":\"x-query-symbiotic\",\"arguments\":{}}"),
	     "libvirt has its own");
	ktap(answers(GRANT,
		     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}",
		     "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"},\"id\":1}\n"),
	     "also an error's");
	ktap(!!strstr(asked, "18446744073709551615"), "numbers are as they were");
	ktap(answers("{\"execute\": \"x-symbiotic-page-out\", \"id\": 2}",
		     "{\"return\": {\"x\": \"a\\nb\"}}",
		     "{\"return\":{\"x\":\"a\\nb\"},\"id\":2}\n"), "and it is a line");
}

static void not_passed_on(void)
{
	asks = 0;
	ktap(answers("{\"execute\": \"qmp_capabilities\", \"id\": 1}", NULL,
		     "{\"return\": {}, \"id\": 1}\n"), "capabilities");
	ktap(answers("{\"execute\": \"quit\", \"id\": 3}", "{\"return\": {}}",
		     UNKNOWN), "what is not ours");
	ktap(answers("{\"execute\": \"x-query-symbiotic\"}", "{\"return\": {}}", NULL), "no id");
	ktap(answers("{\"exec-oob\": \"x-query-symbiotic\", \"id\": 1}", "{\"return\": {}}", NULL),
	     "no command");
	ktap(answers("{\"execute\": [\"quit\"], \"id\": 1}", "{\"return\": {}}", NULL),
	     "a command that is no name");
	ktap(answers(QUERY "{\"execute\": \"quit\"}", "{\"return\": {}}", NULL), "two in a line");
	ktap(answers("", "{}", NULL) && answers("[]", "{}", NULL) && answers("{\"", "{}", NULL),
	     "no JSON");
	ktap(asks == 0, "nobody was asked");
}

static void bad_answers(void)
{
	ktap(answers(QUERY, NULL, NULL), "none");
	ktap(answers(QUERY, "", NULL) && answers(QUERY, "[1]", NULL) &&
	     answers(QUERY, "{\"return\": {}", NULL), "no JSON is none");
}

/* @what so often in an answer that is as it should be. */
static bool answered_with(const char *what, size_t nr)
{
	static const char begin[] = "{\"return\": {\"x\": [", end[] = "0]}}";
	char *text = malloc(sizeof(begin) + sizeof(end) + nr * strlen(what)), *answer, *to = text;
	size_t i;

	if (!text)
		return false;
	to += sprintf(to, "%s", begin);
	for (i = 0; i < nr; i++)
		to += sprintf(to, "%s", what);
	memcpy(to, end, sizeof(end));
	answer = relay_answer(QUERY, ask, text);
	free(text);
	free(answer);
	return !!answer;
}

/* A QEMU may send anything, and libvirt passes on some MiB of it. */
static void large_answers(void)
{
	ktap(answered_with("[],", 1000) && !answered_with("[],", FRAME_MAX_OBJECTS),
	     "too many brackets");
	ktap(answered_with("1, ", FRAME_MAX_BYTES / 4) &&
	     !answered_with("1, ", FRAME_MAX_BYTES / 3), "too long");
	ktap(answers(QUERY, "{\"x\":[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]}", NULL), "too deep");
}

int main(void)
{
	passed_on();
	not_passed_on();
	bad_answers();
	large_answers();
	return ktap_end();
}
