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
#define PTE_NX		(1ULL << 63)

/* Rights, all of which are bits that are set. */
#define MAY_EXEC	PTE_NX
#define MAY_ALL		(PTE_PRESENT | PTE_WRITABLE | PTE_USER | MAY_EXEC)

__u64 model_table_gpa(unsigned int table)
{
	static const __u64 gpa[NR_TABLES] = { GUEST_PT, FUZZ_T1, FUZZ_T2 };

	return gpa[table];
}

__u64 root_gpa(unsigned int root)
{
	static const __u64 gpa[NR_ROOTS] = { GUEST_PML4, GUEST_PML4_2, FUZZ_PML4 };

	return root < NR_ROOTS ? gpa[root] : FUZZ_PML5 + (root - NR_ROOTS) * 0x2000ULL;
}

unsigned int place_of(const struct model *m, unsigned int vcpu, unsigned int place)
{
	return m->mode[vcpu] == MODE_LONG ? place : place % NR_PLACES;
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

/* What is left of rights at an entry. */
static __u64 narrow(__u64 rights, __u64 entry)
{
	return rights & (entry ^ PTE_NX);
}

static bool allowed(const struct model *m, const struct access *a, __u64 rights)
{
	if (a->user && !(rights & PTE_USER))
		return false;
	if (a->exec && !(rights & MAY_EXEC))
		return false;
	if (!a->user && rights & PTE_USER &&
	    (a->exec ? m->smep[a->vcpu] : m->smap[a->vcpu]))
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
		if (allowed(m, a, narrow(rights, pte)))
			model_find_gpa(m, a, pte & PTE_ADDRESS, found);
		else
			add(found, FOUND_FAULT, 0, 0);
		return;
	}

	add(found, FOUND_FAULT, 0, 0);
	if (m->grants_lost)
		add(found, FOUND_ANY, 0, 0);
	/* Nothing is executed by an answer. */
	if (!allowed(m, a, rights) || a->exec)
		return;
	for (g = m->grant; g < m->grant + m->nr_grants; g++)
		if ((g->table == table || table == TABLE_IN_MEMORY) && g->index == index &&
		    g->pte == pte && (g->writable || !a->write))
			model_find_gpa(m, a, g->gpa, found);
}

#define HIGH_BITS	(0xff << NR_VCPUS & 0xff)

static __u8 vcpu_bit(unsigned int vcpu, bool high)
{
	return 1 << (vcpu + (high ? NR_VCPUS : 0));
}

/* Whether a vCPU may still use what an entry was. */
static bool may_use(const struct old_entry *o, const struct access *a, enum entry_level level,
		    unsigned int table, unsigned int index)
{
	return o->level == level && o->table == table && o->index == index &&
	       o->vcpus & vcpu_bit(a->vcpu, a->high);
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

static bool in_memory(__u64 table)
{
	return table == MEMORY_GPA + TABLE_PAGE * 4096ULL ||
	       table == MOVED_GPA + MEMORY * MOVED_STEP + TABLE_PAGE * 4096ULL;
}

/*
 * The host may take it, give another one, and nobody who has used it is told. What it must
 * not have is an entry that it has never had.
 */
static void find_in_memory(const struct model *m, const struct access *a, __u64 rights,
			   unsigned int index, struct findings *found)
{
	unsigned int i;

	add(found, FOUND_FAULT, 0, 0);
	add(found, FOUND_NOTHING, 0, 0);
	add(found, FOUND_NO_MEMORY, 0, 0);
	/*
	 * Processors write to page tables as they use them. Where that cannot be, upstream's
	 * emulator may take the entry for the page.
	 */
	if (!index || m->named_lost || m->region[MEMORY].read_only)
		add(found, FOUND_ANY, 0, 0);
	for (i = 0; i < m->nr_named; i++)
		if (m->named[i].index == index)
			find_pte(m, a, rights, TABLE_IN_MEMORY, index, m->named[i].value, found);
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
		if (allowed(m, a, narrow(rights, pde)))
			model_find_gpa(m, a, (pde & PTE_ADDRESS) + index * 4096ULL, found);
		else
			add(found, FOUND_FAULT, 0, 0);
		return;
	}
	for (i = 0; i < NR_TABLES; i++)
		if (model_table_gpa(i) == (pde & PTE_ADDRESS))
			find_table(m, a, narrow(rights, pde), i, index, found);
	if (in_memory(pde & PTE_ADDRESS))
		find_in_memory(m, a, narrow(rights, pde), index, found);
}

static void find_pdpte(const struct model *m, const struct access *a, __u64 rights,
		       __u64 pdpte, unsigned int tree, unsigned int place,
		       unsigned int index, struct findings *found)
{
	const struct old_entry *o;

	if (!(pdpte & PTE_PRESENT)) {
		add(found, FOUND_FAULT, 0, 0);
		return;
	}
	rights = narrow(rights, pdpte);
	find_pde(m, a, rights, m->pde[tree][place], index, found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_PDE, tree, place))
			find_pde(m, a, rights, o->value, index, found);
}

static void find_tree(const struct model *m, const struct access *a, __u64 rights,
		      unsigned int tree, unsigned int place, unsigned int index,
		      struct findings *found)
{
	const struct old_entry *o;

	find_pdpte(m, a, rights, m->pdpte[tree], tree, place, index, found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_PDPTE, tree, 0))
			find_pdpte(m, a, rights, o->value, tree, place, index, found);
}

static unsigned int tree_at(__u64 pml4e)
{
	return (pml4e & PTE_ADDRESS) == FUZZ_PDPT;
}

static unsigned int root_at(__u64 pml5e)
{
	unsigned int i;

	for (i = 0; i < NR_ROOTS - 1 && root_gpa(i) != (pml5e & PTE_ADDRESS); i++)
		;
	return i;
}

