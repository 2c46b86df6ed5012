// SPDX-License-Identifier: GPL-2.0
/*
 * What a step of kvm_fuzz does to the model, and whether what has come of it may be so.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define WITHOUT_A_AND_D		(~0x60ULL)

struct model m;
struct model before;
bool in_group;
unsigned int group_running;
bool group_logs;
bool group_gaps;
__u64 group_value[32];
unsigned int nr_group_values;
__u64 group_from, group_to;
bool touched[NR_REGIONS][MOST_PAGES];

static void find_all(const struct model *model, const struct doing *d, struct findings *f)
{
	const struct step *s = d->s;
	struct access a = {
		.vcpu = s->who, .write = is_store(s),
		.user = s->kind == K_USER_LOAD || s->kind == K_USER_STORE,
		.exec = s->kind == K_EXEC,
	};

	if (s->kind == K_ALIAS_LOAD || s->kind == K_ALIAS_STORE)
		model_find_gpa(model, &a, d->addr, f);
	else
		model_find(model, &a, s->arg[0], s->arg[1], f);
}

/* Whether an access may find no memory slot, as far as is known. */
bool may_be_no_memory(const struct doing *d)
{
	struct findings f = { 0 };
	unsigned int i;

	find_all(&m, d, &f);
	for (i = 0; i < f.nr; i++)
		if (f.f[i].what == FOUND_NOTHING || f.f[i].what == FOUND_ANY)
			return true;
	return false;
}

static bool in_group_values(__u64 val)
{
	unsigned int i;

	if (val >= group_from && val <= group_to)
		return true;
	for (i = 0; i < nr_group_values; i++)
		if (group_value[i] == val)
			return true;
	return false;
}

static bool may_hold(unsigned int region, unsigned int alt, unsigned int page, __u64 val)
{
	if (m.region[region].memory[alt].content[page] == val)
		return true;
	return in_group && (before.region[region].memory[alt].content[page] == val ||
			    in_group_values(val));
}

static bool may_read(unsigned int region, unsigned int page, __u64 val)
{
	return may_hold(region, m.region[region].alt, page, val) ||
	       (in_group && may_hold(region, before.region[region].alt, page, val));
}

static void page_written(unsigned int region, unsigned int page, __u64 val)
{
	struct region *r = &m.region[region];

	r->memory[r->alt].content[page] = val;
	if (r->log && !(in_group && group_logs))
		r->dirty[page] = true;
	touched[region][page] = true;
}

/* Where is it, if not where it should be? */
static bool search(__u64 val, unsigned int *region, unsigned int *page)
{
	for (*region = 0; *region < NR_REGIONS; ++*region)
		for (*page = 0; *page < m.region[*region].pages; ++*page)
			if (host_word(memory_of(&m, *region), *page) == val)
				return true;
	return false;
}

static void check_stored(const struct doing *d, const struct findings *f, bool any)
{
	unsigned int i, region, page;

	for (i = 0; i < f->nr; i++) {
		region = f->f[i].region;
		page = f->f[i].page;
		if (f->f[i].what != FOUND_PAGE)
			continue;
		if (in_group)
			touched[region][page] = true;
		if (host_word(memory_of(&m, region), page) == d->value) {
			page_written(region, page, d->value);
			return;
		}
	}
	if (in_group)
		return;
	if (search(d->value, &region, &page)) {
		if (!any)
			found("a store has gone to page %u of the %s", page,
			      region == WINDOW ? "window" : "memory");
		page_written(region, page, d->value);
		return;
	}
	found("a store has gone nowhere that the guest may reach%s", any ? " at all" : "");
}

static void say_findings(const struct findings *f, char *text, size_t size)
{
	static const char * const what[] = { "fault", "page", "nothing", "no memory", "any" };
	unsigned int i, n = 0;

	*text = 0;
	for (i = 0; i < f->nr && n < size; i++) {
		n += snprintf(text + n, size - n, "%s%s", i ? ", " : "", what[f->f[i].what]);
		if (f->f[i].what == FOUND_PAGE && n < size)
			n += snprintf(text + n, size - n, " %c%u (0x%llx)",
				      f->f[i].region == WINDOW ? 'w' : 'm', f->f[i].page,
				      memory_of(&m, f->f[i].region)->content[f->f[i].page]);
	}
}

