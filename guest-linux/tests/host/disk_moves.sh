#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# disk_moves.sh: the guest's disk, device-mapper's multipath, moves between virtio-blk and the
# passthrough NVMe ten times, while the guest writes and reads ("modules.sh two-ways" there).
# The medium is one, which both ways reach at the same time (host.py):
#
#   guest: nvme, passed through ----------------------- L0's NVMe ---\
#          virtio-blk --- our QEMU, no cache --- L1's virtio-blk ----- one file of L0

set -u
trap 'symcall word 9' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

SYMBIOTIC_MODULES=$(dirname "$(command -v module_test.sh)")/modules
export SYMBIOTIC_MODULES
nvme=0000:00:10.0

# reached N: the guest says so by its word
reached()
{
	wait_info.sh "guest-word $(printf '0x%x' "$1")\$" || exit
	ok "the guest is at $1"
}

reached 2
medium=''
for d in /sys/block/vd*; do
	[ "$(cat "$d/serial")" != medium ] || medium=/dev/${d##*/}
done
[ -b "$medium" ] || fail 'this machine does not share the medium'
expect 0 '' symcall qmp blockdev-add \
	'{"driver":"host_device","node-name":"way","filename":"'"$medium"'","cache":{"direct":true}}'
expect 0 '' symcall qmp device_add \
	'{"driver":"virtio-blk-pci","id":"way","drive":"way","serial":"way"}'
expect 0 '^dm_multipath loaded$' symcall module load dm_multipath
expect 0 '^dm_round_robin loaded$' symcall module load dm_round_robin
symcall word 1
i=0
while [ $i -lt 10 ]; do
	expect 0 'attached$' symcall attach-device $nvme --driver nvme
	reached $((16 + 2 * i))
	expect 0 'detached$' symcall detach-device $nvme
	reached $((17 + 2 * i))
	i=$((i + 1))
done
expect 0 '^nvme unloaded$' symcall module unload nvme
plan
