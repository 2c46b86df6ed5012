/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Modules for the kernel of a symbiotic guest: offers, one at a time, and
 * what the guest says of them.
 *
 * An offer is memory that is shown to the guest, read only, at an address
 * where nothing else is: a header and the module, bytes that mean nothing to
 * QEMU. A symcall tells where; any vCPU that takes symcalls will do. The
 * memory goes as soon as the guest has copied it, or the offer is over:
 * withdrawn, too late, the VM reset, the global page unmapped.
 *
 * What the guest says comes with the number of an offer, and is believed as
 * far as it goes: it moves what was offered on to the next state, once, makes
 * one event of it, and takes devices away. It gives a device only to a guest
 * that has acknowledged the DMA ranges, and that has all of its devices by
 * that already. So a guest that lies is told of modules that it has not
 * loaded, and has no more than it would have without.
 *
 * All functions are called with the BQL.
 */

#include "qemu/osdep.h"
#include <linux/kvm_symbiotic.h>

#include "cpu.h"
#include "crypto/hash.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "host-cpu.h"
#include "hw/boards.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc-target.h"
#include "qapi/qapi-events-misc-target.h"
#include "qemu/ctype.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"
#include "qemu/notify.h"
#include "qemu/timer.h"
#include "sysemu/runstate.h"
#include "symbiotic-int.h"

#define MODULE_TIMEOUT_MS       60000
#define MODULE_TIMEOUT_MAX_MS   600000
#define MODULE_RECORDS          64
#define MODULE_GUARDS           16
/* Errno of Linux's, which the guest's numbers are. */
#define GUEST_EIO               5
#define GUEST_EAGAIN            11
#define GUEST_EBUSY             16
#define GUEST_ENODEV            19
#define GUEST_EINVAL            22
#define GUEST_ENOSYS            38
#define GUEST_ETIMEDOUT         110
#define GUEST_ECANCELED         125
#define GUEST_ERRNO_MAX         4095

/* Above RAM and BARs, as the SymSpy pages are. */
#define SLOT_PRIORITY           0x800
/* As many places are tried, evenly spaced from the top of the address space. */
#define SLOT_PLACES             64

typedef struct ModuleRecord {
    uint64_t cookie;            /* of the offer that it came with */
    uint64_t boot;              /* of the guest, then */
    char name[SYMB_MODULE_NAME];
    SymbioticModuleState state;
} ModuleRecord;

typedef struct ModuleGuard {
    char *device;
    char name[SYMB_MODULE_NAME];
} ModuleGuard;

static struct {
    MemoryRegion mr;
    struct symb_module_offer *slot;     /* NULL until first used */
    hwaddr gpa;                         /* 0: not shown */

    SymbioticModuleOffer state;
    uint32_t op;
    uint64_t cookie;
    uint64_t size;                      /* of the slot as shown */
    char name[SYMB_MODULE_NAME];
    char *id;
    bool gone;                          /* before the guest said "done" */
    int next_vcpu;                      /* to be asked if this one cannot */
    QEMUTimer *timer;

    bool asleep;                        /* since then there was no reset */
    unsigned int nr_records;
    ModuleRecord records[MODULE_RECORDS];
    unsigned int nr_guards;
    ModuleGuard guards[MODULE_GUARDS];
} mod;

/* ---- What the guest says of itself ---- */

/* Copied once; false if it takes no modules now. */
static bool guest_says(struct symspy_modules *says)
{
    struct symspy_global *global = symbiotic_global_page();

    if (!global || !(symbiotic_offered() & SYMB_FEAT_MODULES) ||
        le32_to_cpu(qatomic_load_acquire(&global->modules.policy)) !=
        SYMB_MODULES_SIGNED) {
        return false;
    }
    memcpy(says, &global->modules, sizeof(*says));
    says->vermagic[sizeof(says->vermagic) - 1] = 0;
    return true;
}

static uint64_t guest_boot(void)
{
    struct symspy_modules says;

    return guest_says(&says) ? le64_to_cpu(says.boot) : 0;
}

/* ---- The slot ---- */

static void slot_hide(void)
{
    if (mod.gpa) {
        memory_region_del_subregion(get_system_memory(), &mod.mr);
        mod.gpa = 0;
        ram_block_discard_range(mod.mr.ram_block, 0, SYMB_MODULE_DATA +
                                SYMB_MODULE_MAX);
    }
}

