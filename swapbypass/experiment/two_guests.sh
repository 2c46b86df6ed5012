#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two_guests.sh POLICY PAGES LIMIT SECONDS: two guests whose swap windows share
# memory of the host, each busy when the other one rests. It is the rig's host_cmd,
# with the arguments set before; the second guest is another one like the rig's.
#
#   POLICY   daemon: swapd.sh shares PAGES out; halves: each guest has half of
#            them for good; all: each may use all of its window
#   LIMIT    MiB of host memory for both windows, or 0; beyond it the host swaps
#   SECONDS  of each of the four phases
#
# The guests' command sees the host's word: 0 wait, 1 work, 2 rest, 3 end, and
# writes 1 to the guest's when it has begun to work. Prints at the end of each
# phase "phase N in-place A B", and what the second guest's command has printed.

policy=$1 pages=$2 limit=$3 seconds=$4
first=${QMP%/qmp} second=${QMP%/qmp}.second
daemon=''

fail()
{
	echo "two_guests: $*"
	exit 1
}

leave()
{
	[ -z "$daemon" ] || kill $daemon
	[ ! -e "$second/pid" ] || kill "$(cat "$second/pid")"
	wait
	[ ! -d /sys/fs/cgroup/windows ] || {
		echo "host swap-ins $(sed -n 's/^pswpin //p' /proc/vmstat)"
		swapoff -a
		rm -f "$swapfile"
	}
	rm -rf "$second"
}

word()
{
	symcall -q "$1/qmp" word "$2" || fail "no answer from $1"
}

in_place()
{
	echo $(($(symcall -q "$1/qmp" info | sed -n 's/^swap-in-place //p')))
}

# What the windows take from now on is limited; the host's own swap is a disk.
if [ "$limit" != 0 ]; then
	mkdir -p /disk
	mountpoint -q /disk || mount -t ext2 /dev/vda /disk || fail 'no disk'
	swapfile=/disk/host-swap
	dd if=/dev/zero of=$swapfile bs=1M count=512 2>/dev/null
	mkswap $swapfile >/dev/null
	swapon $swapfile || fail 'no swap in the host'
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || fail 'no cgroups'
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/windows
	cat "$first/pid" >/sys/fs/cgroup/windows/cgroup.procs
fi

mkdir "$second"
cp "$first/initrd" "$second" || fail 'no second guest'
mkfifo "$second/ctl.in" "$second/ctl.out"
exec 8<>"$second/ctl.out" 9<>"$second/ctl.in"
(
	WORK=$second SWAPFILE=$second/swap busybox sh "$JOB/qemu.cmd" >"$second/log" 2>&1 8>&- 9>&-
	echo gone >&8
) &
trap leave EXIT
read -r verb rest <&8
[ "$verb" = ready ] || fail "the second guest: $verb $rest $(cat "$second/log")"
if [ "$limit" != 0 ]; then
	cat "$second/pid" >/sys/fs/cgroup/windows/cgroup.procs
	echo "${limit}M" >/sys/fs/cgroup/windows/memory.max || fail 'no limit'
fi
echo go >&9

case $policy in
daemon)
	swapd.sh "$pages" "$first/qmp" "$second/qmp" &
	daemon=$!
	;;
halves)
	for guest in "$first" "$second"; do
		symcall -q "$guest/qmp" grant $((pages / 2)) || fail 'no grant'
	done
	;;
esac

# Both begin, one after the other.
for guest in "$first" "$second"; do
	word "$guest" 1
	until symcall -q "$guest/qmp" info | grep -q '^guest-word 0x1$'; do sleep 0.5; done
	word "$guest" 2
done
for phase in 1 2 3 4; do
	busy=$first idle=$second
	[ $((phase % 2)) = 1 ] || busy=$second idle=$first
	word "$idle" 2
	word "$busy" 1
	sleep "$seconds"
	echo "phase $phase in-place $(in_place "$first") $(in_place "$second")"
done
word "$second" 3
read -r verb rest <&8
[ "$verb $rest" = 'exit 0' ] || fail "the second guest: $verb $rest $(cat "$second/err")"
cat "$second/out"
echo bye >&9
word "$first" 3