void check_access(const struct doing *d)
{
	static const int allows[END_NR] = {
		[END_FAULT] = FOUND_FAULT, [END_MMIO] = FOUND_NOTHING,
		[END_NO_MEMORY] = FOUND_NO_MEMORY, [END_DONE] = FOUND_PAGE,
		[END_EXCEPTION] = -1, [END_SHUTDOWN] = -1, [END_ERROR] = -1,
	};
	struct findings f = { 0 };
	unsigned int i;
	char text[512];
	bool any = false;

	find_all(&m, d, &f);
	if (in_group) {
		/* Or in the middle: what the guest says now, what the host had then. */
		static struct model middle;

		middle = m;
		memcpy(middle.region, before.region, sizeof(middle.region));
		find_all(&before, d, &f);
		find_all(&middle, d, &f);
	}
	if (d->end == END_EXCEPTION || d->end == END_SHUTDOWN)
		found("an access has ended by vector %u, or a shutdown (%d)", d->vector, d->end);
	if (d->end == END_FAULT && d->cr2 != d->addr)
		found("CR2 is 0x%llx", d->cr2);

	for (i = 0; i < f.nr; i++)
		any |= f.f[i].what == FOUND_ANY;
	if (d->end == END_DONE && is_store(d->s)) {
		check_stored(d, &f, any);
		return;
	}
	if (any || (in_group && group_gaps &&
		    (d->end == END_MMIO || d->end == END_NO_MEMORY)))
		return;
	/* As upstream's, KVM's look for the page comes before that at whether it is still right. */
	if (d->end == END_NO_MEMORY && d->meanwhile)
		return;
	for (i = 0; i < f.nr; i++)
		if ((int)f.f[i].what == allows[d->end] &&
		    (d->end != END_DONE || may_read(f.f[i].region, f.f[i].page, d->result)))
			return;
	say_findings(&f, text, sizeof(text));
	if (d->end == END_DONE)
		found("the guest has read 0x%llx, but there is: %s", d->result, text);
	found("an access has ended by %s, but there is: %s",
	      d->end == END_FAULT ? "a page fault" : d->end == END_MMIO ? "MMIO" :
	      "lack of memory", text);
}

/* ---- What comes of a step ---------------------------------------------------------------- */

static void pages_are(unsigned int region, unsigned int first, unsigned int nr, __u64 val)
{
	struct memory *memory = memory_of(&m, region);

	for (; nr && first < m.region[region].pages; nr--, first++) {
		memory->content[first] = val;
		if (in_group)
			touched[region][first] = true;
	}
}

void apply_host(const struct doing *d)
{
	const struct step *s = d->s;
	struct memory *memory = memory_of(&m, s->arg[0] % NR_REGIONS);

	if (d->end != END_DONE)
		return;
	switch (s->kind) {
	case K_WRITE:
		pages_are(s->arg[0], s->arg[1], 1, d->value);
		break;
	case K_ADVISE:
		if (s->arg[1] == ADVICE_DONTNEED && memory->file < 0)
			pages_are(s->arg[0], s->arg[2], d->result, 0);
		break;
	case K_CHURN:
		pages_are(s->arg[0], s->arg[1], d->result, d->left);
		break;
	case K_PUNCH:
		pages_are(s->arg[0], s->arg[1], d->result, 0);
		break;
	case K_TRUNCATE:
		pages_are(s->arg[0], s->arg[1], MOST_PAGES, 0);
		memory->length = d->result;
		break;
	case K_REPLACE:
		if (memory->file < 0)
			pages_are(s->arg[0], 0, MOST_PAGES, 0);
		memory->prot = PROT_IS_ALL;
		break;
	case K_PROTECT:
		memory->prot = s->arg[1];
		break;
	case K_BYPASS_MODE:
		if (!strcmp(mode_names[s->arg[0]], "off"))
			model_drop_all(&m);
		break;
	default:
		break;
	}
}

static void apply_hypercall(const struct doing *d, __u64 nr, __u64 a0, __u64 a1)
{
	if (d->result)
		return;
	switch (nr) {
	case SYMB_HC_SWAP_ATTACH:
		m.descs = ~0;
		break;
	case SYMB_HC_SWAP_DETACH:
		m.descs = 0;
		model_drop_all(&m);
		break;
	case SYMB_HC_DROP_SLOTS:
		model_drop_slots(&m, a0, a1);
		break;
	default:
		break;
	}
}

