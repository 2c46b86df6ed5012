/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the symswap driver share.
 */
#ifndef _SYMSWAP_DRIVER_H
#define _SYMSWAP_DRIVER_H

#include <linux/types.h>

struct device;
struct symswap;

/* disk.c */
bool symswap_named(const struct device *device);
struct symswap *symswap_create(struct device *parent, phys_addr_t start, u64 size,
			       bool ours);
bool symswap_remove(struct symswap *dev, struct device *parent,
		    bool (*is_gone)(struct device *parent));

/* pci.c */
#ifdef CONFIG_PCI
int symswap_pci_register(void);
void symswap_pci_unregister(void);
#else
static inline int symswap_pci_register(void)
{
	return 0;
}

static inline void symswap_pci_unregister(void) { }
#endif

/* virtio.c */
#ifdef CONFIG_SYMSWAP_VIRTIO
int symswap_virtio_register(void);
void symswap_virtio_unregister(void);
#else
static inline int symswap_virtio_register(void)
{
	return 0;
}

static inline void symswap_virtio_unregister(void) { }
#endif

#endif /* _SYMSWAP_DRIVER_H */
