// SPDX-License-Identifier: GPL-2.0
/*
 * How the VMM maps this guest's memory, nested or shadow paging, may change while
 * it runs. The VMM says so in the global page, in a word that we look at now and
 * then: nothing here depends on it to be right, only to be fast. Beside it we
 * tell what the VMM cannot see, or not in each mode, so that it can choose well:
 * what we would rather have, and counters. No exit is made for any of it.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/init.h>
#include <linux/kernel_stat.h>
#include <linux/kobject.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/sched/stat.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/vmstat.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <kunit/visibility.h>

#include "paging.h"
#include "symbiotic.h"

/*
 * How often we look and tell: ten times a second while something happens, and
 * ever less often, to once a second, while nothing does.
 */
#define PAGING_BUSY		(HZ / 10)
#define PAGING_IDLE		HZ
/* Events since the last look that are nothing: our own. */
#define PAGING_NOISE		20

static const char * const paging_names[] = {
	[SYMB_PAGING_UNKNOWN]	= "none",
	[SYMB_PAGING_NESTED]	= "nested",
	[SYMB_PAGING_SHADOW]	= "shadow",
};

DEFINE_PER_CPU(unsigned long, symb_window_reads);
EXPORT_PER_CPU_SYMBOL_GPL(symb_window_reads);

static BLOCKING_NOTIFIER_HEAD(paging_chain);
static unsigned int paging_wish;

static int __init parse_paging(char *arg)
{
	int wish = match_string(paging_names, ARRAY_SIZE(paging_names), arg);

	if (wish < 0)
		return wish;
	paging_wish = wish;
	return 0;
}
early_param("symbiotic_paging", parse_paging);

static u64 paging_state(void)
{
	const struct symspy_paging *spy = symspy_paging(&symb_state.global);

	return spy ? READ_ONCE(spy->state) : 0;
}

VISIBLE_IF_KUNIT unsigned int paging_mode_of(u64 state)
{
	unsigned int mode = state & SYMSPY_PAGING_MODE;

	return mode < ARRAY_SIZE(paging_names) ? mode : SYMB_PAGING_UNKNOWN;
}

unsigned int symbiotic_paging(void)
{
	return paging_mode_of(paging_state());
}

int symbiotic_paging_notify(struct notifier_block *nb)
{
	return blocking_notifier_chain_register(&paging_chain, nb);
}

/* ---- What the VMM is told ----------------------------------------------- */

static u64 count_faults(void)
{
	u64 sum = 0;
#ifdef CONFIG_VM_EVENT_COUNTERS
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(vm_event_states, cpu).event[PGFAULT]);
#endif
	return sum;
}

static u64 count_window_reads(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(symb_window_reads, cpu));
	return sum;
}

/* Returns the sum of all, which says whether anything happens. */
VISIBLE_IF_KUNIT u64 paging_report(struct symspy_paging *spy)
{
	u64 swap_ins = count_window_reads(), faults = count_faults();
	u64 forks = total_forks, switches = nr_context_switches();

	WRITE_ONCE(spy->wish, READ_ONCE(paging_wish));
	WRITE_ONCE(spy->swap_ins, swap_ins);
	WRITE_ONCE(spy->faults, faults);
	WRITE_ONCE(spy->forks, forks);
	WRITE_ONCE(spy->switches, switches);
	return swap_ins + faults + forks + switches;
}

/* ---- Looking ------------------------------------------------------------ */

static void paging_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(paging_work, paging_look);

/* The work's own. */
static u64 paging_events;
static unsigned long paging_pause = PAGING_BUSY;

/* The VMM's word that all have been told of; written by the work alone. */
static u64 paging_seen;
static DECLARE_WAIT_QUEUE_HEAD(paging_wq);

/*
 * Freezable: while the machine suspends, those who follow could not. The page may
 * be gone for a while, then too; what was known stays.
 */
