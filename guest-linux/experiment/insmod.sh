#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# insmod.sh ROUNDS: runs in the guest. When the host has loaded nvme.ko (module_times.sh), and
# nvme-core.ko is still there: what it takes to load the same file by insmod, and what the
# guest has said of the VMM's.

cd /files || exit
wc -c modules/nvme.ko
echo 2 >/sys/kernel/symbiotic/guest_word
# Seldom, so that looking is no part of what is measured. (The rig ends what takes too long.)
until grep -qsx 0x1 /sys/kernel/symbiotic/host_word; do
	sleep 2
done
i=0
while [ $i -lt "$1" ]; do
	./took insmod insmod modules/nvme.ko && rmmod nvme || exit
	i=$((i + 1))
done
dmesg | grep 'module nvme loaded, from the VMM'
