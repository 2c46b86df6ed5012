// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of kvm_fuzz: its programs as texts, and the oracle of page tables.
 */
#include <string.h>

#include <ktap.h>

#include "guest.h"
#include "layout.h"
#include "model.h"

#define PROGRAMS	500
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/* ---- Programs -------------------------------------------------------------------- */

static bool same(const struct program *p, const struct program *q)
{
	return p->nr == q->nr && !memcmp(&p->vm, &q->vm, sizeof(p->vm)) &&
	       !memcmp(p->step, q->step, p->nr * sizeof(*p->step));
}

static bool read_again(const struct program *p, struct program *again)
{
	static char text[1 << 16];
	FILE *f = fmemopen(text, sizeof(text), "w+");
	bool good;

	program_print(p, f);
	rewind(f);
	good = program_read(again, f, "text");
	fclose(f);
	return good;
}

/* Each kind of step in some of them, and all of them the same after they were a text. */
static void test_texts(void)
{
	static struct program p, q, other;
	unsigned int seen[K_NR] = { 0 }, wrong = 0, kinds = 0, i, j;

	for (i = 0; i < PROGRAMS; i++) {
		random_begin(i);
		program_random(&p, NR_VCPUS, true);
		other = p;
		for (j = 0; j < 4; j++)
			program_mutate(&p, &other, true);
		wrong += !read_again(&p, &q) || !same(&p, &q);
		for (j = 0; j < p.nr; j++)
			seen[p.step[j].kind]++;
	}
	for (i = 0; i < K_NR; i++)
		kinds += !!seen[i];
	ktap(!wrong, "as texts: %u of %u programs wrong", wrong, PROGRAMS);
	ktap(kinds == K_NR, "%u of %u kinds of steps are made", kinds, K_NR);
}

/* What an older one has left may have words that are none now: no program, and no end. */
static void test_strange(void)
{
	static const char * const texts[] = {
		"vm 1 anon file always swap\n0 what 3\n", "vm 1 anon file always swap\n0 cr3 99\n",
		"0 cr3 0\n", "vm 1 anon file always swap\nvm 1 anon file always swap\n", "",
	};
	unsigned int i, read = 0;
	struct program p;

	for (i = 0; i < NR(texts); i++) {
		char text[128];
		FILE *f;

		snprintf(text, sizeof(text), "%s\n", texts[i]);
		f = fmemopen(text, strlen(text), "r");
		read += program_read(&p, f, NULL);
		fclose(f);
	}
	ktap(!read, "strange texts: %u of %zu are programs", read, NR(texts));
}

static void test_seeds(void)
{
	static struct program p, q;
	unsigned int i, wrong = 0, alike = 0;

	for (i = 0; i < PROGRAMS; i++) {
		random_begin(i);
		program_random(&p, 1, false);
		random_begin(i);
		program_random(&q, 1, false);
		wrong += !same(&p, &q);
		random_begin(i + 1);
		program_random(&q, 1, false);
		alike += same(&p, &q);
	}
	ktap(!wrong && !alike, "seeds: %u of %u programs differ, %u are alike", wrong, PROGRAMS,
	     alike);
}

/* Simpler and simpler, to an end, and still a program. */
static void test_simpler(void)
{
	static struct program p, q;
	unsigned int i, at, steps, wrong = 0;

	for (i = 0; i < PROGRAMS / 10; i++) {
		random_begin(i);
		program_random(&p, NR_VCPUS, true);
		for (at = 0, steps = 0; program_simplify(&p, &at) && steps < 100000; steps++)
			program_tidy(&p);
		wrong += steps == 100000 || !read_again(&p, &q) || !same(&p, &q);
	}
	ktap(!wrong, "made simpler: %u of %u programs wrong", wrong, PROGRAMS / 10);
}

/* ---- What accesses may find ---------------------------------------------------------- */

#define RIGHTS_RO	0x65ULL
#define RIGHTS_RW	0x67ULL
#define RIGHTS_KERNEL	0x63ULL

#define RIGHTS_NX	(RIGHTS_RW | 1ULL << 63)

static struct model model;

