#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# give_slots.sh MIB: the window's file has so much less when the guest's pages there
# are free, beside `in_place touch_give` in the guest. Runs in the host, with QMP and
# SWAPFILE set.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

mib=$1
# Clusters that a CPU has slots of, and the next one to be used, stay.
stays=12

# MiB of the host's memory behind the window
used()
{
	du -k "$SWAPFILE" | awk '{ print int($1 / 1024) }'
}

at_most()
{
	test "$(used)" -le "$1"
}

show()
{
	symcall info
	echo "$(used) MiB in use, $before before"
}

before=0
wait_info.sh '^guest-word 0x1$' || exit
before=$(used)
[ "$before" -ge "$mib" ] || fail 'the pages are not in the file'
ok 'the file has memory'
symcall word 1
wait_info.sh '^guest-word 0x2$' || exit
wait_for at_most $((before - mib + stays))
ok 'the host has it back'
symcall word 2
plan
