#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# dma_reboot.sh reset|kexec|crash: the NVMe works, then the machine or only the
# kernel starts over, and the NVMe works again. A mark on its disk tells the
# boots apart.

how=$1
disk=/dev/nvme0n1
mark=$(dd if=$disk bs=1M skip=200 count=1 2>/dev/null | head -c 6)

./passthrough.sh state nvme || exit 1
if [ "$mark" = MARKED ]; then
	dd if=/dev/zero of=$disk bs=1M seek=200 count=1 oflag=direct 2>/dev/null
	echo "second boot"
	exit 0
fi
printf MARKED | dd of=$disk bs=1M seek=200 conv=notrunc 2>/dev/null
sync
case $how in
reset)
	echo b >/proc/sysrq-trigger
	;;
kexec)
	exec ./kexec.sh
	;;
crash)
	exec ./kexec.sh crash 0
	;;
*)
	echo "usage: dma_reboot.sh reset|kexec|crash" >&2
	exit 2
	;;
esac
sleep 60
exit 2
