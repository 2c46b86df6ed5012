// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler: a queue for each CPU, served in turn; a thread stays on its
 * CPU for ever.
 *
 * There is no tick. The timer is set only while more than one thread wants the
 * CPU, or one sleeps with a limit: a task that is alone on its CPU is never
 * interrupted.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include <kitten/task.h>

#define SLICE_NS	10000000ULL

/* At the deep end of each kernel stack. */
#define STACK_MAGIC	0x4b5354414b4d4147ULL

#define MSR_FS_BASE	0xc0000100

static struct thread threads[MAX_THREADS];
static struct thread idle_threads[MAX_CPUS];
static u32 next_tid = 1;
static u32 kernel_lock;

void cpu_flush_if_asked(struct cpu *cpu)
{
	if (!__atomic_load_n(&cpu->flush, __ATOMIC_ACQUIRE))
		return;
	write_cr3(read_cr3());
	__atomic_store_n(&cpu->flush, false, __ATOMIC_RELEASE);
}

void klock(void)
{
	while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE)) {
		/* Reading alone leaves the cache line to who has the lock. */
		while (__atomic_load_n(&kernel_lock, __ATOMIC_RELAXED)) {
			/* That one may wait for our flush. */
			cpu_flush_if_asked(this_cpu());
			cpu_relax();
		}
	}
}

void kunlock(void)
{
	__atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
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

/* ---- the queues ---- */

static void enqueue(struct thread *t)
{
	struct cpu *cpu = t->cpu;

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

	if (t)
		cpu->queue = t->next;
	return t;
}

void thread_wake(struct thread *t)
{
	struct cpu *cpu = t->cpu;

	if (t->state != THREAD_BLOCKED)
		return;
	t->state = THREAD_READY;
	t->wake_at = 0;
	enqueue(t);
	cpu->need_resched = true;
	/* It may sleep, or run a thread without a time limit. */
	if (cpu != this_cpu())
		apic_send_ipi(cpu->apic_id, VEC_IPI);
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

	cpu->need_resched = false;
	wake = wake_sleepers(cpu, now);
	if (prev->state == THREAD_READY && prev != cpu->idle)
		enqueue(prev);
	next = dequeue(cpu);
	if (!next)
		next = cpu->idle;

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

static struct cpu *least_busy(void)
{
	struct cpu *best = &cpus[0];

	for (u32 i = 1; i < nr_cpus; i++) {
		if (cpus[i].nr_threads < best->nr_threads)
			best = &cpus[i];
	}
	return best;
}

struct regs *thread_regs(struct thread *t)
{
	return (struct regs *)(t->stack + KSTACK_SIZE) - 1;
}

struct thread *thread_create(struct task *task, int cpu)
{
	/* What switch_stack() pops: six registers, then where to go. */
	struct frame {
		u64 regs[6];
		u64 rip;
	} *frame;
	struct thread *t;
	u32 i = 0;

	/* A dead thread has left its stack: it died with the lock held. */
	while (i < MAX_THREADS && threads[i].state != THREAD_NONE &&
	       threads[i].state != THREAD_DEAD)
		i++;
	t = thread_at(i);
	if (!t || stack_alloc(t))
		return NULL;

	t->tid = next_tid++;
	t->task = task;
	t->cpu = cpu < 0 ? least_busy() : &cpus[cpu];
	t->fs_base = 0;
	t->wake_at = 0;
	t->futex = 0;
	t->wait_task = 0;
	t->clear_tid = 0;
	/* As after reset: all floating-point exceptions masked. */
	memset(t->fpu, 0, sizeof(t->fpu));
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
