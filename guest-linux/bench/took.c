// SPDX-License-Identifier: GPL-2.0
/*
 * took NAME COMMAND...: run a command, without its output, and say how long it took, in
 * nanoseconds and by the time-stamp counter. Its status is the command's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <x86intrin.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t ns, tsc;
	int status, null;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: took NAME COMMAND...\n");
		return 2;
	}
	ns = now_ns();
	tsc = __rdtsc();
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		if (null >= 0)
			dup2(null, STDOUT_FILENO);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("took");
		return 1;
	}
	tsc = __rdtsc() - tsc;
	ns = now_ns() - ns;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	printf("took %s ns %llu tsc %llu status %d\n", argv[1], (unsigned long long)ns,
	       (unsigned long long)tsc, status);
	return status;
}
