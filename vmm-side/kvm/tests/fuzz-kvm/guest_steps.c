// SPDX-License-Identifier: GPL-2.0
/*
 * Steps of kvm_fuzz that its guest does: accesses, with the answers that it gives, and what
 * else a guest's kernel can do.
 */
#include <string.h>

#include "machine.h"

/* ---- Accesses ------------------------------------------------------------------------ */

/* What the guest will say when it is asked; and what comes of it, if it is believed. */
static void prepare_answer(struct doing *d)
{
	const struct step *s = d->s;
	unsigned int place = place_of(&m, s->who, s->arg[0]), index = s->arg[1];
	unsigned int lie = s->arg[4];
	unsigned int nr = answer_pages(s), first = index & -nr, i, other;
	bool write = s->kind == K_STORE || s->kind == K_USER_STORE, good = false;
	unsigned int root = m.root[s->who], desc, pages;
	struct symspy_local *l = vcpus[s->who].local;
	struct symb_lookup_entry *e;
	int table = model_table_at(&m, root, place);

	d->nr_grants = 0;
	*box32(s->who, BOX_ANSWERS) = 0;
	*box32(s->who, BOX_REASON) = index;
	*box32(s->who, BOX_SAY) = d->nr_during > 0;
	*box32(s->who, BOX_CALL) = lie < LIE_CALL_ERROR ? FUZZ_CALL_NULL :
				   lie - LIE_CALL_ERROR + FUZZ_CALL_ERROR;
	if (!nr || table < 0)
		return;

	*box32(s->who, BOX_ANSWERS) = 1;
	memset(l->lookup, 0, sizeof(l->lookup));
	l->lookup_base = va_of(s->who, place, first);
	l->lookup_nr = nr;
	for (i = 0; i < nr; i++) {
		e = &l->lookup[i];
		e->pte = m.pte[table][first + i];
		e->slot = s->arg[3] == WINDOW_PAGES ? WINDOW_PAGES :
						      (s->arg[3] + i) % WINDOW_PAGES;
		if (lie == LIE_WRITABLE ||
		    (lie != LIE_READ_ONLY && e->pte & SWAP_EXCLUSIVE))
			e->flags = SYMB_LOOKUP_WRITABLE;
	}
	other = (index - first + 1) % nr;
	e = &l->lookup[index - first];
	switch (lie) {
	case LIE_ONE_READ_ONLY:
		l->lookup[other].flags = ~SYMB_LOOKUP_WRITABLE;
		break;
	case LIE_OTHER_PTE:
		e->pte ^= 0x1000;
		break;
	case LIE_ONE_OTHER_PTE:
		l->lookup[other].pte ^= 0x1000;
		break;
	case LIE_SLOT:
		e->slot = ~0U;
		break;
	case LIE_ONE_SLOT:
		l->lookup[other].slot = WINDOW_PAGES;
		break;
	case LIE_EMPTY:
		e->pte = 0;
		break;
	case LIE_ONE_EMPTY:
		l->lookup[other].pte = 0;
		break;
	case LIE_PRESENT:
		e->pte |= 1;
		break;
	case LIE_ONE_PRESENT:
		l->lookup[other].pte |= 1;
		break;
	case LIE_BASE_ODD:
		l->lookup_base++;
		return;
	case LIE_BASE_FAR:
		l->lookup_base += 64 * 4096;
		return;
	case LIE_NR_0:
		l->lookup_nr = 0;
		return;
	case LIE_NR_65:
		l->lookup_nr = SYMB_LOOKUP_MAX + 1;
		return;
	case LIE_NR_MAX:
		l->lookup_nr = ~0U;
		return;
	default:
		break;
	}

	for (desc = 0; desc < NR_DESCS; desc++) {
		__u64 gpa = m.desc_gpa[desc];

		if (!(m.descs & 1 << desc) || !gpa)
			continue;
		pages = desc_pages(desc);
		for (i = 0; i < nr && d->nr_grants < SYMB_LOOKUP_MAX; i++) {
			bool writable = l->lookup[i].flags & SYMB_LOOKUP_WRITABLE;

			e = &l->lookup[i];
			if ((e->pte & SWAP_MASK) != SWAP_MATCH || e->slot >= pages ||
			    (writable && !(e->pte & SWAP_EXCLUSIVE)))
				continue;
			if (first + i == index)
				good |= e->pte == m.pte[table][index] && (writable || !write);
			d->grant[d->nr_grants++] = (struct grant) {
				.table = table, .index = first + i, .root = root,
				.place = place * 512 + first + i, .pte = e->pte,
				.slot = e->slot, .gpa = gpa + e->slot * 4096ULL,
				.writable = writable,
			};
		}
	}
	/* Nothing is believed of who is wrong about the page that was touched. */
	if (!good && !in_group)
		d->nr_grants = 0;
}

