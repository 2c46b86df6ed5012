/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which paging mode suits a guest: the decision. See symbiotic-policy.h.
 */

#include "qemu/osdep.h"
#include "symbiotic/abi.h"
#include "symbiotic-policy.h"

/*
 * Thousandths of processor time. Between the two nothing changes: a change costs
 * tens of milliseconds until the working set is mapped again.
 */
#define LEAVE_SHADOW            60
#define LEAVE_SHADOW_AT_ONCE    250
#define ENTER_SHADOW            20
/* Fewer: what the guest does is no matter. */
#define BUSY_PERMILLE           200

/* Samples in a row. */
#define LEAVE_SAMPLES           2
#define ENTER_SAMPLES           3
#define ENTER_SAMPLES_MAX       96
/* A stay in shadow paging that was a mistake, and one that was none. */
#define SHORT_STAY_MS           2000
#define LONG_STAY_MS            10000

/* No two changes are closer than that. */
#define DWELL_MS                300
/* Nor for the guest's wish alone, which costs it nothing. */
#define WISH_DWELL_MS           1000

/* What an event takes, until that is known, and what to believe. */
#define EVENT_NS                5000
#define EVENT_NS_MIN            500
#define EVENT_NS_MAX            200000
#define EVENTS_TO_LEARN         50

/* Events of shadow paging that the guest's own take. */
#define PER_FAULT               2
#define PER_FORK                80
#define PER_SWITCH              1
/* A page that is read from swap, in events: the fault, and the copy. */
#define PER_SWAP_IN             4
/* A walk of both page tables, beside one of one. */
#define NESTED_WALK_NS          25

#define MINUTE_MS               60000

void paging_policy_init(PagingPolicy *p)
{
    memset(p, 0, sizeof(*p));
    p->event_ns = EVENT_NS;
    p->need = ENTER_SAMPLES;
    p->reason = "nothing is known yet";
}

unsigned int paging_policy_recent(const PagingPolicy *p, int64_t now_ms)
{
    unsigned int i, n = 0;

    for (i = 0; i < PAGING_PER_MINUTE && i < p->nr_changes; i++) {
        n += now_ms - p->changes[i] < MINUTE_MS;
    }
    return n;
}

void paging_policy_changed(PagingPolicy *p, int64_t now_ms, unsigned int mode)
{
    int64_t stay = now_ms - p->changed_ms;

    if (mode == SYMB_PAGING_NESTED) {
        /* What looked calm was not, or is not for long: be slower to believe it. */
        if (stay < SHORT_STAY_MS) {
            p->need = MIN(2 * p->need, ENTER_SAMPLES_MAX);
        } else if (stay >= LONG_STAY_MS) {
            p->need = ENTER_SAMPLES;
        }
    }
    p->changes[p->nr_changes++ % PAGING_PER_MINUTE] = now_ms;
    p->changed_ms = now_ms;
    p->dear = p->cheap = 0;
}

static bool backwards(const PagingSample *a, const PagingSample *b)
{
    return b->now_ms <= a->now_ms || b->cpu_ns < a->cpu_ns ||
           b->kernel_ns < a->kernel_ns || b->poll_ns < a->poll_ns ||
           b->exits < a->exits || b->events < a->events ||
           b->bypassed < a->bypassed || b->tlb_misses < a->tlb_misses ||
           b->swap_ins < a->swap_ins || b->faults < a->faults ||
           b->forks < a->forks || b->switches < a->switches;
}

/* Of numbers that a guest has written, none may overflow. */
static int64_t some(uint64_t now, uint64_t before, int64_t times)
{
    return (int64_t)MIN(now - before, UINT32_MAX) * times;
}

/* What shadow paging costs more, in thousandths of @cpu_ns; see the header. */
static int cost_of(const PagingPolicy *p, const PagingSample *s, int64_t cpu_ns)
{
    const PagingSample *l = &p->last;
    int64_t events, cost;

    /* KVM does not count the loads of CR3. */
    events = some(s->switches, l->switches, PER_SWITCH);
    if (s->mode == SYMB_PAGING_SHADOW) {
        events += some(s->events, l->events, 1) -
                  some(s->bypassed, l->bypassed, PER_SWAP_IN);
    } else {
        events += some(s->faults, l->faults, PER_FAULT) +
                  some(s->forks, l->forks, PER_FORK) -
                  some(s->swap_ins, l->swap_ins, PER_SWAP_IN);
    }
    cost = events * p->event_ns -
           some(s->tlb_misses, l->tlb_misses, NESTED_WALK_NS);
    /* A thousandth first: the product could be too large. */
    cost /= MAX(cpu_ns / 1000, 1);
    return MAX(MIN(cost, 100000), -100000);
}

