// SPDX-License-Identifier: GPL-2.0
/*
 * Random programs against the memory management of a guest that swaps to a window.
 *
 *   fuzz_mm [-s seed] [-n first] [-w] [-t seconds] [-o operations] [-l seconds] [-i device]
 *           [-b FILE=VALUE] [-F step] [-O lie] [-L step] [-S seconds] [-1] [swap device...]
 *   fuzz_mm -r [-x times] [...] -f program [-f ...] [swap device...]
 *   fuzz_mm -m known -f program [...]
 *   fuzz_mm -p number [-s seed] [-w] [swap device...]
 *
 * A swap device is a path, or NAME=PATH where programs call it otherwise.
 *
 *   -s  seed; with the same one, the same programs in the same order
 *   -n  number of the first program
 *   -w  of 60 to 99 steps, not of 8 to 47: half of a short one's time is its begin and end
 *   -t  time for all of them (60)
 *   -o  as many steps are enough
 *   -l  the longest that a system call may take (20)
 *   -i  a disk for direct I/O, which loses what it holds
 *   -b  what is broken on purpose while programs run
 *   -F  a kind of step that processes do not do, but say that they have: to test this
 *   -O  what the oracle is told of the machine and is not so: in_place, held, swap, anon,
 *       charge, swap_charge, sums or log (see machine.h): to test this, too
 *   -L  a kind of step to leave out; may be said several times
 *   -S  time for making a find smaller (60)
 *   -1  stop after the first find
 *   -r  run those programs (KTAP); devices that they name and that are not here make
 *       them skipped
 *   -x  each of them so often, or until -t is over, unless something is found (1)
 *   -m  make the program smaller; see shrink.h for what is known
 *   -p  print a program, and do nothing
 *
 * Without devices nothing of the machine is changed, and it can be run anywhere.
 * Lines with @ are for who has started it: the number of the program that begins (with -r,
 * of the file), how far it has come (@at), and how attempts to make one smaller have ended.
 * They tell what it was when the machine is gone. Exit status: 0 nothing found, 1 finds, 2
 * could not be tried, 3 a find after which nothing can be tried in this boot.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <ktap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facility.h"
#include "machine.h"
#include "run.h"
#include "shrink.h"
#include "worker.h"

#define MAX_FILES	64
#define TEST_HOPELESS	3
#define SAY_MS		10000	/* how far it has come */

struct options {
	uint64_t seed, first, operations;
	unsigned int seconds, shrink_seconds, times;
	bool one, replay, longer;
	const char *known, *disk, *broken, *print;
	const char *file[MAX_FILES];
	unsigned int files;
};

static void say_find(const struct program *p, const struct find *find, const char *what)
{
	printf("# %s: %s\n", what, find->text);
	if (find->step < p->nr) {
		printf("# at step %u: ", find->step + 1);
		step_print(stdout, &p->step[find->step]);
	} else {
		printf("# after the last step\n");
	}
	program_print(stdout, p, "#   ");
}

static void say_counts(const struct options *o, uint64_t ms)
{
	unsigned int i, kinds = 0;

	printf("# seed %lu: %lu programs, %lu operations in %lu.%lu s\n#", o->seed,
	       count.programs, count.steps, ms / 1000, ms % 1000 / 100);
	for (i = 0; i < OP_NR; i++) {
		if (!count.kind[i])
			continue;
		printf(" %s %lu", op_name(i), count.kind[i]);
		kinds++;
	}
	printf("\n# %u kinds of operations\n", kinds);
	printf("# seconds: begin %.1f, last looks %.1f, end %.1f", count.begin_us / 1e6,
	       count.check_us / 1e6, count.end_us / 1e6);
	for (i = 0; i < OP_NR; i++)
		if (count.us[i] >= 100000)
			printf(", %s %.1f", op_name(i), count.us[i] / 1e6);
	printf("\n");
	for (i = 0; i < OP_NR; i++)
		if (count.lacking[i])
			printf("# left out: %s %lu, %s\n", op_name(i), count.lacking[i],
			       facility_lacks(i));
	fflush(stdout);
}

/* The next program's number, and what was done; returns when it was said. */
static uint64_t say_at(uint64_t number, uint64_t begin)
{
	uint64_t now = now_ms();

	printf("@at %lu: %lu programs, %lu operations, %.1f s\n", number, count.programs,
	       count.steps, (now - begin) / 1e3);
	fflush(stdout);
	return now;
}

static int fuzz(const struct options *o)
{
	uint64_t begin = now_ms(), end = begin + o->seconds * 1000ULL, said = begin, number;
	unsigned int finds = 0;
	struct program p;
	struct find find = { 0 };

	for (number = o->first; now_ms() < end && count.steps < o->operations && !find.hopeless;
	     number++) {
		if (now_ms() - said > SAY_MS)
			said = say_at(number, begin);
		program_generate(&p, o->seed, number, o->longer);
		printf("@%lu\n", number);
		fflush(stdout);
		if (run_program(&p, &find))
			continue;
		finds++;
		printf("# found after %.1f s, %lu operations\n", (now_ms() - begin) / 1e3,
		       count.steps);
		printf("@found\n");
		say_find(&p, &find, "as made");
		if (!find.hopeless) {
			struct count done = count;

			shrink(&p, &find, "", now_ms() + o->shrink_seconds * 1000ULL);
			printf("# %u steps, %.1f s after the start\n", p.nr,
			       (now_ms() - begin) / 1e3);
			say_find(&p, &find, "made smaller");
			/* That was no part of it. */
			count = done;
		}
		printf("@end\n");
		fflush(stdout);
		if (o->one)
			break;
	}
	say_at(number, begin);
	say_counts(o, now_ms() - begin);
	ktap(!finds, "seed %lu, %lu programs, %lu operations: %u finds", o->seed,
	     count.programs, count.steps, finds);
	return find.hopeless ? TEST_HOPELESS : ktap_end();
}

