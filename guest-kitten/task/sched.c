// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler: a queue for each CPU, served in turn. A thread stays on its CPU
 * until its mask excludes that.
 *
 * A thread is in one place at a time: it runs, it waits on the queue of its CPU
 * (@queued), or it is in no list at all: asleep, not started, or dead. It goes
 * to another CPU only on its way into a queue, when none knows it.
 *
 * There is no tick. The timer is set only while more than one thread wants the
 * CPU, or one sleeps with a limit: a task that is alone on its CPU is never
 * interrupted.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include <kitten/task.h>

#define SLICE_NS	10000000ULL

/* Looks at the lock, for one who waits to see that it is free. */
#define PATIENCE	10000

/* At the deep end of each kernel stack. */
#define STACK_MAGIC	0x4b5354414b4d4147ULL

#define MSR_FS_BASE	0xc0000100

static struct thread threads[MAX_THREADS];
static struct thread idle_threads[MAX_CPUS];
static u32 kernel_lock;
/* Who waits for it, and how often somebody has got it. */
static u32 lock_waiters, lock_turn;

void cpu_flush_if_asked(struct cpu *cpu)
{
	if (!__atomic_load_n(&cpu->flush, __ATOMIC_ACQUIRE))
		return;
	write_cr3(read_cr3());
	__atomic_store_n(&cpu->flush, false, __ATOMIC_RELEASE);
}

static void wait_for_lock(void)
{
	__atomic_fetch_add(&lock_waiters, 1, __ATOMIC_RELAXED);
	do {
		/* Reading alone leaves the cache line to who has the lock. */
		while (__atomic_load_n(&kernel_lock, __ATOMIC_RELAXED)) {
			/* That one may wait for our flush. */
			cpu_flush_if_asked(this_cpu());
			cpu_relax();
		}
	} while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE));
	__atomic_fetch_sub(&lock_waiters, 1, __ATOMIC_RELAXED);
}

void klock(void)
{
	if (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE))
		wait_for_lock();
	__atomic_store_n(&lock_turn, lock_turn + 1, __ATOMIC_RELAXED);
}

void kunlock(void)
{
	__atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
}

bool give_way(void)
{
	u32 turn = lock_turn;

	/* With interrupts off, nothing else tells that the slice is over. */
	if (clock_ns() - this_cpu()->since >= SLICE_NS)
		sched();
	/* Who waits only looks now and then, and must find it free. */
	kunlock();
	for (u32 i = 0; i < PATIENCE &&
	     __atomic_load_n(&lock_waiters, __ATOMIC_RELAXED) &&
	     __atomic_load_n(&lock_turn, __ATOMIC_RELAXED) == turn; i++)
		cpu_relax();
	klock();
	return !current_task()->exiting;
}

void flush_all_cpus(void)
{
	struct cpu *self = this_cpu();

	write_cr3(read_cr3());
	for (u32 i = 0; i < nr_cpus; i++) {
		if (&cpus[i] == self)
			continue;
		__atomic_store_n(&cpus[i].flush, true, __ATOMIC_RELEASE);
		apic_send_ipi(cpus[i].apic_id, VEC_IPI);
	}
	for (u32 i = 0; i < nr_cpus; i++) {
		while (__atomic_load_n(&cpus[i].flush, __ATOMIC_ACQUIRE))
			cpu_relax();
	}
}

struct thread *thread_at(u32 i)
{
	return i < MAX_THREADS ? &threads[i] : NULL;
}

struct thread *thread_find(u32 tid)
{
	for (u32 i = 0; i < MAX_THREADS; i++) {
		struct thread *t = &threads[i];

		if (t->tid == tid && t->state != THREAD_NONE &&
		    t->state != THREAD_DEAD)
			return t;
	}
	return NULL;
}

/* ---- the queues ---- */

static void enqueue(struct thread *t)
{
	struct cpu *cpu = t->cpu;

	BUG_ON(t->queued || t->state != THREAD_READY);
	t->queued = true;
	t->next = NULL;
	if (cpu->queue)
		cpu->queue_end->next = t;
	else
		cpu->queue = t;
	cpu->queue_end = t;
}

static struct thread *dequeue(struct cpu *cpu)
{
	struct thread *t = cpu->queue;

	if (t) {
		cpu->queue = t->next;
		t->queued = false;
	}
	return t;
}

