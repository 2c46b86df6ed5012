#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# give_slots.sh free|reset MIB: the window's file has so much less when the guest's
# pages there are free, beside `in_place touch_give` in the guest; or when the guest is
# reset in the middle of that, beside give_reset.sh. Runs in the host, with QMP and
# SWAPFILE set.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

mib=$2
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

filled()
{
	wait_info.sh '^guest-word 0x1$' || exit
	before=$(used)
	[ "$before" -ge "$mib" ] || fail 'the pages are not in the file'
	ok 'the file has memory'
}

given()
{
	wait_for at_most $((before - mib + stays))
	ok 'the host has it back'
	symcall word 2
}

before=0
case $1 in
free)
	filled
	symcall word 1
	wait_info.sh '^guest-word 0x2$' || exit
	given
	;;
reset)
	wait_info.sh '^guest-word 0x4$' || exit
	symcall word 3
	filled
	expect 0 '' symcall qmp system_reset
	wait_info.sh '^guest-word 0x4$' || exit
	given
	;;
*)
	echo "usage: give_slots.sh free|reset MIB" >&2
	exit 2
	;;
esac
plan
