// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar of kvm_fuzz: which steps there are and what their arguments can be;
 * random programs and changes of them; their texts.
 *
 *	vm 2 anon file always swap
 *	0 load 0 5 8 3 none
 *	> 1 drop-slots 0 64
 *	& 0 store 0 6 0 0 none
 *	h madvise window dontneed 0 64
 *
 * A line is a step: who does it, a vCPU or the host, what it is, and its arguments.
 */
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define BLANK "\n "
#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* ---- What there is ----------------------------------------------------------- */

/**
 * struct values - what an argument can be
 * @nr: numbers below that
 * @likely: those below this one mostly: what is used twice meets
 * @names: their names in texts, if they are no numbers
 */
struct values {
	unsigned int nr;
	unsigned int likely;
	const char * const *names;
};

#define NUMBER(name, nr, likely)					\
	static const struct values name = { nr, likely, NULL }
#define NAMES_OF(name, likely, ...)					\
	static const char * const name##_names[] = { __VA_ARGS__ };	\
	static const struct values name = {				\
		NR(name##_names), likely, name##_names			\
	}

NUMBER(vcpus, NR_VCPUS + 1, 4);
NUMBER(place, 2 * NR_PLACES, 2); /* of a page table, in the address space */
NUMBER(slot_of_pd, NR_PLACES, 2); /* below a page directory */
NUMBER(entry, 512, 8);		/* in a page table */
NUMBER(slots, 65, 16);		/* pages of the window, and one more */
NUMBER(pages, 64, 16);		/* of a region */
NUMBER(tables, 4, 2);
NUMBER(roots, 3, 2);
NUMBER(trees, 2, 1);		/* of page tables below a root */
NUMBER(tops, 6, 3);		/* roots, and the tables above them */
NUMBER(small, 8, 4);
NUMBER(which, 64, 64);
NAMES_OF(backing, 2, "anon", "file");
NAMES_OF(modes, 1, "always", "adaptive", "off");
NAMES_OF(contents, 3, "swap", "mixed", "present");
NAMES_OF(asked, 5, "no", "1", "2", "4", "8", "64");
NAMES_OF(lies, 1, "none", "read-only", "one-read-only", "writable", "other-pte", "one-other-pte",
	 "slot", "one-slot", "empty", "one-empty", "present", "one-present", "base-odd",
	 "base-far", "nr-0", "nr-65", "nr-max", "error", "exit", "ud", "pf", "loop",
	 "iret", "hlt", "spin", "sti", "msr", "drop", "cr3", "vmrun");
NAMES_OF(calls, 3, "null", "error", "exit", "ud", "pf", "loop", "iret", "hlt", "spin",
	 "sti", "msr", "drop", "cr3", "vmrun");
NAMES_OF(entries, 3, "swap", "shared", "window", "memory", "none", "other");
NAMES_OF(perms, 1, "rw", "ro", "kernel", "kernel-ro");
NAMES_OF(directories, 3, "t0", "t1", "t2", "none", "huge", "memory");
NAMES_OF(uppers, 1, "there", "none");
NAMES_OF(links, 1, "own", "other", "none");
NAMES_OF(execs, 2, "x", "nx");
NAMES_OF(onoff, 2, "on", "off");
NAMES_OF(cr4_bits, 7, "pge", "de", "tsd", "umip", "smep", "smap", "pcide");
NAMES_OF(efer_bits, 3, "sce", "nxe", "svme", "lme", "reserved");
NAMES_OF(descs, 3, "all", "half", "memory", "nowhere", "mask", "too-long");
NAMES_OF(regions, 2, "window", "memory");
NAMES_OF(advice, 2, "dontneed", "pageout", "cold", "huge", "nothuge", "collapse",
	 "populate");
NAMES_OF(protections, 3, "none", "read", "all");
NAMES_OF(slot_changes, 8, "delete", "add", "read-only", "log", "no-log", "other", "move",
	 "back");
NAMES_OF(cpu_modes, 4, "long", "pae", "flat", "long5");
NAMES_OF(trips, 8, "regs", "sregs", "events", "mp", "debugregs", "lapic", "xsave",
	 "msrs");
NAMES_OF(pagings, 2, "nested", "shadow");
NAMES_OF(settings, 8, "cr3-0", "cr3-1", "cr3-2", "wp", "no-wp", "ud", "nmi", "halted");
NAMES_OF(edges, 5, "regs", "rip", "sregs", "refused", "interrupt");
NAMES_OF(bad_crs, 7, "no-paging", "no-protection", "nw", "cr0-high", "no-pae", "cr4-reserved",
	 "la57");
NAMES_OF(sizes, 5, "64K", "256K", "1M", "4M", "16M");
NAMES_OF(parameters, 4, "budget", "bypass", "nx-huge", "thp");

/* One argument less than there can be: NULL ends the list. */
static const struct {
	const char *name;
	unsigned int weight;
	bool alongside;		/* may run at the same time as others */
	const struct values *arg[STEP_ARGS + 1];
} kinds[K_TABLE_NR] = {
	[K_LOAD] = { "load", 60, true, { &place, &entry, &asked, &slots, &lies } },
	[K_STORE] = { "store", 25, true, { &place, &entry, &asked, &slots, &lies } },
	[K_USER_LOAD] = { "uload", 6, true, { &place, &entry, &asked, &slots, &lies } },
	[K_USER_STORE] = { "ustore", 6, true, { &place, &entry, &asked, &slots, &lies } },
	[K_EXEC] = { "exec", 5, false, { &place, &entry } },
	[K_ALIAS_LOAD] = { "pload", 6, true, { &regions, &pages } },
	[K_ALIAS_STORE] = { "pstore", 6, true, { &regions, &pages } },
	[K_PTE] = { "pte", 20, true, { &tables, &entry, &entries, &pages, &perms } },
	[K_PDE] = { "pde", 8, true, { &roots, &slot_of_pd, &directories, &perms } },
	[K_PDPTE] = { "pdpte", 3, true, { &trees, &uppers, &perms } },
	[K_TOP] = { "top", 4, true, { &tops, &links, &perms, &execs } },
	[K_INVLPG] = { "invlpg", 8, true, { &place, &entry } },
	[K_CR3] = { "cr3", 8, true, { &roots } },
	[K_CR0] = { "cr0", 2, true, { &onoff } },
	[K_CR4] = { "cr4", 2, true, { &cr4_bits, &onoff } },
	[K_BAD_CR] = { "bad-cr", 1, true, { &bad_crs } },
	[K_EFER] = { "efer", 2, true, { &efer_bits, &onoff } },
	[K_ATTACH] = { "attach", 5, true, { &descs } },
	[K_DETACH] = { "detach", 3, true, { NULL } },
	[K_DROP_SLOTS] = { "drop-slots", 10, true, { &slots, &slots } },
	[K_DROP_RANGE] = { "drop-range", 8, true, { &roots, &place, &entry, &entry } },
	[K_HYPERCALL] = { "hypercall", 3, true, { &which, &which, &which, &which, &which } },
	[K_WRMSR] = { "wrmsr", 3, true, { &which, &which } },
	[K_RDMSR] = { "rdmsr", 1, true, { &which } },
	[K_FEATURES] = { "features", 2, true, { &which } },
	[K_REGISTER] = { "register", 3, true, { NULL } },
	[K_LOCAL] = { "local", 2, true, { &onoff } },
	[K_LOOP] = { "loop", 2, true, { &small, &calls } },
	[K_STI] = { "sti", 3, true, { NULL } },
	[K_CPUID] = { "cpuid", 1, true, { NULL } },
	[K_CPU_MODE] = { "cpu-mode", 3, false, { &small, &cpu_modes } },
	[K_SYMCALL] = { "symcall", 6, false, { &small, &calls } },
	[K_WRITE] = { "write", 12, true, { &regions, &pages } },
	[K_ADVISE] = { "madvise", 14, true, { &regions, &advice, &pages, &slots } },
	[K_PROTECT] = { "mprotect", 3, true, { &regions, &protections } },
	[K_REPLACE] = { "mmap", 3, true, { &regions } },
	[K_REMAP] = { "mremap", 2, true, { &regions } },
	[K_PUNCH] = { "punch", 4, true, { &regions, &pages, &slots } },
	[K_CHURN] = { "churn", 3, true, { &regions, &pages, &slots } },
	[K_TRUNCATE] = { "truncate", 2, true, { &regions, &pages } },
	[K_SLOT] = { "slot", 10, true, { &regions, &slot_changes } },
	[K_DIRTY_LOG] = { "dirty-log", 4, true, { &regions } },
	[K_BYPASS_MODE] = { "bypass-mode", 4, true, { &modes } },
	[K_PAGING_MODE] = { "paging-mode", 4, true, { &pagings } },
	[K_FORK] = { "fork", 2, false, { &onoff } },
	[K_NMI] = { "nmi", 2, true, { &small } },
	[K_SMI] = { "smi", 2, true, { &small } },
	[K_IRQ] = { "irq", 2, true, { &small } },
	[K_INIT] = { "init", 1, false, { &small } },
	[K_DEBUG] = { "debug", 1, false, { &small, &onoff } },
	[K_ROUND_TRIP] = { "get-set", 5, false, { &small, &trips } },
	[K_RESET] = { "reset", 1, false, { &small } },
	[K_NEW_VCPU] = { "new-vcpu", 1, false, { NULL } },
	[K_MMU_PAGES] = { "mmu-pages", 2, true, { &small } },
	[K_PARAMETER] = { "parameter", 1, true, { &parameters, &which } },
	[K_SIGNAL] = { "signal", 4, true, { &small } },
	[K_SET] = { "set", 3, false, { &small, &settings } },
	[K_EDGE] = { "edge", 4, false, { &small, &edges, &which } },
	[K_RECLAIM] = { "reclaim", 4, true, { &sizes } },
	[K_VM] = { "vm", 0, false, { &vcpus, &backing, &backing, &modes, &contents } },
};

const char *kind_name(unsigned int kind)
{
	return kinds[kind].name;
}

static bool of_host(unsigned int kind)
{
	return kind >= K_HOST_FIRST;
}

static bool is_host(const struct step *s)
{
	return s->who == HOST;
}

static unsigned int nr_args(unsigned int kind)
{
	unsigned int i;

	for (i = 0; kinds[kind].arg[i]; i++)
		;
	return i;
}

/* Which of the kind's: the first argument with names that are few. */
unsigned int kind_variant(const struct step *s)
{
	unsigned int i, v = 0;

	for (i = 0; i < nr_args(s->kind); i++)
		if (kinds[s->kind].arg[i]->names)
			v = v * 32 + s->arg[i] + 1;
	return v;
}

/* ---- At random ------------------------------------------------------------------ */

static uint64_t state;

/* xorshift64*: the same everywhere. */
static uint32_t next_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL) >> 32;
}

