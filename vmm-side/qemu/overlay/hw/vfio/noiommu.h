/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Passthrough without an IOMMU: the bus-master bit of the real device.
 */
#ifndef HW_VFIO_NOIOMMU_H
#define HW_VFIO_NOIOMMU_H

#include "qemu/bswap.h"
#include "standard-headers/linux/pci_regs.h"

/**
 * vfio_noiommu_set_master: let a device master the bus, or stop it
 * @fd: where its configuration space is
 * @command: where in there its command register is
 * @guest: the register as the guest has it, whose master bit is emulated
 * @allowed: false: stop it; true: do as the guest wants
 *
 * A device that cannot be read may still be one that writes to memory, so it
 * is stopped all the same: the guest's register has the other bits, too.
 *
 * Returns: 0, or -errno; then it is not known what the device does
 */
static inline int vfio_noiommu_set_master(int fd, off_t command,
                                          uint16_t guest, bool allowed)
{
    uint16_t reg = cpu_to_le16(guest);
    ssize_t n;

    n = pread(fd, &reg, sizeof(reg), command);
    if (n != sizeof(reg)) {
        if (allowed) {
            return n < 0 ? -errno : -EIO;
        }
        reg = cpu_to_le16(guest);
    }

    reg &= ~cpu_to_le16(PCI_COMMAND_MASTER);
    if (allowed) {
        reg |= cpu_to_le16(guest & PCI_COMMAND_MASTER);
    }
    n = pwrite(fd, &reg, sizeof(reg), command);
    if (n != sizeof(reg)) {
        return n < 0 ? -errno : -EIO;
    }
    return 0;
}

#endif /* HW_VFIO_NOIOMMU_H */
