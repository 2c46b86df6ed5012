#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm_lies.sh OPTIONS...: fuzz_mm with these options finds each sum that is wrong, as which
# it is told one that is right. One program is enough, on which nothing is wrong.

# shellcheck source=vmm-side/e2e/ktap.sh
. ./ktap.sh

# finds LIE TEXT
finds()
{
	lie=$1 text=$2
	shift 2
	./fuzz_mm "$@" -r -O "$lie" -f fuzz_mm_corpus/swap-type-used-again.prog |
		grep >/dev/null "^# .*: .*$text"
}

check 'pages in place' finds in_place 'pages of symswap0 are left in place' "$@"
check 'pages held' finds held 'pages of symswap0 are left held' "$@"
check 'slots' finds swap 'KiB of swap are left$' "$@"
check 'anonymous memory' finds anon 'bytes of anonymous memory are left charged' "$@"
check 'other memory' finds charge 'bytes are left charged that nobody has' "$@"
check 'charged swap' finds swap_charge 'bytes of swap are left charged' "$@"
plan
