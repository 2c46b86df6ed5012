#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# wait_host.sh N: wait until the host has written N (1 to 9) to its word of the
# global SymSpy page.

until [ "$(cat /sys/kernel/symbiotic/host_word)" = "0x$1" ]; do
	sleep 0.2
done