/*
 * The time in the kernel is that of all exits, and of waiting for a guest that is
 * about to wake up. So nothing is learned of page tables while most exits are I/O,
 * timers and the like; and what others there are get the same part of the time as
 * an event. There are fewer exits than events where one fault is a write, too.
 */
static void learn(PagingPolicy *p, const PagingSample *s)
{
    uint64_t events = s->events - p->last.events;
    uint64_t exits = s->exits - p->last.exits;
    uint64_t ns = s->kernel_ns - p->last.kernel_ns;

    if (s->mode != SYMB_PAGING_SHADOW || events < EVENTS_TO_LEARN ||
        events < exits / 2) {
        return;
    }
    ns -= MIN(ns, s->poll_ns - p->last.poll_ns);
    ns /= MAX(events, exits);
    ns = MAX(MIN(ns, EVENT_NS_MAX), EVENT_NS_MIN);
    p->event_ns = (7 * p->event_ns + ns) / 8;
}

/* What the counters say, whatever the limits are. */
static unsigned int by_cost(PagingPolicy *p, const PagingSample *s)
{
    if (s->mode == SYMB_PAGING_SHADOW) {
        p->cheap = 0;
        p->dear = p->cost >= LEAVE_SHADOW ? p->dear + 1 : 0;
        if (p->dear >= LEAVE_SAMPLES || p->cost >= LEAVE_SHADOW_AT_ONCE) {
            p->reason = "page tables change";
            return SYMB_PAGING_NESTED;
        }
        p->reason = p->dear ? "page tables may change" :
                              "page tables rest, or swap-ins are saved";
        return s->mode;
    }
    p->dear = 0;
    if (!s->told) {
        p->cheap = 0;
        p->reason = "the guest says nothing";
        return s->mode;
    }
    p->cheap = p->cost <= (s->has_tlb ? -ENTER_SHADOW : ENTER_SHADOW) ?
               p->cheap + 1 : 0;
    if (p->cheap >= p->need) {
        p->reason = p->cost < 0 ? "swap-ins or TLB misses" : "page tables rest";
        return SYMB_PAGING_SHADOW;
    }
    p->reason = p->cheap ? "page tables may rest" : "page tables change";
    return s->mode;
}

unsigned int paging_policy_decide(PagingPolicy *p, const PagingSample *s)
{
    PagingSample last = p->last;
    unsigned int want = s->mode, room;
    int64_t dwell = DWELL_MS, ms, cpu_ns;
    bool wished;

    if (!p->started || backwards(&last, s) || last.mode != s->mode) {
        /* What happened under which mode is not known. */
        p->started = true;
        p->last = *s;
        p->dear = p->cheap = 0;
        return want;
    }
    ms = s->now_ms - last.now_ms;
    cpu_ns = s->cpu_ns - last.cpu_ns;
    wished = s->told && (s->wish == SYMB_PAGING_NESTED ||
                         s->wish == SYMB_PAGING_SHADOW);
    if (cpu_ns / 1000 < ms * BUSY_PERMILLE) {
        /* Little happens: each event of it would seem much. */
        p->cost = 0;
        p->dear = p->cheap = 0;
        p->reason = "idle";
    } else {
        p->cost = cost_of(p, s, cpu_ns);
        learn(p, s);
        want = by_cost(p, s);
    }
    p->last = *s;
    if (wished) {
        want = s->wish;
        dwell = WISH_DWELL_MS;
        p->reason = "the guest's wish";
    }
    if (want == s->mode || (p->nr_changes && s->now_ms - p->changed_ms < dwell)) {
        return s->mode;
    }
    /* The last one of a minute is for the way back. */
    room = PAGING_PER_MINUTE - paging_policy_recent(p, s->now_ms);
    if (room < (want == SYMB_PAGING_SHADOW ? 2 : 1)) {
        p->held_back++;
        p->reason = "too many changes in a minute";
        return s->mode;
    }
    return want;
}
