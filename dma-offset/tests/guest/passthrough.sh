#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# passthrough.sh WHAT...: drivers of passthrough devices work, and only with
# what the VMM has published.
#
#   state          the feature is agreed on, and acknowledged
#   edu            the teaching device moves memory to itself and back
#   edu-raw        the same without translation: it must not work
#   edu-outside    what must not be mapped is not
#   edu-no-ack     a guest that has acknowledged nothing: the device moves nothing
#   no-offset      nothing is acknowledged, nor need it be
#   rebind         drivers leave and come back
#   nvme           reads and writes; prints what L0 must find on the disk
#   nvme-fs        a file system on it, likewise
#   nvme-swap      memory pressure with the disk as swap space
#   not-in-place   a swap window is copied, as the disk reaches RAM alone
#   net            traffic both ways
#   hotplug        a device that comes while the guest runs
#   unplug         and goes, when the guest's word is 1
#   withdraw       features off and on again: bus mastering follows

# shellcheck source=/dev/null
. ./lib.sh

EDU=/sys/kernel/debug/symbiotic_edu
TMP=/dev/shm

# edu COMMAND: its result, or that of the kernel
edu()
{
	echo "$*" >$EDU 2>/dev/null
	cat $EDU
}

# pci DRIVER: the address of the device that a driver has
pci()
{
	for d in /sys/bus/pci/drivers/"$1"/0000:*; do
		[ -e "$d" ] && echo "${d##*/}"
	done
}

# digest FILE
digest()
{
	sha256sum "$1" | cut -d ' ' -f 1
}

# on_disk OFFSET_MIB MIB: the digest of what is there, past the page cache
on_disk()
{
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/nvme0n1 bs=1M skip="$1" count="$2" 2>/dev/null | sha256sum | cut -d ' ' -f 1
}

random()
{
	dd if=/dev/urandom of="$1" bs=1M count=4 2>/dev/null
}

t_state()
{
	check 'feature' grep -q dma-offset "$SYSFS/features"
	check 'acknowledged' sh -c "grep -q 'acknowledged 1' $SYSFS/dma"
	check 'a range' sh -c "grep -q '^range 0x0 size 0x40000000 offset' $SYSFS/dma"
	check 'a device' sh -c "grep -q '^device 0000:00:' $SYSFS/dma"
	check 'published map' sh -c "[ \$(( \$(cat $SYSFS/global_flags) & 1 )) = 1 ]"
}

t_edu()
{
	equal 'edu low' "$(edu check 3 0 20000000 | cut -d ' ' -f 1-5)" 'check 0 after 3 rounds'
	equal 'edu high' "$(edu check 3 20000000 40000000 | cut -d ' ' -f 1-5)" 'check 0 after 3 rounds'
	grep -w edu /proc/interrupts
}

t_edu_raw()
{
	result=$(edu check 1 20000000 40000000)
	echo "$result"
	check 'wrong data' sh -c "! echo '$result' | grep -q 'check 0 '"
}

t_edu_outside()
{
	equal 'outside' "$(edu outside 40000000)" 'outside 0 mapped'
	check 'said so' sh -c 'dmesg | grep -q "the VMM gives this device no access"'
	t_edu
}

t_edu_no_ack()
{
	equal 'no DMA' "$(edu check 1 20000000 40000000 | cut -d ' ' -f 1-2)" 'check -110'
}

t_no_offset()
{
	check 'not acknowledged' sh -c "! grep -qs 'acknowledged 1' $SYSFS/dma"
}

# rebind DRIVER ADDRESS
rebind()
{
	echo "$2" >/sys/bus/pci/drivers/"$1"/unbind
	check "$1 unbound" [ ! -e /sys/bus/pci/devices/"$2"/driver ]
	echo "$2" >/sys/bus/pci/drivers/"$1"/bind
	check "$1 bound" [ -e /sys/bus/pci/devices/"$2"/driver ]
}

t_rebind()
{
	for i in 1 2 3; do
		[ -n "$(pci edu)" ] && rebind edu "$(pci edu)" && t_edu
		[ -n "$(pci nvme)" ] && rebind nvme "$(pci nvme)" && wait_nvme
	done
	[ -z "$(pci nvme)" ] || t_nvme
}

wait_nvme()
{
	wait_for 100 [ -b /dev/nvme0n1 ]
	check 'disk' [ -b /dev/nvme0n1 ]
}