void random_begin(uint64_t seed)
{
	state = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	next_random();
	next_random();
}

/* Below @n. */
unsigned int rnd(unsigned int n)
{
	return (uint64_t)next_random() * n >> 32;
}

static unsigned int random_value(const struct values *v)
{
	/* The first ones are the most likely, and the ends of what is possible. */
	if (v->likely < v->nr && !rnd(6))
		return rnd(3) ? rnd(v->nr) : v->nr - 1 - rnd(2) % v->nr;
	return rnd(v->likely);
}

static void random_args(struct step *s)
{
	unsigned int i;

	for (i = 0; i < nr_args(s->kind); i++) {
		s->arg[i] = random_value(kinds[s->kind].arg[i]);
		if (kinds[s->kind].arg[i] == &place && !rnd(4))
			s->arg[i] |= NR_PLACES;
	}
}

static void step_of_kind(struct step *s, unsigned int kind, unsigned int vcpus)
{
	*s = (struct step) {
		.kind = kind, .who = of_host(kind) ? HOST : rnd(2) ? 0 : rnd(vcpus),
	};
	random_args(s);
}

static void random_step(struct step *s, unsigned int vcpus)
{
	static unsigned int total;
	unsigned int i, n;

	if (!total)
		for (i = 0; i < K_NR; i++)
			total += kinds[i].weight;

	n = rnd(total);
	for (i = 0; n >= kinds[i].weight; i++)
		n -= kinds[i].weight;
	step_of_kind(s, i, vcpus);
}

