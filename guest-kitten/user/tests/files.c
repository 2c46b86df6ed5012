// SPDX-License-Identifier: GPL-2.0
/*
 * A program reads its input, in all the ways of C libraries; and what they ask
 * for before main(). With every C library.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define INPUT	"input.txt"
#define LINES	1000
#define WIDTH	16
#define SIZE	(LINES * WIDTH)

static char whole[SIZE + 1];

/* Line i of the input is i in a field of 15 characters. */
static int right(const char *text, int first, int n)
{
	char want[WIDTH + 1];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "%15d\n", first + i);
		if (memcmp(text + i * WIDTH, want, WIDTH))
			return 0;
	}
	return 1;
}

static void test_names(void)
{
	struct stat st, other;
	char cwd[64];
	int fd;

	ktap(!access(INPUT, R_OK) && fails(access(INPUT, W_OK), EROFS) &&
	     fails(access(INPUT, X_OK), EACCES), "access");
	ktap(!access("files", X_OK), "access of a program");
	ktap(!stat(INPUT, &st) && S_ISREG(st.st_mode) && st.st_size == SIZE,
	     "stat");
	ktap(!stat("/files/../files/./" INPUT, &other) &&
	     st.st_ino == other.st_ino, "another way to it");
	ktap(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/files"), "getcwd");
	ktap(!stat("..", &st) && S_ISDIR(st.st_mode) && !stat(cwd, &st) &&
	     S_ISDIR(st.st_mode), "directories");
	ktap(fails(stat("nothing", &st), ENOENT) &&
	     fails(access("nothing", F_OK), ENOENT) &&
	     fails(open("nothing", O_RDONLY), ENOENT) &&
	     fails(open("", O_RDONLY), ENOENT), "what is not there");
	ktap(fails(open(INPUT, O_RDWR), EROFS) &&
	     fails(open(INPUT, O_RDONLY | O_TRUNC), EROFS) &&
	     fails(open("new", O_WRONLY | O_CREAT, 0600), EROFS) &&
	     fails(open(INPUT, O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST),
	     "nothing is written");
	ktap(fails(readlink(INPUT, cwd, sizeof(cwd)), EINVAL), "no link");
	fd = open(".", O_RDONLY | O_DIRECTORY);
	ktap(fd >= 0 && !fstatat(fd, INPUT, &st, 0) && st.st_size == SIZE,
	     "a name in an open directory");
	ktap(fails(read(fd, cwd, 1), EISDIR), "a directory is not read");
	close(fd);
	fd = open(INPUT, O_RDONLY | O_CLOEXEC);
	ktap(fails(fstatat(fd, INPUT, &st, 0), ENOTDIR), "a file is no directory");
	ktap(!fstat(fd, &other) && other.st_size == SIZE, "fstat");
	close(fd);
	ktap(fails(fstat(fd, &st), EBADF), "a closed file");
}

static void test_read(void)
{
	char one[2 * WIDTH], two[WIDTH];
	struct iovec iov[2] = { { one, sizeof(one) }, { two, sizeof(two) } };
	int fd = open(INPUT, O_RDONLY);
	char *p;

	ktap(fd >= 0 && read(fd, whole, sizeof(whole)) == SIZE &&
	     right(whole, 0, LINES), "read");
	ktap(read(fd, one, 1) == 0, "read at the end");
	ktap(lseek(fd, -WIDTH, SEEK_END) == SIZE - WIDTH &&
	     read(fd, one, sizeof(one)) == WIDTH && right(one, LINES - 1, 1),
	     "lseek, read up to the end");
	ktap(fails(lseek(fd, -1, SEEK_SET), EINVAL) &&
	     fails(lseek(fd, 0, 77), EINVAL), "lseek to nowhere");
	ktap(lseek(fd, WIDTH, SEEK_SET) == WIDTH &&
	     readv(fd, iov, 2) == 3 * WIDTH && right(one, 1, 2) &&
	     right(two, 3, 1), "readv");
	ktap(pread(fd, two, WIDTH, 700 * WIDTH) == WIDTH && right(two, 700, 1) &&
	     lseek(fd, 0, SEEK_CUR) == 4 * WIDTH, "pread leaves the position");
	ktap(fails(pread(fd, two, 1, -1), EINVAL), "pread from nowhere");
	ktap(fails(write(fd, "x", 1), EBADF), "write to it");

	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ktap(p != MAP_FAILED && right(p, 0, LINES) && !p[SIZE], "mmap");
	if (p != MAP_FAILED) {
		p[0] = 'x';
		ktap(pread(fd, one, 1, 0) == 1 && one[0] == ' ',
		     "what is written there stays there");
		munmap(p, SIZE);
	}
	p = mmap(NULL, 10000, PROT_READ, MAP_SHARED, fd, 4096);
	ktap(p != MAP_FAILED && right(p, 4096 / WIDTH, 10000 / WIDTH),
	     "mmap from an offset");
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1 << 20);
	ktap(p != MAP_FAILED && !p[0], "mmap behind the end");
	ktap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 5) == MAP_FAILED &&
	     errno == EINVAL, "mmap from an odd offset");
	ktap(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
	     errno == EACCES, "mmap to write to the file");
	ktap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED &&
	     errno == EBADF, "mmap of no file");
	close(fd);
}

