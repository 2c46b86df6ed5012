#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# turns.sh: the guest's part of two_guests.sh, one turn of each, without any work.

W=/sys/kernel/symbiotic

# turn N: wait until the host's word is N
turn()
{
	until [ $(($(cat $W/host_word))) = "$1" ]; do
		sleep 0.1
	done
}

turn 1
echo 1 >$W/guest_word
turn 3
