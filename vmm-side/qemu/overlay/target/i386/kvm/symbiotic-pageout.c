/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host is short of memory: what of the window nobody uses goes first, before it pages
 * out what the guest waits for. symbiotic-cold.h says how it is found.
 */

#include "qemu/osdep.h"

#include "exec/ramblock.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "sysemu/hostmem.h"
#include "symbiotic-cold.h"

/* The hand is around after so many commands; what is not used in between is cold. */
#define LOOKS_AROUND    8

/* All with the BQL, but for @window while @busy, which is the thread's. */
static struct {
    bool busy;
    bool open;
    int error;                  /* of the last look */
    uint64_t want;
    WindowCold window;
    SymbioticPageOut told;
} page_out;

/* For the disk's sake: nobody else may wait for it. */
static void *page_out_thread(void *opaque)
{
    size_t most = DIV_ROUND_UP(page_out.window.pages, LOOKS_AROUND);
    int ret = window_cold_look(&page_out.window, most, page_out.want);

    qemu_mutex_lock_iothread();
    page_out.error = ret;
    page_out.told.looked = page_out.window.looked;
    page_out.told.used = page_out.window.used;
    page_out.told.cold = page_out.window.cold;
    page_out.busy = false;
    qemu_mutex_unlock_iothread();
    return NULL;
}

/* The memory of the window, if its pages can be taken from page tables and found again. */
static MemoryRegion *page_out_memory(Error **errp)
{
    Object *device = object_resolve_path_type("", "symswap", NULL);
    MemoryRegion *mr;
    Object *memdev;

    memdev = device ? object_property_get_link(device, "memdev", NULL) : NULL;
    if (!memdev) {
        error_setg(errp, "This VM has no symswap device, or several");
        return NULL;
    }
    mr = host_memory_backend_get_memory(MEMORY_BACKEND(memdev));
    if (!qemu_ram_is_shared(mr->ram_block)) {
        error_setg(errp, "The window's memory is not shared (share=on)");
        return NULL;
    }
    if (qemu_ram_pagesize(mr->ram_block) != WINDOW_PAGE_SIZE) {
        error_setg(errp, "The host cannot page out huge pages of hugetlbfs");
        return NULL;
    }
    return mr;
}

static bool page_out_open(Error **errp)
{
    MemoryRegion *mr;
    int ret;

    if (page_out.open) {
        return true;
    }
    mr = page_out_memory(errp);
    if (!mr) {
        return false;
    }
    ret = window_cold_open(&page_out.window, memory_region_get_ram_ptr(mr),
                           memory_region_size(mr));
    if (ret) {
        error_setg_errno(errp, -ret, "/proc/self/pagemap");
        return false;
    }
    page_out.open = true;
    return true;
}

SymbioticPageOut *qmp_x_symbiotic_page_out(uint64_t pages, Error **errp)
{
    SymbioticPageOut *told;
    QemuThread thread;

    if (!page_out_open(errp)) {
        return NULL;
    }
    if (!page_out.busy && page_out.error) {
        error_setg_errno(errp, -page_out.error, "The last look at the window failed");
        page_out.error = 0;
        return NULL;
    }
    if (!page_out.busy && pages) {
        page_out.busy = true;
        page_out.want = pages;
        qemu_thread_create(&thread, "page-out", page_out_thread, NULL,
                           QEMU_THREAD_DETACHED);
    }
    told = g_new(SymbioticPageOut, 1);
    *told = page_out.told;
    told->busy = page_out.busy;
    return told;
}
