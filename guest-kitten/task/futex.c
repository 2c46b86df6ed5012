// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes. A word is known by its physical address, so that tasks that see
 * each other's memory can wait for each other. Who has waited longest is first.
 */
#include <kitten/task.h>

static u64 last_turn;

static u64 key_of(u64 uaddr)
{
	return uaddr & 3 ? 0 : aspace_translate(current_task()->aspace, uaddr);
}

/* Of those that wait now: who is moved to the same word waits behind them. */
static struct thread *first_waiter(u64 key, u32 bits, u64 last)
{
	struct thread *first = NULL, *t;

	for (u32 i = 0; (t = thread_at(i)); i++) {
		if (t->state == THREAD_BLOCKED && t->futex == key &&
		    t->futex_bits & bits && t->futex_turn <= last &&
		    (!first || t->futex_turn < first->futex_turn))
			first = t;
	}
	return first;
}

static void wake(struct thread *t)
{
	t->futex = 0;
	thread_wake(t);
}

s64 futex_wait(u64 uaddr, u32 value, u32 bits, u64 wake_at)
{
	struct thread *t = current_thread();
	u64 key = key_of(uaddr);
	u32 now;
	bool woken;

	if (uaddr & 3 || !bits)
		return -EINVAL;
	if (!key || copy_from_user(&now, uaddr, sizeof(now)))
		return -EFAULT;
	/* A wake-up after this finds us: it needs the kernel lock. */
	if (now != value)
		return -EAGAIN;
	t->futex = key;
	t->futex_bits = bits;
	t->futex_turn = ++last_turn;
	woken = sched_block(wake_at);
	t->futex = 0;
	return woken ? 0 : -ETIMEDOUT;
}

s64 futex_wake(u64 uaddr, u32 max, u32 bits)
{
	u64 key = key_of(uaddr);
	struct thread *t;
	u32 n = 0;

	if (uaddr & 3 || !bits)
		return -EINVAL;
	if (!key)
		return -EFAULT;
	for (; n < max && (t = first_waiter(key, bits, last_turn)); n++)
		wake(t);
	return n;
}

s64 futex_requeue(u64 uaddr, u32 nr_wake, u32 nr_requeue, u64 uaddr2,
		  const u32 *value)
{
	u64 key = key_of(uaddr), key2 = key_of(uaddr2), last = last_turn;
	struct thread *t;
	u32 now, n = 0;

	if (uaddr & 3 || uaddr2 & 3)
		return -EINVAL;
	if (!key || !key2)
		return -EFAULT;
	if (value) {
		if (copy_from_user(&now, uaddr, sizeof(now)))
			return -EFAULT;
		if (now != *value)
			return -EAGAIN;
	}
	for (; n < nr_wake && (t = first_waiter(key, FUTEX_ANY, last)); n++)
		wake(t);
	for (; nr_requeue && (t = first_waiter(key, FUTEX_ANY, last)); n++) {
		t->futex = key2;
		t->futex_turn = ++last_turn;
		nr_requeue--;
	}
	return n;
}
