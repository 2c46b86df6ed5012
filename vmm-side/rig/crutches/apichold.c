// SPDX-License-Identifier: GPL-2.0
/*
 * apichold: keep KVM's static branch for disabled APICs switched on.
 *
 *   apichold PIDFILE
 *
 * KVM switches that branch on while any vCPU's APIC is disabled by software, as
 * it is after a reset, and off a second after the last guest has enabled its
 * own. So every guest that boots patches KVM's code, and an emulator that runs
 * CPUs in parallel can execute a breakpoint of that patching when it is gone
 * (docs/design.md, "Faults of the emulator"). A vCPU that never runs holds it.
 *
 * Returns when the vCPU is there; a child of it stays until it is killed.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int die(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

static int hold(int ready)
{
	int kvm, vm, null, i;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return die("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return die("KVM_CREATE_VM");
	if (ioctl(vm, KVM_CREATE_IRQCHIP) < 0)
		return die("KVM_CREATE_IRQCHIP");
	if (ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
		return die("KVM_CREATE_VCPU");

	/* Whoever waits for the end of our output waits for the parent alone. */
	null = open("/dev/null", O_RDWR);
	for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (dup2(null, i) < 0)
			return die("/dev/null");
	if (write(ready, "", 1) != 1)
		return EXIT_FAILURE;
	close(ready);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int fds[2];
	FILE *file;
	pid_t pid;
	char byte;

	if (argc != 2) {
		fprintf(stderr, "usage: apichold PIDFILE\n");
		return 2;
	}
	if (pipe2(fds, O_CLOEXEC))
		return die("pipe2");
	pid = fork();
	if (pid < 0)
		return die("fork");
	if (!pid) {
		close(fds[0]);
		setsid();
		return hold(fds[1]);
	}

	close(fds[1]);
	/* The end of the pipe, if the child has failed. */
	if (read(fds[0], &byte, 1) != 1)
		return EXIT_FAILURE;
	file = fopen(argv[1], "w");
	if (!file || fprintf(file, "%d\n", pid) < 0 || fclose(file))
		return die(argv[1]);
	return EXIT_SUCCESS;
}
