#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_holds.sh: the guest's half of paging_held.sh. It says by its word what it has done:
# 1 and 3, switched on what lets it run guests (EFER.SVME); 2 and 4, off; 9, it cannot.

W=/sys/kernel/symbiotic/guest_word

if ! grep -qw svm /proc/cpuinfo; then
	echo 9 >$W
	exit
fi
./efer_svme 1 && echo 1 >$W || exit 1
./wait_host.sh 2
./efer_svme 0 && echo 2 >$W || exit 1
./wait_host.sh 3
./efer_svme 1 && echo 3 >$W || exit 1
./wait_host.sh 4
./efer_svme 0 && echo 4 >$W
