#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# phases.sh MIB FORKS STREAM GUPS FILLS KV: a machine that does one thing after the other, each
# as often as its number says, 0 for not at all, with MIB of data. Says when each began and ended,
# and how often the VMM had changed its paging mode by then.

mib=$1
S=/sys/kernel/symbiotic

# phase NAME TIMES COMMAND...
phase()
{
	name=$1 times=$2
	shift 2
	[ "$times" != 0 ] || return 0
	read -r begin _ </proc/uptime
	"$@" >/tmp/said || exit 1
	read -r end _ </proc/uptime
	echo "phase name=$name begin=$begin end=$end" \
		"switches=$(cat $S/paging_switches) paging=$(cat $S/paging)"
}

phase forks "$2" ./forkmix -m "$mib" -j 1 -u "$2" -n 1
phase stream "$3" ./stream -m "$mib" -n "$3"
phase gups "$4" ./gups -m "$mib" -u 1000000 -n "$4"
# Programs that fill as much memory, look at it, and end.
phase fills "$5" ./forkmix -m 1 -j 1 -u "$5" -n 1 -p "$mib"
phase kv "$6" ./kv -m "$mib" -n "$6"
