#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Use what the VMM offers, step by step, while migrate_test.sh in the host tries
# to migrate the VM. In a guest with "nosymbiotic" and SWAP=virtio-blk: on that
# disk the host writes the number of the step. What is done is said on stdout,
# where the host reads it.

features=0x400000d0 global=0x400000d1
page=$((1 << 38))

for d in /sys/block/vd*; do
	[ "$(cat "$d/serial")" = swap ] && disk=/dev/${d##*/}
done
swapoff "$disk" || exit 2

# step N: wait for the host, which writes 9 if it has failed
step()
{
	now=0
	until [ "$now" = "$1" ]; do
		sleep 0.2
		now=$(dd if="$disk" bs=4096 count=1 iflag=direct 2>/dev/null | head -c 1)
		[ "$now" != 9 ] || exit 1
	done
}

# write MSR VALUE, and what it should come to
write()
{
	./pages write 0 "$1" "$2"
	[ $? = "$3" ] || { echo "migrate: writing $2 to MSR $1: not status $3"; exit 1; }
}

echo idle
step 1
write $features 2 0
echo accepted
step 2
write $features 0 0
echo withdrawn
step 3
# A migration is under way, so nothing may begin that would be left behind.
write $global $page 1
echo refused
step 4
write $global $page 0
echo mapped
step 5
write $global 0 0
echo unmapped
step 6
echo "migrate: ok"
