#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# call_busy.sh COMMAND...: make 40 symcalls by the symcall tool's COMMAND to a
# guest that runs busy.sh. Status 0 if each of them worked.

trap 'symcall word 9' EXIT

wait_info.sh 'guest-word 0x1$' || exit
for _ in $(seq 1 40); do
	symcall "$@" || exit
done
