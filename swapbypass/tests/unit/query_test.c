// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of symb_query_decide(): every combination of facts and access,
 * against an oracle that was written from the rules in the design, not from the
 * code; and of symb_query_group().
 */
#include <ktap.h>
#include <stdbool.h>

#include <symbiotic/query.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static void check(const char *name, unsigned long bad, unsigned long cases)
{
	ktap(cases && !bad, "%s: %lu of %lu cases wrong", name, bad, cases);
}

#define HAS(bit)	(!!(facts & SYMB_FACT_ ## bit))

/* May the page be mapped for reading? Straight from rules 1 to 3. */
static bool oracle_read(__u32 facts)
{
	bool rule0 = HAS(ON) && HAS(MM);
	bool rule1 = HAS(PTE_OURS) && HAS(PTE_SAME);
	bool vma = HAS(VMA) && HAS(VMA_ANON) && HAS(VMA_READ);
	bool unseen = !HAS(VMA_SPECIAL) && !HAS(PTE_WATCHED);
	bool rule2 = vma && unseen && !HAS(VMA_LOCKED);
	bool rule3 = HAS(SLOT_USED) && !HAS(SLOT_CACHE) && !HAS(SLOT_ELSEWHERE);

	return rule0 && rule1 && rule2 && rule3;
}

/* And for writing? Rule 4, and that the VMA allows it and nobody watches. */
static bool oracle_write(__u32 facts)
{
	return oracle_read(facts) && HAS(VMA_WRITE) && HAS(PTE_EXCLUSIVE) &&
	       HAS(SLOT_SINGLE) && !HAS(WRITE_WATCHED);
}

/* Is this reason true of these facts? A decline must name one that is. */
static bool oracle_reason(__u32 facts, bool write, enum symb_decline reason)
{
	switch (reason) {
	case SYMB_DECLINE_NONE:
		return write ? oracle_write(facts) : oracle_read(facts);
	case SYMB_DECLINE_NO_MM:
		return !HAS(MM);
	case SYMB_DECLINE_NOT_SWAP:
		return !HAS(PTE_OURS);
	case SYMB_DECLINE_PTE_CHANGED:
		return !HAS(PTE_SAME) || !HAS(SLOT_USED);
	case SYMB_DECLINE_VMA:
		return !HAS(VMA) || !HAS(VMA_ANON) || HAS(VMA_SPECIAL) ||
		       HAS(PTE_WATCHED);
	case SYMB_DECLINE_VMA_LOCKED:
		return HAS(VMA_LOCKED);
	case SYMB_DECLINE_ACCESS:
		return !HAS(VMA_READ) || (write && !HAS(VMA_WRITE));
	case SYMB_DECLINE_SWAPCACHE:
		return HAS(SLOT_CACHE);
	case SYMB_DECLINE_ZEROMAP:
		return HAS(SLOT_ELSEWHERE);
	case SYMB_DECLINE_SHARED:
		return write && (!HAS(PTE_EXCLUSIVE) || !HAS(SLOT_SINGLE) ||
				 HAS(WRITE_WATCHED));
	case SYMB_DECLINE_OFF:
		return !HAS(ON);
	default:
		return false;
	}
}

static void test_all(void)
{
	unsigned long bad_answer = 0, bad_reason = 0, bad_flags = 0, cases = 0;
	__u32 facts, access;

	for (facts = 0; facts < 1U << SYMB_FACT_BITS; facts++) {
		for (access = 0; access < 4; access++) {
			bool write = access & SYMB_ACCESS_WRITE;
			__u32 flags = ~0U, want;
			enum symb_decline got;
			bool yes;

			got = symb_query_decide(facts, access, &flags);
			yes = write ? oracle_write(facts) : oracle_read(facts);
			bad_answer += (got == SYMB_DECLINE_NONE) != yes;
			bad_reason += !oracle_reason(facts, write, got);
			want = yes && oracle_write(facts) ? SYMB_LOOKUP_WRITABLE : 0;
			bad_flags += flags != want;
			cases++;
		}
	}
	check("every combination: yes or no", bad_answer, cases);
	check("every combination: the reason is true", bad_reason, cases);
	check("every combination: writable", bad_flags, cases);
}

/* Facts of a page that can be mapped writable. */
#define GOOD (SYMB_FACT_ON | SYMB_FACT_MM | SYMB_FACT_PTE_OURS |	\
	      SYMB_FACT_PTE_SAME | SYMB_FACT_PTE_EXCLUSIVE |		\
	      SYMB_FACT_VMA | SYMB_FACT_VMA_ANON | SYMB_FACT_VMA_READ |	\
	      SYMB_FACT_VMA_WRITE | SYMB_FACT_SLOT_USED | SYMB_FACT_SLOT_SINGLE)

