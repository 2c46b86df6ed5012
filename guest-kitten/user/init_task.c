// SPDX-License-Identifier: GPL-2.0
/*
 * The first task: runs the commands of job/cmd in the archive.
 *
 *	[@CPU] PROGRAM ARGUMENTS... [& [@CPU] PROGRAM ARGUMENTS...]...
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

#define MAX_RANKS	8
#define MAX_LINE	1024

/* Where a task's memory goes. The heap starts somewhere in the first GiB. */
#define STACK_VA	0x7000000000ULL
#define STACK_SIZE	(2ULL << 20)
#define HEAP_VA		(4ULL << 30)

/* What is left for kernel stacks, page tables and threads. */
#define RESERVE		(4ULL << 20)
#define LARGE_PAGE	(2ULL << 20)
#define GIGA_PAGE	(1ULL << 30)

struct job {
	const char *program;
	char strings[LWK_STRINGS_MAX];
	u64 strings_len;
	u32 argc;
	u32 envc;
	int cpu;
	int aspace;
	int task;
	struct lwk_image image;
	struct lwk_pmem stack;
	struct lwk_pmem heap;
};

static struct job jobs[MAX_RANKS];
static char line[MAX_LINE];

static int add_string(struct job *j, const char *text)
{
	size_t n = length(text) + 1;

	if (n > sizeof(j->strings) - j->strings_len)
		return -1;
	for (size_t i = 0; i < n; i++)
		j->strings[j->strings_len++] = text[i];
	return 0;
}

static int add_number(struct job *j, const char *name, u32 v)
{
	char text[32];
	size_t n = length(name);

	for (size_t i = 0; i < n; i++)
		text[i] = name[i];
	text[n] = '0' + v % 10;
	text[n + 1] = '\0';
	j->envc++;
	return add_string(j, text);
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

/* Returns the number of jobs, or -1. */
static int parse(char *at)
{
	struct job *j = NULL;
	int n = 0;
	char *word;

	while ((word = next_word(&at))) {
		if (same(word, "&")) {
			j = NULL;
			continue;
		}
		if (!j) {
			if (n == MAX_RANKS)
				return -1;
			j = &jobs[n++];
			j->program = NULL;
			j->strings_len = 0;
			j->argc = 0;
			j->envc = 0;
			j->cpu = -1;
			j->aspace = 0;
			j->task = 0;
			j->stack.end = 0;
			j->heap.end = 0;
		}
		if (word[0] == '@' && !j->program) {
			j->cpu = word[1] - '0';
			continue;
		}
		if (!j->program)
			j->program = word[0] == '.' && word[1] == '/' ?
				     word + 2 : word;
		j->argc++;
		if (add_string(j, word))
			return -1;
	}
	for (int i = 0; i < n; i++) {
		if (!jobs[i].program || add_number(&jobs[i], "KITTEN_RANK=", i) ||
		    add_number(&jobs[i], "KITTEN_RANKS=", n))
			return -1;
	}
	return n;
}

/* ---- making tasks ---- */

static int failed(const char *what, const char *program, int error)
{
	print(2, "init_task: %s: %s: error %d\n", program, what, error);
	return 127;
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

static int make_image(struct job *j)
{
	struct archive_entry file;
	int ret;

	if (!find_file(j->program, &file)) {
		print(2, "init_task: %s: not in the archive\n", j->program);
		return 127;
	}
	ret = aspace_create("task");
	if (ret < 0)
		return failed("aspace_create", j->program, ret);
	j->aspace = ret;
	ret = aspace_load(j->aspace, file.data, file.size, &j->image);
	if (ret)
		return failed("aspace_load", j->program, ret);
	ret = pmem_alloc(STACK_SIZE, LARGE_PAGE, &j->stack);
	if (!ret)
		ret = bind(j, &j->stack, STACK_VA, 0, "stack");
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
		.stack_size = STACK_SIZE,
		.image = j->image,
		.strings = (u64)j->strings,
		.strings_len = j->strings_len,
		.argc = j->argc,
		.envc = j->envc,
	};
	int ret;

	for (size_t i = 0; i < sizeof(t.name) - 1 && j->program[i]; i++)
		t.name[i] = j->program[i];
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
	if (free < RESERVE + n * LARGE_PAGE)
		return failed("memory", jobs[0].program, -12);
	free = (free - RESERVE) / n & ~(LARGE_PAGE - 1);
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

	if (n < 0) {
		print(2, "init_task: too much on one line\n");
		return 126;
	}
	if (!n)
		return 0;
	if (n == 1 && builtin(jobs[0].program, jobs[0].strings,
			      jobs[0].argc, &status))
		return status;
	status = make_all(n);
	return finish_all(n, status);
}

static int run_line(char *text)
{
	int want = 0, status;
	const char *digit;

	if (*text != '?')
		return run_jobs(text);
	for (digit = next_word(&text) + 1; *digit; digit++)
		want = want * 10 + (*digit - '0');
	status = run_jobs(text);
	if (status == want)
		return 0;
	print(2, "init_task: status %d, expected %d\n", status, want);
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
