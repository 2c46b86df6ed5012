#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# swap_grant.sh: lower a guest's grant of pages in place, and raise it again,
# beside `in_place host_grant` in the guest. Runs in the host, with QMP set.

pages=64

# value NAME: of symcall info, as a decimal number
value()
{
	echo $(($(symcall info | sed -n "s/^$1 //p")))
}

# wait_for WHAT OPERATOR NUMBER: 60 seconds at the most
wait_for()
{
	n=0
	until test "$(value "$1")" "$2" "$3"; do
		n=$((n + 1))
		if [ $n -gt 600 ]; then
			echo "swap_grant: $1 is $(value "$1"), not $2 $3"
			exit 1
		fi
		sleep 0.1
	done
}

wait_for swap-in-place -ge $pages
symcall grant $((pages / 4)) || exit
# The ABI gives the guest a second; the emulated one gets more.
wait_for swap-in-place -le $((pages / 4))
wait_for swap-wanted -gt 0
# Nobody but the program has them.
wait_for swap-held -eq 0
# Seen by the guest, which then uses them all again.
symcall grant 0xffffffffffffffff || exit
echo 'swap_grant: ok'
