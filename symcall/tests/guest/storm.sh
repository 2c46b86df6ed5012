#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# storm.sh [MS]: two CPUs. One makes symcalls to itself without end, the other
# sends it NMIs and IPIs; none may arrive during a call, and none may be lost.

# shellcheck source=/dev/null
. ./lib.sh

[ -e /dev/cpu/1 ] || exit 2
ms=${1:-3000}
SELFTEST=0x180 STI=4 DELAY=6

for what in "0x100" "$SELFTEST $DELAY 2000" "$SELFTEST $STI 2000" "0x100 0 0 irqsoff"; do
	rm -f /tmp/stop
	(
		while [ ! -e /tmp/stop ]; do
			s=$(symcall 1 200 "$what")
			[ "$s" = 0 ] || echo "status $s" >>/tmp/bad
		done
	) &
	before=$(attr cpu1/calls)
	check "storm on calls $what" taskset -c 0 sh -c "echo $ms 1 >$DEBUG/storm"
	touch /tmp/stop
	wait
	# shellcheck disable=SC2046 # words wanted
	set -- $(cat "$DEBUG/storm")
	echo "# $* during $(($(attr cpu1/calls) - before)) calls"
	check 'NMIs came' [ "$2" -gt 0 ]
	check 'IPIs came' [ "$4" -gt 0 ]
	equal 'none during a call' "$6" 0
	equal 'none looked like an abort' "$(attr cpu1/aborts)" 0
	check 'calls were made' [ $(($(attr cpu1/calls) - before)) -gt 0 ]
done
check 'all calls succeeded' [ ! -e /tmp/bad ]
[ ! -e /tmp/bad ] || sort /tmp/bad | uniq -c
all_cpus_work
finish