void apply_guest(const struct doing *d)
{
	const struct step *s = d->s;
	unsigned int descs = in_group ? m.descs : 0;

	switch (s->kind) {
	case K_LOAD:
	case K_STORE:
	case K_USER_LOAD:
	case K_USER_STORE:
		if (in_group || !*box32(s->who, BOX_SAY))
			grant_answer(d);
		return;
	case K_EXEC:
	case K_ALIAS_LOAD:
	case K_ALIAS_STORE:
		return;
	case K_WRMSR:
		if (d->end == END_EXCEPTION && d->vector == 13)
			return;
		break;
	default:
		break;
	}

	/*
	 * Without decode assists KVM emulates the write, and upstream's mk_cr_64() takes 32
	 * bits of it.
	 */
	if (s->kind == K_BAD_CR && d->end == END_DONE && s->arg[0] != BAD_CR0_HIGH)
		found("a control register has taken what it cannot have");
	if (d->end == END_EXCEPTION && d->vector == 13 &&
	    (s->kind == K_RDMSR || s->kind == K_LOCAL || s->kind == K_FEATURES ||
	     s->kind == K_REGISTER || s->kind == K_CR4 || s->kind == K_BAD_CR ||
	     s->kind == K_EFER))
		return;
	if (d->end == END_SHUTDOWN)
		found("the machine has shut down");
	/* Where the memory is not, the table is not, either. */
	if (s->kind == K_PTE && s->arg[0] == TABLE_IN_MEMORY &&
	    (d->end == END_DONE || d->end == END_MMIO || d->end == END_NO_MEMORY)) {
		model_entry_in_memory(&m, s->arg[1], d->value);
		return;
	}
	if (d->end != END_DONE)
		found("a step of the guest has ended by vector %u (%d), at 0x%llx", d->vector,
		      d->end, d->cr2);

	switch (s->kind) {
	case K_PTE:
		model_entry_changes(&m, LEVEL_PTE, s->arg[0], s->arg[1], d->value);
		break;
	case K_PDE:
		model_entry_changes(&m, LEVEL_PDE, pd_of(s->arg[0]), s->arg[1], d->value);
		break;
	case K_PDPTE:
		model_entry_changes(&m, LEVEL_PDPTE, s->arg[0], 0, d->value);
		break;
	case K_TOP:
		model_entry_changes(&m, LEVEL_TOP, s->arg[0], 0, d->value);
		break;
	case K_EFER:
		m.nx[s->who] = s->arg[0] != EFER_IS_NXE || !s->arg[1];
		break;
	case K_INVLPG:
		model_invlpg(&m, s->who, place_of(&m, s->who, s->arg[0]), s->arg[1]);
		break;
	case K_CR3:
		m.root[s->who] = root_of(s->who, s->arg[0]);
		model_flush(&m, s->who);
		break;
	case K_CR0:
		m.wp[s->who] = !s->arg[0];
		break;
	case K_CR4:
		m.smep[s->who] = s->arg[0] == CR4_IS_SMEP && !s->arg[1];
		m.smap[s->who] = s->arg[0] == CR4_IS_SMAP && !s->arg[1];
		break;
	case K_ATTACH:
		if (d->result)
			break;
		if (s->arg[0] > DESC_MEMORY)
			found("attached to what is no window");
		m.descs = descs | 1 << s->arg[0];
		m.desc_gpa[s->arg[0]] = d->addr;
		break;
	case K_DETACH:
		if (d->result)
			break;
		m.descs = descs;
		model_drop_all(&m);
		break;
	case K_DROP_SLOTS:
		apply_hypercall(d, SYMB_HC_DROP_SLOTS, s->arg[0], s->arg[1]);
		break;
	case K_DROP_RANGE:
		if (!d->result)
			model_drop_range(&m, root_of(s->who, s->arg[0]),
					 place_of(&m, s->who, s->arg[1]) * 512 + s->arg[2],
					 place_of(&m, s->who, s->arg[1]) * 512 + s->arg[3]);
		break;
	case K_HYPERCALL:
		apply_hypercall(d, hypercall_number(s->arg[0]), edge(s->arg[1]),
				edge(s->arg[2]));
		break;
	case K_FEATURES:
		if (d->value & SYMB_FEAT_SWAPBYPASS)
			break;
		m.descs = descs;
		model_drop_all(&m);
		break;
	default:
		break;
	}
}

