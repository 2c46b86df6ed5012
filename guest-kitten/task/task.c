// SPDX-License-Identifier: GPL-2.0
/*
 * The life of tasks.
 */
#include <kitten/arch.h>
#include <kitten/boot.h>
#include <kitten/lib.h>
#include <kitten/task.h>

#define RFLAGS_IF	0x202

/* Numbers end where Linux's do; a robust mutex keeps one in 30 bits. */
#define MAX_ID		(1U << 22)

static struct task tasks[MAX_TASKS];
static u32 last_slot;

struct task *task_find(u32 id)
{
	for (u32 i = 0; i < MAX_TASKS; i++) {
		if (id && tasks[i].id == id)
			return &tasks[i];
	}
	return NULL;
}

u32 new_id(void)
{
	static u32 last;

	do {
		last = last < MAX_ID ? last + 1 : INIT_TASK + 1;
	} while (task_find(last) || thread_find(last));
	return last;
}

int task_alloc(const char *name, struct aspace *as, struct task **result)
{
	struct task *t;
	u32 i;

	for (i = 0; i < MAX_TASKS; i++) {
		t = &tasks[(last_slot + i) % MAX_TASKS];
		if (!t->id)
			break;
	}
	if (i == MAX_TASKS)
		return -EAGAIN;

	last_slot = t - tasks;
	memset(t, 0, sizeof(*t));
	files_init(t);
	t->id = new_id();
	t->aspace = as;
	t->status = TASK_ALIVE;
	copy_name(t->name, name, sizeof(t->name));
	as->nr_tasks++;
	*result = t;
	return 0;
}

/* For one whose status nobody wants to know any more. */
void task_release(struct task *task)
{
	if (task->status == TASK_ALIVE)
		task->aspace->nr_tasks--;
	task->id = 0;
}

int task_start(struct task *task, int cpu, u64 entry, u64 stack)
{
	struct thread *t = thread_create(task, all_cpus(), cpu);
	struct regs *regs;

	if (!t)
		return -ENOMEM;
	regs = thread_regs(t);
	regs->rip = entry;
	regs->cs = SEL_USER_CS;
	regs->rflags = RFLAGS_IF;
	regs->rsp = stack;
	regs->ss = SEL_USER_SS;
	thread_wake(t);
	return 0;
}

void task_exit(struct task *task, int status)
{
	struct thread *t;

	if (task->exiting)
		return;
	task->exiting = true;
	task->status = status;
	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->task != task || t->state == THREAD_DEAD ||
		    t->state == THREAD_NONE)
			continue;
		thread_wake(t);
		/* One that runs elsewhere comes by the kernel soon. */
		t->cpu->need_resched = true;
		if (t->cpu != this_cpu() && t->cpu->current == t)
			apic_send_ipi(t->cpu->apic_id, VEC_IPI);
	}
}

static void task_end(struct task *task)
{
	struct thread *t;

	task->aspace->nr_tasks--;
	if (task->id == INIT_TASK)
		panic("init_task has ended with status %d", task->status);
	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->state == THREAD_BLOCKED && t->wait_task == task->id)
			thread_wake(t);
	}
}

void thread_exit(void)
{
	struct thread *t = current_thread();
	struct task *task = t->task;
	u32 zero = 0;

	robust_exit(t);
	if (t->clear_tid && !task->exiting &&
	    !copy_to_user(t->clear_tid, &zero, sizeof(zero)))
		futex_wake(t->clear_tid, 1, FUTEX_ANY);
	task->cpu_ns += thread_cpu_ns(t);
	t->cpu->nr_threads--;
	if (!--task->nr_threads) {
		if (!task->exiting)
			task->status = 0;
		task_end(task);
	}
	t->state = THREAD_DEAD;
	sched();
	__builtin_unreachable();
}

void return_to_user(void)
{
	const struct task *task = current_task();

	/* It may come back on another CPU each time. */
	while (!task->exiting && this_cpu()->need_resched)
		sched();
	if (task->exiting)
		thread_exit();
	kunlock();
}

/* The lock came with the CPU, see switch_to(). */
void thread_first_return(struct regs *regs)
{
	(void)regs;
	return_to_user();
}

/* ---- the first task ---- */

/*
 * init_task gets what it needs to make others: the archive, readable, at a
 * fixed address. Its memory is fixed too.
 */
#define INIT_STACK_TOP	0x7000000000ULL
#define INIT_STACK_SIZE	0x10000ULL
#define INIT_ARCHIVE	0x6000000000ULL

static int read_archive(const struct elf_source *src, u64 offset, void *dst,
			u64 n)
{
	memcpy(dst, (const u8 *)src->base + offset, n);
	return 0;
}

static int add_stack(struct aspace *as)
{
	u64 start = INIT_STACK_TOP - INIT_STACK_SIZE, pa;
	int ret;

	ret = pmem_alloc(INIT_STACK_SIZE, PAGE_SIZE, PMEM_USER, &pa);
	if (ret)
		return ret;
	ret = aspace_add_region(as, start, INIT_STACK_SIZE,
				ASPACE_READ | ASPACE_WRITE, "stack");
	return ret ? ret : aspace_map_pmem(as, pa, start, INIT_STACK_SIZE);
}

static int add_archive(struct aspace *as)
{
	u64 pa = ALIGN_DOWN(boot_info.archive, PAGE_SIZE);
	u64 size = ALIGN_UP(boot_info.archive + boot_info.archive_size,
			    PAGE_SIZE) - pa;
	int ret;

	ret = aspace_add_region(as, INIT_ARCHIVE, size, ASPACE_READ,
				"archive");
	return ret ? ret : aspace_map_pmem(as, pa, INIT_ARCHIVE, size);
}

/* Its arguments are addresses: of the archive, and its size. */
static int start_init(struct aspace *as, const struct elf_info *info)
{
	struct task *task;
	struct thread *t;
	int ret;

	ret = task_alloc("init_task", as, &task);
	if (ret)
		return ret;
	ret = task_start(task, 0, info->entry, INIT_STACK_TOP - 8);
	if (ret)
		return ret;
	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->task != task)
			continue;
		thread_regs(t)->rdi = INIT_ARCHIVE +
				      (boot_info.archive & (PAGE_SIZE - 1));
		thread_regs(t)->rsi = boot_info.archive_size;
	}
	return 0;
}

void init_task_create(void)
{
	struct elf_source src = { .read = read_archive };
	struct archive_file file;
	struct elf_info info;
	struct aspace *as;
	int ret;

	if (!archive_find("init_task", &file))
		panic("no init_task in the archive");
	src.base = (u64)file.data;
	src.size = file.size;

	klock();
	ret = aspace_create("init_task", &as);
	if (!ret)
		ret = elf_load(as, &src, &info);
	if (!ret)
		ret = add_stack(as);
	if (!ret)
		ret = add_archive(as);
	if (!ret)
		ret = start_init(as, &info);
	kunlock();
	if (ret)
		panic("init_task: error %d", ret);
}