/*
 * The vCPU walks again when it has the answer, and takes it for the same entry: that may be
 * another table's by then. Who takes it back does so by slots or places.
 */
void grant_answer(const struct doing *d)
{
	bool moves = in_group;
	struct grant g;
	unsigned int i;

	for (i = 0; i < d->nr_during; i++)
		moves |= d->during[i].kind == K_PDE || d->during[i].kind == K_PDPTE ||
			 d->during[i].kind == K_TOP;
	for (i = 0; i < d->nr_grants; i++) {
		g = d->grant[i];
		model_grant(&m, &g);
		for (g.table = 0; moves && g.table < NR_TABLES; g.table++)
			model_grant(&m, &g);
	}
}

bool is_access(const struct step *s)
{
	return s->kind <= K_ALIAS_STORE;
}

static bool is_alias(const struct step *s)
{
	return s->kind == K_ALIAS_LOAD || s->kind == K_ALIAS_STORE;
}

bool is_store(const struct step *s)
{
	return s->kind == K_STORE || s->kind == K_USER_STORE || s->kind == K_ALIAS_STORE;
}

static __u64 alias_gpa(const struct step *s)
{
	return m.region[s->arg[0]].gpa + s->arg[1] * 4096ULL;
}

void exec_access(struct doing *d)
{
	static const unsigned int ops[] = {
		[K_LOAD] = OP_LOAD, [K_STORE] = OP_STORE, [K_USER_LOAD] = OP_USER_LOAD,
		[K_USER_STORE] = OP_USER_STORE, [K_EXEC] = OP_EXEC, [K_ALIAS_LOAD] = OP_LOAD,
		[K_ALIAS_STORE] = OP_STORE,
	};
	const struct step *s = d->s;
	bool alias = is_alias(s), asks = !alias && s->kind != K_EXEC;
	__u32 asked = *box32(s->who, BOX_ASKED), nmis = *box32(s->who, BOX_NMIS), answers;

	d->addr = alias ? alias_gpa(s) : va_of(s->who, s->arg[0], s->arg[1]);
	/* KVM cannot execute what is not memory, and gives up. */
	if (s->kind == K_EXEC && may_be_no_memory(d)) {
		d->end = END_SKIPPED;
		return;
	}
	if (asks)
		prepare_answer(d);
	else
		*box32(s->who, BOX_ANSWERS) = 0;
	answers = *box32(s->who, BOX_ANSWERS);
	if (is_store(s))
		d->value = new_serial();
	set_args(s->who, d->addr, d->value, 0, 0, 0);
	run_op(d, ops[s->kind]);
	if (s->kind == K_EXEC) {
		bool zeroes = d->end == END_EXCEPTION && d->vector == 13;

		d->result = zeroes ? 0 : executed_serial(d->result);
		if (zeroes)
			d->end = END_DONE;
	}

	*box32(s->who, BOX_CALL) = 0;
	shared->asked += *box32(s->who, BOX_ASKED) - asked;
	if (answers && !*box32(s->who, BOX_ANSWERS)) {
		shared->granted++;
		d->answered = true;
	} else {
		d->nr_grants = 0;
	}
	/* After a call that was aborted there are no more, as a rule. */
	if (*box32(s->who, BOX_NMIS) != nmis && asks && s->arg[3] % 4) {
		struct doing again = { .s = s };

		register_calls(&again);
	}
}

/* ---- Steps of the guest ---------------------------------------------------------------- */

static __u64 perm_bits(unsigned int perm)
{
	return 0x61 | (perm == PERM_RW || perm == PERM_KERNEL ? 2 : 0) |
	       (perm == PERM_RW || perm == PERM_RO ? 4 : 0);
}

