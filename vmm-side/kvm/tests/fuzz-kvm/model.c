// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle of kvm_fuzz: see model.h. Where it cannot know, it allows; what it forbids
 * is wrong whatever the order of things was.
 */
#include <string.h>

#include "guest.h"
#include "layout.h"
#include "model.h"

#define PTE_PRESENT	0x1ULL
#define PTE_WRITABLE	0x2ULL
#define PTE_USER	0x4ULL
#define PTE_HUGE	0x80ULL
#define PTE_ADDRESS	0x000ffffffffff000ULL

__u64 model_table_gpa(unsigned int table)
{
	static const __u64 gpa[NR_TABLES] = { GUEST_PT, FUZZ_T1, FUZZ_T2 };

	return gpa[table];
}

static void add(struct findings *found, int what, unsigned int region, unsigned int page)
{
	struct finding f = { what, region, page };
	unsigned int i;

	for (i = 0; i < found->nr; i++)
		if (!memcmp(&found->f[i], &f, sizeof(f)))
			return;
	if (found->nr == MOST_FINDINGS) {
		found->f[0].what = FOUND_ANY;
		return;
	}
	found->f[found->nr++] = f;
}

/* ---- What an access finds ------------------------------------------------------ */

void model_find_gpa(const struct model *m, const struct access *a, __u64 gpa,
		    struct findings *found)
{
	const struct memory *memory;
	const struct region *r;
	unsigned int i, page;

	for (i = 0; i < NR_REGIONS; i++) {
		r = &m->region[i];
		if (!r->present || gpa < r->gpa || gpa >= r->gpa + r->pages * 4096ULL)
			continue;
		page = (gpa - r->gpa) / 4096;
		memory = &r->memory[r->alt];
		if (a->write && r->read_only)
			add(found, FOUND_NOTHING, 0, 0);
		else if (page >= memory->length || memory->prot == PROT_IS_NONE ||
			 (a->write && memory->prot == PROT_IS_READ))
			add(found, FOUND_NO_MEMORY, i, page);
		else
			add(found, FOUND_PAGE, i, page);
		return;
	}
	add(found, FOUND_NOTHING, 0, 0);
}

static bool allowed(const struct model *m, const struct access *a, __u64 rights)
{
	if (a->user && !(rights & PTE_USER))
		return false;
	return !a->write || (rights & PTE_WRITABLE) || (!a->user && !m->wp[a->vcpu]);
}

/* @rights: what all levels above allow. */
static void find_pte(const struct model *m, const struct access *a, __u64 rights,
		     unsigned int table, unsigned int index, __u64 pte,
		     struct findings *found)
{
	const struct grant *g;

	if (pte & PTE_PRESENT) {
		if (allowed(m, a, rights & pte))
			model_find_gpa(m, a, pte & PTE_ADDRESS, found);
		else
			add(found, FOUND_FAULT, 0, 0);
		return;
	}

	add(found, FOUND_FAULT, 0, 0);
	if (m->grants_lost)
		add(found, FOUND_ANY, 0, 0);
	if (!allowed(m, a, rights))
		return;
	for (g = m->grant; g < m->grant + m->nr_grants; g++)
		if (g->table == table && g->index == index && g->pte == pte &&
		    (g->writable || !a->write))
			model_find_gpa(m, a, g->gpa, found);
}

/* Whether a vCPU may still use what an entry was. */
static bool may_use(const struct old_entry *o, const struct access *a, enum entry_level level,
		    unsigned int table, unsigned int index)
{
	return o->level == level && o->table == table && o->index == index &&
	       o->vcpus & 1 << a->vcpu;
}

static void find_table(const struct model *m, const struct access *a, __u64 rights,
		       unsigned int table, unsigned int index, struct findings *found)
{
	const struct old_entry *o;

	find_pte(m, a, rights, table, index, m->pte[table][index], found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_PTE, table, index))
			find_pte(m, a, rights, table, index, o->value, found);
}

static void find_pde(const struct model *m, const struct access *a, __u64 rights,
		     __u64 pde, unsigned int index, struct findings *found)
{
	unsigned int i;

	if (!(pde & PTE_PRESENT)) {
		add(found, FOUND_FAULT, 0, 0);
		return;
	}
	if (pde & PTE_HUGE) {
		if (allowed(m, a, rights & pde))
			model_find_gpa(m, a, (pde & PTE_ADDRESS) + index * 4096ULL, found);
		else
			add(found, FOUND_FAULT, 0, 0);
		return;
	}
	for (i = 0; i < NR_TABLES; i++)
		if (model_table_gpa(i) == (pde & PTE_ADDRESS))
			find_table(m, a, rights & pde, i, index, found);
}

static void find_pdpte(const struct model *m, const struct access *a, __u64 pdpte,
		       unsigned int place, unsigned int index, struct findings *found)
{
	unsigned int pd = pd_of(m->root[a->vcpu]);
	const struct old_entry *o;

	if (!(pdpte & PTE_PRESENT)) {
		add(found, FOUND_FAULT, 0, 0);
		return;
	}
	find_pde(m, a, pdpte, m->pde[pd][place], index, found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_PDE, pd, place))
			find_pde(m, a, pdpte, o->value, index, found);
}

