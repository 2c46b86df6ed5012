#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_twice.sh: with one vCPU, kvm_fuzz does the same for the same seed: as many
# steps of each kind. How each ended is left out: that may be a question of time.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# run SEED FILE: the kinds of steps, with their numbers, into a file
run()
{
	kvm_fuzz -c 1 -s "$1" -n 20 -t 250 >/run/said 2>&1 || sed 's/^/# /' /run/said
	sed -n 's/^# \([a-z-]* *[0-9]*\):.*/\1/p' /run/said >"$2"
}

run 7 /run/first
run 7 /run/second
run 8 /run/other
check 'there are steps' test -s /run/first
check 'the same seed, the same steps' cmp -s /run/first /run/second
check 'another seed, other steps' test "$(cat /run/first)" != "$(cat /run/other)"
plan
