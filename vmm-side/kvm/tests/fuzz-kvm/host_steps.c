// SPDX-License-Identifier: GPL-2.0
/*
 * Steps of kvm_fuzz that its host does: to the memory, to the slots, to the VM. What it does
 * to a vCPU is in vcpu_steps.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "pressure.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static pid_t child;		/* which has its own copy of private memory */
static int child_end = -1;

/* ---- Steps of the host ------------------------------------------------------------------ */

static void advise(struct doing *d)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_COLLAPSE, MADV_POPULATE_WRITE,
	};
	const struct step *s = d->s;
	struct memory *memory = memory_of(&m, s->arg[0]);
	unsigned int pages = m.region[s->arg[0]].pages, nr = s->arg[3];

	if (!nr || s->arg[1] == ADVICE_HUGE || s->arg[1] == ADVICE_NOT_HUGE ||
	    s->arg[1] == ADVICE_COLLAPSE)
		nr = pages - s->arg[2];
	if (nr > pages - s->arg[2])
		nr = pages - s->arg[2];
	if (madvise(memory->mapped + s->arg[2] * 512, nr * 4096UL, advice[s->arg[1]]))
		d->end = END_ERROR;
	d->result = nr;
}

static void change_slot(struct doing *d)
{
	const struct step *s = d->s;
	struct region *r = &m.region[s->arg[0]];
	unsigned int slot = REGION_SLOT + s->arg[0], alt = r->alt;
	bool ro = r->read_only, there = r->present, log = r->log;
	__u64 gpa = r->gpa;

	switch (s->arg[1]) {
	case SLOT_DELETE:
		there = false;
		break;
	case SLOT_READ_ONLY:
		there = true;
		ro = true;
		log = false;
		break;
	case SLOT_ADD:
		there = true;
		ro = false;
		break;
	case SLOT_LOG:
		there = true;
		log = true;
		break;
	case SLOT_NO_LOG:
		there = true;
		log = false;
		break;
	case SLOT_OTHER:
		there = true;
		alt = !alt;
		break;
	case SLOT_MOVE:
		gpa = MOVED_GPA + s->arg[0] * MOVED_STEP;
		break;
	default:
		gpa = s->arg[0] == WINDOW ? WINDOW_GPA : MEMORY_GPA;
		break;
	}

	/* What cannot be changed in one go. */
	if (r->present && (!there || ro != r->read_only || alt != r->alt ||
			   (gpa != r->gpa && log != r->log))) {
		if (!map_slot(slot, r->gpa, NULL, 0, 0))
			found("a slot cannot be deleted: %s", strerror(errno));
		r->present = false;
		memset(r->dirty, 0, sizeof(r->dirty));
	}
	if (gpa != r->gpa || log != r->log)
		memset(r->dirty, 0, sizeof(r->dirty));
	r->read_only = ro;
	r->alt = alt;
	r->gpa = gpa;
	r->log = log;
	if (there)
		r->present = map_slot(slot, gpa, r->memory[alt].mapped, r->pages * 4096ULL,
				      (ro ? KVM_MEM_READONLY : 0) |
				      (log ? KVM_MEM_LOG_DIRTY_PAGES : 0));
	if (there && !r->present)
		d->end = END_ERROR;
}

/* Or begin to log. */
static void read_log(struct doing *d)
{
	struct region *r = &m.region[d->s->arg[0]];
	__u64 bits[MOST_PAGES / 64] = { 0 };
	struct kvm_dirty_log log = {
		.slot = REGION_SLOT + d->s->arg[0], .dirty_bitmap = bits,
	};
	unsigned int i;

	if (r->present && !r->read_only && !r->log) {
		r->log = map_slot(log.slot, r->gpa, r->memory[r->alt].mapped,
				  r->pages * 4096ULL, KVM_MEM_LOG_DIRTY_PAGES);
		if (!r->log)
			d->end = END_ERROR;
		return;
	}
	if (ioctl(vm, KVM_GET_DIRTY_LOG, &log)) {
		d->end = END_ERROR;
		return;
	}
	if (broken == BROKEN_LOG)
		memset(bits, 0, sizeof(bits));
	for (i = 0; i < r->pages; i++) {
		/* What is written at this moment is for the next time. */
		if (r->dirty[i] && !(bits[i / 64] & 1ULL << i % 64) && !in_group)
			found("page %u has been written to, but is not in the log", i);
		r->dirty[i] = false;
	}
}

