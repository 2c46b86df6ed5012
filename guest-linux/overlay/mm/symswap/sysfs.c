// SPDX-License-Identifier: GPL-2.0
/*
 * symswap in place: /sys/block/symswap<n>/symswap.
 */

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/symswap.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "../symbiotic_bypass.h"
#include "internal.h"

static ssize_t symswap_show(struct device *dev, struct device_attribute *attr,
			    char *buf);
static ssize_t symswap_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count);

struct symswap_attr {
	struct device_attribute attr;
	ssize_t (*show)(struct symswap_window *win, char *buf);
	int (*store)(struct symswap_window *win, const char *buf);
	enum symswap_stat stat;
};

#define SYMSWAP_ATTR(_name, _mode, ...)					\
	static struct symswap_attr symswap_attr_##_name = {		\
		.attr = __ATTR(_name, _mode, symswap_show, symswap_store), \
		__VA_ARGS__						\
	}

/* All names, the one that holds now in brackets. */
static ssize_t symswap_show_choice(char *buf, const char * const *names, int nr, int now)
{
	int i, at = 0;

	for (i = 0; i < nr; i++)
		at += sysfs_emit_at(buf, at, now == i ? "[%s] " : "%s ", names[i]);
	return at + sysfs_emit_at(buf, at, "\n");
}

static ssize_t mode_show(struct symswap_window *win, char *buf)
{
	return symswap_show_choice(buf, symswap_mode_names, SYMSWAP_MODE_NR, win->mode);
}

static int mode_store(struct symswap_window *win, const char *buf)
{
	int mode = sysfs_match_string(symswap_mode_names, buf);

	if (mode < 0)
		return mode;
	win->mode = mode;
	if (win->si)
		symswap_apply(win);
	return 0;
}

static ssize_t first_touch_show(struct symswap_window *win, char *buf)
{
	return symswap_show_choice(buf, symswap_touch_names, SYMSWAP_TOUCH_NR, win->touch);
}

static int first_touch_store(struct symswap_window *win, const char *buf)
{
	int touch = sysfs_match_string(symswap_touch_names, buf);

	if (touch < 0)
		return touch;
	WRITE_ONCE(win->touch, touch);
	symswap_touch_choose();
	return 0;
}

/* What is done now; empty while the window is not swapped on. */
static ssize_t active_show(struct symswap_window *win, char *buf)
{
	enum symswap_mode mode = SYMSWAP_MODE_COPY;

	if (!win->si)
		return sysfs_emit(buf, "\n");
	if (win->active)
		mode = SYMSWAP_MODE_IN_PLACE;
	else if (symbiotic_bypass_attached(win->si))
		mode = SYMSWAP_MODE_SHADOW_BYPASS;
	return sysfs_emit(buf, "%s\n", symswap_mode_names[mode]);
}

static ssize_t grant_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", win->grant);
}

static ssize_t limit_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", win->limit);
}

static int limit_store(struct symswap_window *win, const char *buf)
{
	unsigned long limit;
	int ret = kstrtoul(buf, 0, &limit);

	if (ret)
		return ret;
	WRITE_ONCE(win->limit, min(limit, win->nr_pages));
	symswap_update_grant(win);
	if (atomic_long_read(&win->held)) {
		symswap_backoff_reset(&win->held_backoff);
		mod_delayed_work(symswap_wq, &win->held_work, 0);
	}
	if (win->si) {
		/* Whoever asks again wants it tried again. */
		WRITE_ONCE(win->stuck, false);
		mod_delayed_work(symswap_wq, &win->age_work, 0);
		/* When the write returns, what could be given back has been. */
		flush_delayed_work(&win->age_work);
	}
	return 0;
}

static ssize_t followed_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", win->followed);
}

static ssize_t in_place_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&win->in_place));
}

static ssize_t reserved_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", symswap_stocked(win));
}

static ssize_t held_show(struct symswap_window *win, char *buf)
{
	return sysfs_emit(buf, "%lu\n", symswap_unreturned(win));
}

