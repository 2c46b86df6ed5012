#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# unit.sh BUILD: host unit tests. The convention: a directory */tests/unit with
# a Makefile whose target `check OUT=dir` builds the tests with sanitizers and
# runs them; they print "ok ..." and "not ok ..." lines. Python tests live in
# */tests/test_*.py and use unittest.

set -u

top=$(realpath "$(dirname "$0")/../..")
out=$(realpath "$1")/tests/unit
mkdir -p "$out"
passed=0 failed=0 skipped=0

for dir in "$top"/*/tests/unit "$top"/vmm-side/*/tests/unit; do
	name=${dir#"$top"/}
	log=$out/$(echo "$name" | tr / -).log
	make -s -j"${JOBS:-2}" -C "$dir" check OUT="$out/$(echo "$name" | tr / -)" >"$log" 2>&1
	status=$?
	p=$(grep -cE '^ok ' "$log")
	f=$(grep -cE '^(not ok|FAILED|FAIL)' "$log")
	# A crash or a sanitizer report ends a test without a line of its own.
	[ $status = 0 ] || [ "$f" != 0 ] || f=1
	[ "$p" != 0 ] || [ "$f" != 0 ] || f=1
	if [ "$f" != 0 ]; then
		echo "not ok $name, status $status"
		tail -n 30 "$log"
	else
		echo "ok $name: $p tests"
	fi
	passed=$((passed + p)) failed=$((failed + f))
done

for tests in "$top"/swapbypass/*/tests "$top"/vmm-side/rig/tests "$top"/vmm-side/tools/tests; do
	[ -n "$(find "$tests" -name 'test_*.py')" ] || continue
	dir=$(dirname "$tests")
	name=${dir#"$top"/}
	log=$out/$(echo "$name" | tr / -).log
	(cd "$dir" && python3 -m unittest discover -v -s tests) >"$log" 2>&1
	status=$?
	p=$(grep -cE '\.\.\. ok$' "$log")
	f=$(grep -cE '\.\.\. (FAIL|ERROR)$' "$log")
	s=$(grep -cE '\.\.\. skipped' "$log")
	[ $status = 0 ] || [ "$f" != 0 ] || f=1
	if [ "$f" != 0 ]; then
		echo "not ok $name"
		tail -n 30 "$log"
	else
		echo "ok $name: $p tests"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
