// SPDX-License-Identifier: GPL-2.0
/*
 * kexec_file KERNEL INITRD CMDLINE [crash]: load a kernel; boot it at once,
 * or have it ready for a crash.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kexec.h>
#include <linux/reboot.h>

int main(int argc, char **argv)
{
	int kernel, initrd;
	int crash = argc == 5 && !strcmp(argv[4], "crash");

	if (argc != 4 && !crash) {
		fputs("usage: kexec_file KERNEL INITRD CMDLINE [crash]\n",
		      stderr);
		return 2;
	}

	kernel = open(argv[1], O_RDONLY | O_CLOEXEC);
	initrd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (kernel < 0 || initrd < 0) {
		perror("kexec_file: open");
		return 1;
	}

	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1,
		    argv[3], crash ? KEXEC_FILE_ON_CRASH : 0)) {
		perror("kexec_file: load");
		return 1;
	}
	if (crash)
		return 0;

	sync();
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	perror("kexec_file: reboot");
	return 1;
}
