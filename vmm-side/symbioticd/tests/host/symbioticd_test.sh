#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# symbioticd_test.sh: daemons that grant a guest a quarter of what it uses, and then more,
# beside `in_place host_grant` in the guest. Runs in the host, with QMP set.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

pages=64
dir=$(mktemp -d)
daemon=''
trap 'kill $daemon 2>/dev/null; rm -rf "$dir"' EXIT

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

show()
{
	symcall info
	cat "$dir/log"
}

# share PAGES
share()
{
	symbioticd -o "budget=$(($1 * 4))K" -o "control=$dir/control" -o "metrics=$dir/metrics" \
		"$QMP" >>"$dir/log" 2>&1 &
	daemon=$!
}

says()
{
	symbioticctl -s "$dir/control" "$@" 2>/dev/null
}

# shows PATTERN COMMAND...
shows()
{
	pattern=$1
	shift
	says "$@" | grep -q "$pattern"
}

stop()
{
	kill "$1" $daemon
	wait $daemon
}

wait_for is swap-in-place -ge $pages
share $((pages / 4))
wait_for is swap-grant -eq $((pages / 4))
ok 'a grant within the budget'
wait_for is swap-in-place -le $((pages / 4))
wait_for shows '/qmp *ok *64K ' status
wait_for shows '"grant":65536,' status --json
ok 'which the guest keeps to'
wait_for is swap-wanted -gt 0
wait_for grep -q '^symbioticd_guest_faults_without_grant_total{.*} [1-9]' "$dir/metrics"
ok 'it wants more'

stop -KILL
share $((pages / 4))
wait_for grep -q 'found with 64K' "$dir/log"
is swap-grant -eq $((pages / 4)) || fail 'another grant'
ok 'another daemon takes over'
stop -TERM
is swap-grant -eq $((pages / 4)) || fail 'another grant at its end'

# More than the window has: all of it.
share $((128 << 8))
wait_for is swap-grant -eq $((128 << 8))
ok 'a larger budget'
stop -TERM
plan
