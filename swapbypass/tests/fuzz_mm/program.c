// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what steps there are, how programs are made, and how they look as text.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "program.h"

struct inventory inventory;

enum kind {
	K_END, K_PROC, K_NEW, K_PAGE, K_COUNT, K_FEW, K_PROT, K_FILL, K_MAP_HOW, K_MOVE_HOW,
	K_LOCK_HOW, K_PEEK_HOW, K_ADVICE, K_NEUTRAL, K_DEVICE_OFF, K_DEVICE_ON, K_WINDOW, K_PRIO,
	K_LIMIT, K_MODE, K_AROUND, K_HOOK, K_MS, K_PIPE, K_GROUP, K_GROUP_FILE, K_KIB, K_SWITCH,
	K_THP, K_ORDER, K_MIB, K_PINNED, K_PIPED,
};

/*
 * The words of arguments that are no numbers. Where a kind has a list of its own here,
 * an argument is an index of it.
 */
static const char *const words_prot[] = { "none", "r", "rw", NULL };
static const char *const words_fill[] = { "each", "same", NULL };
static const char *const words_map[] = { "later", "now", NULL };
static const char *const words_move[] = { "all", "keep", NULL };
static const char *const words_lock[] = { "now", "on_fault", NULL };
static const char *const words_peek[] = { "vm", "mem", "ptrace", NULL };
static const char *const words_group[] = { "high", "max", "swap.max", NULL };
static const char *const words_mode[] = { "in-place", "copy", "auto", "shadow-bypass", NULL };
static const char *const words_hook[] = { "vma", "zap", "free", "move", "read", "write", NULL };
static const char *const words_thp[] = { "never", "madvise", "always", NULL };
static const char *const words_advice[] = {
	"pageout", "cold", "willneed", "dontneed", "dontneed_locked", "free", "huge", "nohuge",
	"collapse", "mergeable", "unmergeable", "populate_read", "populate_write", "dontfork",
	"dofork", "wipeonfork", "keeponfork", "random", "sequential", "normal", "dontdump",
	"dodump", NULL
};

static const unsigned char advice_weight[ADV_NR] = {
	[ADV_PAGEOUT] = 60, [ADV_COLD] = 4, [ADV_WILLNEED] = 12, [ADV_DONTNEED] = 6,
	[ADV_DONTNEED_LOCKED] = 2, [ADV_FREE] = 5, [ADV_HUGE] = 4, [ADV_NOHUGE] = 2,
	[ADV_COLLAPSE] = 4, [ADV_MERGEABLE] = 4, [ADV_UNMERGEABLE] = 2,
	[ADV_POPULATE_READ] = 4, [ADV_POPULATE_WRITE] = 3, [ADV_DONTFORK] = 1,
	[ADV_DOFORK] = 1, [ADV_WIPEONFORK] = 1, [ADV_KEEPONFORK] = 1, [ADV_RANDOM] = 1,
	[ADV_SEQUENTIAL] = 1, [ADV_NORMAL] = 1, [ADV_DONTDUMP] = 1, [ADV_DODUMP] = 1,
};

enum {
	BG	= 1,	/* changes no content, so it may happen meanwhile */
	MACHINE	= 2,	/* only where the machine is the fuzzer's */
};

