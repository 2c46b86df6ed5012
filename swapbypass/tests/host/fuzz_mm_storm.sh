#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm_storm.sh SEED SECONDS: what a host does to a guest meanwhile, which must not be
# able to tell: grants of the window, modes of the bypass, symcalls, pauses; its memory, the
# window's too, is swapped out or moved. Ends when the guest says so in its word, or after
# that time. Runs in the host, with QMP and KVMDIR set.

set -u
seed=$1 end=$(($(date +%s) + $2)) steps=0

# pick N: a number below it, into $picked; the same ones for the same seed
pick()
{
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	picked=$((seed / 65536 % $1))
}

# The window's file and the guest's memory go where the host swaps to, oldest pages first.
squeeze()
{
	echo "$1" >/sys/fs/cgroup/memory.reclaim 2>/dev/null
}

host_swap.sh || exit
grep -q ' /sys/fs/cgroup cgroup2 ' /proc/mounts || mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
[ -e /sys/fs/cgroup/memory.reclaim ] || { echo 'storm: no memory.reclaim' >&2; exit 1; }

while [ "$(date +%s)" -lt "$end" ]; do
	symcall info | grep -q '^guest-word 0x57$' && break
	pick 10
	case $picked in
	0) symcall grant 0 ;;
	1) symcall grant 64 ;;
	2) symcall grant 512 ;;
	3 | 4) symcall grant 0xffffffffffffffff ;;
	5)
		[ -e "$KVMDIR/bypass_mode" ] && pick 4 &&
			echo "$(set -- off always adaptive always; shift "$picked"; echo "$1")" \
				>"$KVMDIR/bypass_mode"
		;;
	6)
		for _ in 1 2 3 4 5; do
			symcall ping >/dev/null
		done
		;;
	7)
		symcall qmp stop >/dev/null
		symcall qmp cont >/dev/null
		;;
	8)
		pick 3
		squeeze "$(set -- 2M 8M 32M; shift "$picked"; echo "$1")"
		;;
	9) echo 1 >/proc/sys/vm/compact_memory ;;
	esac
	steps=$((steps + 1))
	pick 3
	sleep "0.$picked"
done
symcall qmp cont >/dev/null
symcall grant 0xffffffffffffffff
echo "storm: $steps steps"