/* ---- What is true after all ----------------------------------------------------- */

static void resolve_memory(unsigned int region, unsigned int alt)
{
	struct memory *memory = &m.region[region].memory[alt];
	bool there[MOST_PAGES];
	unsigned int i;
	__u64 val;

	host_pages(memory, there);
	for (i = 0; i < m.region[region].pages; i++) {
		if (!touched[region][i])
			continue;
		val = there[i] ? host_word(memory, i) : 0;
		if (!may_hold(region, alt, i, val))
			found("page %u of the %s holds 0x%llx after all", i,
			      region == WINDOW ? "window" : "memory", val);
		memory->content[i] = val;
	}
}

void resolve_pages(void)
{
	unsigned int i, alt;

	for (i = 0; i < NR_REGIONS; i++)
		for (alt = 0; alt < ALTS; alt++)
			resolve_memory(i, alt);
}

/* What entries are now, if several have written them. */
void resolve_entries(void)
{
	unsigned int i, j;

	for (i = 0; i < NR_TABLES; i++) {
		const __u64 *pte = (__u64 *)(ram + model_table_gpa(i));

		for (j = 0; j < 512; j++)
			if ((pte[j] ^ m.pte[i][j]) & WITHOUT_A_AND_D)
				model_entry_changes(&m, LEVEL_PTE, i, j, pte[j]);
	}
	for (i = 0; i < NR_PDS; i++) {
		const __u64 *pde = (__u64 *)(ram + (i ? FUZZ_PD : GUEST_PD + 0x1000));

		for (j = 0; j < NR_PLACES; j++)
			if ((pde[j] ^ m.pde[i][j]) & WITHOUT_A_AND_D)
				model_entry_changes(&m, LEVEL_PDE, i, j, pde[j]);
		if ((*pdpte_of(i) ^ m.pdpte[i]) & WITHOUT_A_AND_D)
			model_entry_changes(&m, LEVEL_PDPTE, i, 0, *pdpte_of(i));
	}
	for (i = 0; i < NR_TOPS; i++)
		if ((*top_of(i) ^ m.top[i]) & WITHOUT_A_AND_D)
			model_entry_changes(&m, LEVEL_TOP, i, 0, *top_of(i));
}

static void check_memory(const struct memory *memory, const char *name)
{
	bool there[MOST_PAGES];
	unsigned int i;
	__u64 word;

	host_pages(memory, there);
	for (i = 0; i < memory->length; i++) {
		word = there[i] ? host_word(memory, i) : 0;
		if (word != memory->content[i])
			found("at the end, page %u of the %s holds 0x%llx, not 0x%llx", i, name,
			      word, memory->content[i]);
	}
}

/* All memory holds what it should, not only what was looked at. */
void check_all(void)
{
	unsigned int i, alt, j;

	for (i = 0; i < NR_REGIONS; i++) {
		for (alt = 0; alt < ALTS; alt++)
			check_memory(&m.region[i].memory[alt], i == WINDOW ? "window" : "memory");
	}
	for (i = 0; i < NR_TABLES; i++)
		for (j = 0; j < 512; j++)
			if ((((__u64 *)(ram + model_table_gpa(i)))[j] ^ m.pte[i][j]) &
			    WITHOUT_A_AND_D)
				found("at the end, entry %u of page table %u has changed", j, i);
	for (i = 0; i < NR_PDS; i++)
		if ((*pdpte_of(i) ^ m.pdpte[i]) & WITHOUT_A_AND_D)
			found("at the end, what is above page directory %u has changed", i);
	for (i = 0; i < NR_TOPS; i++)
		if ((*top_of(i) ^ m.top[i]) & WITHOUT_A_AND_D)
			found("at the end, entry %u above the trees has changed", i);
	if (memcmp(ram + FUZZ_RSM, "\x0f\xaa", 2))
		found("at the end, the guest's code has changed");
}

