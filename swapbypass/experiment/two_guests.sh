#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two_guests.sh POLICY PAGES LIMIT SECONDS: two guests whose swap windows share
# memory of the host, each busy when the other one rests. It is the rig's host_cmd,
# with the arguments set before; the second guest is another one like the rig's.
#
#   POLICY   daemon: symbioticd shares PAGES out; halves: each guest has half of
#            them for good; all: each may use all of its window
#   LIMIT    MiB of host memory for both windows, beyond which the host swaps
#   SECONDS  of each of the four turns
#
# The guests' command sees the host's word: 0 wait, 1 work, 2 rest, 3 end, and
# writes 1 to the guest's when it has begun to work; nothing before the first 1,
# as what it takes by then counts for no limit. Prints for each turn
# "turn N in-place A B swap-ins S", of the host's own swapping, and at the end
# what the second guest's command has printed.

policy=$1 pages=$2 limit=$3 seconds=$4
first=${QMP%/qmp} second=${QMP%/qmp}.second
group=/sys/fs/cgroup/windows swapfile=/disk/host-swap
daemon=''

fail()
{
	echo "two_guests: $*"
	exit 1
}

# The next job finds the host as this one has.
leave()
{
	[ -z "$daemon" ] || kill $daemon
	[ ! -e "$second/pid" ] || kill "$(cat "$second/pid")"
	wait
	rm -rf "$second"
	if [ -d $group ]; then
		while read -r pid; do
			echo "$pid" >/sys/fs/cgroup/cgroup.procs
		done <$group/cgroup.procs
		echo max >$group/memory.max
		swapoff $swapfile
		rmdir $group
	fi
	rm -f $swapfile
}

mounted()
{
	grep -q "^[^ ]* $1 " /proc/mounts
}

word()
{
	symcall -q "$1/qmp" word "$2" || fail "no answer from $1"
}

in_place()
{
	echo $(($(symcall -q "$1/qmp" info | sed -n 's/^swap-in-place //p')))
}

swap_ins()
{
	sed -n 's/^pswpin //p' /proc/vmstat
}

# The host's own swap is a disk, and the host an emulated one.
[ "${LOCAL:-0}" != 1 ] || fail 'this would change what this host swaps to'
mkdir -p /disk
mounted /disk || mount -t ext2 /dev/vda /disk || fail 'no disk'
trap leave EXIT
dd if=/dev/zero of=$swapfile bs=1M count=512 2>/dev/null
mkswap $swapfile >/dev/null
swapon $swapfile || fail 'no swap in the host'
mounted /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || fail 'no cgroups'
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group

mkdir "$second"
cp "$first/initrd" "$second" || fail 'no second guest'
# shellcheck disable=SC2086 # a list
(cd "$second" && mkfifo $PIPES)
exec 8<>"$second/ctl.out" 9<>"$second/ctl.in"
(
	WORK=$second SWAPFILE=$second/swap busybox sh "$JOB/qemu.cmd" >"$second/log" 2>&1 8>&- 9>&-
	echo gone >&8
) &
read -r verb rest <&8
[ "$verb" = ready ] || fail "the second guest: $verb $rest $(cat "$second/log")"

# What the windows take from now on is limited.
for guest in "$first" "$second"; do
	cat "$guest/pid" >$group/cgroup.procs
done
echo "${limit}M" >$group/memory.max || fail 'no limit'
echo go >&9

case $policy in
daemon)
	symbioticd -o "budget=$((pages * 4))K" "$first/qmp" "$second/qmp" &
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
for turn in 1 2 3 4; do
	busy=$first idle=$second
	[ $((turn % 2)) = 1 ] || busy=$second idle=$first
	before=$(swap_ins)
	word "$idle" 2
	word "$busy" 1
	sleep "$seconds"
	echo "turn $turn in-place $(in_place "$first") $(in_place "$second")" \
		"swap-ins $(($(swap_ins) - before))"
done
word "$second" 3
read -r verb rest <&8
[ "$verb $rest" = 'exit 0' ] || fail "the second guest: $verb $rest $(cat "$second/err")"
cat "$second/out"
echo bye >&9
word "$first" 3
