#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# give_back.sh rest MIB | use MIB | exit MIB | spike MIB SECONDS | nothing | dimm: the guest's
# side, while the host's give_back.sh takes memory back.
#
#   rest MIB   a process with so much data has it in place, and is stopped; before, how long
#              swapon takes: "swapon SECONDS SECONDS", the times around it
#   use MIB    the process uses its data meanwhile
#   exit MIB   the process is killed as soon as the host's word is 2
#   spike MIB SECONDS   as soon as the host's word is 2 a program fills so much, uses it for so
#              long and ends; then this says 2
#   nothing    the memory is free
#   dimm       says 3 when the DIMM's memory has gone, and 2 when it has come again
#
# Writes 1 to the guest's word when it is ready; ends when the host's is 1.

words=/sys/kernel/symbiotic

say()
{
	echo "$1" >$words/guest_word
}

told()
{
	[ $(($(cat $words/host_word))) = "$1" ]
}

swapon_takes()
{
	swapoff /dev/symswap0
	read -r from _ </proc/uptime
	swapon /dev/symswap0
	read -r to _ </proc/uptime
	echo "swapon $from $to"
}

hold()
{
	./kv -m "$1" -n 1000 -u 1000000 -o >/dev/null &
	holder=$!
	# Most of it; what the guest has room for stays in its own memory.
	until [ "$(cat /sys/block/symswap0/symswap/in_place)" -gt $(($1 * 200)) ]; do sleep 0.1; done
}

memory()
{
	sed -n 's/^MemTotal: *\([0-9]*\) .*/\1/p' /proc/meminfo
}

watch_dimm()
{
	full=$(memory)
	until told 2 && [ "$(memory)" -lt $((full / 2)) ]; do sleep 0.1; done
	say 3
	until [ "$(memory)" -ge "$full" ]; do :; done
	say 2
}

kill_when_told()
{
	until told 2; do sleep 0.02; done
	kill -KILL $holder
}

spike()
{
	say 1
	until told 2; do sleep 0.1; done
	./stream -m "$1" -n 250 -T "$2" -c random -k triad -x
	status=$?
	say 2
	until told 1; do sleep 0.1; done
	exit $status
}

case $1 in
spike)
	spike "$2" "$3"
	;;
rest)
	swapon_takes
	hold "$2"
	kill -STOP $holder
	;;
use)
	hold "$2"
	;;
exit)
	hold "$2"
	kill -STOP $holder
	kill_when_told &
	;;
dimm)
	watch_dimm &
	;;
esac
say 1
until told 1; do sleep 0.1; done
