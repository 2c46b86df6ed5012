#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# offline.sh: CPU 1 goes when the host's word is 1 and comes back when it is 2.

cpu1=/sys/devices/system/cpu/cpu1/online

./wait_host.sh 1
echo 0 >$cpu1 || exit
./wait_host.sh 2
echo 1 >$cpu1 || exit
./wait_host.sh 9
