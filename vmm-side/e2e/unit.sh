#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# unit.sh BUILD: all unit tests, on this machine. The convention: a directory tests/unit
# anywhere with a Makefile whose target `check OUT=dir` builds programs with sanitizers and
# runs them; they say their results by KTAP. Fuzzers, in tests/fuzz, get the inputs of
# their corpora in this way, and no others. Python's are tests/test_*.py, which find the
# modules of the directory above.

set -u

top=$(realpath "$(dirname "$0")/../..")
out=$(realpath "$1")/tests/unit
export PYTHONPATH="$top/vmm-side"
# shellcheck source=vmm-side/e2e/ktap.sh
. "$top/vmm-side/e2e/ktap.sh"

# directories PATTERN: of files like that, below the top one
directories()
{
	(cd "$top" && find . -path ./build -prune -o -path "$1" -printf '%P\n') | xargs -n 1 dirname | sort -u
}

for dir in $(directories '*/tests/unit/Makefile') $(directories '*/tests/fuzz/Makefile'); do
	subtest "$dir" make -s -j"${JOBS:-2}" -C "$top/$dir" check OUT="$out/$(echo "$dir" | tr / -)"
done
for dir in $(directories '*/tests/test_*.py'); do
	subtest "$dir" env -C "$top/${dir%/*}" python3 -m e2e.unittests tests
done
plan
