#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm_test.sh DIRECTORY: fuzz_mm, in that directory, on this machine, whose memory
# management is taken for right: it finds nothing, it makes the same programs again, and
# it finds it when processes leave out a kind of step.

# shellcheck source=vmm-side/e2e/ktap.sh
. "$(dirname "$0")/../../../vmm-side/e2e/ktap.sh"
fuzz_mm=$1/fuzz_mm

programs()
{
	for i in 1 2 3 4 5 6 7 8; do
		"$fuzz_mm" -s 7 -p $i /dev/symswap0 zram0=/dev/"$1" || return
	done
}

honest()
{
	"$fuzz_mm" -t 3 -l 60 >/dev/null
}

# forgets STEP: found, with status 1
forgets()
{
	"$fuzz_mm" -F "$1" -1 -t 60 -S 0 -l 60 >/dev/null
	[ $? = 1 ]
}

equal 'a seed and a number make the same program' "$(programs a)" "$(programs b)"
check 'nothing is wrong with this machine' honest
for step in map unmap write protect advise move; do
	check "processes that do not $step are found out" forgets $step
done
plan
