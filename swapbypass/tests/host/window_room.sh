#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The file behind a swap window has no room left: beside `fill_window` in the guest.
# Runs in the host, with QMP and WORK set, and a second monitor at $WORK/qmp2. The
# file lies in /dev, whose file system can be made small.

set -u

log=$JOB/qemu.log
size=$(sed -n 's|^[^ ]* /dev devtmpfs [^ ]*size=\([0-9]*k\).*|\1|p' /proc/mounts)

room()
{
	mount -o "remount,size=$1" /dev || exit
}

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

show()
{
	room "$size"
	symcall qmp query-status
	symcall qmp cont
	cat "$log" "/run/event.err.$$"
}

status()
{
	symcall qmp query-status | grep -q "\"status\":\"$1\""
}

# errors N: so many were reported
errors()
{
	[ "$(grep -c 'the host has no memory for the guest .*file system is full' "$log")" = "$1" ]
}

# event NAME: wait for it from now on, and write down elsewhere than where no room is
event()
{
	rm -f "/run/event.$$" "/run/event.err.$$"
	symcall -q "$WORK/qmp2" -t 200 event "$1" >"/run/event.$$" 2>"/run/event.err.$$" &
	waiting=$!
	wait_for grep -q waiting "/run/event.err.$$"
}

wait_info.sh '^guest-word 0x1$' || exit
event SYMBIOTIC_MEMORY_ERROR
used=$(df -m /dev | awk 'NR == 2 { print $3 }')
room "$((used + 16))m"
symcall word 1
wait $waiting || fail 'no event'
room "$((used + 32))m"
for member in '"memory":"window"' '"offset":[1-9]' '"no-room":true'; do
	grep -q "$member" "/run/event.$$" || fail "event: $(cat "/run/event.$$")"
done
# The event comes last, so that whoever says "cont" on it is heard.
status io-error || fail 'an event, but not paused'
errors 1 || fail 'not one line'
ok 'paused'

# Some more, but not enough: the same again, each time somebody says "cont".
event SYMBIOTIC_MEMORY_ERROR
symcall qmp cont
wait $waiting || fail 'no second event'
status io-error || fail 'a second event, but not paused'
errors 2 || fail 'not two lines'
ok 'paused again'

room "$size"
symcall qmp cont
status running || fail 'does not go on'
errors 2 || fail 'more lines'
ok 'goes on'
plan
