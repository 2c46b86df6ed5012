/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages of a window does nobody use?
 */

#include "qemu/osdep.h"
#include <signal.h>
#include <sys/mman.h>
#include "symbiotic-cold.h"

/* Linux 5.4 and 5.14; headers may be older. */
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT            21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ      22
#endif

/* What is looked at in one go. */
#define CHUNK_PAGES             512

/* The hand is around after so many looks; what is not used in between is cold. */
#define LOOKS_AROUND            8

#define PAGEMAP_PRESENT         (1ULL << 63)

int window_cold_open(WindowCold *w, void *start, size_t bytes)
{
    *w = (WindowCold){
        .start = start,
        .pages = bytes / WINDOW_PAGE_SIZE,
        .pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
    };
    return w->pagemap < 0 ? -errno : 0;
}

static int advise(WindowCold *w, size_t page, size_t nr, int advice)
{
    return madvise(w->start + page * WINDOW_PAGE_SIZE, nr * WINDOW_PAGE_SIZE, advice) ?
           -errno : 0;
}

/* The kernel pages out what is mapped here, so that it has to be for a moment. */
static int page_out(WindowCold *w, size_t page, size_t nr)
{
    int ret = advise(w, page, nr, MADV_POPULATE_READ);

    if (!ret) {
        ret = advise(w, page, nr, MADV_PAGEOUT);
        w->cold += nr;
    }
    /* What it has left shall not look used. */
    advise(w, page, nr, MADV_DONTNEED);
    return ret;
}

/* Returns how many pages were cold, or -errno. */
static int look_at(WindowCold *w, size_t page, size_t nr, size_t want)
{
    uint8_t *addr = w->start + page * WINDOW_PAGE_SIZE;
    ssize_t bytes = nr * sizeof(uint64_t);
    uint64_t map[CHUNK_PAGES];
    uint8_t resident[CHUNK_PAGES];
    size_t i, run, used = 0, cold = 0;
    int ret = 0;

    if (pread(w->pagemap, map, bytes,
              (uintptr_t)addr / WINDOW_PAGE_SIZE * sizeof(uint64_t)) != bytes) {
        return -EIO;
    }
    if (mincore(addr, nr * WINDOW_PAGE_SIZE, resident)) {
        return -errno;
    }
    for (i = 0; i < nr; i++) {
        used += !!(map[i] & PAGEMAP_PRESENT);
    }
    w->looked += nr;
    w->used += used;
    if (used) {
        ret = advise(w, page, nr, MADV_DONTNEED);
    }
    for (i = 0; !ret && i < nr && cold < want; i += run) {
        for (run = 0; i + run < nr && run < want - cold &&
             resident[i + run] & 1 && !(map[i + run] & PAGEMAP_PRESENT); run++) {
            ;
        }
        if (run) {
            ret = page_out(w, page + i, run);
            cold += run;
        } else {
            run = 1;
        }
    }
    return ret ? ret : (int)cold;
}

int window_cold_look(WindowCold *w, size_t most, size_t want)
{
    int ret;

    if (most > w->pages) {
        most = w->pages;
    }
    while (most && want) {
        size_t nr = w->pages - w->hand;

        if (nr > CHUNK_PAGES) {
            nr = CHUNK_PAGES;
        }
        if (nr > most) {
            nr = most;
        }
        ret = look_at(w, w->hand, nr, want);
        /* Also if it failed: the next one may not. */
        w->hand = (w->hand + nr) % w->pages;
        if (ret < 0) {
            return ret;
        }
        most -= nr;
        want -= ret;
    }
    return 0;
}

static bool stopped(WindowColdThread *t)
{
    bool stop;

    pthread_mutex_lock(&t->lock);
    stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

/* In parts, as an end waits for one. */
static int look(WindowColdThread *t, size_t want)
{
    WindowCold *w = &t->window;
    size_t left = (w->pages + LOOKS_AROUND - 1) / LOOKS_AROUND;
    uint64_t before = w->cold;
    int ret = 0;

    while (!ret && left && w->cold - before < want && !stopped(t)) {
        size_t part = MIN(left, CHUNK_PAGES);

        ret = window_cold_look(w, part, want - (w->cold - before));
        left -= part;
    }
    return ret;
}

static void *run(void *opaque)
{
    WindowColdThread *t = opaque;
    size_t want;
    int ret;

    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (!t->busy) {
            pthread_cond_wait(&t->wake, &t->lock);
            continue;
        }
        want = t->want;
        pthread_mutex_unlock(&t->lock);
        ret = look(t, want);
        pthread_mutex_lock(&t->lock);
        t->error = ret;
        t->told = t->window;
        t->busy = false;
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int window_cold_start(WindowColdThread *t)
{
    sigset_t all, old;
    int ret;

    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    /* Signals are for others. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ret = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -ret;
}

void window_cold_end(WindowColdThread *t)
{
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
}

int window_cold_ask(WindowColdThread *t, size_t want, WindowCold *told, bool *busy)
{
    int ret = 0;

    pthread_mutex_lock(&t->lock);
    if (!t->busy && t->error) {
        ret = t->error;
        t->error = 0;
    } else if (!t->busy && want && !t->stop) {
        t->busy = true;
        t->want = want;
        pthread_cond_signal(&t->wake);
    }
    *told = t->told;
    *busy = t->busy;
    pthread_mutex_unlock(&t->lock);
    return ret;
}
