// SPDX-License-Identifier: GPL-2.0
/* Where does a message of QMP end? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

static int append(struct frame *f, char c)
{
	if (f->len == f->size) {
		size_t size = f->size ? 2 * f->size : 1024;
		char *text;

		if (size > FRAME_MAX_BYTES)
			return -E2BIG;
		text = realloc(f->text, size);
		if (!text)
			return -ENOMEM;
		f->text = text;
		f->size = size;
	}
	f->text[f->len++] = c;
	return 0;
}

/* One more byte. Returns 1 if it was the last of a message, 0, or an error. */
static int take(struct frame *f, char c)
{
	int ret;

	if (!f->depth && c != '{')
		return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? 0 : -EBADMSG;
	ret = append(f, c);
	if (ret)
		return ret;
	if (f->escape) {
		f->escape = false;
	} else if (f->string) {
		f->escape = c == '\\';
		f->string = c != '"';
	} else if (c == '"') {
		f->string = true;
	} else if (c == '\'') {
		/* No quote of JSON's, but json-c takes it for one in some places. */
		return -EBADMSG;
	} else if (c == '{' || c == '[') {
		if (++f->depth > FRAME_MAX_DEPTH)
			return -EBADMSG;
		if (++f->objects > FRAME_MAX_OBJECTS)
			return -E2BIG;
	} else if (c == '}' || c == ']') {
		return --f->depth == 0;
	}
	return 0;
}

int frame_feed(struct frame *f, const char *data, size_t len, size_t *used)
{
	int ret = 0;

	for (*used = 0; *used < len && !ret; ++*used)
		ret = take(f, data[*used]);
	return ret;
}

void frame_next(struct frame *f)
{
	f->len = 0;
	f->depth = 0;
	f->objects = 0;
	f->string = false;
	f->escape = false;
}

void frame_free(struct frame *f)
{
	free(f->text);
	memset(f, 0, sizeof(*f));
}
