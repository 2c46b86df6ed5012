// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: what kinds of steps there are.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "table.h"

struct inventory inventory;

/*
 * The words of arguments that are no numbers. Where a kind has a list of its own here,
 * an argument is an index of it.
 */
static const char *const words_prot[] = { "none", "r", "rw", NULL };
static const char *const words_fill[] = { "each", "same", NULL };
static const char *const words_map[] = { "later", "now", "shared", NULL };
static const char *const words_move[] = { "all", "keep", NULL };
static const char *const words_lock[] = { "now", "on_fault", "plain", NULL };
static const char *const words_answer[] = { "copy", "zero", NULL };
static const char *const words_doom[] = {
	"pageout", "willneed", "collapse", "dontneed", "populate", "read", "write", "unmap",
	"protect", "lock", "exec", "vfork", "uffd", NULL
};

static const char *const words_numa[] = {
	"bind", "interleave", "preferred", "local", "default", "move", "migrate", NULL
};

static const char *const words_level[] = {
	"freezer", "devices", "platform", "processors", "core", NULL
};

static const char *const words_peek[] = { "vm", "mem", "ptrace", NULL };
static const char *const words_group[] = { "high", "max", "swap.max", NULL };
static const char *const words_mode[] = { "in-place", "copy", "auto", "shadow-bypass", NULL };
static const char *const words_touch[] = { "off", "auto", "always", NULL };
static const char *const words_hook[] = { "vma", "zap", "free", "move", "read", "write", NULL };
static const char *const words_thp[] = { "never", "madvise", "always", NULL };
static const char *const words_advice[] = {
	"pageout", "cold", "willneed", "dontneed", "dontneed_locked", "free", "huge", "nohuge",
	"collapse", "mergeable", "unmergeable", "populate_read", "populate_write", "dontfork",
	"dofork", "wipeonfork", "keeponfork", "random", "sequential", "normal", "dontdump",
	"dodump", "remove", "soft_offline", NULL
};

