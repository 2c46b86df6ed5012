// SPDX-License-Identifier: GPL-2.0
/*
 * at_rest MIB: data of MIB in the swap window, which nobody uses while the host looks: the
 * guest's word is 1 then, until the host's is 1. All of it must be there afterwards.
 */
#include <ktap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL
#define WORD		"/sys/kernel/symbiotic/%s_word"
#define SECONDS		60

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static FILE *open_word(const char *name, const char *mode)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), WORD, name);
	f = fopen(path, mode);
	if (!f)
		die(path);
	return f;
}

static unsigned long host_word(void)
{
	FILE *f = open_word("host", "r");
	unsigned long word;

	if (fscanf(f, "%lx", &word) != 1)
		die("host_word");
	fclose(f);
	return word;
}

static void say(unsigned long word)
{
	FILE *f = open_word("guest", "w");

	if (fprintf(f, "%lu\n", word) < 0 || fclose(f))
		die("guest_word");
}

static size_t resident(void *p, size_t pages, unsigned char *here)
{
	size_t i, sum = 0;

	if (mincore(p, pages * PAGE, here))
		die("mincore");
	for (i = 0; i < pages; i++)
		sum += here[i] & 1;
	return sum;
}

int main(int argc, char **argv)
{
	size_t pages = (argc == 2 ? strtoul(argv[1], NULL, 0) : 0) << 8, i, wrong = 0;
	time_t end = time(NULL) + SECONDS;
	unsigned char *here = malloc(pages);
	uint64_t *p;

	if (!pages || !here) {
		fputs("usage: at_rest MIB\n", stderr);
		return 2;
	}
	p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	/* Never all zeroes, which take no slot. */
	for (i = 0; i < pages * PAGE / sizeof(*p); i++)
		p[i] = (i + 1) * 0x9e3779b97f4a7c15;
	do {
		madvise(p, pages * PAGE, MADV_PAGEOUT);
	} while (resident(p, pages, here) > pages / 32 && time(NULL) < end);
	if (!ktap(resident(p, pages, here) <= pages / 32, "swapped out"))
		return ktap_end();
	say(1);
	for (end = time(NULL) + 2 * SECONDS; host_word() != 1 && time(NULL) < end;)
		usleep(100000);
	ktap(host_word() == 1, "the host has looked");
	for (i = 0; i < pages * PAGE / sizeof(*p); i++)
		wrong += p[i] != (i + 1) * 0x9e3779b97f4a7c15;
	ktap(!wrong, "the data is as it was (%zu words are not)", wrong);
	return ktap_end();
}
