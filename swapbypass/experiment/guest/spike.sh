#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# spike.sh STATE UNITS DATA PASSES: what each of the guests runs that need much memory in
# turns, as the host's spike.sh says by the port "host". Its first line there is the guest's
# number; 0 is one that has nothing to do. Then
#
#   job   a build: UNITS short processes of a parent with STATE MiB; and behind it a program
#         that fills DATA MiB, uses them in PASSES and ends. Answer:
#         "NUMBER job STATUS BEGIN BUILT END", the times by the guest's clock
#   end   answer: "NUMBER end OOM-KILLS STALL [COUNTER=N]...", the longest stall in seconds;
#         what still runs ends with the guest
#
# All data is checked by the programs.

state=$1 units=$2 data=$3 passes=$4

port=''
for d in /sys/class/virtio-ports/*; do
	[ "$(cat "$d/name")" = host ] && port=/dev/${d##*/}
done
exec 4<>"$port" || exit 1
read -r me <&4
if [ "$me" = 0 ]; then
	read -r _ <&4
	exit 0
fi

job()
{
	read -r begin _ </proc/uptime
	./forkmix -m "$state" -u "$units" -n 1 -V 1
	status=$?
	read -r built _ </proc/uptime
	if [ $status = 0 ]; then
		./stream -m "$data" -n "$passes" -c compressible -k triad -V 1
		status=$?
	fi
	read -r end _ </proc/uptime
	echo "$me job $status $begin $built $end" >&4
}

# What explains the rest, of the kernel and of the window if there is one.
counters()
{
	sed -n 's/^\(pswpin\|pswpout\|pgmajfault\|balloon_inflate\) /\1=/p' /proc/vmstat
	for f in touched_pages declined_touches declined_grant faults mapped_pages pushed_pages \
		migrated_pages lifted_pages in_place; do
		read -r n 2>/dev/null </sys/block/symswap0/symswap/$f && echo "$f=$n"
	done
}

# The shell and this are what a user has; they are not what is to be killed for a job.
echo -500 >/proc/self/oom_score_adj
./pulse >/dev/shm/pulse &
pulse=$!
while read -r order <&4; do
	case $order in
	job)
		{
			echo 0 >/proc/self/oom_score_adj
			job
		} &
		;;
	end)
		break
		;;
	esac
done
kill $pulse
wait $pulse
status=$?
stall=$(sed -n 's/.* longest_s=//p' /dev/shm/pulse)
kills=$(sed -n 's/^oom_kill //p' /proc/vmstat)
# shellcheck disable=SC2046 # a line of words
echo "$me end $kills $stall" $(counters) >&4
exit $status