static const struct row {
	const char *name;
	unsigned char weight;
	unsigned char flags;
	unsigned char arg[MAX_ARGS];
} rows[OP_NR] = {
	[OP_MAP] = { "map", 10, 0, { K_PROC, K_PAGE, K_COUNT, K_PROT, K_MAP_HOW } },
	[OP_UNMAP] = { "unmap", 5, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_WRITE] = { "write", 40, 0, { K_PROC, K_PAGE, K_COUNT, K_FILL } },
	[OP_READ] = { "read", 30, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_PROTECT] = { "protect", 12, 0, { K_PROC, K_PAGE, K_COUNT, K_PROT } },
	[OP_ADVISE] = { "advise", 60, BG, { K_PROC, K_PAGE, K_COUNT, K_ADVICE } },
	[OP_MOVE] = { "move", 8, 0, { K_PROC, K_PAGE, K_COUNT, K_PAGE, K_MOVE_HOW } },
	[OP_LOCK] = { "lock", 5, 0, { K_PROC, K_PAGE, K_COUNT, K_LOCK_HOW } },
	[OP_UNLOCK] = { "unlock", 4, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_CHURN] = { "churn", 10, BG, { K_PROC, K_PAGE, K_COUNT, K_MS } },

	[OP_FORK] = { "fork", 10, 0, { K_PROC, K_NEW } },
	[OP_VFORK] = { "vfork", 2, 0, { K_PROC } },
	[OP_EXEC] = { "exec", 1, 0, { K_PROC } },
	[OP_EXIT] = { "exit", 4, 0, { K_PROC } },
	[OP_KILL] = { "kill", 2, 0, { K_PROC } },

	[OP_PEEK] = { "peek", 8, 0, { K_PROC, K_PAGE, K_FEW, K_PEEK_HOW } },
	[OP_POKE] = { "poke", 6, 0, { K_PROC, K_PAGE, K_FEW, K_PEEK_HOW } },
	[OP_ADVISE_OTHER] = { "advise_other", 6, BG, { K_PROC, K_PAGE, K_COUNT, K_NEUTRAL } },
	[OP_SPLICE] = { "splice", 8, 0, { K_PROC, K_PAGE, K_FEW, K_PIPE } },
	[OP_DRAIN] = { "drain", 8, 0, { K_PIPED, K_FEW } },
	[OP_TEE] = { "tee", 6, 0, { K_PIPED, K_PIPE, K_FEW } },
	[OP_DIRECT] = { "direct", 4, 0, { K_PROC, K_PAGE, K_FEW, K_PAGE } },
	[OP_PIN] = { "pin", 5, 0, { K_PROC, K_PAGE, K_FEW } },
	[OP_PIN_OUT] = { "pin_out", 12, 0, { K_PINNED } },
	[OP_PIN_IN] = { "pin_in", 12, 0, { K_PINNED } },
	[OP_UNPIN] = { "unpin", 6, 0, { K_PINNED } },
	[OP_UFFD_MOVE] = { "uffd_move", 4, 0, { K_PROC, K_PAGE, K_FEW, K_PAGE } },
	[OP_UFFD_WP] = { "uffd_wp", 4, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_CLEAN] = { "clean", 2, 0, { K_PROC } },
	[OP_DIRTY] = { "dirty", 3, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_RSS] = { "rss", 2, 0, { K_PROC } },

	[OP_SWAPON] = { "swapon", 26, MACHINE, { K_DEVICE_OFF, K_PRIO } },
	[OP_SWAPOFF] = { "swapoff", 16, MACHINE | BG, { K_DEVICE_ON } },
	[OP_LIMIT] = { "limit", 16, MACHINE | BG, { K_WINDOW, K_LIMIT } },
	[OP_MODE] = { "mode", 4, MACHINE, { K_WINDOW, K_MODE } },
	[OP_AROUND] = { "around", 2, MACHINE, { K_AROUND } },
	[OP_STALL] = { "stall", 4, MACHINE, { K_PROC, K_HOOK, K_MS } },
	[OP_JOIN] = { "join", 6, 0, { K_END } },
	[OP_GROUP] = { "group", 10, MACHINE, { K_PROC, K_GROUP } },
	[OP_GROUP_SET] = { "group_set", 4, MACHINE, { K_GROUP, K_GROUP_FILE, K_KIB } },
	[OP_GROUP_RECLAIM] = { "group_reclaim", 6, MACHINE | BG, { K_GROUP, K_KIB } },
	[OP_GROUP_REMOVE] = { "group_remove", 2, MACHINE, { K_GROUP } },
	[OP_KSM] = { "ksm", 3, MACHINE, { K_SWITCH } },
	[OP_THP] = { "thp", 2, MACHINE, { K_THP } },
	[OP_MTHP] = { "mthp", 2, MACHINE, { K_ORDER, K_THP } },
	[OP_LRU_GEN] = { "lru_gen", 2, MACHINE, { K_SWITCH } },
	[OP_DROP_CACHES] = { "drop_caches", 2, MACHINE | BG, { K_END } },
	[OP_COMPACT] = { "compact", 2, MACHINE | BG, { K_END } },
	[OP_HOG] = { "hog", 1, MACHINE | BG, { K_MIB } },
};