u64 all_cpus(void)
{
	return (1ULL << nr_cpus) - 1;
}

static bool allowed(const struct thread *t, const struct cpu *cpu)
{
	return t->cpus >> cpu->id & 1;
}

static struct cpu *least_busy(u64 mask)
{
	struct cpu *best = NULL;

	for (u32 i = 0; i < nr_cpus; i++) {
		if (mask >> i & 1 &&
		    (!best || cpus[i].nr_threads < best->nr_threads))
			best = &cpus[i];
	}
	BUG_ON(!best);
	return best;
}

/* Makes a CPU look at its queue. It may sleep, or run without a time limit. */
static void kick(struct cpu *cpu)
{
	cpu->need_resched = true;
	if (cpu != this_cpu())
		apic_send_ipi(cpu->apic_id, VEC_IPI);
}

/* Into the queue of a CPU that it may run on. */
static void make_ready(struct thread *t)
{
	if (!allowed(t, t->cpu)) {
		t->cpu->nr_threads--;
		t->cpu = least_busy(t->cpus);
		t->cpu->nr_threads++;
	}
	enqueue(t);
	kick(t->cpu);
}

void thread_wake(struct thread *t)
{
	if (t->state != THREAD_BLOCKED)
		return;
	t->state = THREAD_READY;
	t->wake_at = 0;
	make_ready(t);
}

void thread_set_cpus(struct thread *t, u64 mask)
{
	t->cpus = mask;
	/* Asleep it stays where its timer is, and moves when it wakes up. */
	if (t->state == THREAD_READY && !allowed(t, t->cpu))
		kick(t->cpu);
}

u64 thread_cpu_ns(const struct thread *t)
{
	u64 ns = t->cpu_ns;

	if (t->cpu->current == t)
		ns += clock_ns() - t->cpu->since;
	return ns;
}

/* Wakes who is due; returns when the next one is, or 0. */
static u64 wake_sleepers(struct cpu *cpu, u64 now)
{
	u64 next = 0;

	for (u32 i = 0; i < MAX_THREADS; i++) {
		struct thread *t = &threads[i];

		if (t->state != THREAD_BLOCKED || !t->wake_at || t->cpu != cpu)
			continue;
		if (t->wake_at <= now) {
			t->timed_out = true;
			thread_wake(t);
		} else if (!next || t->wake_at < next) {
			next = t->wake_at;
		}
	}
	return next;
}

static void switch_to(struct cpu *cpu, struct thread *prev, struct thread *next)
{
	u64 root = next->task ? virt_to_phys(next->task->aspace->root) :
		   kernel_root();

	if (prev->stack && *(u64 *)prev->stack != STACK_MAGIC)
		panic("kernel stack of thread %u has overflown", prev->tid);
	if (prev->task && prev->state != THREAD_DEAD)
		asm volatile("fxsave64 %0" : "=m" (prev->fpu));
	if (next->task) {
		asm volatile("fxrstor64 %0" :: "m" (next->fpu));
		wrmsr(MSR_FS_BASE, next->fs_base);
	}
	cpu->current = next;
	if (next->stack) {
		cpu->kernel_rsp = (u64)next->stack + KSTACK_SIZE;
		cpu->tss.rsp[0] = cpu->kernel_rsp;
	}
	/* Also to leave what a dead task has left. */
	if (root != read_cr3())
		write_cr3(root);
	switch_stack(&prev->rsp, next->rsp);
}

void sched(void)
{
	struct cpu *cpu = this_cpu();
	struct thread *prev = cpu->current, *next;
	u64 now = clock_ns(), wake;
	/* Asked first: a sleep that is over already makes it ready, and queued. */
	bool goes_on = prev->state == THREAD_READY && prev != cpu->idle;

	prev->cpu_ns += now - cpu->since;
	cpu->since = now;
	wake = wake_sleepers(cpu, now);
	if (goes_on && allowed(prev, cpu))
		enqueue(prev);
	else if (goes_on)
		make_ready(prev);
	while ((next = dequeue(cpu)) && !allowed(next, cpu))
		make_ready(next);
	if (!next)
		next = cpu->idle;
	/* All that wanted it has been looked at. */
	cpu->need_resched = false;

	if (cpu->queue && (!wake || now + SLICE_NS < wake))
		wake = now + SLICE_NS;
	apic_timer_at(wake);

	if (next != prev)
		switch_to(cpu, prev, next);
}

