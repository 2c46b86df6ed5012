#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# window_reserved.sh: a window's room can be reserved at the start; where it is short, that
# fails then.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/vm.sh
. vm.sh

dir=/run/small
mkdir -p $dir
mount -t tmpfs -o size=8m none $dir || exit
trap 'vm_quit window; umount -l $dir' EXIT

# with_window PREALLOC: a VM with a window that is larger than the room for it
with_window()
{
	rm -f $dir/window
	vm window -S -accel kvm -device symswap,memdev=window -daemonize \
		-object "memory-backend-file,id=window,share=on,mem-path=$dir/window,size=16M,prealloc=$1"
}

with_window on
equal 'reserved: does not start' $? 1
check 'not reserved: starts' with_window off
plan
