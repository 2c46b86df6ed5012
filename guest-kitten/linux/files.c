// SPDX-License-Identifier: GPL-2.0
/*
 * Files. The archive can be read; its directory files/ is where a task starts.
 * Standard output and error are serial ports, and nobody types anything.
 */
#include <kitten/arch.h>
#include <kitten/boot.h>
#include <kitten/lib.h>
#include "linux.h"

#include <asm/poll.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/uio.h>

#define HOME		"files"
#define PATH_SIZE	256
#define MAX_IOV		1024
#define MAX_TRANSFER	(1ULL << 30)
/* What is written in one piece; more may have others' output in between. */
#define WRITE_STEP	4096

/* access() */
#define MAY_EXEC	1
#define MAY_WRITE	2
#define MAY_ALL		7

#define POLL_FILE	(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* ---- descriptors ---- */

struct open_file *file_of(u64 fd)
{
	return fd < MAX_FILES ? current_task()->fd[fd] : NULL;
}

/* The lowest free descriptor from @from on. */
static s64 new_fd(struct open_file *f, u64 from, bool close_on_exec)
{
	struct task *task = current_task();

	for (u64 fd = from; fd < MAX_FILES; fd++) {
		if (task->fd[fd])
			continue;
		task->fd[fd] = f;
		f->refs++;
		task->close_on_exec &= ~(1U << fd);
		task->close_on_exec |= (u32)close_on_exec << fd;
		return fd;
	}
	return -EMFILE;
}

void files_init(struct task *task)
{
	for (u32 fd = 0; fd < 3; fd++) {
		struct open_file *f = &task->file[fd];

		f->kind = FILE_INPUT + fd;
		f->flags = fd ? O_WRONLY : O_RDONLY;
		f->refs = 1;
		task->fd[fd] = f;
	}
}

s64 sys_close(struct regs *r)
{
	struct open_file *f = file_of(r->rdi);

	if (!f)
		return -EBADF;
	current_task()->fd[r->rdi] = NULL;
	if (!--f->refs)
		f->kind = FILE_FREE;
	return 0;
}

s64 sys_dup(struct regs *r)
{
	struct open_file *f = file_of(r->rdi);

	return f ? new_fd(f, 0, false) : -EBADF;
}

s64 sys_fcntl(struct regs *r)
{
	struct task *task = current_task();
	struct open_file *f = file_of(r->rdi);
	u32 bit;

	if (!f)
		return -EBADF;
	bit = 1U << r->rdi;
	switch (r->rsi) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (r->rdx >= MAX_FILES)
			return -EINVAL;
		return new_fd(f, r->rdx, r->rsi == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return task->close_on_exec & bit ? FD_CLOEXEC : 0;
	case F_SETFD:
		if (r->rdx & FD_CLOEXEC)
			task->close_on_exec |= bit;
		else
			task->close_on_exec &= ~bit;
		return 0;
	case F_GETFL:
		return f->flags;
	case F_SETFL:
		/* Kept, for nothing here waits or is written from two sides. */
		f->flags &= ~(u32)(O_APPEND | O_NONBLOCK);
		f->flags |= r->rdx & (O_APPEND | O_NONBLOCK);
		return 0;
	}
	return -EINVAL;
}

s64 sys_ioctl(struct regs *r)
{
	return file_of(r->rdi) ? -ENOTTY : -EBADF;
}

/* ---- names ---- */

static bool is_dir(const struct archive_file *file)
{
	return (file->mode & S_IFMT) == S_IFDIR;
}

/* Where a name that does not start with a slash starts. */
static int start_of(u64 dirfd, const char **name)
{
	const struct open_file *f = file_of(dirfd);

	*name = HOME;
	if ((s32)dirfd == AT_FDCWD)
		return 0;
	if (!f)
		return -EBADF;
	if (f->kind != FILE_ARCHIVE || !is_dir(&f->file))
		return -ENOTDIR;
	*name = f->file.name;
	return 0;
}

