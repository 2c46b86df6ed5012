// SPDX-License-Identifier: GPL-2.0
/*
 * The first task: runs the commands of job/cmd in the archive.
 *
 *	[@CPU] [NAME=VALUE]... PROGRAM ARGUMENTS... [& ...]...
 *
 * A line's programs run at the same time and see each other by SMARTMAP: the
 * memory of rank r is at (r + 1) << 39. The next line runs when all of them
 * have ended; the first one that ends with another status than 0 ends it all.
 * A line that starts with ?N is expected to end with status N. Words are
 * separated by blanks, there are no quotes; lines that start with # are
 * comments.
 *
 * Each task is made as the field does it: an address space, physical memory
 * for image, stack and heap bound to it, and then a task.
 */
#include "init_task.h"

#include <asm/errno.h>

#define MAX_RANKS	8
#define MAX_LINE	1024

/* Where a task's memory goes. The heap starts somewhere in the first GiB. */
#define STACK_VA	0x7000000000ULL
#define HEAP_VA		(4ULL << 30)

/* Addresses for what a program asks for without memory. */
#define RESERVE_VA	0x4000000000ULL
#define RESERVE_SIZE	0x2000000000ULL

/* What is left for kernel stacks and threads, and a part for page tables. */
#define KERNEL_MIN	(4ULL << 20)
#define KERNEL_PART	128
#define LARGE_PAGE	(2ULL << 20)
#define GIGA_PAGE	(1ULL << 30)

struct strings {
	char text[LWK_STRINGS_MAX];
	u64 len;
	u32 count;
};

struct job {
	const char *program;
	struct strings args;
	struct strings env;
	int cpu;
	int aspace;
	int task;
	struct lwk_image image;
	struct lwk_pmem stack;
	struct lwk_pmem heap;
};

static struct job jobs[MAX_RANKS];
static char line[MAX_LINE];

u64 stack_size = 8ULL << 20;

static int add_string(struct strings *s, const char *text)
{
	size_t n = length(text) + 1;

	if (n > sizeof(s->text) - s->len)
		return -1;
	for (size_t i = 0; i < n; i++)
		s->text[s->len++] = text[i];
	s->count++;
	return 0;
}

static int add_number(struct strings *s, const char *name, u32 v)
{
	char text[32];
	size_t n = length(name);

	for (size_t i = 0; i < n; i++)
		text[i] = name[i];
	text[n] = '0' + v % 10;
	text[n + 1] = '\0';
	return add_string(s, text);
}

bool number(const char *text, u64 *v)
{
	*v = 0;
	if (!*text)
		return false;
	for (; *text >= '0' && *text <= '9' && *v < 1ULL << 40; text++)
		*v = *v * 10 + (*text - '0');
	return !*text;
}

/* Cuts the next word out of the line; NULL at the end. */
static char *next_word(char **at)
{
	char *word;

	while (**at == ' ' || **at == '\t')
		(*at)++;
	if (!**at)
		return NULL;
	word = *at;
	while (**at && **at != ' ' && **at != '\t')
		(*at)++;
	if (**at)
		*(*at)++ = '\0';
	return word;
}

static bool has(const char *word, char c)
{
	while (*word && *word != c)
		word++;
	return *word;
}

static void clear_job(struct job *j)
{
	j->program = NULL;
	j->args.len = 0;
	j->args.count = 0;
	j->env.len = 0;
	j->env.count = 0;
	j->cpu = -1;
	j->aspace = 0;
	j->task = 0;
	j->stack.end = 0;
	j->heap.end = 0;
}

static int too_much(void)
{
	print(2, "init_task: too much on one line\n");
	return -1;
}

/* What stands before a program; 0 if this is the program. */
static int parse_prefix(struct job *j, const char *word)
{
	u64 cpu;

	if (word[0] != '@')
		return !has(word, '=') ? 0 :
		       add_string(&j->env, word) ? too_much() : 1;
	if (!number(word + 1, &cpu) || cpu >= nr_cpus()) {
		print(2, "init_task: %s: processors are @0 to @%u\n", word,
		      (u64)nr_cpus() - 1);
		return -1;
	}
	j->cpu = cpu;
	return 1;
}

