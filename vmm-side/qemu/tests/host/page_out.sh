#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# page_out.sh MIB: what the guest has of this in its window and does not use leaves the host's
# memory when QEMU is asked, and comes back; beside `at_rest MIB` in the guest. Runs in the
# host, with QMP and SWAPFILE set; the file lies on tmpfs, so it goes to the host's swap.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

kib=$(($1 * 1024)) before=0

show()
{
	symcall qmp x-symbiotic-page-out '{"pages":0}'
	echo "$(resident "$SWAPFILE") KiB are in memory, $before before"
}

# An eighth of the window for each command, and a second time around, as at first all is used.
went()
{
	symcall qmp x-symbiotic-page-out '{"pages":100000}' >/dev/null || fail 'no page-out'
	[ "$(resident "$SWAPFILE")" -le $((before - kib * 9 / 10)) ]
}

host_swap.sh || fail 'no swap in the host'
wait_info.sh '^guest-word 0x1$' || exit
before=$(resident "$SWAPFILE")
[ "$before" -ge $((kib * 9 / 10)) ] || fail 'the pages are not in the window'
ok 'the window is in memory'
wait_for went
ok 'what nobody uses is not any more'
symcall word 1 || fail 'word'
plan
