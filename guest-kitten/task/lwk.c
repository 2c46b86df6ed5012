// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own calls; <kitten/lwk.h> describes them. Their user is
 * init_task, and yet nothing that it says is believed.
 */
#include <kitten/arch.h>
#include <kitten/lib.h>
#include <kitten/lwk.h>
#include <kitten/symbiotic.h>
#include <kitten/task.h>

#include <linux/auxvec.h>

_Static_assert(LWK_PMEM_FREE_TYPE == PMEM_FREE, "lwk.h");
_Static_assert(LWK_PMEM_USER_TYPE == PMEM_USER, "lwk.h");
_Static_assert(LWK_READ == ASPACE_READ && LWK_WRITE == ASPACE_WRITE, "lwk.h");
_Static_assert(LWK_EXEC == ASPACE_EXEC && LWK_HEAP == ASPACE_HEAP, "lwk.h");
_Static_assert(LWK_RESERVE == ASPACE_RESERVE, "lwk.h");
_Static_assert(sizeof(struct lwk_pmem) == sizeof(struct pmem_region), "lwk.h");
_Static_assert(sizeof(struct lwk_image) == sizeof(struct elf_info), "lwk.h");

#define NAME_SIZE	16

/* ---- physical memory ---- */

static s64 call_pmem_add(struct regs *r)
{
	struct pmem_region p;

	if (copy_from_user(&p, r->rdi, sizeof(p)))
		return -EFAULT;
	if (p.start >= p.end || !linear_covers(p.start, p.end - p.start) ||
	    !pmem_is(p.start, p.end - p.start, PMEM_NONE))
		return -EINVAL;
	return pmem_add(p.start, p.end, PMEM_FREE);
}

static s64 call_pmem_alloc(struct regs *r)
{
	struct pmem_region p = { .type = PMEM_USER };
	int ret = pmem_alloc(r->rdi, r->rsi, PMEM_USER, &p.start);

	if (ret)
		return ret;
	p.end = p.start + ALIGN_UP(r->rdi, PAGE_SIZE);
	if (!copy_to_user(r->rdx, &p, sizeof(p)))
		return 0;
	pmem_free(p.start, r->rdi, PMEM_USER);
	return -EFAULT;
}

/* Memory that an address space still shows stays what it is. */
static s64 call_pmem_free(struct regs *r)
{
	if (aspace_uses_pmem(r->rdi, r->rsi))
		return -EBUSY;
	return pmem_free(r->rdi, r->rsi, PMEM_USER);
}

static s64 call_pmem_query(struct regs *r)
{
	struct pmem_region p;
	int ret = pmem_query((u32)min_u64(r->rdi, ~0U), &p);

	if (ret)
		return ret;
	return copy_to_user(r->rsi, &p, sizeof(p));
}

/* ---- address spaces ---- */

static s64 call_aspace_create(struct regs *r)
{
	char name[NAME_SIZE];
	struct aspace *as;
	s64 ret = copy_string_from_user(name, r->rdi, sizeof(name));

	if (ret < 0)
		return ret;
	ret = aspace_create(name, &as);
	return ret ? ret : as->id;
}

static struct aspace *aspace_arg(u64 id)
{
	return id <= MAX_ASPACES ? aspace_find(id) : NULL;
}

static s64 call_aspace_destroy(struct regs *r)
{
	struct aspace *as = aspace_arg(r->rdi);

	return as ? aspace_destroy(as) : -EINVAL;
}

static s64 call_aspace_add_region(struct regs *r)
{
	struct aspace *as = aspace_arg(r->rdi);
	char name[NAME_SIZE];
	s64 ret = copy_string_from_user(name, r->r8, sizeof(name));

	if (ret < 0)
		return ret;
	if (!as || r->r10 & ~(u64)ASPACE_FLAGS)
		return -EINVAL;
	return aspace_add_region(as, r->rsi, r->rdx, r->r10, name);
}

static s64 call_aspace_map_pmem(struct regs *r)
{
	struct aspace *as = aspace_arg(r->rdi);

	return as ? aspace_map_pmem(as, r->rsi, r->rdx, r->r10) : -EINVAL;
}

static s64 call_aspace_smartmap(struct regs *r)
{
	struct aspace *src = aspace_arg(r->rdi), *dst = aspace_arg(r->rsi);

	if (!src || !dst || r->rdx > MAX_ASPACES)
		return -EINVAL;
	return aspace_smartmap(src, dst, r->rdx);
}

static int read_user(const struct elf_source *src, u64 offset, void *dst,
		     u64 n)
{
	return copy_from_user(dst, src->base + offset, n);
}