static void find_top(const struct model *m, const struct access *a, __u64 rights,
		     unsigned int top, unsigned int place, unsigned int index,
		     struct findings *found);

static void find_top_entry(const struct model *m, const struct access *a, __u64 rights,
			   unsigned int top, __u64 entry, unsigned int place,
			   unsigned int index, struct findings *found)
{
	if (!(entry & PTE_PRESENT)) {
		add(found, FOUND_FAULT, 0, 0);
		return;
	}
	/* Reserved, if that is so, and perhaps not at once. */
	if (entry & PTE_NX && !m->nx[a->vcpu])
		add(found, FOUND_ANY, 0, 0);
	rights = narrow(rights, entry);
	if (top < NR_ROOTS)
		find_tree(m, a, rights, tree_at(entry), place, index, found);
	else
		find_top(m, a, rights, root_at(entry), place, index, found);
}

/* By the entry of a root; with five levels first by the one above. */
static void find_top(const struct model *m, const struct access *a, __u64 rights,
		     unsigned int top, unsigned int place, unsigned int index,
		     struct findings *found)
{
	const struct old_entry *o;

	find_top_entry(m, a, rights, top, m->top[top], place, index, found);
	for (o = m->old; o < m->old + m->nr_old; o++)
		if (may_use(o, a, LEVEL_TOP, top, 0))
			find_top_entry(m, a, rights, top, o->value, place, index, found);
}

/* All that an access through page tables may find, by what they are and were. */
void model_find(const struct model *m, const struct access *access, unsigned int place,
		unsigned int index, struct findings *found)
{
	struct access at = *access;
	const struct access *a = &at;
	unsigned int root = m->root[a->vcpu];

	place = place_of(m, a->vcpu, place);
	at.high = place >= NR_PLACES;
	place %= NR_PLACES;
	if (m->mode[a->vcpu] == MODE_FLAT) {
		model_find_gpa(m, a, GUEST_UNMAPPED + place * 0x200000ULL + index * 4096ULL,
			       found);
		return;
	}
	if (m->lost & 1 << a->vcpu)
		add(found, FOUND_ANY, 0, 0);
	/* What is above in PAE has no rights, and no step changes it. */
	if (m->mode[a->vcpu] == MODE_PAE)
		find_pdpte(m, a, MAY_ALL, PTE_PRESENT | PTE_WRITABLE | PTE_USER, pd_of(root),
			   place, index, found);
	else if (a->high)
		find_top(m, a, MAY_ALL, root, place, index, found);
	else
		find_tree(m, a, MAY_ALL, pd_of(root), place, index, found);
}

/* ---- What the guest changes ------------------------------------------------------ */

void model_entry_changes(struct model *m, enum entry_level level, unsigned int table,
			 unsigned int index, __u64 value)
{
	__u64 *entry = level == LEVEL_PTE ? &m->pte[table][index] :
		       level == LEVEL_PDE ? &m->pde[table][index] :
		       level == LEVEL_PDPTE ? &m->pdpte[table] : &m->top[table];

	if (*entry == value)
		return;
	if (m->nr_old == MOST_OLD)
		m->lost = ~0;
	else
		m->old[m->nr_old++] = (struct old_entry) {
			level, level == LEVEL_TOP ? HIGH_BITS : 0xff, table, index, *entry,
		};
	*entry = value;
}

void model_entry_in_memory(struct model *m, unsigned int index, __u64 value)
{
	unsigned int i;

	for (i = 0; i < m->nr_named; i++)
		if (m->named[i].index == index && m->named[i].value == value)
			return;
	if (m->nr_named == MOST_NAMED) {
		m->named_lost = true;
		return;
	}
	m->named[m->nr_named].index = index;
	m->named[m->nr_named++].value = value;
}

static void forget_old(struct model *m, unsigned int i, __u8 vcpus)
{
	m->old[i].vcpus &= ~vcpus;
	if (!m->old[i].vcpus)
		m->old[i] = m->old[--m->nr_old];
}

void model_flush(struct model *m, unsigned int vcpu)
{
	unsigned int i;

	m->lost &= ~(1 << vcpu);
	for (i = m->nr_old; i--; )
		forget_old(m, i, vcpu_bit(vcpu, false) | vcpu_bit(vcpu, true));
}

/* The tree that a root has at a place; -1 if there is none. */
static int tree_of(const struct model *m, unsigned int root, unsigned int place)
{
	if (place < NR_PLACES)
		return pd_of(root);
	if (!(m->top[root] & PTE_PRESENT))
		return -1;
	return root < NR_ROOTS ? (int)tree_at(m->top[root]) :
				 tree_of(m, root_at(m->top[root]), place);
}

/* The table that a root has at a place; -1 if there is none, or no such. */
int model_table_at(const struct model *m, unsigned int root, unsigned int place)
{
	int tree = tree_of(m, root, place);
	unsigned int i;
	__u64 pde;

	if (tree < 0)
		return -1;
	pde = m->pde[tree][place % NR_PLACES];
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
	bool high = place >= NR_PLACES;

	if (table < 0)
		return;
	/* At the higher places it is another translation. */
	for (i = 0; i < NR_PLACES; i++)
		times += model_table_at(m, root, (high ? NR_PLACES : 0) + i) == table;
	if (times != 1)
		return;
	for (i = 0; i < m->nr_old; i++)
		if (m->old[i].level != LEVEL_PTE && m->old[i].vcpus & vcpu_bit(vcpu, high))
			return;
	for (i = m->nr_old; i--; )
		if (m->old[i].table == (unsigned int)table && m->old[i].index == index)
			forget_old(m, i, vcpu_bit(vcpu, high));
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