static void paging_look(struct work_struct *work)
{
	struct symspy_paging *spy = symspy_paging(&symb_state.global);
	u64 state = paging_state(), events;

	if (!spy || !state) {
		paging_pause = PAGING_IDLE;
	} else {
		events = paging_report(spy);
		paging_pause = events - paging_events > PAGING_NOISE ?
			       PAGING_BUSY : min(2 * paging_pause, (unsigned long)PAGING_IDLE);
		paging_events = events;
		if (state != paging_seen) {
			blocking_notifier_call_chain(&paging_chain, paging_mode_of(state), NULL);
			WRITE_ONCE(paging_seen, state);
		}
	}
	/* Also of a change that was taken back before this looked. */
	wake_up_all(&paging_wq);
	queue_delayed_work(system_freezable_wq, &paging_work, paging_pause);
}

void symb_paging_look_now(void)
{
	mod_delayed_work(system_freezable_wq, &paging_work, 0);
}

/*
 * The wait ends when what was asked for has been done, or is out of date: a VMM that
 * changes its mind all the time holds up nobody. Nothing that the work waits for waits
 * for a reader; but a worker may be short of memory, or frozen, so there is a limit,
 * which is when we would have looked anyway.
 */
void symbiotic_paging_catch_up(void)
{
	u64 state = paging_state();

	if (likely(state == READ_ONCE(paging_seen)) || !(state & SYMSPY_PAGING_MAY_SWITCH))
		return;
	symb_paging_look_now();
	wait_event_timeout(paging_wq, READ_ONCE(paging_seen) == state ||
			   paging_state() != state, PAGING_BUSY);
}
EXPORT_SYMBOL_GPL(symbiotic_paging_catch_up);

/* ---- sysfs -------------------------------------------------------------- */

static ssize_t paging_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned int mode = symbiotic_paging();

	return sysfs_emit(buf, "%s\n",
			  mode == SYMB_PAGING_UNKNOWN ? "unknown" : paging_names[mode]);
}

static struct kobj_attribute paging_attr = __ATTR_RO(paging);

static ssize_t paging_switches_show(struct kobject *kobj, struct kobj_attribute *attr,
				    char *buf)
{
	return sysfs_emit(buf, "%llu\n", paging_state() >> SYMSPY_PAGING_SWITCHES);
}

static struct kobj_attribute paging_switches_attr = __ATTR_RO(paging_switches);

static ssize_t paging_wish_show(struct kobject *kobj, struct kobj_attribute *attr,
				char *buf)
{
	return sysfs_emit(buf, "%s\n", paging_names[READ_ONCE(paging_wish)]);
}

static ssize_t paging_wish_store(struct kobject *kobj, struct kobj_attribute *attr,
				 const char *buf, size_t count)
{
	int wish = sysfs_match_string(paging_names, buf);
	struct symspy_paging *spy;

	if (wish < 0)
		return wish;
	WRITE_ONCE(paging_wish, wish);
	spy = symspy_paging(&symb_state.global);
	if (spy)
		WRITE_ONCE(spy->wish, wish);
	return count;
}

static struct kobj_attribute paging_wish_attr = __ATTR_RW(paging_wish);

static struct attribute *paging_attrs[] = {
	&paging_attr.attr,
	&paging_switches_attr.attr,
	&paging_wish_attr.attr,
	NULL
};

static const struct attribute_group paging_group = {
	.attrs = paging_attrs,
};

/* After the features, and whoever wants to be told. */
static int __init symb_paging_init(void)
{
	if (!symbiotic_kobj || symb_state.found)
		return 0;
	if (sysfs_create_group(symbiotic_kobj, &paging_group))
		pr_warn("no files about paging in sysfs\n");
	/* It is the machine's nature, so it stays that way. */
	if (paging_state() & SYMSPY_PAGING_MAY_SWITCH)
		symb_paging_look_now();
	return 0;
}
late_initcall(symb_paging_init);

#ifdef CONFIG_SYMBIOTIC_TEST
/* As if the VMM had written it; the VMM's next word takes its place. */
int symb_paging_pretend(u64 state)
{
	struct symspy_paging *spy = symspy_paging(&symb_state.global);

	if (!spy)
		return -ENODEV;
	WRITE_ONCE(spy->state, state);
	symb_paging_look_now();
	flush_delayed_work(&paging_work);
	return 0;
}
#endif
