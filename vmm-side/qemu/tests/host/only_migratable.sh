#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# only_migratable.sh: a VM that has to migrate is offered nothing, and cannot ask for it.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

trap 'vm_quit auto' EXIT

said=$(vm on -only-migratable -accel kvm,symbiotic=on 2>&1)
equal 'asked for: does not start' $? 1
check 'and says why' [ "${said#*-only-migratable excludes}" != "$said" ]
vm auto -only-migratable -accel kvm,symbiotic=auto &
check 'otherwise: no features' vm_until auto info '^features 0x0$'
plan