static void test_streams(void)
{
	char line[64];
	int i, n = 0, wrong = 0;
	FILE *f = fopen(INPUT, "r");

	ktap(f && fread(line, 1, WIDTH, f) == WIDTH && right(line, 0, 1),
	     "fopen, fread");
	if (!f)
		return;
	ktap(!fseek(f, 100 * WIDTH, SEEK_SET) && fscanf(f, "%d", &i) == 1 &&
	     i == 100 && ftell(f) == 101 * WIDTH - 1, "fseek, fscanf, ftell");
	rewind(f);
	while (fgets(line, sizeof(line), f))
		wrong += !right(line, n++, 1);
	ktap(n == LINES && !wrong && feof(f), "fgets to the end");
	fclose(f);
	ktap(getchar() == EOF, "nobody types anything");
}

static void test_descriptors(void)
{
	int fd = open(INPUT, O_RDONLY), copy, i, n = 0, all[64];
	char text[WIDTH];

	ktap(fcntl(1, F_GETFD) == 0 && fcntl(1, F_GETFL) == O_WRONLY &&
	     (fcntl(0, F_GETFL) & O_ACCMODE) == O_RDONLY &&
	     fails(fcntl(77, F_GETFD), EBADF), "fcntl of the standard ones");
	ktap(!fcntl(fd, F_SETFD, FD_CLOEXEC) && fcntl(fd, F_GETFD) == FD_CLOEXEC &&
	     !fcntl(fd, F_SETFD, 0) && !fcntl(fd, F_GETFD), "close on exec");
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	ktap(copy == 10 && fcntl(copy, F_GETFD) == FD_CLOEXEC, "a copy");
	ktap(read(fd, text, WIDTH) == WIDTH && read(copy, text, WIDTH) == WIDTH &&
	     right(text, 1, 1), "with the same position");
	close(fd);
	ktap(dup(copy) == fd && read(fd, text, WIDTH) == WIDTH &&
	     right(text, 2, 1), "outlives the first, whose number is free");
	close(copy);
	close(fd);
	while (n < 64 && (all[n] = open(INPUT, O_RDONLY)) >= 0)
		n++;
	ktap(n > 8 && n < 64 && errno == EMFILE, "more than there can be");
	for (i = 0; i < n; i++)
		close(all[i]);
	ktap(open(INPUT, O_RDONLY) == fd && !close(fd), "and again");
}

static void test_poll(void)
{
	struct pollfd p[4] = {
		{ .fd = 0, .events = POLLIN }, { .fd = 1, .events = POLLOUT },
		{ .fd = -1, .events = POLLIN }, { .fd = 77 },
	};
	struct timespec t = { 0, 30000000 };
	double start = now();

	ktap(poll(p, 4, -1) == 3 && p[0].revents == POLLIN &&
	     p[1].revents == POLLOUT && !p[2].revents &&
	     p[3].revents == POLLNVAL, "poll");
	p[0].events = 0;
	ktap(!poll(p, 1, 0), "poll for nothing");
	ktap(!poll(NULL, 0, 30) && now() - start >= 0.03 && now() - start < 3,
	     "poll for a while");
	start = now();
	ktap(!ppoll(p, 1, &t, NULL) && now() - start >= 0.03 &&
	     now() - start < 3, "ppoll");
	ktap(fails(syscall(SYS_poll, p, 100000, 0), EINVAL), "poll of too many");
	ktap(fails(syscall(SYS_poll, 8, 1, 0), EFAULT), "poll of nothing");
}

static void test_usage(void)
{
	double start, used, cpu = 0;
	struct rusage usage;
	struct timespec ts;

	for (start = now(); now() - start < 0.1; )
		;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	used = (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
	ktap(!getrusage(RUSAGE_SELF, &usage) && usage.ru_maxrss > 100,
	     "getrusage");
	cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
	ktap(cpu >= used - 1e-5 && used > 0.01 && cpu < now(), "time computed");
	ts = (struct timespec){ 0, 300000000 };
	nanosleep(&ts, NULL);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	ktap((double)ts.tv_sec + (double)ts.tv_nsec * 1e-9 - cpu < 0.2,
	     "which sleeping is not");
	ktap(fails(getrusage(7, &usage), EINVAL), "getrusage of nobody");
}

int main(void)
{
	test_names();
	test_read();
	test_streams();
	test_descriptors();
	test_poll();
	test_usage();
	return ktap_end();
}
