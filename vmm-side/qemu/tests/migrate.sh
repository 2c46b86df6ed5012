#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Use what the VMM offers, step by step, while migrate_test.sh in the host tries
# to migrate the VM. In a guest with "nosymbiotic" and SWAP=virtio-blk: on that
# disk the host writes the number of the step. What is done is a result on stdout,
# where the host reads its name.

# shellcheck source=/dev/null
. ./ktap.sh

features=0x400000d0 global=0x400000d1
page=$((1 << 38))

for d in /sys/block/vd*; do
	[ "$(cat "$d/serial")" = swap ] && disk=/dev/${d##*/}
done

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

# write NAME STATUS MSR VALUE: the status that it should come to
write()
{
	./pages write 0 "$3" "$4"
	equal "$1" $? "$2"
}

check idle swapoff "$disk"
step 1
write accepted 0 $features 2
step 2
write withdrawn 0 $features 0
step 3
# A migration is under way, so nothing may begin that would be left behind.
write refused 1 $global $page
step 4
write mapped 0 $global $page
step 5
write unmapped 0 $global 0
step 6
plan
