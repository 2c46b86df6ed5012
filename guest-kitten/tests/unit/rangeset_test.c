// SPDX-License-Identifier: GPL-2.0
/*
 * Range sets against a plain array of types.
 */
#include "fake.h"

#define N	400

static struct rangeset rs;
static u8 model[N];

/* Sorted, not empty, not overlapping, neighbours of one type merged. */
static void check_shape(void)
{
	for (u32 i = 0; i < rs.nr; i++) {
		EXPECT(rs.r[i].start < rs.r[i].end && rs.r[i].type);
		if (!i)
			continue;
		EXPECT(rs.r[i - 1].end <= rs.r[i].start);
		EXPECT(rs.r[i - 1].end < rs.r[i].start ||
		       rs.r[i - 1].type != rs.r[i].type);
	}
}

static void check_model(void)
{
	for (u32 i = 0; i < N; i++)
		EXPECT(rangeset_get(&rs, i) == model[i]);
	check_shape();
}

static void small_steps(void)
{
	memset(&rs, 0, sizeof(rs));
	EXPECT(rangeset_set(&rs, 5, 5, 1) == -EINVAL);
	EXPECT(rangeset_set(&rs, 6, 5, 1) == -EINVAL);
	EXPECT(!rangeset_set(&rs, 10, 20, 1) && rs.nr == 1);
	EXPECT(!rangeset_set(&rs, 20, 30, 1) && rs.nr == 1);
	EXPECT(!rangeset_set(&rs, 12, 14, 2) && rs.nr == 3);
	EXPECT(!rangeset_set(&rs, 12, 14, 1) && rs.nr == 1);
	EXPECT(rangeset_all(&rs, 10, 30, 1) && !rangeset_all(&rs, 9, 30, 1));
	EXPECT(!rangeset_all(&rs, 10, 31, 1) && !rangeset_all(&rs, 15, 15, 1));
	EXPECT(!rangeset_set(&rs, 0, 100, 0) && rs.nr == 0);
}

static void against_model(void)
{
	memset(&rs, 0, sizeof(rs));
	memset(model, 0, sizeof(model));
	for (u32 step = 0; step < 20000; step++) {
		u64 a = fake_random() % N, b = fake_random() % (N + 1);
		u32 type = fake_random() % 4;
		int ret = rangeset_set(&rs, a, b, type);

		EXPECT(!ret == (a < b));
		if (!ret)
			memset(model + a, type, b - a);
		if (step % 50 == 0)
			check_model();
	}
}

static bool free_at(u64 at, u64 size, u32 type)
{
	for (u64 i = 0; i < size; i++) {
		if (at + i >= N || model[at + i] != type)
			return false;
	}
	return true;
}

static void find_against_model(void)
{
	for (u32 step = 0; step < 3000; step++) {
		u64 size = 1 + fake_random() % 20, align, at = 0, best = N;
		u32 type = 1 + fake_random() % 3;
		bool high = fake_random() & 1;
		int ret;

		align = 1ULL << fake_random() % 4;
		for (u64 i = 0; i < N; i += align) {
			if (!free_at(i, size, type))
				continue;
			if (high || best == N)
				best = i;
		}
		ret = rangeset_find(&rs, size, align, type, high, &at);
		EXPECT(!ret == (best < N));
		EXPECT(ret || at == best);
		at = fake_random() % (N - 20);
		rangeset_set(&rs, at, at + size, type);
		memset(model + at, type, size);
	}
}

/* The first run of a type in a part, wherever that part starts and ends. */
static void next_against_model(void)
{
	for (u32 step = 0; step < 5000; step++) {
		u64 at = fake_random() % N, limit = fake_random() % (N + 1);
		u64 start = 0, end = 0, want = at, stop;
		u32 type = fake_random() % 4;
		bool found;

		while (want < limit && model[want] != type)
			want++;
		for (stop = want; stop < limit && model[stop] == type; )
			stop++;
		found = rangeset_next(&rs, at, limit, type, &start, &end);
		EXPECT(found == (type && want < limit));
		EXPECT(!found || (start == want && end == stop));
	}
	EXPECT(rangeset_room(&rs, 1) && !rangeset_room(&rs, RANGESET_MAX));
}

static void full(void)
{
	u32 i;

	memset(&rs, 0, sizeof(rs));
	for (i = 0; i < 10 * RANGESET_MAX; i++) {
		if (rangeset_set(&rs, 2 * i, 2 * i + 1, 1))
			break;
	}
	EXPECT(i == RANGESET_MAX && rs.nr == RANGESET_MAX);
	EXPECT(rangeset_set(&rs, 1, 2, 2) == -ENOSPC);
	EXPECT(!rangeset_get(&rs, 1));
	/* What makes no more of them goes. */
	EXPECT(!rangeset_set(&rs, 0, 1, 2) && rangeset_get(&rs, 0) == 2);
	EXPECT(!rangeset_set(&rs, 3, 4, 1) && rs.nr == RANGESET_MAX - 1);
	EXPECT(!rangeset_set(&rs, 20, 21, 0) && rs.nr == RANGESET_MAX - 2);
	check_shape();
}

static void edges(void)
{
	u64 at;

	memset(&rs, 0, sizeof(rs));
	EXPECT(!rangeset_set(&rs, 0, ~0ULL, 1));
	EXPECT(!rangeset_find(&rs, ~0ULL, 1, 1, false, &at) && !at);
	EXPECT(!rangeset_find(&rs, 1, 1ULL << 63, 1, true, &at) &&
	       at == 1ULL << 63);
	EXPECT(!rangeset_set(&rs, ~0ULL - 10, ~0ULL, 2));
	EXPECT(rangeset_find(&rs, 1, 1ULL << 40, 2, false, &at) == -ENOMEM);
	EXPECT(rangeset_find(&rs, 11, 1, 2, false, &at) == -ENOMEM);
	EXPECT(!rangeset_find(&rs, 10, 1, 2, false, &at));
}

int main(void)
{
	RUN(small_steps);
	RUN(against_model);
	RUN(find_against_model);
	RUN(next_against_model);
	RUN(full);
	RUN(edges);
	return fake_end();
}
