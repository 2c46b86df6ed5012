/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share whose cases do one thing to some swapped-out pages:
 * those pages, children, how a case ends that has found something wrong, and
 * tables of cases that run one after the other.
 */
#ifndef BYPASS_TEST_CASE_H
#define BYPASS_TEST_CASE_H

#include <stdbool.h>
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

/**
 * struct test_case - one row of a table of cases, which an empty row ends
 * @name: for the command line
 * @what: for people
 * @fn: ends the process if it does not hold
 * @special: runs only if it is named
 */
struct test_case {
	const char *name;
	const char *what;
	void (*fn)(void);
	bool special;
};

/**
 * struct removal - a rule that is left out, to test the case that needs it
 * @skip: bits for the kernel
 * @what: the rule
 * @name: the case
 * @want: what comes of it, TEST_VIOLATED or such, or NOTICED
 */
struct removal {
	unsigned int skip;
	const char *what;
	const char *name;
	int want;
};

/* Anything but TEST_OK: a case may also never end without its rule. */
#define NOTICED	(-1)

/**
 * struct suite - cases, and what happens around them
 * @tables: of cases, up to a NULL
 * @before: each case
 * @after: each case, whatever has become of it
 * @clear: false if a case that holds has left something that it should not
 * @seconds: the longest that a case may take
 * @last: a case after all others, or NULL
 * @skip: leaves out rules, for suite_test()
 * @clean: removes what is left over without a rule
 * @patience: seconds for a case without its rule
 * @tries: how often it may hold by chance and then try again
 */
struct suite {
	const struct test_case *const *tables;
	void (*before)(void);
	void (*after)(void);
	bool (*clear)(void);
	unsigned int seconds;
	const struct test_case *last;
	void (*skip)(unsigned int bits);
	void (*clean)(void);
	unsigned int patience;
	unsigned int tries;
};

/* Runs those of @names, or all that are not special; KTAP. Returns the status. */
int suite_run(const struct suite *s, char **names);

/* Leaves out a rule at a time, of those whose case is in @names, or of all. */
int suite_test(const struct suite *s, const struct removal *removals, char **names);

const struct test_case *suite_find(const struct suite *s, const char *name);
int suite_list(const struct suite *s);

#endif /* BYPASS_TEST_CASE_H */
