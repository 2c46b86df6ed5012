// SPDX-License-Identifier: GPL-2.0
/*
 * symcall: call into a symbiotic guest from the host's command line.
 *
 * Speaks QMP to the QEMU that runs the guest; see --help.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <json.h>
#include <symbiotic/abi.h>

#include "modfile.h"

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define DEFAULT_TIMEOUT		10
#define MODULE_TIMEOUT		60
#define MAX_TIMEOUT		600	/* QEMU's, too */
/* What QEMU itself may need on a loaded machine, on top of the call's time. */
#define QMP_TIMEOUT_MS		15000

enum {
	EXIT_CALL	= 1,	/* the guest or KVM said no, or a wrong answer */
	EXIT_USAGE	= 2,
	EXIT_VMM	= 3,	/* QEMU says no, or says nothing */
	EXIT_GONE	= 4,	/* there is no QEMU */
};

struct qmp {
	int fd;
	long timeout_ms;	/* of one symcall */
	long module_ms;		/* of one module: its init may take a while */
	struct json_tokener *tok;
	char buf[4096];
	size_t pos, len;
	char id[64];		/* of the symcall or offer that was made last */
	struct json_object *completed;	/* QEMU's event that it is over */
	int pass_fd;		/* goes with the next command; -1: none */
	const char *modules;	/* directory of modules; NULL: none is known */
};

struct symcall {
	int64_t status;
	uint64_t ret[SYMCALL_NR_ARGS];
	bool user_mode;
	bool irqs_off;
};

static const char help[] =
"NAME\n"
"    symcall - call into a symbiotic guest\n"
"\n"
"SYNOPSIS\n"
"    symcall -q SOCKET [-t SECONDS] ping [CPU]\n"
"    symcall -q SOCKET [-t SECONDS] who\n"
"    symcall -q SOCKET [-t SECONDS] call CPU NUMBER [ARGUMENT...]\n"
"    symcall -q SOCKET info\n"
"    symcall -q SOCKET word VALUE\n"
"    symcall -q SOCKET grant PAGES\n"
"    symcall -q SOCKET paging [nested | shadow | auto]\n"
"    symcall -q SOCKET [-t SECONDS] [-m DIR] module load FILE|NAME [PARAMETER...]\n"
"    symcall -q SOCKET [-t SECONDS] module offer FILE NAME [PARAMETER...]\n"
"    symcall -q SOCKET [-t SECONDS] module unload NAME\n"
"    symcall -q SOCKET module list | withdraw\n"
"    symcall -q SOCKET [-m DIR] attach-device ADDRESS [--driver NAME [PARAMETER...]]\n"
"    symcall -q SOCKET detach-device ADDRESS\n"
"    symcall -q SOCKET qmp COMMAND [JSON]\n"
"    symcall -q SOCKET [-t SECONDS] event NAME\n"
"\n"
"DESCRIPTION\n"
"    A symcall interrupts a vCPU of a running guest, whatever it does, makes\n"
"    one function call in the guest's kernel, and lets the vCPU go on.\n"
"\n"
"    ping  call the guest's test function on the vCPU CPU, or on every vCPU,\n"
"          and check the answer\n"
"    who   show which process runs on each vCPU, and in which mode\n"
"    call  make the call NUMBER with up to five arguments; show its status\n"
"          and the five result registers\n"
"    info  show what guest and VMM share, without interrupting the guest\n"
"    word  write VALUE to the host's word of the global SymSpy page\n"
"    grant let the guest use PAGES of its swap window in place; what it uses\n"
"          beyond that it gives back, a GiB in a second\n"
"    paging show how KVM maps the guest's memory, and why; or change it, in a VM\n"
"          that was started with -accel kvm,paging=\n"
"    module load    let the guest's kernel load a module that a key of its own has\n"
"          signed, and before it all that it needs: a file with its neighbours, or\n"
"          NAME from DIR/BUILD-ID/, which are of the guest's kernel\n"
"    module offer   the same with a file that nobody has looked at, under a NAME; for\n"
"          tests\n"
"    module unload  one that has come this way\n"
"    module list    which modules the guest takes, and which it has got\n"
"    module withdraw  what the guest has not copied yet\n"
"    attach-device  give the guest the PCI device of the host at ADDRESS, without an\n"
"          IOMMU; load its driver first, if NAME is there, and let the device reach\n"
"          memory only while that module is loaded\n"
"    detach-device  and take it away\n"
"    qmp   run any other QMP command (stop, cont, system_reset, ...) with the\n"
"          arguments JSON; print what it returns\n"
"    event wait for the next event NAME (STOP, SYMBIOTIC_MEMORY_ERROR, ...); print\n"
"          its data\n"
"\n"
"    Numbers are decimal, octal (0...) or hexadecimal (0x...).\n"
"\n"
"OPTIONS\n"
"    -q, --qmp SOCKET       QEMU's QMP socket (-qmp unix:SOCKET,server=on,wait=off);\n"
"                           the default is the environment variable QMP\n"
"    -t, --timeout SECONDS  give up a call or an event after this time (default: 10,\n"
"                           for modules and devices 60; at most 600)\n"
"    -m, --modules DIR      where modules are, by build ID; the default is the environment\n"
"                           variable SYMBIOTIC_MODULES\n"
"    -h, --help             show this text\n"
"\n"
"EXIT STATUS\n"
"    0  success\n"
"    1  the guest, or KVM, has refused or aborted the call, the answer to a\n"
"       ping was wrong, or a module does not fit\n"
"    2  wrong usage\n"
"    3  an error message from QEMU, or no answer in time\n"
"    4  there is no QEMU at this socket\n";

