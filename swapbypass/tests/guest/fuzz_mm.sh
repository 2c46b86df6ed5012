#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm.sh [-c] [-N] [-G on|off] OPTIONS...: fuzz_mm with a swap device of each kind that this
# guest has: windows, zram, a swap file and a disk, if it is swapped on or called "spare"; and a
# disk for direct I/O. Needs three zram devices. With -c the programs of the corpus come first,
# with -N lies about what is left over, with -G MGLRU is that from the start. fuzz.py knows the
# devices by their order.

set -u
cpus=$(nproc)

# cpus 0|1: all but the first
cpus()
{
	i=1
	while [ "$i" -lt "$cpus" ]; do
		echo "$1" >"/sys/devices/system/cpu/cpu$i/online" || exit 2
		i=$((i + 1))
	done
}

# The kernel patches itself then, which no other CPU is to run into.
lru_gen()
{
	cpus 0
	echo "$1" >/sys/kernel/mm/lru_gen/enabled || exit 2
	cpus 1
}

corpus=''
if [ "$1" = -c ]; then
	corpus=$(printf ' -f %s' fuzz_mm_corpus/*.prog)
	shift
fi
lies=''
if [ "$1" = -N ]; then
	lies=y
	shift
fi
if [ "$1" = -G ]; then
	case $2 in
	on) lru_gen y ;;
	off) lru_gen n ;;
	esac
	shift 2
fi
disk=$(sed -n '2s/ .*//p' /proc/swaps)
for serial in /sys/block/vd*/serial; do
	if grep -q '^spare$' "$serial"; then
		disk=${serial%/serial}
		disk=/dev/${disk##*/}
	fi
done
echo 32M >/sys/block/zram1/disksize
echo 40M >/sys/block/zram2/disksize
mkdir -p /mnt
if ! { mke2fs -b 4096 /dev/zram2 >/dev/null && mount -t ext2 /dev/zram2 /mnt &&
	dd if=/dev/zero of=/mnt/swapfile bs=1M count=32 2>/dev/null; }; then
	echo 'fuzz_mm.sh: no file system for a swap file' >&2
	exit 2
fi
set -- "$@" -i /dev/zram1
# Emulated CPUs may go on with what was patched meanwhile (docs/design.md, "Faults of the
# emulator"). These steps make the kernel patch itself; guests there have this argument. One
# CPU alone does not meet it. Hibernation freezes nobody if there is a window.
windows=$(echo /dev/symswap*)
if [ "$cpus" != 1 ] && grep -q noreplace-smp /proc/cmdline; then
	set -- "$@" -L lru_gen -L suspend
	[ "$windows" != '/dev/symswap*' ] || set -- "$@" -L hibernate
fi
for window in $windows; do
	[ ! -e "$window" ] || set -- "$@" "$window"
done
set -- "$@" /dev/zram0 /mnt/swapfile
case $disk in
/dev/vd*) set -- "$@" "disk=$disk" ;;
esac
if [ -n "$corpus" ]; then
	# shellcheck disable=SC2086 # options
	./fuzz_mm -r $corpus "$@" || exit
fi
if [ -n "$lies" ]; then
	./fuzz_mm_lies.sh "$@" || exit
fi
exec ./fuzz_mm "$@"
