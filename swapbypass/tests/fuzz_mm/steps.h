/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: the steps. Each does it, tells the model, and compares what is seen with that;
 * crew.h has what a text means.
 */
#ifndef FUZZ_MM_STEPS_H
#define FUZZ_MM_STEPS_H

#include <stdbool.h>

#include "program.h"

#define PM_SOFT_DIRTY	(1ULL << 55)	/* in pagemap */

extern char *buffer;			/* MAX_COUNT pages */

bool overlap(int a, int b, int count);

/* So many pages, as the process reads them. */
const char *look(int proc, int page, int count);
/* Pages that the process says it has written. */
const char *written(int proc, int page, int count, int fill);
/* So many pages of what a pipe has. */
const char *drain(int pipe, unsigned int nr);

/* False if this kernel does not say them. Before memory is locked. */
bool sums_open(void);
/* Does the kernel count as many pages of a process as there are? */
const char *sums_check(int proc);

const char *step_map(const struct step *s);
const char *step_unmap(const struct step *s);
const char *step_write(const struct step *s);
const char *step_protect(const struct step *s);
const char *step_advise(const struct step *s);
const char *step_move(const struct step *s);
const char *step_resize(const struct step *s);
const char *step_lock(const struct step *s);
const char *step_unlock(const struct step *s);
const char *step_fork(const struct step *s);
const char *step_exec(const struct step *s);
const char *step_exit(const struct step *s);
const char *step_kill_in(const struct step *s);
const char *step_core(const struct step *s);
const char *step_numa(const struct step *s);
const char *step_pin(const struct step *s);
const char *step_pin_out(const struct step *s);
const char *step_pin_in(const struct step *s);
const char *step_unpin(const struct step *s);
const char *step_uffd_move(const struct step *s);
const char *step_clean(const struct step *s);
const char *step_dirty(const struct step *s);
const char *step_rss(const struct step *s);
const char *step_peek(const struct step *s);
const char *step_poke(const struct step *s);
const char *step_advise_other(const struct step *s);
const char *step_read(const struct step *s);
const char *step_churn(const struct step *s);
const char *step_vfork(const struct step *s);
const char *step_uffd_missing(const struct step *s);
const char *step_uffd_wait(const struct step *s);
const char *step_uffd_wp(const struct step *s);
const char *step_drain(const struct step *s);
const char *step_splice(const struct step *s);
const char *step_tee(const struct step *s);
const char *step_pass(const struct step *s);
const char *step_pour(const struct step *s);
const char *step_direct(const struct step *s);

#endif /* FUZZ_MM_STEPS_H */