static __u64 pte_value(const struct step *s)
{
	unsigned int page = s->arg[3], perm = s->arg[4];

	switch (s->arg[2]) {
	case PTE_SWAP:
		return swap_pte(page, true);
	case PTE_SHARED:
		return swap_pte(page, false);
	case PTE_WINDOW:
		return (m.region[WINDOW].gpa + page * 4096ULL) | perm_bits(perm);
	case PTE_MEMORY:
		return (m.region[MEMORY].gpa + page * 4096ULL) | perm_bits(perm);
	case PTE_NONE:
		return 0;
	default:
		return (__u64)page << 12 | 0x800;
	}
}

static void exec_pte(struct doing *d)
{
	const struct step *s = d->s;
	__u64 table = s->arg[0] == TABLE_IN_MEMORY ?
		      m.region[MEMORY].gpa + TABLE_PAGE * 4096ULL : model_table_gpa(s->arg[0]);

	if (s->arg[0] == TABLE_IN_MEMORY && !s->arg[1]) {
		d->end = END_SKIPPED;
		return;
	}
	d->value = pte_value(s);
	guest_store(d, table + s->arg[1] * 8, d->value);
}

static __u64 pde_value(const struct step *s)
{
	switch (s->arg[2]) {
	case PDE_NONE:
		return 0;
	case PDE_HUGE:
		return m.region[MEMORY].gpa | 0x80 | perm_bits(s->arg[3]);
	case PDE_MEMORY:
		return (m.region[MEMORY].gpa + TABLE_PAGE * 4096ULL) | perm_bits(s->arg[3]);
	default:
		return model_table_gpa(s->arg[2]) | perm_bits(s->arg[3]);
	}
}

static __u64 pde_gpa(const struct step *s)
{
	return (pd_of(s->arg[0]) ? FUZZ_PD : GUEST_PD + 0x1000) + s->arg[1] * 8;
}

static __u64 pdpte_value(const struct step *s)
{
	__u64 pd = s->arg[0] ? FUZZ_PD : GUEST_PD + 0x1000;

	return s->arg[1] ? 0 : pd | perm_bits(s->arg[2]);
}

static __u64 top_value(const struct step *s)
{
	unsigned int top = s->arg[0] % NR_ROOTS, link = s->arg[1];
	__u64 to;

	if (link == TOP_NONE)
		return 0;
	if (s->arg[0] >= NR_ROOTS)
		to = root_gpa(link == TOP_OWN ? top : (top + 1) % NR_ROOTS);
	else
		to = (link == TOP_OWN) == (pd_of(top) == 0) ? GUEST_PDPT : FUZZ_PDPT;
	return to | perm_bits(s->arg[2]) | (s->arg[3] ? 1ULL << 63 : 0);
}

/* Values at the edges of what is checked, and some from between. */
__u64 edge(unsigned int n)
{
	static const __u64 edges[] = {
		0, 1, 2, 7, 8, 63, 64, 65, 4095, 4096, 0x200000, ~0ULL, ~0xfffULL,
		1ULL << 32, 1ULL << 47, 1ULL << 52, 1ULL << 63, VA(0, 0), VA(0, 8), VA(1, 0),
		VA(3, 511), GUEST_PML4, GUEST_PML4_2, FUZZ_PML4, GUEST_DATA, 0x80000000,
		0xfffff000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
	};

	if (n < NR(edges))
		return edges[n];
	/* Any other, of any size. */
	return n * 0x9e3779b97f4a7c15ULL >> n * 7 % 64;
}

__u64 hypercall_number(unsigned int n)
{
	static const __u64 numbers[] = {
		SYMB_HC_SYMCALL_RET, SYMB_HC_SYMCALL_ERR, SYMB_HC_NULL, SYMB_HC_SWAP_ATTACH,
		SYMB_HC_SWAP_DETACH, SYMB_HC_DROP_SLOTS, SYMB_HC_DROP_RANGE,
		SYMB_HC_SYMCALL_LOOP, SYMB_HC_MODULE, SYMB_HC_LAST + 1, 1, 5, 11, 12,
		1ULL << 32 | SYMB_HC_SYMCALL_LOOP, 1ULL << 32 | SYMB_HC_DROP_SLOTS,
		SYMB_HC_DROP_SLOTS, SYMB_HC_DROP_RANGE, ~0ULL, 0,
	};

	return numbers[n % NR(numbers)];
}

