// SPDX-License-Identifier: GPL-2.0
/*
 * Typed ranges in a sorted array. Neighbours of one type are one range, so
 * that orderly use needs few of them.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

static void remove_at(struct rangeset *rs, u32 i)
{
	rs->nr--;
	memmove(&rs->r[i], &rs->r[i + 1], (rs->nr - i) * sizeof(rs->r[0]));
}

static void insert_at(struct rangeset *rs, u32 i, u64 start, u64 end, u32 type)
{
	memmove(&rs->r[i + 1], &rs->r[i], (rs->nr - i) * sizeof(rs->r[0]));
	rs->r[i] = (struct range){ .start = start, .end = end, .type = type };
	rs->nr++;
}

/* First range that ends behind @at. */
static u32 first_behind(const struct rangeset *rs, u64 at)
{
	u32 i = 0;

	while (i < rs->nr && rs->r[i].end <= at)
		i++;
	return i;
}

bool rangeset_room(const struct rangeset *rs, u32 changes)
{
	return rs->nr + 2 * changes <= RANGESET_MAX;
}

int rangeset_set(struct rangeset *rs, u64 start, u64 end, u32 type)
{
	struct range *r;
	u32 i;

	if (start >= end)
		return -EINVAL;
	/* At worst one range is split in two and one comes between. */
	if (!rangeset_room(rs, 1))
		return -ENOSPC;

	i = first_behind(rs, start);
	/* One that starts before: keep its front. */
	if (i < rs->nr && rs->r[i].start < start) {
		r = &rs->r[i];
		if (r->end > end)
			insert_at(rs, i + 1, end, r->end, r->type);
		r->end = start;
		i++;
	}
	/* Those inside go; one that ends behind keeps its back. */
	while (i < rs->nr && rs->r[i].end <= end)
		remove_at(rs, i);
	if (i < rs->nr && rs->r[i].start < end)
		rs->r[i].start = end;
	if (!type)
		return 0;

	insert_at(rs, i, start, end, type);
	r = &rs->r[i];
	if (i + 1 < rs->nr && r[1].start == end && r[1].type == type) {
		r->end = r[1].end;
		remove_at(rs, i + 1);
	}
	if (i && r[-1].end == start && r[-1].type == type) {
		r[-1].end = r->end;
		remove_at(rs, i);
	}
	return 0;
}

u32 rangeset_get(const struct rangeset *rs, u64 at)
{
	u32 i = first_behind(rs, at);

	return i < rs->nr && rs->r[i].start <= at ? rs->r[i].type : 0;
}

bool rangeset_all(const struct rangeset *rs, u64 start, u64 end, u32 type)
{
	u32 i = first_behind(rs, start);

	/* Neighbours of one type are merged, so one range has it all. */
	return start < end && i < rs->nr && rs->r[i].type == type &&
	       rs->r[i].start <= start && rs->r[i].end >= end;
}

bool rangeset_next(const struct rangeset *rs, u64 at, u64 limit, u32 type,
		   u64 *start, u64 *end)
{
	if (at >= limit)
		return false;
	for (u32 i = first_behind(rs, at); i < rs->nr; i++) {
		const struct range *r = &rs->r[i];

		if (r->start >= limit)
			break;
		if (r->type != type)
			continue;
		*start = max_u64(r->start, at);
		*end = min_u64(r->end, limit);
		return true;
	}
	return false;
}

int rangeset_find(const struct rangeset *rs, u64 size, u64 align, u32 type,
		  bool high, u64 *start)
{
	bool found = false;
	u64 at;

	for (u32 i = 0; i < rs->nr; i++) {
		const struct range *r = &rs->r[i];

		if (r->type != type || r->end - r->start < size)
			continue;
		if (high)
			at = ALIGN_DOWN(r->end - size, align);
		else
			at = ALIGN_UP(r->start, align);
		/* The second test also catches an overflow of ALIGN_UP. */
		if (at < r->start || at > r->end || r->end - at < size)
			continue;
		*start = at;
		found = true;
		if (!high)
			break;
	}
	return found ? 0 : -ENOMEM;
}
