// SPDX-License-Identifier: GPL-2.0
/*
 * slot_writer PID: write to the memory in which QEMU shows modules to its guest, again and
 * again, at all places, until killed. As any thread of the host's could.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The header's page and 64 MiB, which no other mapping of QEMU's has. */
#define SLOT_SIZE	((64ULL << 20) + 4096)

/* What modules of the tests reach to. */
#define WRITTEN		(32 << 10)

static uint64_t find_slot(const char *pid)
{
	uint64_t start, end, found = 0;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
		    end - start == SLOT_SIZE)
			found = start;
	if (f)
		fclose(f);
	return found;
}

int main(int argc, char **argv)
{
	uint64_t slot, at = 0;
	char path[64];
	uint8_t byte;
	int fd;

	if (argc != 2)
		return 2;
	slot = find_slot(argv[1]);
	snprintf(path, sizeof(path), "/proc/%s/mem", argv[1]);
	fd = open(path, O_RDWR);
	if (!slot || fd < 0) {
		fprintf(stderr, "slot_writer: no memory for modules in %s\n", argv[1]);
		return 1;
	}
	for (;; at = (at + 1021) % WRITTEN) {
		if (pread(fd, &byte, 1, slot + at) != 1)
			return 0;
		byte ^= 0x10;
		if (pwrite(fd, &byte, 1, slot + at) != 1)
			return 0;
	}
}
