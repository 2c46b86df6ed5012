// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of dma-offset/translate.c.
 */
#include <ktap.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include <symbiotic/dma_offset.h>

#define MIB		(1024ULL * 1024)
#define GIB		(1024 * MIB)
#define PHYS_END	(1ULL << DMA_OFFSET_PHYS_BITS)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static unsigned int warnings;
static const char *row;
static bool failed;

void fake_log(const char *fmt, ...)
{
	warnings++;
}

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__,	\
			       row, #cond);				\
			failed = true;					\
		}							\
	} while (0)

/* Two ranges of guest memory that lie the other way round in the host's. */
static const struct symspy_dma two = {
	.generation = 2,
	.nr_ranges = 2,
	.nr_devices = 3,
	.ranges = {
		{ 0, 64 * MIB, 5 * GIB },
		{ 4 * GIB, 32 * MIB, -3 * GIB },
	},
	.devices = {
		SYMSPY_DMA_DEVICE(0, 0, 5 << 3),
		SYMSPY_DMA_DEVICE(0, 255, 0xff),
		SYMSPY_DMA_DEVICE(0xffff, 7, 1),
	},
};

static void test_to_dma(void)
{
	static const struct {
		const char *name;
		__u64 gpa, size, dma;	/* dma 0: none */
	} rows[] = {
		{ "first byte", 0, 1, 5 * GIB },
		{ "last byte", 64 * MIB - 1, 1, 5 * GIB + 64 * MIB - 1 },
		{ "whole range", 0, 64 * MIB, 5 * GIB },
		{ "one too many", 0, 64 * MIB + 1, 0 },
		{ "ends behind", 64 * MIB - 4096, 4097, 0 },
		{ "behind", 64 * MIB, 1, 0 },
		{ "second, down", 4 * GIB + 4096, 4096, GIB + 4096 },
		{ "before second", 4 * GIB - 1, 1, 0 },
		{ "into second", 4 * GIB - 1, 2, 0 },
		{ "nothing", 4096, 0, 0 },
		{ "size overflows", 4096, ~0ULL, 0 },
		{ "address overflows", ~0ULL, 1, 0 },
		{ "both overflow", ~0ULL, ~0ULL, 0 },
		{ "wraps to the start", -4096ULL, 8192, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__u64 dma = 0, gpa = 1;

		row = rows[i].name;
		CHECK(dma_offset_to_dma(&two, rows[i].gpa, rows[i].size, &dma) ==
		      !!rows[i].dma);
		CHECK(dma == rows[i].dma);
		if (!rows[i].dma)
			continue;
		CHECK(dma_offset_to_gpa(&two, dma, rows[i].size, &gpa));
		CHECK(gpa == rows[i].gpa);
	}
}

static void test_to_gpa(void)
{
	static const struct {
		const char *name;
		__u64 dma, size;
	} rows[] = {
		{ "host memory below", 0, 4096 },
		{ "before first", 5 * GIB - 1, 1 },
		{ "into first", 5 * GIB - 1, 2 },
		{ "behind first", 5 * GIB + 64 * MIB, 1 },
		{ "out of first", 5 * GIB, 64 * MIB + 1 },
		{ "behind second", GIB + 32 * MIB, 1 },
		{ "guest address", 4 * GIB, 1 },
		{ "nothing", 5 * GIB, 0 },
		{ "overflow", 5 * GIB, ~0ULL },
	};
	__u64 gpa;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		row = rows[i].name;
		CHECK(!dma_offset_to_gpa(&two, rows[i].dma, rows[i].size, &gpa));
	}
}

static void test_devices(void)
{
	row = "in the map";
	CHECK(dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(0, 0, 5 << 3)));
	CHECK(dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(0, 255, 0xff)));
	CHECK(dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(0xffff, 7, 1)));
	row = "not in the map";
	CHECK(!dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(0, 0, 6 << 3)));
	CHECK(!dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(1, 0, 5 << 3)));
	CHECK(!dma_offset_has_device(&two, SYMSPY_DMA_DEVICE(0, 7, 1)));
	CHECK(!dma_offset_has_device(&two, 0));
}