__attribute__((format(printf, 2, 3), noreturn))
static void die(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("symcall: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static uint64_t parse_number(const char *s, const char *what)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(s, &end, 0);
	if (errno || end == s || *end || strchr(s, '-'))
		die(EXIT_USAGE, "%s is not a valid %s", s, what);
	return n;
}

static int parse_cpu(const char *s)
{
	uint64_t n = parse_number(s, "vCPU");

	if (n > INT32_MAX)
		die(EXIT_USAGE, "%s is not a valid vCPU", s);
	return n;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits until the socket is ready for @events. */
static void qmp_wait(struct qmp *qmp, short events, long deadline)
{
	struct pollfd pfd = { .fd = qmp->fd, .events = events };
	long left;
	int ret;

	do {
		left = deadline - now_ms();
		if (left <= 0)
			die(EXIT_VMM, "no answer from QEMU in time");
		ret = poll(&pfd, 1, left);
	} while (ret == 0 || (ret < 0 && errno == EINTR));
	if (ret < 0)
		die(EXIT_VMM, "poll: %s", strerror(errno));
}

/* The next object that QEMU sends. */
static struct json_object *qmp_read(struct qmp *qmp, long deadline)
{
	struct json_object *obj;
	enum json_tokener_error err;
	ssize_t n;

	for (;;) {
		if (qmp->pos == qmp->len) {
			qmp_wait(qmp, POLLIN, deadline);
			n = recv(qmp->fd, qmp->buf, sizeof(qmp->buf), 0);
			if (n < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (n < 0)
				die(EXIT_VMM, "receive: %s", strerror(errno));
			if (n == 0)
				die(EXIT_VMM, "QEMU has closed the connection");
			qmp->pos = 0;
			qmp->len = n;
		}
		obj = json_tokener_parse_ex(qmp->tok, qmp->buf + qmp->pos,
					    qmp->len - qmp->pos);
		err = json_tokener_get_error(qmp->tok);
		qmp->pos += json_tokener_get_parse_end(qmp->tok);
		if (err == json_tokener_success && obj)
			return obj;
		if (err != json_tokener_continue)
			die(EXIT_VMM, "not QMP: %s", json_tokener_error_desc(err));
	}
}

/* send(), with the descriptor that is to be passed, if there is one. */
static ssize_t send_with_fd(struct qmp *qmp, const char *s, size_t len)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { };
	struct iovec iov = { .iov_base = (char *)s, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	if (qmp->pass_fd < 0)
		return send(qmp->fd, s, len, MSG_NOSIGNAL);
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &qmp->pass_fd, sizeof(int));
	n = sendmsg(qmp->fd, &msg, MSG_NOSIGNAL);
	if (n >= 0)
		qmp->pass_fd = -1;
	return n;
}

static void qmp_write(struct qmp *qmp, const char *s, long deadline)
{
	size_t left = strlen(s);
	ssize_t n;

	while (left) {
		qmp_wait(qmp, POLLOUT, deadline);
		n = send_with_fd(qmp, s, left);
		if (n < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			die(EXIT_VMM, "send: %s", strerror(errno));
		}
		s += n;
		left -= n;
	}
}

/* A member that must be there, and of this type. */
static struct json_object *member(struct json_object *obj, const char *name,
				  enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(obj, json_type_object) ||
	    !json_object_object_get_ex(obj, name, &value) ||
	    !json_object_is_type(value, type))
		die(EXIT_VMM, "QEMU's answer lacks \"%s\", or it is no %s", name,
		    json_type_to_name(type));
	return value;
}

static int64_t member_int(struct json_object *obj, const char *name)
{
	return json_object_get_int64(member(obj, name, json_type_int));
}

static uint64_t member_uint(struct json_object *obj, const char *name)
{
	return json_object_get_uint64(member(obj, name, json_type_int));
}

/* What others have written, a guest's process or QEMU, is kept off the terminal. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

/* The text of an error, or of anything else, for the caller to free. */
static char *error_text(struct json_object *desc)
{
	char *text = strdup(desc ? json_object_get_string(desc) : "null");

	if (!text)
		die(EXIT_VMM, "out of memory");
	make_printable(text);
	return text;
}

/* Keeps the event that the last symcall or offer is over; lets all others go. */
static void qmp_event(struct qmp *qmp, struct json_object *msg)
{
	struct json_object *name, *data, *id;

	if (!json_object_object_get_ex(msg, "event", &name) ||
	    !json_object_is_type(name, json_type_string) ||
	    (strcmp(json_object_get_string(name), "SYMCALL_COMPLETED") &&
	     strcmp(json_object_get_string(name), "SYMBIOTIC_MODULE")))
		return;
	data = member(msg, "data", json_type_object);
	/* What nobody waits for has none. */
	if (!json_object_object_get_ex(data, "id", &id) &&
	    strcmp(json_object_get_string(name), "SYMCALL_COMPLETED"))
		return;
	/* Other users of this QEMU make calls, too. */
	if (strcmp(json_object_get_string(member(data, "id", json_type_string)), qmp->id))
		return;
	json_object_put(qmp->completed);
	qmp->completed = json_object_get(data);
}

/*
 * Returns true with what the command returns, which may be NULL for JSON's null,
 * in *@result for the caller to put; false after an error, with its text in
 * *@error for the caller to free.
 */
static bool qmp_try(struct qmp *qmp, const char *name, struct json_object *args,
		    struct json_object **result, char **error)
{
	long deadline = now_ms() + QMP_TIMEOUT_MS;
	struct json_object *msg, *obj, *desc;

	msg = json_object_new_object();
	json_object_object_add(msg, "execute", json_object_new_string(name));
	if (args)
		json_object_object_add(msg, "arguments", args);
	qmp_write(qmp, json_object_to_json_string(msg), deadline);
	qmp_write(qmp, "\n", deadline);
	json_object_put(msg);

	/* Events come in between. */
	for (;; json_object_put(msg)) {
		msg = qmp_read(qmp, deadline);
		if (json_object_object_get_ex(msg, "return", &obj)) {
			*result = json_object_get(obj);
			json_object_put(msg);
			return true;
		}
		if (json_object_object_get_ex(msg, "error", &obj)) {
			if (!json_object_is_type(obj, json_type_object) ||
			    !json_object_object_get_ex(obj, "desc", &desc))
				desc = obj;
			*error = error_text(desc);
			json_object_put(msg);
			return false;
		}
		qmp_event(qmp, msg);
	}
}

/* As qmp_try(), but ends with a message after an error. */
static struct json_object *qmp_command(struct qmp *qmp, const char *name,
				       struct json_object *args)
{
	struct json_object *result;
	char *error;

	if (!qmp_try(qmp, name, args, &result, &error))
		die(EXIT_VMM, "%s", error);
	return result;
}

/*
 * Is that the greeting? An event may come before it: QEMU has accepted the client, and
 * takes it for the last one, who was ready for events, until its monitor comes to greet.
 */
static bool qmp_greeted(struct json_object *obj, const char *path)
{
	bool greeting = json_object_is_type(obj, json_type_object) &&
			json_object_object_get_ex(obj, "QMP", NULL);

	if (!greeting && !(json_object_is_type(obj, json_type_object) &&
			   json_object_object_get_ex(obj, "event", NULL)))
		die(EXIT_VMM, "%s: this is no QMP socket", path);
	json_object_put(obj);
	return greeting;
}

static void qmp_open(struct qmp *qmp, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	long deadline;

	if (strlen(path) >= sizeof(addr.sun_path))
		die(EXIT_USAGE, "the name of the socket is too long");
	memcpy(addr.sun_path, path, strlen(path));
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (qmp->fd < 0 ||
	    connect(qmp->fd, (struct sockaddr *)&addr, sizeof(addr)))
		die(errno == ENOENT || errno == ECONNREFUSED ? EXIT_GONE : EXIT_VMM,
		    "%s: %s", path, strerror(errno));
	qmp->tok = json_tokener_new();

	/* QEMU serves one client at a time; another may be busy there. */
	deadline = now_ms() + QMP_TIMEOUT_MS;
	while (!qmp_greeted(qmp_read(qmp, deadline), path))
		;
	json_object_put(qmp_command(qmp, "qmp_capabilities", NULL));
}

static void new_id(struct qmp *qmp)
{
	static unsigned int made;

	snprintf(qmp->id, sizeof(qmp->id), "symcall-%d-%ld-%u", getpid(), now_ms(), made++);
}

/* The event that what has the id is over, maybe before QEMU has answered the command. */
static struct json_object *wait_completed(struct qmp *qmp, long timeout_ms)
{
	long deadline = now_ms() + timeout_ms + QMP_TIMEOUT_MS;
	struct json_object *obj;

	while (!qmp->completed) {
		obj = qmp_read(qmp, deadline);
		qmp_event(qmp, obj);
		json_object_put(obj);
	}
	obj = qmp->completed;
	qmp->completed = NULL;
	return obj;
}

/* Returns false after an error, with its text in *@error. */
static bool symcall(struct qmp *qmp, int cpu, uint64_t nr, const uint64_t *args,
		    int nr_args, struct symcall *call, char **error)
{
	struct json_object *obj, *list, *text;
	int i;

	new_id(qmp);
	list = json_object_new_array();
	for (i = 0; i < nr_args; i++)
		json_object_array_add(list, json_object_new_uint64(args[i]));
	obj = json_object_new_object();
	json_object_object_add(obj, "id", json_object_new_string(qmp->id));
	json_object_object_add(obj, "cpu-index", json_object_new_int(cpu));
	json_object_object_add(obj, "number", json_object_new_uint64(nr));
	json_object_object_add(obj, "args", list);
	json_object_object_add(obj, "timeout",
			       json_object_new_int64(qmp->timeout_ms));
	if (!qmp_try(qmp, "x-symcall", obj, &obj, error))
		return false;
	json_object_put(obj);

	obj = wait_completed(qmp, qmp->timeout_ms);
	if (json_object_object_get_ex(obj, "error", &text)) {
		*error = error_text(text);
		json_object_put(obj);
		return false;
	}

	text = member(obj, "result", json_type_object);
	call->status = member_int(text, "status");
	call->user_mode = json_object_get_boolean(member(text, "user-mode", json_type_boolean));
	call->irqs_off = json_object_get_boolean(member(text, "irqs-off", json_type_boolean));
	list = member(text, "ret", json_type_array);
	if (json_object_array_length(list) != SYMCALL_NR_ARGS)
		die(EXIT_VMM, "QEMU's answer has %zu results",
		    json_object_array_length(list));
	for (i = 0; i < SYMCALL_NR_ARGS; i++)
		call->ret[i] = json_object_get_uint64(json_object_array_get_idx(list, i));
	json_object_put(obj);
	return true;
}

/* Positive codes are the guest's, negative ones KVM's. */
static const char *status_text(int64_t status)
{
	switch (status) {
	case 0:
		return "ok";
	case SYMCALL_ERR_NOSYS:
		return "the guest does not know this call";
	case SYMCALL_ERR_INVAL:
		return "the guest says: bad argument";
	case SYMCALL_ERR_BUSY:
		return "the guest cannot answer now";
	case -ENXIO:
		return "the guest takes no symcalls on this vCPU";
	case -EBUSY:
		return "the vCPU cannot be interrupted now";
	case -EIO:
		return "the call has crashed or halted and was aborted";
	case -ETIMEDOUT:
		return "the call took too long and was aborted";
	default:
		return status > 0 ? "the guest has returned an error" :
				    strerror(-(uint32_t)status);
	}
}

static int compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* All vCPUs in ascending order, in an array that the caller frees. */
static int *all_cpus(struct qmp *qmp, size_t *nr)
{
	struct json_object *list;
	int *cpus;
	size_t i;

	list = qmp_command(qmp, "query-cpus-fast", NULL);
	if (!json_object_is_type(list, json_type_array) || !json_object_array_length(list))
		die(EXIT_VMM, "QEMU's answer is no list, or an empty one");
	*nr = json_object_array_length(list);
	cpus = calloc(*nr + 1, sizeof(*cpus));
	if (!cpus)
		die(EXIT_VMM, "out of memory");
	for (i = 0; i < *nr; i++)
		cpus[i] = member_int(json_object_array_get_idx(list, i), "cpu-index");
	json_object_put(list);
	qsort(cpus, *nr, sizeof(*cpus), compare_int);
	return cpus;
}

static int ping_one(struct qmp *qmp, int cpu)
{
	static const uint64_t args[SYMCALL_NR_ARGS] = {
		0x1122334455667788, UINT64_MAX, 0, INT64_MIN, 42,
	};
	struct symcall call;
	char *error;
	long start;
	int i;

	start = now_ms();
	if (!symcall(qmp, cpu, SYMCALL_TEST, args, SYMCALL_NR_ARGS, &call, &error)) {
		printf("vcpu %d: %s\n", cpu, error);
		free(error);
		return EXIT_VMM;
	}
	if (call.status) {
		printf("vcpu %d: %s (%" PRId64 ")\n", cpu, status_text(call.status),
		       call.status);
		return EXIT_CALL;
	}
	for (i = 0; i < SYMCALL_NR_ARGS; i++) {
		if (call.ret[i] != args[i] + !i) {
			printf("vcpu %d: wrong answer: result %d is 0x%" PRIx64 "\n",
			       cpu, i, call.ret[i]);
			return EXIT_CALL;
		}
	}
	printf("vcpu %d: ok, %ld ms\n", cpu, now_ms() - start);
	return EXIT_SUCCESS;
}

static int cmd_ping(struct qmp *qmp, int argc, char **argv)
{
	int status = EXIT_SUCCESS, ret;
	size_t nr, i;
	int *cpus;

	if (argc)
		return ping_one(qmp, parse_cpu(argv[0]));
	cpus = all_cpus(qmp, &nr);
	for (i = 0; i < nr; i++) {
		ret = ping_one(qmp, cpus[i]);
		if (ret > status)
			status = ret;
	}
	free(cpus);
	return status;
}

static int cmd_who(struct qmp *qmp, int argc, char **argv)
{
	int status = EXIT_SUCCESS;
	struct symcall call;
	const char *mode;
	char comm[17], *error;
	size_t nr, i;
	int *cpus;

	(void)argc;
	(void)argv;
	cpus = all_cpus(qmp, &nr);
	printf("%4s %7s %-16s %s\n", "VCPU", "PID", "COMM", "MODE");
	for (i = 0; i < nr; i++) {
		if (!symcall(qmp, cpus[i], SYMCALL_WHO, NULL, 0, &call, &error)) {
			printf("%4d %7s %-16s %s\n", cpus[i], "-", "-", error);
			free(error);
			status = EXIT_VMM;
			continue;
		}
		if (call.status) {
			printf("%4d %7s %-16s %s (%" PRId64 ")\n", cpus[i], "-", "-",
			       status_text(call.status), call.status);
			if (status == EXIT_SUCCESS)
				status = EXIT_CALL;
			continue;
		}

		memcpy(comm, &call.ret[1], 8);
		memcpy(comm + 8, &call.ret[2], 8);
		comm[16] = '\0';
		make_printable(comm);

		if (call.user_mode || call.ret[3] & SYMCALL_WHO_USER)
			mode = "user";
		else if (call.ret[3] & SYMCALL_WHO_IDLE)
			mode = "idle";
		else
			mode = "kernel";
		printf("%4d %7" PRIu64 " %-16s %s%s\n", cpus[i], call.ret[0], comm,
		       mode, call.irqs_off || call.ret[3] & SYMCALL_WHO_IRQS_OFF ?
		       ", interrupts off" : "");
	}
	free(cpus);
	return status;
}

static int cmd_call(struct qmp *qmp, int argc, char **argv)
{
	static const char * const regs[SYMCALL_NR_ARGS] = {
		"rbx", "rcx", "rdx", "rsi", "rdi",
	};
	uint64_t args[SYMCALL_NR_ARGS], nr;
	struct symcall call;
	char *error;
	int cpu, i;

	cpu = parse_cpu(argv[0]);
	nr = parse_number(argv[1], "call number");
	for (i = 2; i < argc; i++)
		args[i - 2] = parse_number(argv[i], "argument");
	if (!symcall(qmp, cpu, nr, args, argc - 2, &call, &error))
		die(EXIT_VMM, "%s", error);

	printf("status %" PRId64 " %s\n", call.status, status_text(call.status));
	if (call.status)
		return EXIT_CALL;
	for (i = 0; i < SYMCALL_NR_ARGS; i++)
		printf("%s 0x%" PRIx64 "\n", regs[i], call.ret[i]);
	return EXIT_SUCCESS;
}

static int cmd_info(struct qmp *qmp, int argc, char **argv)
{
	static const char * const words[] = {
		"features", "global-page", "guest-word", "host-word",
		"swap-grant", "swap-in-place", "swap-hot", "swap-wanted",
		"swap-held",
	};
	struct json_object *info, *list, *cpu;
	uint32_t flags;
	size_t i;

	(void)argc;
	(void)argv;
	info = qmp_command(qmp, "x-query-symbiotic", NULL);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		printf("%s 0x%" PRIx64 "\n", words[i],
		       member_uint(info, words[i]));
	list = member(info, "vcpus", json_type_array);
	for (i = 0; i < json_object_array_length(list); i++) {
		cpu = json_object_array_get_idx(list, i);
		flags = member_uint(cpu, "flags");
		printf("vcpu %d local-page 0x%" PRIx64 " symcall-enabled %d symcall-active %d\n",
		       (int)member_int(cpu, "cpu-index"), member_uint(cpu, "local-page"),
		       !!(flags & SYMSPY_LOCAL_SYMCALL_ENABLED),
		       !!(flags & SYMSPY_LOCAL_SYMCALL_ACTIVE));
	}
	json_object_put(info);
	return EXIT_SUCCESS;
}

/* A command with one number and no result. */
static int set_number(struct qmp *qmp, const char *command, const char *name,
		      const char *text)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, name,
			       json_object_new_uint64(parse_number(text, name)));
	json_object_put(qmp_command(qmp, command, args));
	return EXIT_SUCCESS;
}

