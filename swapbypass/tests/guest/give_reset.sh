#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# give_reset.sh: the guest's part of `give_slots.sh reset`. When the host says 3 it fills
# a part of the window, in the middle of which it is reset; when it says 2, that was all.

W=/sys/kernel/symbiotic

told()
{
	[ "$(cat "$W/host_word")" != 0x0 ]
}

echo 4 >"$W/guest_word"
# Two minutes. No results here: they would be half of a report.
n=1200
until told || [ $n = 0 ]; do
	n=$((n - 1))
	sleep 0.1
done
[ "$(cat "$W/host_word")" != 0x2 ] || exit 0
./in_place touch_give >/dev/null
exit 1
