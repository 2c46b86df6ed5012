#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm_test.sh DIRECTORY: fuzz_mm, in that directory, on this machine, whose memory
# management is taken for right: it finds nothing, it makes the same programs again, and
# it finds it when processes leave out a kind of step, and when what it is told of sums is not so.

# shellcheck source=vmm-side/e2e/ktap.sh
. "$(dirname "$0")/../../../vmm-side/e2e/ktap.sh"
fuzz_mm=$1/fuzz_mm
corpus=$(dirname "$0")/../fuzz_mm/corpus

programs()
{
	for i in 1 2 3 4 5 6 7 8; do
		"$fuzz_mm" -s 7 -p $i /dev/symswap0 zram0=/dev/"$1" || return
	done
}

# What it says is kept: which kinds of steps this machine has no use for.
honest()
{
	said=$("$fuzz_mm" -t 3 -l 60)
}

# forgets STEP: found, with status 1
forgets()
{
	"$fuzz_mm" -F "$1" -1 -t 60 -S 0 -l 60 >/dev/null
	[ $? = 1 ]
}

# Of three steps or so, in its boot.
made_small()
{
	steps=$("$fuzz_mm" -F unmap -1 -t 60 -S 60 -l 60 | sed -n '/^# made smaller/,/^@end/p' |
		grep -c '^#   ')
	[ "$steps" -gt 0 ] && [ "$steps" -le 6 ]
}

# told LIE: found, too
told()
{
	"$fuzz_mm" -O "$1" -1 -t 60 -S 0 -l 4 >/dev/null
	[ $? = 1 ]
}

# As text, and read again: what is about the machine is left out here.
read_again()
{
	program=$(mktemp)
	programs x >"$program"
	head -n 100 "$program" | grep -v symswap0 | grep -v zram0 >"$program.prog"
	"$fuzz_mm" -r -l 60 -f "$program.prog" >"$program"
	again=$?
	grep -q "^ok 1 ${program##*/}" "$program" || again=1
	rm -f "$program" "$program.prog"
	return $again
}

# replays NAME: of the corpus
replays()
{
	"$fuzz_mm" -r -l 60 -f "$corpus/$1.prog" >/dev/null
}

equal 'a seed and a number make the same program' "$(programs a)" "$(programs b)"
check 'nothing is wrong with this machine' honest
check 'a program that is printed can be read' read_again
check 'what is found is made small' made_small
for name in pin-outlives-mapping pin-after-free; do
	check "nor with $name, which the model did not know" replays $name
done
for lie in sums log; do
	check "the machine is found out: $lie" told $lie
done
for step in map unmap write read protect advise move resize exec peek poke pin_in pin_out \
	uffd_missing uffd_wait; do
	name="processes that do not $step are found out"
	if echo "$said" | grep -q "^# left out: $step "; then
		skip "$name" 'this machine cannot'
	else
		check "$name" forgets $step
	fi
done
plan