/* All that an access through page tables may find, by what they are and were. */
void model_find(const struct model *m, const struct access *a, unsigned int place,
		unsigned int index, struct findings *found)
{
	unsigned int pd = pd_of(m->root[a->vcpu]);
	const struct old_entry *o;

	if (m->mode[a->vcpu] == MODE_FLAT) {
		model_find_gpa(m, a, GUEST_UNMAPPED + place * 0x200000ULL + index * 4096ULL,
			       found);
		return;
	}
	if (m->lost & 1 << a->vcpu)
		add(found, FOUND_ANY, 0, 0);
	/* What is above in PAE has no rights, and no step changes it. */
	if (m->mode[a->vcpu] == MODE_PAE) {
		find_pdpte(m, a, PTE_PRESENT | PTE_WRITABLE | PTE_USER, place, index, found);
		return;
	}
	find_pdpte(m, a, m->pdpte[pd], place, index, found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_PDPTE, pd, 0))
			find_pdpte(m, a, o->value, place, index, found);
}

/* ---- What the guest changes ------------------------------------------------------ */

void model_entry_changes(struct model *m, enum entry_level level, unsigned int table,
			 unsigned int index, __u64 value)
{
	__u64 *entry = level == LEVEL_PTE ? &m->pte[table][index] :
		       level == LEVEL_PDE ? &m->pde[table][index] : &m->pdpte[table];

	if (*entry == value)
		return;
	if (m->nr_old == MOST_OLD)
		m->lost = ~0;
	else
		m->old[m->nr_old++] = (struct old_entry) {
			level, 0xff, table, index, *entry,
		};
	*entry = value;
}

static void forget_old(struct model *m, unsigned int i, unsigned int vcpu)
{
	m->old[i].vcpus &= ~(1 << vcpu) & ((1 << NR_VCPUS) - 1);
	if (!m->old[i].vcpus)
		m->old[i] = m->old[--m->nr_old];
}

void model_flush(struct model *m, unsigned int vcpu)
{
	unsigned int i;

	m->lost &= ~(1 << vcpu);
	for (i = m->nr_old; i--; )
		forget_old(m, i, vcpu);
}

/* The table that a root has at a place; -1 if there is none, or no such. */
int model_table_at(const struct model *m, unsigned int root, unsigned int place)
{
	__u64 pde = m->pde[pd_of(root)][place];
	unsigned int i;

	if (!(pde & PTE_PRESENT) || pde & PTE_HUGE)
		return -1;
	for (i = 0; i < NR_TABLES; i++)
		if (model_table_gpa(i) == (pde & PTE_ADDRESS))
			return i;
	return -1;
}

/* Of the entries that translate an address, if no other address has them, too. */
void model_invlpg(struct model *m, unsigned int vcpu, unsigned int place,
		  unsigned int index)
{
	unsigned int root = m->root[vcpu], i, times = 0;
	int table = model_table_at(m, root, place);

	if (table < 0)
		return;
	for (i = 0; i < NR_PLACES; i++)
		times += model_table_at(m, root, i) == table;
	if (times != 1)
		return;
	for (i = 0; i < m->nr_old; i++)
		if (m->old[i].level != LEVEL_PTE && m->old[i].vcpus & 1 << vcpu)
			return;
	for (i = m->nr_old; i--; )
		if (m->old[i].table == (unsigned int)table && m->old[i].index == index)
			forget_old(m, i, vcpu);
}

/* ---- What it grants, and takes back ---------------------------------------------- */

void model_grant(struct model *m, const struct grant *new)
{
	struct grant *g;

	for (g = m->grant; g < m->grant + m->nr_grants; g++) {
		if (g->table == new->table && g->index == new->index &&
		    g->root == new->root && g->place == new->place &&
		    g->pte == new->pte && g->gpa == new->gpa) {
			g->writable |= new->writable;
			return;
		}
	}
	if (m->nr_grants == MOST_GRANTS)
		m->grants_lost = true;
	else
		m->grant[m->nr_grants++] = *new;
}

void model_drop_all(struct model *m)
{
	m->nr_grants = 0;
	m->grants_lost = false;
}

void model_drop_slots(struct model *m, unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = m->nr_grants; i--; )
		if (m->grant[i].slot >= first && m->grant[i].slot - first < nr)
			m->grant[i] = m->grant[--m->nr_grants];
}

/* Places from @first to @last, both included. */
void model_drop_range(struct model *m, unsigned int root, unsigned int first,
		      unsigned int last)
{
	unsigned int i;

	for (i = m->nr_grants; i--; )
		if (m->grant[i].root == root && m->grant[i].place >= first &&
		    m->grant[i].place <= last)
			m->grant[i] = m->grant[--m->nr_grants];
}