/* Returns the number of jobs, or -1. */
static int parse(char *at)
{
	struct job *j = NULL;
	int n = 0, ret;
	char *word;

	while ((word = next_word(&at))) {
		if (same(word, "&")) {
			j = NULL;
			continue;
		}
		if (!j) {
			if (n == MAX_RANKS)
				return too_much();
			j = &jobs[n++];
			clear_job(j);
		}
		ret = j->program ? 0 : parse_prefix(j, word);
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		if (!j->program)
			j->program = word;
		if (add_string(&j->args, word))
			return too_much();
	}
	for (int i = 0; i < n; i++) {
		if (!jobs[i].program) {
			print(2, "init_task: no program in part %d of the line\n",
			      i + 1);
			return -1;
		}
		if (add_number(&jobs[i].env, "KITTEN_RANK=", i) ||
		    add_number(&jobs[i].env, "KITTEN_RANKS=", n))
			return too_much();
	}
	return n;
}

/* ---- making tasks ---- */

/* As a shell: a program that is there and does not run. */
static int failed(const char *what, const char *program, int error)
{
	static const struct {
		int error;
		const char *text;
	} table[] = {
		{ -ENOMEM, "not enough memory" },
		{ -ENOEXEC, "not a program (static ELF for x86-64)" },
		{ -ELIBACC, "linked dynamically; link it with -static" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].error != error)
			continue;
		print(2, "init_task: %s: %s: %s\n", program, what,
		      table[i].text);
		return 126;
	}
	print(2, "init_task: %s: %s: error %d\n", program, what, error);
	return 126;
}

static u64 largest_free(void)
{
	struct lwk_pmem p;
	u64 best = 0;

	for (u32 i = 0; !pmem_query(i, &p); i++) {
		if (p.type == LWK_PMEM_FREE_TYPE && p.end - p.start > best)
			best = p.end - p.start;
	}
	return best;
}

/* Virtual and physical address end alike, so that large pages fit. */
static int bind(struct job *j, struct lwk_pmem *p, u64 va, u32 flags,
		const char *name)
{
	u64 size = p->end - p->start;
	int ret;

	ret = aspace_add_region(j->aspace, va, size,
				flags | LWK_READ | LWK_WRITE, name);
	return ret ? ret : aspace_map_pmem(j->aspace, p->start, va, size);
}

/* Names start in files/, as they do for the programs. */
static bool find_program(const char *name, struct archive_entry *file)
{
	char path[MAX_LINE + 8] = "files/";
	size_t n = length(path);

	if (*name == '/')
		return find_file(name + 1, file);
	while (name[0] == '.' && name[1] == '/')
		name += 2;
	while (*name)
		path[n++] = *name++;
	path[n] = '\0';
	return find_file(path, file);
}

static int make_image(struct job *j)
{
	struct archive_entry file;
	int ret;

	if (!find_program(j->program, &file)) {
		print(2, "init_task: %s: not in the archive\n", j->program);
		return 127;
	}
	ret = aspace_create("task");
	if (ret < 0)
		return failed("aspace_create", j->program, ret);
	j->aspace = ret;
	ret = aspace_load(j->aspace, file.data, file.size, &j->image);
	if (ret)
		return failed("image", j->program, ret);
	ret = pmem_alloc(stack_size, LARGE_PAGE, &j->stack);
	if (!ret)
		ret = bind(j, &j->stack, STACK_VA, 0, "stack");
	if (!ret)
		ret = aspace_add_region(j->aspace, RESERVE_VA, RESERVE_SIZE,
					LWK_RESERVE | LWK_READ | LWK_WRITE,
					"reserve");
	return ret ? failed("stack", j->program, ret) : 0;
}

static int make_heap(struct job *j, u64 size)
{
	int ret;

	ret = pmem_alloc(size, LARGE_PAGE, &j->heap);
	if (!ret)
		ret = bind(j, &j->heap,
			   HEAP_VA + (j->heap.start & (GIGA_PAGE - 1)),
			   LWK_HEAP, "heap");
	return ret ? failed("heap", j->program, ret) : 0;
}

