#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# wake_up.sh TIMES: wait until the guest sleeps, and wake it up, so many times.

# state STATE: wait until the VM is in it
state()
{
	until symcall qmp query-status | grep -q "$1"; do
		sleep 0.2
	done
}

for _ in $(seq "$1"); do
	state suspended
	symcall qmp system_wakeup || exit
	state running
done
