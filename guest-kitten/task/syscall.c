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

/* One line for each, not for each time; numbers that are none share one. */
static void missing(struct task *task, u64 nr)
{
	u64 slot = min_u64(nr, MAX_LINUX_CALL - 1);
	u64 *word = &task->said[slot / 64], bit = 1ULL << slot % 64;

	if (quiet(nr) || *word & bit)
		return;
	*word |= bit;
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
