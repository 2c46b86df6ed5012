// SPDX-License-Identifier: GPL-2.0
/* QMP as the daemon speaks it, by somebody who has ids of his own. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json.h>

#include "frame.h"
#include "relay.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define UNKNOWN \
	"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"not by this socket\"}"

/* Whoever can connect has no more of the VM than this. */
static const char * const allowed[] = {
	"x-query-symbiotic",
	"x-symbiotic-set-swap-grant",
	"x-symbiotic-page-out",
};

/* No more than the daemon takes: a few MiB of brackets are some GiB to json-c. */
static bool is_fit(const char *text)
{
	struct frame f = { };
	size_t used;
	bool fit;

	/* What is behind it json-c sees. */
	fit = frame_feed(&f, text, strlen(text), &used) == 1;
	frame_free(&f);
	return fit && strlen(text) <= FRAME_MAX_BYTES;
}

/* NULL unless it is an object and nothing else. */
static struct json_object *parse(const char *text)
{
	struct json_tokener *tok;
	struct json_object *o;

	if (!is_fit(text))
		return NULL;
	tok = json_tokener_new_ex(FRAME_MAX_DEPTH + 1);
	if (!tok)
		return NULL;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	/* With the zero at its end, which says that there is no more. */
	o = json_tokener_parse_ex(tok, text, strlen(text) + 1);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tok);
	return o;
}

/* A text without line breaks, and one behind it. */
static char *line_of(struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	char *line;

	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

static bool is_allowed(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(allowed); i++)
		if (!strcmp(name, allowed[i]))
			return true;
	return false;
}

/* What the QEMU answers, with the id that was asked for. */
static char *pass_on(struct json_object *command, int64_t id, relay_ask *ask, void *opaque)
{
	struct json_object *o;
	char *text, *line = NULL;

	json_object_object_del(command, "id");
	text = ask(opaque, json_object_to_json_string_ext(command, JSON_C_TO_STRING_PLAIN));
	if (!text)
		return NULL;
	o = parse(text);
	free(text);
	if (o && !json_object_object_add(o, "id", json_object_new_int64(id)))
		line = line_of(o);
	json_object_put(o);
	return line;
}

char *relay_answer(const char *line, relay_ask *ask, void *opaque)
{
	struct json_object *command = parse(line), *name, *id;
	const char *form = NULL;
	char *answer = NULL;
	int64_t number;

	if (!command || !json_object_object_get_ex(command, "execute", &name) ||
	    !json_object_is_type(name, json_type_string) ||
	    !json_object_object_get_ex(command, "id", &id) ||
	    !json_object_is_type(id, json_type_int))
		goto out;
	number = json_object_get_int64(id);
	if (!strcmp(json_object_get_string(name), "qmp_capabilities"))
		form = "{\"return\": {}, \"id\": %" PRId64 "}\n";
	else if (!is_allowed(json_object_get_string(name)))
		form = UNKNOWN ", \"id\": %" PRId64 "}\n";
	if (!form)
		answer = pass_on(command, number, ask, opaque);
	else if (asprintf(&answer, form, number) < 0)
		answer = NULL;
out:
	json_object_put(command);
	return answer;
}