/* One page of the window at the first place, and a swap entry that was answered for. */
static void begin(void)
{
	unsigned int i;

	memset(&model, 0, sizeof(model));
	for (i = 0; i < NR_REGIONS; i++) {
		struct region *r = &model.region[i];

		r->present = true;
		r->gpa = i == WINDOW ? WINDOW_GPA : MEMORY_GPA;
		r->pages = i == WINDOW ? WINDOW_PAGES : MEMORY_PAGES;
		r->memory[0].length = r->pages;
		r->memory[0].prot = PROT_IS_ALL;
	}
	for (i = 0; i < NR_PDS; i++) {
		model.pdpte[i] = RIGHTS_RW;
		model.pde[i][0] = model_table_gpa(0) | RIGHTS_RW;
	}
	for (i = 0; i < NR_TOPS; i++)
		model.top[i] = (i < NR_ROOTS ? pd_of(i) ? FUZZ_PDPT : GUEST_PDPT :
					       root_gpa(i - NR_ROOTS)) | RIGHTS_RW;
	for (i = 0; i < NR_VCPUS; i++) {
		model.wp[i] = true;
		model.nx[i] = true;
	}
	model.pte[0][1] = WINDOW_GPA | RIGHTS_RW;
	model.pte[0][2] = SWAP_MATCH | SWAP_EXCLUSIVE;
	model_grant(&model, &(struct grant) {
		.table = 0, .index = 2, .place = 2, .pte = model.pte[0][2],
		.gpa = WINDOW_GPA, .writable = true,
	});
}

static bool access_finds(unsigned int what, unsigned int place, unsigned int index,
			 const struct access *a)
{
	struct findings f = { 0 };
	unsigned int i;

	model_find(&model, a, place, index, &f);
	for (i = 0; i < f.nr; i++)
		if (f.f[i].what == what || f.f[i].what == FOUND_ANY)
			return true;
	return false;
}

static bool finds(unsigned int what, unsigned int index, bool write, bool user)
{
	return access_finds(what, 0, index, &(struct access) { .write = write, .user = user });
}

/* What the entry above the page directory is, and what it was, decides of all below. */
static void test_upper(void)
{
	unsigned int index;
	bool good = true;

	for (index = 1; index <= 2; index++) {
		begin();
		good &= finds(FOUND_PAGE, index, true, true);
		model_entry_changes(&model, LEVEL_PDPTE, 0, 0, RIGHTS_RO);
		/* Until it is flushed, both. */
		good &= finds(FOUND_PAGE, index, true, false);
		good &= finds(FOUND_FAULT, index, true, false);
		model_flush(&model, 0);
		good &= !finds(FOUND_PAGE, index, true, false);
		good &= finds(FOUND_PAGE, index, false, true);
		/* Without CR0.WP a kernel may. */
		model.wp[0] = false;
		good &= finds(FOUND_PAGE, index, true, false);
		good &= !finds(FOUND_PAGE, index, true, true);

		begin();
		model_entry_changes(&model, LEVEL_PDPTE, 0, 0, RIGHTS_KERNEL);
		model_flush(&model, 0);
		good &= finds(FOUND_PAGE, index, true, false);
		good &= !finds(FOUND_PAGE, index, false, true);

		begin();
		model_entry_changes(&model, LEVEL_PDPTE, 0, 0, 0);
		model_flush(&model, 0);
		good &= !finds(FOUND_PAGE, index, false, false);
		/* PAE has entries of its own. */
		model.mode[0] = MODE_PAE;
		good &= finds(FOUND_PAGE, index, false, false);
	}
	ktap(good, "what is above the page directory");
}

/* The same page tables below roots of four and of five levels, but not the same drops. */
static void test_roots(void)
{
	struct grant g;
	bool good;

	begin();
	g = model.grant[0];
	g.root = NR_ROOTS;
	model_grant(&model, &g);
	model_drop_range(&model, 0, 0, 511);
	good = model.nr_grants == 1 && finds(FOUND_PAGE, 2, false, false);
	model_drop_range(&model, NR_ROOTS, 0, 511);
	good &= !finds(FOUND_PAGE, 2, false, false);
	ktap(good && pd_of(2) == 1 && pd_of(NR_ROOTS + 2) == 1 && pd_of(NR_ROOTS) == 0,
	     "roots of four and of five levels");
}