static void map_again(struct doing *d)
{
	const struct step *s = d->s;
	struct memory *memory = memory_of(&m, s->arg[0]);
	size_t size = m.region[s->arg[0]].pages * 4096UL;
	void *to = memory->mapped, *away;

	if (s->kind == K_REPLACE) {
		to = mmap(memory->mapped, size, PROT_READ | PROT_WRITE, MAP_FIXED |
			  (memory->file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
			  memory->file, 0);
	} else {
		away = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, away) == MAP_FAILED)
			d->end = END_ERROR;
		else
			to = mremap(away, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
	if (to == MAP_FAILED)
		fail("memory is lost");
}

/* A process that shares private memory, until it is written to. */
void fork_child(bool on)
{
	unsigned int i, alt, j;
	int ends[2], status;
	char c;

	if (child) {
		close(child_end);
		if (waitpid(child, &status, 0) != child || status)
			found("another process sees what was written after the fork");
		child = 0;
	}
	if (!on || pipe(ends))
		return;
	child = fork();
	if (child < 0)
		child = 0;
	if (child) {
		close(ends[0]);
		child_end = ends[1];
		return;
	}
	close(ends[1]);
	if (read(ends[0], &c, 1) < 0)
		_exit(2);
	for (i = 0; i < NR_REGIONS; i++) {
		for (alt = 0; alt < ALTS; alt++) {
			const struct memory *memory = &m.region[i].memory[alt];

			for (j = 0; memory->file < 0 && memory->prot != PROT_IS_NONE &&
			     j < WINDOW_PAGES; j++)
				if (host_word(memory, j) != memory->content[j])
					_exit(1);
		}
	}
	_exit(0);
}

static void set_parameter(unsigned int which, unsigned int value)
{
	static const char * const files[] = {
		[PARAM_BUDGET] = "/sys/module/kvm/parameters/symcall_budget_ms",
		[PARAM_BYPASS] = "/sys/module/kvm/parameters/swapbypass",
		[PARAM_NX_HUGE] = "/sys/module/kvm/parameters/nx_huge_pages",
		[PARAM_THP] = "/sys/kernel/mm/transparent_hugepage/enabled",
	};
	static const char * const values[][2] = {
		[PARAM_BUDGET] = { "100", "20" }, [PARAM_BYPASS] = { "adaptive", "always" },
		[PARAM_NX_HUGE] = { "0", "1" }, [PARAM_THP] = { "madvise", "always" },
	};

	write_file(files[which], values[which][value % 2]);
}

#define CHURN_PAGES	4096	/* at most so many come and go */

/*
 * Pages come and go as long as guests do something at the same time: in the middle of that,
 * KVM may take one. It ends when they do, for the next time would take back what it took;
 * and whatever comes has another content, or nobody could tell.
 */
static void churn(struct doing *d)
{
	const struct step *s = d->s;
	struct memory *memory = memory_of(&m, s->arg[0]);
	unsigned int first = s->arg[1], nr = s->arg[2] ?: 1, i, j;
	int r;

	if (nr > m.region[s->arg[0]].pages - first)
		nr = m.region[s->arg[0]].pages - first;
	if (memory->prot != PROT_IS_ALL || first + nr > memory->length) {
		d->end = END_SKIPPED;
		return;
	}
	d->result = nr;
	for (i = 0; ; i++) {
		d->value = new_serial();
		d->left = d->value;
		if (!i)
			d->from = d->value;
		for (j = first; j < first + nr; j++)
			*(volatile __u64 *)(memory->mapped + j * 512) = d->value;
		if (i && !__atomic_load_n(&group_running, __ATOMIC_ACQUIRE))
			break;
		if (memory->file < 0)
			r = madvise(memory->mapped + first * 512, nr * 4096UL, MADV_DONTNEED);
		else
			r = fallocate(memory->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      first * 4096L, nr * 4096L);
		if (r)
			found("pages cannot be given back: %s", strerror(errno));
		d->left = 0;
		if (!__atomic_load_n(&group_running, __ATOMIC_ACQUIRE) ||
		    i >= CHURN_PAGES / nr)
			break;
	}
}

static void exec_memory(struct doing *d)
{
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	const struct step *s = d->s;
	struct memory *memory = memory_of(&m, s->arg[0]);
	unsigned int pages = m.region[s->arg[0]].pages, nr;

	switch (s->kind) {
	case K_WRITE:
		d->value = new_serial();
		if (memory->prot == PROT_IS_ALL && s->arg[1] < memory->length)
			*(volatile __u64 *)(memory->mapped + s->arg[1] * 512) = d->value;
		else
			d->end = END_SKIPPED;
		break;
	case K_ADVISE:
		advise(d);
		break;
	case K_PROTECT:
		if (mprotect(memory->mapped, pages * 4096UL, protections[s->arg[1]]))
			d->end = END_ERROR;
		break;
	case K_PUNCH:
		nr = s->arg[2] ?: 1;
		if (memory->file < 0 ||
		    fallocate(memory->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      s->arg[1] * 4096L, nr * 4096L))
			d->end = END_ERROR;
		d->result = nr;
		break;
	case K_CHURN:
		churn(d);
		break;
	case K_TRUNCATE:
		/* And long again at once, or every other time not. */
		d->result = s->arg[1] % 2 ? pages : s->arg[1];
		if (memory->file < 0 || ftruncate(memory->file, s->arg[1] * 4096L) ||
		    ftruncate(memory->file, d->result * 4096L))
			d->end = END_ERROR;
		break;
	default:
		map_again(d);
		break;
	}
}

void exec_host(struct doing *d)
{
	static const char * const pagings[] = { "nested", "shadow" };
	const struct step *s = d->s;

	switch (s->kind) {
	case K_SLOT:
		change_slot(d);
		break;
	case K_DIRTY_LOG:
		read_log(d);
		break;
	case K_BYPASS_MODE:
		if (!write_vm_file("bypass_mode", mode_names[s->arg[0]]))
			d->end = END_ERROR;
		break;
	case K_PAGING_MODE:
		if (!write_vm_file("paging_mode", pagings[s->arg[0]]))
			d->end = END_ERROR;
		break;
	case K_FORK:
		fork_child(!s->arg[0]);
		break;
	case K_MMU_PAGES:
		if (ioctl(vm, KVM_SET_NR_MMU_PAGES, 64UL + 8 * s->arg[0]))
			d->end = END_ERROR;
		break;
	case K_PARAMETER:
		set_parameter(s->arg[0], s->arg[1]);
		break;
	case K_RECLAIM:
		if (!reclaim(s->arg[0]))
			d->end = END_SKIPPED;
		break;
	case K_CPU_MODE:
	case K_SYMCALL:
	case K_ROUND_TRIP:
	case K_RESET:
	case K_INIT:
	case K_NEW_VCPU:
	case K_NMI:
	case K_SMI:
	case K_IRQ:
	case K_DEBUG:
	case K_SIGNAL:
	case K_SET:
	case K_EDGE:
		exec_vcpu(d);
		break;
	default:
		exec_memory(d);
		break;
	}
}
