// SPDX-License-Identifier: GPL-2.0
/*
 * The tool `symcall` and a hostile QEMU. The first byte of the input is the command; the
 * others are what QEMU sends: phrases of QMP in any order, and bytes.
 *
 * The oracle: the tool ends, by its own will, with one of its documented statuses; it says
 * something, and nothing of it controls the terminal of who reads it.
 */
#include <fuzz.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Whole answers and parts; %s is the number of the call that was made last. */
#define ESCAPE	"\"\\u001b[31m\""
#define TAIL	", \"user-mode\": true, \"irqs-off\": true, \"ret\": [1, 2, 3, 4, 5]}}}"
#define INFO	"{\"features\": 1, \"global-page\": 1, \"guest-word\": 1, \"host-word\": 1, "
#define SWAP	"\"swap-grant\": 1, \"swap-in-place\": 1, \"swap-hot\": 1, \"swap-wanted\": 1, "

static const char * const phrases[] = {
	"{\"return\": {}}", "{\"return\": ", "{\"error\": {\"desc\": ", "{\"event\": ",
	"{\"event\": \"SYMCALL_COMPLETED\", \"data\": {\"id\": \"%s\", ",
	"\"result\": {\"status\": 0", "\"result\": {\"status\": ", "\"error\": ", TAIL,
	", \"user-mode\": ", ", \"irqs-off\": ", ", \"ret\": [", "{\"cpu-index\": ",
	"{\"cpu-index\": -2147483648}", "{\"cpu-index\": 2147483647}",
	"{\"return\": [{\"cpu-index\": 0}, {\"cpu-index\": 1}]}",
	"-9223372036854775808", "18446744073709551615", "0", "null", ESCAPE, ESCAPE "}}",
	"{", "}", "[", "]", ", ", "}}}", "\"data\": ", INFO SWAP "\"swap-held\": 1, \"vcpus\": ",
	", \"flags\": 3, \"local-page\": 1}", "\"STOP\"", "{\"return\": [", "]}",
	"{\"cpu-index\": 0}",
	"{\"event\": \"SYMBIOTIC_MODULE\", \"data\": {\"id\": \"%s\", ", "\"change\": ",
	"\"loaded\"", ", \"errno\": ", ", \"reason\": ",
	"{\"return\": {\"taken\": true, \"limit\": 1, \"build-id\": \"", "\", \"vermagic\": \"",
	"\", \"offer\": \"none\", \"modules\": [", "{\"name\": ", ", \"state\": ",
};

#define PHRASES		(sizeof(phrases) / sizeof(phrases[0]))
#define LITERAL		240	/* from here on: the next byte as it is */
#define FROM_THE_START	128	/* of the command's byte: QEMU's greeting is chosen, too */

/* ---- what the tool gets for the system's functions ------------------------ */

static jmp_buf end;
static char call_id[64];
static bool greeted;
static long ms;
static FILE *output;

static __attribute__((noreturn)) void fake_exit(int status)
{
	longjmp(end, status + 1);
}

static int fake_poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	(void)nr;
	(void)timeout;
	fds->revents = fds->events;
	return 1;
}

/* A part of an answer at a time. */
static ssize_t fake_recv(int fd, void *buf, size_t size, int flags)
{
	static const char hello[] = "{\"QMP\": {}}{\"return\": {}}";
	uint8_t b;

	(void)fd;
	(void)flags;
	if (!greeted) {
		greeted = true;
		memcpy(buf, hello, strlen(hello));
		return strlen(hello);
	}
	if (!fuzz_left)
		return 0;
	b = fuzz_byte();
	if (b < LITERAL)
		return snprintf(buf, size, phrases[b % PHRASES], call_id);
	*(uint8_t *)buf = fuzz_byte();
	return 1;
}

static ssize_t fake_send(int fd, const char *text, size_t size, int flags)
{
	const char *id = strstr(text, "\"symcall-");

	(void)fd;
	(void)flags;
	if (id)
		snprintf(call_id, sizeof(call_id), "%.*s", (int)strcspn(id + 1, "\""), id + 1);
	return size;
}

