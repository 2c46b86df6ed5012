// SPDX-License-Identifier: GPL-2.0
/*
 * resident FILE: KiB of it that are in memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	4096UL

static void die(const char *what)
{
	perror(what);
	exit(2);
}

int main(int argc, char **argv)
{
	unsigned long i, pages, sum = 0;
	unsigned char *here;
	struct stat st;
	void *map;
	int fd;

	if (argc != 2) {
		fputs("usage: resident FILE\n", stderr);
		return 2;
	}
	/* What may be written may be looked at. */
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(argv[1]);
	pages = (st.st_size + PAGE - 1) / PAGE;
	here = malloc(pages ? pages : 1);
	if (!here)
		die("malloc");
	map = pages ? mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0) : NULL;
	if (map == MAP_FAILED || (pages && mincore(map, pages * PAGE, here)))
		die(argv[1]);
	for (i = 0; i < pages; i++)
		sum += here[i] & 1;
	printf("%lu\n", sum * (PAGE / 1024));
	return 0;
}
