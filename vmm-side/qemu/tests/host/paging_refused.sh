#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_refused.sh: KVM was loaded so that no VM has a paging mode of its own. QEMU says so
# instead of starting, and a VM that asked for none cannot be changed.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

trap 'vm_quit plain' EXIT

for m in nested shadow auto; do
	said=$(vm $m -accel kvm,paging=$m 2>&1)
	equal "$m: does not start" $? 1
	check "$m: says why" [ "${said#*cannot change the paging mode of a VM}" != "$said" ]
done
said=$(vm x -accel kvm,paging=both 2>&1)
equal 'no such mode' $? 1
vm plain -accel kvm &
check 'not asked for: starts' vm_until plain paging '^may-switch false$'
check 'policy' vm_until plain paging '^policy default$'
said=$(symcall -q /run/plain paging nested 2>&1)
equal 'cannot be set' $? 3
check 'says why' [ "${said#*was not started with -accel kvm,paging=}" != "$said" ]
plan