t_nvme()
{
	wait_nvme
	random $TMP/a
	a=$(digest $TMP/a)
	# Sequential, in large and in small pieces, past and through the cache.
	dd if=$TMP/a of=/dev/nvme0n1 bs=1M seek=0 oflag=direct 2>/dev/null
	dd if=$TMP/a of=/dev/nvme0n1 bs=4k seek=2048 oflag=direct 2>/dev/null
	dd if=$TMP/a of=/dev/nvme0n1 bs=1M seek=16 2>/dev/null
	# At random places, by several processes.
	for job in 0 1 2 3; do
		(
			i=0
			while [ $i -lt 16 ]; do
				block=$((i * 5 % 16 * 32 + job * 8))
				dd if=$TMP/a of=/dev/nvme0n1 bs=4k skip=$block seek=$((6144 + block)) \
					count=8 oflag=direct conv=notrunc 2>/dev/null
				i=$((i + 1))
			done
		) &
	done
	wait
	sync
	for at in 0 8 16; do
		equal "data at $at MiB" "$(on_disk "$at" 4)" "$a"
		echo "disk $at 4 $a"
	done
	dd if=/dev/nvme0n1 of=$TMP/b bs=4k skip=6144 count=512 iflag=direct 2>/dev/null
	equal 'random places' "$(digest $TMP/b)" "$(head -c 2097152 $TMP/a | sha256sum | cut -d ' ' -f 1)"
	echo "disk 24 2 $(digest $TMP/b)"
	rm $TMP/a $TMP/b
	grep nvme /proc/interrupts
}

t_nvme_fs()
{
	wait_nvme
	random $TMP/a
	a=$(digest $TMP/a)
	losetup -o $((32 << 20)) /dev/loop0 /dev/nvme0n1
	check 'mkfs' sh -c 'mke2fs /dev/loop0 16384 >/dev/null'
	mkdir -p /tmp/nvme
	check 'mount' mount -t ext2 /dev/loop0 /tmp/nvme
	for name in 1 2 3; do
		cp $TMP/a /tmp/nvme/$name
	done
	rm /tmp/nvme/2
	umount /tmp/nvme
	echo 3 >/proc/sys/vm/drop_caches
	check 'mount again' mount -t ext2 -o ro /dev/loop0 /tmp/nvme
	equal 'a file' "$(digest /tmp/nvme/1)" "$a"
	equal 'another' "$(digest /tmp/nvme/3)" "$a"
	umount /tmp/nvme
	losetup -d /dev/loop0
	sync
	echo "disk 32 16 $(on_disk 32 16)"
	rm $TMP/a
}

t_nvme_swap()
{
	wait_nvme
	mkswap /dev/nvme0n1 >/dev/null && check 'swapon' swapon /dev/nvme0n1
	subtest 'pressure' ./bypass_torture -b 0 -t 8 -m 90 -o 0
	check 'was used' sh -c "[ \$(awk '/^pswpout/ { print \$2 }' /proc/vmstat) -gt 1000 ]"
	swapoff /dev/nvme0n1
}

t_not_in_place()
{
	equal 'mode of the window' "$(cat /sys/block/symswap0/symswap/active)" copy
	check 'said so' sh -c "dmesg | grep -q 'no pages in place'"
}

t_net()
{
	ip link set lo up
	ip link set eth0 up
	ip addr add 10.0.2.15/24 dev eth0
	wait_for 200 grep -qsx 1 /sys/class/net/eth0/carrier
	check 'driver' sh -c 'ls -l /sys/class/net/eth0/device/driver | grep -q e1000e'
	check 'ping' ping -c 5 -W 5 10.0.2.2
	random $TMP/a
	a=$(digest $TMP/a)
	# What goes to port 7 comes back.
	nc 10.0.2.100 7 <$TMP/a >$TMP/b &
	wait_for 1200 sh -c "[ \$(stat -c %s $TMP/b) = 4194304 ]"
	kill %1 2>/dev/null
	equal 'echo of 4 MiB' "$(digest $TMP/b)" "$a"
	grep eth0 /proc/interrupts
}

t_hotplug()
{
	# What the driver makes last; the link in sysfs comes before its probe().
	wait_for 400 [ -e $EDU ]
	check 'came' [ -n "$(pci edu)" ]
	t_edu
}

edu_gone()
{
	[ -z "$(pci edu)" ]
}

t_unplug()
{
	echo 1 >"$SYSFS/guest_word"
	wait_for 400 edu_gone
	check 'went' edu_gone
}

t_withdraw()
{
	echo stop >"$DEBUG/control"
	check 'not acknowledged' sh -c "grep -q 'acknowledged 0' $SYSFS/dma"
	equal 'no DMA' "$(edu check 1 0 40000000 | cut -d ' ' -f 1)" check
	check 'failed' sh -c "! grep -q 'check 0 ' $EDU"
	echo start >"$DEBUG/control"
	check 'acknowledged' sh -c "grep -q 'acknowledged 1' $SYSFS/dma"
	t_edu
}

for what; do
	"t_$(echo "$what" | tr - _)"
done
finish
