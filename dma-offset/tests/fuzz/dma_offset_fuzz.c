// SPDX-License-Identifier: GPL-2.0
/*
 * DMA ranges from a VMM that changes them between any two of the guest's reads, by the
 * rules of struct symspy_dma or against them.
 *
 * The oracle: what the guest takes is good by a definition of its own, and, of a VMM that
 * keeps to the rules, something that was published as a whole. Every translation through
 * it stays inside, and comes back.
 */
#include <fuzz.h>

#include <symbiotic/dma_offset.h>

#define VERSIONS	8
/* Few pages, or the highest there can be: so that ends meet. */
#define PHYS_PAGES	(1ULL << (DMA_OFFSET_PHYS_BITS - 12))

static struct symspy_dma *page;		/* alone, so that the sanitizer sees its end */
static struct symspy_dma published[VERSIONS];
static unsigned int versions, lines;
static bool writing, lied;

void fake_log(const char *fmt, ...)
{
	lines++;
}

static __u64 some_page(void)
{
	uint8_t v = fuzz_byte();

	return (v < 192 ? v : PHYS_PAGES - (255 - v)) * SYMB_PAGE_SIZE;
}

/* A table as a VMM could mean it; most are good if the input is short. */
static void make(struct symspy_dma *t)
{
	__u64 next = 0, host = 0;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	t->nr_ranges = fuzz_byte() % (SYMSPY_DMA_RANGES + 1);
	t->nr_devices = fuzz_byte() % (SYMSPY_DMA_DEVICES + 1);
	for (i = 0; i < t->nr_ranges; i++) {
		struct symspy_dma_range *r = &t->ranges[i];

		r->start = next + some_page();
		r->size = some_page() + SYMB_PAGE_SIZE;
		r->offset = host + some_page() - r->start;
		next = r->start + r->size;
		/* Or the next one lies over it. */
		if (!(fuzz_byte() & 1))
			host = r->start + r->offset + r->size;
	}
	for (i = 0; i < t->nr_devices; i++)
		t->devices[i] = i + 1;
	t->devices[fuzz_byte() % SYMSPY_DMA_DEVICES] = fuzz_byte();
}

static void publish(void)
{
	struct symspy_dma *t = &published[versions];

	if (versions == VERSIONS)
		return;
	make(t);
	t->generation = 2 * ++versions;
	*page = *t;
	writing = false;
}

/* In the middle of it; the page has some of the next table. */
static void begin_to_publish(void)
{
	struct symspy_dma t;

	make(&t);
	t.generation = page->generation | 1;
	*page = t;
	writing = true;
}

void fuzz_before_read(const volatile void *field, size_t size)
{
	uint8_t *p = (uint8_t *)page + ((const volatile uint8_t *)field - (uint8_t *)page);
	__u64 v = 0;

	MUST(p >= (uint8_t *)page && p + size <= (uint8_t *)(page + 1));
	switch (fuzz_byte() % 4) {
	case 1:
		publish();
		break;
	case 2:
		begin_to_publish();
		break;
	case 3:
		lied = true;
		memcpy(&v, p, size);
		v = fuzz_other(v, size);
		memcpy(p, &v, size);
		break;
	}
}

/* ---- the oracle ----------------------------------------------------------- */

static bool apart(__u64 a, __u64 a_size, __u64 b, __u64 b_size)
{
	/* No sum here overflows: both were found to end below 2^52. */
	return a + a_size <= b || b + b_size <= a;
}

static bool physical(__u64 start, __u64 size)
{
	unsigned __int128 end = start;

	end += size;
	return size && end <= 1ULL << DMA_OFFSET_PHYS_BITS &&
	       start % SYMB_PAGE_SIZE == 0 && size % SYMB_PAGE_SIZE == 0;
}

static bool good(const struct symspy_dma *t)
{
	unsigned int i, j;

	if (t->generation % 2 || !t->generation || t->reserved)
		return false;
	if (t->nr_ranges > SYMSPY_DMA_RANGES || t->nr_devices > SYMSPY_DMA_DEVICES)
		return false;
	for (i = 0; i < t->nr_ranges; i++) {
		const struct symspy_dma_range *r = &t->ranges[i];

		if (!physical(r->start, r->size) || !physical(r->start + r->offset, r->size))
			return false;
		for (j = 0; j < i; j++) {
			const struct symspy_dma_range *s = &t->ranges[j];

			if (s->start + s->size > r->start ||
			    !apart(r->start + r->offset, r->size, s->start + s->offset, s->size))
				return false;
		}
	}
	for (i = 0; i < t->nr_devices; i++)
		for (j = 0; j < i; j++)
			if (t->devices[i] == t->devices[j])
				return false;
	return true;
}

