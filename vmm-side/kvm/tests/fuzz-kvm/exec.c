// SPDX-License-Identifier: GPL-2.0
/*
 * Executing a program of kvm_fuzz: one step after the other, some while another one's
 * question is being answered, some at the same time.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kcov.h"
#include "machine.h"
#include "pressure.h"

#define BUDGET_MS		100

struct shared *shared;
bool vms_switch;
enum broken broken;
int broken_pipe[2];

void found(const char *fmt, ...)
{
	char *p = shared->find;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p, sizeof(shared->find), fmt, ap);
	va_end(ap);
	_exit(EXIT_FOUND);
}

static unsigned int bits_of(const __u8 *map)
{
	unsigned int i, n = 0;

	for (i = 0; i < (1 << COVER_BITS) / 8; i++)
		n += __builtin_popcount(map[i]);
	return n;
}

void count_cover(void)
{
	shared->covered = bits_of(shared->cover);
	shared->nr_places = bits_of(shared->places);
}

/* Pairs of steps and how they have ended; the more, the more has been tried. */
static void cover(const struct doing *d)
{
	static __thread __u32 last;
	__u32 now = (d->s->kind * 61 + kind_variant(d->s)) * END_NR + d->end, hash;

	shared->kinds[d->s->kind][d->end]++;
	/* What was not done is no operation, and nothing new. */
	if (d->end == END_SKIPPED)
		return;
	shared->steps++;
	kcov_collect();
	now = now * 4 + (d->answered << 1 | !!d->s->flags);
	hash = (now * 0x9e3779b1U ^ last * 0x85ebca6bU) >> (32 - COVER_BITS);
	last = d->s->kind * END_NR + d->end;
	if (!(shared->cover[hash / 8] & 1 << hash % 8)) {
		shared->cover[hash / 8] |= 1 << hash % 8;
		shared->covered++;
		shared->news++;
	}
}

/* What there is no code for outside of long mode, where accesses are not atomic, either. */
static bool in_long_mode_only(const struct step *s)
{
	switch (s->kind) {
	case K_USER_LOAD:
	case K_USER_STORE:
	case K_EXEC:
	case K_CR4:
	case K_BAD_CR:
	case K_EFER:
	case K_STI:
		return true;
	default:
		return in_group;
	}
}

static bool can_run(const struct step *s)
{
	if (s->who == HOST)
		return true;
	return s->who < nr_vcpus && !vcpus[s->who].busy &&
	       (m.mode[s->who] == MODE_LONG || !in_long_mode_only(s));
}

static void exec_step(struct doing *d)
{
	d->end = END_DONE;
	if (!can_run(d->s))
		d->end = END_SKIPPED;
	else if (is_access(d->s))
		exec_access(d);
	else if (d->s->who == HOST)
		exec_host(d);
	else
		exec_guest(d);
}

static void finish_step(const struct doing *d)
{
	if (d->end != END_SKIPPED) {
		if (d->s->who == HOST)
			apply_host(d);
		else
			apply_guest(d);
	}
	cover(d);
}

void exec_one(const struct step *s, const struct step *during, unsigned int nr)
{
	struct doing d = { .s = s, .during = during, .nr_during = nr };

	shared->beat++;
	exec_step(&d);
	finish_step(&d);
	if (is_access(s) && d.end != END_SKIPPED)
		check_access(&d);
}

/* ---- Steps at the same time ---------------------------------------------------------------- */

#define MOST_AT_A_TIME	8

static pthread_barrier_t start;
static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;

static void *exec_thread(void *arg)
{
	struct doing *d = arg;
	bool host = d->s->who == HOST;

	pthread_barrier_wait(&start);
	/* The host's one after the other: or nobody knows which was the last. */
	if (host)
		pthread_mutex_lock(&host_lock);
	exec_step(d);
	if (!host)
		__atomic_sub_fetch(&group_running, 1, __ATOMIC_RELEASE);
	if (host) {
		apply_host(d);
		pthread_mutex_unlock(&host_lock);
	}
	return NULL;
}

