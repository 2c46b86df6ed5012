// SPDX-License-Identifier: GPL-2.0
/*
 * fill_window MIB: swap out MIB of data that cannot be compressed, then check it
 * all. Says 1 in the guest's word first and begins when the host's word is 1:
 * meanwhile the host leaves the window's file no room.
 *
 * Status: 0 all data right, 1 not, 2 could not be tried.
 */
#include <ktap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK	(1UL << 20)
#define WORDS	(CHUNK / sizeof(unsigned long))

static FILE *open_word(const char *name, const char *mode)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/symbiotic/%s_word", name);
	f = fopen(path, mode);
	if (!f) {
		perror(path);
		exit(2);
	}
	return f;
}

static void wait_for_host(void)
{
	unsigned long word = 0;
	FILE *f = open_word("guest", "w");

	if (fprintf(f, "1\n") < 0 || fclose(f)) {
		perror("guest_word");
		exit(2);
	}
	while (word != 1) {
		usleep(100000);
		f = open_word("host", "r");
		if (fscanf(f, "%lx", &word) != 1)
			exit(2);
		fclose(f);
	}
}

/* Never 0: a page of zeroes would not be written. */
static unsigned long word_of(unsigned long i)
{
	i *= 0x9e3779b97f4a7c15;
	return (i ^ i >> 31) | 1;
}

int main(int argc, char **argv)
{
	unsigned long size = (argc == 2 ? strtoul(argv[1], NULL, 0) : 0) << 20;
	unsigned long i, j, bad = 0, *p;

	setvbuf(stdout, NULL, _IOLBF, 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	wait_for_host();
	for (i = 0; i < size / CHUNK; i++) {
		for (j = i * WORDS; j < (i + 1) * WORDS; j++)
			p[j] = word_of(j);
		madvise(p + i * WORDS, CHUNK, MADV_PAGEOUT);
	}
	for (j = 0; j < size / CHUNK * WORDS; j++)
		bad += p[j] != word_of(j);
	printf("fill_window: %lu words of %lu are wrong\n", bad, j);
	ktap(j && !bad, "what was swapped out comes back");
	return ktap_end();
}
