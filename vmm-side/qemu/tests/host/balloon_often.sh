#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# balloon_often.sh TIMES MIB LESS: the balloon takes memory of the guest, which has MIB, until
# that is LESS, and gives it back; so often, and each within 30 seconds.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# has MIB: that is what the guest has
has()
{
	symcall qmp query-balloon | grep -q "\"actual\": *$(($1 << 20))[^0-9]"
}

# becomes MIB
becomes()
{
	symcall qmp balloon "{\"value\":$(($1 << 20))}" >/dev/null || return
	n=0
	until has "$1"; do
		n=$((n + 1))
		[ $n -lt 150 ] || return 1
		sleep 0.2
	done
}

for time in $(seq "$1"); do
	check "$time: down to $3" becomes "$3"
	check "$time: up to $2" becomes "$2"
done
plan