static int cmd_word(struct qmp *qmp, int argc, char **argv)
{
	(void)argc;
	return set_number(qmp, "x-symbiotic-set-host-word", "value", argv[0]);
}

static int cmd_grant(struct qmp *qmp, int argc, char **argv)
{
	(void)argc;
	return set_number(qmp, "x-symbiotic-set-swap-grant", "pages", argv[0]);
}

/* Members of an object that are there, a line for each. */
static void show_members(struct json_object *obj, const char *prefix,
			 const char * const *names, size_t nr)
{
	struct json_object *value;
	char *text;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!json_object_object_get_ex(obj, names[i], &value))
			continue;
		text = error_text(value);
		printf("%s%s %s\n", prefix, names[i], text);
		free(text);
	}
}

static int show_paging(struct qmp *qmp)
{
	static const char * const all[] = {
		"policy", "may-switch", "mode", "switches", "pending",
	};
	static const char * const guests[] = {
		"wish", "swap-ins", "faults", "forks", "switches",
	};
	static const char * const choice[] = {
		"reason", "cost", "event-ns", "need", "events", "bypassed", "cpu-ns",
		"kernel-ns", "poll-ns", "exits", "tlb-misses", "tlb-counted", "last-minute",
		"held-back", "refused",
	};
	struct json_object *info = qmp_command(qmp, "x-query-paging", NULL), *chosen;

	member(info, "mode", json_type_string);
	show_members(info, "", all, ARRAY_SIZE(all));
	show_members(member(info, "guest", json_type_object), "guest-", guests,
		     ARRAY_SIZE(guests));
	if (json_object_object_get_ex(info, "auto", &chosen))
		show_members(member(info, "auto", json_type_object), "auto-", choice,
			     ARRAY_SIZE(choice));
	json_object_put(info);
	return EXIT_SUCCESS;
}