/* Adds what is between slashes to a path of @n bytes; returns its length. */
static s64 add_part(char *path, u64 n, const char *part, u64 len)
{
	if (!len || (len == 1 && part[0] == '.'))
		return n;
	if (len == 2 && part[0] == '.' && part[1] == '.') {
		while (n && path[--n] != '/')
			;
		return n;
	}
	if (n + len + 2 > PATH_SIZE)
		return -ENAMETOOLONG;
	if (n)
		path[n++] = '/';
	memcpy(path + n, part, len);
	return n + len;
}

/* Name from user memory to file; the root of the archive has no name. */
static int look_up(u64 dirfd, u64 va, struct archive_file *file)
{
	char name[PATH_SIZE], path[PATH_SIZE];
	const char *at = name, *base;
	s64 n = copy_string_from_user(name, va, sizeof(name));
	int ret;

	if (n < 0)
		return n;
	if (!n)
		return -ENOENT;
	n = 0;
	if (name[0] != '/') {
		ret = start_of(dirfd, &base);
		if (ret)
			return ret;
		n = add_part(path, 0, base, strlen(base));
	}
	while (n >= 0 && *at) {
		u64 len = 0;

		while (at[len] && at[len] != '/')
			len++;
		n = add_part(path, n, at, len);
		at += len + (at[len] == '/');
	}
	if (n < 0)
		return n;
	path[n] = '\0';
	if (n)
		return archive_find(path, file) ? 0 : -ENOENT;
	*file = (struct archive_file){ .name = "", .mode = S_IFDIR | 0755 };
	return 0;
}

static s64 open_file(u64 dirfd, u64 name, u64 flags)
{
	struct task *task = current_task();
	bool write = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	struct archive_file file;
	s64 ret = look_up(dirfd, name, &file);

	if (ret)
		return ret == -ENOENT && flags & O_CREAT ? -EROFS : ret;
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (is_dir(&file) && (write || flags & O_CREAT))
		return -EISDIR;
	if (!is_dir(&file) && flags & O_DIRECTORY)
		return -ENOTDIR;
	if (write)
		return -EROFS;
	for (u32 i = 0; i < MAX_FILES; i++) {
		struct open_file *f = &task->file[i];

		if (f->kind != FILE_FREE)
			continue;
		f->refs = 0;
		ret = new_fd(f, 0, flags & O_CLOEXEC);
		if (ret < 0)
			return ret;
		f->kind = FILE_ARCHIVE;
		f->flags = flags & O_NONBLOCK;
		f->file = file;
		f->at = 0;
		return ret;
	}
	return -EMFILE;
}

s64 sys_open(struct regs *r)
{
	return open_file(AT_FDCWD, r->rdi, r->rsi);
}

s64 sys_openat(struct regs *r)
{
	return open_file(r->rdi, r->rsi, r->rdx);
}

static s64 may(u64 dirfd, u64 name, u64 how)
{
	struct archive_file file;
	int ret;

	if (how & ~(u64)MAY_ALL)
		return -EINVAL;
	ret = look_up(dirfd, name, &file);
	if (ret)
		return ret;
	if (how & MAY_WRITE)
		return -EROFS;
	return how & MAY_EXEC && !(file.mode & 0111) ? -EACCES : 0;
}

s64 sys_access(struct regs *r)
{
	return may(AT_FDCWD, r->rdi, r->rsi);
}

s64 sys_faccessat(struct regs *r)
{
	return may(r->rdi, r->rsi, r->rdx);
}

/* There are no symbolic links. */
static s64 read_link(u64 dirfd, u64 name)
{
	struct archive_file file;
	int ret = look_up(dirfd, name, &file);

	return ret ? ret : -EINVAL;
}

s64 sys_readlink(struct regs *r)
{
	return read_link(AT_FDCWD, r->rdi);
}

s64 sys_readlinkat(struct regs *r)
{
	return read_link(r->rdi, r->rsi);
}

s64 sys_getcwd(struct regs *r)
{
	static const char home[] = "/" HOME;

	if (r->rsi < sizeof(home))
		return r->rsi ? -ERANGE : -EINVAL;
	return copy_to_user(r->rdi, home, sizeof(home)) ? -EFAULT :
	       (s64)sizeof(home);
}