enum op op_find(const char *name)
{
	enum op op;

	for (op = 0; op < OP_NR; op++)
		if (!strcmp(rows[op].name, name))
			break;
	return op;
}

/* What programs are made depends on names alone, so that they can be made anywhere. */
void inventory_add(char *device)
{
	unsigned int nr = inventory.nr_devices++;
	char *path = strchr(device, '='), *name;

	if (path)
		*path++ = 0;
	name = strrchr(device, '/');
	if (nr >= MAX_DEVICES || !(path || name))
		setup_error("%s: no device, or one too many", device);
	inventory.path[nr] = path ?: device;
	inventory.device[nr] = name ? name + 1 : device;
	if (strstr(inventory.device[nr], "symswap"))
		inventory.windows |= 1U << nr;
}

const char *say(const char *fmt, ...)
{
	static char texts[8][256];
	static unsigned int next;
	char *text = texts[next++ % 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(texts[0]), fmt, ap);
	va_end(ap);
	return text;
}

const char *op_name(enum op op)
{
	return rows[op].name;
}

int *step_count(struct step *s)
{
	unsigned int i;

	for (i = 0; i < MAX_ARGS; i++)
		if (rows[s->op].arg[i] == K_COUNT || rows[s->op].arg[i] == K_FEW)
			return &s->arg[i];
	return NULL;
}

static const char *const *kind_words(enum kind kind)
{
	switch (kind) {
	case K_PROT:
		return words_prot;
	case K_FILL:
		return words_fill;
	case K_MAP_HOW:
		return words_map;
	case K_MOVE_HOW:
		return words_move;
	case K_LOCK_HOW:
		return words_lock;
	case K_PEEK_HOW:
		return words_peek;
	case K_ADVICE:
	case K_NEUTRAL:
		return words_advice;
	case K_MODE:
		return words_mode;
	case K_HOOK:
		return words_hook;
	case K_GROUP_FILE:
		return words_group;
	case K_THP:
		return words_thp;
	default:
		return NULL;
	}
}

static bool kind_device(enum kind kind)
{
	return kind == K_DEVICE_OFF || kind == K_DEVICE_ON || kind == K_WINDOW;
}

/* ---- Making them ----------------------------------------------------------- */

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
		return pick_count(s);
	case K_FEW:
		return few[pick(s, 6)];
	case K_PROT:
		return prots[pick(s, sizeof(prots))];
	case K_FILL:
		return pick(s, 8) ? FILL_EACH : FILL_SAME;
	case K_MAP_HOW:
		return pick(s, 6) ? MAP_LATER : MAP_NOW;
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
	case K_LOCK_HOW:
		return pick(s, 2);
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
	case OP_MOVE:
		remember(s, step->arg[0], step->arg[3], step->arg[2]);
		break;
	case OP_FORK:
		s->alive |= 1U << step->arg[1];
		memcpy(s->maps[step->arg[1]], s->maps[step->arg[0]], sizeof(s->maps[0]));
		break;
	case OP_EXIT:
	case OP_KILL:
		s->alive &= ~(1U << step->arg[0]);
		s->pinned &= ~(1U << step->arg[0]);
		break;
	case OP_PIN:
		s->pinned |= 1U << step->arg[0];
		break;
	case OP_SPLICE:
		s->piped |= 1U << step->arg[3];
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
	return pick_weighted(s, weight, OP_NR);
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
		if (op == OP_DIRECT || op == OP_UFFD_MOVE) {
			pick_range(s, step->arg[0], &r);
			step->arg[3] = r.page;
		}
	}
	step->bg = row->flags & BG && (op == OP_CHURN || pick(s, 4) == 0);
	/* No process, no program: the first one stays. */
	if ((op == OP_EXIT || op == OP_KILL) && s->alive == 1U << step->arg[0])
		step->op = OP_VFORK;
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