static int make_task(struct job *j)
{
	struct lwk_task t = {
		.aspace = j->aspace,
		.cpu = j->cpu,
		.stack = STACK_VA,
		.stack_size = j->stack.end - j->stack.start,
		.image = j->image,
		.strings = (u64)j->args.text,
		.argc = j->args.count,
		.envc = j->env.count,
	};
	const char *name = j->program;
	int ret;

	/* The environment lies behind the arguments. */
	if (j->args.len + j->env.len > sizeof(j->args.text))
		return failed("arguments", j->program, -E2BIG);
	for (size_t i = 0; i < j->env.len; i++)
		j->args.text[j->args.len + i] = j->env.text[i];
	t.strings_len = j->args.len + j->env.len;
	for (const char *s = name; *s; s++)
		name = *s == '/' ? s + 1 : name;
	for (size_t i = 0; i < sizeof(t.name) - 1 && name[i]; i++)
		t.name[i] = name[i];
	ret = task_create(&t);
	if (ret < 0)
		return failed("task_create", j->program, ret);
	j->task = ret;
	return 0;
}

static int make_all(int n)
{
	u64 free;
	int ret;

	for (int i = 0; i < n; i++) {
		ret = make_image(&jobs[i]);
		if (ret)
			return ret;
	}
	free = largest_free();
	if (free < KERNEL_MIN + free / KERNEL_PART + n * LARGE_PAGE)
		return failed("heap", jobs[0].program, -ENOMEM);
	free -= KERNEL_MIN + free / KERNEL_PART;
	free = free / n & ~(LARGE_PAGE - 1);
	for (int i = 0; i < n; i++) {
		ret = make_heap(&jobs[i], free);
		if (ret)
			return ret;
	}
	for (int src = 0; src < n; src++) {
		for (int dst = 0; dst < n; dst++) {
			ret = src == dst ? 0 :
			      aspace_smartmap(jobs[src].aspace,
					      jobs[dst].aspace, src);
			if (ret)
				return failed("smartmap", jobs[src].program,
					      ret);
		}
	}
	for (int i = 0; i < n; i++) {
		ret = make_task(&jobs[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* Waits for what was started, and takes everything apart. */
static int finish_all(int n, int status)
{
	int ret;

	for (int i = 0; i < n; i++) {
		ret = jobs[i].task ? task_wait(jobs[i].task) : 0;
		if (ret && !status)
			status = ret;
	}
	for (int i = 0; i < n; i++) {
		struct job *j = &jobs[i];

		ret = j->aspace ? aspace_destroy(j->aspace) : 0;
		if (!ret && j->stack.end)
			ret = pmem_free(&j->stack);
		if (!ret && j->heap.end)
			ret = pmem_free(&j->heap);
		if (ret)
			status = failed("clean-up", j->program, ret);
	}
	return status;
}

static int run_jobs(char *text)
{
	int n = parse(text), status;

	if (n < 0)
		return 126;
	if (!n)
		return 0;
	if (n == 1 && builtin(jobs[0].program, jobs[0].args.text,
			      jobs[0].args.count, &status))
		return status;
	status = make_all(n);
	return finish_all(n, status);
}

static int run_line(char *text)
{
	const char *word;
	int status;
	u64 want;

	if (*text != '?')
		return run_jobs(text);
	word = next_word(&text);
	if (!number(word + 1, &want)) {
		print(2, "init_task: %s: no status\n", word);
		return 126;
	}
	status = run_jobs(text);
	if ((u64)status == want)
		return 0;
	print(2, "init_task: status %d, expected %d\n", status, (int)want);
	return 1;
}

static int run_script(const struct archive_entry *script)
{
	u64 at = 0;
	int status = 0;

	while (at < script->size && !status) {
		size_t n = 0;

		for (; at < script->size && script->data[at] != '\n'; at++) {
			if (n < sizeof(line) - 1)
				line[n++] = script->data[at];
		}
		at++;
		line[n] = '\0';
		if (line[0] != '#')
			status = run_line(line);
	}
	return status;
}

void _start(const unsigned char *archive, u64 size);

void _start(const unsigned char *archive, u64 size)
{
	struct archive_entry script;
	int status;

	set_archive(archive, size);
	call(LWK_BENCH_READY, 0, 0, 0, 0, 0);
	if (find_file("job/cmd", &script)) {
		status = run_script(&script);
	} else {
		print(2, "init_task: no job/cmd in the archive\n");
		status = 127;
	}
	call(LWK_BENCH_EXIT, status, 0, 0, 0, 0);
	call(LWK_MACHINE_END, 0, 0, 0, 0, 0);
	for (;;)
		;
}