static int cmd_paging(struct qmp *qmp, int argc, char **argv)
{
	struct json_object *args;

	if (!argc)
		return show_paging(qmp);
	args = json_object_new_object();
	json_object_object_add(args, "policy", json_object_new_string(argv[0]));
	json_object_put(qmp_command(qmp, "x-set-paging", args));
	return EXIT_SUCCESS;
}

static int cmd_qmp(struct qmp *qmp, int argc, char **argv)
{
	struct json_object *args = NULL, *result;

	if (argc > 1) {
		args = json_tokener_parse(argv[1]);
		if (!json_object_is_type(args, json_type_object))
			die(EXIT_USAGE, "%s is not a JSON object", argv[1]);
	}
	result = qmp_command(qmp, argv[0], args);
	puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
	json_object_put(result);
	return EXIT_SUCCESS;
}

static int cmd_event(struct qmp *qmp, int argc, char **argv)
{
	long deadline = now_ms() + qmp->timeout_ms;
	struct json_object *msg, *name, *data = NULL;

	(void)argc;
	/* From here on it is seen, and scripts may make it happen. */
	fprintf(stderr, "symcall: waiting for %s\n", argv[0]);
	for (;; json_object_put(msg)) {
		msg = qmp_read(qmp, deadline);
		if (json_object_object_get_ex(msg, "event", &name) &&
		    json_object_is_type(name, json_type_string) &&
		    !strcmp(json_object_get_string(name), argv[0]))
			break;
	}
	json_object_object_get_ex(msg, "data", &data);
	puts(json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
	json_object_put(msg);
	return EXIT_SUCCESS;
}

/* ---- Modules -------------------------------------------------------------- */

/* What the guest says that matters here. */
struct guest {
	bool taken;
	uint64_t limit;
	char build_id[2 * SYMB_MODULES_BUILD_ID + 1];
	char vermagic[SYMB_MODULES_VERMAGIC];
};

/* A member that is text, cut off if there is no room for it. */
static void copy_member(struct json_object *obj, const char *name, char *text, size_t room)
{
	snprintf(text, room, "%s", json_object_get_string(member(obj, name, json_type_string)));
	make_printable(text);
}

static struct json_object *query_modules(struct qmp *qmp, struct guest *guest)
{
	struct json_object *info = qmp_command(qmp, "x-symbiotic-module-query", NULL);
	char *c;

	guest->taken = json_object_get_boolean(member(info, "taken", json_type_boolean));
	guest->limit = member_uint(info, "limit");
	if (guest->limit > SYMB_MODULE_MAX)
		guest->limit = SYMB_MODULE_MAX;
	copy_member(info, "build-id", guest->build_id, sizeof(guest->build_id));
	copy_member(info, "vermagic", guest->vermagic, sizeof(guest->vermagic));
	/* It becomes part of a path. */
	for (c = guest->build_id; *c; c++)
		if (!isxdigit((unsigned char)*c))
			die(EXIT_VMM, "QEMU's answer has a build ID that cannot be");
	return info;
}

static void must_take(const struct guest *guest)
{
	if (!guest->taken)
		die(EXIT_CALL,
		    "the guest takes no modules (its kernel needs symbiotic.modules=signed)");
}

/* A descriptor of a module's bytes, which nobody can change any more. */
static int sealed(const struct modfile *mod)
{
	int fd = memfd_create(mod->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		die(EXIT_VMM, "memfd_create: %s", strerror(errno));
	while (done < mod->size) {
		n = write(fd, mod->data + done, mod->size - done);
		if (n < 0 && errno != EINTR)
			die(EXIT_VMM, "no memory for the module: %s", strerror(errno));
		done += n > 0 ? n : 0;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		die(EXIT_VMM, "memfd: %s", strerror(errno));
	return fd;
}

/* Arguments that an offer and a request to unload have in common. */
static struct json_object *offer_args(struct qmp *qmp, const char *name)
{
	struct json_object *args = json_object_new_object();

	new_id(qmp);
	json_object_object_add(args, "id", json_object_new_string(qmp->id));
	json_object_object_add(args, "name", json_object_new_string(name));
	json_object_object_add(args, "timeout", json_object_new_int64(qmp->module_ms));
	return args;
}

/* Says what has become of it. EEXIST is success for a module that others need. */
static int offer_result(struct qmp *qmp, const char *name, bool needed)
{
	struct json_object *obj = wait_completed(qmp, qmp->module_ms), *reason;
	char change[32], *text;
	int64_t err;
	int status = EXIT_CALL;

	copy_member(obj, "change", change, sizeof(change));
	err = member_int(obj, "errno");
	if (!strcmp(change, "loaded") || !strcmp(change, "unloaded")) {
		printf("%s %s\n", name, change);
		status = EXIT_SUCCESS;
	} else if (needed && !strcmp(change, "failed") && err == EEXIST) {
		printf("%s is there\n", name);
		status = EXIT_SUCCESS;
	} else if (json_object_object_get_ex(obj, "reason", &reason)) {
		text = error_text(reason);
		printf("%s %s: %s\n", name, change, text);
		free(text);
	} else {
		printf("%s %s: the guest says: %s (%" PRId64 ")\n", name, change,
		       err > 0 && err < 4096 ? strerror(err) : "?", err);
	}
	json_object_put(obj);
	return status;
}

static int offer(struct qmp *qmp, const struct modfile *mod, const char *params, bool needed)
{
	struct json_object *args = json_object_new_object();
	int fd = sealed(mod);

	json_object_object_add(args, "fdname", json_object_new_string("symbiotic-module"));
	qmp->pass_fd = fd;
	json_object_put(qmp_command(qmp, "getfd", args));
	close(fd);

	args = offer_args(qmp, mod->name);
	json_object_object_add(args, "fd", json_object_new_string("symbiotic-module"));
	if (*params)
		json_object_object_add(args, "args", json_object_new_string(params));
	json_object_put(qmp_command(qmp, "x-symbiotic-module-load", args));
	return offer_result(qmp, mod->name, needed);
}

/* Parameters as they are on a command line. */
static void join(int argc, char **argv, char params[SYMB_MODULE_ARGS])
{
	size_t len = 0;
	int i;

	params[0] = '\0';
	for (i = 0; i < argc; i++) {
		len += snprintf(params + len, SYMB_MODULE_ARGS - len, "%s%s", i ? " " : "",
				argv[i]);
		if (len >= SYMB_MODULE_ARGS)
			die(EXIT_USAGE, "parameters may have %d bytes", SYMB_MODULE_ARGS - 1);
	}
}

/* A file, with its neighbours; or a name, with those of the guest's build. */
static void find_modules(struct qmp *qmp, const struct guest *guest, const char *which,
			 struct modfile_set *set)
{
	char path[PATH_MAX], name[PATH_MAX], error[MODFILE_ERROR], *end;
	const char *slash = strrchr(which, '/');
	struct modfile_dir dir = { path, guest->limit, guest->vermagic };
	int n;

	if (slash || strstr(which, ".ko")) {
		n = snprintf(path, sizeof(path), "%.*s", slash ? (int)(slash - which) : 1,
			     slash ? which : ".");
		if (slash == which)
			n = snprintf(path, sizeof(path), "/");
		snprintf(name, sizeof(name), "%s", slash ? slash + 1 : which);
		end = strstr(name, ".ko");
		if (end)
			*end = '\0';
	} else {
		if (!qmp->modules)
			die(EXIT_USAGE, "where are modules? Say -m DIR, or set SYMBIOTIC_MODULES");
		if (!*guest->build_id)
			die(EXIT_CALL, "the guest's kernel has no build ID");
		n = snprintf(path, sizeof(path), "%s/%s", qmp->modules, guest->build_id);
		snprintf(name, sizeof(name), "%s", which);
	}
	if (n < 0 || (size_t)n >= sizeof(path))
		die(EXIT_USAGE, "the name of the directory is too long");
	if (!modfile_resolve(set, name, modfile_find, &dir, error)) {
		make_printable(error);
		die(EXIT_CALL, "%s", error);
	}
}

/* Whether the guest has got a module before, and it is well. */
static bool is_loaded(struct json_object *info, const char *name)
{
	struct json_object *list = member(info, "modules", json_type_array), *mod;
	char known[SYMB_MODULE_NAME], state[32];
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		mod = json_object_array_get_idx(list, i);
		copy_member(mod, "name", known, sizeof(known));
		copy_member(mod, "state", state, sizeof(state));
		if (modfile_same_name(known, name) && !strcmp(state, "loaded"))
			return true;
	}
	return false;
}

/*
 * Returns the name that the kernel has for the module, for the caller to free. @needed:
 * the VMM may have brought it before.
 */
static char *load_modules(struct qmp *qmp, const char *which, int argc, char **argv,
			  bool needed, int *status)
{
	struct modfile_set set = { };
	char params[SYMB_MODULE_ARGS], *name;
	struct json_object *info;
	struct guest guest;
	size_t i;

	join(argc, argv, params);
	info = query_modules(qmp, &guest);
	must_take(&guest);
	find_modules(qmp, &guest, which, &set);
	*status = EXIT_SUCCESS;
	for (i = 0; i < set.nr && *status == EXIT_SUCCESS; i++) {
		bool last = i == set.nr - 1;

		/*
		 * One that has come another way will do for others, but no device
		 * can hang on it.
		 */
		if ((!last || needed) && is_loaded(info, set.mods[i].name))
			printf("%s is there\n", set.mods[i].name);
		else
			*status = offer(qmp, &set.mods[i], last ? params : "", !last);
	}
	json_object_put(info);
	name = strdup(set.mods[set.nr - 1].name);
	if (!name)
		die(EXIT_VMM, "out of memory");
	modfile_free(&set);
	return name;
}

static int offer_unchecked(struct qmp *qmp, const char *file, const char *name, int argc,
			   char **argv)
{
	char params[SYMB_MODULE_ARGS], error[MODFILE_ERROR];
	struct modfile mod = { };
	int status;

	join(argc, argv, params);
	if (strlen(name) >= sizeof(mod.name))
		die(EXIT_USAGE, "%s is not a valid name", name);
	if (!modfile_read_raw(file, SYMB_MODULE_MAX, &mod, error))
		die(EXIT_CALL, "%s %s", file, error);
	memcpy(mod.name, name, strlen(name));
	status = offer(qmp, &mod, params, false);
	free(mod.data);
	return status;
}

/* Files have '-' in their names, as they are loaded by; modules of the kernel never. */
static int unload_module(struct qmp *qmp, char *name)
{
	char *c;

	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	json_object_put(qmp_command(qmp, "x-symbiotic-module-unload", offer_args(qmp, name)));
	return offer_result(qmp, name, false);
}

static int list_modules(struct qmp *qmp)
{
	char name[SYMB_MODULE_NAME], state[32];
	struct json_object *info, *list;
	struct guest guest;
	size_t i;

	info = query_modules(qmp, &guest);
	printf("policy %s\n", guest.taken ? "signed" : "none");
	if (guest.taken)
		printf("limit %" PRIu64 "\nbuild-id %s\nvermagic %s\n", guest.limit,
		       guest.build_id, guest.vermagic);
	copy_member(info, "offer", state, sizeof(state));
	printf("offer %s\n", state);
	list = member(info, "modules", json_type_array);
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *mod = json_object_array_get_idx(list, i);

		copy_member(mod, "name", name, sizeof(name));
		copy_member(mod, "state", state, sizeof(state));
		printf("module %s %s\n", name, state);
	}
	json_object_put(info);
	return EXIT_SUCCESS;
}

static int cmd_module(struct qmp *qmp, int argc, char **argv)
{
	int status;

	if (!strcmp(argv[0], "load") && argc > 1) {
		free(load_modules(qmp, argv[1], argc - 2, argv + 2, false, &status));
		return status;
	}
	if (!strcmp(argv[0], "offer") && argc > 2)
		return offer_unchecked(qmp, argv[1], argv[2], argc - 3, argv + 3);
	if (!strcmp(argv[0], "unload") && argc == 2)
		return unload_module(qmp, argv[1]);
	if (!strcmp(argv[0], "list") && argc == 1)
		return list_modules(qmp);
	if (!strcmp(argv[0], "withdraw") && argc == 1) {
		json_object_put(qmp_command(qmp, "x-symbiotic-module-withdraw", NULL));
		return EXIT_SUCCESS;
	}
	die(EXIT_USAGE, "wrong command or number of arguments; try --help");
}

/* ---- Devices -------------------------------------------------------------- */

static bool device_is_valid(const char *address)
{
	unsigned int seg, bus, dev, fn;
	char again[16];

	if (sscanf(address, "%4x:%2x:%2x.%1x", &seg, &bus, &dev, &fn) != 4)
		return false;
	snprintf(again, sizeof(again), "%04x:%02x:%02x.%x", seg & 0xffff, bus & 0xff,
		 dev & 0xff, fn & 0xf);
	return !strcmp(address, again) && dev < 32 && fn < 8;
}

/* The id of QEMU's device, which may have letters, digits, '-', '.' and '_'. */
static void device_name(const char *address, char id[32])
{
	char *c;

	if (!device_is_valid(address))
		die(EXIT_USAGE, "%s is not the address of a device, like 0000:00:12.0", address);
	snprintf(id, 32, "pci-%s", address);
	for (c = id; *c; c++)
		if (*c == ':')
			*c = '-';
}

/* False if there is no such file. */
static bool write_sysfs(const char *text, const char *fmt, const char *address)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), fmt, address);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return false;
	n = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (n < 0)
		die(EXIT_VMM, "%s: %s", path, strerror(errno));
	close(fd);
	return true;
}

