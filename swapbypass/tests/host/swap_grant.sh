#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# swap_grant.sh: lower a guest's grant of pages in place, and raise it again,
# beside `in_place host_grant` in the guest. Runs in the host, with QMP set.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

pages=64

# value NAME: of symcall info, as a decimal number
value()
{
	echo $(($(symcall info | sed -n "s/^$1 //p")))
}

# is WHAT OPERATOR NUMBER
is()
{
	test "$(value "$1")" "$2" "$3"
}

wait_for is swap-in-place -ge $pages
ok 'a full grant is used'
symcall grant $((pages / 4)) || fail 'grant'
# The ABI gives the guest a second; the emulated one gets more.
wait_for is swap-in-place -le $((pages / 4))
wait_for is swap-wanted -gt 0
# Nobody but the program has them.
wait_for is swap-held -eq 0
# Seen by the guest, which then uses them all again.
ok 'a lower one is kept to'
symcall grant 0xffffffffffffffff || fail 'grant'
plan
