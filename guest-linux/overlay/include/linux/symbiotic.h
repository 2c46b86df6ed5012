/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic guest: what the rest of the kernel may ask.
 */
#ifndef _LINUX_SYMBIOTIC_H
#define _LINUX_SYMBIOTIC_H

#include <linux/types.h>
#include <symbiotic/abi.h>

struct kobject;

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

#endif /* CONFIG_SYMBIOTIC_GUEST */

#endif /* _LINUX_SYMBIOTIC_H */