/* The host's driver leaves the device, and VFIO takes it. */
static void bind_vfio(const char *address)
{
	char path[128], driver[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
	n = readlink(path, driver, sizeof(driver) - 1);
	driver[n > 0 ? n : 0] = '\0';
	if (n > 0 && !strcmp(strrchr(driver, '/') ? strrchr(driver, '/') + 1 : driver, "vfio-pci"))
		return;
	if (!write_sysfs("vfio-pci", "/sys/bus/pci/devices/%s/driver_override", address))
		die(EXIT_VMM, "this host has no device %s", address);
	if (n > 0)
		write_sysfs(address, "/sys/bus/pci/devices/%s/driver/unbind", address);
	if (!write_sysfs(address, "/sys/bus/pci/drivers_probe", address) || access(path, F_OK))
		die(EXIT_VMM, "VFIO does not take %s; is vfio-pci loaded?", address);
}

static void guard_device(struct qmp *qmp, const char *id, const char *module)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string(id));
	if (module)
		json_object_object_add(args, "module", json_object_new_string(module));
	json_object_put(qmp_command(qmp, "x-symbiotic-module-guard", args));
}

/* The driver first: a device that finds none in the guest is of no use to it. */
static int cmd_attach(struct qmp *qmp, int argc, char **argv)
{
	struct json_object *args;
	char id[32], *module;
	int status;

	device_name(argv[0], id);
	if (argc > 1 && (argc < 3 || strcmp(argv[1], "--driver")))
		die(EXIT_USAGE, "wrong arguments; try --help");
	if (argc > 1) {
		module = load_modules(qmp, argv[2], argc - 3, argv + 3, true, &status);
		if (status != EXIT_SUCCESS) {
			free(module);
			return status;
		}
		guard_device(qmp, id, module);
		free(module);
	}
	bind_vfio(argv[0]);
	args = json_object_new_object();
	json_object_object_add(args, "driver", json_object_new_string("vfio-pci"));
	json_object_object_add(args, "host", json_object_new_string(argv[0]));
	json_object_object_add(args, "x-no-iommu", json_object_new_boolean(true));
	json_object_object_add(args, "rombar", json_object_new_int(0));
	json_object_object_add(args, "id", json_object_new_string(id));
	json_object_put(qmp_command(qmp, "device_add", args));
	printf("%s attached\n", id);
	return EXIT_SUCCESS;
}

