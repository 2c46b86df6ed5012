#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_seen.sh MODE OTHER: the guest's half of paging_set.sh. Each time the host's word
# says so, it sees the mode that it should, at most two seconds later.

S=/sys/kernel/symbiotic

# mode_is WANTED SWITCHES
mode_is()
{
	n=0
	until [ "$(cat $S/paging) $(cat $S/paging_switches)" = "$1 $2" ]; do
		n=$((n + 1))
		[ $n -lt 20 ] || return 1
		sleep 0.1
	done
}

mode_is "$1" 0 && echo 1 >$S/guest_word || exit 1
./wait_host.sh 2
mode_is "$2" 1 && echo 2 >$S/guest_word || exit 1
./wait_host.sh 3
mode_is "$1" 2 && echo 3 >$S/guest_word
