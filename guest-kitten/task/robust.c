// SPDX-License-Identifier: GPL-2.0
/*
 * Robust mutexes: a thread keeps a list of those that it holds, in its own
 * memory. When it ends, each gets a mark, and one who waits for it wakes up.
 */
#include <kitten/task.h>

#include <linux/futex.h>

/* The list may be anything, also a circle. */
#define MAX_ENTRIES	ROBUST_LIST_LIMIT
#define MAX_TRIES	100

/* An address in the list; its lowest bit is for mutexes that we do not have. */
#define ADDRESS(v)	((v) & ~1ULL)

/* @pending: it may just have given the mutex back, and woken nobody yet. */
static bool owner_died(const struct thread *t, u64 uaddr, bool pending)
{
	u32 seen, old, new;

	if (uaddr & 3 || copy_from_user(&seen, uaddr, sizeof(seen)))
		return false;
	if (pending && !seen)
		futex_wake(uaddr, 1, FUTEX_ANY);
	/* Others may change the word meanwhile: they want to wait for it. */
	for (u32 i = 0; i < MAX_TRIES; i++) {
		if ((seen & FUTEX_TID_MASK) != t->tid)
			return true;
		old = seen;
		new = (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (cmpxchg_user(uaddr, &seen, new))
			return false;
		if (seen != old)
			continue;
		if (old & FUTEX_WAITERS)
			futex_wake(uaddr, 1, FUTEX_ANY);
		return true;
	}
	return false;
}

void robust_exit(struct thread *t)
{
	struct robust_list_head head;
	u64 entry, next, pending;

	if (!t->robust || copy_from_user(&head, t->robust, sizeof(head)))
		return;
	entry = (u64)head.list.next;
	pending = (u64)head.list_op_pending;
	for (u32 i = 0; i < MAX_ENTRIES && ADDRESS(entry) != t->robust; i++) {
		/* Read first: the memory is the next owner's afterwards. */
		bool more = !copy_from_user(&next, ADDRESS(entry),
					    sizeof(next));

		if (ADDRESS(entry) != ADDRESS(pending) &&
		    !owner_died(t, ADDRESS(entry) + head.futex_offset, false))
			return;
		if (!more)
			return;
		entry = next;
	}
	if (pending)
		owner_died(t, ADDRESS(pending) + head.futex_offset, true);
}
