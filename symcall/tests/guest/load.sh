#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# load.sh spin|exits|disk: keep two CPUs busy until the host's word is 9: in user mode; with
# exits to QEMU on both; or CPU 0 in user mode, where it holds no lock that CPU 1 could want,
# and CPU 1 with reads from the disk.

spin()
{
	while :; do
		:
	done
}

read_interrupts()
{
	while :; do
		cat /proc/interrupts
	done >/dev/null
}

# read_disk [COUNT]: again and again, so many blocks at a time. The disk stays open: its last
# close asks all CPUs to forget its buffers, and one in a symcall does not answer.
read_disk()
{
	exec 3</dev/vda
	while :; do
		dd if=/dev/vda of=/dev/null bs=4k ${1:+count="$1"} iflag=direct 2>/dev/null
	done
}

case $1 in
spin)
	spin & pids=$!
	spin & pids="$pids $!"
	;;
exits)
	read_interrupts & pids=$!
	read_disk 2000 & pids="$pids $!"
	;;
disk)
	taskset -p 1 $$ >/dev/null
	spin & pids=$!
	taskset -p 2 $$ >/dev/null
	read_disk & pids="$pids $!"
	;;
*)
	echo "usage: load.sh spin|exits|disk" >&2
	exit 2
	;;
esac
./wait_host.sh 9
# shellcheck disable=SC2086 # words wanted
kill $pids
