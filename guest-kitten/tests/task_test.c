// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeping, waking and moving, with this machine's clocks and interrupts.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/task.h>
#include "selftest.h"

#define TRIES	500

static bool runs_alone(void)
{
	const struct thread *t = current_thread();

	return t->state == THREAD_READY && !t->queued && !t->cpu->queue &&
	       t->cpu == this_cpu() && t->cpu->current == t;
}

/* Long over, over just now, and over while the CPU goes idle. */
static const char *sleep_is_over(void)
{
	u32 wrong = 0;

	for (u32 i = 0; i < TRIES; i++) {
		wrong += sched_block(1) || !runs_alone();
		wrong += sched_block(clock_ns()) || !runs_alone();
		wrong += sched_block(clock_ns() + i * 20) || !runs_alone();
	}
	EXPECT(!wrong);
	return NULL;
}

static const char *sleep_takes_its_time(void)
{
	u64 start = clock_ns(), used = thread_cpu_ns(current_thread());
	u64 until = start + 20000000;

	EXPECT(!sched_block(until) && runs_alone());
	EXPECT(clock_ns() >= until);
	used = thread_cpu_ns(current_thread()) - used;
	EXPECT(used < clock_ns() - start);
	return NULL;
}

/* Whoever ends the task has woken all that slept, and comes no second time. */
static const char *no_sleep_at_the_end(void)
{
	struct task *task = current_task();

	task->exiting = true;
	EXPECT(sched_block(0));
	EXPECT(sched_block(clock_ns() + 1000000000));
	task->exiting = false;
	EXPECT(runs_alone());
	return NULL;
}

static void go_to(u64 mask)
{
	thread_set_cpus(current_thread(), mask);
	while (this_cpu()->need_resched)
		sched();
}

static const char *to_each_cpu(void)
{
	u32 first = this_cpu()->id, wrong = 0;

	for (u32 i = 0; i < nr_cpus; i++) {
		go_to(1ULL << i);
		wrong += this_cpu()->id != i || !runs_alone();
		/* The timer that wakes it is that CPU's. */
		wrong += sched_block(clock_ns() + 100000) ||
			 this_cpu()->id != i;
	}
	go_to(1ULL << first);
	EXPECT(!wrong && this_cpu()->id == first);
	thread_set_cpus(current_thread(), all_cpus());
	return NULL;
}

static const char *numbers(void)
{
	u32 id = new_id();

	EXPECT(thread_find(INIT_TASK) == current_thread());
	EXPECT(task_find(INIT_TASK) == current_task());
	EXPECT(id > INIT_TASK && !task_find(id) && !thread_find(id));
	EXPECT(new_id() != id && !thread_find(0));
	return NULL;
}

static const struct test_case tests[] = {
	{ "sleep_is_over", sleep_is_over },
	{ "sleep_takes_its_time", sleep_takes_its_time },
	{ "no_sleep_at_the_end", no_sleep_at_the_end },
	{ "to_each_cpu", to_each_cpu },
	{ "numbers", numbers },
};

const struct test_suite test_task = { .name = "task", SUITE(tests) };
