// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of cpio archives.
 */
#include "fake.h"

static u8 *archive;
static u64 size;

static void add(const char *name, const char *data)
{
	size_t n = strlen(name) + 1, len = strlen(data);

	size += sprintf((char *)archive + size,
			"070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
			1, 0100644, 0, 0, 1, 0, len, 0, 0, 0, 0, n, 0);
	memcpy(archive + size, name, n);
	size = ALIGN_UP(size + n, 4);
	memcpy(archive + size, data, len);
	size = ALIGN_UP(size + len, 4);
}

static void make(void)
{
	memset(archive, 0, 4096);
	size = 0;
	add("a", "first");
	add("dir/b", "");
	add("TRAILER!!!", "");
	size = ALIGN_UP(size, 512);
	add("c", "third file");
	add("TRAILER!!!", "");
}

/* Of an exact copy, so that the sanitizer sees every byte read behind it. */
static u32 walk(const u8 *from, u64 n)
{
	u8 *copy = malloc(n ? n : 1);
	struct archive_file f;
	u64 at = 0;
	u32 files = 0;

	memcpy(copy, from, n);
	while (archive_next(copy, n, &at, &f)) {
		u64 sum = 0;

		for (u64 i = 0; i < f.size; i++)
			sum += f.data[i];
		EXPECT(strlen(f.name) <= f.name_len && sum < 1ULL << 40);
		files++;
	}
	free(copy);
	return files;
}

static void good(void)
{
	struct archive_file f;
	u64 at = 0;

	make();
	EXPECT(archive_next(archive, size, &at, &f));
	EXPECT(f.size == 5 && !memcmp(f.data, "first", 5));
	EXPECT(f.mode == 0100644);
	EXPECT(archive_next(archive, size, &at, &f));
	EXPECT(!strcmp(f.name, "dir/b") && !f.size);
	EXPECT(archive_next(archive, size, &at, &f) && f.size == 10);
	EXPECT(!archive_next(archive, size, &at, &f));
	EXPECT(walk(archive, size) == 3);
}

static void truncated(void)
{
	make();
	for (u64 n = 0; n < size; n++)
		EXPECT(walk(archive, n) <= 3);
}

static void noise(void)
{
	for (u32 i = 0; i < 20000; i++) {
		u32 changes = 1 + fake_random() % 4;

		make();
		while (changes--)
			archive[fake_random() % size] = fake_random();
		walk(archive, size);
	}
}

static void no_archive(void)
{
	memset(archive, 0, 4096);
	EXPECT(!walk(archive, 0) && !walk(archive, 4096));
	memset(archive, '0', 4096);
	EXPECT(!walk(archive, 4096));
}

int main(void)
{
	archive = malloc(4096);
	if (!archive)
		return 1;
	RUN(good);
	RUN(truncated);
	RUN(noise);
	RUN(no_archive);
	free(archive);
	return fake_end();
}
