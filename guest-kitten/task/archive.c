// SPDX-License-Identifier: GPL-2.0
/*
 * The initial archive: one or more cpio archives ("newc"), one behind another.
 */
#include <kitten/boot.h>
#include <kitten/lib.h>
#include <kitten/task.h>

#define HEADER_SIZE	110
#define FIELD_MODE	1
#define FIELD_FILESIZE	6
#define FIELD_NAMESIZE	11

#define TRAILER		"TRAILER!!!"

/* Eight hexadecimal digits; field 0 is behind the magic number. */
static bool field(const u8 *header, unsigned int nr, u64 *v)
{
	const u8 *s = header + 6 + nr * 8;

	*v = 0;
	for (unsigned int i = 0; i < 8; i++) {
		u8 c = s[i] | 0x20, digit;

		if (s[i] >= '0' && s[i] <= '9')
			digit = s[i] - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			return false;
		*v = *v << 4 | digit;
	}
	return true;
}

static bool parse(const u8 *h, u64 left, u64 *size, struct archive_file *file)
{
	u64 name_size, file_size, mode, data;

	if (left < HEADER_SIZE || memcmp(h, "070701", 6) ||
	    !field(h, FIELD_MODE, &mode) ||
	    !field(h, FIELD_FILESIZE, &file_size) ||
	    !field(h, FIELD_NAMESIZE, &name_size))
		return false;
	/* Each has 32 bits: no sum here overflows. */
	data = ALIGN_UP(HEADER_SIZE + name_size, 4);
	if (!name_size || data + file_size > left ||
	    h[HEADER_SIZE + name_size - 1])
		return false;
	file->name = (const char *)h + HEADER_SIZE;
	file->name_len = name_size - 1;
	file->data = h + data;
	file->size = file_size;
	file->mode = mode;
	*size = ALIGN_UP(data + file_size, 4);
	return true;
}

bool archive_next(const u8 *data, u64 size, u64 *at, struct archive_file *file)
{
	u64 n;

	for (;;) {
		/* Between archives there is padding. */
		while (*at < size && !data[*at])
			(*at)++;
		if (*at >= size || !parse(data + *at, size - *at, &n, file))
			return false;
		*at += n;
		if (file->name_len != sizeof(TRAILER) - 1 ||
		    memcmp(file->name, TRAILER, file->name_len))
			return true;
	}
}

bool archive_find(const char *name, struct archive_file *file)
{
	const u8 *data = phys_to_virt(boot_info.archive);
	u64 at = 0, n = strlen(name);
	struct archive_file f;
	bool found = false;

	if (!boot_info.archive_size ||
	    !linear_covers(boot_info.archive, boot_info.archive_size))
		return false;
	while (archive_next(data, boot_info.archive_size, &at, &f)) {
		if (f.name_len != n || memcmp(f.name, name, n))
			continue;
		*file = f;
		found = true;
	}
	return found;
}
