/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the cases of in_place share: the window, pages in place, a memory cgroup.
 */
#ifndef IN_PLACE_TEST_H
#define IN_PLACE_TEST_H

#include "case.h"
#include "common.h"

/* The memory cgroup that make_group() makes. */
#define GROUP	"/sys/fs/cgroup/in_place"

/* Generous: what is asked for must come, not come fast. */
#define WAIT_MS	60000

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25	/* newer than Debian 12's headers */
#endif

/* For direct I/O. */
extern const char *disk;
/* As many as the VMM grants. */
extern long long all_pages;

/* Files of the window in sysfs. */
long long window(const char *name);
void set_window(const char *name, const char *text);
void set_grant(long long pages);
void by_faults(void);
/* False if more than @most stay in place. */
bool wait_in_place(long long most);

/* Swapped out and read, so that all pages are in place. */
char *in_place(uint64_t id);
/*
 * Swaps out as much as the window holds, so that each slot that is free gets
 * content: page i is 0x10000 + i.
 */
char *fill_window(void);

char *device(void);
/* 0, or the error; EINTR if it does not end in @seconds. */
int swapoff_within(const char *dev, unsigned int seconds);
/* The same, with a signal after @us, and more of them. */
int swapoff_for(const char *dev, unsigned int us);
/* KiB. */
long long swap_used(void);

/* Sooner or later @pages are held, as the guest sees it and as the VMM does. */
void must_hold(const char *when, long long pages);
/* The pages are in a pipe, which needs no privilege. */
void into_pipe(int fd[2], char *p);
/* ... or in the queue of a socket, but for a few; out_of_pipe() reads these too. */
void into_socket(int fd[2], char *p);
/* Reads them back, which lets go of them. */
void out_of_pipe(int fd[2], uint64_t id, uint64_t seq);

/* Files of the memory cgroup. */
long long group(const char *name);
void set_group(const char *name, const char *text);
void make_group(void);
/*
 * @rounds over 24 MiB in a group of 12 MiB; writes 1 to @poke meanwhile, if it
 * is a file.
 */
void pressure(size_t rounds, const char *poke);

/* Leaves a process behind that removes the device, and waits. */
int leave_removal(void);

extern const struct test_case in_place_faults[], in_place_space[], in_place_others[];
extern const struct test_case in_place_grant[], in_place_memcg[], in_place_device[];
extern const struct test_case in_place_touch[], in_place_large[];

#endif /* IN_PLACE_TEST_H */
