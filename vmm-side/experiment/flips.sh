#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flips.sh PAIRS: change the paging mode of a guest to shadow and back to nested, so often. It
# is the rig's host_cmd, with the argument set before.

for _ in $(seq "$1"); do
	for mode in shadow nested; do
		symcall paging $mode || exit
		sleep 0.7
	done
done
