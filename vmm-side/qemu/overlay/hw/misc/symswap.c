/* SPDX-License-Identifier: GPL-2.0 */
/*
 * symswap: the swap window of a symbiotic guest.
 *
 * ivshmem-plain under a subsystem ID of its own, so that the guest's swap
 * driver binds to this device and leaves every other ivshmem alone. BAR 2 is
 * the memory backend: a host file (tmpfs, hugetlbfs, disk) with share=on.
 */

#include "qemu/osdep.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qemu/module.h"
#include "qom/object.h"
#include "sysemu/hostmem.h"

#define TYPE_SYMSWAP            "symswap"
#define SYMSWAP_SUBSYSTEM_ID    0x5359  /* "SY" */

/* The state is ivshmem's, which is private to it. */
typedef struct SymswapClass {
    PCIDeviceClass parent_class;
    void (*parent_realize)(PCIDevice *dev, Error **errp);
} SymswapClass;

DECLARE_CLASS_CHECKERS(SymswapClass, SYMSWAP, TYPE_SYMSWAP)

/*
 * A file system that cannot allocate ahead (ext2, FAT, NFS) mostly does not when a
 * mapped page is written to, either: that it is full it learns from writing
 * back, when nobody waits for the result. Asked for a hole behind the end of the
 * file, so that nothing changes.
 */
static void symswap_check_file(Object *memdev, uint64_t size)
{
#ifdef CONFIG_FALLOCATE_PUNCH_HOLE
    MemoryRegion *mr = host_memory_backend_get_memory(MEMORY_BACKEND(memdev));
    int fd = memory_region_get_fd(mr);
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_blocks * 512 < size &&
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  MAX(size, st.st_size), 4096) && errno == EOPNOTSUPP) {
        warn_report("symswap: the file of memdev '%s' is sparse, and its file "
                    "system does not tell when it is full: data of the guest "
                    "may be lost; write all of the file before",
                    object_get_canonical_path_component(memdev));
    }
#endif
}

static void symswap_realize(PCIDevice *dev, Error **errp)
{
    Object *memdev;
    uint64_t size;

    /* Before ivshmem looks: what it does about a bad size is exit(1). */
    memdev = object_property_get_link(OBJECT(dev), "memdev", &error_abort);
    if (!memdev) {
        error_setg(errp, "You must specify a 'memdev'");
        return;
    }
    size = object_property_get_uint(memdev, "size", &error_abort);
    if (!is_power_of_2(size)) {
        error_setg(errp, "The size of memdev '%s' must be a power of two",
                   object_get_canonical_path_component(memdev));
        return;
    }

    symswap_check_file(memdev, size);
    SYMSWAP_GET_CLASS(dev)->parent_realize(dev, errp);
}

static void symswap_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    SYMSWAP_CLASS(klass)->parent_realize = k->realize;
    k->realize = symswap_realize;
    k->subsystem_vendor_id = PCI_VENDOR_ID_REDHAT_QUMRANET;
    k->subsystem_id = SYMSWAP_SUBSYSTEM_ID;
    dc->desc = "Swap window of a symbiotic guest";
    /* Memory of the guest's processes is in it. */
    dc->hotpluggable = false;
}

static const TypeInfo symswap_info = {
    .name = TYPE_SYMSWAP,
    .parent = "ivshmem-plain",
    .class_size = sizeof(SymswapClass),
    .class_init = symswap_class_init,
};

static void symswap_register_types(void)
{
    type_register_static(&symswap_info);
}

type_init(symswap_register_types)
