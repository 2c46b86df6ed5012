/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic guest: what the rest of the kernel may ask.
 */
#ifndef _LINUX_SYMBIOTIC_H
#define _LINUX_SYMBIOTIC_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <symbiotic/abi.h>

struct kobject;
struct notifier_block;

#ifdef CONFIG_SYMBIOTIC_GUEST

/* /sys/kernel/symbiotic; NULL until rootfs_initcall, or without sysfs. */
extern struct kobject *symbiotic_kobj;

/**
 * symbiotic_features() - features that guest and VMM have agreed on
 *
 * Settled before device_initcall. Zero on bare metal, under other VMMs, and
 * while the features are withdrawn (suspend, reboot, kexec, crash).
 *
 * Context: any.
 * Return: SYMB_FEAT_* bits.
 */
u32 symbiotic_features(void);

static inline bool symbiotic_has(u32 feature)
{
	return (symbiotic_features() & feature) == feature;
}

/**
 * symspy_this_cpu() - the local SymSpy page of the CPU that runs this
 *
 * Context: preemption disabled, or in a symcall.
 * Return: the page, or NULL if this vCPU has none or its extension is unknown.
 */
struct symspy_local *symspy_this_cpu(void);

/**
 * symspy_global_page() - the global SymSpy page
 *
 * Context: any.
 * Return: the page, or NULL.
 */
struct symspy_global *symspy_global_page(void);

/**
 * symbiotic_paging() - how the VMM maps this guest's memory
 *
 * A hint: it may have changed when this returns.
 *
 * Context: any.
 * Return: SYMB_PAGING_*; SYMB_PAGING_UNKNOWN if the VMM has not said.
 */
unsigned int symbiotic_paging(void);

/**
 * symbiotic_paging_notify() - be told when the VMM has changed that
 * @nb: is called with SYMB_PAGING_* some time later, in a work item
 *
 * Context: may sleep; before late_initcall, or a change may be missed.
 * Return: 0 or -errno.
 */
int symbiotic_paging_notify(struct notifier_block *nb);

/**
 * symbiotic_paging_catch_up() - be told of a change now, if there is one
 *
 * For who does what might not be necessary after the change. Returns when all have
 * been told and have done what they do, or a tenth of a second later.
 *
 * Context: may sleep.
 */
void symbiotic_paging_catch_up(void);

DECLARE_PER_CPU(unsigned long, symb_window_reads);

/**
 * symbiotic_count_window_reads() - pages of the swap window are being read
 * @nr: how many
 *
 * Context: any.
 */
static inline void symbiotic_count_window_reads(unsigned long nr)
{
	this_cpu_add(symb_window_reads, nr);
}

#else

static inline u32 symbiotic_features(void)
{
	return 0;
}

static inline bool symbiotic_has(u32 feature)
{
	return false;
}

static inline struct symspy_global *symspy_global_page(void)
{
	return NULL;
}

static inline unsigned int symbiotic_paging(void)
{
	return SYMB_PAGING_UNKNOWN;
}

static inline int symbiotic_paging_notify(struct notifier_block *nb)
{
	return 0;
}

static inline void symbiotic_paging_catch_up(void) { }

static inline void symbiotic_count_window_reads(unsigned long nr) { }

#endif /* CONFIG_SYMBIOTIC_GUEST */

#endif /* _LINUX_SYMBIOTIC_H */