static s64 call_aspace_load(struct regs *r)
{
	struct elf_source src = {
		.read = read_user, .base = r->rsi, .size = r->rdx,
	};
	struct aspace *as = aspace_arg(r->rdi);
	struct elf_info info;
	int ret;

	if (!as || as->nr_tasks || src.base + src.size < src.base)
		return -EINVAL;
	ret = elf_load(as, &src, &info);
	return ret ? ret : copy_to_user(r->r10, &info, sizeof(info));
}

/* ---- tasks ---- */

/* What a program finds above its stack pointer when it starts. */
struct stack_builder {
	u8 *base;		/* where the kernel sees the stack */
	u64 va;			/* where the task does */
	u64 sp;			/* offset */
};

static void push(struct stack_builder *b, u64 v)
{
	b->sp -= sizeof(v);
	*(u64 *)(b->base + b->sp) = v;
}

static void push_aux(struct stack_builder *b, u64 type, u64 v)
{
	push(b, v);
	push(b, type);
}

/* Pushes the addresses of @n strings; returns where the next one starts. */
static u64 push_vector(struct stack_builder *b, u64 at, u32 n)
{
	u64 slot;

	push(b, 0);
	b->sp -= n * sizeof(u64);
	slot = b->sp;
	for (; n; n--, slot += sizeof(u64)) {
		*(u64 *)(b->base + slot) = b->va + at;
		at += strlen((char *)b->base + at) + 1;
	}
	return at;
}

static void random_bytes(u8 *dst)
{
	u64 x = rdtsc() * 0x9e3779b97f4a7c15ULL;

	memcpy(dst, &x, 8);
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	memcpy(dst + 8, &x, 8);
}

static u32 count_strings(const u8 *p, u64 n)
{
	u32 count = 0;

	while (n--)
		count += !*p++;
	return count;
}

/* Returns the stack pointer, or 0 if the strings are not what they should be */
static u64 build_stack(struct aspace *as, const struct lwk_task *spec)
{
	u64 pa = aspace_translate(as, spec->stack), strings, random, env;
	struct stack_builder b = {
		.base = phys_to_virt(pa), .va = spec->stack,
		.sp = spec->stack_size,
	};

	b.sp -= ALIGN_UP(spec->strings_len, 16);
	strings = b.sp;
	if (copy_from_user(b.base + strings, spec->strings,
			   spec->strings_len) ||
	    count_strings(b.base + strings, spec->strings_len) !=
	    spec->argc + spec->envc ||
	    (spec->strings_len && b.base[strings + spec->strings_len - 1]))
		return 0;
	b.sp -= 16;
	random = b.sp;
	random_bytes(b.base + random);

	/* Three words besides the strings', and the stack is aligned to two. */
	if ((spec->argc + spec->envc + 3) % 2)
		b.sp -= 8;
	push_aux(&b, AT_NULL, 0);
	push_aux(&b, AT_RANDOM, b.va + random);
	push_aux(&b, AT_SECURE, 0);
	push_aux(&b, AT_CLKTCK, 100);
	push_aux(&b, AT_ENTRY, spec->image.entry);
	push_aux(&b, AT_PAGESZ, PAGE_SIZE);
	push_aux(&b, AT_PHNUM, spec->image.phnum);
	push_aux(&b, AT_PHENT, 56);
	push_aux(&b, AT_PHDR, spec->image.phdr);

	/* The environment lies behind the arguments, and so do its strings. */
	env = strings;
	for (u32 i = 0; i < spec->argc; i++)
		env += strlen((char *)b.base + env) + 1;
	push_vector(&b, env, spec->envc);
	push_vector(&b, strings, spec->argc);
	push(&b, spec->argc);
	return b.va + b.sp;
}

static bool spec_ok(const struct aspace *as, const struct lwk_task *spec)
{
	if (spec->cpu < -1 || spec->cpu >= (s32)nr_cpus ||
	    spec->strings_len > LWK_STRINGS_MAX ||
	    spec->argc > spec->strings_len || spec->envc > spec->strings_len ||
	    spec->stack_size < 16 * PAGE_SIZE ||
	    spec->image.entry >= USER_SLOT_SIZE)
		return false;
	/* The kernel writes there: it must be a region, bound and writable. */
	for (u32 i = 0; i < as->nr_regions; i++) {
		const struct aspace_region *g = &as->region[i];

		if (g->start == spec->stack && g->mapped &&
		    g->end - g->start == spec->stack_size)
			return g->flags & ASPACE_WRITE;
	}
	return false;
}

