#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# link_moves.sh: the guest's link, net_failover over virtio-net, moves to the passthrough
# e1000e and back ten times, while data runs both ways between the guest ("modules.sh link"
# there) and this machine. The VMM brings the drivers of both.
#
#   guest: e1000e, passed through ---- L0's wire --- virtio-net of L1's own, "wire"
#          virtio-net --- tap of our QEMU, "paravirt"              |
#                                 |________________ bridge "lan" __|   10.99.0.1
#
# The bridge learns where the guest's address is from what the guest sends.

set -u
stream=''
# shellcheck disable=SC2086 # none, or one
trap 'kill $stream 2>/dev/null; symcall word 9' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

SYMBIOTIC_MODULES=$(dirname "$(command -v module_test.sh)")/modules
export SYMBIOTIC_MODULES
card=0000:00:15.0
# The same on both, by which the guest knows that they belong together (host.py).
mac=52:54:00:00:00:15

show()
{
	symcall info
	cat "$WORK/stream"
	ip addr
}

# flows INTERFACE: half a MiB of the guest's comes by it, of which it sends no more than a
# quarter before as much has gone to it. What TCP has sent in vain, it sends again after ever
# longer times, so each way needs its turn.
flows()
{
	bytes=/sys/class/net/$1/statistics/rx_bytes
	enough=$(($(cat "$bytes") + 524288))
	wait_for sh -c "[ \$(cat $bytes) -ge $enough ]"
	ok "data flows by $1"
}

wait_info.sh 'guest-word 0x2$' || exit
# What another run has left.
ip link del lan 2>/dev/null
for m in dimlib failover net_failover virtio_net llc stp bridge tun; do
	[ -d /sys/module/$m ] || insmod /modules/net/$m.ko || fail "insmod $m"
done
wire=$(echo /sys/bus/virtio/drivers/virtio_net/virtio*/net/*)
wire=${wire##*/}
[ -e "/sys/class/net/$wire/statistics" ] || fail 'this machine has no card on the wire'

ip link add lan type bridge
ip addr add 10.99.0.1/24 dev lan
expect 0 '' symcall qmp netdev_add \
	'{"type":"tap","id":"lan","ifname":"paravirt","script":"no","downscript":"no"}'
for i in "$wire" paravirt; do
	expect 0 '' ip link set "$i" master lan
	expect 0 '' ip link set "$i" up
done
ip link set lan up
expect 0 '^virtio_net loaded$' symcall module load virtio_net
expect 0 '' symcall qmp device_add '{"driver":"virtio-net-pci","id":"standby","netdev":"lan",
	"mac":"'$mac'","failover":true,"romfile":""}'
link_stream 7000 >"$WORK/stream" 2>&1 &
stream=$!
wait_for grep -q listening "$WORK/stream"
symcall word 1
flows paravirt
i=0
while [ $i -lt 10 ]; do
	expect 0 'attached$' symcall attach-device $card --driver e1000e
	flows "$wire"
	expect 0 'detached$' symcall detach-device $card
	flows paravirt
	i=$((i + 1))
done
expect 0 '^e1000e unloaded$' symcall module unload e1000e
kill -TERM $stream
wait $stream
status=$?
stream=''
result $status "no byte is lost or wrong: $(tail -n 1 "$WORK/stream")"
plan