static void random_flags(struct step *s, bool alongside)
{
	s->flags = 0;
	if (!rnd(8))
		s->flags = STEP_DURING;
	else if (alongside && !rnd(8))
		s->flags = STEP_ALONGSIDE;
}

static struct step *append(struct program *p)
{
	if (p->nr == MAX_STEPS)
		p->nr--;
	return &p->step[p->nr++];
}

/* An access that is a question. */
static struct step *append_question(struct program *p, unsigned int vcpus)
{
	struct step *s = append(p);

	step_of_kind(s, rnd(3) ? K_LOAD : K_STORE, vcpus);
	s->arg[2] = 1 + rnd(5);
	return s;
}

/* So many pages does a guest answer for, from a multiple of that on. */
unsigned int answer_pages(const struct step *question)
{
	static const unsigned int pages[] = { 0, 1, 2, 4, 8, 64 };

	return pages[question->arg[2]];
}

/* The page table that a root has at a place at first. */
static unsigned int first_table(unsigned int root, unsigned int at)
{
	return at % NR_PLACES % (root == 2 ? 2 : 3);
}

/* Makes the step one about pages that the guest answers for, neighbours as a rule. */
static void aim(struct step *s, const struct step *at)
{
	unsigned int nr = answer_pages(at), first = at->arg[1] & -nr;
	unsigned int some = rnd(nr), slot = at->arg[3];

	switch (s->kind) {
	case K_PTE:
		/* The one that it has at first. */
		s->arg[0] = first_table(0, at->arg[0]);
		s->arg[1] = first + some;
		break;
	case K_PDE:
		s->arg[1] = at->arg[0] % NR_PLACES;
		break;
	case K_DROP_SLOTS:
		s->arg[0] = (slot + some) % pages.nr;
		s->arg[1] = 1 + rnd(nr);
		break;
	case K_DROP_RANGE:
		s->arg[1] = at->arg[0];
		s->arg[2] = first + some / 2;
		s->arg[3] = first + some;
		break;
	case K_ADVISE:
	case K_PUNCH:
		s->arg[0] = 0;
		s->arg[s->kind == K_ADVISE ? 2 : 1] = (slot + some) % pages.nr;
		s->arg[s->kind == K_ADVISE ? 3 : 2] = 1 + rnd(nr);
		break;
	case K_CHURN:
		/* Those on one side of the page that was touched, which must stay. */
		some = at->arg[1] - first;
		s->arg[0] = 0;
		if (some < nr / 2) {
			s->arg[1] = (slot + some + 1) % pages.nr;
			s->arg[2] = nr - some - 1;
		} else {
			s->arg[1] = slot % pages.nr;
			s->arg[2] = some;
		}
		break;
	default:
		break;
	}
}

