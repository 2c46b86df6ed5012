/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share whose cases do one thing to some swapped-out pages:
 * those pages, children, and how a case ends that has found something wrong.
 */
#ifndef BYPASS_TEST_CASE_H
#define BYPASS_TEST_CASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Pages of a case. */
extern size_t npages;

/* Ends the process with TEST_VIOLATED. */
void violated(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Bytes of @npages. */
size_t len(void);
/* Pattern (@id + number of the page, @seq) into all pages, and is it there? */
void fill(char *p, uint64_t id, uint64_t seq);
void verify(const char *what, const char *p, uint64_t id, uint64_t seq);
void must_page_out(char *p);

/*
 * Pages with content (@id, 1), swapped out. In the middle of a larger mapping,
 * so that the page-table page and its shadow outlive what a test does to the
 * pages.
 */
char *swapped_out(uint64_t id);

pid_t must_fork(void);
/* Ends this process like the child, if that has found something. */
void join_child(pid_t pid);

/* Order between parent and child: one waits for what the other passes. */
struct baton {
	int fd[2][2];
};

void baton_init(struct baton *b);
void baton_pass(struct baton *b, int who);
void baton_wait(struct baton *b, int who);

#endif /* BYPASS_TEST_CASE_H */