/* ---- what a file is ---- */

/* What is no file of the archive is a device of characters, no terminal. */
static void fill_stat(const struct archive_file *file, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_blksize = PAGE_SIZE;
	st->st_nlink = 1;
	st->st_mode = S_IFCHR | 0600;
	if (!file)
		return;
	st->st_dev = 1;
	if (file->data)
		st->st_ino = file->data -
			     (const u8 *)phys_to_virt(boot_info.archive);
	st->st_mode = file->mode & ~0222;
	st->st_size = file->size;
	st->st_blocks = ALIGN_UP(file->size, 512) / 512;
}

static s64 stat_fd(u64 fd, struct stat *st)
{
	const struct open_file *f = file_of(fd);

	if (!f)
		return -EBADF;
	fill_stat(f->kind == FILE_ARCHIVE ? &f->file : NULL, st);
	return 0;
}

static s64 stat_name(u64 dirfd, u64 name, u64 flags, struct stat *st)
{
	struct archive_file file;
	char first;
	int ret;

	if (flags & AT_EMPTY_PATH && !copy_from_user(&first, name, 1) &&
	    !first && (s32)dirfd != AT_FDCWD)
		return stat_fd(dirfd, st);
	ret = look_up(dirfd, name, &file);
	if (!ret)
		fill_stat(&file, st);
	return ret;
}

static s64 put_stat(u64 va, const struct stat *st, s64 ret)
{
	return ret ? ret : copy_to_user(va, st, sizeof(*st));
}

s64 sys_stat(struct regs *r)
{
	struct stat st;

	return put_stat(r->rsi, &st, stat_name(AT_FDCWD, r->rdi, 0, &st));
}

s64 sys_fstat(struct regs *r)
{
	struct stat st;

	return put_stat(r->rsi, &st, stat_fd(r->rdi, &st));
}

s64 sys_newfstatat(struct regs *r)
{
	struct stat st;

	return put_stat(r->rdx, &st,
			stat_name(r->rdi, r->rsi, r->r10, &st));
}

s64 sys_statx(struct regs *r)
{
	struct statx x;
	struct stat st;
	s64 ret = stat_name(r->rdi, r->rsi, r->rdx, &st);

	if (ret)
		return ret;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS;
	x.stx_blksize = st.st_blksize;
	x.stx_nlink = st.st_nlink;
	x.stx_mode = st.st_mode;
	x.stx_ino = st.st_ino;
	x.stx_size = st.st_size;
	x.stx_blocks = st.st_blocks;
	x.stx_dev_minor = st.st_dev;
	return copy_to_user(r->r8, &x, sizeof(x));
}

/* ---- reading ---- */

static s64 read_at(const struct open_file *f, u64 at, u64 buf, u64 n)
{
	if (is_dir(&f->file))
		return -EISDIR;
	if (at >= f->file.size)
		return 0;
	n = min_u64(n, f->file.size - at);
	return copy_to_user(buf, f->file.data + at, n) ? -EFAULT : (s64)n;
}

static s64 read_file(struct open_file *f, u64 buf, u64 n)
{
	s64 ret;

	if (!f || (f->kind != FILE_INPUT && f->kind != FILE_ARCHIVE))
		return -EBADF;
	if (f->kind == FILE_INPUT)
		return 0;
	ret = read_at(f, f->at, buf, n);
	if (ret > 0)
		f->at += ret;
	return ret;
}

s64 sys_read(struct regs *r)
{
	return read_file(file_of(r->rdi), r->rsi, r->rdx);
}

s64 sys_pread64(struct regs *r)
{
	const struct open_file *f = file_of(r->rdi);

	if (!f)
		return -EBADF;
	if ((s64)r->r10 < 0)
		return -EINVAL;
	return f->kind == FILE_ARCHIVE ?
	       read_at(f, r->r10, r->rsi, r->rdx) : -ESPIPE;
}

