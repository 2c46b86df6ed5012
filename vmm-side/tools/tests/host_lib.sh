#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# For test scripts in the host of a guest, to be read by "." from the PATH. They
# define show(), which prints what may explain a failure.

fail()
{
	echo "FAIL: $*"
	show
	exit 1
}

# eject VCPU: as a guest does that has seen to its unplugging, by the registers of
# QEMU's PIIX4 for it; the first write turns to them from older ones
eject()
{
	for line in 'o/b 0xaf00 0' "o/w 0xaf00 $1" 'o/b 0xaf04 8'; do
		symcall qmp human-monitor-command "{\"command-line\":\"$line\"}" >/dev/null || fail "$line"
	done
}

# wait_for COMMAND...: until it succeeds, a minute at most
wait_for()
{
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 300 ] || fail "waited in vain: $*"
		sleep 0.2
	done
}
