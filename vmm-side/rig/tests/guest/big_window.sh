#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# big_window.sh KIB: the swap window is larger than that, and can be used.

size=$(awk '/symswap0/ { print $3 }' /proc/swaps)
[ "${size:-0}" -gt "$1" ] || { cat /proc/swaps; exit 1; }
exec ./in_place use
