// SPDX-License-Identifier: GPL-2.0
/*
 * System calls by number: Linux's, and the kernel's own for init_task.
 */
#include <kitten/lib.h>
#include <kitten/lwk.h>
#include <kitten/task.h>

#include <asm/unistd.h>

/* Programs try these and live well without them: no line in the log. */
static bool quiet(u64 nr)
{
	return nr == __NR_rseq || nr == __NR_clone3 || nr == __NR_mremap ||
	       nr == __NR_membarrier;
}

bool first_time(u32 complaint)
{
	u64 *word = &current_task()->said[complaint / 64];
	u64 bit = 1ULL << complaint % 64;
	bool first = !(*word & bit);

	*word |= bit;
	return first;
}

/* Numbers that are none share one line. */
static void missing(const struct task *task, u64 nr)
{
	if (quiet(nr) || !first_time(min_u64(nr, MAX_LINUX_CALL - 1)))
		return;
	kprintf("task %u (%s): no system call %llu\n", task->id, task->name,
		nr);
}

static syscall_fn find(u64 nr)
{
	u64 own = nr - LWK_CALL_BASE;

	if (nr < nr_linux_calls)
		return linux_calls[index_nospec(nr, nr_linux_calls)];
	if (nr >= LWK_CALL_BASE && own < nr_lwk_calls)
		return lwk_calls[index_nospec(own, nr_lwk_calls)];
	return NULL;
}

void syscall(struct regs *regs)
{
	struct task *task = current_task();
	u64 nr = regs->rax;
	syscall_fn fn = find(nr);

	if (nr >= LWK_CALL_BASE && fn && task->id != INIT_TASK) {
		regs->rax = -EPERM;
	} else if (fn) {
		regs->rax = fn(regs);
	} else {
		missing(task, nr);
		regs->rax = -ENOSYS;
	}
}
