#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two_host.sh: the host of two.sh. The rig's guest works while another VM like it rests, works,
# and works while its paging mode changes, some times a second; says how often that was.

# shellcheck source=vmm-side/qemu/tests/host/second.sh
. second.sh

first=${QMP%/qmp}
flipper=''

fail()
{
	echo "two_host: $*"
	symcall word 7
	exit 1
}

leave()
{
	[ -z "$flipper" ] || kill "$flipper"
	second_leave
}

# word DIRECTORY WORD
word()
{
	symcall -q "$1/qmp" word "$2" || fail "no answer from $1"
}

# has DIRECTORY WORD: its guest has said that, within ten minutes
has()
{
	n=0
	until symcall -q "$1/qmp" info | grep -q "^guest-word 0x$2\$"; do
		n=$((n + 1))
		[ $n -lt 1200 ] || fail "no $2 of $1"
		sleep 0.5
	done
}

switches()
{
	cat "$second_dir/paging_switches"
}

trap leave EXIT
second_start ''
second_says ready || fail 'the second guest'
second_loose
second_tell go
word "$first" 1
has "$first" 1
word "$second" 9
has "$second" 1
word "$first" 2
has "$first" 2
before=$(switches)
while :; do
	for mode in nested shadow; do
		echo $mode >"$second_dir/paging_mode"
		sleep 0.1
	done
done &
flipper=$!
word "$first" 3
has "$first" 3
changes=$(($(switches) - before))
kill "$flipper"
flipper=''
word "$second" 8
# Until now it was at work, or the first has had nobody beside it.
second_says exit || fail 'the second guest'
# shellcheck disable=SC2154 # of second_says
[ "$rest" = 0 ] || fail "the second guest: $rest"
second_tell bye
echo "changes=$changes"
