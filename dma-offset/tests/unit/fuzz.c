// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target of dma-offset/translate.c: a page full of anything is either
 * refused, or every translation through it stays inside and comes back.
 *
 * With -DLIBFUZZER and clang's -fsanitize=fuzzer, libFuzzer supplies the
 * bytes. Else main() does, always the same ones.
 */
#include <ktap.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <symbiotic/dma_offset.h>

void fake_log(const char *fmt, ...)
{
}

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	ktap(false, "fuzz: %s", what);
	abort();
}

/* The definition, byte by byte where it can be. */
static bool model(const struct symspy_dma *t, __u64 gpa, __u64 *dma)
{
	__u32 i;

	for (i = 0; i < t->nr_ranges; i++) {
		unsigned __int128 end = t->ranges[i].start;

		end += t->ranges[i].size;
		if (gpa >= t->ranges[i].start && gpa < end) {
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
		must(size != 1 || !model(t, gpa, &first), "refused a good byte");
		return;
	}
	must(size, "translated nothing");
	must(gpa + size > gpa, "translated what wraps");
	must(model(t, gpa, &first) && first == dma, "first byte");
	must(model(t, gpa + size - 1, &last), "last byte is outside");
	must(last - first == size - 1, "not contiguous");
	must(dma_offset_to_gpa(t, dma, size, &back) && back == gpa, "back");
	must(last < 1ULL << DMA_OFFSET_PHYS_BITS, "beyond physical memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symspy_dma page = { 0 }, t;
	__u64 sizes[] = { 0, 1, 2, 4096, 4097, ~0ULL, 0 };
	unsigned int i, j;
	__u64 any[2] = { 0 };

	if (size > sizeof(page)) {
		size_t more = size - sizeof(page);

		memcpy(any, data + sizeof(page),
		       more < sizeof(any) ? more : sizeof(any));
		size = sizeof(page);
	}
	memcpy(&page, data, size);

	if (dma_offset_read(&t, &page)) {
		must(!t.generation && !t.nr_ranges && !t.nr_devices, "not zeroed");
		return 0;
	}
	must(t.nr_ranges <= SYMSPY_DMA_RANGES, "ranges");
	must(t.nr_devices <= SYMSPY_DMA_DEVICES, "devices");
	must(dma_offset_extends(&t, &t), "extends itself");

	sizes[6] = any[1];
	for (j = 0; j < 7; j++) {
		probe(&t, any[0], sizes[j]);
		for (i = 0; i < t.nr_ranges; i++) {
			__u64 start = t.ranges[i].start;
			__u64 end = start + t.ranges[i].size;

			probe(&t, start, sizes[j]);
			probe(&t, start - 1, sizes[j]);
			probe(&t, end - 1, sizes[j]);
			probe(&t, end, sizes[j]);
			probe(&t, end - sizes[j], sizes[j]);
			probe(&t, start, t.ranges[i].size + sizes[j]);
		}
	}
	for (i = 0; i < t.nr_devices; i++)
		must(dma_offset_has_device(&t, t.devices[i]), "device");
	return 0;
}

#ifndef LIBFUZZER

static uint64_t state = 0x9e3779b97f4a7c15ULL;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

#define RUNS	200000

int main(void)
{
	struct {
		struct symspy_dma page;
		__u64 any[2];
	} in;
	unsigned int accepted = 0, i, j;
	struct symspy_dma t;

	for (i = 0; i < RUNS; i++) {
		uint8_t *bytes = (uint8_t *)&in;
		__u64 next = 0, host = rnd() % 8 << 30;

		/* Nearly right, then up to three bytes are not. */
		memset(&in, 0, sizeof(in));
		/* Odd ones are waited for, so they take long; 0 is nothing. */
		in.page.generation = rnd() % 64 ? 2 + rnd() % 2 * 2 : rnd() % 4;
		in.page.nr_ranges = rnd() % 5;
		in.page.nr_devices = rnd() % 5;
		for (j = 0; j < in.page.nr_ranges; j++) {
			struct symspy_dma_range *r = &in.page.ranges[j];

			r->start = next + rnd() % 3 * 4096;
			r->size = (1 + rnd() % 64) * 4096;
			r->offset = host + rnd() % 3 * 4096 - r->start;
			next = r->start + r->size;
			host = r->start + r->offset + r->size;
		}
		for (j = 0; j < in.page.nr_devices; j++)
			in.page.devices[j] = rnd() >> (rnd() % 33 + 31);
		for (j = rnd() % 4; j; j--)
			bytes[rnd() % (16 + 24 * 4)] = rnd();
		in.any[0] = rnd() >> (rnd() % 64);
		in.any[1] = rnd() >> (rnd() % 64);
		accepted += !dma_offset_read(&t, &in.page);
		LLVMFuzzerTestOneInput((const uint8_t *)&in, sizeof(in));
	}
	/* A fuzzer that only ever saw refusals has tested little. */
	must(accepted > RUNS / 20 && accepted < RUNS / 20 * 19, "no mixture");
	ktap(true, "fuzz");
	return ktap_end();
}

#endif
