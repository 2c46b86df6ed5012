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

/* What would be lost if others came in its place; that of a guest with a part is never given. */
enum loss {
	LOSS_NONE,	/* nobody is there */
	LOSS_WORD,	/* that it takes no part, or does not answer and never has */
	LOSS_GUEST,
};

static enum loss loss(const struct guest *g)
{
	/* Who has not been looked at yet may be anybody. */
	if (g->named || g->ours || !g->looked)
		return LOSS_GUEST;
	if (!g->present)
		return LOSS_NONE;
	/* Who has ever told its numbers has what it was found with. */
	return g->no_grants || (g->silent && !g->counted) ? LOSS_WORD : LOSS_GUEST;
}

/* The place for one more, whose guest is NULL or can go; NULL if there is none. */
static struct guest **place(struct daemon *d)
{
	enum loss least;
	size_t i;

	if (d->nr_guests < POLICY_MAX_GUESTS) {
		d->guests[d->nr_guests] = NULL;
		return &d->guests[d->nr_guests++];
	}
	for (least = LOSS_NONE; least < LOSS_GUEST; least++)
		for (i = 0; i < d->nr_guests; i++)
			if (loss(d->guests[i]) == least)
				return &d->guests[i];
	return NULL;
}

/* Returns NULL if it cannot be taken now; a later round tries again. */
static struct guest *add(struct daemon *d, const char *path)
{
	struct guest *g = guest_new(path), **to;

	if (!g) {
		log_line(LOG_ERR, "a guest is left out: %s", strerror(ENOMEM));
		return NULL;
	}
	to = place(d);
	if (!to) {
		if (!d->full_said)
			log_line(LOG_WARNING, "more than %d guests; the others have no part",
				 POLICY_MAX_GUESTS);
		d->full_said = true;
		guest_free(g);
		return NULL;
	}
	guest_free(*to);
	*to = g;
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

/* In a look at the directory: sockets so far, and which was the first one without a place. */
struct turn {
	size_t sockets, first_left;
};

/*
 * Where there are more sockets than places, and some of the places can be had, the look goes on
 * where the last one has ended: so each has its turn, in which a guest is found.
 */
static void take(struct daemon *d, const char *name, int dir, struct turn *turn)
{
	char path[PATH_MAX];
	struct guest *g;
	struct stat st;

	if (fnmatch(d->config.pattern, name, FNM_PERIOD) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(st.st_mode) ||
	    snprintf(path, sizeof(path), "%s/%s", d->config.directory, name) >= (int)sizeof(path))
		return;
	turn->sockets++;
	g = find(d, path);
	if (!g && d->nr_guests == POLICY_MAX_GUESTS && turn->sockets <= d->passed_over)
		return;
	if (!g)
		g = add(d, path);
	if (g)
		g->listed = true;
	else if (!turn->first_left)
		turn->first_left = turn->sockets;
}

/* Returns false if it is not known what is there; then all stays as it was. */
static bool look(struct daemon *d)
{
	int fd = open(d->config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	struct turn turn = { };
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
		take(d, entry->d_name, dirfd(dir), &turn);
	closedir(dir);
	d->passed_over = turn.first_left ? turn.first_left - 1 : 0;
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
