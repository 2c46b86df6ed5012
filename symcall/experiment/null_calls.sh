#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# null_calls.sh ROUNDS CALLS: runs in the guest. Loops of hypercalls and of symcalls that do
# nothing, in turns; a line for each.

rounds=$1 calls=$2
cd /sys/kernel/debug/symbiotic || exit
while [ "$rounds" -gt 0 ]; do
	for kind in hypercall symcall; do
		echo "$calls" >$kind || exit
		echo "$kind $(cat $kind)"
	done
	rounds=$((rounds - 1))
done
