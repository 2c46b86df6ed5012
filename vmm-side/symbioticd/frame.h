/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where does a message of QMP end? JSON objects follow each other, in a line each or
 * "pretty". What they mean is json-c's; here they are only held together, and limited,
 * before anything is made of them.
 */
#ifndef SYMBIOTICD_FRAME_H
#define SYMBIOTICD_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* A VM with 1000 vCPUs has an answer of 70 KiB and 1000 brackets. */
#define FRAME_MAX_BYTES		(128 << 10)
#define FRAME_MAX_OBJECTS	4096
#define FRAME_MAX_DEPTH		16

/**
 * struct frame - a message that is coming in; all zero at first
 * @text: what has come, not terminated
 * @len: bytes of that
 */
struct frame {
	char *text;
	size_t len;
	size_t size;
	unsigned int depth;
	unsigned int objects;
	bool string;
	bool escape;
};

/**
 * frame_feed - take bytes of a stream, up to the end of a message
 * @f: the frame
 * @data: the bytes
 * @len: how many
 * @used: how many of them have been taken
 *
 * Returns: 1 if there is a whole message in @text, for frame_next() to drop; 0 if more is
 * needed; -EBADMSG if this is no JSON object or too deep, -E2BIG if it is too large,
 * -ENOMEM
 */
int frame_feed(struct frame *f, const char *data, size_t len, size_t *used);

/**
 * frame_parsed_bytes - memory that json-c needs for a message, at the most
 * @len: bytes of the message
 * @objects: brackets in it
 *
 * Returns: bytes; what memory_test.c has seen, and half as much again
 */
static inline size_t frame_parsed_bytes(size_t len, size_t objects)
{
	return (64 << 10) + 64 * len + 1024 * objects;
}

/**
 * frame_next - drop the message, begin another one
 * @f: the frame
 */
void frame_next(struct frame *f);

/**
 * frame_free - free what it holds; it can be used again
 * @f: the frame
 */
void frame_free(struct frame *f);

#endif /* SYMBIOTICD_FRAME_H */