/* Somebody takes away what the question is about: the host, or another vCPU. */
static void append_taker(struct program *p, unsigned int vcpus, const struct step *question,
			 unsigned int flags)
{
	static const uint8_t takers[] = {
		K_ADVISE, K_ADVISE, K_PUNCH, K_REPLACE, K_SLOT, K_BYPASS_MODE, K_PROTECT,
		K_DROP_SLOTS, K_DROP_SLOTS, K_DROP_RANGE, K_DETACH, K_PTE, K_PDE, K_ATTACH,
		K_PDPTE, K_TOP, K_RECLAIM, K_SIGNAL, K_CHURN, K_CHURN,
	};
	struct step *s = append(p);

	step_of_kind(s, takers[rnd(NR(takers))], vcpus);
	if (s->who == question->who)
		s->who = (s->who + 1) % vcpus;
	if (rnd(4))
		aim(s, question);
	if (s->kind == K_ADVISE && rnd(2)) {
		s->arg[0] = 0;
		s->arg[1] = ADVICE_DONTNEED;
	}
	s->flags = flags;
}

static void append_step(struct program *p, unsigned int who, unsigned int kind,
			unsigned int a0, unsigned int a1, unsigned int a2, unsigned int a3,
			unsigned int a4)
{
	*append(p) = (struct step) { .kind = kind, .who = who, .arg = { a0, a1, a2, a3, a4 } };
}

/* What its entries were before, the vCPU may use no longer. */
static void append_flush(struct program *p, unsigned int who, unsigned int at,
			 unsigned int index)
{
	if (rnd(2))
		append_step(p, who, K_CR3, random_value(&roots), 0, 0, 0, 0);
	else
		append_step(p, who, K_INVLPG, at, index, 0, 0, 0);
}

/* Looks at some of the pages again, with no answer; or by one vCPU, which has flushed. */
static void append_looks(struct program *p, unsigned int vcpus, const struct step *at)
{
	unsigned int nr = answer_pages(at), n, who = rnd(vcpus);
	bool flushed = !rnd(3);
	struct step *s;

	if (flushed)
		append_flush(p, who, at->arg[0], (at->arg[1] & -nr) + rnd(nr));
	for (n = 1 + rnd(nr > 8 ? 12 : 4); n; n--) {
		s = append(p);
		step_of_kind(s, rnd(4) ? K_LOAD : K_STORE, vcpus);
		if (flushed)
			s->who = who;
		s->arg[0] = rnd(8) ? at->arg[0] : rnd(place.nr);
		s->arg[1] = (at->arg[1] & -nr) + rnd(nr);
		s->arg[2] = 0;
	}
}