/* What the guest has is what the page had, in as many entries as count. */
static bool same(const struct symspy_dma *t, const struct symspy_dma *whole)
{
	return t->generation == whole->generation && t->nr_ranges == whole->nr_ranges &&
	       t->nr_devices == whole->nr_devices && t->reserved == whole->reserved &&
	       !memcmp(t->ranges, whole->ranges, t->nr_ranges * sizeof(t->ranges[0])) &&
	       !memcmp(t->devices, whole->devices, t->nr_devices * sizeof(t->devices[0]));
}

static bool model(const struct symspy_dma *t, __u64 gpa, __u64 *dma)
{
	unsigned int i;

	for (i = 0; i < t->nr_ranges; i++) {
		if (gpa >= t->ranges[i].start &&
		    gpa < t->ranges[i].start + t->ranges[i].size) {
			*dma = gpa + t->ranges[i].offset;
			return true;
		}
	}
	return false;
}

static void probe(const struct symspy_dma *t, __u64 gpa, __u64 size)
{
	__u64 dma, first = 0, last = 0, back;

	if (!dma_offset_to_dma(t, gpa, size, &dma)) {
		/* One byte has no way to be half inside. */
		MUST(size != 1 || !model(t, gpa, &first));
		return;
	}
	MUST(size && gpa + size > gpa);
	MUST(model(t, gpa, &first) && first == dma);
	MUST(model(t, gpa + size - 1, &last) && last - first == size - 1);
	MUST(dma_offset_to_gpa(t, dma, size, &back) && back == gpa);
	MUST(last < 1ULL << DMA_OFFSET_PHYS_BITS);
}

static void probe_all(const struct symspy_dma *t)
{
	__u64 any = fuzz_bytes(8), sizes[] = { 0, 1, 2, 4096, 4097, ~0ULL, fuzz_bytes(8) };
	unsigned int i, j;

	for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
		probe(t, any, sizes[j]);
		for (i = 0; i < t->nr_ranges; i++) {
			__u64 start = t->ranges[i].start;
			__u64 end = start + t->ranges[i].size;

			probe(t, start, sizes[j]);
			probe(t, start - 1, sizes[j]);
			probe(t, end - 1, sizes[j]);
			probe(t, end, sizes[j]);
			probe(t, end - sizes[j], sizes[j]);
			probe(t, start, t->ranges[i].size + sizes[j]);
		}
	}
	for (i = 0; i < t->nr_devices; i++)
		MUST(dma_offset_has_device(t, t->devices[i]));
}

static void check(const struct symspy_dma *t, int ret)
{
	static const struct symspy_dma zero;

	if (ret) {
		MUST(ret == -ENODEV || ret == -EBUSY || ret == -EPROTO);
		MUST(lines == (ret == -EPROTO));
		MUST(!memcmp(t, &zero, sizeof(zero)));
		/* Nothing was wrong: then there is something to use. */
		MUST(lied || writing || !versions || !good(&published[versions - 1]));
		return;
	}
	MUST(!lines && good(t) && dma_offset_extends(t, t));
	MUST(lied || same(t, &published[t->generation / 2 - 1]));
	probe_all(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symspy_dma first, again;
	int ret;

	fuzz_begin(data, size);
	page = calloc(1, sizeof(*page));
	versions = 0;
	lines = 0;
	writing = false;
	lied = false;
	if (!(fuzz_byte() & 1))
		publish();

	ret = dma_offset_read(&first, page);
	check(&first, ret);
	if (!ret) {
		lines = 0;
		ret = dma_offset_read(&again, page);
		check(&again, ret);
		if (!ret && dma_offset_extends(&again, &first)) {
			unsigned int i;
			__u64 dma;

			for (i = 0; i < first.nr_ranges; i++) {
				MUST(model(&again, first.ranges[i].start, &dma));
				MUST(dma == first.ranges[i].start + first.ranges[i].offset);
			}
		}
	}
	free(page);
	return 0;
}
