/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages of a window does nobody use? Without a word of the guest's, who may lie: a
 * clock hand takes pages from QEMU's page table, and with that from KVM's. What is used
 * comes back by a page fault, which finds it where it was. What has not come back when the
 * hand is there again is cold, and the host's kernel is told to page it out.
 *
 * It needs memory that outlives its mapping: a shared one, of a file. Plain system calls,
 * so that tests can run anywhere (vmm-side/qemu/tests/unit). A fault may map a few
 * neighbours too, which then pass for used.
 */
#ifndef TARGET_I386_KVM_SYMBIOTIC_COLD_H
#define TARGET_I386_KVM_SYMBIOTIC_COLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_PAGE_SIZE        4096

typedef struct WindowCold {
    uint8_t *start;
    size_t pages;
    size_t hand;                /* the page that is looked at next */
    int pagemap;                /* of this process */
    /* Pages so far: of the hand's way, used since it was there, told to page out. */
    uint64_t looked;
    uint64_t used;
    uint64_t cold;
} WindowCold;

/**
 * window_cold_open: begin with a window
 * @w: filled in
 * @start: where it is mapped, shared
 * @bytes: its size
 *
 * Returns: 0 or -errno
 */
int window_cold_open(WindowCold *w, void *start, size_t bytes);

/**
 * window_cold_look: move the hand, and page out what is cold
 * @w: the window
 * @most: pages to look at
 * @want: pages that are enough
 *
 * May wait for the disk. No thread that uses the window waits for it.
 *
 * Returns: 0 or -errno
 */
int window_cold_look(WindowCold *w, size_t most, size_t want);

/**
 * WindowColdThread: looks without anybody waiting for the disk
 * @window: the thread's while it is @busy
 * @busy: a look is under way
 * @stop: there shall be no more
 * @error: of the last look, -errno
 * @told: what @window has counted, as of the last look
 * @want: pages that are enough
 */
typedef struct WindowColdThread {
    WindowCold window;
    pthread_t thread;
    pthread_mutex_t lock;       /* of all that follows */
    pthread_cond_t wake;
    bool busy;
    bool stop;
    int error;
    WindowCold told;
    size_t want;
} WindowColdThread;

/**
 * window_cold_start: have a thread that looks
 * @t: all zero but for @window, which is open
 *
 * Returns: 0 or -errno: there can be no thread now
 */
int window_cold_start(WindowColdThread *t);

/**
 * window_cold_end: stop it, before the memory goes; waits for a part of a look
 * @t: the thread
 */
void window_cold_end(WindowColdThread *t);

/**
 * window_cold_ask: begin a look at an eighth of the window, if none is under way
 * @t: the thread
 * @want: pages that are enough; 0: none is to begin
 * @told: what was found so far
 * @busy: whether a look is under way
 *
 * Returns: 0 or -errno, with which the last look has ended; then none begins
 */
int window_cold_ask(WindowColdThread *t, size_t want, WindowCold *told, bool *busy);

#endif /* TARGET_I386_KVM_SYMBIOTIC_COLD_H */
