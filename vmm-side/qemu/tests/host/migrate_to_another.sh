#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# migrate_to_another.sh: from a QEMU that offers all to one that offers nothing.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

trap 'vm_quit from; vm_quit to; rm -f /run/state' EXIT

check 'one VM' vm from -m 32 -accel kvm,symbiotic=auto -daemonize
check 'has all features' vm_until from info '^features 0x3f$'
check 'migration begins' symcall -q /run/from qmp migrate '{"uri":"exec:cat >/run/state"}'
check 'migration ends' vm_until from 'qmp query-migrate' completed
check 'another VM' vm to -m 32 -accel kvm,symbiotic=off -daemonize -incoming 'exec:cat</run/state'
check 'goes on' vm_until to 'qmp query-status' '"running":true'
plan
