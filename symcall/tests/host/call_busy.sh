#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# call_busy.sh COMMAND...: make 40 symcalls by the symcall tool's COMMAND to a
# guest that runs busy.sh. Status 0 if each of them worked.

trap 'symcall word 9' EXIT

n=0
until symcall info | grep -q 'guest-word 0x1$'; do
	n=$((n + 1))
	[ $n -gt 300 ] && echo "FAIL: the guest does not start" && exit 1
	sleep 0.2
done
for _ in $(seq 1 40); do
	symcall "$@" || exit
done
