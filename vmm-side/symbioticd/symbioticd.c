// SPDX-License-Identifier: GPL-2.0
/*
 * symbioticd: share the host's memory among symbiotic guests. One thread, one loop, and
 * nothing in it waits for anybody but the loop itself.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"
#include "daemon.h"
#include "host.h"
#include "log.h"
#include "memory.h"
#include "notify.h"
#include "report.h"

/* A collector looks every 15 s or so. */
#define METRICS_MS	5000
/* As much as it ever needs, all guests at their worst. */
#define LOCK_ALL_BYTES	(256 << 20)

enum {
	FD_SIGNAL,
	FD_NOTIFY,
	FD_PRESSURE,
	FD_CONTROL,
	NR_FDS = FD_CONTROL + 1 + CONTROL_CLIENTS + POLICY_MAX_GUESTS,
};

static const char help[] =
"NAME\n"
"    symbioticd - share the host's memory among symbiotic guests\n"
"\n"
"SYNOPSIS\n"
"    symbioticd [-v] [-c FILE] [-o KEY=VALUE]... [QMP_SOCKET]...\n"
"\n"
"DESCRIPTION\n"
"    Grants guests pages of their swap windows, for use in place, within a budget.\n"
"    Stays in the foreground and logs to stderr. Whatever ends it, grants stay as they\n"
"    are, and the next one takes them over.\n"
"\n"
"OPTIONS\n"
"    -c FILE       read keys from a file, \"KEY = VALUE\" a line\n"
"    -o KEY=VALUE  set a key\n"
"    -v            log more\n"
"    -h            show this text\n"
"\n"
"KEYS\n"
"    budget      bytes (64M, 2G) for all guests together, or auto: by the host's memory\n"
"    budget-min, budget-max, reserve, pressure   limits of auto\n"
"    page-out    yes: when the host is short, cold pages of the windows go first (no)\n"
"    floor       bytes that each guest keeps (a quarter of an equal part)\n"
"    guest-max   bytes that no guest gets more than (no limit)\n"
"    interval    seconds between rounds (1)\n"
"    patience    seconds that a QEMU may take to answer (3)\n"
"    directory   of QMP sockets;  pattern  of their names (*)\n"
"    socket      a QMP socket, as on the command line\n"
"    control     socket for symbioticctl\n"
"    metrics     file for a collector of Prometheus'\n"
"    proc        where procfs is (/proc)\n"
"\n"
"EXIT STATUS\n"
"    0 it was told to end, 1 it cannot run, 2 wrong usage\n";

static int usage(const char *what)
{
	fprintf(stderr, "symbioticd: %s\n", what);
	return 2;
}

static int out_of_memory(void)
{
	fprintf(stderr, "symbioticd: %s\n", strerror(ENOMEM));
	return 1;
}

/* Returns -1, or the status to exit with. */
static int arguments(struct config *c, int argc, char **argv)
{
	const char *problem;
	char error[512];
	int opt, ret = 0;

	while (!ret && (opt = getopt(argc, argv, "c:o:vh")) != -1) {
		switch (opt) {
		case 'c':
			ret = config_read(c, optarg, error, sizeof(error));
			break;
		case 'o':
			ret = config_set(c, optarg, error, sizeof(error));
			break;
		case 'v':
			log_set_level(LOG_DEBUG);
			break;
		case 'h':
			fputs(help, stdout);
			return fflush(stdout) ? 1 : 0;
		default:
			return usage("try -h");
		}
	}
	for (; !ret && optind < argc; optind++)
		ret = config_add_socket(c, argv[optind]) ? -ENOMEM : 0;
	if (ret == -ENOMEM)
		return out_of_memory();
	if (ret)
		return usage(error);
	problem = config_check(c);
	return problem ? usage(problem) : -1;
}

/*
 * What helps when the host is short of memory: to be there. Where it is not allowed, it
 * goes without. What comes later is not locked where there is little room for it: whatever
 * is allocated beyond the limit would fail.
 */
static void stay_in_memory(void)
{
	int flags = MCL_CURRENT | MCL_ONFAULT;
	struct rlimit limit;

	if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur >= LOCK_ALL_BYTES)
		flags |= MCL_FUTURE;
	if (mlockall(flags))
		log_line(LOG_DEBUG, "mlockall: %s", strerror(errno));
}

static void allow_many_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 2 * NR_FDS ? limit.rlim_max : 2 * NR_FDS;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int pressure(const struct config *c)
{
	int fd = -1;

	if (c->automatic) {
		fd = host_trigger(c->proc, c->pressure);
		if (fd < 0)
			log_line(LOG_DEBUG, "pressure is looked at once a round only: %s",
				 strerror(-fd));
	}
	return fd;
}