/* One fact wrong at a time: the reason is exactly this one. */
static void test_single(void)
{
	static const struct {
		__u32 flip;
		enum symb_decline read, write;
	} row[] = {
		{ 0, SYMB_DECLINE_NONE, SYMB_DECLINE_NONE },
		{ SYMB_FACT_ON, SYMB_DECLINE_OFF, SYMB_DECLINE_OFF },
		{ SYMB_FACT_MM, SYMB_DECLINE_NO_MM, SYMB_DECLINE_NO_MM },
		{ SYMB_FACT_PTE_OURS, SYMB_DECLINE_NOT_SWAP, SYMB_DECLINE_NOT_SWAP },
		{ SYMB_FACT_PTE_SAME, SYMB_DECLINE_PTE_CHANGED,
		  SYMB_DECLINE_PTE_CHANGED },
		{ SYMB_FACT_PTE_EXCLUSIVE, SYMB_DECLINE_NONE, SYMB_DECLINE_SHARED },
		{ SYMB_FACT_PTE_WATCHED, SYMB_DECLINE_VMA, SYMB_DECLINE_VMA },
		{ SYMB_FACT_VMA, SYMB_DECLINE_VMA, SYMB_DECLINE_VMA },
		{ SYMB_FACT_VMA_ANON, SYMB_DECLINE_VMA, SYMB_DECLINE_VMA },
		{ SYMB_FACT_VMA_SPECIAL, SYMB_DECLINE_VMA, SYMB_DECLINE_VMA },
		{ SYMB_FACT_VMA_READ, SYMB_DECLINE_ACCESS, SYMB_DECLINE_ACCESS },
		{ SYMB_FACT_VMA_WRITE, SYMB_DECLINE_NONE, SYMB_DECLINE_ACCESS },
		{ SYMB_FACT_VMA_LOCKED, SYMB_DECLINE_VMA_LOCKED,
		  SYMB_DECLINE_VMA_LOCKED },
		{ SYMB_FACT_WRITE_WATCHED, SYMB_DECLINE_NONE, SYMB_DECLINE_SHARED },
		{ SYMB_FACT_SLOT_USED, SYMB_DECLINE_PTE_CHANGED,
		  SYMB_DECLINE_PTE_CHANGED },
		{ SYMB_FACT_SLOT_SINGLE, SYMB_DECLINE_NONE, SYMB_DECLINE_SHARED },
		{ SYMB_FACT_SLOT_CACHE, SYMB_DECLINE_SWAPCACHE,
		  SYMB_DECLINE_SWAPCACHE },
		{ SYMB_FACT_SLOT_ELSEWHERE, SYMB_DECLINE_ZEROMAP,
		  SYMB_DECLINE_ZEROMAP },
	};
	unsigned long bad = 0;
	__u32 flags;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		__u32 facts = GOOD ^ row[i].flip;

		bad += symb_query_decide(facts, 0, &flags) != row[i].read;
		bad += symb_query_decide(facts, SYMB_ACCESS_WRITE, &flags) !=
		       row[i].write;
	}
	check("one wrong fact", bad, 2 * i);
}

static void test_group(void)
{
	static const __u64 addrs[] = {
		0, 0x1000, 0x7ffff000, 0x7f1234567000, 0x7fffffffe000,
	};
	unsigned long bad = 0, cases = 0;
	__u64 max, base;
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		for (max = 0; max < 600; max++, cases++) {
			base = symb_query_group(addrs[i], max, &nr);
			bad += nr < 1 || nr > SYMB_LOOKUP_MAX || (nr & (nr - 1));
			bad += max && nr > max;
			/* The largest power of two that is allowed. */
			bad += nr * 2 <= SYMB_LOOKUP_MAX && nr * 2 <= max;
			bad += base % (nr * 4096ULL) != 0;
			bad += addrs[i] < base || addrs[i] >= base + nr * 4096ULL;
			bad += base >> 21 != addrs[i] >> 21;
		}
		base = symb_query_group(addrs[i], ~0ULL, &nr);
		bad += nr != SYMB_LOOKUP_MAX;
		cases++;
	}
	check("groups of pages", bad, cases);
}

int main(void)
{
	test_all();
	test_single();
	test_group();
	return ktap_end();
}
