// SPDX-License-Identifier: GPL-2.0
/* efer_svme 0|1: EFER.SVME of CPU 0, as a hypervisor sets it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define MSR_EFER	0xc0000080
#define EFER_SVME	(1ULL << 12)

int main(int argc, char **argv)
{
	int fd = open("/dev/cpu/0/msr", O_RDWR);
	uint64_t efer;

	if (argc != 2)
		return 2;
	if (fd < 0 || pread(fd, &efer, sizeof(efer), MSR_EFER) != sizeof(efer)) {
		perror("/dev/cpu/0/msr");
		return 1;
	}
	efer = *argv[1] == '1' ? efer | EFER_SVME : efer & ~EFER_SVME;
	if (pwrite(fd, &efer, sizeof(efer), MSR_EFER) != sizeof(efer)) {
		perror("EFER");
		return 1;
	}
	return 0;
}