static int fake_clock(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ms++;
	*ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	return 0;
}

#define exit(status)			fake_exit(status)
#define poll(fds, nr, timeout)		fake_poll(fds, nr, timeout)
#define recv(fd, buf, size, flags)	fake_recv(fd, buf, size, flags)
#define send(fd, buf, size, flags)	fake_send(fd, buf, size, flags)
#define clock_gettime(clock, ts)	fake_clock(clock, ts)
#define socket(...)			100
#define connect(...)			0
#define close(fd)			((void)(fd))
#define getpid()			1
#define main				symcall_main
#undef stdout
#define stdout				output
#undef stderr
#define stderr				output
#define printf(...)			fprintf(output, __VA_ARGS__)
#define puts(text)			fprintf(output, "%s\n", text)

#include "symcall.c"

#undef stderr
extern FILE *stderr;

/* ---- allocations, all of which end with the tool --------------------------- */

#define BLOCKS	4096

static void *blocks[BLOCKS];
static unsigned int nr_blocks;
static bool running;

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static void *keep(void *p)
{
	if (running && p) {
		MUST(nr_blocks < BLOCKS);
		blocks[nr_blocks++] = p;
	}
	return p;
}

static void forget(void *p)
{
	unsigned int i;

	/* Most are freed soon. */
	for (i = nr_blocks; i--;) {
		if (blocks[i] == p) {
			blocks[i] = blocks[--nr_blocks];
			return;
		}
	}
}

void *__wrap_malloc(size_t size)
{
	return keep(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return keep(__real_calloc(nr, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	forget(p);
	return keep(__real_realloc(p, size));
}

char *__wrap_strdup(const char *s)
{
	return keep(__real_strdup(s));
}

void __wrap_free(void *p)
{
	forget(p);
	__real_free(p);
}

/* The order in the library's tables, which differs from run to run. */
int __wrap_json_c_get_random_seed(void);

int __wrap_json_c_get_random_seed(void)
{
	return 1;
}

/* ---- the test ------------------------------------------------------------- */

static const struct {
	int argc;
	char *argv[5];
} runs[] = {
	{ 2, { "symcall", "ping" } },
	{ 2, { "symcall", "who" } },
	{ 4, { "symcall", "call", "0", "1" } },
	{ 2, { "symcall", "info" } },
	{ 3, { "symcall", "grant", "1" } },
	{ 3, { "symcall", "qmp", "stop" } },
	{ 3, { "symcall", "event", "STOP" } },
	{ 3, { "symcall", "ping", "0" } },
	{ 3, { "symcall", "module", "list" } },
	{ 4, { "symcall", "module", "unload", "x" } },
};

static void check_output(const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		MUST((unsigned char)text[i] >= ' ' || text[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[1 << 14];
	unsigned int which;
	int status;

	setenv("QMP", "socket", 0);
	fuzz_begin(data, size);
	which = fuzz_byte();
	greeted = which & FROM_THE_START;
	which %= ARRAY_SIZE(runs);
	ms = 0;
	optind = 0;
	memset(text, 0, sizeof(text));
	output = fmemopen(text, sizeof(text), "w");
	setvbuf(output, NULL, _IONBF, 0);

	running = true;
	status = setjmp(end);
	if (!status)
		status = symcall_main(runs[which].argc, (char **)runs[which].argv) + 1;
	running = false;

	while (nr_blocks)
		__real_free(blocks[--nr_blocks]);
	MUST(status - 1 == EXIT_SUCCESS || status - 1 == EXIT_CALL || status - 1 == EXIT_VMM);
	/* All but `grant` have something to say even when all is well. */
	if (status - 1 != EXIT_SUCCESS || strcmp(runs[which].argv[1], "grant"))
		MUST(ftell(output));
	check_output(text, ftell(output));
	fclose(output);
	return 0;
}
