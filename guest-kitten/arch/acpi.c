// SPDX-License-Identifier: GPL-2.0
/*
 * Which processors are there: ACPI's MADT.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include <kitten/mm.h>

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
} __packed;

struct table {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6];
	char oem_table[8];
	u32 oem_revision;
	u32 creator;
	u32 creator_revision;
} __packed;

struct madt {
	struct table head;
	u32 apic_base;
	u32 flags;
	u8 entries[];
} __packed;

#define MADT_LAPIC	0
#define MADT_X2APIC	9
#define LAPIC_ENABLED	1

#define TABLE_MAX	(1U << 20)

/* The tables are the firmware's word: nothing is used without a checksum. */
static bool checksum_ok(const void *p, u32 n)
{
	const u8 *b = p;
	u8 sum = 0;

	while (n--)
		sum += *b++;
	return !sum;
}

static const struct rsdp *check_rsdp(u64 pa)
{
	const struct rsdp *r;

	if (!linear_covers(pa, sizeof(*r)))
		return NULL;
	r = phys_to_virt(pa);
	if (memcmp(r->signature, "RSD PTR ", 8) || !checksum_ok(r, 20))
		return NULL;
	return r;
}

static const struct rsdp *find_rsdp(u64 hint)
{
	const struct rsdp *r = hint ? check_rsdp(hint) : NULL;
	u64 pa;

	for (pa = 0xe0000; !r && pa < 0x100000; pa += 16)
		r = check_rsdp(pa);
	return r;
}

static const struct table *check_table(u64 pa)
{
	const struct table *t;

	if (!linear_covers(pa, sizeof(*t)))
		return NULL;
	t = phys_to_virt(pa);
	if (t->length < sizeof(*t) || t->length > TABLE_MAX ||
	    !linear_covers(pa, t->length) || !checksum_ok(t, t->length))
		return NULL;
	return t;
}

/* Entries of the RSDT have 4 bytes, those of the XSDT 8. */
static const struct table *find_table(const struct rsdp *rsdp,
				      const char *signature)
{
	bool wide = rsdp->revision >= 2 && rsdp->xsdt;
	const struct table *root, *t;
	u32 size = wide ? 8 : 4;

	root = check_table(wide ? rsdp->xsdt : rsdp->rsdt);
	if (!root)
		return NULL;
	for (u32 at = sizeof(*root); at + size <= root->length; at += size) {
		u64 pa = 0;

		memcpy(&pa, (const u8 *)root + at, size);
		t = check_table(pa);
		if (t && !memcmp(t->signature, signature, 4))
			return t;
	}
	return NULL;
}

u32 acpi_find_cpus(u64 hint, u32 *ids, u32 max)
{
	const struct rsdp *rsdp = find_rsdp(hint);
	const struct table *t = rsdp ? find_table(rsdp, "APIC") : NULL;
	const struct madt *madt = (const void *)t;
	u32 n = 0, at = 0, size;

	if (!t || t->length < sizeof(*madt))
		return 0;
	size = t->length - sizeof(*madt);
	while (at + 2 <= size && n < max) {
		const u8 *e = madt->entries + at;
		u32 id, flags;

		if (e[1] < 2 || at + e[1] > size)
			break;
		if (e[0] == MADT_LAPIC && e[1] >= 8) {
			memcpy(&flags, e + 4, 4);
			if (flags & LAPIC_ENABLED)
				ids[n++] = e[3];
		} else if (e[0] == MADT_X2APIC && e[1] >= 16) {
			memcpy(&id, e + 4, 4);
			memcpy(&flags, e + 8, 4);
			if (flags & LAPIC_ENABLED)
				ids[n++] = id;
		}
		at += e[1];
	}
	return n;
}
