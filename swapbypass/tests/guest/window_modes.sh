#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# window_modes.sh ACTIVE: what mode auto makes of this machine, that the other
# modes can be had, and that bad settings are refused and change nothing.

# shellcheck source=/dev/null
. ./lib.sh

W=/sys/block/symswap0/symswap
P=/sys/module/symswap/parameters

mode()
{
	sed 's/.*\[\(.*\)\].*/\1/' $W/mode
}

# refused FILE VALUE
refused()
{
	before=$(cat "$1")
	check "$1 refuses '$2'" sh -c "! echo '$2' >$1 2>/dev/null"
	equal "$1 afterwards" "$(cat "$1")" "$before"
}

equal 'mode at first' "$(mode)" auto
equal 'active at first' "$(cat $W/active)" "$1"
for m in copy in-place; do
	check "write $m" sh -c "echo $m >$W/mode"
	equal "mode $m" "$(mode)" $m
	equal "active, $m" "$(cat $W/active)" $m
done
check 'write shadow-bypass' sh -c "echo shadow-bypass >$W/mode"
case $1 in
shadow-bypass) equal 'active, shadow-bypass' "$(cat $W/active)" shadow-bypass ;;
*) equal 'nobody bypasses' "$(cat $W/active)" copy ;;
esac
check 'write auto' sh -c "echo auto >$W/mode"
equal 'auto again' "$(cat $W/active)" "$1"

refused $W/mode nonsense
refused $W/mode ''
refused $W/limit -1
refused $W/limit many
refused $P/fault_around 3
refused $P/fault_around 1024
refused $P/fault_around 0

pages=$(cat $W/limit)
check 'a limit beyond the window' sh -c "echo $((pages * 2)) >$W/limit"
equal 'is the window' "$(cat $W/limit)" "$pages"
for f in active grant in_place; do
	check "$f is read-only" sh -c "! echo 1 >$W/$f 2>/dev/null"
done
for f in mode limit; do
	check "users cannot write $f" su -s /bin/sh nobody -c "! echo copy 2>/dev/null >$W/$f"
done

swapoff /dev/symswap0
equal 'active without swapon' "$(cat $W/active)" ''
check 'write in-place without swapon' sh -c "echo in-place >$W/mode"
swapon /dev/symswap0
equal 'active after swapon' "$(cat $W/active)" in-place
finish
