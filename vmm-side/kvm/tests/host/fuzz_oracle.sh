#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_oracle.sh: kvm_fuzz notices what no mistake in the page tables shows. Each program is
# good, and finds what is broken on purpose.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# broken WHAT FINDS: by the program on standard input, executed twice
broken()
{
	cat >/run/program
	{ cat /run/program; echo; cat /run/program; } >/run/programs
	kvm_fuzz -r /run/programs >/run/said 2>&1
	good=$?
	kvm_fuzz -b "$1" -r /run/programs >/run/found 2>&1
	bad=$?
	if [ $good = 0 ] && [ $bad = 1 ] && grep -q "^# step .*: .*$2" /run/found; then
		result 0 "$1"
	else
		sed 's/^/# /' /run/said /run/found
		result 1 "$1" "status $good, and broken $bad"
	fi
}

broken log 'page 3 has been written to, but is not in the log' <<'EOP'
vm 1 anon anon always present
h slot memory log
0 pstore memory 3
h dirty-log memory
EOP
broken fork 'another process sees what was written after the fork' <<'EOP'
vm 1 anon anon always present
h fork on
h write memory 3
h fork off
EOP
broken memory "KiB of the kernel's memory, .* have not come back" <<'EOP'
vm 1 anon anon always present
0 pload memory 3
EOP
broken kernel 'the kernel says: bad page' <<'EOP'
vm 1 anon anon always present
0 pload memory 3
EOP
plan
