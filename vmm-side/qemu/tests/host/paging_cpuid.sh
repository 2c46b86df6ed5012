#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_cpuid.sh: a VM that may change its paging mode is offered what both modes have: no
# protection keys, even where the host has them, and all else that a VM with nested paging is.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

trap 'vm_quit plain; vm_quit may' EXIT

# offered NAME FEATURE: true or false
offered()
{
	symcall -q "/run/$1" qmp qom-get "{\"path\":\"$cpu\",\"property\":\"$2\"}"
}

vm plain -cpu host -accel kvm &
vm may -cpu host -accel kvm,paging=nested &
for name in plain may; do
	check "$name: starts" vm_until $name 'qmp query-cpus-fast' qom-path
done
cpu=$(symcall -q /run/may qmp query-cpus-fast | sed 's/.*"qom-path":"\([^"]*\)".*/\1/')

keys=false
! grep -qw ospke /proc/cpuinfo || keys=true
equal "protection keys, here $keys" "$(offered plain pku)" $keys
equal 'not if it may switch' "$(offered may pku)" false
[ $keys = true ] || skip 'they are taken away' 'this host has no protection keys'
for feature in la57 pdpe1gb nx smep smap umip pge pcid invpcid svm vmx; do
	of_plain=$(offered plain $feature)
	check "$feature: $of_plain" [ -n "$of_plain" ]
	equal 'the same if it may switch' "$(offered may $feature)" "$of_plain"
done
plan
