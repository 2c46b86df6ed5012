// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of cpio archives. The input is the archive; its bytes lie alone in memory,
 * so that the sanitizer sees what is read behind them.
 */
#include <fuzz.h>

#include "fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const u8 *end = data + size, *behind = data;
	struct archive_file f;
	u64 at = 0;

	while (archive_next(data, size, &at, &f)) {
		const u8 *name = (const u8 *)f.name;

		/* In order, inside, and apart: header, name, NUL, content. */
		MUST(name >= behind + 110 && name + f.name_len < end);
		MUST(!name[f.name_len]);
		MUST(f.data > name + f.name_len && f.data <= end);
		MUST(f.size <= (u64)(end - f.data));
		behind = f.data + f.size;
		MUST(at >= (u64)(behind - data) && at < (u64)(behind - data) + 4);
	}
	return 0;
}
