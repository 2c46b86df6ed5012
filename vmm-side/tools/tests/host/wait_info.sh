#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# wait_info.sh PATTERN: wait until a line of `symcall info` is like that, on the
# host of a running guest ($QMP names QEMU's socket). Status 1 and the whole
# text if it does not come for a minute or two.

n=0
until symcall info | grep -q -- "$1"; do
	n=$((n + 1))
	if [ $n -gt 300 ]; then
		echo "# no /$1/ in time"
		symcall info
		exit 1
	fi
	sleep 0.2
done
