#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_mm.sh [-c] OPTIONS...: fuzz_mm with a swap device of each kind that this guest has:
# windows, zram, a swap file and, if it is swapped on, a disk; and a disk for direct I/O. Needs
# three zram devices. With -c the programs of the corpus come first. fuzz.py knows the devices
# by their order.

set -u
corpus=''
if [ "$1" = -c ]; then
	corpus=$(printf ' -f %s' fuzz_mm_corpus/*.prog)
	shift
fi
disk=$(sed -n '2s/ .*//p' /proc/swaps)
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
# emulator"). These steps make the kernel patch itself; guests there have this argument.
case $(cat /proc/cmdline) in
*noreplace-smp*) set -- "$@" -L lru_gen -L suspend ;;
esac
for window in /dev/symswap*; do
	set -- "$@" "$window"
done
set -- "$@" /dev/zram0 /mnt/swapfile
case $disk in
/dev/vd*) set -- "$@" "disk=$disk" ;;
esac
if [ -n "$corpus" ]; then
	# shellcheck disable=SC2086 # options
	./fuzz_mm -r $corpus "$@" || exit
fi
exec ./fuzz_mm "$@"