static __u32 msr_number(unsigned int n)
{
	static const __u32 numbers[] = {
		SYMB_MSR_GLOBAL_PAGE, SYMB_MSR_ALIAS_GLOBAL_PAGE, SYMB_MSR_SYMCALL_RSP,
		SYMB_MSR_SYMCALL_CS, SYMB_MSR_SYMCALL_FS, SYMB_MSR_ALIAS_SYMCALL_FS,
		SYMB_MSR_DMA_ACK, SYMB_MSR_SYMCALL_GS + 1, SYMB_MSR_DMA_ACK + 1,
		0x277 /* PAT */, 0x2ff /* MTRRs */, 0xc0000103 /* TSC_AUX */,
		0x4b564d04 /* KVM: EOI in memory */, MSR_FS_BASE,
	};

	return numbers[n % NR(numbers)];
}

static __u64 msr_edge(unsigned int n)
{
	static const __u64 edges[] = {
		0, 1, 8, SEL_CALL_CODE, SEL_OTHER_CODE, 0xfff8, 0xffff, GLOBAL_GPA,
		GLOBAL_GPA + 0x100000, GLOBAL_GPA + 1, LOCAL_GPA, 1ULL << 47, ~0ULL,
		~0xfffULL, 1ULL << 52, 0x0606060606060606, 0x0407050600070106, 0xc06,
	};

	return edges[n % NR(edges)];
}

static void exec_efer(struct doing *d)
{
	static const __u64 bit[] = {
		[EFER_IS_SCE] = 1, [EFER_IS_NXE] = 1 << 11, [EFER_IS_SVME] = EFER_SVME,
		[EFER_IS_LME] = 1 << 8, [EFER_IS_RESERVED] = 1 << 9,
	};
	const struct step *s = d->s;
	__u64 efer = EFER_LONG_MODE;

	if (s->arg[1])
		efer &= ~bit[s->arg[0]];
	else
		efer |= bit[s->arg[0]];
	guest_wrmsr(d, MSR_EFER, efer);
}

static void exec_cr(struct doing *d)
{
	static const __u64 cr4_bit[] = {
		[CR4_IS_PGE] = 1 << 7, [CR4_IS_DE] = 1 << 3, [CR4_IS_TSD] = 1 << 2,
		[CR4_IS_UMIP] = 1 << 11, [CR4_IS_SMEP] = 1 << 20, [CR4_IS_SMAP] = 1 << 21,
		[CR4_IS_PCIDE] = 1 << 17,
	};
	const struct step *s = d->s;

	if (s->kind == K_CR0) {
		set_args(s->who, (m.mode[s->who] == MODE_FLAT ? 0 : 0x80000000) |
			 (s->arg[0] ? 0x40033 : 0x50033), 0, 0, 0, 0);
		run_op(d, OP_CR0);
	} else {
		set_args(s->who, 0x620 | (m.root[s->who] >= NR_ROOTS ? CR4_LA57 : 0) |
			 (s->arg[1] ? 0 : cr4_bit[s->arg[0]]), 0, 0, 0, 0);
		run_op(d, OP_CR4);
	}
}

static void exec_bad_cr(struct doing *d)
{
	static const struct {
		unsigned int op;
		__u64 set, clear;
	} bad[] = {
		[BAD_NO_PAGING] = { OP_CR0, 0, 1U << 31 },	/* PG */
		[BAD_NO_PROTECTION] = { OP_CR0, 0, 1 },		/* PE */
		[BAD_NW] = { OP_CR0, 1 << 29, 0 },		/* NW without CD */
		[BAD_CR0_HIGH] = { OP_CR0, 1ULL << 32, 0 },
		[BAD_NO_PAE] = { OP_CR4, 0, 1 << 5 },		/* PAE */
		[BAD_CR4_RESERVED] = { OP_CR4, 1 << 15, 0 },	/* no bit of that number */
		[BAD_LA57] = { OP_CR4, 0, 0 },			/* another number of levels */
	};
	unsigned int v = d->s->who, n = d->s->arg[0];
	__u64 val = bad[n].op == OP_CR0 ? 0x80040033 | (m.wp[v] ? 1 << 16 : 0) :
					  0x620 | (m.root[v] >= NR_ROOTS ? CR4_LA57 : 0);

	val = (val | bad[n].set) & ~bad[n].clear;
	if (!bad[n].set && !bad[n].clear)
		val ^= CR4_LA57;
	set_args(v, val, 0, 0, 0, 0);
	run_op(d, bad[n].op);
}

