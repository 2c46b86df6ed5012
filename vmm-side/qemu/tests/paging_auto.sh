#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_auto.sh: a VMM that chooses the paging mode sees what this machine does, and does
# what it wishes. In a guest with PAGING=auto.

# shellcheck source=/dev/null
. ./lib.sh

# The VMM has that mode; $reached says so later, too.
has()
{
	[ "$(attr paging)" = "$1" ] && reached=1
}

# during NAME MODE COMMAND...: it comes to have it while that runs, again and again. How
# soon is a matter of the machine's speed.
during()
{
	name=$1 mode=$2
	shift 2
	reached=0
	rm -f /tmp/enough
	while [ ! -e /tmp/enough ]; do
		"$@" >/tmp/said || exit
	done &
	wait_for 600 has "$mode"
	check "$name: $mode" [ $reached = 1 ]
	touch /tmp/enough
	check "$name: was right" wait $!
}

equal 'no wish' "$(attr paging_wish)" none
during 'page tables rest' shadow ./gups -m 32 -u 1000000 -n 40
during 'forks and execs' nested ./forkmix -m 32 -u 500 -n 1
echo shadow >"$SYSFS/paging_wish"
during 'the same, by wish' shadow ./forkmix -m 32 -u 60 -n 1
echo nested >"$SYSFS/paging_wish"
during 'page tables rest, by wish' nested ./gups -m 32 -u 1000000 -n 10
echo none >"$SYSFS/paging_wish"
check 'few changes' [ "$(attr paging_switches)" -le 8 ]
finish