/* ---- Steps that belong together: what each rule of KVM's is about ------------------- */

/* Changes an entry of that. */
static void append_entry(struct program *p, unsigned int who, unsigned int at,
			 unsigned int index, unsigned int what, unsigned int page)
{
	append_step(p, who, K_PTE, first_table(0, at), index, what, page, PERM_RW);
}

/* One page table at two places, and a drop for one of them. */
static void append_aliases(struct program *p, unsigned int who)
{
	unsigned int at = rnd(NR_PLACES), other = (at + 1 + rnd(NR_PLACES - 1)) % NR_PLACES;
	unsigned int root = random_value(&roots), asks = 1 + rnd(3);
	unsigned int one = random_value(&entry), two = random_value(&entry), nr = 1 + rnd(2);

	if (root)
		append_step(p, who, K_CR3, root, 0, 0, 0, 0);
	append_step(p, who, K_PDE, root, other, PDE_T0 + first_table(root, at), PERM_RW, 0);
	if (rnd(2))
		append_step(p, who, K_CR3, root, 0, 0, 0, 0);
	append_step(p, who, K_LOAD, at, one, asks, random_value(&slots) % pages.nr, LIE_NONE);
	append_step(p, who, rnd(3) ? K_LOAD : K_STORE, other, two, asks,
		    random_value(&slots) % pages.nr, LIE_NONE);
	if (rnd(3))
		append_step(p, who, K_DROP_RANGE, root, other, two, two, 0);
	else
		append_step(p, who, K_DROP_RANGE, root, at, one, one, 0);
	for (; nr; nr--)
		append_step(p, who, K_LOAD, rnd(3) ? other : at, rnd(3) ? two : one, 0, 0,
			    LIE_NONE);
}

/* A page that the guest must not write to, and says that it may: as it reads it, mostly. */
static void append_shared(struct program *p, unsigned int who)
{
	unsigned int at = rnd(NR_PLACES), index = random_value(&entry), asks = 1 + rnd(4);

	append_entry(p, who, at, index, PTE_SHARED, random_value(&pages));
	if (rnd(2))
		append_flush(p, who, at, index);
	append_step(p, who, rnd(4) ? K_LOAD : K_STORE, at, rnd(3) ? index : index ^ 1, asks,
		    random_value(&slots) % pages.nr, LIE_WRITABLE);
	append_step(p, who, K_STORE, at, index, 0, 0, LIE_NONE);
}

/* A page that may be read by an answer, then written to by its PTE, which goes again. */
static void append_heirs(struct program *p, unsigned int who)
{
	unsigned int at = rnd(NR_PLACES), index = random_value(&entry);
	unsigned int slot = random_value(&pages), swap = rnd(2) ? PTE_SWAP : PTE_SHARED;
	unsigned int two = rnd(2);

	append_entry(p, who, at, index, swap, slot);
	if (rnd(2))
		append_flush(p, who, at, index);
	/* For one page, or for two. */
	append_step(p, who, K_LOAD, at, index, 1 + two, (slot - (two & index)) % pages.nr,
		    LIE_READ_ONLY);
	append_entry(p, who, at, index, PTE_WINDOW, slot);
	append_step(p, who, K_STORE, at, index, 0, 0, LIE_NONE);
	if (rnd(3)) {
		append_entry(p, who, at, index, swap, slot);
		append_flush(p, who, at, index);
	} else {
		append_step(p, who, K_DROP_SLOTS, slot, 1, 0, 0, 0);
	}
	append_step(p, who, rnd(3) ? K_STORE : K_LOAD, at, index, 0, 0, LIE_NONE);
}

/* One neighbour is another than the guest says. */
static void append_liar(struct program *p, unsigned int who)
{
	static const uint8_t lies_of_one[] = {
		LIE_ONE_OTHER_PTE, LIE_ONE_OTHER_PTE, LIE_ONE_OTHER_PTE, LIE_ONE_EMPTY,
		LIE_ONE_SLOT, LIE_ONE_PRESENT, LIE_ONE_READ_ONLY,
	};
	unsigned int at = random_value(&place), index = random_value(&entry);
	unsigned int asks = 2 + rnd(4);
	struct step *s;

	append_step(p, who, rnd(3) ? K_LOAD : K_STORE, at, index, asks,
		    random_value(&slots) % pages.nr, lies_of_one[rnd(NR(lies_of_one))]);
	s = &p->step[p->nr - 1];
	index = (index & -answer_pages(s)) + (index + 1) % answer_pages(s);
	if (rnd(2))
		append_flush(p, who, at, index);
	append_step(p, who, rnd(4) ? K_LOAD : K_STORE, at, index, 0, 0, LIE_NONE);
}

