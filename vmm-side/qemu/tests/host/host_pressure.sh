#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# host_pressure.sh SECONDS: for so long the host takes memory from everybody, merges equal
# pages (KSM, which QEMU asks for) and makes huge ones of small ones; longer, a minute at most,
# if it has not come to take and merge any by then.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

KSM=/sys/kernel/mm/ksm HUGE=/sys/kernel/mm/transparent_hugepage/khugepaged
GROUP=/sys/fs/cgroup
saved=''

# tune FILE VALUE: until this ends
tune()
{
	saved="$1=$(cat "$1") $saved"
	echo "$2" >"$1"
}

leave()
{
	echo 2 >$KSM/run
	for s in $saved; do
		echo "${s#*=}" >"${s%%=*}"
	done
}

vmstat()
{
	sed -n "s/^$1 //p" /proc/vmstat
}

# The user's own host has memory, and swap, of its own.
[ "${LOCAL:-0}" != 1 ] || {
	skip 'pressure' 'not on this host'
	plan
	exit
}
host_swap.sh || exit
grep -q " $GROUP cgroup2 " /proc/mounts || mount -t cgroup2 cgroup2 $GROUP || exit
trap leave EXIT
tune $KSM/pages_to_scan 500
tune $KSM/sleep_millisecs 10
tune $KSM/run 1
tune $HUGE/scan_sleep_millisecs 10
tune $HUGE/max_ptes_swap 511

out=$(vmstat pswpout) huge=$(vmstat thp_collapse_alloc)
end=$(($(date +%s) + $1)) last=$(($(date +%s) + $1 + 60)) merged=0 taken=0 n=0
while now=$(date +%s) && [ "$now" -lt $last ]; do
	[ "$now" -lt $end ] || [ "$merged" = 0 ] || [ $taken = 0 ] || break
	n=$((n + 1))
	# As much as there is, or an error.
	echo "$((n % 4 * 4 + 1))M" 2>/dev/null >$GROUP/memory.reclaim
	[ "$merged" != 0 ] || merged=$(cat $KSM/pages_sharing)
	taken=$(($(vmstat pswpout) - out))
	sleep "0.$((n % 3 + 1))"
done
echo "# $(($(vmstat thp_collapse_alloc) - huge)) huge pages made"
check "the host has swapped $taken pages out" [ $taken -gt 0 ]
check "it has merged pages, $merged at first" [ "$merged" -gt 0 ]
plan