/* One thing is wrong. */
static void spoil(struct symspy_dma *t, int what)
{
	unsigned int i;

	switch (what) {
	case 0:
		t->nr_ranges = SYMSPY_DMA_RANGES + 1;
		break;
	case 1:
		t->nr_ranges = ~0U;
		break;
	case 2:
		t->nr_devices = SYMSPY_DMA_DEVICES + 1;
		break;
	case 3:
		t->nr_devices = ~0U;
		break;
	case 4:
		t->reserved = 1;
		break;
	case 5:
		t->ranges[0].size = 0;
		break;
	case 6:
		t->ranges[0].size += 1;
		break;
	case 7:
		t->ranges[0].start += 8;
		break;
	case 8:
		t->ranges[1].offset += 512;
		break;
	case 9:
		t->ranges[1].start = ~0ULL << 12;
		break;
	case 10:
		t->ranges[1].size = ~0ULL << 12;
		break;
	case 11:
		t->ranges[1].size = PHYS_END;
		break;
	case 12:
		t->ranges[1].offset = PHYS_END - 4 * GIB;
		break;
	case 13:
		t->ranges[1].offset = -5 * GIB;
		break;
	case 14:
		t->ranges[1] = t->ranges[0];
		break;
	case 15:
		t->ranges[0].size = 4 * GIB + 4096;
		break;
	case 16:
		t->ranges[1].offset = GIB;
		break;
	case 17:
		t->devices[2] = t->devices[0];
		break;
	case 18:
		t->ranges[2] = t->ranges[0];
		t->ranges[0] = t->ranges[1];
		t->ranges[1] = t->ranges[2];
		break;
	case 19:
		t->nr_devices = SYMSPY_DMA_DEVICES;
		for (i = 0; i < SYMSPY_DMA_DEVICES; i++)
			t->devices[i] = i;
		t->devices[63] = 17;
		break;
	case 20:
		/* Host memory of two ranges overlaps by a page. */
		t->ranges[1].offset = 5 * GIB + 64 * MIB - 4096 - 4 * GIB;
		break;
	}
}

static void test_read(void)
{
	static const struct symspy_dma zero;
	struct symspy_dma page = two, t;
	char name[32];
	int what;

	row = "good";
	CHECK(!dma_offset_read(&t, &page));
	CHECK(!memcmp(&t, &two, sizeof(t)));

	row = "full";
	page.nr_ranges = SYMSPY_DMA_RANGES;
	for (what = 0; what < SYMSPY_DMA_RANGES; what++)
		page.ranges[what] = (struct symspy_dma_range){
			.start = MIB * what,
			.size = MIB,
			.offset = GIB * (40 - what - what),
		};
	CHECK(!dma_offset_read(&t, &page));

	row = "to the end of physical memory";
	page = two;
	page.ranges[1].start = PHYS_END - page.ranges[1].size;
	CHECK(!dma_offset_read(&t, &page));
	page.ranges[1].offset = 0;
	CHECK(!dma_offset_read(&t, &page));

	row = "all of physical memory";
	page = two;
	page.nr_ranges = 1;
	page.ranges[0].start = 0;
	page.ranges[0].size = PHYS_END;
	page.ranges[0].offset = 0;
	CHECK(!dma_offset_read(&t, &page));

	row = "no devices, no ranges";
	page = two;
	page.nr_devices = 0;
	CHECK(!dma_offset_read(&t, &page));
	page.nr_ranges = 0;
	CHECK(!dma_offset_read(&t, &page));
	CHECK(!warnings);

	row = "nothing published";
	page = zero;
	memset(&t, 0xff, sizeof(t));
	CHECK(dma_offset_read(&t, &page) == -ENODEV);
	CHECK(!memcmp(&t, &zero, sizeof(t)));

	row = "being written for ever";
	page = two;
	page.generation = 3;
	CHECK(dma_offset_read(&t, &page) == -EBUSY);
	CHECK(!memcmp(&t, &zero, sizeof(t)));
	CHECK(!warnings);

	for (what = 0; what <= 20; what++) {
		snprintf(name, sizeof(name), "spoiled %d", what);
		row = name;
		page = two;
		spoil(&page, what);
		warnings = 0;
		memset(&t, 0xff, sizeof(t));
		CHECK(dma_offset_read(&t, &page) == -EPROTO);
		CHECK(!memcmp(&t, &zero, sizeof(t)));
		CHECK(warnings == 1);
	}
}

