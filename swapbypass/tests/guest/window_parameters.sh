#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# window_parameters.sh: the kernel's command line has nonsense for all of the window's
# parameters, which stay as they are without it.

# shellcheck source=/dev/null
. ./lib.sh

W=/sys/block/symswap0/symswap

check 'nonsense is there' grep -q symswap.mode=nonsense /proc/cmdline
check 'mode' grep -q '\[in-place\]' $W/mode
equal 'fault_around' "$(cat /sys/module/symswap/parameters/fault_around)" 128
equal 'touch_ahead' "$(cat /sys/module/symswap/parameters/touch_ahead)" 7
check 'first_touch' grep -q '\[auto\]' $W/first_touch
check 'limit' [ "$(cat $W/limit)" -lt 8192 ]
finish
