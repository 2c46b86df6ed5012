// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler on CPUs that the test runs in turns, a step at a time. Stacks
 * are not switched: whoever is current when sched() has returned goes on.
 */
#include "fake.h"

#include <kitten/arch.h>

#define CPUS		3
#define THREADS		12
#define SLICE_NS	10000000ULL

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = CPUS;

static struct cpu *here;
static bool ipi[MAX_CPUS];
static u64 timer[MAX_CPUS];
static u64 now, root, last_id;
static struct aspace as;
static struct task task;

struct cpu *this_cpu(void)
{
	return here;
}

void wrmsr(u32 msr, u64 v)
{
	(void)msr;
	(void)v;
}

u64 read_cr3(void)
{
	return root;
}

void write_cr3(u64 v)
{
	root = v;
}

u64 clock_ns(void)
{
	return now;
}

void apic_send_ipi(u32 id, u8 vector)
{
	(void)vector;
	ipi[id] = true;
}

void apic_timer_at(u64 when)
{
	timer[here->id] = when;
}

void switch_stack(u64 *save, u64 load)
{
	*save = load;
}

void user_start(void)
{
}

void cpu_sleep(void)
{
}

u32 new_id(void)
{
	return ++last_id;
}

/* ---- what must be true after every step ---- */

static bool is_live(const struct thread *t)
{
	return t->state == THREAD_READY || t->state == THREAD_BLOCKED;
}

/* In how many places is a thread? A queue that does not end is one too many. */
static u32 places(const struct thread *t, u32 *in_queue)
{
	u32 n = 0;

	*in_queue = 0;
	for (u32 i = 0; i < CPUS; i++) {
		u32 length = 0;

		n += cpus[i].current == t;
		for (struct thread *q = cpus[i].queue; q && length < 200;
		     q = q->next, length++)
			*in_queue += q == t;
		EXPECT(length < 200);
	}
	return n + *in_queue;
}

static void check_threads(void)
{
	u32 count[CPUS] = { 0 }, in_queue;
	struct thread *t;

	for (u32 i = 0; (t = thread_at(i)); i++) {
		u32 n = places(t, &in_queue);

		EXPECT(n == (t->state == THREAD_READY));
		EXPECT(in_queue == t->queued);
		if (is_live(t))
			count[t->cpu->id]++;
	}
	for (u32 i = 0; i < CPUS; i++)
		EXPECT(cpus[i].nr_threads == count[i]);
}

/* Once all CPUs have looked: nobody waits for what does not come. */
static void check_rest(void)
{
	struct thread *t;

	for (u32 i = 0; i < CPUS; i++) {
		struct cpu *cpu = &cpus[i];

		EXPECT(!cpu->queue || cpu->current != cpu->idle);
		EXPECT(!cpu->queue ||
		       (timer[i] && timer[i] <= now + SLICE_NS));
		EXPECT(cpu->current == cpu->idle ||
		       cpu->current->cpus >> i & 1);
	}
	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->state != THREAD_BLOCKED || !t->wake_at)
			continue;
		EXPECT(timer[t->cpu->id] && timer[t->cpu->id] <= t->wake_at);
	}
}

/* ---- steps ---- */

/* The way to user mode, or round the idle loop. */
static void leave_kernel(void)
{
	u32 n = 0;

	while (here->need_resched ||
	       (here->current == here->idle && here->queue)) {
		sched();
		if (++n > 100) {
			EXPECT(!"it comes to an end");
			break;
		}
	}
	check_threads();
}

static void interrupt(u32 id)
{
	here = &cpus[id];
	here->need_resched = true;
	leave_kernel();
}

/* Interrupts that are under way arrive, and those that they lead to. */
static void settle(void)
{
	for (u32 n = 0, i = 0; i < CPUS; i++) {
		bool due = timer[i] && timer[i] <= now;

		if (!ipi[i] && !due)
			continue;
		ipi[i] = false;
		if (due)
			timer[i] = 0;
		interrupt(i);
		if (++n > 1000) {
			EXPECT(!"interrupts come to an end");
			break;
		}
		i = -1;
	}
	check_rest();
}

static struct thread *any_thread(void)
{
	struct thread *t = thread_at(fake_random() % THREADS);

	return is_live(t) ? t : NULL;
}

static void start_thread(void)
{
	struct thread *t;

	if (task.nr_threads == THREADS)
		return;
	t = thread_create(&task, 1 + fake_random() % (all_cpus()), -1);
	EXPECT(t);
	if (t)
		thread_wake(t);
}

static void end_thread(void)
{
	struct thread *t = here->current;

	t->cpu->nr_threads--;
	task.nr_threads--;
	t->state = THREAD_DEAD;
	sched();
}

/* What a thread may do in a system call. */
static void step(void)
{
	struct thread *t = any_thread();

	here = &cpus[fake_random() % CPUS];
	if (here->current == here->idle) {
		if (t)
			thread_wake(t);
		else
			start_thread();
		leave_kernel();
		return;
	}
	switch (fake_random() % 11) {
	case 0:
		start_thread();
		break;
	case 1:
		end_thread();
		break;
	case 2:
		sched_block(0);
		break;
	case 3:		/* over already, or at this very moment */
		sched_block(now - fake_random() % 2);
		break;
	case 4:
		sched_block(now + fake_random() % (2 * SLICE_NS));
		break;
	case 5:
	case 6:
		if (t)
			thread_wake(t);
		break;
	case 7:
		if (t)
			thread_set_cpus(t, 1 + fake_random() % all_cpus());
		break;
	case 8:
		here->need_resched = true;
		break;
	case 9:
		give_way();
		break;
	default:
		now += fake_random() % SLICE_NS;
	}
	leave_kernel();
}

