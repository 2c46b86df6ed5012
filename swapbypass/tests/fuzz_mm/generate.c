// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: how programs are made.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "table.h"

static const unsigned char advice_weight[ADV_NR] = {
	[ADV_PAGEOUT] = 60, [ADV_COLD] = 4, [ADV_WILLNEED] = 12, [ADV_DONTNEED] = 6,
	[ADV_DONTNEED_LOCKED] = 2, [ADV_FREE] = 5, [ADV_HUGE] = 4, [ADV_NOHUGE] = 2,
	[ADV_COLLAPSE] = 4, [ADV_MERGEABLE] = 4, [ADV_UNMERGEABLE] = 2,
	[ADV_POPULATE_READ] = 4, [ADV_POPULATE_WRITE] = 3, [ADV_DONTFORK] = 1,
	[ADV_DOFORK] = 1, [ADV_WIPEONFORK] = 1, [ADV_KEEPONFORK] = 1, [ADV_RANDOM] = 1,
	[ADV_SEQUENTIAL] = 1, [ADV_NORMAL] = 1, [ADV_DONTDUMP] = 1, [ADV_DODUMP] = 1,
	[ADV_REMOVE] = 1,
};

#define MAX_MAPS	4

struct range {
	int page, count;
};

/* What a generator knows of the machine after the steps so far. */
struct state {
	uint64_t rnd;
	unsigned int alive, on, pinned, piped;	/* bits */
	struct range last;	/* of the step before */
	enum op before;		/* its kind */
	struct range maps[NR_PROCS][MAX_MAPS];	/* the newest of each process */
};

static unsigned int pick(struct state *s, unsigned int n)
{
	return rnd(&s->rnd) % n;
}

/* One of the bits that are set, or any. */
static int pick_bit(struct state *s, unsigned int bits, unsigned int n)
{
	unsigned int tries;
	int bit;

	for (tries = 0; tries < 32; tries++) {
		bit = pick(s, n);
		if (bits & 1U << bit)
			break;
	}
	return bit;
}

/* Few places, so that steps meet; around the border of two page tables, too. */
static int pick_page(struct state *s)
{
	static const unsigned short spots[] = { 0, 0, 16, 32, 64, 120, 480, 512, 640 };

	if (pick(s, 4) == 0)
		return spots[pick(s, sizeof(spots) / sizeof(*spots))] + pick(s, 16);
	return spots[pick(s, sizeof(spots) / sizeof(*spots))];
}

static int pick_count(struct state *s)
{
	static const unsigned short counts[] = { 1, 1, 2, 4, 8, 16, 16, 32, 32, 64, 64, 128, 512 };

	return counts[pick(s, sizeof(counts) / sizeof(*counts))];
}

static int pick_weighted(struct state *s, const unsigned char *weight, int n)
{
	unsigned int sum = 0, i;

	for (i = 0; i < (unsigned int)n; i++)
		sum += weight[i];
	sum = pick(s, sum);
	for (i = 0; sum >= weight[i]; i++)
		sum -= weight[i];
	return i;
}

