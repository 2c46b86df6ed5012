// SPDX-License-Identifier: GPL-2.0
/*
 * SMARTMAP: two tasks of the same program read and write each other's memory
 * with ordinary loads and stores. Run as `smartmap & smartmap`.
 */
#include <ktap.h>

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORDS		100000
#define SLOT_SHIFT	39

/* The same program, so the same addresses in both. */
static volatile unsigned long mine[WORDS];
static volatile int stage;
static volatile unsigned long inbox;
static unsigned long * volatile heap_block;

static void *remote(unsigned int rank, const volatile void *local)
{
	return (void *)((uintptr_t)local |
			(uintptr_t)(rank + 1) << SLOT_SHIFT);
}

static unsigned int number(const char *name)
{
	const char *v = getenv(name);

	return v ? (unsigned int)atoi(v) : 0;
}

static void wait_for(const volatile int *where, int what)
{
	while (__atomic_load_n(where, __ATOMIC_ACQUIRE) < what)
		sched_yield();
}

static void reach(int what)
{
	__atomic_store_n(&stage, what, __ATOMIC_RELEASE);
}

int main(void)
{
	unsigned int rank = number("KITTEN_RANK");
	unsigned int other = !rank, wrong = 0, i;
	unsigned long *block, *theirs;
	volatile int *their_stage;

	if (number("KITTEN_RANKS") != 2) {
		fputs("run as `smartmap & smartmap`\n", stderr);
		return 2;
	}
	/* Their results are one list. */
	if (!rank)
		ktap_plan(2);
	ktap_begun = 1;
	their_stage = remote(other, &stage);

	/* Static data and memory from the heap. */
	block = malloc(WORDS * sizeof(*block));
	if (!block)
		return 3;
	for (i = 0; i < WORDS; i++) {
		mine[i] = rank * 1000000UL + i;
		block[i] = ~mine[i];
	}
	heap_block = block;
	reach(1);
	wait_for(their_stage, 1);

	/* Read all of the other's. */
	for (i = 0; i < WORDS; i++)
		wrong += ((unsigned long *)remote(other, mine))[i] !=
			 other * 1000000UL + i;
	theirs = remote(other, *(unsigned long **)remote(other, &heap_block));
	for (i = 0; i < WORDS; i++)
		wrong += theirs[i] != ~(other * 1000000UL + i);
	reach(2);
	wait_for(their_stage, 2);

	/* Write there, each in its own half, and find what the other wrote. */
	for (i = rank; i < WORDS; i += 2)
		theirs[i] = 7 * i + rank;
	*(unsigned long *)remote(other, &inbox) = 0xabcd00 + rank;
	reach(3);
	wait_for(their_stage, 3);
	for (i = other; i < WORDS; i += 2)
		wrong += block[i] != 7 * i + other;

	/* A mailbox, to and fro; they may share a CPU. */
	for (i = 1; i <= 100; i++) {
		if (rank) {
			while (inbox != 2 * i)
				sched_yield();
			*(volatile unsigned long *)remote(0, &inbox) = 2 * i + 1;
		} else {
			if (i == 1)
				wrong += inbox != 0xabcd00 + other;
			*(volatile unsigned long *)remote(1, &inbox) = 2 * i;
			while (inbox != 2 * i + 1)
				sched_yield();
		}
	}
	/* Neither may go while the other looks at it. */
	reach(4);
	wait_for(their_stage, 4);
	/* Of both, this is the one of this rank. */
	ktap_nr = rank;
	return ktap(!wrong, "smartmap rank %u", rank) ? 0 : 1;
}