static void reset(void)
{
	struct thread *t;

	fake_reset();
	for (u32 i = 0; (t = thread_at(i)); i++)
		memset(t, 0, sizeof(*t));
	memset(cpus, 0, sizeof(cpus));
	memset(&task, 0, sizeof(task));
	memset(ipi, 0, sizeof(ipi));
	memset(timer, 0, sizeof(timer));
	now = 1000000;
	as.root = kpage_alloc();
	task.id = new_id();
	task.aspace = &as;
	for (u32 i = 0; i < CPUS; i++) {
		cpus[i].id = i;
		cpus[i].apic_id = i;
		if (i)
			EXPECT(sched_cpu_prepare(&cpus[i]));
		else
			sched_init();
	}
	here = &cpus[0];
}

static struct thread *one_thread(u64 mask)
{
	struct thread *t = thread_create(&task, mask, -1);

	EXPECT(t);
	thread_wake(t);
	leave_kernel();
	settle();
	return t;
}

static void sleep_is_over(void)
{
	struct thread *t, *other;

	reset();
	t = one_thread(1);
	EXPECT(t->tid == task.id && cpus[0].current == t);
	sched_block(now);
	EXPECT(cpus[0].current == t && !cpus[0].queue && !t->queued);
	EXPECT(t->state == THREAD_READY && t->timed_out);
	other = one_thread(1);
	EXPECT(other->tid != task.id && other->queued != t->queued);
	here = &cpus[0];
	sched_block(now - 1);
	check_threads();
	/* Whose sleep was over waits for its turn like everybody else. */
	EXPECT(cpus[0].current == other || cpus[0].current == t);
}

/* Two that want the same CPU: the one that has it, and the one that waits. */
static void two_threads(struct thread **runs, struct thread **waits)
{
	struct thread *a = one_thread(1), *b = one_thread(1);

	EXPECT(a->queued != b->queued);
	*runs = a->queued ? b : a;
	*waits = a->queued ? a : b;
	EXPECT(cpus[0].current == *runs);
}

static void woken_goes_first(void)
{
	struct thread *t, *busy;

	reset();
	two_threads(&t, &busy);
	here = &cpus[0];
	sched_block(now + 1000);
	EXPECT(cpus[0].current == busy && !cpus[0].need_resched);
	now += 2000;
	settle();
	EXPECT(cpus[0].current == t && busy->queued);
}

static void end_before_sleep(void)
{
	struct thread *t;

	reset();
	t = one_thread(1);
	task.exiting = true;
	EXPECT(sched_block(0) && t->state == THREAD_READY && !t->queued);
	EXPECT(cpus[0].current == t);
}

static void to_another_cpu(void)
{
	struct thread *t;

	reset();
	t = one_thread(1);
	/* Itself, before it is in user mode again. */
	here = &cpus[0];
	thread_set_cpus(t, 2);
	leave_kernel();
	EXPECT(cpus[0].current == cpus[0].idle && t->cpu == &cpus[1]);
	settle();
	EXPECT(cpus[1].current == t);
	/* While it runs elsewhere. */
	here = &cpus[0];
	thread_set_cpus(t, 4);
	settle();
	EXPECT(cpus[2].current == t);
	/* Asleep: its timer stays where it is, and it wakes up elsewhere. */
	here = &cpus[2];
	sched_block(now + 5000);
	leave_kernel();
	here = &cpus[0];
	thread_set_cpus(t, 1);
	settle();
	EXPECT(t->cpu == &cpus[2]);
	now += 5000;
	settle();
	EXPECT(cpus[0].current == t && t->timed_out);
	EXPECT(cpus[0].nr_threads == 1 && !cpus[2].nr_threads);
}

static void queued_elsewhere(void)
{
	struct thread *t, *busy;

	reset();
	two_threads(&busy, &t);
	here = &cpus[1];
	thread_set_cpus(t, 2);
	settle();
	EXPECT(cpus[1].current == t && cpus[0].current == busy);
}

/* It does not wait for its turn here to run there. */
static void moves_at_once(void)
{
	struct thread *t, *other;

	reset();
	two_threads(&t, &other);
	here = &cpus[0];
	thread_set_cpus(t, 2);
	leave_kernel();
	EXPECT(cpus[0].current == other && !cpus[0].queue);
	settle();
	EXPECT(cpus[1].current == t);
}

static void computing_time(void)
{
	struct thread *t;

	reset();
	t = one_thread(1);
	now += 700;
	EXPECT(thread_cpu_ns(t) == 700);
	here = &cpus[0];
	sched_block(now + 1000);
	now += 5000;
	EXPECT(thread_cpu_ns(t) == 700);
	settle();
	now += 50;
	EXPECT(cpus[0].current == t && thread_cpu_ns(t) == 750);
}

/* In a long call, when its slice is over and not before. */
static void gives_way(void)
{
	struct thread *t, *other;

	reset();
	two_threads(&t, &other);
	here = &cpus[0];
	now += SLICE_NS - 1;
	EXPECT(give_way() && here->current == t);
	now += 1;
	EXPECT(give_way() && here->current == other && t->queued);
	EXPECT(timer[0] == now + SLICE_NS);
	task.exiting = true;
	EXPECT(!give_way());
	task.exiting = false;
}

static void random_steps(void)
{
	reset();
	for (u32 i = 0; i < 100000 && !fake_failures; i++) {
		step();
		check_threads();
		if (fake_random() & 1)
			settle();
	}
	EXPECT(last_id > 1000);
}

int main(void)
{
	RUN(sleep_is_over);
	RUN(woken_goes_first);
	RUN(end_before_sleep);
	RUN(to_another_cpu);
	RUN(queued_elsewhere);
	RUN(moves_at_once);
	RUN(computing_time);
	RUN(gives_way);
	RUN(random_steps);
	return fake_end();
}
