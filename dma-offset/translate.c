// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * DMA ranges and passthrough devices: read, check, look up. OS-neutral.
 */
#include <symbiotic/dma_offset.h>

/* How often to start again while the VMM writes. */
#define READ_TRIES		1000

#define PHYS_MAX		((1ULL << DMA_OFFSET_PHYS_BITS) - 1)
#define PAGE_BITS		(SYMB_PAGE_SIZE - 1ULL)

/* Whether [start, start + size) lies in [base, base + len), without overflow. */
static bool inside(__u64 start, __u64 size, __u64 base, __u64 len)
{
	return size && start >= base && start - base < len &&
	       size <= len - (start - base);
}

static bool overlap(__u64 a, __u64 a_size, __u64 b, __u64 b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

static bool range_good(const struct symspy_dma_range *r)
{
	/* Overflow is part of the definitions: guest memory may move down; no size, no end. */
	__u64 dma = r->start + r->offset, last = r->size - 1;

	return !((r->start | r->size | r->offset) & PAGE_BITS) &&
	       last <= PHYS_MAX && r->start <= PHYS_MAX - last &&
	       dma <= PHYS_MAX - last;
}

/* The first thing that is wrong, or NULL. The counts were checked before. */
static const char *find_fault(const struct symspy_dma *t)
{
	__u32 i, j;

	if (t->reserved)
		return "a reserved field is set";

	for (i = 0; i < t->nr_ranges; i++) {
		const struct symspy_dma_range *r = &t->ranges[i];

		if (!range_good(r))
			return "a range is no range";
		if (i && overlap(r->start, r->size, t->ranges[i - 1].start,
				 t->ranges[i - 1].size))
			return "ranges overlap";
		if (i && r->start < t->ranges[i - 1].start)
			return "ranges are not sorted";
		for (j = 0; j < i; j++) {
			const struct symspy_dma_range *s = &t->ranges[j];

			if (overlap(r->start + r->offset, r->size,
				    s->start + s->offset, s->size))
				return "ranges overlap in host memory";
		}
	}

	for (i = 0; i < t->nr_devices; i++) {
		for (j = 0; j < i; j++) {
			if (t->devices[i] == t->devices[j])
				return "a device is there twice";
		}
	}
	return NULL;
}

/* Copies of one generation, in counted parts; false: try again. */
static bool read_once(struct symspy_dma *t, const struct symspy_dma *page)
{
	__u32 i;

	t->generation = READ_ONCE(page->generation);
	if (t->generation & 1)
		return false;
	symb_rmb();

	t->nr_ranges = READ_ONCE(page->nr_ranges);
	t->nr_devices = READ_ONCE(page->nr_devices);
	t->reserved = READ_ONCE(page->reserved);
	for (i = 0; i < t->nr_ranges && i < SYMSPY_DMA_RANGES; i++) {
		t->ranges[i].start = READ_ONCE(page->ranges[i].start);
		t->ranges[i].size = READ_ONCE(page->ranges[i].size);
		t->ranges[i].offset = READ_ONCE(page->ranges[i].offset);
	}
	for (i = 0; i < t->nr_devices && i < SYMSPY_DMA_DEVICES; i++)
		t->devices[i] = READ_ONCE(page->devices[i]);

	symb_rmb();
	return READ_ONCE(page->generation) == t->generation;
}

int dma_offset_read(struct symspy_dma *table, const struct symspy_dma *page)
{
	const char *fault = NULL;
	unsigned int tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		memset(table, 0, sizeof(*table));
		if (read_once(table, page))
			break;
	}
	if (tries == READ_TRIES) {
		memset(table, 0, sizeof(*table));
		return -EBUSY;
	}
	if (!table->generation) {
		memset(table, 0, sizeof(*table));
		return -ENODEV;
	}

	if (table->nr_ranges > SYMSPY_DMA_RANGES ||
	    table->nr_devices > SYMSPY_DMA_DEVICES)
		fault = "more entries than there is room for";
	else
		fault = find_fault(table);
	if (fault) {
		symb_warn("DMA ranges of the VMM: %s, not used\n", fault);
		memset(table, 0, sizeof(*table));
		return -EPROTO;
	}
	return 0;
}

bool dma_offset_has_device(const struct symspy_dma *table, __u32 device)
{
	__u32 i;

	for (i = 0; i < table->nr_devices; i++) {
		if (table->devices[i] == device)
			return true;
	}
	return false;
}

bool dma_offset_to_dma(const struct symspy_dma *table, __u64 gpa, __u64 size,
		       __u64 *dma)
{
	__u32 i;

	for (i = 0; i < table->nr_ranges; i++) {
		const struct symspy_dma_range *r = &table->ranges[i];

		if (inside(gpa, size, r->start, r->size)) {
			*dma = gpa + r->offset;
			return true;
		}
	}
	return false;
}

bool dma_offset_to_gpa(const struct symspy_dma *table, __u64 dma, __u64 size,
		       __u64 *gpa)
{
	__u32 i;

	for (i = 0; i < table->nr_ranges; i++) {
		const struct symspy_dma_range *r = &table->ranges[i];

		if (inside(dma, size, r->start + r->offset, r->size)) {
			*gpa = dma - r->offset;
			return true;
		}
	}
	return false;
}

bool dma_offset_extends(const struct symspy_dma *table,
			const struct symspy_dma *old)
{
	__u32 i, j;

	for (i = 0; i < old->nr_ranges; i++) {
		for (j = 0; j < table->nr_ranges; j++) {
			if (!memcmp(&old->ranges[i], &table->ranges[j],
				    sizeof(old->ranges[i])))
				break;
		}
		if (j == table->nr_ranges)
			return false;
	}
	return true;
}