bool sched_block(u64 wake_at)
{
	struct thread *t = current_thread();

	t->timed_out = false;
	/* The end of the task wakes only those that sleep by then. */
	if (t->task->exiting)
		return true;
	t->wake_at = wake_at;
	t->state = THREAD_BLOCKED;
	sched();
	return !t->timed_out;
}

/* ---- threads ---- */

static int stack_alloc(struct thread *t)
{
	u64 pa;

	if (t->stack)
		return 0;
	if (pmem_alloc(KSTACK_SIZE, PAGE_SIZE, PMEM_KERNEL, &pa))
		return -ENOMEM;
	t->stack = phys_to_virt(pa);
	*(u64 *)t->stack = STACK_MAGIC;
	return 0;
}

struct regs *thread_regs(struct thread *t)
{
	return (struct regs *)(t->stack + KSTACK_SIZE) - 1;
}

struct thread *thread_create(struct task *task, u64 mask, int cpu)
{
	/* What switch_stack() pops: six registers, then where to go. */
	struct frame {
		u64 regs[6];
		u64 rip;
	} *frame;
	struct thread *t;
	u8 *stack;
	u32 i = 0;

	/* A dead thread has left its stack: it died with the lock held. */
	while (i < MAX_THREADS && threads[i].state != THREAD_NONE &&
	       threads[i].state != THREAD_DEAD)
		i++;
	t = thread_at(i);
	if (!t || stack_alloc(t))
		return NULL;

	stack = t->stack;
	memset(t, 0, sizeof(*t));
	t->stack = stack;
	/* As in Linux, the first one has the number of the task. */
	t->tid = task->nr_threads ? new_id() : task->id;
	t->task = task;
	t->cpus = mask;
	t->cpu = cpu < 0 ? least_busy(mask) : &cpus[cpu];
	/* As after reset: all floating-point exceptions masked. */
	*(u16 *)&t->fpu[0] = 0x37f;
	*(u32 *)&t->fpu[24] = 0x1f80;

	memset(thread_regs(t), 0, sizeof(struct regs));
	frame = (struct frame *)thread_regs(t) - 1;
	memset(frame, 0, sizeof(*frame));
	frame->rip = (u64)user_start;
	t->rsp = (u64)frame;
	t->state = THREAD_BLOCKED;
	t->cpu->nr_threads++;
	task->nr_threads++;
	return t;
}

/* ---- the CPUs ---- */

static void do_work(struct cpu *cpu)
{
	void (*work)(struct cpu *cpu) =
		__atomic_load_n(&cpu->work, __ATOMIC_ACQUIRE);

	if (!work)
		return;
	work(cpu);
	__atomic_store_n(&cpu->work, NULL, __ATOMIC_RELEASE);
}

void on_each_cpu(void (*fn)(struct cpu *cpu))
{
	struct cpu *self = this_cpu();

	for (u32 i = 0; i < nr_cpus; i++) {
		if (&cpus[i] == self)
			continue;
		__atomic_store_n(&cpus[i].work, fn, __ATOMIC_RELEASE);
		apic_send_ipi(cpus[i].apic_id, VEC_IPI);
	}
	fn(self);
	for (u32 i = 0; i < nr_cpus; i++) {
		while (__atomic_load_n(&cpus[i].work, __ATOMIC_ACQUIRE))
			cpu_relax();
	}
}

static void idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		do_work(cpu);
		klock();
		sched();
		kunlock();
		if (READ_ONCE(cpu->queue) || READ_ONCE(cpu->need_resched) ||
		    READ_ONCE(cpu->work))
			continue;
		cpu_sleep();
	}
}

static void make_idle(struct cpu *cpu)
{
	struct thread *t = &idle_threads[cpu->id];

	t->cpu = cpu;
	t->state = THREAD_READY;
	cpu->idle = t;
	cpu->current = t;
}

/* The boot processor's idle thread keeps the boot stack. */
void sched_init(void)
{
	make_idle(&cpus[0]);
}

/* Returns the stack for another processor, or 0. */
u64 sched_cpu_prepare(struct cpu *cpu)
{
	make_idle(cpu);
	return stack_alloc(cpu->idle) ? 0 :
	       (u64)cpu->idle->stack + KSTACK_SIZE;
}

void sched_cpu_start(void)
{
	idle();
	__builtin_unreachable();
}
