// SPDX-License-Identifier: GPL-2.0
/*
 * revoke HASH SIGNATURE: an entry of the kernel's blacklist, as `keyctl padd blacklist`
 * makes it. HASH is a file with what is not loaded any more, "bin:" and the SHA-256 of a
 * module before it was signed; SIGNATURE is one of that, by a key in the kernel's image.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST	4096

static void die(const char *what)
{
	fprintf(stderr, "revoke: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t read_file(const char *name, char data[MOST])
{
	FILE *file = fopen(name, "r");
	size_t size;

	if (!file)
		die(name);
	size = fread(data, 1, MOST - 1, file);
	if (ferror(file))
		die(name);
	fclose(file);
	data[size] = '\0';
	return size;
}

/* Its number is in hexadecimal, at the start of its line. */
static int keyring_id(void)
{
	FILE *keys = fopen("/proc/keys", "r");
	char line[256];
	int id = 0;

	if (!keys)
		die("/proc/keys");
	while (!id && fgets(line, sizeof(line), keys))
		if (strstr(line, " .blacklist:"))
			id = (int)strtoul(line, NULL, 16);
	fclose(keys);
	errno = ENOENT;
	if (!id)
		die("no keyring .blacklist");
	return id;
}

int main(int argc, char **argv)
{
	static char hash[MOST], signature[MOST];
	size_t size;

	if (argc != 3) {
		fprintf(stderr, "usage: revoke HASH SIGNATURE\n");
		return 2;
	}
	read_file(argv[1], hash);
	size = read_file(argv[2], signature);
	if (syscall(SYS_add_key, "blacklist", hash, signature, size, keyring_id()) < 0)
		die(hash);
	return 0;
}