/* ---- Text ------------------------------------------------------------------ */

void step_print(FILE *f, const struct step *s)
{
	const struct row *row = &rows[s->op];
	unsigned int i;

	fprintf(f, "%s", row->name);
	for (i = 0; i < MAX_ARGS && row->arg[i]; i++) {
		const char *const *words = kind_words(row->arg[i]);

		if (words)
			fprintf(f, " %s", words[s->arg[i]]);
		else if (kind_device(row->arg[i]))
			fprintf(f, " %s", inventory.device[s->arg[i]]);
		else
			fprintf(f, " %d", s->arg[i]);
	}
	fprintf(f, "%s\n", s->bg ? " &" : "");
}

void program_print(FILE *f, const struct program *p, const char *before)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		fprintf(f, "%s", before);
		step_print(f, &p->step[i]);
	}
	fflush(f);
}

static bool in_range(enum kind kind, int val)
{
	switch (kind) {
	case K_PROC:
	case K_NEW:
	case K_PINNED:
		return val >= 0 && val < NR_PROCS;
	case K_PAGE:
		return val >= 0 && val < ARENA_PAGES;
	case K_COUNT:
	case K_FEW:
		return val > 0 && val <= MAX_COUNT;
	case K_PIPE:
	case K_PIPED:
		return val >= 0 && val < NR_PIPES;
	case K_GROUP:
		return val >= 0 && val < NR_GROUPS;
	case K_MS:
		return val >= 0 && val <= 1000;
	case K_MIB:
		return val > 0 && val <= 1024;
	default:
		return true;
	}
}

/* One argument. A device is known by its name, and must be here. */
static bool read_arg(enum kind kind, const char *word, int *val)
{
	const char *const *words = kind_words(kind);
	char *end;
	int i;

	if (words) {
		for (i = 0; words[i]; i++) {
			if (!strcmp(words[i], word)) {
				*val = i;
				return true;
			}
		}
		return false;
	}
	if (kind_device(kind)) {
		for (i = 0; i < (int)inventory.nr_devices; i++) {
			if (!strcmp(inventory.device[i], word)) {
				*val = i;
				return true;
			}
		}
		return false;
	}
	*val = strtol(word, &end, 10);
	return !*end && end != word && in_range(kind, *val);
}

static bool read_step(struct step *s, char *line)
{
	char *save, *word = strtok_r(line, "\n ", &save);
	enum op op = op_find(word);
	unsigned int i;

	if (op == OP_NR)
		return false;
	memset(s, 0, sizeof(*s));
	s->op = op;
	for (i = 0; i < MAX_ARGS && rows[op].arg[i]; i++) {
		word = strtok_r(NULL, "\n ", &save);
		if (!word || !read_arg(rows[op].arg[i], word, &s->arg[i]))
			return false;
	}
	word = strtok_r(NULL, "\n ", &save);
	if (!word)
		return true;
	s->bg = !strcmp(word, "&") && rows[op].flags & BG;
	return s->bg && !strtok_r(NULL, "\n ", &save);
}

bool program_read(struct program *p, const char *path)
{
	char line[256], copy[256];
	FILE *f = fopen(path, "re");
	bool good = true;

	p->nr = 0;
	if (!f) {
		perror(path);
		return false;
	}
	while (good && fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		snprintf(copy, sizeof(copy), "%s", line);
		good = p->nr < MAX_STEPS && read_step(&p->step[p->nr], line);
		if (!good)
			fprintf(stderr, "%s: no step: %s", path, copy);
		p->nr++;
	}
	fclose(f);
	return good;
}