/* Entries above the trees are the higher places', with all rights; by one level, or two. */
static void test_top(void)
{
	const struct access load = { .user = true }, store = { .write = true },
			    exec = { .exec = true };
	unsigned int top;
	bool good = true;

	for (top = 0; top <= NR_ROOTS; top += NR_ROOTS) {
		begin();
		model.root[0] = top;
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &load);
		good &= access_finds(FOUND_PAGE, NR_PLACES, 2, &store);
		/* Nothing is executed by an answer. */
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &exec);
		good &= !access_finds(FOUND_PAGE, NR_PLACES, 2, &exec);

		model_entry_changes(&model, LEVEL_TOP, top, 0,
				    (model.top[top] & ~RIGHTS_RW) | RIGHTS_RO);
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &store);
		good &= !access_finds(FOUND_FAULT, 0, 1, &store);
		/* It is not what INVLPG at a lower place is about. */
		model_invlpg(&model, 0, 0, 1);
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &store);
		model_flush(&model, 0);
		good &= !access_finds(FOUND_PAGE, NR_PLACES, 1, &store);
		good &= !access_finds(FOUND_PAGE, NR_PLACES, 2, &store);
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &load);

		model_entry_changes(&model, LEVEL_TOP, top, 0, model.top[top] | RIGHTS_NX);
		model_flush(&model, 0);
		good &= !access_finds(FOUND_PAGE, NR_PLACES, 1, &exec);
		good &= access_finds(FOUND_PAGE, 0, 1, &exec);
		/* Reserved without EFER.NXE: it cannot say when. */
		model.nx[0] = false;
		good &= access_finds(FOUND_ANY, NR_PLACES, 1, &load);

		model_entry_changes(&model, LEVEL_TOP, top, 0, 0);
		model_flush(&model, 0);
		good &= !access_finds(FOUND_PAGE, NR_PLACES, 1, &load);
		good &= model_table_at(&model, top, NR_PLACES) < 0;
		good &= model_table_at(&model, top, 0) == 0;
		/* Without long mode there are no higher places. */
		model.mode[0] = MODE_PAE;
		good &= access_finds(FOUND_PAGE, NR_PLACES, 1, &store);
	}

	/* An INVLPG at a higher place is about no other. */
	begin();
	model_entry_changes(&model, LEVEL_PTE, 0, 1, 0);
	model_invlpg(&model, 0, NR_PLACES, 1);
	good &= !access_finds(FOUND_PAGE, NR_PLACES, 1, &load);
	good &= access_finds(FOUND_PAGE, 0, 1, &load);
	model_invlpg(&model, 0, 0, 1);
	good &= !access_finds(FOUND_PAGE, 0, 1, &load);
	ktap(good, "what is above the trees");
}

/* With SMEP and SMAP a kernel leaves alone what is a user's at all levels. */
static void test_supervisor(void)
{
	const struct access exec = { .exec = true };
	bool good = true;

	begin();
	model.smap[0] = true;
	good &= !finds(FOUND_PAGE, 1, false, false) && finds(FOUND_FAULT, 2, false, false);
	good &= !finds(FOUND_PAGE, 2, false, false) && finds(FOUND_PAGE, 1, true, true);
	good &= access_finds(FOUND_PAGE, 0, 1, &exec);
	model.smep[0] = true;
	good &= !access_finds(FOUND_PAGE, 0, 1, &exec);
	model_entry_changes(&model, LEVEL_PDPTE, 0, 0, RIGHTS_KERNEL);
	model_flush(&model, 0);
	good &= finds(FOUND_PAGE, 1, true, false) && access_finds(FOUND_PAGE, 0, 1, &exec);
	ktap(good, "a kernel and what is a user's");
}

/* What entries of a page table in memory have been they may be for ever, and nothing else. */
static void test_in_memory(void)
{
	static const __u64 table[] = {
		MEMORY_GPA + TABLE_PAGE * 4096ULL,
		MOVED_GPA + MEMORY * MOVED_STEP + TABLE_PAGE * 4096ULL,
	};
	unsigned int i, n;
	bool good = true;

	for (i = 0; i < NR(table); i++) {
		begin();
		model_entry_changes(&model, LEVEL_PDE, 0, 0, table[i] | RIGHTS_RW);
		model_flush(&model, 0);
		good &= !finds(FOUND_PAGE, 1, false, false) && finds(FOUND_FAULT, 1, false, false);
		good &= finds(FOUND_NO_MEMORY, 1, true, true);
		model_entry_in_memory(&model, 7, WINDOW_GPA | RIGHTS_RO);
		good &= !finds(FOUND_PAGE, 1, false, false) && finds(FOUND_PAGE, 7, false, false);
		good &= !finds(FOUND_PAGE, 7, true, false);
		model_entry_in_memory(&model, 7, 0);
		model_flush(&model, 0);
		good &= finds(FOUND_PAGE, 7, false, true);
		/* The page's own word; and what cannot be written to. */
		good &= finds(FOUND_ANY, 0, false, false);
		model.region[MEMORY].read_only = true;
		good &= finds(FOUND_ANY, 1, false, false);
		model.region[MEMORY].read_only = false;
		/* Only as many as differ are remembered, and no more than there is room for. */
		for (n = 0; n < MOST_NAMED; n++)
			model_entry_in_memory(&model, 9, 0);
		good &= !finds(FOUND_ANY, 1, false, false);
		for (n = 0; n < MOST_NAMED; n++)
			model_entry_in_memory(&model, 9, (__u64)n << 12);
		good &= finds(FOUND_ANY, 1, false, false);
	}
	ktap(good, "a page table in memory");
}

int main(void)
{
	test_texts();
	test_strange();
	test_seeds();
	test_simpler();
	test_upper();
	test_roots();
	test_top();
	test_supervisor();
	test_in_memory();
	return ktap_end();
}