/* Answers at the same time may be for a window that is about to be attached. */
static void expect_attach(const struct step *s, unsigned int nr)
{
	for (; nr; nr--, s++) {
		if (s->kind == K_ATTACH && s->arg[0] <= DESC_MEMORY) {
			m.descs |= 1 << s->arg[0];
			m.desc_gpa[s->arg[0]] = m.region[s->arg[0] == DESC_MEMORY].gpa;
		}
	}
}

static void exec_group(const struct step *s, unsigned int nr)
{
	struct doing d[MOST_AT_A_TIME];
	unsigned int i;

	shared->beat++;
	before = m;
	in_group = true;
	nr_group_values = 0;
	memset(touched, 0, sizeof(touched));
	memset(d, 0, sizeof(d));
	pthread_barrier_init(&start, NULL, nr);
	group_logs = false;
	group_gaps = false;
	group_running = 0;
	group_from = ~0ULL;
	group_to = 0;
	for (i = 0; i < nr; i++) {
		group_running += s[i].who != HOST;
		group_logs |= s[i].kind == K_SLOT || s[i].kind == K_DIRTY_LOG;
		group_gaps |= s[i].kind == K_SLOT || s[i].kind == K_REMAP ||
			      s[i].kind == K_TRUNCATE;
	}
	expect_attach(s, nr);
	for (i = 0; i < nr; i++) {
		d[i].s = s + i;
		if (i && pthread_create(&d[i].thread, NULL, exec_thread, &d[i]))
			fail("no thread");
	}
	exec_thread(&d[0]);
	for (i = 1; i < nr; i++)
		pthread_join(d[i].thread, NULL);

	for (i = 0; i < nr; i++) {
		if (d[i].value)
			group_value[nr_group_values++] = d[i].value;
		if (d[i].from && d[i].from < group_from)
			group_from = d[i].from;
		if (d[i].from && d[i].value > group_to)
			group_to = d[i].value;
		if (d[i].s->kind == K_ADVISE || d[i].s->kind == K_PUNCH ||
		    d[i].s->kind == K_TRUNCATE || d[i].s->kind == K_REPLACE ||
		    d[i].s->kind == K_CHURN)
			group_value[nr_group_values++] = 0;
	}
	/* The host's have been; drops before what was granted at the same time. */
	for (i = 0; i < nr; i++)
		if (d[i].s->who != HOST && d[i].end != END_SKIPPED && !is_access(d[i].s))
			apply_guest(&d[i]);
	for (i = 0; i < nr; i++) {
		if (d[i].end != END_SKIPPED && is_access(d[i].s))
			apply_guest(&d[i]);
		cover(&d[i]);
	}
	resolve_entries();
	for (i = 0; i < nr; i++)
		if (is_access(d[i].s) && d[i].end != END_SKIPPED)
			check_access(&d[i]);
	resolve_pages();
	in_group = false;
}

void exec_program(const struct program *p)
{
	unsigned int i, n;

	shared->at = 0;
	shared->news = 0;
	if (setjmp(ended))
		found("the harness has failed");
	begin_vm(p);
	for (i = 0; i < p->nr; i += n) {
		const struct step *s = &p->step[i];

		shared->at = i;
		n = 1;
		if (s->flags & STEP_ALONGSIDE) {
			while (s[n - 1].flags & STEP_ALONGSIDE && n < MOST_AT_A_TIME)
				n++;
			exec_group(s, n);
			continue;
		}
		while (i + n < p->nr && s[n].flags & STEP_DURING)
			n++;
		exec_one(s, s + 1, n - 1);
	}
	check_all();
	end_vm();
	shared->programs++;
}

void exec_init(void)
{
	if (setjmp(ended))
		exit(2);
	pressure_begin();
	vm_init();
	set_budget(BUDGET_MS);
	kcov_begin();
}
