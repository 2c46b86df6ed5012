#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# true_numbers.sh: what the guest's files say of a process whose data is in the window, in
# place and pushed out: the statements of docs/userspace.md, "What the numbers say". Needs
# psi=1.

# shellcheck source=/dev/null
. ./lib.sh

W=/sys/block/symswap0/symswap
G=/sys/fs/cgroup/true-numbers
DATA=$((24 << 10))	# KiB

# What the rest of the machine does meanwhile is less; and counters of CPUs are added up
# now and then.
near()
{
	difference=$(($1 - $2))
	[ ${difference#-} -le 4096 ]
}

# meminfo NAME: KiB
meminfo()
{
	sed -n "s/^$1: *\([0-9]*\) .*/\1/p" /proc/meminfo
}

# process NAME: of the store, KiB
process()
{
	sed -n "s/^$1:[ 	]*\([0-9]*\) .*/\1/p" "/proc/$store/status"
}

# group FILE: KiB
group()
{
	echo $(($(cat "$G/$1") >> 10))
}

group_anon()
{
	echo $(($(sed -n 's/^anon //p' $G/memory.stat) >> 10))
}

stalled()
{
	sed -n 's/.*total=//p' /proc/pressure/memory | tr '\n' ' '
}

swap_events()
{
	grep -E '^(pswpin|pswpout) ' /proc/vmstat | tr '\n' ' '
}

in_place()
{
	echo $(($(cat $W/in_place) * 4))
}

filled()
{
	[ "$(process VmRSS)" -ge $DATA ]
}

freed()
{
	near "$(meminfo SwapFree)" "$swap_free"
}

mkdir -p /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $G
limit=$(cat $W/limit)
available=$(meminfo MemAvailable) swap_free=$(meminfo SwapFree) anon=$(meminfo AnonPages)
total=$(meminfo MemTotal) before=$(in_place) psi=$(stalled) swapped=$(swap_events)

echo always >$W/first_touch
sh -c "echo 0 >$G/cgroup.procs; exec ./kv -m $((DATA >> 10)) -n 1000 -u 1000000" >/dev/null &
store=$!
wait_for 600 filled
kill -STOP $store
check 'the data is in place' near $(($(in_place) - before)) $DATA
equal 'MemTotal is without the window' "$(meminfo MemTotal)" "$total"
check 'MemAvailable is as it was' near "$(meminfo MemAvailable)" "$available"
check 'SwapFree is less by the data' near $((swap_free - $(meminfo SwapFree))) $DATA
check 'AnonPages has it' near $(($(meminfo AnonPages) - anon)) $DATA
check 'RSS has it' near "$(process VmRSS)" $DATA
check 'VmSwap has not' near "$(process VmSwap)" 0
check 'memory.current has not' near "$(group memory.current)" 0
check 'nor has anon of memory.stat' near "$(group_anon)" 0
check 'memory.swap.current has it' near "$(group memory.swap.current)" $DATA
equal 'nobody has waited for memory' "$(stalled)" "$psi"
equal 'nothing was copied' "$(swap_events)" "$swapped"

# Else what is hot would move to memory, of which there is enough.
echo off >$W/first_touch
echo 0 >$W/limit
check 'it is pushed out' near "$(in_place)" 0
check 'pushed out: MemAvailable is as it was' near "$(meminfo MemAvailable)" "$available"
check 'pushed out: SwapFree is less' near $((swap_free - $(meminfo SwapFree))) $DATA
check 'pushed out: AnonPages has it no more' near "$(meminfo AnonPages)" "$anon"
check 'pushed out: nor has RSS' near "$(process VmRSS)" 0
check 'pushed out: VmSwap has it' near "$(process VmSwap)" $DATA
check 'pushed out: so has memory.swap.current' near "$(group memory.swap.current)" $DATA

echo "$limit" >$W/limit
kill -KILL $store
wait $store
wait_for 100 freed
check 'SwapFree is as it was' freed
rmdir $G
finish