/*
 * The host takes pages, while some of them are being mapped: again and again, and each time
 * they are mapped anew.
 */
static void append_shots(struct program *p, unsigned int vcpus, unsigned int who)
{
	static const uint8_t takers[] = { K_CHURN, K_CHURN, K_ADVISE, K_PUNCH };
	unsigned int at = random_value(&place), index = random_value(&entry), n = 2 + rnd(5);
	unsigned int asks = 3 + rnd(3), first = random_value(&slots) % pages.nr, looks;
	struct step *s, question;

	for (; n; n--) {
		append_step(p, who, K_LOAD, at, index, asks, first, LIE_NONE);
		question = p->step[p->nr - 1];
		p->step[p->nr - 1].flags = STEP_ALONGSIDE;
		s = append(p);
		step_of_kind(s, takers[rnd(NR(takers))], vcpus);
		aim(s, &question);
		if (s->kind == K_ADVISE)
			s->arg[1] = ADVICE_DONTNEED;
		for (looks = rnd(4); looks; looks--)
			append_step(p, who, K_LOAD, at, (index & -answer_pages(&question)) +
				    rnd(answer_pages(&question)), 0, 0, LIE_NONE);
		append_step(p, who, K_DROP_SLOTS, 0, pages.nr, 0, 0, 0);
	}
}

/* The host takes a page table. */
static void append_no_table(struct program *p, unsigned int vcpus, unsigned int who)
{
	static const uint8_t takers[] = {
		K_ADVISE, K_ADVISE, K_PUNCH, K_TRUNCATE, K_SLOT, K_PROTECT, K_REPLACE, K_REMAP,
	};
	unsigned int at = rnd(NR_PLACES), index = 1 + random_value(&entry) % 511;
	unsigned int n = 1 + rnd(3);
	struct step *s;

	append_step(p, who, K_PDE, 0, at, PDE_MEMORY, PERM_RW, 0);
	for (; n; n--) {
		append_step(p, who, K_PTE, TABLE_IN_MEMORY, index,
			    rnd(3) ? PTE_WINDOW : PTE_MEMORY, random_value(&pages), PERM_RW);
		append_step(p, who, rnd(2) ? K_LOAD : K_STORE, at, index, 0, 0, LIE_NONE);
		s = append(p);
		step_of_kind(s, takers[rnd(NR(takers))], vcpus);
		s->arg[0] = 1;		/* not the window */
		if (s->kind == K_ADVISE)
			s->arg[1] = rnd(2) ? ADVICE_DONTNEED : ADVICE_PAGEOUT;
		if (s->kind == K_ADVISE || s->kind == K_PUNCH) {
			s->arg[s->kind == K_ADVISE ? 2 : 1] = TABLE_PAGE;
			s->arg[s->kind == K_ADVISE ? 3 : 2] = 1;
		}
		if (rnd(2))
			append_flush(p, who, at, index);
		append_step(p, who, rnd(3) ? K_LOAD : K_STORE, at, index, 0, 0, LIE_NONE);
	}
	/* Of what is there as long as it is, not much is known. */
	append_step(p, who, K_PDE, 0, at, PDE_T0 + first_table(0, at), PERM_RW, 0);
	append_flush(p, who, at, index);
}

static void append_bundle(struct program *p, unsigned int vcpus, bool alongside)
{
	unsigned int who = rnd(2) ? 0 : rnd(vcpus);

	switch (rnd(alongside ? 7 : 5)) {
	case 0:
		append_aliases(p, who);
		break;
	case 1:
		append_shared(p, who);
		break;
	case 2:
		append_heirs(p, who);
		break;
	case 3:
		append_liar(p, who);
		break;
	case 4:
		append_no_table(p, vcpus, who);
		break;
	default:
		append_shots(p, vcpus, who);
		break;
	}
}