static void metrics(const struct daemon *d, int64_t now)
{
	static int64_t due;
	static bool failed;
	int ret;

	if (!d->config.metrics || now < due)
		return;
	due = now + METRICS_MS;
	ret = report_write_metrics(d);
	if (ret && !failed)
		log_line(LOG_ERR, "%s: %s", d->config.metrics, strerror(-ret));
	failed = ret != 0;
}

static void round_ended(const struct daemon *d, int64_t now)
{
	static bool ready;

	/* Its queue may be full, above all while the machine boots. */
	if (!ready)
		ready = !notify_systemd("READY=1\nSTATUS=Sharing");
	metrics(d, now);
}

/*
 * The loop goes on, and no round takes longer than its four steps may.
 *
 * Returns: milliseconds until it should be said again
 */
static int64_t watchdog(const struct daemon *d, int64_t now)
{
	static int64_t told;
	int64_t every = notify_watchdog_ms() / 2;

	if (!every)
		return INT64_MAX;
	if (now - told >= every && (d->step == ROUND_REST ||
				    now - d->round_start <= 5 * d->config.patience)) {
		notify_systemd("WATCHDOG=1");
		told = now;
	}
	return every;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int run(struct daemon *d, struct control *c)
{
	struct pollfd fds[NR_FDS];
	struct guest *of[POLICY_MAX_GUESTS];
	int signal_fd = signals(), pressure_fd;
	int64_t now = daemon_now();

	/* Without, it could not be told to end. */
	if (signal_fd < 0) {
		log_line(LOG_ERR, "signalfd: %s", strerror(errno));
		return 1;
	}
	pressure_fd = pressure(&d->config);
	for (;;) {
		size_t first, guests = 0, i;
		int64_t ms;

		while (daemon_work(d, now))
			round_ended(d, now);
		ms = least(daemon_timeout(d, now), control_timeout(c, now));
		ms = least(ms, watchdog(d, now));

		/* A descriptor of -1 is passed over, but counts for the limit. */
		fds[FD_SIGNAL] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		fds[FD_NOTIFY] = (struct pollfd){ .fd = d->notify_fd, .events = POLLIN };
		fds[FD_PRESSURE] = (struct pollfd){ .fd = pressure_fd, .events = POLLPRI };
		first = FD_CONTROL + control_poll(c, fds + FD_CONTROL, now);
		for (i = 0; i < d->nr_guests; i++) {
			struct guest *g = d->guests[i];

			if (g->fd < 0)
				continue;
			fds[first + guests] = (struct pollfd){ .fd = g->fd,
							       .events = guest_events(g) };
			of[guests++] = g;
		}
		/* A millisecond more: what is due then is, by a clock that is cut off. */
		if (poll(fds, first + guests, least(ms, 60000) + 1) < 0 && errno != EINTR) {
			log_line(LOG_ERR, "poll: %s", strerror(errno));
			return 1;
		}
		now = daemon_now();

		if (fds[FD_SIGNAL].revents)
			return 0;
		if (fds[FD_NOTIFY].revents) {
			discover_changed(d);
			daemon_look(d, now);
		}
		if (fds[FD_PRESSURE].revents & POLLPRI)
			daemon_wake(d, now);
		if (fds[FD_PRESSURE].revents & (POLLERR | POLLNVAL)) {
			close(pressure_fd);
			pressure_fd = -1;
		}
		for (i = 0; i < guests; i++)
			if (fds[first + i].revents)
				daemon_guest_io(d, of[i], now);
		control_work(c, d, now);
	}
}

int main(int argc, char **argv)
{
	static struct daemon d;
	static struct control c;
	int status, ret;

	memory_keep();
	if (config_init(&d.config))
		return out_of_memory();
	status = arguments(&d.config, argc, argv);
	if (status >= 0)
		goto out_config;

	status = 1;
	if (d.config.automatic && host_read(d.config.proc, &d.memory)) {
		log_line(LOG_ERR, "cannot read the host's memory");
		goto out_config;
	}
	ret = control_open(&c, d.config.control);
	if (ret) {
		log_line(LOG_ERR, "%s: %s", d.config.control,
			 ret == -EBUSY ? "another daemon runs" : strerror(-ret));
		goto out_control;
	}
	allow_many_files();
	stay_in_memory();
	daemon_init(&d);
	log_line(LOG_INFO, "begins; %zu sockets are named", d.config.nr_sockets);
	status = run(&d, &c);
	notify_systemd("STOPPING=1");
	log_line(LOG_INFO, "ends; grants stay as they are");
	daemon_exit(&d);
out_control:
	control_close(&c, d.config.control);
out_config:
	config_free(&d.config);
	return status;
}
