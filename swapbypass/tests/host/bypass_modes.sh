#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bypass_modes.sh: switch SwapBypass's modes of a running guest, on its host.
# $KVMDIR is the VM's directory in debugfs, $QMP QEMU's socket; the guest runs
# bypass_modes, which makes one step per number in the host's word. The VM
# starts in adaptive mode.

set -u
mode=$KVMDIR/bypass_mode
trap 'symcall word 9' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

show()
{
	echo "mode $(cat "$mode"), $(symcall info | grep word)"
}

# wait_mode MODE: as KVM shows it
wait_mode()
{
	n=0
	until [ "$(cat "$mode")" = "$1" ]; do
		n=$((n + 1))
		[ $n -gt 300 ] && fail "no mode '$1'"
		sleep 0.2
	done
	ok "mode $1"
}

# step N: let the guest make a step
step()
{
	symcall word "$1"
	wait_info.sh "guest-word 0x\($1\|bad\)\$" || fail "no answer to step $1"
	symcall info | grep -q "guest-word 0x$1\$" || fail "step $1"
	ok "step $1"
}

stat()
{
	cat "$KVMDIR/$1"
}

wait_mode 'adaptive (off)'
step 1
[ "$(stat bypass_maps)" = 0 ] || fail 'mapped although off'
step 2
# Shown by the statistics too, as tools like kvm_stat read them.
[ "$(stat bypass_pages)" -gt 500 ] || fail "only $(stat bypass_pages) pages"
# Ten seconds without swap faults.
wait_mode 'adaptive (off)'
step 3

for bad in nonsense '' adaptive-ish alwaysalwaysalwaysalways; do
	if echo "$bad" 2>/dev/null >"$mode"; then
		fail "'$bad' is taken"
	fi
done
wait_mode 'adaptive (off)'

echo off >"$mode" || fail 'cannot switch off'
wait_mode off
[ "$(stat bypass_pages)" = 0 ] || fail 'mappings are left'
[ "$(stat bypass_drop_off)" -gt 0 ] || fail 'no drops are counted'
before=$(stat bypass_faults)
step 4
[ "$(stat bypass_faults)" = "$before" ] || fail 'the guest was asked'

echo always >"$mode" || fail 'cannot switch to always'
wait_mode always
step 5
[ "$(stat bypass_pages)" -ge 16 ] || fail 'not mapped'
plan