/* One step, or some that belong together. */
static void append_random(struct program *p, unsigned int vcpus, bool alongside)
{
	unsigned int n = rnd(10);
	struct step question;

	if (n > 3) {
		random_step(append(p), vcpus);
		random_flags(&p->step[p->nr - 1], alongside);
		return;
	}
	if (n == 3) {
		append_bundle(p, vcpus, alongside);
		return;
	}
	question = *append_question(p, vcpus);
	if (n && alongside) {
		p->step[p->nr - 1].flags = STEP_ALONGSIDE;
		append_taker(p, vcpus, &question, 0);
	} else {
		append_taker(p, vcpus, &question, STEP_DURING);
	}
	append_looks(p, vcpus, &question);
}

/* Makes a program one that can be: flags mean what they say. */
void program_tidy(struct program *p)
{
	unsigned int i, busy = 0;
	bool group = false;

	if (!p->vm.arg[VM_VCPUS])
		p->vm.arg[VM_VCPUS] = 1;
	for (i = 0; i < p->nr; i++) {
		struct step *s = &p->step[i];
		unsigned int me = s->who == HOST ? 0 : 1U << s->who;

		/* During what? */
		if (s->flags & STEP_DURING && (!i || group))
			s->flags = 0;
		/* Who is in a group is in it once. */
		if (s->flags & STEP_ALONGSIDE &&
		    (!kinds[s->kind].alongside || i + 1 == p->nr || busy & me))
			s->flags = 0;
		if (group && (!kinds[s->kind].alongside || busy & me)) {
			p->step[i - 1].flags = 0;
			busy = 0;
		}
		group = s->flags & STEP_ALONGSIDE;
		busy = group ? busy | me : 0;
	}
}

void program_random(struct program *p, unsigned int vcpus, bool alongside)
{
	unsigned int nr = 10 + rnd(rnd(4) ? 50 : MAX_STEPS - 20);

	memset(p, 0, sizeof(*p));
	p->vm.kind = K_VM;
	p->vm.who = HOST;
	random_args(&p->vm);
	if (p->vm.arg[VM_VCPUS] > vcpus)
		p->vm.arg[VM_VCPUS] = vcpus;
	if (!p->vm.arg[VM_VCPUS])
		p->vm.arg[VM_VCPUS] = 1;
	while (p->nr < nr)
		append_random(p, p->vm.arg[VM_VCPUS], alongside);
	program_tidy(p);
}

static void insert_step(struct program *p, unsigned int at, const struct step *s)
{
	if (p->nr == MAX_STEPS)
		return;
	memmove(&p->step[at + 1], &p->step[at], (p->nr - at) * sizeof(*s));
	p->step[at] = *s;
	p->nr++;
}

void program_mutate(struct program *p, const struct program *other, bool alongside)
{
	unsigned int n, at, from, i;
	struct step s;

	for (n = 1 + rnd(4); n; n--) {
		at = rnd(p->nr);
		switch (rnd(5)) {
		case 0:		/* a new one */
			random_step(&s, p->vm.arg[VM_VCPUS]);
			random_flags(&s, alongside);
			insert_step(p, at, &s);
			break;
		case 1:		/* one less */
			if (p->nr > 5) {
				memmove(&p->step[at], &p->step[at + 1],
					(p->nr - at - 1) * sizeof(s));
				p->nr--;
			}
			break;
		case 2:		/* another argument */
			i = nr_args(p->step[at].kind);
			if (i) {
				i = rnd(i);
				p->step[at].arg[i] =
					random_value(kinds[p->step[at].kind].arg[i]);
			}
			break;
		case 3:		/* at another time */
			random_flags(&p->step[at], alongside);
			break;
		default:	/* some of another program */
			from = rnd(other->nr);
			for (i = 1 + rnd(8); i && from < other->nr; i--, from++)
				insert_step(p, at++, &other->step[from]);
		}
	}
	for (i = 0; i < p->nr; i++)
		if (p->step[i].who != HOST && p->step[i].who >= p->vm.arg[VM_VCPUS])
			p->step[i].who = 0;
	program_tidy(p);
}

/* Whether what comes of it can differ from time to time. */
bool program_races(const struct program *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (p->step[i].flags & STEP_ALONGSIDE)
			return true;
	return false;
}

/*
 * The next simplification of one step, number *@at of them; false when there are no
 * more. What does not change anything is skipped.
 */