const struct row rows[OP_NR] = {
	[OP_MAP] = { "map", 10, 0, { K_PROC, K_PAGE, K_COUNT, K_PROT, K_MAP_HOW } },
	[OP_UNMAP] = { "unmap", 5, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_WRITE] = { "write", 40, 0, { K_PROC, K_PAGE, K_COUNT, K_FILL } },
	[OP_READ] = { "read", 30, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_PROTECT] = { "protect", 12, 0, { K_PROC, K_PAGE, K_COUNT, K_PROT } },
	[OP_ADVISE] = { "advise", 60, BG, { K_PROC, K_PAGE, K_COUNT, K_ADVICE } },
	[OP_MOVE] = { "move", 8, 0, { K_PROC, K_PAGE, K_COUNT, K_PAGE, K_MOVE_HOW } },
	[OP_RESIZE] = { "resize", 5, 0, { K_PROC, K_PAGE, K_COUNT, K_SIZE } },
	[OP_LOCK] = { "lock", 5, 0, { K_PROC, K_PAGE, K_COUNT, K_LOCK_HOW } },
	[OP_UNLOCK] = { "unlock", 4, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_CHURN] = { "churn", 10, BG, { K_PROC, K_PAGE, K_COUNT, K_MS } },

	[OP_FORK] = { "fork", 10, 0, { K_PROC, K_NEW } },
	[OP_VFORK] = { "vfork", 2, 0, { K_PROC } },
	[OP_EXEC] = { "exec", 1, 0, { K_PROC } },
	[OP_EXIT] = { "exit", 4, 0, { K_PROC } },
	[OP_KILL] = { "kill", 2, 0, { K_PROC } },

	[OP_KILL_IN] = { "kill_in", 4, 0, { K_PROC, K_PAGE, K_COUNT, K_DOOM, K_US } },
	[OP_CORE] = { "core", 2, MACHINE, { K_PROC } },
	[OP_PEEK] = { "peek", 8, 0, { K_PROC, K_PAGE, K_FEW, K_PEEK_HOW } },
	[OP_POKE] = { "poke", 6, 0, { K_PROC, K_PAGE, K_FEW, K_PEEK_HOW } },
	[OP_ADVISE_OTHER] = { "advise_other", 6, BG, { K_PROC, K_PAGE, K_COUNT, K_NEUTRAL } },
	[OP_NUMA] = { "numa", 5, BG, { K_PROC, K_PAGE, K_COUNT, K_NUMA, K_NODE } },
	[OP_SPLICE] = { "splice", 8, 0, { K_PROC, K_PAGE, K_FEW, K_PIPE } },
	[OP_DRAIN] = { "drain", 8, 0, { K_PIPED, K_FEW } },
	[OP_TEE] = { "tee", 6, 0, { K_PIPED, K_PIPE, K_FEW } },
	[OP_PASS] = { "pass", 5, 0, { K_PIPED, K_PIPE, K_FEW } },
	[OP_POUR] = { "pour", 4, 0, { K_PIPED, K_FEW } },
	[OP_DIRECT] = { "direct", 4, 0, { K_PROC, K_PAGE, K_FEW, K_PAGE } },
	[OP_AIO] = { "aio", 5, 0, { K_PROC, K_PAGE, K_FEW, K_PAGE } },
	[OP_PIN] = { "pin", 5, 0, { K_PROC, K_PAGE, K_FEW } },
	[OP_PIN_OUT] = { "pin_out", 12, 0, { K_PINNED } },
	[OP_PIN_IN] = { "pin_in", 12, 0, { K_PINNED } },
	[OP_UNPIN] = { "unpin", 6, 0, { K_PINNED } },
	[OP_UFFD_MOVE] = { "uffd_move", 4, 0, { K_PROC, K_PAGE, K_FEW, K_PAGE } },
	[OP_UFFD_WP] = { "uffd_wp", 4, 0, { K_PROC, K_PAGE, K_COUNT } },
	[OP_UFFD_MISSING] = { "uffd_missing", 4, 0, { K_PROC, K_PAGE, K_FEW, K_ANSWER } },
	[OP_UFFD_WAIT] = { "uffd_wait", 5, 0, { K_PROC, K_PAGE, K_FEW } },
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
	[OP_CPU] = { "cpu", 3, MACHINE | BG, { K_CPU, K_SWITCH } },
	[OP_SUSPEND] = { "suspend", 1, MACHINE, { K_LEVEL } },
	[OP_HIBERNATE] = { "hibernate", 1, MACHINE, { K_END } },
	[OP_TOUCH] = { "touch", 6, MACHINE, { K_WINDOW, K_TOUCH } },
	[OP_AHEAD] = { "ahead", 2, MACHINE, { K_AHEAD } },
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

bool step_of_process(enum op op)
{
	return rows[op].arg[0] == K_PROC || rows[op].arg[0] == K_PINNED;
}

bool step_of_range(enum op op)
{
	return step_of_process(op) && rows[op].arg[1] == K_PAGE;
}

bool step_of_machine(enum op op)
{
	return rows[op].flags & MACHINE;
}

int *step_count(struct step *s)
{
	unsigned int i;

	for (i = 0; i < MAX_ARGS; i++)
		if (rows[s->op].arg[i] == K_COUNT || rows[s->op].arg[i] == K_FEW)
			return &s->arg[i];
	return NULL;
}

const char *const *kind_words(enum kind kind)
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
	case K_ANSWER:
		return words_answer;
	case K_DOOM:
		return words_doom;
	case K_NUMA:
		return words_numa;
	case K_LEVEL:
		return words_level;
	case K_PEEK_HOW:
		return words_peek;
	case K_ADVICE:
	case K_NEUTRAL:
		return words_advice;
	case K_MODE:
		return words_mode;
	case K_TOUCH:
		return words_touch;
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

bool kind_device(enum kind kind)
{
	return kind == K_DEVICE_OFF || kind == K_DEVICE_ON || kind == K_WINDOW;
}
