#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# offset.sh TIMES: runs in the guest. What a mapping takes with the offset and without, three
# times; then requests of the disk, to compare it with.

for _ in 1 2 3; do
	echo "cost $1" >/sys/kernel/debug/symbiotic_edu || exit
	cat /sys/kernel/debug/symbiotic_edu
done
exec ./ioload /dev/nvme0n1 0.3