static bool slot_alloc(Error **errp)
{
    Error *local_err = NULL;

    if (mod.slot) {
        return true;
    }
    memory_region_init_ram_nomigrate(&mod.mr, NULL, "symbiotic-module",
                                     SYMB_MODULE_DATA + SYMB_MODULE_MAX,
                                     &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    memory_region_set_readonly(&mod.mr, true);
    /* No device has any business there, see symspy_alloc(). */
    mod.mr.ram_block->flags |= RAM_PROTECTED;
    mod.slot = memory_region_get_ram_ptr(&mod.mr);
    return true;
}

/* Where nothing else is; between the places that guests try for their pages. */
static bool slot_show(uint64_t size, Error **errp)
{
    uint32_t eax, unused;
    uint64_t top, gpa;
    int i;

    host_cpuid(0x80000008, 0, &eax, &unused, &unused, &unused);
    top = 1ULL << MIN(X86_CPU(first_cpu)->phys_bits, eax & 0xff);
    for (i = 1; i < SLOT_PLACES; i++) {
        gpa = top - i * (top / SLOT_PLACES) + top / (2 * SLOT_PLACES);
        if (!symbiotic_gpa_free(first_cpu, gpa, size)) {
            continue;
        }
        assert(memory_region_is_protected(&mod.mr));
        memory_region_transaction_begin();
        memory_region_set_size(&mod.mr, size);
        memory_region_add_subregion_overlap(get_system_memory(), gpa, &mod.mr,
                                            SLOT_PRIORITY);
        memory_region_transaction_commit();
        mod.gpa = gpa;
        mod.size = size;
        return true;
    }
    error_setg(errp, "There is no room for a module in the guest's addresses");
    return false;
}

/* ---- Records ---- */

static ModuleRecord *find_record(uint64_t cookie)
{
    unsigned int i;

    for (i = 0; i < mod.nr_records; i++) {
        if (mod.records[i].cookie == cookie) {
            return &mod.records[i];
        }
    }
    return NULL;
}

static ModuleRecord *find_name(const char *name)
{
    unsigned int i;

    for (i = 0; i < mod.nr_records; i++) {
        if (!strcmp(mod.records[i].name, name)) {
            return &mod.records[i];
        }
    }
    return NULL;
}

static void drop_record(ModuleRecord *r)
{
    *r = mod.records[--mod.nr_records];
    symbiotic_dma_recheck();
}

/* What another kernel had, before a kexec. */
static void drop_stale(void)
{
    uint64_t boot = guest_boot();
    unsigned int i = 0;

    /* While the guest sleeps it says nothing; it keeps what it has. */
    while (boot && i < mod.nr_records) {
        if (mod.records[i].boot != boot) {
            drop_record(&mod.records[i]);
        } else {
            i++;
        }
    }
}

static void add_record(SymbioticModuleState state)
{
    /* There was room when the offer was made. */
    ModuleRecord *r = &mod.records[mod.nr_records++];

    assert(mod.nr_records <= MODULE_RECORDS);
    r->cookie = mod.cookie;
    r->boot = guest_boot();
    pstrcpy(r->name, sizeof(r->name), mod.name);
    r->state = state;
    symbiotic_dma_recheck();
}

/* ---- Events ---- */

static void tell_record(const ModuleRecord *r, SymbioticModuleChange change,
                        int err)
{
    qapi_event_send_symbiotic_module(false, NULL, r->name, change, err,
                                     false, NULL);
}

/* The offer is over. */
static void offer_end(SymbioticModuleChange change, int err, const char *reason)
{
    g_autofree char *id = mod.id;

    slot_hide();
    timer_free(mod.timer);
    mod.timer = NULL;
    mod.id = NULL;
    mod.state = SYMBIOTIC_MODULE_OFFER_NONE;
    qapi_event_send_symbiotic_module(true, id, mod.name, change, err, !!reason,
                                     reason);
}

static void offer_failed(int err, const char *reason)
{
    offer_end(SYMBIOTIC_MODULE_CHANGE_FAILED, err, reason);
}

/* The guest is at it, and nobody waits any longer. */
static void offer_overdue(void)
{
    if (mod.op == SYMB_MODULE_LOAD) {
        add_record(SYMBIOTIC_MODULE_STATE_OVERDUE);
        offer_end(SYMBIOTIC_MODULE_CHANGE_OVERDUE, GUEST_ETIMEDOUT, NULL);
    } else {
        offer_failed(GUEST_ETIMEDOUT, "the module's exit takes too long");
    }
}

static void offer_timeout(void *opaque)
{
    if (mod.state == SYMBIOTIC_MODULE_OFFER_TAKEN) {
        offer_overdue();
    } else {
        offer_failed(GUEST_ETIMEDOUT, "the guest has not taken it in time");
    }
}

/* ---- Announcing ---- */

static void offer_announce(void);

static void offer_announced(void *opaque, const char *error, int status)
{
    g_autofree uint64_t *cookie = opaque;

    /* It may be over, or the guest be faster than its symcall. */
    if (mod.state != SYMBIOTIC_MODULE_OFFER_ANNOUNCED ||
        mod.cookie != *cookie) {
        return;
    }
    if (error || status == -ENXIO || status == -EBUSY) {
        offer_announce();
    } else if (status < 0) {
        offer_failed(GUEST_EIO, "the symcall has crashed or taken too long");
    } else if (status == SYMCALL_ERR_NOSYS) {
        offer_failed(GUEST_ENOSYS, "the guest takes no modules");
    } else if (status == SYMCALL_ERR_BUSY) {
        offer_failed(GUEST_EBUSY, "the guest is busy with another one");
    } else if (status) {
        offer_failed(GUEST_EINVAL, "the guest refuses the symcall");
    } else {
        mod.state = SYMBIOTIC_MODULE_OFFER_QUEUED;
    }
}

static void offer_announce(void)
{
    struct kvm_symcall kvm = {
        .nr = SYMCALL_MODULE,
        .args = { mod.cookie, mod.gpa, mod.size },
    };
    int max = MACHINE(qdev_get_machine())->smp.max_cpus;
    uint64_t *cookie;
    CPUState *cs;

    while (mod.next_vcpu < max) {
        cs = qemu_get_cpu(mod.next_vcpu++);
        if (!cs) {
            continue;
        }
        cookie = g_memdup2(&mod.cookie, sizeof(mod.cookie));
        if (symbiotic_symcall(cs, &kvm, offer_announced, cookie, NULL)) {
            return;
        }
        g_free(cookie);
    }
    offer_failed(GUEST_EAGAIN, "no vCPU takes a symcall now");
}

/* ---- What the guest says ---- */

static bool told_of_offer(uint64_t what, int err)
{
    bool taken = mod.state == SYMBIOTIC_MODULE_OFFER_TAKEN;
    ModuleRecord *r;

    switch (what) {
    case SYMB_MODULE_IS_TAKEN:
        if (taken) {
            return false;
        }
        slot_hide();
        mod.state = SYMBIOTIC_MODULE_OFFER_TAKEN;
        return true;
    case SYMB_MODULE_IS_DONE:
        if (err) {
            offer_failed(err, NULL);
            return true;
        }
        if (!taken) {
            return false;
        }
        if (mod.op == SYMB_MODULE_LOAD) {
            if (mod.gone) {
                offer_end(SYMBIOTIC_MODULE_CHANGE_GONE, 0, NULL);
            } else {
                add_record(SYMBIOTIC_MODULE_STATE_LOADED);
                offer_end(SYMBIOTIC_MODULE_CHANGE_LOADED, 0, NULL);
            }
            return true;
        }
        /* It should have said that it is gone. */
        r = find_name(mod.name);
        if (r) {
            drop_record(r);
        }
        offer_end(SYMBIOTIC_MODULE_CHANGE_UNLOADED, 0, NULL);
        return true;
    case SYMB_MODULE_IS_OVERDUE:
        if (taken) {
            offer_overdue();
        }
        return taken;
    case SYMB_MODULE_IS_GONE:
        /* Somebody has been quick to unload it. */
        mod.gone = taken;
        return taken;
    case SYMB_MODULE_IS_DEAD:
        if (taken) {
            offer_end(SYMBIOTIC_MODULE_CHANGE_DEAD, GUEST_EIO, NULL);
        }
        return taken;
    default:
        return false;
    }
}

static bool told_of_record(ModuleRecord *r, uint64_t what, int err)
{
    switch (what) {
    case SYMB_MODULE_IS_DONE:
        if (r->state != SYMBIOTIC_MODULE_STATE_OVERDUE) {
            return false;
        }
        if (err) {
            tell_record(r, SYMBIOTIC_MODULE_CHANGE_FAILED, err);
            drop_record(r);
            return true;
        }
        r->state = SYMBIOTIC_MODULE_STATE_LOADED;
        tell_record(r, SYMBIOTIC_MODULE_CHANGE_LOADED, 0);
        symbiotic_dma_recheck();
        return true;
    case SYMB_MODULE_IS_GONE:
        tell_record(r, SYMBIOTIC_MODULE_CHANGE_GONE, 0);
        drop_record(r);
        return true;
    case SYMB_MODULE_IS_DEAD:
        if (r->state == SYMBIOTIC_MODULE_STATE_DEAD) {
            return false;
        }
        r->state = SYMBIOTIC_MODULE_STATE_DEAD;
        /* The devices first. */
        symbiotic_dma_recheck();
        tell_record(r, SYMBIOTIC_MODULE_CHANGE_DEAD, GUEST_EIO);
        return true;
    default:
        return false;
    }
}

int64_t symbiotic_module_told(uint64_t cookie, uint64_t what, uint64_t err)
{
    ModuleRecord *r;
    bool ok = false;

    err = MIN(err, GUEST_ERRNO_MAX);
    if (mod.state != SYMBIOTIC_MODULE_OFFER_NONE && cookie == mod.cookie) {
        ok = told_of_offer(what, err);
    } else {
        r = find_record(cookie);
        if (r) {
            ok = told_of_record(r, what, err);
        }
    }
    return ok ? 0 : -SYMB_HC_EINVAL;
}

void symbiotic_modules_lost(const char *why)
{
    if (mod.state != SYMBIOTIC_MODULE_OFFER_NONE) {
        offer_failed(GUEST_ENODEV, why);
    }
}

void symbiotic_modules_reset(void)
{
    /*
     * A PC is reset when it wakes up, too, and its guest has then what it had.
     * It is not called suspended any more, unlike one that is reset asleep.
     */
    bool wakes = mod.asleep && !runstate_check(RUN_STATE_SUSPENDED);

    mod.asleep = false;
    if (!wakes) {
        mod.nr_records = 0;
        symbiotic_dma_recheck();
    }
}

static void guest_sleeps(Notifier *n, void *unused)
{
    mod.asleep = true;
}

void symbiotic_modules_init(void)
{
    static Notifier suspend = { .notify = guest_sleeps };

    qemu_register_suspend_notifier(&suspend);
}

/* ---- Devices ---- */

static ModuleGuard *find_guard(const char *device)
{
    unsigned int i;

    for (i = 0; device && i < mod.nr_guards; i++) {
        if (!strcmp(mod.guards[i].device, device)) {
            return &mod.guards[i];
        }
    }
    return NULL;
}

bool symbiotic_module_allows(const char *device)
{
    ModuleGuard *guard = find_guard(device);
    ModuleRecord *r;

    if (!guard) {
        return true;
    }
    r = find_name(guard->name);
    return r && r->state == SYMBIOTIC_MODULE_STATE_LOADED &&
           r->boot == guest_boot();
}

/* ---- QMP ---- */

static bool name_valid(const char *name, Error **errp)
{
    size_t i, len = strlen(name);

    for (i = 0; i < len; i++) {
        if (!qemu_isalnum(name[i]) && !strchr("_-", name[i])) {
            break;
        }
    }
    if (!len || i < len || len >= SYMB_MODULE_NAME) {
        error_setg(errp, "A module's name has 1 to %d letters, digits, '_' and "
                   "'-'", SYMB_MODULE_NAME - 1);
        return false;
    }
    return true;
}

/* All that an offer needs but what is offered. */
static bool offer_begin(const char *id, const char *name, bool has_timeout,
                        uint32_t *timeout, struct symspy_modules *says,
                        Error **errp)
{
    if (!(symbiotic_offered() & SYMB_FEAT_MODULES)) {
        error_setg(errp, "This VM offers no modules");
        return false;
    }
    if (!name_valid(name, errp)) {
        return false;
    }
    if (!has_timeout) {
        *timeout = MODULE_TIMEOUT_MS;
    }
    if (!*timeout || *timeout > MODULE_TIMEOUT_MAX_MS) {
        error_setg(errp, "The timeout must be 1 to %d ms",
                   MODULE_TIMEOUT_MAX_MS);
        return false;
    }
    if (mod.state != SYMBIOTIC_MODULE_OFFER_NONE) {
        error_setg(errp, "There is an offer already: '%s'", mod.id);
        return false;
    }
    if (!guest_says(says)) {
        error_setg(errp, "The guest takes no modules (its kernel needs "
                   "symbiotic.modules=signed)");
        return false;
    }
    drop_stale();
    return slot_alloc(errp);
}

/* The slot is filled in, except for this. */
static void offer_make(uint32_t op, const char *id, const char *name,
                       uint64_t size, uint32_t timeout, Error **errp)
{
    struct symb_module_offer *slot = mod.slot;

    /* Each has another; the first one says nothing of the VM. */
    if (!mod.cookie) {
        qemu_guest_getrandom_nofail(&mod.cookie, sizeof(mod.cookie));
    }
    do {
        mod.cookie++;
    } while (!mod.cookie || find_record(mod.cookie));

    slot->magic = cpu_to_le32(SYMB_MODULE_MAGIC);
    slot->op = cpu_to_le32(op);
    slot->cookie = cpu_to_le64(mod.cookie);
    slot->size = cpu_to_le64(size);
    pstrcpy(slot->name, sizeof(slot->name), name);
    if (!slot_show(SYMB_MODULE_DATA + ROUND_UP(size, SYMB_PAGE_SIZE), errp)) {
        return;
    }
    mod.op = op;
    pstrcpy(mod.name, sizeof(mod.name), name);
    mod.id = g_strdup(id);
    mod.next_vcpu = 0;
    mod.gone = false;
    mod.state = SYMBIOTIC_MODULE_OFFER_ANNOUNCED;
    mod.timer = timer_new_ms(QEMU_CLOCK_REALTIME, offer_timeout, NULL);
    timer_mod(mod.timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + timeout);
    offer_announce();
}

/* The whole file, which others may be writing: as long as it was at first. */
static bool read_module(int fd, uint64_t limit, uint64_t *size, Error **errp)
{
    struct stat st;
    uint64_t done;
    ssize_t n;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error_setg(errp, "A module is a regular file");
        return false;
    }
    if (st.st_size <= 0 || st.st_size > MIN(limit, SYMB_MODULE_MAX)) {
        error_setg(errp, "The module has %" PRId64 " bytes, the guest takes 1 "
                   "to %" PRIu64, (int64_t)st.st_size,
                   MIN(limit, SYMB_MODULE_MAX));
        return false;
    }
    for (done = 0; done < st.st_size; done += n) {
        n = pread(fd, (uint8_t *)mod.slot + SYMB_MODULE_DATA + done,
                  st.st_size - done, done);
        if (n < 0 && errno == EINTR) {
            n = 0;
        } else if (n <= 0) {
            error_setg(errp, "The module cannot be read");
            return false;
        }
    }
    *size = done;
    return true;
}

