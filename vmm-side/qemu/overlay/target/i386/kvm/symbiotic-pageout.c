/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host is short of memory: what of the window nobody uses goes first, before it pages
 * out what the guest waits for. symbiotic-cold.h says how it is found.
 */

#include "qemu/osdep.h"

#include "exec/ramblock.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qemu/notify.h"
#include "sysemu/hostmem.h"
#include "sysemu/sysemu.h"
#include "symbiotic-cold.h"

/* With the BQL. */
static struct {
    bool open;
    bool running;
    Notifier exit;
    WindowColdThread thread;
} page_out;

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
    ret = window_cold_open(&page_out.thread.window,
                           memory_region_get_ram_ptr(mr),
                           memory_region_size(mr));
    if (ret) {
        error_setg_errno(errp, -ret, "/proc/self/pagemap");
        return false;
    }
    page_out.open = true;
    return true;
}

static void page_out_exit(Notifier *n, void *data)
{
    window_cold_end(&page_out.thread);
}

/*
 * Once, and not for each look: it is when the host is short of all that threads need. That
 * there can be none is an answer; after qemu_thread_create() it is the end of QEMU.
 */
static bool page_out_start(Error **errp)
{
    int ret;

    if (page_out.running) {
        return true;
    }
    ret = window_cold_start(&page_out.thread);
    if (ret) {
        error_setg_errno(errp, -ret, "No thread to look at the window");
        return false;
    }
    page_out.exit.notify = page_out_exit;
    qemu_add_exit_notifier(&page_out.exit);
    page_out.running = true;
    return true;
}

SymbioticPageOut *qmp_x_symbiotic_page_out(uint64_t pages, Error **errp)
{
    SymbioticPageOut *told;
    WindowCold found;
    bool busy;
    int ret;

    if (!page_out_open(errp) || !page_out_start(errp)) {
        return NULL;
    }
    ret = window_cold_ask(&page_out.thread, pages, &found, &busy);
    if (ret) {
        error_setg_errno(errp, -ret, "The last look at the window failed");
        return NULL;
    }
    told = g_new(SymbioticPageOut, 1);
    *told = (SymbioticPageOut){
        .looked = found.looked,
        .used = found.used,
        .cold = found.cold,
        .busy = busy,
    };
    return told;
}