static void test_extends(void)
{
	struct symspy_dma t = two;

	row = "same";
	CHECK(dma_offset_extends(&t, &two));
	row = "device gone";
	t.nr_devices = 0;
	CHECK(dma_offset_extends(&t, &two));
	row = "range added";
	t.ranges[2] = (struct symspy_dma_range){ 8 * GIB, MIB, 0 };
	t.nr_ranges = 3;
	CHECK(dma_offset_extends(&t, &two));
	CHECK(!dma_offset_extends(&two, &t));
	row = "range moved";
	t.ranges[0].offset += 4096;
	CHECK(!dma_offset_extends(&t, &two));
	row = "range shrunk";
	t = two;
	t.ranges[0].size -= 4096;
	CHECK(!dma_offset_extends(&t, &two));
	row = "nothing before";
	t.nr_ranges = 0;
	CHECK(dma_offset_extends(&two, &t));
}

/* A writer as in the VMM; every copy must be of one generation. */
static struct symspy_dma shared;
static bool stop;

#define STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)

static void *writer(void *unused)
{
	__u32 gen = 2, rest;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		__u32 n = gen / 2 % SYMSPY_DMA_RANGES + 1, i;

		__atomic_store_n(&shared.generation, gen - 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		STORE(shared.nr_ranges, n);
		STORE(shared.nr_devices, n);
		for (i = 0; i < n; i++) {
			STORE(shared.ranges[i].start, i * GIB);
			STORE(shared.ranges[i].size, n * 4096ULL);
			STORE(shared.ranges[i].offset, n * GIB);
			STORE(shared.devices[i], n << 8 | i);
		}
		STORE(shared.generation, gen);
		/* Long enough for some copies, not for all. */
		for (rest = gen * 2654435761U >> 20; rest; rest--)
			__asm__ volatile("pause");
		gen += 2;
	}
	return NULL;
}

static void test_snapshot(void)
{
	unsigned int good = 0, i, j;
	pthread_t thread;

	row = "while the VMM writes";
	warnings = 0;
	pthread_create(&thread, NULL, writer, NULL);
	for (i = 0; i < 2000000 && good < 20000; i++) {
		struct symspy_dma t;
		int ret = dma_offset_read(&t, &shared);
		__u32 n = t.generation / 2 % SYMSPY_DMA_RANGES + 1;

		if (ret) {
			CHECK(ret != -EPROTO);
			continue;
		}
		good++;
		CHECK(t.nr_ranges == n && t.nr_devices == n);
		for (j = 0; j < n; j++) {
			CHECK(t.ranges[j].size == n * 4096ULL);
			CHECK(t.ranges[j].offset == n * GIB);
			CHECK(t.devices[j] == (n << 8 | j));
		}
		if (failed)
			break;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	CHECK(good);
	CHECK(!warnings);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "to_dma", test_to_dma },
	{ "to_gpa", test_to_gpa },
	{ "devices", test_devices },
	{ "read", test_read },
	{ "extends", test_extends },
	{ "snapshot", test_snapshot },
};

int main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		failed = false;
		tests[i].run();
		ktap(!failed, "%s", tests[i].name);
	}
	return ktap_end();
}
