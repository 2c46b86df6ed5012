/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VM costs: KVM's statistics, the time of its vCPUs' threads, and their TLB
 * misses where the processor counts these for guests. All for the choice of the
 * paging mode; nothing is open or counted for a VM that does not make it.
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "cpu.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "sysemu/kvm.h"
#include "symbiotic-int.h"
#include "symbiotic-policy.h"

/* Names of KVM's counters, and where they are; -1: there is no such counter. */
#define STATS_MAX       6

typedef struct Stats {
    int fd;                     /* 0: not open yet; -1: cannot be */
    off_t at[STATS_MAX];
    uint64_t before[STATS_MAX]; /* they were opened */
} Stats;

typedef struct VcpuCounters {
    Stats stats;
    bool asked;                 /* the vCPU's thread has been asked to open it */
    int stat_fd;                /* /proc/self/task/ID/stat; as above */
    int tlb_fd;                 /* as above */
} VcpuCounters;

enum { PF_TAKEN, INVLPG, BYPASS_MAPS, EXITS, POLL_SUCCESS, POLL_FAIL };

static const char * const vcpu_names[STATS_MAX] = {
    [PF_TAKEN]      = "pf_taken",
    [INVLPG]        = "invlpg",
    /* Not a cost, but a saving. */
    [BYPASS_MAPS]   = "bypass_maps",
    [EXITS]         = "exits",
    [POLL_SUCCESS]  = "halt_poll_success_ns",
    [POLL_FAIL]     = "halt_poll_fail_ns",
};
static const char * const vm_names[STATS_MAX] = { "mmu_pte_write" };

static struct {
    Stats vm;
    VcpuCounters *vcpus;        /* by cpu_index */
    long tick_ns;
} counters;

/* ---- KVM's statistics ---- */

/* Since they were opened: they are older than our interest in them. */
static uint64_t stats_read(const Stats *stats, unsigned int n)
{
    uint64_t val = 0;

    if (stats->fd <= 0 || stats->at[n] < 0 ||
        pread(stats->fd, &val, sizeof(val), stats->at[n]) != sizeof(val)) {
        return 0;
    }
    return val - stats->before[n];
}

/* Find counters that are one number each in the descriptors of @fd. */
static void stats_open(Stats *stats, int fd, const char * const *names)
{
    g_autofree struct kvm_stats_desc *desc = NULL;
    struct kvm_stats_header header;
    unsigned int i, n;
    size_t size;

    stats->fd = -1;
    for (n = 0; n < STATS_MAX; n++) {
        stats->at[n] = -1;
        stats->before[n] = 0;
    }
    if (fd < 0) {
        return;
    }
    if (pread(fd, &header, sizeof(header), 0) != sizeof(header)) {
        close(fd);
        return;
    }
    size = sizeof(*desc) + header.name_size;
    desc = g_malloc0(size + 1);
    for (i = 0; i < header.num_desc; i++) {
        if (pread(fd, desc, size, header.desc_offset + i * size) != size) {
            break;
        }
        for (n = 0; n < STATS_MAX && names[n]; n++) {
            if (!strcmp(desc->name, names[n])) {
                stats->at[n] = header.data_offset + desc->offset;
            }
        }
    }
    stats->fd = fd;
    for (n = 0; n < STATS_MAX; n++) {
        stats->before[n] = stats_read(stats, n);
    }
}

static void stats_close(Stats *stats)
{
    if (stats->fd > 0) {
        close(stats->fd);
    }
    stats->fd = 0;
}

/* In the vCPU's thread: KVM gives the descriptor to nobody else while it runs. */
static void vcpu_stats_open(CPUState *cs, run_on_cpu_data unused)
{
    VcpuCounters *c = &counters.vcpus[cs->cpu_index];

    if (!c->stats.fd) {
        stats_open(&c->stats, kvm_vcpu_ioctl(cs, KVM_GET_STATS_FD, NULL),
                   vcpu_names);
    }
}

/* ---- Time ---- */

