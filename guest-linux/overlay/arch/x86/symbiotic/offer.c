// SPDX-License-Identifier: GPL-2.0
/*
 * Offers of modules: which state the only one is in, and whether what the VMM says of it
 * makes sense. Nothing here touches memory of the VMM's.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "modules.h"

/* ---- The lane ------------------------------------------------------------- */

/**
 * symb_lane_queue() - a symcall brings an offer
 * @lane: the lane
 * @cpu: this CPU, whose request is complete
 *
 * Context: symcall.
 * Return: false if there is one already.
 */
bool symb_lane_queue(struct symb_lane *lane, unsigned int cpu)
{
	return cmpxchg(&lane->state, SYMB_LANE_IDLE, (int)cpu + 1) == SYMB_LANE_IDLE;
}

/**
 * symb_lane_start() - a thread begins with it
 * @lane: the lane
 * @cpu: who has queued it
 *
 * Return: false if it is not there.
 */
bool symb_lane_start(struct symb_lane *lane, unsigned int cpu)
{
	return cmpxchg(&lane->state, (int)cpu + 1, SYMB_LANE_RUNNING) == (int)cpu + 1;
}

/**
 * symb_lane_overdue() - its time is up
 * @lane: the lane
 *
 * Return: false if it has ended.
 */
bool symb_lane_overdue(struct symb_lane *lane)
{
	return cmpxchg(&lane->state, SYMB_LANE_RUNNING, SYMB_LANE_OVERDUE) ==
	       SYMB_LANE_RUNNING;
}

/**
 * symb_lane_end() - it is over
 * @lane: the lane
 *
 * Return: the state that it was in.
 */
int symb_lane_end(struct symb_lane *lane)
{
	return xchg(&lane->state, SYMB_LANE_IDLE);
}

/**
 * symb_lane_awake() - whether the machine has to stay awake for it
 * @lane: the lane
 *
 * One that is overdue may be so for ever.
 */
bool symb_lane_awake(struct symb_lane *lane)
{
	int state = READ_ONCE(lane->state);

	return state != SYMB_LANE_IDLE && state != SYMB_LANE_OVERDUE;
}

/* ---- What the VMM says ---------------------------------------------------- */

/**
 * symb_offer_place() - whether an offer can be where the VMM says
 * @req: what the symcall has said
 * @limit: most bytes of a module
 * @phys_bits: of a guest-physical address
 *
 * Return: 0; -EFBIG if it is too big; -EINVAL.
 */
int symb_offer_place(const struct symb_module_request *req, u64 limit,
		     unsigned int phys_bits)
{
	u64 end = 1ULL << phys_bits;

	if (!req->cookie || !req->gpa ||
	    !IS_ALIGNED(req->gpa | req->size, SYMB_PAGE_SIZE) ||
	    req->size < SYMB_MODULE_DATA)
		return -EINVAL;
	if (req->size - SYMB_MODULE_DATA > ALIGN(limit, SYMB_PAGE_SIZE))
		return -EFBIG;
	if (req->gpa >= end || req->size > end - req->gpa)
		return -EINVAL;
	return 0;
}

/* Text of @len bytes, and then nothing but NULs. */
static bool padded(const char *text, size_t len, size_t room)
{
	return len < room && !memchr(text, '\0', len) &&
	       !memchr_inv(text + len, 0, room - len);
}

static bool name_valid(const char *name)
{
	size_t i, len = strnlen(name, SYMB_MODULE_NAME);

	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("_-", name[i])))
			return false;
	return len && padded(name, len, SYMB_MODULE_NAME);
}

/**
 * symb_offer_check() - whether an offer says of itself what can be
 * @offer: a copy of its first page
 * @req: what the symcall has said, which is right in itself
 * @limit: most bytes of a module
 *
 * Return: 0; -ENODATA if it is not there any more; -EFBIG if the module is too big;
 * -EOPNOTSUPP for an operation of the future; -EINVAL.
 */
int symb_offer_check(const struct symb_module_offer *offer,
		     const struct symb_module_request *req, u64 limit)
{
	u64 room = req->size - SYMB_MODULE_DATA;

	if (offer->magic != SYMB_MODULE_MAGIC)
		return -ENODATA;
	if (offer->op != SYMB_MODULE_LOAD && offer->op != SYMB_MODULE_UNLOAD)
		return -EOPNOTSUPP;
	if (offer->cookie != req->cookie || offer->reserved ||
	    memchr_inv(offer->pad, 0, sizeof(offer->pad)))
		return -EINVAL;
	if (!name_valid(offer->name) ||
	    !padded(offer->args, offer->args_len, sizeof(offer->args)))
		return -EINVAL;
	if (offer->op == SYMB_MODULE_UNLOAD)
		return offer->size || room || offer->args_len ? -EINVAL : 0;
	if (offer->size > limit)
		return -EFBIG;
	if (!offer->size || ALIGN(offer->size, SYMB_PAGE_SIZE) != room)
		return -EINVAL;
	return 0;
}