/* The guest has to let it go; QEMU says when it has. */
static int cmd_detach(struct qmp *qmp, int argc, char **argv)
{
	long deadline = now_ms() + qmp->module_ms;
	struct json_object *args, *msg, *name, *data, *device;
	bool gone = false;
	char id[32];

	(void)argc;
	device_name(argv[0], id);
	args = json_object_new_object();
	json_object_object_add(args, "id", json_object_new_string(id));
	json_object_put(qmp_command(qmp, "device_del", args));
	while (!gone) {
		msg = qmp_read(qmp, deadline);
		gone = json_object_object_get_ex(msg, "event", &name) &&
		       json_object_is_type(name, json_type_string) &&
		       !strcmp(json_object_get_string(name), "DEVICE_DELETED") &&
		       json_object_object_get_ex(msg, "data", &data) &&
		       json_object_object_get_ex(data, "device", &device) &&
		       json_object_is_type(device, json_type_string) &&
		       !strcmp(json_object_get_string(device), id);
		json_object_put(msg);
	}
	guard_device(qmp, id, NULL);
	printf("%s detached\n", id);
	return EXIT_SUCCESS;
}

static const struct command {
	const char *name;
	int min_args;
	int max_args;
	int (*run)(struct qmp *qmp, int argc, char **argv);
} commands[] = {
	{ "ping", 0, 1, cmd_ping },
	{ "who", 0, 0, cmd_who },
	{ "call", 2, 2 + SYMCALL_NR_ARGS, cmd_call },
	{ "info", 0, 0, cmd_info },
	{ "word", 1, 1, cmd_word },
	{ "grant", 1, 1, cmd_grant },
	{ "paging", 0, 1, cmd_paging },
	{ "module", 1, INT_MAX, cmd_module },
	{ "attach-device", 1, INT_MAX, cmd_attach },
	{ "detach-device", 1, 1, cmd_detach },
	{ "qmp", 1, 2, cmd_qmp },
	{ "event", 1, 1, cmd_event },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "qmp", required_argument, NULL, 'q' },
		{ "timeout", required_argument, NULL, 't' },
		{ "modules", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = getenv("QMP");
	struct qmp qmp = {
		.timeout_ms = DEFAULT_TIMEOUT * 1000,
		.module_ms = MODULE_TIMEOUT * 1000,
		.pass_fd = -1,
		.modules = getenv("SYMBIOTIC_MODULES"),
	};
	const struct command *cmd = NULL;
	uint64_t seconds;
	int opt, status;
	size_t i;

	/* "+": an argument such as -1 is not an option of ours. */
	while ((opt = getopt_long(argc, argv, "+q:t:m:h", options, NULL)) != -1) {
		switch (opt) {
		case 'q':
			path = optarg;
			break;
		case 't':
			seconds = parse_number(optarg, "timeout");
			if (!seconds || seconds > MAX_TIMEOUT)
				die(EXIT_USAGE, "the timeout must be 1 to %d seconds",
				    MAX_TIMEOUT);
			qmp.timeout_ms = seconds * 1000;
			qmp.module_ms = qmp.timeout_ms;
			break;
		case 'm':
			qmp.modules = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return fflush(stdout) ? EXIT_VMM : EXIT_SUCCESS;
		default:
			die(EXIT_USAGE, "try --help");
		}
	}
	argc -= optind;
	argv += optind;

	for (i = 0; argc && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			cmd = &commands[i];
	if (!cmd || argc - 1 < cmd->min_args || argc - 1 > cmd->max_args)
		die(EXIT_USAGE, "wrong command or number of arguments; try --help");
	if (!path)
		die(EXIT_USAGE, "which QEMU? Say -q SOCKET, or set QMP");

	qmp_open(&qmp, path);
	status = cmd->run(&qmp, argc - 1, argv + 1);
	json_tokener_free(qmp.tok);
	close(qmp.fd);
	if (fflush(stdout) || ferror(stdout))
		die(EXIT_VMM, "cannot write the output");
	return status;
}