static s64 call_task_create(struct regs *r)
{
	struct lwk_task spec;
	struct aspace *as;
	struct task *task;
	u64 sp;
	int ret;

	if (copy_from_user(&spec, r->rdi, sizeof(spec)))
		return -EFAULT;
	as = aspace_find(spec.aspace);
	if (!as || !spec_ok(as, &spec))
		return -EINVAL;
	sp = build_stack(as, &spec);
	if (!sp)
		return -EINVAL;

	spec.name[sizeof(spec.name) - 1] = '\0';
	ret = task_alloc(spec.name, as, &task);
	if (ret)
		return ret;
	task->stack = spec.stack;
	task->stack_size = spec.stack_size;
	ret = task_start(task, spec.cpu, spec.image.entry, sp);
	if (ret) {
		task_release(task);
		return ret;
	}
	return task->id;
}

static s64 call_task_wait(struct regs *r)
{
	struct task *task = r->rdi <= ~0U ? task_find(r->rdi) : NULL;
	struct thread *t = current_thread();
	s64 status;

	if (!task || task == t->task)
		return -ECHILD;
	while (task->nr_threads) {
		t->wait_task = task->id;
		sched_block(0);
		t->wait_task = 0;
		if (t->task->exiting)
			return -EINTR;
	}
	status = task->status & 0xff;
	task_release(task);
	return status;
}

/* ---- the machine ---- */

static s64 call_machine_info(struct regs *r)
{
	static struct lwk_machine m;

	memset(&m, 0, sizeof(m));
	m.nr_cpus = nr_cpus;
	m.nr_pci = pci_count();
	m.tsc_khz = clock_tsc_khz();
	m.max_page = pt_max_page();
	m.bench = serial_present(SERIAL_CTL);
	for (u32 i = 0; i < nr_cpus; i++) {
		m.cpu[i].apic_id = cpus[i].apic_id;
		m.cpu[i].irqs = cpus[i].irqs;
	}
	symbiotic_info(&m);
	return copy_to_user(r->rdi, &m, sizeof(m));
}

static s64 call_selftest(struct regs *r)
{
	(void)r;
	return selftest_run();
}

/*
 * The conversation with the bench that has started the machine, a line each
 * way. The only task waits, so the lock may be held.
 */
static void talk(const char *say)
{
	char answer[64];

	if (!serial_present(SERIAL_CTL))
		return;
	serial_write(SERIAL_CTL, say, strlen(say));
	serial_read_line(SERIAL_CTL, answer, sizeof(answer));
}

static s64 call_bench_ready(struct regs *r)
{
	(void)r;
	talk("ready\n");
	return 0;
}

static s64 call_bench_exit(struct regs *r)
{
	char say[32];

	kprintf("exit status %llu\n", r->rdi & 0xff);
	scnprintf(say, sizeof(say), "exit %llu\n", r->rdi & 0xff);
	talk(say);
	return 0;
}

static s64 call_machine_end(struct regs *r)
{
	(void)r;
	symbiotic_exit();
	machine_end();
}

const syscall_fn lwk_calls[] = {
	[LWK_PMEM_ADD - LWK_CALL_BASE] = call_pmem_add,
	[LWK_PMEM_ALLOC - LWK_CALL_BASE] = call_pmem_alloc,
	[LWK_PMEM_FREE - LWK_CALL_BASE] = call_pmem_free,
	[LWK_PMEM_QUERY - LWK_CALL_BASE] = call_pmem_query,
	[LWK_ASPACE_CREATE - LWK_CALL_BASE] = call_aspace_create,
	[LWK_ASPACE_DESTROY - LWK_CALL_BASE] = call_aspace_destroy,
	[LWK_ASPACE_ADD_REGION - LWK_CALL_BASE] = call_aspace_add_region,
	[LWK_ASPACE_MAP_PMEM - LWK_CALL_BASE] = call_aspace_map_pmem,
	[LWK_ASPACE_SMARTMAP - LWK_CALL_BASE] = call_aspace_smartmap,
	[LWK_ASPACE_LOAD - LWK_CALL_BASE] = call_aspace_load,
	[LWK_TASK_CREATE - LWK_CALL_BASE] = call_task_create,
	[LWK_TASK_WAIT - LWK_CALL_BASE] = call_task_wait,
	[LWK_MACHINE_INFO - LWK_CALL_BASE] = call_machine_info,
	[LWK_SELFTEST - LWK_CALL_BASE] = call_selftest,
	[LWK_BENCH_READY - LWK_CALL_BASE] = call_bench_ready,
	[LWK_BENCH_EXIT - LWK_CALL_BASE] = call_bench_exit,
	[LWK_MACHINE_END - LWK_CALL_BASE] = call_machine_end,
};

const u32 nr_lwk_calls = ARRAY_SIZE(lwk_calls);
