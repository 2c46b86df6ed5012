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
#define MAX_FILES	32
#define MAX_SIGNAL	64
#define MAX_LINUX_CALL	512
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
	u32 mode;
};

/* What the log says of a task, once: a call that is missing has its number. */
enum complaint {
	SAY_FUTEX = MAX_LINUX_CALL,
	SAY_EXEC,
	SAY_RIGHTS,
	SAY_PLACE,
	SAY_FILE_PLACE,
	NR_COMPLAINTS,
};

enum file_kind {
	FILE_FREE,
	FILE_INPUT,		/* always at its end */
	FILE_OUTPUT,
	FILE_ERROR,
	FILE_ARCHIVE,
};

/**
 * struct open_file - what one or more descriptors stand for
 * @kind: enum file_kind
 * @refs: how many descriptors
 * @flags: O_* for fcntl()
 * @file: of the archive, for FILE_ARCHIVE
 * @at: position there
 */
struct open_file {
	enum file_kind kind;
	u32 refs;
	u32 flags;
	struct archive_file file;
	u64 at;
};

/* As rt_sigaction() has it. */
struct signal_action {
	u64 handler;
	u64 flags;
	u64 restorer;
	u64 mask;
};

/**
 * struct task - a program in an address space
 * @id: number from 1, 0 if this place is free
 * @name: for people
 * @aspace: where it lives
 * @stack: lowest address of its first thread's stack
 * @stack_size: of that
 * @nr_threads: threads that have not ended
 * @exiting: its threads end when they next leave the kernel
 * @status: exit status, or TASK_ALIVE
 * @cpu_ns: what threads that have ended have computed
 * @fd: descriptors: a place in @file, or NULL
 * @close_on_exec: a bit for each of them, for fcntl() to tell
 * @file: what they stand for
 * @action: what signals are to do, from signal 1 on
 * @said: what the log has said of it, a bit for each enum complaint
 */
