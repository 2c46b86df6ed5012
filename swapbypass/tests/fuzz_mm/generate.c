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
	[ADV_REMOVE] = 1, [ADV_SOFT_OFFLINE] = 1,
};

#define MAX_MAPS	4
/* Of so many choices of what comes next, one is a bundle of steps. */
#define BUNDLE_EVERY	12

struct range {
	int page, count;
};

/* Pages that several steps are about. */
struct place {
	int proc;
	struct range r;
};

/* What a generator knows of the machine after the steps so far. */
struct state {
	uint64_t rnd;
	unsigned int alive, on, pinned, piped;	/* bits */
	struct range last;	/* of the step before */
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
	case K_AHEAD:
		return (1 << pick(s, 5)) - 1;
	case K_TOUCH:
		return pick(s, 2) ? TOUCH_ALWAYS : pick(s, TOUCH_NR);
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
	case OP_TOUCH:
	case OP_AHEAD:
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
	unsigned char weight[OP_NR];
	unsigned int i;

	for (i = 0; i < OP_NR; i++)
		weight[i] = possible(s, i) ? rows[i].weight : 0;
	i = pick_weighted(s, weight, OP_NR);
	/* They take seconds. */
	if ((i == OP_SUSPEND || i == OP_HIBERNATE) && pick(s, 4))
		return OP_JOIN;
	return i;
}

/*
 * A step; most are about the pages of the one before, or nothing would come of it.
 * @at: where, if that is given.
 */
