// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes. A word is known by its physical address, so that tasks that see
 * each other's memory can wait for each other.
 */
#include <kitten/task.h>

static u64 key_of(u64 uaddr)
{
	return uaddr & 3 ? 0 : aspace_translate(current_task()->aspace, uaddr);
}

s64 futex_wait(u64 uaddr, u32 value, u64 wake_at)
{
	struct thread *t = current_thread();
	u64 key = key_of(uaddr);
	u32 now;
	bool woken;

	if (uaddr & 3)
		return -EINVAL;
	if (!key || copy_from_user(&now, uaddr, sizeof(now)))
		return -EFAULT;
	/* A wake-up after this finds us: it needs the kernel lock. */
	if (now != value)
		return -EAGAIN;
	t->futex = key;
	woken = sched_block(wake_at);
	t->futex = 0;
	return woken ? 0 : -ETIMEDOUT;
}

s64 futex_wake(u64 uaddr, u32 max)
{
	u64 key = key_of(uaddr);
	struct thread *t;
	u32 n = 0;

	if (uaddr & 3)
		return -EINVAL;
	if (!key)
		return -EFAULT;
	for (u32 i = 0; n < max && (t = thread_at(i)); i++) {
		if (t->state != THREAD_BLOCKED || t->futex != key)
			continue;
		t->futex = 0;
		thread_wake(t);
		n++;
	}
	return n;
}
