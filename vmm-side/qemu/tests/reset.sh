#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Map SymSpy pages, reset the machine, and find nothing of them. In a guest
# with "nosymbiotic", two CPUs and SWAP=virtio-blk: a mark on the swap disk,
# which the reset spares, tells the second boot from the first.

for d in /sys/block/vd*; do
	[ "$(cat "$d/serial")" = swap ] && disk=/dev/${d##*/}
done
swapoff "$disk" || exit 2

if [ "$(dd if="$disk" bs=1M skip=100 count=1 2>/dev/null | head -c 6)" = MARKED ]; then
	echo "second boot"
	exec ./pages
fi
./pages leave || exit 1
printf MARKED | dd of="$disk" bs=1M seek=100 conv=notrunc 2>/dev/null
sync
echo b >/proc/sysrq-trigger
sleep 60
exit 2