static bool fill_header(uint64_t size, const char *args, Error **errp)
{
    g_autofree uint8_t *digest = NULL;
    size_t digest_len = 0;

    memset(mod.slot, 0, sizeof(*mod.slot));
    if (strlen(args) >= sizeof(mod.slot->args)) {
        error_setg(errp, "A module takes at most %zu bytes of arguments",
                   sizeof(mod.slot->args) - 1);
        return false;
    }
    pstrcpy(mod.slot->args, sizeof(mod.slot->args), args);
    mod.slot->args_len = cpu_to_le32(strlen(args));
    if (qcrypto_hash_bytes(QCRYPTO_HASH_ALG_SHA256,
                           (const char *)mod.slot + SYMB_MODULE_DATA, size,
                           &digest, &digest_len, errp) < 0) {
        return false;
    }
    assert(digest_len == sizeof(mod.slot->sha256));
    memcpy(mod.slot->sha256, digest, digest_len);
    return true;
}

void qmp_x_symbiotic_module_load(const char *id, const char *name,
                                 const char *fdname, bool has_args,
                                 const char *args, bool has_timeout,
                                 uint32_t timeout, Error **errp)
{
    struct symspy_modules says;
    uint64_t size;
    bool ok;
    int fd;

    /* In any case, it is not the monitor's any more. */
    fd = monitor_get_fd(monitor_cur(), fdname, errp);
    if (fd < 0) {
        return;
    }
    ok = offer_begin(id, name, has_timeout, &timeout, &says, errp);
    if (ok && mod.nr_records == MODULE_RECORDS) {
        error_setg(errp, "The guest has %d modules already", MODULE_RECORDS);
        ok = false;
    }
    if (ok && find_name(name)) {
        error_setg(errp, "There is a module '%s' already", name);
        ok = false;
    }
    ok = ok && read_module(fd, le64_to_cpu(says.limit), &size, errp);
    close(fd);
    if (ok && fill_header(size, has_args ? args : "", errp)) {
        offer_make(SYMB_MODULE_LOAD, id, name, size, timeout, errp);
    }
}

