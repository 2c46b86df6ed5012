#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# give_back.sh grant PAGES | balloon BYTES | exit MIB | spike MIB | dimm: how long the
# guest needs to give memory back, and with a DIMM also to get it. Runs in the host beside
# a guest that writes 1 to its word when it is ready, with QMP set; what it does is
# the rig's host_cmd, with the arguments set before. Afterwards the host's word is
# 1. Prints lines "WHAT SECONDS", by the host's clock. With 0 MIB a spike is none of a
# window's, and nothing is printed.

limit=60

# until_ok COMMAND...: $limit seconds at the most
until_ok()
{
	read -r start _ </proc/uptime
	until "$@"; do
		read -r now _ </proc/uptime
		if [ "${now%.*}" -gt $((${start%.*} + limit)) ]; then
			echo "give_back: not in $limit s: $*"
			exit 1
		fi
	done
}

word()
{
	symcall info | grep -q "^guest-word $1\$"
}

in_place()
{
	[ "$(($(symcall info | sed -n 's/^swap-in-place //p')))" -le "$1" ]
}

balloon()
{
	[ "$(symcall qmp query-balloon | tr -dc '0-9')" -le "$1" ]
}

# kib: of the host's memory, behind the window
kib()
{
	du -k "$SWAPFILE" | sed 's/[^0-9].*//'
}

kib_at_most()
{
	[ "$(kib)" -le "$1" ]
}

no_dimm()
{
	symcall qmp query-memory-devices | grep -q '^\[ *\]$'
}

# timed NAME COMMAND...: until the command is true
timed()
{
	name=$1
	shift
	read -r from _ </proc/uptime
	until_ok "$@"
	read -r to _ </proc/uptime
	echo "$name $(awk "BEGIN { print $to - $from }")"
}

# Looks whether the guest's program has ended, $before the last look at which it had not; and
# how much the window has at the most.
ended()
{
	before=$looked
	read -r looked _ </proc/uptime
	now=$(kib)
	[ "$now" -le "$most" ] || most=$now
	word 0x2 || { sleep 0.1; false; }
}

spike()
{
	[ "$1" != 0 ] || SWAPFILE=/dev/null
	rest=$(kib) most=0 looked=0 limit=150
	symcall word 2
	until_ok ended
	[ "$1" != 0 ] || return
	if [ $((most - rest)) -lt $(($1 * 512)) ]; then
		echo "give_back: the window had $most KiB, and $rest before"
		exit 1
	fi
	until_ok kib_at_most $((rest + (most - rest) / 10))
	read -r back _ </proc/uptime
	echo "spike $(awk "BEGIN { print $back - $before }")"
}

until_ok word 0x1
case $1 in
spike)
	spike "$2"
	;;
grant)
	symcall grant "$2" || exit
	timed grant in_place "$2"
	;;
balloon)
	symcall qmp balloon "{\"value\":$2}" >/dev/null || exit
	timed balloon balloon "$2"
	;;
exit)
	less=$(($2 * 1024 * 3 / 4))
	left=$(($(kib) - less))
	if [ $left -lt 0 ]; then
		echo "give_back: $(kib) KiB in use, for a process of $2 MiB"
		exit 1
	fi
	# From here on it is being killed.
	symcall word 2
	timed exit kib_at_most $left
	;;
dimm)
	symcall qmp device_del '{"id":"swap"}' >/dev/null || exit
	timed dimm-back no_dimm
	symcall word 2
	until_ok word 0x3
	symcall qmp device_add '{"driver":"pc-dimm","memdev":"mem","id":"swap"}' >/dev/null || exit
	# The guest says 3 when it has seen it go, 2 when it has it again.
	timed dimm word 0x2
	;;
esac
symcall word 1