static int pick_arg(struct state *s, enum kind kind)
{
	static const unsigned short few[] = { 1, 1, 2, 4, 8, 16 };
	static const short limits[] = { 0, 0, 0, 16, 64, 512, -1, -1, -1, -1 };
	static const short kib[] = { -1, 0, 256, 1024, 4096, 8192, 16384 };
	static const unsigned char neutral[] = { ADV_PAGEOUT, ADV_PAGEOUT, ADV_COLD, ADV_WILLNEED,
						 ADV_COLLAPSE };
	static const unsigned char prots[] = { P_NONE, P_R, P_R, P_RW, P_RW, P_RW };

	switch (kind) {
	case K_PROC:
		return pick_bit(s, s->alive, NR_PROCS);
	case K_NEW:
		return pick_bit(s, ~s->alive, NR_PROCS);
	case K_PINNED:
		return pick_bit(s, s->alive & s->pinned, NR_PROCS);
	case K_PIPED:
		return pick_bit(s, s->piped, NR_PIPES);
	case K_PAGE:
		return pick_page(s);
	case K_COUNT:
	case K_SIZE:
		return pick_count(s);
	case K_FEW:
		return few[pick(s, 6)];
	case K_PROT:
		return prots[pick(s, sizeof(prots))];
	case K_FILL:
		return pick(s, 8) ? FILL_EACH : FILL_SAME;
	case K_MAP_HOW:
		return pick(s, 4) ? MAP_LATER : 1 + pick(s, 2);
	case K_ADVICE:
		return pick_weighted(s, advice_weight, ADV_NR);
	case K_NEUTRAL:
		return neutral[pick(s, sizeof(neutral))];
	case K_DEVICE_OFF:
		return pick_bit(s, ~s->on, inventory.nr_devices);
	case K_DEVICE_ON:
		return pick_bit(s, s->on, inventory.nr_devices);
	case K_WINDOW:
		return pick_bit(s, inventory.windows, inventory.nr_devices);
	case K_PRIO:
		return pick(s, 4);
	case K_LIMIT:
		return limits[pick(s, 10)];
	case K_AROUND:
		return 1 << pick(s, 9);
	case K_MS:
		return 2 << pick(s, 5);
	case K_CPU:
		return 1 + pick(s, 3);
	case K_LEVEL:
		return pick(s, 5);
	case K_US:
		return 1 << pick(s, 13);
	case K_DOOM:
		return pick(s, DOOM_NR);
	case K_NUMA:
		return pick(s, NUMA_NR);
	case K_PIPE:
		return pick(s, NR_PIPES);
	case K_GROUP:
		return pick(s, NR_GROUPS);
	case K_KIB:
		return kib[pick(s, 7)];
	case K_SWITCH:
		return pick(s, 2);
	case K_ORDER:
		return 2 + pick(s, 4);
	case K_MIB:
		return 8 << pick(s, 3);
	case K_MODE:
		return pick(s, 3) ? 0 : pick(s, 4);
	case K_HOOK:
		return pick(s, 2) ? 0 : pick(s, 6);
	case K_MOVE_HOW:
	case K_ANSWER:
	case K_NODE:
		return pick(s, 2);
	case K_LOCK_HOW:
	case K_PEEK_HOW:
	case K_GROUP_FILE:
	case K_THP:
		return pick(s, 3);
	default:
		return 0;
	}
}

/* Some of what is mapped, of a process. */
static void pick_range(struct state *s, int proc, struct range *r)
{
	struct range from = s->maps[proc][pick(s, MAX_MAPS)];

	if (!from.count)
		return;
	*r = from;
	if (pick(s, 3) || r->count == 1)
		return;
	r->count = 1 + pick(s, r->count);
	r->page += pick(s, from.count - r->count + 1);
}

static void remember(struct state *s, int proc, int page, int count)
{
	memmove(s->maps[proc] + 1, s->maps[proc], (MAX_MAPS - 1) * sizeof(struct range));
	s->maps[proc][0] = (struct range) { page, count };
}

static bool possible(const struct state *s, enum op op)
{
	unsigned int all = (1U << inventory.nr_devices) - 1;

	if (rows[op].flags & MACHINE && !inventory.nr_devices)
		return false;
	switch (op) {
	case OP_SWAPON:
		return (s->on & all) != all;
	case OP_SWAPOFF:
		return s->on;
	case OP_LIMIT:
	case OP_MODE:
	case OP_AROUND:
		return inventory.windows;
	case OP_FORK:
		return s->alive != (1U << NR_PROCS) - 1;
	case OP_PIN_OUT:
	case OP_PIN_IN:
	case OP_UNPIN:
		return s->alive & s->pinned;
	case OP_DRAIN:
	case OP_TEE:
	case OP_PASS:
	case OP_POUR:
		return s->piped;
	default:
		return true;
	}
}

static void after(struct state *s, const struct step *step)
{
	switch (step->op) {
	case OP_MAP:
		remember(s, step->arg[0], step->arg[1], step->arg[2]);
		break;
	case OP_RESIZE:
		remember(s, step->arg[0], step->arg[1], step->arg[3]);
		break;
	case OP_MOVE:
		remember(s, step->arg[0], step->arg[3], step->arg[2]);
		break;
	case OP_FORK:
		s->alive |= 1U << step->arg[1];
		memcpy(s->maps[step->arg[1]], s->maps[step->arg[0]], sizeof(s->maps[0]));
		break;
	case OP_EXIT:
	case OP_KILL:
	case OP_KILL_IN:
	case OP_CORE:
		s->alive &= ~(1U << step->arg[0]);
		s->pinned &= ~(1U << step->arg[0]);
		break;
	case OP_PIN:
		s->pinned |= 1U << step->arg[0];
		break;
	case OP_SPLICE:
		s->piped |= 1U << step->arg[3];
		break;
	case OP_TEE:
	case OP_PASS:
		s->piped |= 1U << step->arg[1];
		break;
	case OP_SWAPON:
		s->on |= 1U << step->arg[0];
		break;
	case OP_SWAPOFF:
		s->on &= ~(1U << step->arg[0]);
		break;
	default:
		break;
	}
}

