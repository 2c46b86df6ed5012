#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_wish.sh MODE: the VM comes to have that mode by its guest's wish, within 8 seconds.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# says LINE: it is what QEMU says, soon
says()
{
	n=0
	until symcall paging | grep -qx "$1"; do
		n=$((n + 1))
		[ $n -lt 40 ] || return 1
		sleep 0.2
	done
}

check "mode $1" says "mode $1"
check 'by wish' says "auto-reason the guest's wish"
symcall paging | sed 's/^/# /'
plan
