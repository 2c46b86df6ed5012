// SPDX-License-Identifier: GPL-2.0
/*
 * Which guests are there? Those that were named, and the sockets in a directory. It is
 * read in each round; inotify only says that a round is due.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

static struct guest *find(const struct daemon *d, const char *path)
{
	size_t i;

	for (i = 0; i < d->nr_guests; i++)
		if (!strcmp(d->guests[i]->path, path))
			return d->guests[i];
	return NULL;
}

/* Returns NULL if it cannot be taken now; the next round tries again. */
static struct guest *add(struct daemon *d, const char *path)
{
	struct guest *g;

	if (d->nr_guests == POLICY_MAX_GUESTS) {
		if (!d->full_said)
			log_line(LOG_WARNING, "more than %d guests; the others have no part",
				 POLICY_MAX_GUESTS);
		d->full_said = true;
		return NULL;
	}
	g = guest_new(path);
	if (!g) {
		log_line(LOG_ERR, "a guest is left out: %s", strerror(ENOMEM));
		return NULL;
	}
	d->guests[d->nr_guests++] = g;
	return g;
}

static void say(struct daemon *d, const char *what)
{
	if (what != d->directory_said && what)
		log_line(LOG_WARNING, "directory %s: %s", d->config.directory, what);
	d->directory_said = what;
}

static void watch(struct daemon *d)
{
	if (d->notify_fd < 0)
		d->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* Again each time: it may be another directory by now. This is cheap. */
	if (d->notify_fd >= 0)
		inotify_add_watch(d->notify_fd, d->config.directory,
				  IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
}

/*
 * Whoever may write there has a say in who gets what: not everybody; and where a group
 * may, nobody may take away another's socket, whose QEMU would be taken for gone.
 */
static bool trusted(struct daemon *d, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || (st.st_uid != 0 && st.st_uid != geteuid())) {
		say(d, "not taken: it is neither root's nor ours");
		return false;
	}
	if (st.st_mode & 0002 || (st.st_mode & 01020) == 0020) {
		say(d, "not taken: others can write to it (a group may, if it is sticky)");
		return false;
	}
	say(d, NULL);
	return true;
}

static void take(struct daemon *d, const char *name, int dir)
{
	char path[PATH_MAX];
	struct guest *g;
	struct stat st;

	if (fnmatch(d->config.pattern, name, FNM_PERIOD) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(st.st_mode) ||
	    snprintf(path, sizeof(path), "%s/%s", d->config.directory, name) >= (int)sizeof(path))
		return;
	g = find(d, path);
	if (!g)
		g = add(d, path);
	if (g)
		g->listed = true;
}

/* Returns false if it is not known what is there; then all stays as it was. */
static bool look(struct daemon *d)
{
	int fd = open(d->config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		bool absent = errno == ENOENT;

		say(d, absent ? "it does not exist" : "it cannot be read");
		return absent;
	}
	if (!trusted(d, fd)) {
		close(fd);
		return false;
	}
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		take(d, entry->d_name, dirfd(dir));
	closedir(dir);
	return true;
}

void discover(struct daemon *d)
{
	size_t i, kept = 0;

	for (i = 0; i < d->config.nr_sockets; i++) {
		struct guest *g = find(d, d->config.sockets[i]);

		if (!g)
			g = add(d, d->config.sockets[i]);
		if (g)
			g->named = true;
	}
	if (!d->config.directory)
		return;

	watch(d);
	for (i = 0; i < d->nr_guests; i++)
		d->guests[i]->listed = false;
	if (!look(d))
		return;
	for (i = 0; i < d->nr_guests; i++) {
		struct guest *g = d->guests[i];

		if (g->named || g->listed) {
			d->guests[kept++] = g;
			continue;
		}
		if (g->present)
			log_line(LOG_INFO, "%s: gone", g->name);
		guest_free(g);
	}
	if (kept < d->nr_guests)
		d->full_said = false;
	d->nr_guests = kept;
}

void discover_changed(struct daemon *d)
{
	char events[4096];

	while (read(d->notify_fd, events, sizeof(events)) > 0)
		;
}
