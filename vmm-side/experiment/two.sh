#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two.sh MIB TIMES: GUPS, TIMES over, whenever the host's word says so, 1 to 3, with a line for
# each. Where it is 9 this is the other machine, which does the same all the time, until 8.
# 7: the host has failed.

mib=$1 times=$2
S=/sys/kernel/symbiotic

# host WORD: when it is that
host()
{
	until word=$(cat $S/host_word) && [ "$word" = "0x$1" ]; do
		[ "$word" != 0x7 ] || exit 1
		sleep 0.2
	done
}

until [ "$(cat $S/host_word)" != 0x0 ]; do sleep 0.2; done
if [ "$(cat $S/host_word)" = 0x9 ]; then
	./gups -m "$mib" -u 1000000000000 >/dev/null &
	echo 1 >$S/guest_word
	host 8
	kill $!
	exit
fi
for step in 1 2 3; do
	host $step
	read -r begin _ </proc/uptime
	./gups -m "$mib" -u 1000000 -n "$times" >/tmp/said || exit 1
	read -r end _ </proc/uptime
	echo "two step=$step begin=$begin end=$end"
	echo $step >$S/guest_word
done