s64 sys_lseek(struct regs *r)
{
	struct open_file *f = file_of(r->rdi);
	u64 base[3] = { 0 };

	if (!f)
		return -EBADF;
	if (f->kind != FILE_ARCHIVE)
		return -ESPIPE;
	base[1] = f->at;
	base[2] = f->file.size;
	if (r->rdx > 2 || (s64)(base[r->rdx] + r->rsi) < 0)
		return -EINVAL;
	f->at = base[r->rdx] + r->rsi;
	return f->at;
}

/* ---- output ---- */

static s64 write_file(struct open_file *f, u64 buf, u64 n)
{
	enum serial_port port;
	char text[256];
	u64 done = 0;

	if (!f || (f->kind != FILE_OUTPUT && f->kind != FILE_ERROR))
		return -EBADF;
	port = f->kind == FILE_ERROR ? SERIAL_ERR : SERIAL_OUT;
	n = min_u64(n, MAX_TRANSFER);
	while (done < n) {
		u64 part = min_u64(n - done, sizeof(text));

		if (copy_from_user(text, buf + done, part))
			return done ? (s64)done : -EFAULT;
		serial_write(port, text, part);
		done += part;
		if (done % WRITE_STEP == 0 && !give_way())
			break;
	}
	return done;
}

s64 sys_write(struct regs *r)
{
	return write_file(file_of(r->rdi), r->rsi, r->rdx);
}

/* ---- several buffers ---- */

/* Ends at an error, if there is nothing to tell before, or at a short one. */
static s64 each_buffer(struct regs *r, s64 (*fn)(struct open_file *f, u64 buf,
						 u64 n))
{
	struct open_file *f = file_of(r->rdi);
	struct iovec v;
	s64 sum = 0, ret;

	if (r->rdx > MAX_IOV)
		return -EINVAL;
	for (u64 i = 0; i < r->rdx; i++) {
		if (copy_from_user(&v, r->rsi + i * sizeof(v), sizeof(v)))
			return sum ? sum : -EFAULT;
		ret = fn(f, (u64)v.iov_base, v.iov_len);
		if (ret < 0)
			return sum ? sum : ret;
		sum += ret;
		if ((u64)ret < v.iov_len)
			break;
	}
	return sum;
}

s64 sys_readv(struct regs *r)
{
	return each_buffer(r, read_file);
}

s64 sys_writev(struct regs *r)
{
	return each_buffer(r, write_file);
}

/* ---- waiting ---- */

/* Files never keep anybody waiting. */
static u32 ready(s32 fd, u32 events)
{
	const struct open_file *f;

	if (fd < 0)
		return 0;
	f = file_of(fd);
	if (!f)
		return POLLNVAL;
	switch (f->kind) {
	case FILE_INPUT:
		return events & (POLLIN | POLLRDNORM);
	case FILE_ARCHIVE:
		return events & POLL_FILE;
	default:
		return events & (POLLOUT | POLLWRNORM);
	}
}

static s64 do_poll(u64 fds, u64 n, bool limit, u64 ns)
{
	u64 until = limit ? clock_ns() + ns : 0;
	s64 found = 0;

	if (n > MAX_FILES)
		return -EINVAL;
	for (u64 i = 0; i < n; i++) {
		struct pollfd p;

		if (copy_from_user(&p, fds + i * sizeof(p), sizeof(p)))
			return -EFAULT;
		p.revents = ready(p.fd, (u16)p.events);
		found += !!p.revents;
		if (copy_to_user(fds + i * sizeof(p), &p, sizeof(p)))
			return -EFAULT;
	}
	return found ? found : sleep_until(until);
}

s64 sys_poll(struct regs *r)
{
	s32 ms = r->rdx;

	return do_poll(r->rdi, r->rsi, ms >= 0, (u64)ms * 1000000);
}

/* The mask is for signals that are caught. */
s64 sys_ppoll(struct regs *r)
{
	u64 ns = 0;
	int ret = r->rdx ? get_time(r->rdx, &ns) : 0;

	return ret ? ret : do_poll(r->rdi, r->rsi, r->rdx, ns);
}
