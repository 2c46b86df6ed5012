/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_mm: threads of a process, without the C library.
 */
#ifndef FUZZ_MM_THREAD_H
#define FUZZ_MM_THREAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/**
 * thread_start() - another thread of this process
 * @fn: what it does; it ends when that returns
 * @stack: its stack, 16-byte aligned
 * @size: of that
 * @alive: 1 while it is there
 *
 * It has the caller's thread-local storage, so neither may need that.
 *
 * Return: 0, or -errno.
 */
long thread_start(void (*fn)(void), char *stack, size_t size, _Atomic uint32_t *alive);
/* Waits for its end. */
void thread_join(_Atomic uint32_t *alive);

#endif /* FUZZ_MM_THREAD_H */