bool program_simplify(struct program *p, unsigned int *at)
{
	for (; *at < (p->nr + 1) * (STEP_ARGS + 1) * 2; ) {
		unsigned int n = (*at)++, i = n / 2 % (STEP_ARGS + 1);
		struct step *s = n / 2 / (STEP_ARGS + 1) < p->nr ?
				 &p->step[n / 2 / (STEP_ARGS + 1)] : &p->vm;

		if (i == STEP_ARGS) {
			if (n % 2 || (!s->flags && !s->who) || s->kind == K_VM)
				continue;
			if (s->flags)
				s->flags = 0;
			else if (!of_host(s->kind))
				s->who = 0;
			else
				continue;
			return true;
		}
		if (i >= nr_args(s->kind) || !s->arg[i])
			continue;
		if (n % 2 == 0)
			s->arg[i] = 0;
		else if (!kinds[s->kind].arg[i]->names && s->arg[i] > 1)
			s->arg[i] /= 2;
		else
			continue;
		if (s->kind == K_VM && !p->vm.arg[VM_VCPUS])
			p->vm.arg[VM_VCPUS] = 1;
		return true;
	}
	return false;
}

/* ---- As text ------------------------------------------------------------------- */

static void print_step(const struct step *s, FILE *f)
{
	unsigned int i;

	if (s->kind != K_VM) {
		if (s->flags)
			fputs(s->flags & STEP_DURING ? "> " : "& ", f);
		if (s->who == HOST)
			fputs("h ", f);
		else
			fprintf(f, "%u ", s->who);
	}
	fputs(kind_name(s->kind), f);
	for (i = 0; i < nr_args(s->kind); i++) {
		const struct values *v = kinds[s->kind].arg[i];

		if (v->names)
			fprintf(f, " %s", v->names[s->arg[i]]);
		else
			fprintf(f, " %u", s->arg[i]);
	}
	fputc('\n', f);
}

void program_print(const struct program *p, FILE *f)
{
	unsigned int i;

	print_step(&p->vm, f);
	for (i = 0; i < p->nr; i++)
		print_step(&p->step[i], f);
}

static bool read_value(const struct values *v, const char *word, uint16_t *value)
{
	unsigned long n;
	char *end;

	if (!word)
		return false;
	if (v->names) {
		for (n = 0; n < v->nr && strcmp(v->names[n], word); n++)
			;
	} else {
		n = strtoul(word, &end, 10);
		if (*end)
			return false;
	}
	*value = n;
	return n < v->nr;
}

static bool read_step(struct step *s, char *line)
{
	char *save, *word = strtok_r(line, BLANK, &save);
	unsigned int i;

	memset(s, 0, sizeof(*s));
	if (word && (!strcmp(word, "&") || !strcmp(word, ">"))) {
		s->flags = *word == '&' ? STEP_ALONGSIDE : STEP_DURING;
		word = strtok_r(NULL, BLANK, &save);
	}
	if (!word)
		return false;
	s->who = HOST;
	if (strcmp(word, "vm")) {
		if (*word >= '0' && *word < '0' + NR_VCPUS && !word[1])
			s->who = *word - '0';
		else if (strcmp(word, "h"))
			return false;
		word = strtok_r(NULL, BLANK, &save);
		if (!word)
			return false;
	}
	for (i = 0; i < K_TABLE_NR && strcmp(kind_name(i), word); i++)
		;
	if (i == K_TABLE_NR || of_host(i) != is_host(s))
		return false;
	s->kind = i;
	for (i = 0; i < nr_args(s->kind); i++)
		if (!read_value(kinds[s->kind].arg[i], strtok_r(NULL, BLANK, &save),
				&s->arg[i]))
			return false;
	return !strtok_r(NULL, BLANK, &save);
}

/*
 * Up to an empty line, or the end; false if there is none. What cannot be read ends all:
 * who has written it must know. Without a name, it was no one, and there is no program.
 */
bool program_read(struct program *p, FILE *f, const char *name)
{
	char line[256], copy[sizeof(line)];
	bool begun = false;
	struct step s;

	memset(p, 0, sizeof(*p));
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#')
			continue;
		if (*line == '\n') {
			if (begun)
				break;
			continue;
		}
		memcpy(copy, line, sizeof(copy));
		if (!read_step(&s, copy) || (s.kind != K_VM ? !begun : begun) ||
		    p->nr == MAX_STEPS) {
			if (!name)
				return false;
			fprintf(stderr, "%s: what is this: %s", name, line);
			exit(2);
		}
		if (s.kind == K_VM)
			p->vm = s;
		else
			p->step[p->nr++] = s;
		begun = true;
	}
	program_tidy(p);
	return begun;
}
