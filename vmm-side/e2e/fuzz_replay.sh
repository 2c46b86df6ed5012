#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_replay.sh OUT FUZZER...: give each fuzzer the inputs in corpus/FUZZER again; KTAP.
# A corpus without inputs is a failure: then nothing would be looked at.

set -u

# shellcheck source=vmm-side/e2e/ktap.sh
. "$(dirname "$0")/ktap.sh"
out=$1
shift

for fuzzer; do
	for input in "corpus/$fuzzer"/*; do
		subtest "$fuzzer: ${input##*/}" "$out/$fuzzer" -timeout=20 "$input"
	done
done
plan
