#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh BUILD SECONDS SEED [faults]: run all fuzzers, each for its share of the seconds,
# one after the other; KTAP. They start from the corpora in git, so that a seed finds the
# same again. An input that breaks something is made small and left in BUILD/fuzz/finds;
# with its mend it belongs into tests/fuzz/corpus/FUZZER, from where `make unit` replays it.
#
# With `faults`: for each patch in tests/fuzz/faults, which takes one check out of the code,
# how long its fuzzer FUZZER.*.patch takes to find that, at most SECONDS; from what is called
# honest* in the corpus, if anything is. The inputs that show it are left in BUILD/fuzz/finds.

set -u

top=$(realpath "$(dirname "$0")/../..")
mkdir -p "$1/fuzz/finds"
out=$(realpath "$1/fuzz")
seconds=$2 seed=$3 mode=${4:-}
# shellcheck source=vmm-side/e2e/ktap.sh
. "$top/vmm-side/e2e/ktap.sh"

# fuzz DIRECTORY FUZZER OUT SECONDS INPUTS: starts from what matches in the corpus; sets
# $status, $figures, $input; logs to OUT/FUZZER.log. Addresses are inputs, too, so they stay.
fuzz()
{
	corpus=$3/$2.corpus log=$3/$2.log input=$3/$2.input
	rm -rf "$corpus" "$input"
	mkdir -p "$corpus"
	find "$1/corpus/$2" -name "$5" -type f -exec cp {} "$corpus" \;
	setarch -R "$3/$2" -seed="$seed" -max_total_time="$4" -timeout=20 -print_final_stats=1 \
		-exact_artifact_path="$input" "$corpus" >"$log" 2>&1
	status=$?
	operations=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	figures="${operations:-0} operations, ${edges:-0} edges covered"
	[ $status != 0 ] || return 0
	# Why: the oracle's line, or the sanitizer's.
	grep -E '^[^ ]*:[0-9]+: |runtime error|^SUMMARY|panic' "$log" | head -n 2 | sed 's/^/# /'
}

# build DIRECTORY OUT
build()
{
	make -s -C "$1" OUT="$2" >"$out/build.log" 2>&1 && return
	sed 's/^/# /' "$out/build.log"
	return 1
}

directories=$(cd "$top" && find . -path ./build -prune -o -path '*/tests/fuzz/Makefile' -printf '%h\n' | sort)

run_all()
{
	nr=0
	for dir in $directories; do
		build "$top/$dir" "$out" || result 1 "$dir" 'does not build'
		for fuzzer in $(make -s -C "$top/$dir" list); do
			nr=$((nr + 1))
		done
	done
	for dir in $directories; do
		for fuzzer in $(make -s -C "$top/$dir" list); do
			fuzz "$top/$dir" "$fuzzer" "$out" $((seconds / nr + 1)) '*'
			if [ $status = 0 ]; then
				result 0 "$fuzzer: no finds" "$figures"
				continue
			fi
			find=$out/finds/$fuzzer-$(sha1sum "$input" | cut -c 1-12)
			"$out/$fuzzer" -minimize_crash=1 -max_total_time=10 -exact_artifact_path="$find" \
				"$input" >"$find.log" 2>&1
			[ -s "$find" ] || cp "$input" "$find"
			result 1 "$fuzzer: $find" "$figures"
		done
	done
}

# The code without one check, built from a copy.
run_faults()
{
	tree=$out/faults
	for patch in "$top"/*/tests/fuzz/faults/*.patch "$top"/vmm-side/*/tests/fuzz/faults/*.patch; do
		name=${patch##*/} name=${name%.patch} fuzzer=${patch##*/} fuzzer=${fuzzer%%.*}
		dir=${patch#"$top/"} dir=${dir%/faults/*}
		rm -rf "$tree"
		mkdir -p "$tree"
		(cd "$top" && cp -a --parents symspy symcall swapbypass dma-offset guest-kitten \
			vmm-side/tools vmm-side/symbioticd vmm-side/e2e vmm-side/rig/build "$tree")
		if ! patch -s -d "$tree" -p1 --fuzz=0 <"$patch" || ! build "$tree/$dir" "$tree/out"; then
			result 1 "$name" 'the patch does not apply, or the code does not build'
			continue
		fi
		begin=$(date +%s%N)
		fuzz "$tree/$dir" "$fuzzer" "$tree/out" "$seconds" 'honest*'
		[ $status = 0 ] || cp "$input" "$out/finds/$name"
		took=$((($(date +%s%N) - begin) / 100000000))
		result $((status == 0)) "$name" \
			"$((took / 10)).$((took % 10)) s, $figures, $(stat -c %s "$input" 2>/dev/null) bytes"
	done
}

if [ "$mode" = faults ]; then
	run_faults
else
	run_all
fi
plan
