// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that makes any symcall, while handlers come and go, also between two reads of
 * the table by one call. The oracle is a table of its own.
 */
#include <fuzz.h>

/* For its table. */
#include "../../dispatch.c"

static symcall_fn model[SYMCALL_NR_MAX];
static __u64 calling;		/* the number, while a call is under way */
static bool unregistered;	/* ... and that it has lost its handler meanwhile */
static unsigned int syncs, ran;
static struct symb_who who;

static int first(struct symcall_regs *regs)
{
	ran = 1;
	return regs->rdi & 3;
}

static int second(struct symcall_regs *regs)
{
	ran = 2;
	regs->rbx = ~regs->rbx;
	return 0;
}

static int builtin(struct symcall_regs *regs)
{
	abort();
}

/* Of the built-in ones, too: somebody may take over WHO. */
static void unregister(__u32 nr)
{
	unsigned int before = syncs;

	symcall_unregister(nr);
	MUST(syncs - before == (nr < SYMCALL_NR_MAX));
	if (nr < SYMCALL_NR_MAX)
		model[nr] = NULL;
}

void fuzz_before_read(const volatile void *field, size_t size)
{
	if (unregistered || !fuzz_byte())
		return;
	unregistered = true;
	unregister(calling);
}

void symb_port_who(struct symb_who *answer)
{
	MUST(!answer->pid && !answer->idle && !answer->comm[0]);
	*answer = who;
}

void symb_port_sync_calls(void)
{
	syncs++;
}

void fake_log(const char *fmt, ...)
{
}

static __u64 number(void)
{
	static const __u16 known[] = {
		SYMCALL_TEST, SYMCALL_NULL, SYMCALL_WHO, SYMCALL_QUERY_BATCH,
		SYMCALL_NR_MAX - 1, SYMCALL_NR_MAX, 0, 2,
	};
	uint8_t how = fuzz_byte();

	return how < 128 ? known[how % 8] : fuzz_bytes(how % 9);
}

static void add(void)
{
	__u32 nr = number();
	symcall_fn fn = (const symcall_fn[]){ first, second, NULL }[fuzz_byte() % 3];
	int ret = symcall_register(nr, fn);

	if (nr >= SYMCALL_NR_MAX || !fn) {
		MUST(ret == -EINVAL);
	} else if (model[nr]) {
		MUST(ret == -EBUSY);
	} else {
		MUST(!ret);
		model[nr] = fn;
	}
}

static void check_builtin(const struct symcall_regs *in, const struct symcall_regs *out)
{
	switch (in->rax) {
	case SYMCALL_TEST:
		MUST(out->rbx == in->rbx + 1 && out->rcx == in->rcx && out->rdi == in->rdi);
		break;
	case SYMCALL_NULL:
		MUST(!memcmp(in, out, sizeof(*in)));
		break;
	case SYMCALL_WHO:
		MUST(out->rbx == who.pid && !memcmp(&out->rcx, who.comm, 16));
		MUST(out->rsi == (who.idle ? SYMCALL_WHO_IDLE : 0) && !out->rdi);
		break;
	}
}

static void call(void)
{
	struct symcall_regs in = {
		number(), fuzz_bytes(2), fuzz_bytes(1), fuzz_bytes(1), fuzz_bytes(1),
		fuzz_bytes(1)
	}, out = in;
	symcall_fn before = in.rax < SYMCALL_NR_MAX ? model[in.rax] : NULL;
	int ret;

	calling = in.rax;
	unregistered = false;
	ran = 0;
	ret = symcall_dispatch(&out);
	if (ret == SYMCALL_ERR_NOSYS && !ran) {
		MUST(!before || unregistered);
		MUST(!memcmp(&in, &out, sizeof(in)));
		return;
	}
	MUST(before);
	MUST(ran == (before == first ? 1 : before == second ? 2 : 0));
	MUST(ret == (before == first ? (int)(in.rdi & 3) : 0));
	if (before == builtin)
		check_builtin(&in, &out);
}

/* The built-in handlers, as they were before the first input took one away. */
static void restore(void)
{
	static const __u32 nrs[] = { SYMCALL_TEST, SYMCALL_NULL, SYMCALL_WHO };
	static symcall_fn fns[3];
	unsigned int i;

	for (i = 0; i < SYMCALL_NR_MAX; i++)
		if (model[i] && model[i] != builtin)
			unregister(i);
	for (i = 0; i < 3; i++) {
		if (!fns[i])
			fns[i] = handlers[nrs[i]];
		handlers[nrs[i]] = fns[i];
		model[nrs[i]] = builtin;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int i;

	fuzz_begin(data, size);
	unregistered = true;
	restore();
	who = (struct symb_who){ .pid = fuzz_bytes(3), .idle = fuzz_byte() & 1 };
	for (i = 0; i < sizeof(who.comm); i += 5)
		who.comm[i] = fuzz_byte();
	for (i = 0; i < 64 && fuzz_left; i++) {
		switch (fuzz_byte() % 4) {
		case 0:
		case 1:
			call();
			break;
		case 2:
			add();
			break;
		case 3:
			unregister(number());
			break;
		}
	}
	return 0;
}