static void make(struct state *s, struct step *step, enum op op, const struct place *at)
{
	const struct row *row;
	unsigned int i;

	memset(step, 0, sizeof(*step));
	step->op = op;
	row = &rows[op];
	for (i = 0; i < MAX_ARGS && row->arg[i]; i++)
		step->arg[i] = pick_arg(s, row->arg[i]);
	if (at && step_of_process(op))
		step->arg[0] = at->proc;
	if (row->arg[1] == K_PAGE) {
		struct range r = { step->arg[1], step->arg[2] };

		if (at)
			r = at->r;
		else if (s->last.count && pick(s, 3) == 0)
			r = s->last;
		else if (op != OP_MAP && pick(s, 6))
			pick_range(s, step->arg[0], &r);
		/* What keeps pages or copies them takes few. */
		if (row->arg[2] == K_FEW && r.count > 16)
			r.count = step->arg[2];
		/* And this one takes their memory from the machine, for good. */
		if (op == OP_ADVISE && step->arg[3] == ADV_SOFT_OFFLINE && r.count > 16)
			r.count = 16;
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

/* One more step. What is not possible is left out, whatever the caller makes of it. */
static struct step *add(struct program *p, struct state *s, enum op kind, const struct place *at)
{
	static struct step none;

	if (!possible(s, kind)) {
		memset(&none, 0, sizeof(none));
		return &none;
	}
	make(s, &p->step[p->nr], kind, at);
	return &p->step[p->nr++];
}

/* ---- Bundles ----------------------------------------------------------------- */

/*
 * What takes several steps about the same pages, in this order, hardly comes by itself.
 * All else of them is random.
 */

static void advise(struct program *p, struct state *s, const struct place *at, enum advice advice)
{
	struct step *step = add(p, s, OP_ADVISE, at);

	step->arg[3] = advice;
	step->bg = false;
}

/* Pages that have content, and are swapped out. */
static void swap_out(struct program *p, struct state *s, const struct place *at)
{
	if (pick(s, 2))
		add(p, s, OP_WRITE, at);
	advise(p, s, at, ADV_PAGEOUT);
}

static void read_or_write(struct program *p, struct state *s, const struct place *at)
{
	add(p, s, pick(s, 2) ? OP_READ : OP_WRITE, at);
}

/* Whoever has pages of a swap device gets them elsewhere, or somewhere else in time. */
static void take_back(struct program *p, struct state *s, bool bg)
{
	unsigned int windows = s->on & inventory.windows;
	struct step *step;

	if (windows && pick(s, 2)) {
		step = add(p, s, OP_LIMIT, NULL);
		step->arg[0] = pick_bit(s, windows, inventory.nr_devices);
		step->arg[1] = 0;
	} else {
		step = add(p, s, OP_SWAPOFF, NULL);
	}
	step->bg = bg;
}

/* The pages go from their process, or this one goes. */
static void let_go(struct program *p, struct state *s, const struct place *at)
{
	static const unsigned char ends[] = { OP_UNMAP, OP_EXIT, OP_KILL };

	add(p, s, s->alive == 1U << at->proc ? OP_UNMAP : ends[pick(s, sizeof(ends))], at);
}

/* Who is held up in the middle of a change, while another thread looks. */
static void stalled_change(struct program *p, struct state *s, const struct place *at)
{
	static const struct {
		enum op op;
		enum advice advice;
	} changes[] = {		/* by hook */
		{ OP_PROTECT, 0 }, { OP_ADVISE, ADV_DONTNEED }, { OP_ADVISE, ADV_FREE },
		{ OP_UFFD_MOVE, 0 }, { OP_ADVISE, ADV_WILLNEED }, { OP_ADVISE, ADV_PAGEOUT },
	};
	static const unsigned char others[] = { OP_UNMAP, OP_MOVE, OP_FORK, OP_LOCK };
	int hook = pick_arg(s, K_HOOK), ms = pick_arg(s, K_MS);
	struct step *step;

	swap_out(p, s, at);
	read_or_write(p, s, at);
	step = add(p, s, OP_STALL, at);
	step->arg[1] = hook;
	step->arg[2] = ms;
	step = add(p, s, OP_CHURN, at);
	step->arg[3] = ms * (2 + pick(s, 3));
	if (!hook && pick(s, 4) == 0)
		add(p, s, others[pick(s, sizeof(others))], at);
	else if (changes[hook].op == OP_ADVISE)
		advise(p, s, at, changes[hook].advice);
	else
		step = add(p, s, changes[hook].op, at);
	/* What is taken away is what must not be seen. */
	if (step->op == OP_PROTECT && pick(s, 3))
		step->arg[3] = P_R;
	read_or_write(p, s, at);
}

/* Only a pipe has them, and they have to leave. */
static void left_in_pipe(struct program *p, struct state *s, const struct place *at)
{
	swap_out(p, s, at);
	read_or_write(p, s, at);
	add(p, s, OP_SPLICE, at);
	let_go(p, s, at);
	take_back(p, s, pick(s, 2));
}

/* A slot is read whose page has been written where it is. */
static void read_back(struct program *p, struct state *s, const struct place *at)
{
	swap_out(p, s, at);
	add(p, s, OP_WRITE, at);
	advise(p, s, at, ADV_WILLNEED);
	add(p, s, OP_WRITE, at);
	add(p, s, pick(s, 2) ? OP_PEEK : OP_READ, at);
}

/* Two come to the same pages, while these have to leave. */
static void shared_leaves(struct program *p, struct state *s, const struct place *at)
{
	struct place child = *at;

	swap_out(p, s, at);
	if (possible(s, OP_FORK))
		child.proc = add(p, s, OP_FORK, at)->arg[1];
	add(p, s, OP_CHURN, &child);
	take_back(p, s, true);
	read_or_write(p, s, at);
	read_or_write(p, s, &child);
}

/* They have to leave, and meanwhile nobody has them any more. */
static void leaves_nobody(struct program *p, struct state *s, const struct place *at)
{
	swap_out(p, s, at);
	read_or_write(p, s, at);
	take_back(p, s, true);
	let_go(p, s, at);
}

static void bundle(struct program *p, struct state *s)
{
	static void (*const all[])(struct program *p, struct state *s, const struct place *at) = {
		stalled_change, left_in_pipe, read_back, shared_leaves, leaves_nobody,
	};
	struct place at = { .proc = pick_bit(s, s->alive, NR_PROCS) };

	pick_range(s, at.proc, &at.r);
	if (at.r.count)
		all[pick(s, sizeof(all) / sizeof(*all))](p, s, &at);
}

void program_generate(struct program *p, uint64_t seed, uint64_t number, bool longer)
{
	struct state s = { .rnd = seed * 0x100000001b3ULL + number, .alive = 1 };
	struct step *map, *write, *touch;
	unsigned int nr, i;

	rnd(&s.rnd);
	nr = longer ? 60 + pick(&s, 40) : 8 + pick(&s, 40);
	p->nr = 0;
	/* Something to swap to, and something to swap out. */
	for (i = 1 + pick(&s, 3); i; i--)
		add(p, &s, OP_SWAPON, NULL);
	/* And sometimes to have from the first touch on, while there is memory. */
	if (s.on & inventory.windows && pick(&s, 4) == 0) {
		touch = add(p, &s, OP_TOUCH, NULL);
		touch->arg[0] = pick_bit(&s, s.on & inventory.windows, inventory.nr_devices);
		touch->arg[1] = TOUCH_ALWAYS;
	}
	for (i = 1 + pick(&s, 2); i; i--) {
		map = add(p, &s, OP_MAP, NULL);
		map->arg[3] = P_RW;
		map->arg[4] = MAP_LATER;
		if (map->arg[2] < 8)
			map->arg[2] = 8;
		s.last.count = map->arg[2];
		remember(&s, 0, map->arg[1], map->arg[2]);
		write = add(p, &s, OP_WRITE, NULL);
		memcpy(write->arg, map->arg, 3 * sizeof(int));
	}
	for (nr += p->nr; p->nr < nr; ) {
		if (pick(&s, BUNDLE_EVERY))
			add(p, &s, pick_op(&s), NULL);
		else
			bundle(p, &s);
	}
}
