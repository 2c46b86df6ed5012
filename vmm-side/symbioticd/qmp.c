// SPDX-License-Identifier: GPL-2.0
/* A conversation with a QEMU by QMP. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json.h>
#include <symbiotic/abi.h>

#include "memory.h"
#include "qmp.h"
#include "text.h"

__attribute__((format(printf, 2, 3)))
static enum qmp_event broken(struct qmp *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->error, sizeof(q->error), fmt, ap);
	va_end(ap);
	q->state = QMP_BROKEN;
	frame_free(&q->frame);
	return QMP_ERROR;
}

/* @arguments: JSON. Nothing is left to send when there is something new to say. */
static void say(struct qmp *q, enum qmp_state state, const char *command, const char *arguments)
{
	q->state = state;
	q->out_pos = 0;
	q->out_len = snprintf(q->out, sizeof(q->out),
			      "{\"execute\": \"%s\", \"arguments\": %s, \"id\": %" PRId64 "}\n",
			      command, arguments, ++q->id);
}

void qmp_start(struct qmp *q)
{
	memset(q, 0, sizeof(*q));
}

void qmp_end(struct qmp *q)
{
	frame_free(&q->frame);
	q->state = QMP_BROKEN;
}

void qmp_ask(struct qmp *q)
{
	say(q, QMP_ASKED, "x-query-symbiotic", "{}");
}

static void say_pages(struct qmp *q, enum qmp_state state, const char *command, uint64_t pages)
{
	char arguments[40];

	snprintf(arguments, sizeof(arguments), "{\"pages\": %" PRIu64 "}", pages);
	say(q, state, command, arguments);
}

void qmp_grant(struct qmp *q, uint64_t pages)
{
	say_pages(q, QMP_GRANTING, "x-symbiotic-set-swap-grant", pages);
}

void qmp_page_out(struct qmp *q, uint64_t pages)
{
	say_pages(q, QMP_PAGING_OUT, "x-symbiotic-page-out", pages);
}

static bool get_number(struct json_object *from, const char *name, uint64_t *number)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, name, &value) ||
	    !json_object_is_type(value, json_type_int))
		return false;
	/* 0 for a negative one. */
	*number = json_object_get_uint64(value);
	return true;
}

static bool get_info(struct json_object *from, struct qmp_info *info)
{
	struct qmp_info i = { };
	uint64_t features;

	if (!json_object_is_type(from, json_type_object) ||
	    !get_number(from, "features", &features))
		return false;
	i.has_grants = features & SYMB_FEAT_SWAP_GRANT;
	if (i.has_grants && (!get_number(from, "swap-grant", &i.grant) ||
			     !get_number(from, "swap-in-place", &i.in_place) ||
			     !get_number(from, "swap-hot", &i.hot) ||
			     !get_number(from, "swap-wanted", &i.wanted)))
		return false;
	/* Only to be shown. */
	get_number(from, "swap-held", &i.held);
	*info = i;
	return true;
}

static enum qmp_event answered(struct qmp *q, struct json_object *result)
{
	switch (q->state) {
	case QMP_CAPABILITIES:
		q->state = QMP_IDLE;
		return QMP_READY;
	case QMP_GRANTING:
		q->state = QMP_IDLE;
		return QMP_GRANTED;
	case QMP_PAGING_OUT:
		/* Only to be shown. */
		if (json_object_is_type(result, json_type_object))
			get_number(result, "cold", &q->cold);
		q->state = QMP_IDLE;
		return QMP_PAGED_OUT;
	case QMP_ASKED:
		if (!get_info(result, &q->info))
			return broken(q, "the answer lacks numbers");
		q->state = QMP_IDLE;
		return QMP_INFO;
	default:
		return broken(q, "an answer to no question");
	}
}

/* The text and the class of an error. */
static enum qmp_event refused(struct qmp *q, struct json_object *error)
{
	struct json_object *class, *desc;
	const char *text = "an error without a text";
	bool unknown = false;

	if (json_object_object_get_ex(error, "desc", &desc) &&
	    json_object_is_type(desc, json_type_string))
		text = json_object_get_string(desc);
	if (json_object_object_get_ex(error, "class", &class) &&
	    json_object_is_type(class, json_type_string))
		unknown = !strcmp(json_object_get_string(class), "CommandNotFound");

	switch (q->state) {
	case QMP_ASKED:
		/* A QEMU that has none of this. */
		q->state = QMP_IDLE;
		if (unknown) {
			q->info = (struct qmp_info){ };
			return QMP_INFO;
		}
		break;
	case QMP_GRANTING:
	case QMP_PAGING_OUT:
		q->state = QMP_IDLE;
		break;
	default:
		q->state = QMP_BROKEN;
	}
	text_escape(q->error, sizeof(q->error), text, strlen(text));
	return q->state == QMP_BROKEN ? QMP_ERROR : QMP_REFUSED;
}

static enum qmp_event message(struct qmp *q, struct json_object *msg)
{
	struct json_object *value, *id;

	/* Also before the greeting: QEMU may take a client for the one before it. */
	if (json_object_object_get_ex(msg, "event", NULL))
		return QMP_NOTHING;
	if (q->state == QMP_GREETING) {
		if (!json_object_object_get_ex(msg, "QMP", NULL))
			return broken(q, "this is no QMP socket");
		say(q, QMP_CAPABILITIES, "qmp_capabilities", "{}");
		return QMP_NOTHING;
	}
	if (!json_object_object_get_ex(msg, "id", &id) ||
	    !json_object_is_type(id, json_type_int) || json_object_get_int64(id) != q->id)
		return broken(q, "an answer to another question");
	if (json_object_object_get_ex(msg, "return", &value))
		return answered(q, value);
	if (json_object_object_get_ex(msg, "error", &value) &&
	    json_object_is_type(value, json_type_object))
		return refused(q, value);
	return broken(q, "neither an answer nor an event");
}

/* What json-c makes of a whole message. */
static enum qmp_event parse(struct qmp *q)
{
	struct json_tokener *tok;
	struct json_object *msg;
	enum json_tokener_error err;
	enum qmp_event event;

	if (!memory_has(frame_parsed_bytes(q->frame.len, q->frame.objects)))
		return broken(q, "%s", strerror(ENOMEM));
	tok = json_tokener_new_ex(FRAME_MAX_DEPTH + 1);
	if (!tok)
		return broken(q, "%s", strerror(ENOMEM));
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	msg = json_tokener_parse_ex(tok, q->frame.text, q->frame.len);
	err = json_tokener_get_error(tok);
	json_tokener_free(tok);
	frame_next(&q->frame);

	if (err != json_tokener_success || !json_object_is_type(msg, json_type_object))
		event = broken(q, "no JSON: %s", json_tokener_error_desc(err));
	else
		event = message(q, msg);
	json_object_put(msg);
	return event;
}

enum qmp_event qmp_feed(struct qmp *q, const char *data, size_t len, size_t *used)
{
	enum qmp_event event = QMP_NOTHING;
	size_t taken;
	int ret;

	*used = 0;
	while (event == QMP_NOTHING && *used < len && q->state != QMP_BROKEN) {
		ret = frame_feed(&q->frame, data + *used, len - *used, &taken);
		*used += taken;
		q->received += taken;
		if (ret < 0)
			event = broken(q, "%s", ret == -EBADMSG ? "not what QMP looks like" :
				       strerror(-ret));
		else if (q->received > QMP_MAX_BYTES)
			event = broken(q, "it talks too much");
		else if (ret)
			event = parse(q);
	}
	return event;
}
