#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# plug.sh: plug the teaching device of L1 into the running guest, unplug it when the guest's
# word is 1, and plug it in again as soon as it has gone.

device=0000:00:12.0
dir=/sys/bus/pci/devices/$device

add()
{
	symcall qmp device_add \
		'{"driver":"vfio-pci","host":"'$device'","x-no-iommu":true,"id":"edu","rombar":0}'
}

[ ! -e $dir/driver ] || echo $device >$dir/driver/unbind
echo vfio-pci >$dir/driver_override
echo $device >/sys/bus/pci/drivers_probe
add || exit
wait_info.sh 'guest-word 0x1$' || exit
symcall qmp device_del '{"id":"edu"}' || exit
n=0
until add; do
	n=$((n + 1))
	[ $n -lt 900 ] || exit
	sleep 0.2
done
