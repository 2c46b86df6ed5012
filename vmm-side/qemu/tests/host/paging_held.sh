#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_held.sh: a guest that could run guests of its own (paging_holds.sh) holds its VM in
# nested paging: what is refused meanwhile, how; what waits, and comes. A second monitor is at
# $WORK/qmp2.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/paging_lib.sh
. paging_lib.sh

# is MODE SWITCHES PENDING FILE: so QEMU says, and the file
is()
{
	equal 'QEMU says' "$(paging mode) $(paging switches) $(paging pending)" "$1 $2 $3"
	equal 'KVM, too' "$(cat "$KVMDIR/paging_mode")" "$4"
}

# go WORD: the guest goes on to that
go()
{
	symcall word "$1"
	check "the guest: $1" wait_info.sh "^guest-word 0x$1$"
}

check 'the guest has begun' wait_info.sh '^guest-word 0x[19]$'
if symcall info | grep -q '^guest-word 0x9$'; then
	skip 'held' 'no guests in guests here'
	plan
	exit
fi

check 'refused' refused symcall paging shadow
check 'says why' grep -q 'KVM cannot change the paging mode now: Device or resource busy' /run/refused
check 'by the file as well' sh -c "! echo shadow >$KVMDIR/paging_mode 2>/dev/null"
is nested 0 false nested

check 'waits if it is told to' symcall qmp x-set-paging '{"policy":"shadow","wait":true}'
is nested 0 true 'nested (shadow pending)'
listen
go 2
check 'it comes when the guest lets go' event_is shadow 1 QMP
is shadow 1 false shadow

listen
go 3
check 'and goes when it does not' event_is nested 2 'not by QEMU'
is nested 2 true 'nested (shadow pending)'
check 'refused' refused symcall paging shadow
check 'not wanted any more' symcall paging nested
is nested 2 false nested
go 4
is nested 2 false nested
plan