void qmp_x_symbiotic_module_unload(const char *id, const char *name,
                                   bool has_timeout, uint32_t timeout,
                                   Error **errp)
{
    struct symspy_modules says;

    if (!offer_begin(id, name, has_timeout, &timeout, &says, errp)) {
        return;
    }
    /* The guest knows whether the module of this name has come this way. */
    memset(mod.slot, 0, sizeof(*mod.slot));
    offer_make(SYMB_MODULE_UNLOAD, id, name, 0, timeout, errp);
}

void qmp_x_symbiotic_module_withdraw(Error **errp)
{
    if (mod.state == SYMBIOTIC_MODULE_OFFER_NONE) {
        error_setg(errp, "There is no offer");
    } else if (mod.state == SYMBIOTIC_MODULE_OFFER_TAKEN) {
        error_setg(errp, "The guest has taken the offer '%s'", mod.id);
    } else {
        offer_failed(GUEST_ECANCELED, "withdrawn");
    }
}

void qmp_x_symbiotic_module_guard(const char *device, bool has_module,
                                  const char *module, Error **errp)
{
    ModuleGuard *guard = find_guard(device);

    if (has_module && !name_valid(module, errp)) {
        return;
    }
    if (has_module && !guard) {
        if (mod.nr_guards == MODULE_GUARDS) {
            error_setg(errp, "At most %d devices can have a module",
                       MODULE_GUARDS);
            return;
        }
        guard = &mod.guards[mod.nr_guards++];
        guard->device = g_strdup(device);
    }
    if (has_module) {
        pstrcpy(guard->name, sizeof(guard->name), module);
    } else if (guard) {
        g_free(guard->device);
        *guard = mod.guards[--mod.nr_guards];
    }
    symbiotic_dma_recheck();
}

/* Whatever the guest has written there, it is text. */
static char *printable(const char *text)
{
    char *copy = g_strdup(text), *c;

    for (c = copy; *c; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return copy;
}

SymbioticModulesInfo *qmp_x_symbiotic_module_query(Error **errp)
{
    SymbioticModulesInfo *info = g_new0(SymbioticModulesInfo, 1);
    SymbioticModuleInfoList **tail = &info->modules;
    struct symspy_modules says = { };
    GString *build_id = g_string_new(NULL);
    unsigned int i;

    info->taken = guest_says(&says);
    info->limit = MIN(le64_to_cpu(says.limit), SYMB_MODULE_MAX);
    for (i = 0; info->taken && i < sizeof(says.build_id); i++) {
        g_string_append_printf(build_id, "%02x", says.build_id[i]);
    }
    info->build_id = g_string_free(build_id, false);
    info->vermagic = printable(says.vermagic);
    info->offer = mod.state;
    drop_stale();
    for (i = 0; i < mod.nr_records; i++) {
        SymbioticModuleInfo *m = g_new0(SymbioticModuleInfo, 1);

        m->name = g_strdup(mod.records[i].name);
        m->state = mod.records[i].state;
        QAPI_LIST_APPEND(tail, m);
    }
    return info;
}
