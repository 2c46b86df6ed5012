/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: what a process can be told to do. Each takes the arguments of the step, and
 * returns 0 or a number, or -errno; what it has seen it leaves in the mailbox.
 */
#ifndef FUZZ_MM_WORKER_OPS_H
#define FUZZ_MM_WORKER_OPS_H

#include "worker.h"

extern int worker_me;		/* its number */

/* worker_memory.c */
long do_map(const int *arg);
long do_write(struct mailbox *box);
long do_read(struct mailbox *box);
long do_move(const int *arg);
long do_resize(const int *arg);
long do_churn(const int *arg);
long do_protect(const int *arg);
long do_advise(const int *arg);
long do_lock(const int *arg);

/* worker_io.c */
long do_splice(const int *arg);
long do_direct(const int *arg);
long do_aio(const int *arg);

/* worker_numa.c */
long do_numa(const int *arg);

/* worker_ring.c */
void ring_close(void);
long do_pin(const int *arg);
long do_pin_out(struct mailbox *box);
long do_pin_in(struct mailbox *box);

/* worker_uffd.c */
void uffd_close(void);
long do_uffd_move(const int *arg);
long do_uffd_missing(struct mailbox *box);
long do_uffd_wait(struct mailbox *box);
long do_uffd_wp(const int *arg);

#endif /* FUZZ_MM_WORKER_OPS_H */
