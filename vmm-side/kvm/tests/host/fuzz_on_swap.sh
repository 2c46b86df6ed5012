#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_on_swap.sh OPTIONS...: kvm_fuzz on a host that can swap, to compressed memory.

set -e
if [ ! -e /run/swapped ]; then
	echo 128M >/sys/block/zram0/disksize
	mkswap /dev/zram0 >/dev/null
	swapon /dev/zram0
	: >/run/swapped
fi
exec kvm_fuzz "$@"