SYMSWAP_ATTR(mode, 0644, .show = mode_show, .store = mode_store);
SYMSWAP_ATTR(active, 0444, .show = active_show);
SYMSWAP_ATTR(followed, 0444, .show = followed_show);
SYMSWAP_ATTR(limit, 0644, .show = limit_show, .store = limit_store);
SYMSWAP_ATTR(grant, 0444, .show = grant_show);
SYMSWAP_ATTR(in_place, 0444, .show = in_place_show);
SYMSWAP_ATTR(held, 0444, .show = held_show);
SYMSWAP_ATTR(faults, 0444, .stat = SYMSWAP_FAULTS);
SYMSWAP_ATTR(mapped_pages, 0444, .stat = SYMSWAP_PAGES);
SYMSWAP_ATTR(shared_pages, 0444, .stat = SYMSWAP_SHARED);
SYMSWAP_ATTR(declined_grant, 0444, .stat = SYMSWAP_DECLINED_GRANT);
SYMSWAP_ATTR(migrated_pages, 0444, .stat = SYMSWAP_MIGRATED);
SYMSWAP_ATTR(pushed_pages, 0444, .stat = SYMSWAP_PUSHED);
SYMSWAP_ATTR(searches, 0444, .stat = SYMSWAP_SEARCHES);
SYMSWAP_ATTR(first_touch, 0644, .show = first_touch_show, .store = first_touch_store);
SYMSWAP_ATTR(touched_pages, 0444, .stat = SYMSWAP_TOUCHED);
SYMSWAP_ATTR(declined_touches, 0444, .stat = SYMSWAP_TOUCH_DECLINED);
SYMSWAP_ATTR(ahead_pages, 0444, .stat = SYMSWAP_AHEAD);
SYMSWAP_ATTR(lifted_pages, 0444, .stat = SYMSWAP_LIFTED);
SYMSWAP_ATTR(exchanged_pages, 0444, .stat = SYMSWAP_EXCHANGED);
SYMSWAP_ATTR(given_pages, 0444, .stat = SYMSWAP_GIVEN);
SYMSWAP_ATTR(reserved, 0444, .show = reserved_show);

static ssize_t symswap_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct symswap_attr *sa = container_of(attr, struct symswap_attr, attr);
	struct symswap_window *win;
	ssize_t ret = -ENODEV;

	mutex_lock(&symswap_mutex);
	win = symswap_window_on(dev_to_disk(dev));
	if (win)
		ret = sa->show ? sa->show(win, buf) :
		      sysfs_emit(buf, "%lu\n", symswap_stat_sum(win, sa->stat));
	mutex_unlock(&symswap_mutex);
	return ret;
}

static ssize_t symswap_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	struct symswap_attr *sa = container_of(attr, struct symswap_attr, attr);
	struct symswap_window *win;
	int ret = -ENODEV;

	mutex_lock(&symswap_mutex);
	win = symswap_window_on(dev_to_disk(dev));
	if (win)
		ret = sa->store(win, buf);
	mutex_unlock(&symswap_mutex);
	return ret ?: count;
}

static struct attribute *symswap_attrs[] = {
	&symswap_attr_mode.attr.attr,
	&symswap_attr_active.attr.attr,
	&symswap_attr_followed.attr.attr,
	&symswap_attr_limit.attr.attr,
	&symswap_attr_grant.attr.attr,
	&symswap_attr_in_place.attr.attr,
	&symswap_attr_held.attr.attr,
	&symswap_attr_faults.attr.attr,
	&symswap_attr_mapped_pages.attr.attr,
	&symswap_attr_shared_pages.attr.attr,
	&symswap_attr_declined_grant.attr.attr,
	&symswap_attr_migrated_pages.attr.attr,
	&symswap_attr_pushed_pages.attr.attr,
	&symswap_attr_searches.attr.attr,
	&symswap_attr_first_touch.attr.attr,
	&symswap_attr_touched_pages.attr.attr,
	&symswap_attr_declined_touches.attr.attr,
	&symswap_attr_ahead_pages.attr.attr,
	&symswap_attr_lifted_pages.attr.attr,
	&symswap_attr_exchanged_pages.attr.attr,
	&symswap_attr_given_pages.attr.attr,
	&symswap_attr_reserved.attr.attr,
	NULL
};

static umode_t symswap_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	bool ours;

	mutex_lock(&symswap_mutex);
	ours = symswap_window_on(dev_to_disk(kobj_to_dev(kobj)));
	mutex_unlock(&symswap_mutex);
	return ours ? attr->mode : 0;
}

const struct attribute_group symswap_group = {
	.name = "symswap",
	.attrs = symswap_attrs,
	.is_visible = symswap_visible,
};