/* What threads race for is not found each time. */
static bool run_often(const struct options *o, const struct program *p, struct find *find)
{
	uint64_t end = now_ms() + o->seconds * 1000ULL;
	unsigned int i;

	for (i = 0; i < o->times && (!i || now_ms() < end); i++)
		if (!run_program(p, find))
			return false;
	return true;
}

static int replay(const struct options *o)
{
	struct find find = { 0 };
	struct program p;
	unsigned int i, op;

	ktap_plan(o->files);
	for (i = 0; i < o->files && !find.hopeless; i++) {
		const char *name = strrchr(o->file[i], '/');

		name = name ? name + 1 : o->file[i];
		if (!program_read(&p, o->file[i])) {
			ktap_directive(true, "SKIP it needs another machine", "%s", name);
			continue;
		}
		memset(count.lacking, 0, sizeof(count.lacking));
		printf("@%u\n", i);
		fflush(stdout);
		if (!run_often(o, &p, &find))
			say_find(&p, &find, name);
		for (op = 0; op < OP_NR && !count.lacking[op]; op++)
			;
		if (*find.text || op == OP_NR)
			ktap(!*find.text, "%s", name);
		else
			ktap_directive(true, say("SKIP %s: %s", op_name(op), facility_lacks(op)),
				       "%s", name);
	}
	return ktap_end();
}

static int smaller(const struct options *o)
{
	struct find find = { 0 };
	struct program p;

	if (!program_read(&p, o->file[0]))
		return TEST_SETUP;
	find.step = p.nr;
	shrink(&p, &find, o->known, now_ms() + o->shrink_seconds * 1000ULL);
	say_find(&p, &find, "made smaller");
	printf("@end\n");
	fflush(stdout);
	return find.hopeless ? TEST_HOPELESS : TEST_VIOLATED;
}

static int work(const struct options *o, char **devices)
{
	struct program p;

	if (o->print) {
		for (; *devices; devices++)
			inventory_add(*devices);
		program_generate(&p, o->seed, strtoull(o->print, NULL, 0), o->longer);
		program_print(stdout, &p, "");
		return TEST_OK;
	}
	machine_open(devices, o->broken);
	run_open(o->disk);
	if (o->replay)
		return replay(o);
	if (o->known)
		return smaller(o);
	return fuzz(o);
}

/*
 * The work is another process's: what hangs in the kernel for good must not keep this
 * one from telling.
 */
static int watch(const struct options *o, char **devices)
{
	int *status = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int how;

	if (status == MAP_FAILED)
		setup_error("mmap: %s", strerror(errno));
	*status = -1;
	pid = fork();
	if (!pid) {
		*status = work(o, devices);
		fflush(stdout);
		*status |= 0x100;
		_exit(*status & 0xff);
	}
	for (;;) {
		if (waitpid(pid, &how, WNOHANG) == pid)
			break;
		if (*status >= 0x100)
			return *status & 0xff;
		usleep(10000);
	}
	if (WIFSIGNALED(how))
		setup_error("died: %s", strsignal(WTERMSIG(how)));
	return WEXITSTATUS(how);
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .operations = ~0UL, .seconds = 60, .shrink_seconds = 60,
			     .times = 1 };
	int opt;

	if (argc == 4 && !strcmp(argv[1], "--worker"))
		worker_exec(atoi(argv[2]), atoi(argv[3]));

	while ((opt = getopt(argc, argv, "s:n:wt:o:l:i:b:F:O:L:S:1rx:m:f:p:")) != -1) {
		switch (opt) {
		case 's':
			o.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			o.first = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			o.longer = true;
			break;
		case 't':
			o.seconds = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			o.operations = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			machine_limit_ms = strtoul(optarg, NULL, 0) * 1000;
			break;
		case 'i':
			o.disk = optarg;
			break;
		case 'b':
			o.broken = optarg;
			break;
		case 'F':
			worker_forgets = op_find(optarg);
			break;
		case 'O':
			machine_lie = lie_find(optarg);
			if (machine_lie == LIE_NR)
				setup_error("no lie %s", optarg);
			break;
		case 'L':
			if (op_find(optarg) == OP_NR)
				setup_error("no step %s", optarg);
			facility_leave_out(op_find(optarg));
			break;
		case 'S':
			o.shrink_seconds = strtoul(optarg, NULL, 0);
			break;
		case '1':
			o.one = true;
			break;
		case 'r':
			o.replay = true;
			break;
		case 'x':
			o.times = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			o.known = optarg;
			break;
		case 'f':
			if (o.files == MAX_FILES)
				return TEST_SETUP;
			o.file[o.files++] = optarg;
			break;
		case 'p':
			o.print = optarg;
			break;
		default:
			return TEST_SETUP;
		}
	}
	if ((o.replay || o.known) && !o.files)
		setup_error("no program");
	return watch(&o, argv + optind);
}