struct task {
	u32 id;
	char name[TASK_NAME];
	struct aspace *aspace;
	u64 stack;
	u64 stack_size;
	u32 nr_threads;
	bool exiting;
	int status;
	u64 cpu_ns;
	struct open_file *fd[MAX_FILES];
	u32 close_on_exec;
	struct open_file file[MAX_FILES];
	struct signal_action action[MAX_SIGNAL];
	u64 said[(NR_COMPLAINTS + 63) / 64];
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
 * @cpus: where it may run, a bit for each
 * @cpu: where it runs, or last ran
 * @next: in the CPU's queue
 * @queued: it is in there
 * @stack: kernel stack, kept when the place is used again
 * @fs_base: thread pointer of user mode
 * @wake_at: when it wakes up by itself, 0 for never
 * @timed_out: it did
 * @cpu_ns: how long it has run, up to the last switch
 * @futex: physical address that it waits for, or 0
 * @futex_bits: for which of the wake-ups there
 * @futex_turn: who waits longest has the smallest
 * @wait_task: task whose end it waits for, or 0
 * @clear_tid: user address of the word to clear at its end
 * @robust: user address of its list of robust mutexes
 * @sig_blocked: signals that it does not want now, a bit each
 * @sig_pending: those that came nevertheless
 * @sig_stack: what sigaltstack() has been told
 * @fpu: the other registers
 */
struct thread {
	u64 rsp;
	u32 tid;
	enum thread_state state;
	struct task *task;
	u64 cpus;
	struct cpu *cpu;
	struct thread *next;
	bool queued;
	u8 *stack;
	u64 fs_base;
	u64 wake_at;
	bool timed_out;
	u64 cpu_ns;
	u64 futex;
	u32 futex_bits;
	u64 futex_turn;
	u32 wait_task;
	u64 clear_tid;
	u64 robust;
	u64 sig_blocked;
	u64 sig_pending;
	struct {
		u64 sp;
		u64 size;
	} sig_stack;
	u8 fpu[512] __aligned(16);
};

/* ---- sched.c ---- */

void klock(void);
void kunlock(void);

/**
 * give_way() - let others have the kernel lock, and this CPU if it is their turn
 *
 * To be called now and then by what takes long. Meanwhile other threads may do
 * anything that they may do under the lock.
 *
 * Return: false if the task is ending, and nobody will see what its call does.
 */
bool give_way(void);

void sched_init(void);
u64 sched_cpu_prepare(struct cpu *cpu);
void sched_cpu_start(void) __noreturn;

/* Lets another thread run; returns when this one's turn has come again. */
void sched(void);

/**
 * sched_block() - sleep until thread_wake()
 * @wake_at: or until this moment, 0 for no limit
 *
 * Does not sleep at all in a task that is ending: whoever waits in a loop looks
 * at @exiting too.
 *
 * Return: false if the time was up.
 */
bool sched_block(u64 wake_at);
void thread_wake(struct thread *t);

/**
 * thread_set_cpus() - where a thread may run from now on
 * @t: not dead
 * @mask: a bit for each CPU, at least one of all_cpus()
 *
 * One that runs elsewhere leaves there soon, and the caller itself before it
 * returns to user mode.
 */
void thread_set_cpus(struct thread *t, u64 mask);
u64 all_cpus(void);

/* How long a thread has run, in nanoseconds. */
u64 thread_cpu_ns(const struct thread *t);
void cpu_flush_if_asked(struct cpu *cpu);

/* Runs on each CPU; the others are idle. Without the kernel lock. */
void on_each_cpu(void (*fn)(struct cpu *cpu));

/**
 * thread_create() - a new thread, blocked
 * @task: whose
 * @mask: CPUs where it may run
 * @cpu: where it starts, or -1 for the one with the fewest threads
 *
 * Return: the thread with a kernel stack, or NULL.
 */
struct thread *thread_create(struct task *task, u64 mask, int cpu);

/* Where on its kernel stack a new thread's registers lie. */
struct regs *thread_regs(struct thread *t);
void thread_first_return(struct regs *regs);
struct thread *thread_at(u32 i);
struct thread *thread_find(u32 tid);

/* ---- task.c ---- */

int task_alloc(const char *name, struct aspace *as, struct task **task);
void task_release(struct task *task);
struct task *task_find(u32 id);

/* One that no task and no thread has: they are numbered alike. */
u32 new_id(void);

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

/* ---- syscall.c, lwk.c ---- */

void syscall(struct regs *regs);

/* Is it the first time that the current task hears this? */
bool first_time(u32 complaint);

typedef s64 (*syscall_fn)(struct regs *regs);

extern const syscall_fn lwk_calls[];
extern const u32 nr_lwk_calls;

/* ---- linux/ ---- */

extern const syscall_fn linux_calls[];
extern const u32 nr_linux_calls;

/* Standard input, output and error of a new task. */
void files_init(struct task *task);

static inline struct thread *current_thread(void)
{
	return this_cpu()->current;
}

static inline struct task *current_task(void)
{
	return current_thread()->task;
}

/* ---- futex.c ---- */

#define FUTEX_ANY	(~0U)

/**
 * futex_wait() - sleep while a word has a value
 * @uaddr: the word
 * @value: the value
 * @bits: wake-ups for which it is, FUTEX_ANY for all
 * @wake_at: the latest moment, or 0
 *
 * Return: 0, -EAGAIN if the value is another, -ETIMEDOUT, -EINVAL, -EFAULT.
 */
s64 futex_wait(u64 uaddr, u32 value, u32 bits, u64 wake_at);

/* Wakes those that wait longest; returns how many, or -errno. */
s64 futex_wake(u64 uaddr, u32 max, u32 bits);

/**
 * futex_requeue() - wake some, and let others wait for another word
 * @uaddr: the word for which they wait
 * @wake: how many to wake
 * @requeue: how many of the next to move
 * @uaddr2: the other word
 * @value: the value that @uaddr must have, or NULL
 *
 * Return: how many of both, or -errno; -EAGAIN if the value is another.
 */
s64 futex_requeue(u64 uaddr, u32 wake, u32 requeue, u64 uaddr2,
		  const u32 *value);

/* ---- robust.c ---- */

/**
 * robust_exit() - tell who waits for a mutex that its owner is dead
 * @t: the current thread, at its end
 */
void robust_exit(struct thread *t);

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
 * Return: 0, -ELIBACC for one that is linked dynamically, -ENOEXEC for what is
 * no program at all, -ENOMEM, or an error of @src. On an error the address space
 * is to be destroyed.
 */
int elf_load(struct aspace *as, const struct elf_source *src,
	     struct elf_info *info);

/* ---- archive.c: the initial archive, cpio in its "newc" form ---- */

/*
 * Finds a file by its name without a leading slash. The last one of a name
 * counts: it may replace an earlier one.
 */
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
