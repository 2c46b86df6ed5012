// SPDX-License-Identifier: GPL-2.0
/*
 * Typed ranges in a sorted array. Neighbours of one type are one range, so
 * that orderly use needs few of them.
 */
#include <kitten/lib.h>
#include <kitten/mm.h>

/* First range that ends behind @at. */
static u32 first_behind(const struct rangeset *rs, u64 at)
{
	u32 i = 0;

	while (i < rs->nr && rs->r[i].end <= at)
		i++;
	return i;
}

/* At worst a range is split in two, and one comes between. */
bool rangeset_room(const struct rangeset *rs, u32 changes)
{
	return rs->nr + 2 * changes <= RANGESET_MAX;
}

/* What takes the place of @nr_old ranges from number @first on. */
struct splice {
	u32 first;
	u32 nr_old;
	u32 nr_new;
	struct range r[3];
};

static void add(struct splice *s, u64 start, u64 end, u32 type)
{
	if (start < end && type)
		s->r[s->nr_new++] = (struct range){ start, end, type };
}

/* The front of the first range that overlaps, the new one, the back of the last. */
static void plan(const struct rangeset *rs, u64 start, u64 end, u32 type,
		 struct splice *s)
{
	u32 first = first_behind(rs, start), behind = first;
	struct range front = { .end = start }, back = { .start = end };

	while (behind < rs->nr && rs->r[behind].start < end)
		behind++;
	if (first < behind && rs->r[first].start < start)
		front = rs->r[first];
	else if (type && first && rs->r[first - 1].end == start)
		front = rs->r[--first];
	if (first < behind && rs->r[behind - 1].end > end)
		back = rs->r[behind - 1];
	else if (type && behind < rs->nr && rs->r[behind].start == end)
		back = rs->r[behind++];

	s->first = first;
	s->nr_old = behind - first;
	s->nr_new = 0;
	if (front.type == type && type)
		start = front.start;
	else
		add(s, front.start, start, front.type);
	if (back.type == type && type) {
		add(s, start, back.end, type);
		return;
	}
	add(s, start, end, type);
	add(s, end, back.end, back.type);
}

int rangeset_set(struct rangeset *rs, u64 start, u64 end, u32 type)
{
	struct splice s;
	u32 behind;

	if (start >= end)
		return -EINVAL;
	plan(rs, start, end, type, &s);
	if (rs->nr - s.nr_old + s.nr_new > RANGESET_MAX)
		return -ENOSPC;
	behind = s.first + s.nr_old;
	memmove(&rs->r[s.first + s.nr_new], &rs->r[behind],
		(rs->nr - behind) * sizeof(rs->r[0]));
	memcpy(&rs->r[s.first], s.r, s.nr_new * sizeof(s.r[0]));
	rs->nr += s.nr_new - s.nr_old;
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