/* Of a thread so far: all, and in the kernel but not in the guest. */
static bool thread_time(CPUState *cs, VcpuCounters *c, uint64_t *cpu_ns,
                        uint64_t *kernel_ns)
{
    unsigned long long user, kernel;
    char path[64], buf[1024], *at;
    struct timespec ts;
    clockid_t clock;
    ssize_t len;

    if (!c->stat_fd) {
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", cs->thread_id);
        c->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (pthread_getcpuclockid(cs->thread->thread, &clock) ||
        clock_gettime(clock, &ts)) {
        return false;
    }
    *cpu_ns += ts.tv_sec * 1000000000ULL + ts.tv_nsec;

    len = c->stat_fd < 0 ? -1 : pread(c->stat_fd, buf, sizeof(buf) - 1, 0);
    if (len <= 0) {
        return true;
    }
    buf[len] = 0;
    /* The name, in parentheses, may have any. Guest time counts as user's. */
    at = strrchr(buf, ')');
    if (at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                     &user, &kernel) == 2) {
        *kernel_ns += kernel * counters.tick_ns;
    }
    return true;
}

/* ---- TLB misses ---- */

static int tlb_open(CPUState *cs)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HW_CACHE,
        .size = sizeof(attr),
        .config = PERF_COUNT_HW_CACHE_DTLB |
                  PERF_COUNT_HW_CACHE_OP_READ << 8 |
                  PERF_COUNT_HW_CACHE_RESULT_MISS << 16,
        .exclude_host = 1,
    };
    int fd = syscall(SYS_perf_event_open, &attr, cs->thread_id, -1, -1,
                     PERF_FLAG_FD_CLOEXEC);

    return fd < 0 ? -1 : fd;
}

static bool tlb_misses(CPUState *cs, VcpuCounters *c, uint64_t *misses)
{
    uint64_t val;

    if (!c->tlb_fd) {
        c->tlb_fd = tlb_open(cs);
    }
    if (c->tlb_fd < 0 || read(c->tlb_fd, &val, sizeof(val)) != sizeof(val)) {
        return false;
    }
    *misses += val;
    return true;
}

/* ---- All of it ---- */

void symbiotic_counters_init(MachineState *ms)
{
    counters.vcpus = g_new0(VcpuCounters, ms->smp.max_cpus);
    counters.tick_ns = 1000000000L / sysconf(_SC_CLK_TCK);
}

/*
 * In the vCPU's thread, with the BQL until it is known to be gone: what it was asked
 * for has been done, and it is asked for no more.
 */
void symbiotic_counters_forget(CPUState *cs)
{
    VcpuCounters *c;

    if (!counters.vcpus) {
        return;
    }
    c = &counters.vcpus[cs->cpu_index];
    stats_close(&c->stats);
    if (c->stat_fd > 0) {
        close(c->stat_fd);
    }
    if (c->tlb_fd > 0) {
        close(c->tlb_fd);
    }
    memset(c, 0, sizeof(*c));
}

void symbiotic_counters_read(PagingSample *s)
{
    CPUState *cs;

    if (!counters.vm.fd) {
        stats_open(&counters.vm, kvm_vm_ioctl(kvm_state, KVM_GET_STATS_FD, NULL),
                   vm_names);
    }
    s->events += stats_read(&counters.vm, 0);
    s->has_tlb = true;
    CPU_FOREACH(cs) {
        VcpuCounters *c = &counters.vcpus[cs->cpu_index];

        if (!cs->created || !thread_time(cs, c, &s->cpu_ns, &s->kernel_ns)) {
            continue;
        }
        if (!c->asked) {
            c->asked = true;
            async_run_on_cpu(cs, vcpu_stats_open, RUN_ON_CPU_NULL);
        }
        s->events += stats_read(&c->stats, PF_TAKEN) +
                     stats_read(&c->stats, INVLPG);
        s->bypassed += stats_read(&c->stats, BYPASS_MAPS);
        s->exits += stats_read(&c->stats, EXITS);
        s->poll_ns += stats_read(&c->stats, POLL_SUCCESS) +
                      stats_read(&c->stats, POLL_FAIL);
        s->has_tlb &= tlb_misses(cs, c, &s->tlb_misses);
    }
}