static enum op pick_op(struct state *s)
{
	static const unsigned char changes[] = { OP_PROTECT, OP_PROTECT, OP_ADVISE, OP_UNMAP,
						 OP_MOVE, OP_FORK };
	unsigned char weight[OP_NR];
	unsigned int i;

	/* Who is held up in the middle of a change needs somebody to see it. */
	if (s->before == OP_STALL && pick(s, 4))
		return OP_CHURN;
	if (s->before == OP_CHURN && pick(s, 3) == 0) {
		i = pick(s, sizeof(changes));
		if (possible(s, changes[i]))
			return changes[i];
	}
	for (i = 0; i < OP_NR; i++)
		weight[i] = possible(s, i) ? rows[i].weight : 0;
	i = pick_weighted(s, weight, OP_NR);
	/* They take seconds. */
	if ((i == OP_SUSPEND || i == OP_HIBERNATE) && pick(s, 4))
		return OP_JOIN;
	return i;
}

/* A step; most are about the pages of the one before, or nothing would come of it. */
static void make(struct state *s, struct step *step, enum op op)
{
	const struct row *row;
	unsigned int i;

	memset(step, 0, sizeof(*step));
	s->before = op;
	step->op = op;
	row = &rows[op];
	for (i = 0; i < MAX_ARGS && row->arg[i]; i++)
		step->arg[i] = pick_arg(s, row->arg[i]);
	if (row->arg[1] == K_PAGE) {
		struct range r = { step->arg[1], step->arg[2] };

		if (s->last.count && pick(s, 3) == 0)
			r = s->last;
		else if (op != OP_MAP && pick(s, 6))
			pick_range(s, step->arg[0], &r);
		/* What keeps pages or copies them takes few. */
		if (row->arg[2] == K_FEW && r.count > 16)
			r.count = step->arg[2];
		step->arg[1] = r.page;
		step->arg[2] = r.count;
		s->last = r;
		/* These need something at their other end. */
		if (op == OP_DIRECT || op == OP_AIO || op == OP_UFFD_MOVE) {
			pick_range(s, step->arg[0], &r);
			step->arg[3] = r.page;
			/* Not where they are. */
			if (abs(r.page - step->arg[1]) < step->arg[2])
				step->arg[3] = step->arg[1] + step->arg[2];
		}
	}
	step->bg = row->flags & BG && (op == OP_CHURN || pick(s, 4) == 0);
	/* No process, no program: the last one stays, or gets company. */
	if ((op == OP_EXIT || op == OP_KILL || op == OP_KILL_IN || op == OP_CORE) &&
	    s->alive == 1U << step->arg[0]) {
		step->op = pick(s, 2) ? OP_FORK : OP_VFORK;
		step->arg[1] = pick_bit(s, ~s->alive, NR_PROCS);
	}
	after(s, step);
}

void program_generate(struct program *p, uint64_t seed, uint64_t number)
{
	struct state s = { .rnd = seed * 0x100000001b3ULL + number, .alive = 1 };
	unsigned int nr, i;

	rnd(&s.rnd);
	nr = 8 + pick(&s, 40);
	p->nr = 0;
	/* Something to swap to, and something to swap out. */
	if (inventory.nr_devices) {
		for (i = 1 + pick(&s, 3); i && possible(&s, OP_SWAPON); i--)
			make(&s, &p->step[p->nr++], OP_SWAPON);
	}
	for (i = 1 + pick(&s, 2); i; i--) {
		make(&s, &p->step[p->nr], OP_MAP);
		p->step[p->nr].arg[3] = P_RW;
		p->step[p->nr].arg[4] = MAP_LATER;
		if (p->step[p->nr].arg[2] < 8)
			p->step[p->nr].arg[2] = 8;
		s.last.count = p->step[p->nr].arg[2];
		remember(&s, 0, p->step[p->nr].arg[1], p->step[p->nr].arg[2]);
		p->nr++;
		make(&s, &p->step[p->nr], OP_WRITE);
		memcpy(p->step[p->nr].arg, p->step[p->nr - 1].arg, 3 * sizeof(int));
		p->nr++;
	}
	while (nr--) {
		make(&s, &p->step[p->nr], pick_op(&s));
		p->nr++;
	}
}
