#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_set.sh MODE: a VM whose paging mode was MODE at first: query, set, event, and
# what cannot be. A second monitor is at $WORK/qmp2. The guest waits for the host's word
# and says in its own what it saw.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/paging_lib.sh
. paging_lib.sh

case $1 in
nested) other=shadow ;;
*) other=nested ;;
esac

# looks: it has looked at the vCPUs, within 10 seconds
looks()
{
	n=0
	until [ "$(paging auto-exits)" -gt 0 ]; do
		n=$((n + 1))
		[ $n -lt 50 ] || return 1
		sleep 0.2
	done
}

equal 'policy' "$(paging policy)" "$1"
equal 'mode' "$(paging mode)" "$1"
equal 'no change so far' "$(paging switches)" 0
check 'the guest sees that' wait_info.sh '^guest-word 0x1$'

listen
check 'set the other' symcall paging $other
check 'the event' event_is $other 1 QMP
equal 'it is' "$(paging mode)" $other
check 'set it again' symcall paging $other
equal 'which is no change' "$(paging switches)" 1
symcall word 2
check 'the guest follows' wait_info.sh '^guest-word 0x2$'

# Whoever does it: the guest, QEMU and its users hear of it.
listen
check 'by the file' sh -c "echo $1 >$KVMDIR/paging_mode"
check 'the event' event_is "$1" 2 'not by QEMU'
symcall word 3
check 'the guest follows' wait_info.sh '^guest-word 0x3$'

check 'no such mode' refused symcall paging direct
check 'nor the default' refused symcall paging default
check 'which says so' grep -q 'nested, shadow or auto' /run/refused
check 'the file knows none either' sh -c "! echo direct >$KVMDIR/paging_mode 2>/dev/null"
equal 'still' "$(paging mode) $(paging switches)" "$1 2"
# There is nothing to wait for, so it is done at once.
check 'waits if need be' symcall qmp x-set-paging "{\"policy\":\"$other\",\"wait\":true}"
equal 'no need' "$(paging mode) $(paging switches)" "$other 3"
check 'auto' symcall paging auto
check 'it looks' looks
check 'and says why' [ -n "$(paging auto-reason)" ]
# What an emulated processor has not got. Your own may have it.
if [ "${LOCAL:-0}" = 1 ]; then
	skip 'TLB misses' 'not on this host'
else
	equal 'TLB misses are not counted' "$(paging auto-tlb-counted)" false
fi
plan