void exec_guest(struct doing *d)
{
	const struct step *s = d->s;
	unsigned int v = s->who;

	switch (s->kind) {
	case K_PTE:
		exec_pte(d);
		break;
	case K_PDE:
		d->value = pde_value(s);
		guest_store(d, pde_gpa(s), d->value);
		break;
	case K_PDPTE:
		d->value = pdpte_value(s);
		guest_store(d, (s->arg[0] ? FUZZ_PDPT : GUEST_PDPT) + 8, d->value);
		break;
	case K_TOP:
		d->value = top_value(s);
		guest_store(d, root_gpa(s->arg[0]) + 8 * TOP_INDEX, d->value);
		break;
	case K_INVLPG:
		set_args(v, va_of(v, s->arg[0], s->arg[1]), 0, 0, 0, 0);
		run_op(d, OP_INVLPG);
		break;
	case K_CR3:
		d->value = root_gpa(root_of(v, s->arg[0]));
		if (m.mode[v] != MODE_LONG)
			d->value = PDPT32_OF(v) + (pd_of(s->arg[0]) ? 32 : 0);
		set_args(v, d->value, 0, 0, 0, 0);
		run_op(d, OP_CR3);
		break;
	case K_CR0:
	case K_CR4:
		exec_cr(d);
		break;
	case K_BAD_CR:
		exec_bad_cr(d);
		break;
	case K_EFER:
		exec_efer(d);
		break;
	case K_ATTACH:
		guest_attach(d, s->arg[0]);
		break;
	case K_DETACH:
		guest_hypercall(d, SYMB_HC_SWAP_DETACH, 0, 0, 0);
		break;
	case K_DROP_SLOTS:
		guest_hypercall(d, SYMB_HC_DROP_SLOTS, s->arg[0], s->arg[1], 0);
		break;
	case K_DROP_RANGE:
		guest_hypercall(d, SYMB_HC_DROP_RANGE,
				root_gpa(root_of(v, s->arg[0])) | s->arg[3] % 2,
				va_of(v, s->arg[1], s->arg[2]),
				va_of(v, s->arg[1], s->arg[3] + 1));
		break;
	case K_HYPERCALL:
		set_args(v, hypercall_number(s->arg[0]), edge(s->arg[1]), edge(s->arg[2]),
			 edge(s->arg[3]), edge(s->arg[4]));
		run_op(d, OP_HYPERCALL);
		break;
	case K_WRMSR:
		guest_wrmsr(d, msr_number(s->arg[0]), msr_edge(s->arg[1]));
		break;
	case K_RDMSR:
		set_args(v, 0, 0, msr_number(s->arg[0]), 0, 0);
		run_op(d, OP_RDMSR);
		break;
	case K_FEATURES:
		d->value = s->arg[0] < 40 ? all_features() : all_features() & s->arg[0];
		guest_wrmsr(d, SYMB_MSR_FEATURES, d->value);
		break;
	case K_REGISTER:
		register_calls(d);
		break;
	case K_LOCAL:
		guest_wrmsr(d, SYMB_MSR_LOCAL_PAGE, s->arg[0] ? 0 : LOCAL_OF(v));
		break;
	case K_LOOP:
		*box32(v, BOX_CALL) = s->arg[1];
		guest_hypercall(d, SYMB_HC_SYMCALL_LOOP, s->arg[0], CALL_NULL, 0);
		*box32(v, BOX_CALL) = 0;
		break;
	case K_STI:
		run_op(d, OP_STI);
		break;
	default:
		run_op(d, OP_CPUID);
		break;
	}
}

