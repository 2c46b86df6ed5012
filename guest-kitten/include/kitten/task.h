/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tasks and threads, and what they can ask for.
 *
 * One lock guards all of it, the kernel lock. It is taken on every entry from
 * user mode that needs the C side and given back on the way out; a thread that
 * is switched to inherits it. The kernel runs with interrupts off.
 */
#ifndef KITTEN_TASK_H
#define KITTEN_TASK_H

#include <kitten/cpu.h>
#include <kitten/mm.h>

#define MAX_TASKS	32
#define MAX_THREADS	128
#define MAX_FILES	16
#define TASK_NAME	16

/* The first task, the only one that may use the kernel's own calls. */
#define INIT_TASK	1

/* Status of a task that has not ended. */
#define TASK_ALIVE	(-1)

struct archive_file {
	const char *name;
	u64 name_len;
	const u8 *data;
	u64 size;
};

/**
 * struct task - a program in an address space
 * @id: number from 1, 0 if this place is free
 * @name: for people
 * @aspace: where it lives
 * @nr_threads: threads that have not ended
 * @exiting: its threads end when they next leave the kernel
 * @status: exit status, or TASK_ALIVE
 * @file: open files from number 3 on
 */
struct task {
	u32 id;
	char name[TASK_NAME];
	struct aspace *aspace;
	u32 nr_threads;
	bool exiting;
	int status;
	struct {
		struct archive_file file;
		u64 at;
		bool open;
	} file[MAX_FILES];
};

enum thread_state {
	THREAD_NONE,
	THREAD_READY,		/* runs or waits for its CPU */
	THREAD_BLOCKED,
	THREAD_DEAD,
};

/**
 * struct thread - one flow of control
 * @rsp: kernel stack pointer while it does not run
 * @tid: number
 * @state: enum thread_state
 * @task: whose it is; NULL for idle threads
 * @cpu: where it runs, always
 * @next: in the CPU's queue
 * @stack: kernel stack, kept when the place is used again
 * @fs_base: thread pointer of user mode
 * @wake_at: when it wakes up by itself, 0 for never
 * @timed_out: it did
 * @futex: physical address that it waits for, or 0
 * @wait_task: task whose end it waits for, or 0
 * @clear_tid: user address of the word to clear at its end
 * @fpu: the other registers
 */
struct thread {
	u64 rsp;
	u32 tid;
	enum thread_state state;
	struct task *task;
	struct cpu *cpu;
	struct thread *next;
	u8 *stack;
	u64 fs_base;
	u64 wake_at;
	bool timed_out;
	u64 futex;
	u32 wait_task;
	u64 clear_tid;
	u8 fpu[512] __aligned(16);
};

/* ---- sched.c ---- */

void klock(void);
void kunlock(void);

void sched_init(void);
u64 sched_cpu_prepare(struct cpu *cpu);
void sched_cpu_start(void) __noreturn;

/* Lets another thread run; returns when this one's turn has come again. */
void sched(void);

/**
 * sched_block() - sleep until thread_wake()
 * @wake_at: or until this moment, 0 for no limit
 *
 * Return: false if the time was up.
 */
bool sched_block(u64 wake_at);
void thread_wake(struct thread *t);
void cpu_flush_if_asked(struct cpu *cpu);

/* Runs on each CPU; the others are idle. Without the kernel lock. */
void on_each_cpu(void (*fn)(struct cpu *cpu));

/**
 * thread_create() - a new thread, blocked
 * @task: whose
 * @cpu: number of the CPU, or -1 for the one with the fewest threads
 *
 * Return: the thread with a kernel stack, or NULL.
 */
struct thread *thread_create(struct task *task, int cpu);

/* Where on its kernel stack a new thread's registers lie. */
struct regs *thread_regs(struct thread *t);
void thread_first_return(struct regs *regs);
struct thread *thread_at(u32 i);

/* ---- task.c ---- */

int task_alloc(const char *name, struct aspace *as, struct task **task);
void task_release(struct task *task);
struct task *task_find(u32 id);

/**
 * task_start() - make the first thread of a task
 * @task: new
 * @cpu: number or -1
 * @entry: where it starts
 * @stack: its stack pointer
 *
 * Return: 0 or -ENOMEM.
 */
int task_start(struct task *task, int cpu, u64 entry, u64 stack);

/* Ends all threads of a task, each when it next leaves the kernel. */
void task_exit(struct task *task, int status);
void thread_exit(void) __noreturn;

/* Called last on every way to user mode; gives the lock back. */
void return_to_user(void);
void init_task_create(void);

/* ---- syscall.c, linux.c, lwk.c ---- */

void syscall(struct regs *regs);

typedef s64 (*syscall_fn)(struct regs *regs);

extern const syscall_fn linux_calls[];
extern const u32 nr_linux_calls;
extern const syscall_fn lwk_calls[];
extern const u32 nr_lwk_calls;

static inline struct thread *current_thread(void)
{
	return this_cpu()->current;
}

static inline struct task *current_task(void)
{
	return current_thread()->task;
}

/* ---- futex.c ---- */

s64 futex_wait(u64 uaddr, u32 value, u64 wake_at);
s64 futex_wake(u64 uaddr, u32 max);

/* ---- elf.c ---- */

/**
 * struct elf_info - what a new task has to know about its program
 * @entry: first instruction
 * @phdr: address of the program headers in the image, or 0
 * @phnum: how many
 * @end: first address behind the image
 */
struct elf_info {
	u64 entry;
	u64 phdr;
	u64 phnum;
	u64 end;
};

/**
 * struct elf_source - where the file is read from
 * @read: copies @n bytes at @offset; 0 or -errno
 * @base: for @read
 * @size: of the file
 */
struct elf_source {
	int (*read)(const struct elf_source *src, u64 offset, void *dst, u64 n);
	u64 base;
	u64 size;
};

/**
 * elf_load() - load a statically linked program
 * @as: an empty address space
 * @src: the file; every byte of it may be wrong
 * @info: filled in
 *
 * Return: 0, -ENOEXEC for what is no such program, -ENOMEM, or an error of
 * @src. On an error the address space is to be destroyed.
 */
int elf_load(struct aspace *as, const struct elf_source *src,
	     struct elf_info *info);

/* ---- archive.c: the initial archive, cpio in its "newc" form ---- */

/* Finds a file by its name without a leading slash. */
bool archive_find(const char *name, struct archive_file *file);

/**
 * archive_next() - walk an archive
 * @data: the archive
 * @size: its size
 * @at: position, 0 at first, moved on
 * @file: the file found there; directories have size 0
 *
 * Return: false at the end, or at what is no archive.
 */
bool archive_next(const u8 *data, u64 size, u64 *at,
		  struct archive_file *file);

/* ---- tests ---- */

/* The kernel's own tests, as KTAP; returns the number of failures. */
u32 selftest_run(void);

#endif /* KITTEN_TASK_H */
